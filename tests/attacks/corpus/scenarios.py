"""What takes more than requests one after the other.

Each gets the server under test and the attempt, may `find` in its verdict, and gives what must have arrived.
"""

import base64
import json
import re
import signal
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from sidecar import Doorward, merge

from . import http1
from .http1 import Closed, TimedOut
from .judge import read_json
from .text import fill
from .tokens import b64, respelled
from .upstream import Script

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n"
# Close, 1008, whatever the reason: FIN and opcode 8, then a length, then the code.
POLICY_VIOLATION = (1008).to_bytes(2, "big")
SLACK = 1.0


def reload(target, changes):
    """A new configuration, said by SIGHUP; what came of it is in the log."""
    process, started = target.process, len(target.log.lines)
    process.write(merge(process.settings, changes))
    process.signal(signal.SIGHUP)
    target.log.wait_for(lambda line: '"audit":"reloaded"' in line, started)


def warm_up(target, attempt):
    """Leaves a connection to the upstream behind, which the next request is likely to get."""
    attempt._victim()


def hundred_in_one_write(target, attempt):
    """A hundred requests in one write, every other one with a token: each gets its own answer, or none."""
    host, token = target.words["host"], target.words["read"].decode()
    requests = []
    for number in range(100):
        credential = f"Authorization: Bearer {token}\r\n" if number % 2 else ""
        requests.append(f"GET /api/{number} HTTP/1.1\r\nHost: {host}\r\n{credential}\r\n")
    connection = attempt.connection("a")
    connection.send("".join(requests).encode())
    answered = 0
    for number in range(100):
        answer = attempt.read("a")
        if answer == "closed":
            break
        answered += 1
        wanted = (200, f"answer to /api/{number}".encode()) if number % 2 else (401, None)
        if answer.status != wanted[0] or wanted[1] not in (None, answer.body):
            attempt.verdict.find("broken", f"request {number} was answered {answer.status} {answer.body[:80]}")
    attempt.verdict.got = f"{answered} answers"
    head = "GET /api/{0} HTTP/1.1\nHost: {{{{host}}}}\nAuthorization: Bearer {{{{read}}}}\n{{{{added}}}}\nX-Auth-User: alice\nX-Auth-Roles: staff\nX-Auth-Issuer: {{{{issuer}}}}\n"
    return [head.format(number) for number in range(answered) if number % 2]


def websocket_expires(target, attempt):
    expires = int(time.time()) + 3
    token = target.mint.write({"claims": {"exp": expires}}, target.words)
    open_websocket(target, attempt, token)
    ended = wait_for_close(attempt, expires + SLACK + 1)
    if not expires - 0.1 <= ended <= expires + 1 + SLACK:
        attempt.verdict.find("differs", f"closed {ended - expires:.1f} s after the token expired")
    return [websocket_head(token)]


def websocket_revoked(target, attempt):
    token = target.mint.write({}, target.words)
    open_websocket(target, attempt, token)
    revoked = revoke(target, attempt, token)
    ended = wait_for_close(attempt, revoked + SLACK + 1)
    if ended > revoked + 1 + SLACK:
        attempt.verdict.find("differs", f"closed {ended - revoked:.1f} s after the token was revoked")
    return [websocket_head(token)]


def events_expire(target, attempt):
    expires = int(time.time()) + 3
    token = target.mint.write({"claims": {"exp": expires}}, target.words)
    open_events(target, attempt, token)
    ended = wait_for_end(attempt)
    if not expires - 0.1 <= ended <= expires + 1 + SLACK:
        attempt.verdict.find("differs", f"ended {ended - expires:.1f} s after the token expired")
    return [events_head(token)]


def events_revoked(target, attempt):
    token = target.mint.write({}, target.words)
    open_events(target, attempt, token)
    revoked = revoke(target, attempt, token)
    ended = wait_for_end(attempt)
    if ended > revoked + 1 + SLACK:
        attempt.verdict.find("differs", f"ended {ended - revoked:.1f} s after the token was revoked")
    return [events_head(token)]


