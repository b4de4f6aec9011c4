"""What takes more than requests one after the other.

Each gets the server under test and the attempt, may `find` in its verdict, and gives what must have arrived.
"""

import base64
import signal
import time

from sidecar import merge

from .http1 import Closed
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
