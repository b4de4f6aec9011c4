"""Real WebSockets through doorward: authorised like any request, passed on untouched, and ended with the token.

`SOAK=1` makes ten thousand handshakes of a few hundred.
"""

import asyncio
import base64
import json
import os
import time

import pytest
from streams import ENDS_WITHIN, POLICY, SHORT, SOAK, expiry
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

HANDSHAKES = 10_000 if SOAK else 500
AT_ONCE = 8


@pytest.fixture
def application(applications):
    return applications("streams")


@pytest.fixture
def gate(application, start):
    return start(application.url, {"policy": POLICY})


def open_socket(doorward, token=None, path="/socket", subprotocols=None, headers=None):
    credential = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(
        f"ws://{doorward.public}{path}",
        additional_headers=credential | (headers or {}),
        subprotocols=subprotocols,
        max_size=None,
        proxy=None,
        compression=None,
    )


def test_echo(gate):
    with open_socket(gate, gate.login()["access_token"]) as socket:
        for message in ("", "text", "é" * 1000, b"", bytes(range(256)), b"\x00" * 125, b"\x00" * 126, b"\x00" * 65535, b"\x00" * 65536, os.urandom(8 << 20)):
            socket.send(message)
            assert socket.recv() == message
        socket.send(["in ", "four ", "", "fragments"])
        assert socket.recv() == "in four fragments"
        assert socket.ping(b"payload").wait(10)
        for number in range(1000):
            socket.send(str(number))
        assert [socket.recv() for _ in range(1000)] == [str(number) for number in range(1000)]


def test_the_application_is_told_who_it_is(gate):
    token = gate.login()["access_token"]
    with open_socket(gate, token, headers={"X-Forwarded-User": "admin", "X_Forwarded_User": "admin"}) as socket:
        headers = headers_of(socket)
    assert [value for name, value in headers if name.replace("_", "-") == "x-forwarded-user"] == ["johndoe"]
    assert [value for name, value in headers if name == "authorization"] == [f"Bearer {token}"]


def headers_of(socket):
    socket.send("headers")
    return json.loads(socket.recv())


@pytest.mark.parametrize(("path", "token", "status"), [("/socket", None, 401), ("/socket", "nonsense", 401), ("/closed/socket", True, 403)])
def test_refused_as_any_request(path, token, status, application, gate):
    """An answer in plain HTTP, and the application hears nothing."""
    mark = len(application.output.lines)
    token = gate.login()["access_token"] if token is True else token
    with pytest.raises(InvalidStatus) as refusal:
        open_socket(gate, token, path)
    response = refusal.value.response
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json" and "detail" in json.loads(response.body)
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    with open_socket(gate, gate.login()["access_token"]) as socket:
        socket.send("x")
        assert socket.recv() == "x"
    application.output.wait_for(lambda line: line == "websocket open", mark)
    # uvicorn's own line of a handshake has brackets; ours comes with each that it accepts.
    assert [line for line in application.output.lines[mark:] if line == "websocket open"] == ["websocket open"]


def test_a_token_as_subprotocol(gate):
    """Browsers cannot set `Authorization`, so a route may take the token from where they can put one."""
    token = gate.login()["access_token"]
    with open_socket(gate, path="/browser/socket", subprotocols=["bearer", token]) as socket:
        assert socket.subprotocol == "bearer"
        headers = headers_of(socket)
    assert [value for name, value in headers if name == "x-forwarded-user"] == ["johndoe"]
    assert [value for name, value in headers if name == "sec-websocket-protocol"] == []
    assert token not in str([pair for pair in headers if pair[0] != "authorization"])


def test_a_token_beside_other_subprotocols(gate):
    token = gate.login()["access_token"]
    for subprotocols in (["bearer", token, "other", "chat"], ["other", "chat", "bearer", token]):
        with open_socket(gate, path="/browser/socket", subprotocols=subprotocols) as socket:
            assert socket.subprotocol == "chat", "the application's choice"
            headers = headers_of(socket)
        assert [value.replace(" ", "") for name, value in headers if name == "sec-websocket-protocol"] == ["other,chat"]


@pytest.mark.parametrize(("path", "subprotocols"), [("/socket", None), ("/browser/socket", "nonsense"), ("/browser/socket", "")])
def test_no_token_as_subprotocol(path, subprotocols, gate):
    """Where the route does not say so it is none, and a bad one is refused like any."""
    offered = {None: ["bearer", gate.login()["access_token"]], "": ["bearer"]}.get(subprotocols, ["bearer", subprotocols])
    with pytest.raises(InvalidStatus) as refusal:
        open_socket(gate, path=path, subprotocols=offered)
    assert refusal.value.response.status_code == 401