def websocket_head(token):
    return (
        f"GET /api/ws HTTP/1.1\nHost: {{{{host}}}}\nAuthorization: Bearer {token.decode()}\nConnection: Upgrade\nUpgrade: websocket\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n{{added}}\nX-Auth-User: alice\nX-Auth-Roles: staff\n"
        "X-Auth-Issuer: {{issuer}}\n"
    )


def events_head(token):
    return (
        f"GET /api/events HTTP/1.1\nHost: {{{{host}}}}\nAuthorization: Bearer {token.decode()}\n{{{{added}}}}\nX-Auth-User: alice\n"
        "X-Auth-Roles: staff\nX-Auth-Issuer: {{issuer}}\n"
    )


def open_websocket(target, attempt, token):
    script(target, SWITCHING)
    attempt.tunnelled = True
    connection = attempt.connection("a")
    connection.send(HANDSHAKE.format(path="/api/ws", host=target.words["host"], token=token.decode()).encode())
    answer = attempt.read("a")
    assert answer != "closed" and answer.status == 101, f"the WebSocket was answered {answer}"
    # A text frame, so that the close comes between two frames.
    target.upstream.say(b"\x81\x05hello")


def open_events(target, attempt, token):
    script(target, EVENTS)
    attempt.tunnelled = True
    connection = attempt.connection("a")
    connection.send(f"GET /api/events HTTP/1.1\r\nHost: {target.words['host']}\r\nAuthorization: Bearer {token.decode()}\r\n\r\n".encode())
    while b"data: one" not in connection.ahead:
        connection._more()
    target.upstream.say(b"data: two\n\n")
    while b"data: two" not in connection.ahead:
        connection._more()


def script(target, answer):
    with target.upstream.changed:
        target.upstream.script = Script(answer, then="tunnel")


def wait_for_close(attempt, deadline):
    """When the closing frame came."""
    connection = attempt.connections["a"]
    try:
        connection.stream.settimeout(max(0.1, deadline - time.time()))
        while POLICY_VIOLATION not in connection.ahead or b"\x88" not in connection.ahead:
            connection._more()
        ended = time.time()
        connection.stream.settimeout(8)
    except Closed:
        attempt.verdict.find("differs", f"it ended without 1008, after {connection.ahead!r}")
        ended = time.time()
    return ended


def wait_for_end(attempt):
    attempt.connections["a"].read_to_end()
    return time.time()


def revoke(target, attempt, token):
    body = b"token=" + token
    connection = attempt.connection("revoker")
    head = f"POST /revoke-token HTTP/1.1\r\nHost: {target.words['host']}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    connection.send(fill(f"{head}Content-Length: {len(body)}\r\n\r\n", {}) + body)
    answer = attempt.read("revoker")
    assert answer.status == 200, f"the revocation was answered {answer}"
    return time.time()


def show_token(attempt, target, token):
    """The status that `GET /api/x` has with this token, on one connection kept for all of them, and the reason of a refusal."""
    connection = attempt.connections.get("a") or attempt.connection("a")
    connection.send(f"GET /api/x HTTP/1.1\r\nHost: {target.words['host']}\r\nAuthorization: Bearer ".encode() + token + b"\r\n\r\n")
    answer = attempt.read("a")
    if answer == "closed":
        attempt.connections.pop("a").close()
        return show_token(attempt, target, token)
    reason = (read_json(answer.body) or {}).get("reason") if answer.status != 200 else None
    return answer.status, reason


def api_head(token):
    return (
        f"GET /api/x HTTP/1.1\nHost: {{{{host}}}}\nAuthorization: Bearer {token.decode()}\n{{{{added}}}}\nX-Auth-User: alice\n"
        "X-Auth-Roles: staff\nX-Auth-Issuer: {{issuer}}\n"
    )


def expect_refused(attempt, target, tokens, what):
    for number, token in enumerate(tokens):
        status, _ = show_token(attempt, target, token)
        if status != 401:
            attempt.verdict.find("hole", f"{what} {number}: answered {status}")
    attempt.verdict.expected, attempt.verdict.got = "401 each", f"{len(tokens)} tried"


