"""An answer of the upstream passes once or not at all: none reaches another request, and none says what only doorward may say."""

import http.client
import socket
import struct
import threading

import pytest
from scripted import Scripted, good, scripted
from sidecar import merge
from test_reload import reloaded
from wire import Connection, exchange, lines, request

HEAD = b"HTTP/1.1 200 OK\r\n"
# What the upstream sends; the status the client sees, and the body, `None` = broken off.
ANSWERS = {
    "length and chunks": (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, b"hello"),
    "two lengths": (HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello", 502, None),
    "signed length": (HEAD + b"Content-Length: +3\r\n\r\nhello", 502, None),
    "no content with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 502, None),
    "no content with chunks": (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502, None),
    "no content with bytes": (b"HTTP/1.1 204 No Content\r\n\r\nhello", 204, b""),
    "not modified with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    "not modified with bytes": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", 304, b""),
    "two answers": (HEAD + b"Content-Length: 2\r\n\r\nok" + HEAD + b"Content-Length: 6\r\n\r\nstolen", 200, b"ok"),
    "answer after the last chunk": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + HEAD + b"Content-Length: 6\r\n\r\nstolen",
        200,
        b"ok",
    ),
    "unasked upgrade": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nstolen", 502, None),
    "no header lines": (b"<html>hello</html>\r\n\r\n", 502, None),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", 502, None),
    "blank in a name": (HEAD + b"X Y: 1\r\nContent-Length: 2\r\n\r\nok", 502, None),
    "folded line": (HEAD + b"X: 1\r\n folded\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    "head without end": (HEAD + b"X: " + b"x" * 3_000_000, 502, None),
    "chunk that is none": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", 200, None),
    "half a body": (HEAD + b"Content-Length: 10\r\n\r\nhello", 200, None),
    "half a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\na\r\nhello", 200, None),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_passes_once_or_not_at_all(case, start):
    """S19: whatever it is, the next request, another client's, gets its own answer, and no request arrives twice."""
    raw, status, body = ANSWERS[case]
    ends = body is None and status == 200

    def first(peer):
        peer.read()
        peer.send(raw)
        if not ends:
            good(peer)

    with Scripted(scripted(first, used=False)) as upstream:
        doorward = start(upstream.url)
        if ends:
            with pytest.raises((http.client.IncompleteRead, ConnectionError, http.client.HTTPException)):
                exchange(doorward.public, request("/public/a"))
        else:
            answer = exchange(doorward.public, request("/public/a"))
            assert answer.status == status
            assert body is None or answer.body == body
            if status == 502:
                assert b"Bad Gateway" in answer.body
        for target in ("/public/b", "/public/c"):
            answer = exchange(doorward.public, request(target))
            assert (answer.status, answer.body) == (200, target.encode())
        assert upstream.targets() == ["/public/a", "/public/b", "/public/c"]


def test_bytes_behind_an_answer_to_head_are_nobodys(start):
    def first(peer):
        peer.read()
        peer.answer(b"hello")
        good(peer)

    with Scripted(scripted(first, used=False)) as upstream:
        doorward = start(upstream.url)
        answer = exchange(doorward.public, request("/public/a", "HEAD"), method="HEAD")
        assert (answer.status, answer.header("content-length")) == (200, "5")
        assert exchange(doorward.public, request("/public/b")).body == b"/public/b"


def test_an_answer_that_comes_later_is_nobodys(start):
    """The second one is sent while the connection waits for its next request."""
    read, sent = threading.Event(), threading.Event()

    def first(peer):
        peer.read()
        peer.answer(b"ok")
        assert read.wait(20)
        peer.answer(b"stolen")
        sent.set()
        good(peer)

    with Scripted(scripted(first, used=False)) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/a")).body == b"ok"
            read.set()
            assert sent.wait(20)
            assert connection.exchange(request("/public/b")).body == b"/public/b"
        assert exchange(doorward.public, request("/public/c")).body == b"/public/c"


