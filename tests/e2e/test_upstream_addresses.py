"""Where the upstream is: several addresses under one name, some of them dead, and Unix sockets."""

import socket
import time
from contextlib import ExitStack

import children
import pytest
from scripted import Scripted, good, scripted, then
from sidecar import merge
from test_reload import reloaded
from wire import Connection, exchange, request


@pytest.fixture
def start_with_hosts(prepare, tmp_path):
    """Starts doorward where `api.test` is these addresses, and they alone."""

    def make(addresses, port, changes=None, name="doorward"):
        hosts = tmp_path / f"{name}.hosts"
        hosts.write_text("".join(f"{address} api.test\n" for address in addresses))
        mounted = 'mount --bind "$0" /etc/hosts && exec "$@"'
        doorward = prepare(f"http://api.test:{port}", changes, name=name)
        return doorward.start(prefix=[*children.unshare("--mount"), "sh", "-c", mounted, str(hosts)])

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
        assert doorward.upstream_errors() == {}


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


def test_a_refused_connection_is_answered_at_once(start):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        doorward = start(f"http://127.0.0.1:{reserved.getsockname()[1]}")
        answer = exchange(doorward.public, request("/public/a"))
    assert answer.status == 502
    doorward.counts(1, "doorward_upstream_errors_total", reason="connect")
    [told] = doorward.output.told("the upstream failed")
    assert "ConnectRefused: Connection refused" in told, told


def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "api.sock"
    with Scripted(scripted(then(lambda peer: peer.close()), used=True), path=path) as upstream:
        doorward = start(upstream.url)
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/use")).body == b"used"
            assert connection.exchange(request("/public/it")).body == b"/public/it", "sent again on another connection"


def test_a_unix_socket_where_nobody_listens(start, tmp_path):
    doorward = start(f"unix:{tmp_path}/none.sock")
    assert exchange(doorward.public, request("/public/a")).status == 502
    doorward.counts(1, "doorward_upstream_errors_total", reason="connect")