def flipped_bits(target, attempt):
    """64 tokens, each with another bit of its signature flipped."""
    key, bits = attempt.words["key"].decode(), int(attempt.words["bits"])
    tokens = [target.mint.write({"key": key, "signature": f"flip:{bit}"}, target.words) for bit in range(0, bits, bits // 64)]
    expect_refused(attempt, target, tokens, "flipped bit")


def other_last_letters(target, attempt):
    """A good token, and it with the last letter of a segment replaced by one that decodes to the same bytes, or by any other."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = target.mint.write({"key": attempt.words["key"].decode(), "header": {"x": "a"}, "claims": {"x": "ab"}}, target.words).decode()
    parts, variants = good.split("."), []
    for at, part in enumerate(parts):
        unused = {0: 1, 2: 16, 3: 4}[len(part) % 4]
        value = alphabet.index(part[-1])
        same = [letter for number, letter in enumerate(alphabet) if number // unused == value // unused and number != value]
        every = [letter for number, letter in enumerate(alphabet) if number != value]
        for letter in same if attempt.words["changes"] == b"segments" else every if at == 2 else []:
            variants.append(".".join([*parts[:at], part[:-1] + letter, *parts[at + 1 :]]).encode())
    assert show_token(attempt, target, good.encode())[0] == 200, "the good spelling is refused"
    expect_refused(attempt, target, variants, "spelling")
    return [api_head(good.encode())]


def respelled_and_revoked(target, attempt):
    """s → n-s: the same token in another spelling; a revocation of either is one of both."""
    told = {"key": "ec1"} | ({"without": ["jti"]} if attempt.words["with"] == b"none" else {})
    heads = []
    for revoked in (0, 1):
        good = target.mint.write(told, target.words)
        spellings = [good, respell(good)]
        for token in spellings:
            status, _ = show_token(attempt, target, token)
            heads += [api_head(token)] if status == 200 else []
        assert len(heads) % 2 == 0, "the respelled signature does not verify"
        revoke(target, attempt, spellings[revoked])
        for token in spellings:
            if show_token(attempt, target, token) != (401, "revoked"):
                attempt.verdict.find("hole", "a spelling of the revoked token is taken")
    return heads


def respell(token):
    head, payload, signature = token.decode().split(".")
    made = base64.urlsafe_b64decode(signature + "==")
    return f"{head}.{payload}.{b64(respelled(made, {'s': 'n-s'}))}".encode()


# Connections that are held open.


def held_open(target, attempt):
    """Sends `sent`, after a whole request if there is a `first` one, and waits for the server to close."""
    heads = open_and_greet(target, attempt, plain="plain" in attempt.words)
    connection, began = attempt.connections["a"], time.monotonic()
    connection.send(attempt.words["sent"])
    try:
        connection.read_to_end()
    except TimedOut:
        pass
    judge_within(attempt, time.monotonic() - began)
    return heads


def trickled(target, attempt):
    """A head of which a byte comes every fifth of a second."""
    heads = open_and_greet(target, attempt)
    connection, began = attempt.connections["a"], time.monotonic()
    connection.send(f"GET /public/y HTTP/1.1\r\nHost: {target.words['host']}\r\nX: ".encode())
    connection.stream.settimeout(0.2)
    while time.monotonic() - began < 8:
        connection.send(b"a")
        try:
            connection._more()
        except TimedOut:
            continue
        except Closed:
            break
    judge_within(attempt, time.monotonic() - began)
    return heads


def open_and_greet(target, attempt, plain=False):
    connection = attempt.connections["a"] = http1.Connection(target.address) if plain else target.connect()
    if not attempt.words["first"]:
        return []
    connection.send(attempt.words["first"])
    answer = attempt.read("a")
    assert answer != "closed" and answer.status == 200, f"the first request was answered {answer}"
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]


def judge_within(attempt, seconds):
    within = float(attempt.words["within"])
    attempt.verdict.expected, attempt.verdict.got = f"closed within {within} s", f"{seconds:.1f} s"
    if seconds > within:
        attempt.verdict.find("differs", f"the connection was still there after {seconds:.1f} s")


def crowd(target, attempt):
    """With room for four: one waits for its answer, three are idle, and a fifth comes."""
    with target.upstream.changed:
        target.upstream.script = Script(b"", then="silent")
    busy = attempt.connection("busy")
    busy.send(f"GET /public/x HTTP/1.1\r\nHost: {target.words['host']}\r\n\r\n".encode())
    assert target.upstream.wait_for(lambda: len(target.upstream.requests) == 1), "the request did not arrive"
    for name in ("idle longest", "idle longer", "idle"):
        path = attempt.greet(name)
        assert path, f"connection {name!r} was not served"
    if not attempt.greet("fifth"):
        attempt.verdict.find("broken", "the fifth connection was not served")
    try:
        attempt.connections["idle longest"].read_to_end()
    except TimedOut:
        attempt.verdict.find("differs", "the connection that was idle longest is still there")
    busy.stream.settimeout(0.1)
    try:
        busy._more()
    except TimedOut:
        pass
    except Closed:
        attempt.verdict.find("broken", "the connection with a request in flight was closed")
    for name in list(attempt.connections):
        attempt.connections.pop(name).close()
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]


def slow_form(target, attempt):
    """The body of a login, a byte every half second."""
    connection, began = attempt.connection("a"), time.monotonic()
    head = f"POST /token HTTP/1.1\r\nHost: {target.words['host']}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n"
    connection.send(head.encode())
    connection.stream.settimeout(0.5)
    while time.monotonic() - began < 15:
        connection.send(b"a")
        try:
            connection._more()
            break
        except TimedOut:
            continue
        except Closed:
            break
    lasted = time.monotonic() - began
    answered = connection.ahead.split(b"\r\n")[0]
    attempt.verdict.expected, attempt.verdict.got = "408 in 10 s", f"{answered!r} after {lasted:.1f} s"
    if lasted > 11.5 or answered and not answered.startswith(b"HTTP/1.1 408"):
        attempt.verdict.find("differs", f"the body had {lasted:.1f} s, and was answered {answered!r}")


def hello_in_pieces(target, attempt):
    """A handshake whose every byte is a write of its own."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)
    raw = socket.create_connection(target.address, timeout=8)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def push():
        for byte in outgoing.read():
            raw.sendall(bytes([byte]))

    with raw:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                push()
                data = raw.recv(65536)
                assert data, "the handshake was ended"
                incoming.write(data)
        push()
        tls.write(f"GET /public/x HTTP/1.1\r\nHost: {target.words['host']}\r\nConnection: close\r\n\r\n".encode())
        push()
        answer = b""
        while b"answer to /public/x" not in answer:
            try:
                answer += tls.read()
            except ssl.SSLWantReadError:
                data = raw.recv(65536)
                assert data, f"no answer but {answer!r}"
                incoming.write(data)
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]


# Floods over HTTP/2.

FLOOD = 20_000
ROOM = 64 << 20


def rapid_reset(target, attempt):
    """Streams that are opened and at once reset: by the client, or by the server, made to by a bad frame."""
    connection = attempt.connection("a", "h2")
    block = request_block(connection, target, "/public/x")
    end = RstStreamFrame(1, error_code=8) if attempt.words["how"] == b"client" else WindowUpdateFrame(1, window_increment=0)
    tail = end.serialize()

    def frames(number):
        stream = (2 * number + 1).to_bytes(4, "big")
        head = HeadersFrame(1, data=block, flags=["END_HEADERS"]).serialize()
        return head[:5] + stream + head[9:] + tail[:5] + stream + tail[9:]

    before = target.process.resident_bytes()
    closed = pour(connection, frames, FLOOD)
    attempt.verdict.expected, attempt.verdict.got = "closed", "closed" if closed else "kept"
    attempt.uncounted = True
    if not closed:
        attempt.verdict.find("differs", "the connection was kept")
    # What went up before the end: a stream counts as open until its reset is read.
    reached = len(target.upstream.arrived())
    if reached > FLOOD // 10:
        attempt.verdict.find("broken", f"{reached} of them reached the upstream")
    judge_memory(target, attempt, before)


def flood(target, attempt):
    connection = attempt.connection("a", "h2")
    kind = attempt.words["of"].decode()
    before = target.process.resident_bytes()
    attempt.uncounted = True
    must_end, frames, count = flood_of(kind, connection, target)
    closed = pour(connection, frames, count)
    ended = closed or connection.parts and any(part.reset is not None or part.done for part in connection.parts.values())
    attempt.verdict.got = "closed" if closed else "ended" if ended else "kept"
    attempt.verdict.expected = "ended" if must_end else "bounded"
    if must_end and not ended:
        attempt.verdict.find("differs", "it was taken to the end")
    if kind == "streams":
        refused = sum(part.reset is not None for part in connection.parts.values())
        if not closed and refused < count - 200:
            attempt.verdict.find("differs", f"of {count} streams {refused} were refused")
    judge_memory(target, attempt, before)
    attempt.connections.pop("a").close()


def flood_of(kind, connection, target):
    """(must it end the stream or connection, the bytes of its n-th step, how many steps)."""
    opened = HeadersFrame(1, data=request_block(connection, target, "/public/x", "POST"), flags=["END_HEADERS"]).serialize()
    unfinished = HeadersFrame(1, data=request_block(connection, target, "/public/x")).serialize()
    if kind == "continuation":
        more = ContinuationFrame(1, data=b"\x00\x03x-a\x7f\x81\x06" + b"a" * 900).serialize()
        return True, lambda number: unfinished if number == 0 else more, 5_000
    if kind == "empty-data":
        empty = DataFrame(1).serialize()
        return False, lambda number: opened if number == 0 else empty, FLOOD
    if kind == "ping":
        ping = PingFrame(0, opaque_data=b"12345678").serialize()
        return False, lambda _: ping, FLOOD
    if kind == "settings":
        settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535}).serialize()
        return False, lambda _: settings, FLOOD
    if kind == "priority":
        return False, lambda number: PriorityFrame(2 * number + 1, stream_weight=1).serialize(), FLOOD
    if kind == "hpack-bomb":
        entry = b"\x40\x03x-a" + b"\x7f\xa1\x1e" + b"a" * 4000
        bomb = request_block(connection, target, "/public/x") + entry + b"\xbe" * 12_000
        return True, lambda _: HeadersFrame(1, data=bomb, flags=["END_HEADERS", "END_STREAM"]).serialize(), 1
    if kind == "streams":
        block = request_block(connection, target, "/public/x", "POST")
        return False, lambda number: HeadersFrame(2 * number + 1, data=block, flags=["END_HEADERS"]).serialize(), 1_000
    block = request_block(connection, target, "/public/{}".format("x" * 4000))
    closed_window = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()

    def step(number):
        head = HeadersFrame(2 * number + 1, data=block, flags=["END_HEADERS", "END_STREAM"]).serialize()
        return closed_window + head if number == 0 else head

    return False, step, 90


