"""What is sent to the upstream again and what never, and what an upstream that does not answer costs its client."""

import signal
import threading

import pytest
from scripted import Scripted, good, scripted, then
from sidecar import until
from wire import Connection, exchange, request


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
            heads = connection.rest().split(b"\r\n\r\n")
        assert [head.split()[1] for head in heads[:2]] == [b"103", b"502"]
        assert upstream.targets().count("/public/it") == 1


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
        assert doorward.upstream_errors() == {}


def test_a_body_too_long_to_be_kept_is_not_sent_again(start):
    """Only what is held can be sent again whole."""
    body = b"x" * 100_000
    with Scripted(scripted(then(DEATHS["closed"]), used=True)) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/use")).body == b"used"
            assert connection.exchange(request("/public/it", "PUT", body)).status == 502
        assert upstream.targets().count("/public/it") == 1


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
