"""WebSockets and event streams whose token ends under them."""

import time

from ..http1 import Closed, TimedOut
from ..upstream import Script
from .sessions import revoke

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n"
# Close, 1008, whatever the reason: FIN and opcode 8, then a length, then the code.
POLICY_VIOLATION = (1008).to_bytes(2, "big")
SLACK = 1.0


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


def handshakes_in_a_row(target, attempt):
    """Five hundred WebSockets, each open until a frame has come through."""
    attempt.uncounted = attempt.tunnelled = True
    torn = 0
    for _ in range(500):
        open_websocket(target, attempt, target.words["read"])
        try:
            read_until(attempt.connections["a"], b"\x81\x05hello")
        except AssertionError:
            torn += 1
        attempt.connections.pop("a").close()
    attempt.verdict.expected, attempt.verdict.got = "0 torn down", f"{torn} torn down"
    if torn:
        attempt.verdict.find("broken", f"{torn} of 500 WebSockets were torn down behind their handshake")


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
    read_until(connection, b"data: one")
    target.upstream.say(b"data: two\n\n")
    read_until(connection, b"data: two")


def read_until(connection, mark):
    try:
        while mark not in connection.ahead:
            connection._more()
    except (Closed, TimedOut) as ended:
        raise AssertionError(f"{type(ended).__name__} before {mark!r}: {connection.ahead!r}") from None


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