def request_block(connection, target, path, method="GET"):
    fields = [(":method", method), (":scheme", target.words["scheme"]), (":authority", target.words["host"]), (":path", path)]
    # Nothing is put into the table, so that the same bytes say the same again and again.
    return b"".join(b"\x00" + length(name) + name.encode() + length(value) + value.encode() for name, value in fields)


def length(text):
    """HPACK's integer with a prefix of seven bits."""
    count = len(text)
    if count < 127:
        return bytes([count])
    count, made = count - 127, b"\x7f"
    while count >= 128:
        made, count = made + bytes([count % 128 | 128]), count // 128
    return made + bytes([count])


def pour(connection, frames, count):
    """Sends so many steps, and takes in what comes meanwhile; true if the server ended it."""
    number = 0
    try:
        while number < count:
            upto = min(number + 200, count)
            connection.stream.settimeout(8)
            connection.stream.sendall(b"".join(frames(each) for each in range(number, upto)))
            number = upto
            take_in(connection)
        connection.stream.settimeout(8)
        connection.ping()
    except (Closed, OSError):
        return True
    except TimedOut:
        return False
    return connection.going_away is not None


def take_in(connection):
    """What is there now, without waiting for more."""
    connection.stream.settimeout(0)
    try:
        while True:
            data = connection.stream.recv(65536)
            if not data:
                raise Closed
            connection.ahead += data
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    connection.stream.settimeout(8)
    while len(connection.ahead) >= 9 and len(connection.ahead) >= 9 + int.from_bytes(connection.ahead[:3], "big"):
        connection.step()


