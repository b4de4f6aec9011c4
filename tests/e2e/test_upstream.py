"""The connection to the upstream: what is tried again and what never, and that no answer reaches another request."""

import http.client
import os
import signal
import socket
import struct
import threading
import time
from contextlib import ExitStack

import pytest
from scripted import Scripted, good
from sidecar import merge, until
from test_reload import reloaded
from wire import Connection, exchange, lines

def request(target, method="GET", body=b"", *headers):
    length = [f"Content-Length: {len(body)}"] if method in ("POST", "PUT") or body else []
    return lines(f"{method} {target} HTTP/1.1", "Host: api.example.test", *length, *headers, body=body)


def errors(doorward):
    return {s.labels["reason"]: s.value for s in doorward.samples() if s.name == "doorward_upstream_errors_total" and s.value}


def scripted(first, *, used):
    """Serves its first connection with `first`, which comes to a connection that was `used` for one answer or not, and all others well."""

    def script(peer):
        if peer.number == 0:
            if used:
                peer.read()
                peer.answer(b"used")
            first(peer)
        else:
            good(peer)

    return script


def then(act):
    """Reads a request, then does this."""

    def first(peer):
        if peer.read():
            act(peer)

    return first


DEATHS = {
    "reset": lambda peer: peer.reset(),
    "closed": lambda peer: peer.close(),
    "half a head": lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "garbage": lambda peer: peer.send(b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"),
}
UNANSWERED = ("reset", "closed")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("death", DEATHS)
def test_a_request_is_sent_again_only_where_nothing_can_have_been_done(death, used, method, start):
    """S21: idempotent, on a connection that had been used and died without a byte of an answer."""
    with Scripted(scripted(then(DEATHS[death]), used=used)) as upstream:
        doorward = start(upstream.url)
        body = b"body" if method in ("PUT", "POST", "PATCH") else b""
        with Connection(doorward.public) as connection:
            if used:
                assert connection.exchange(request("/public/use")).body == b"used"
            connection.send(request("/public/it", method, body))
            again = used and death in UNANSWERED and method in ("GET", "PUT", "DELETE")
            answer = connection.read(method)
            assert answer.status == (200 if again else 502), answer
        assert upstream.targets().count("/public/it") == (2 if again else 1)
        assert [got.body for got in upstream.received if got.target == "/public/it"] == [body] * (2 if again else 1)
        assert exchange(doorward.public, request("/public/next")).body == b"/public/next"
        doorward.counts(0 if again else 1, "doorward_upstream_errors_total", reason="broken")


def test_an_interim_answer_is_an_answer(start):
    """The client gets it, then the final one that the upstream owes it, and the request is not sent again."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with Scripted(scripted(then(lambda peer: peer.send(interim)), used=True)) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/use")).body == b"used"
            connection.send(request("/public/it"))
            heads = until_closed(connection).split(b"\r\n\r\n")
        assert [head.split()[1] for head in heads[:2]] == [b"103", b"502"]
        assert upstream.targets().count("/public/it") == 1


def until_closed(connection):
    received = b""
    while chunk := connection.socket.recv(65536):
        received += chunk
    return received


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_was_closed_while_idle_costs_nothing(method, start):
    closed = threading.Event()

    def first(peer):
        peer.close()
        closed.set()

    with Scripted(scripted(first, used=True)) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/use")).body == b"used"
            assert closed.wait(20)
            assert connection.exchange(request("/public/it", method, b"")).body == b"/public/it"
        assert upstream.targets() == ["/public/use", "/public/it"]
        assert errors(doorward) == {}


def test_a_body_too_long_to_be_kept_is_not_sent_again(start):
    """Only what is held can be sent again whole."""
    body = b"x" * 100_000
    with Scripted(scripted(then(DEATHS["closed"]), used=True)) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/use")).body == b"used"
            assert connection.exchange(request("/public/it", "PUT", body)).status == 502
        assert upstream.targets().count("/public/it") == 1


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


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
def test_an_upstream_that_does_not_answer_in_time(used, start):
    done = threading.Event()
    with Scripted(scripted(then(lambda _: done.wait(20)), used=used)) as upstream:
        doorward = start(upstream.url, {"upstream": {"read_timeout": "300ms"}})
        with Connection(doorward.public) as connection:
            if used:
                assert connection.exchange(request("/public/use")).body == b"used"
            answer = connection.exchange(request("/public/it"))
        done.set()
        assert answer.status == 504 and b"Gateway Timeout" in answer.body
        assert upstream.targets().count("/public/it") == 1
        doorward.counts(1, "doorward_upstream_errors_total", reason="timeout")


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
            received = until_closed(connection)
        interim, final, body = received.split(b"\r\n\r\n", 2)
        assert interim.startswith(b"HTTP/1.1 103 ") and final.startswith(b"HTTP/1.1 200 ") and body == b"ok"
        for head in (interim, final):
            lower = head.lower()
            assert b"doorward" not in lower and b"stolen" not in lower, head
            assert b"set-cookie: own=1" in lower
        assert b"link: </style.css>" in interim.lower()
        assert b"x-hop" not in final.lower() and b"keep-alive: timeout" not in final.lower() and b"x-own: kept" in final.lower()


@pytest.fixture
def start_with_hosts(prepare, tmp_path):
    """Starts doorward where `api.test` is these addresses, and they alone."""

    def make(addresses, port, changes=None, name="doorward"):
        hosts = tmp_path / f"{name}.hosts"
        hosts.write_text("".join(f"{address} api.test\n" for address in addresses))
        namespaces = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
        mounted = 'mount --bind "$0" /etc/hosts && exec "$@"'
        doorward = prepare(f"http://api.test:{port}", changes, name=name)
        return doorward.start(prefix=["unshare", *namespaces, "sh", "-c", mounted, str(hosts)])

    return make


@pytest.mark.parametrize("alive", ["127.0.0.1", "127.0.0.2", "::1"])
def test_the_next_address_is_tried(alive, start_with_hosts):
    """Nothing was sent to the one that cannot be reached, so any method may be sent to the next."""
    with Scripted(good, host=alive) as upstream, ExitStack() as reserved:
        addresses = ["127.0.0.1", "127.0.0.2", "::1"]
        for dead in addresses:
            if dead != alive:
                # Bound, so that nobody else listens there; we do not either.
                family = socket.AF_INET6 if ":" in dead else socket.AF_INET
                reserved.enter_context(socket.socket(family)).bind((dead, upstream.port))
        doorward = start_with_hosts(addresses, upstream.port)
        for i in range(9):
            answer = exchange(doorward.public, request(f"/public/{i}", "POST", b"once"))
            assert (answer.status, answer.body) == (200, f"/public/{i}".encode())
        assert upstream.targets() == [f"/public/{i}" for i in range(9)]
        assert errors(doorward) == {}


def test_an_address_that_does_not_answer_is_asked_last(start_with_hosts):
    """Whoever met it waited for `connect_timeout`; those after it do not."""
    with Scripted(good) as upstream, ExitStack() as opened:
        silent = opened.enter_context(socket.socket())
        silent.bind(("127.0.0.2", upstream.port))
        silent.listen(0)
        # Until its queue is full: from then on the kernel drops who knocks.
        for _ in range(8):
            knocking = opened.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(("127.0.0.2", upstream.port))
        doorward = start_with_hosts(["127.0.0.2", "127.0.0.1"], upstream.port, {"upstream": {"connect_timeout": "1s"}})
        waited = 0
        for i in range(20):
            begin = time.monotonic()
            with Connection(doorward.public) as connection:
                assert connection.exchange(request(f"/public/{i}", "POST", b"")).status == 200
            waited += time.monotonic() - begin >= 0.9
        assert 1 <= waited <= 2, "every other one would have"
        assert len(upstream.received) == 20


def test_the_last_addresses_stay_over_a_reload(start_with_hosts, tmp_path):
    """With a resolver that fails from then on: whether connections are made in another way, or in the same."""
    with Scripted(good) as upstream:
        doorward = start_with_hosts(["127.0.0.1"], upstream.port)
        assert exchange(doorward.public, request("/public/a")).status == 200
        (tmp_path / "doorward.hosts").write_text("")
        for changes in ({"identity_headers": {"X-Who": "sub"}}, {"read_timeout": "30s"}):
            doorward.write(merge(doorward.settings, {"upstream": changes}))
            assert reloaded(doorward) == "ok"
            assert exchange(doorward.public, request("/public/b")).status == 200, changes


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


def test_a_refused_connection_is_answered_at_once(start):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        doorward = start(f"http://127.0.0.1:{reserved.getsockname()[1]}")
        answer = exchange(doorward.public, request("/public/a"))
    assert answer.status == 502
    doorward.counts(1, "doorward_upstream_errors_total", reason="connect")
    [told] = [line for line in doorward.output.lines if "the upstream failed" in line]
    assert "ConnectRefused: Connection refused" in told, told


def test_an_upstream_that_stops_first_is_excused(start):
    """In a pod it does: whoever comes while doorward drains is asked to come again."""
    with Scripted(good) as upstream:
        doorward = start(upstream.url, {"server": {"shutdown": {"lame_duck": "60s"}}})
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/a", "GET", b"")).status == 200
            upstream.stop()
            doorward.signal(signal.SIGTERM)
            until(lambda: doorward.probe("/readyz").status_code == 503, what="readyz 503")
            answer = connection.exchange(request("/public/b"))
        assert (answer.status, answer.header("retry-after"), answer.header("connection")) == (503, "5", "close")
        doorward.kill()


def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "api.sock"
    with Scripted(scripted(then(DEATHS["closed"]), used=True), path=path) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/use")).body == b"used"
            assert connection.exchange(request("/public/it")).body == b"/public/it", "sent again on another connection"


def test_a_unix_socket_where_nobody_listens(start, tmp_path):
    doorward = start(f"unix:{tmp_path}/none.sock")
    assert exchange(doorward.public, request("/public/a")).status == 502
    doorward.counts(1, "doorward_upstream_errors_total", reason="connect")