def test_close_codes_pass(application, gate):
    token = gate.login()["access_token"]
    mark = len(application.output.lines)
    with open_socket(gate, token) as socket:
        socket.close(4321, "my own reason")
    application.output.wait_for(lambda line: line == "websocket closed 4321", mark)
    with open_socket(gate, token) as socket:
        socket.send("close 4444")
        with pytest.raises(ConnectionClosed) as end:
            socket.recv()
    assert (end.value.rcvd.code, end.value.rcvd.reason) == (4444, "as you wish")


def test_a_client_that_vanishes_is_gone_for_the_application(application, gate):
    mark = len(application.output.lines)
    socket = open_socket(gate, gate.login()["access_token"])
    socket.socket.shutdown(2)
    application.output.wait_for(lambda line: line.startswith("websocket closed"), mark)
    gate.counts(0, "doorward_http_requests_in_flight")


def closed_by_doorward(socket):
    """The time at which the connection was ended; all that came before it were whole messages."""
    limit = time.monotonic() + 10
    with pytest.raises(ConnectionClosed) as end:
        while time.monotonic() < limit:
            socket.recv(timeout=10)
    assert end.value.rcvd is not None and end.value.rcvd.code == 1008, end.value
    return time.time()


def test_ends_when_the_token_expires(application, start):
    gate = start(application.url, {"policy": POLICY} | SHORT)
    token = gate.login()["access_token"]
    mark = len(application.output.lines)
    with open_socket(gate, token) as quiet, open_socket(gate, token) as busy, open_socket(gate, token, "/kept/socket") as kept:
        quiet.send("still here")
        assert quiet.recv() == "still here"
        busy.send("flood")
        for socket in (busy, quiet):
            ended = closed_by_doorward(socket)
            assert 0 <= ended - expiry(token) <= ENDS_WITHIN
        kept.send("kept")
        assert kept.recv(timeout=10) == "kept", "`streams: keep`"
        with pytest.raises(InvalidStatus):
            open_socket(gate, token)
    application.output.wait_for(lambda line: line.startswith("websocket closed"), mark)
    gate.counts(0, "doorward_http_requests_in_flight")


def test_ends_when_the_token_is_revoked(gate):
    login, other = gate.login(), gate.login("siobhan", "se cret&+é")
    with (
        open_socket(gate, login["access_token"]) as socket,
        open_socket(gate, login["access_token"], "/kept/socket") as kept,
        open_socket(gate, other["access_token"]) as someone_else,
    ):
        before = time.time()
        gate.revoke(login["access_token"])
        assert closed_by_doorward(socket) - before <= ENDS_WITHIN
        for untouched in (kept, someone_else):
            untouched.send("x")
            assert untouched.recv(timeout=10) == "x"


def test_not_one_of_many_handshakes_is_torn_down(start):
    """pingora #946: an upstream that switches at once can lose the tunnel. This one answers, and speaks, in the same packet."""
    asyncio.run(handshakes(start))


async def handshakes(start):
    server = await asyncio.start_server(switch, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    gate = start(f"http://127.0.0.1:{port}", {"policy": POLICY, "telemetry": {"access_log": False}})
    token = (await asyncio.to_thread(gate.login))["access_token"]
    host, port = gate.public.split(":")
    request = handshake(gate.public, token)
    left = iter(range(HANDSHAKES))

    async def client():
        done = 0
        for _ in left:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 "), head
            assert await reader.readexactly(len(HELLO)) == HELLO
            writer.write(MASKED)
            assert await reader.readexactly(len(ECHO)) == ECHO
            writer.close()
            done += 1
        return done

    async with server:
        began = time.monotonic()
        done = await asyncio.wait_for(asyncio.gather(*[client() for _ in range(AT_ONCE)]), 600)
        print(f"\n{HANDSHAKES} handshakes in {time.monotonic() - began:.1f} s")
    assert sum(done) == HANDSHAKES


def handshake(host, token):
    key = base64.b64encode(bytes(16)).decode()
    head = [
        "GET /socket HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {token}",
    ]
    return "".join(line + "\r\n" for line in head).encode() + b"\r\n"


async def switch(reader, writer):
    """A server that knows one conversation."""
    await reader.readuntil(b"\r\n\r\n")
    # The answer to the key of sixteen zero bytes (RFC 6455 section 4.2.2).
    accept = b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n"
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + accept + b"\r\n" + HELLO)
    assert await reader.readexactly(len(MASKED)) == MASKED
    writer.write(ECHO)
    await reader.read()
    writer.close()


HELLO = b"\x81\x05hello"
# Masked with zeros, so it reads as it is.
MASKED = b"\x81\x84\x00\x00\x00\x00echo"
ECHO = b"\x81\x04echo"