def judge_memory(target, attempt, before):
    grown = target.process.resident_bytes() - before
    if grown > ROOM:
        attempt.verdict.find("differs", f"memory grew by {grown >> 20} MiB")


# What it costs, and what it counts.


def costly_paths(target, attempt):
    """Paths of the greatest length in every shape; judged by doorward's own clock, with room for a build that is not optimised."""
    shapes = ["/a" * 4000, "/public" + "/a" * 3900, "/public/" + "%61" * 2600, "/public/" + ";a" * 3900, "/public" + "/a;b" * 1900]
    shapes += ["/public/" + "%2561" * 1500, "/.." * 2600, "/" * 8000, "/public/" + "a" * 8000, "/{user}" * 1100]
    name = "doorward_decision_duration_seconds"
    before = target.samples()
    for shape in shapes * 5:
        connection = attempt.connection("a")
        connection.send(f"GET {shape} HTTP/1.1\r\nHost: {target.words['host']}\r\n\r\n".encode())
        answer = attempt.read("a")
        assert answer != "closed" and answer != "timeout", f"{shape[:40]}… was answered {answer}"
        if answer.header("Connection") == "close" or answer.status == 400:
            attempt.connections.pop("a").close()
    now = target.samples()
    spent, made = now[f"{name}_sum"] - before.get(f"{name}_sum", 0), now[f"{name}_count"] - before.get(f"{name}_count", 0)
    attempt.uncounted = True
    attempt.verdict.expected, attempt.verdict.got = "< 10 ms each", f"{1000 * spent / max(made, 1):.2f} ms each"
    if made < len(shapes) or spent / made > 0.01:
        attempt.verdict.find("differs", f"{made} decisions took {1000 * spent:.0f} ms")