def test_an_answer_before_the_body_is_read_arrives(start):
    """The upstream refuses by the head alone and closes while the client still sends."""

    def first(peer):
        peer.note_head()
        peer.answer(b"too much", "Connection: close", status="413 Content Too Large")
        peer.socket.shutdown(socket.SHUT_WR)
        while peer.socket.recv(65536):
            pass

    with Scripted(scripted(first, used=False)) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            head = lines("POST /public/a HTTP/1.1", "Host: a", "Content-Length: 1000000")
            connection.send(head + b"x" * 1000)
            answer = connection.read("POST")
            assert (answer.status, answer.body) == (413, b"too much")
        assert exchange(doorward.public, request("/public/b")).body == b"/public/b"
        assert upstream.targets() == ["/public/a", "/public/b"]


UNFINISHED = {
    "length": lines("POST /public/a HTTP/1.1", "Host: a", "Content-Length: 10", body=b"four"),
    "chunks": lines("POST /public/a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body=b"4\r\nfour\r\n"),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("framing", UNFINISHED)
def test_a_client_that_leaves_half_way_leaves_nothing_behind(framing, reset, start):
    """S20: its connection to the upstream is used for nobody else."""
    with Scripted(good) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as other:
            assert other.exchange(request("/public/use")).body == b"/public/use"
            with Connection(doorward.public) as connection:
                connection.send(UNFINISHED[framing])
                doorward.counts(1, "doorward_http_requests_in_flight")
                if reset:
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            upstream.wait_for(lambda upstream: len(upstream.received) == 2)
            answers = [other.exchange(request(f"/public/{i}", "POST", b"mine")).body for i in range(3)]
        assert answers == [b"/public/0", b"/public/1", b"/public/2"]
        cut = upstream.received[1]
        assert cut.target == "/public/a" and not cut.whole
        rest = upstream.received[2:]
        assert [(got.body, got.whole) for got in rest] == [(b"mine", True)] * 3
        assert cut.connection not in {got.connection for got in rest}


def test_what_the_upstream_says_of_us_does_not_reach_clients(start):
    """I13."""
    fields = [
        "X-Doorward-Subject: root",
        "x-doorward-anything: 1",
        "Set-Cookie: __Host-doorward-session=stolen; Secure; Path=/",
        "Set-Cookie: own=1",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "X-Own: kept",
    ]

    def script(peer):
        while peer.read():
            interim = ["HTTP/1.1 103 Early Hints", "Link: </style.css>; rel=preload", *fields[:4]]
            peer.send("\r\n".join(interim).encode() + b"\r\n\r\n")
            peer.answer(b"ok", *fields)

    with Scripted(script) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            connection.send(request("/public/a", "GET", b"", "Connection: close"))
            received = connection.rest()
        interim, final, body = received.split(b"\r\n\r\n", 2)
        assert interim.startswith(b"HTTP/1.1 103 ") and final.startswith(b"HTTP/1.1 200 ") and body == b"ok"
        for head in (interim, final):
            lower = head.lower()
            assert b"doorward" not in lower and b"stolen" not in lower, head
            assert b"set-cookie: own=1" in lower
        assert b"link: </style.css>" in interim.lower()
        assert b"x-hop" not in final.lower() and b"keep-alive: timeout" not in final.lower() and b"x-own: kept" in final.lower()


def test_what_concerns_no_connection_is_changed_under_it(start):
    """Headers that tell who asks are taken out of requests and answers as the configuration of the moment says."""

    def script(peer):
        while peer.read():
            peer.answer(b"ok", "X-Who: root")

    with Scripted(script) as upstream:
        doorward = start(upstream.url, {"upstream": {"idle_timeout": "60s"}})
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/a", "GET", b"", "X-Who: root")).header("x-who") == "root"
            doorward.write(merge(doorward.settings, {"upstream": {"identity_headers": {"X-Who": "sub"}}}))
            assert reloaded(doorward) == "ok"
            assert connection.exchange(request("/public/b", "GET", b"", "X-Who: root")).header("x-who") is None
        assert [received.header(b"x-who") for received in upstream.received] == [b"root", None]
        assert upstream.connections == 1