def series_stay(target, attempt):
    """The same again and again in other words: no series is added."""
    make = hostile_requests()[attempt.words["of"].decode()]
    expensive = attempt.words["of"] in (b"username", b"client")
    for number in range(2):
        attempt.exchange(make(target, 90_000 + number))
    before = set(target.samples())
    for number in range(12 if expensive else 200):
        attempt.exchange(make(target, number))
    attempt.uncounted = True
    added = {name for name in set(target.samples()) - before if "le=" not in name}
    attempt.verdict.expected, attempt.verdict.got = "no new series", f"{len(added)} new"
    if added:
        attempt.verdict.find("differs", f"new series: {sorted(added)[:5]}")


def hostile_requests():
    def get(path, method="GET", host=None, more=""):
        return lambda target, number: (
            f"{method.format(letters(number))} {path.format(number)} HTTP/1.1\r\nHost: {(host or '{0}').format(number) if host else target.words['host']}\r\n"
            f"{more.format(number)}\r\n"
        ).encode()

    def form(text):
        def make(target, number):
            body = text.format(number)
            kind = "Content-Type: application/x-www-form-urlencoded"
            return f"POST /token HTTP/1.1\r\nHost: {target.words['host']}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

        return make

    def token(**told):
        def make(target, number):
            shaped = {part: {name: value.format(number) for name, value in members.items()} for part, members in told.items()}
            made = target.mint.write({"key": "evil-hs"} | shaped, target.words).decode()
            return f"GET /api/x HTTP/1.1\r\nHost: {target.words['host']}\r\nAuthorization: Bearer {made}\r\n\r\n".encode()

        return make

    return {
        "path": get("/made-up-{0}/x?y={0}"),
        "method": get("/nowhere", method="EVIL-{}"),
        "host": get("/nowhere", host="host-{0}.example"),
        "username": form("username=made-up-{0}&password=x"),
        "client": form("username=alice&password=x&client_id=made-up-{0}"),
        "kid": token(header={"kid": "made-up-{0}"}),
        "issuer": token(claims={"iss": "https://made-up-{0}.example"}),
        "malformed": get("/nowhere", more="Bad Header {0}: x\r\n"),
    }


def letters(number):
    return "".join(chr(ord("A") + int(digit)) for digit in str(number))


def metrics_are_silent(target, attempt):
    """Names, secrets, hosts and paths of clients are in no metric."""
    makers = [maker for kind, maker in hostile_requests().items() if kind != "client"]
    for make in makers:
        attempt.exchange(make(target, 31337))
    attempt.exchange(f"GET /nowhere/CANARY31337?access_token=31337 HTTP/1.1\r\nHost: {target.words['host']}\r\nCookie: a=31337\r\n\r\n".encode())
    attempt.exchange(fill("GET /api/x HTTP/1.1\r\nHost: {{host}}\r\nAuthorization: Bearer {{expired}}\r\n\r\n", target.words))
    text = target.process.probe("/metrics").text
    for found in ("31337", "made-up", letters(31337), "alice", target.words["expired"].decode()[-20:]):
        if found in text:
            at = text.index(found)
            attempt.verdict.find("hole", f"the metrics say {text[max(0, at - 60) : at + 40]!r}")


# The token endpoints.


def parallel_refreshes(target, attempt):
    """Fifty clients present one refresh token at once."""
    first = json.loads(post(target, "/token", "username=alice&password=alice-secret").body)["refresh_token"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(target, "/refresh-token", f"refresh_token={first}"), range(50)))
    statuses = {answer.status for answer in answers}
    successors = {json.loads(answer.body).get("refresh_token") for answer in answers}
    attempt.verdict.expected, attempt.verdict.got = "one successor", f"{statuses}, {len(successors)} successors"
    if statuses != {200} or len(successors) != 1:
        attempt.verdict.find("broken", f"50 refreshes were answered {statuses}, with {len(successors)} successors")
    again = post(target, "/refresh-token", f"refresh_token={successors.pop()}")
    if again.status != 200:
        attempt.verdict.find("differs", f"the successor was answered {again.status}")


def same_answers(target, attempt):
    """Every name gets the same answer to a login that fails, but for the time and the request's id."""
    answers = {}
    for name in attempt.words["names"].decode().split():
        answer = post(target, "/token", f"username={name}&password={attempt.words['password'].decode()}")
        fields = sorted((own.lower(), value) for own, value in answer.fields if own.lower() not in ("date", "x-request-id"))
        answers[name] = (answer.status, tuple(fields), answer.body)
    if len(set(answers.values())) != 1 or answer.status != 400:
        attempt.verdict.find("differs", f"the answers differ: {answers}")


def post(target, path, body):
    connection = target.connect()
    try:
        kind = "Content-Type: application/x-www-form-urlencoded"
        connection.send(f"POST {path} HTTP/1.1\r\nHost: {target.words['host']}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        return connection.read()
    finally:
        connection.close()


def sample_as_it_is(target, attempt):
    """The sample configuration, its ports apart: it starts, and no name and password that anybody would try gets a token."""
    directory = target.process.directory / "sample"
    directory.mkdir()
    sample = (Path(__file__).resolve().parents[3] / "config.example.yaml").read_text(encoding="utf-8")
    process = Doorward(target.process.binary, directory, {}, [])
    (directory / "users.yaml").unlink()
    (directory / "doorward.yaml").write_text(re.sub(r"listen: 127\.0\.0\.1:\d+", "listen: 127.0.0.1:0", sample), encoding="utf-8")
    process.start()
    try:
        for name in ("admin", "root", "johndoe", "user", "demo", "doorward"):
            for password in ("admin", "password", "secret", "changeme", name):
                answer = process.post("/token", {"username": name, "password": password})
                if answer.status_code != 400:
                    attempt.verdict.find("hole", f"{name}/{password} was answered {answer.status_code}")
    finally:
        process.stop()
