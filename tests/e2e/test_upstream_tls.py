"""TLS and HTTP/2 to the upstream: who it is, is always verified, and nothing is sent to anybody else."""

import threading

import pytest
from certificates import Authority
from h2.errors import ErrorCodes
from scripted import Scripted, good
from scripted_h2 import speaks_h2
from sidecar import merge
from test_reload import reloaded
from wire import Connection, exchange, request


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def trusts(authority, **more):
    return {"upstream": {"tls": {"ca_file": str(authority.file)} | more}}


def get(doorward, target="/public/a", method="GET"):
    return exchange(doorward.public, request(target, method))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_host_of_the_url_is_verified(host, authority, start):
    """By its name, or by its address, which certificates can be for too."""
    context = authority.issue("api", names=[host]).server_context()
    with Scripted(good, tls=context) as upstream:
        doorward = start(f"https://{host}:{upstream.port}", trusts(authority))
        with Connection(doorward.public) as connection:
            for i in range(3):
                assert connection.exchange(request(f"/public/{i}")).body == f"/public/{i}".encode()
        assert upstream.connections == 1, "it is kept, as without TLS"


def test_the_server_name_is_sent_and_verified(authority, start):
    context = authority.issue("api", names=["api.internal"]).server_context()
    names = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with Scripted(good, tls=context) as upstream:
        doorward = start(upstream.url, trusts(authority, server_name="api.internal"))
        assert get(doorward).status == 200
    assert names == ["api.internal"]


@pytest.mark.parametrize("case", ["another name", "another address", "expired", "another CA", "self-signed", "no TLS"])
def test_nothing_is_sent_to_somebody_else(case, authority, start, tmp_path):
    issued = {
        "another name": lambda: authority.issue("api", names=["localhost", "other.internal"]),
        "another address": lambda: authority.issue("api", names=["127.0.0.2"]),
        "expired": lambda: authority.issue("api", expired=True),
        "another CA": lambda: Authority(tmp_path, "other").issue("api"),
        "self-signed": lambda: authority.issue("api", self_signed=True),
        "no TLS": lambda: None,
    }[case]()

    def plain(peer):
        peer.socket.recv(1)
        peer.answer(b"", status="400 Bad Request")

    context = issued.server_context() if issued else None
    with Scripted(good if issued else plain, tls=context) as upstream:
        doorward = start(f"https://127.0.0.1:{upstream.port}", trusts(authority))
        for method in ("GET", "POST"):
            answer = get(doorward, method=method)
            assert answer.status == 502 and b"Bad Gateway" in answer.body
        doorward.counts(2, "doorward_upstream_errors_total", reason="tls")
        cause = {
            "another name": "certificate not valid for name",
            "another address": "certificate not valid for name",
            "expired": "certificate expired",
            "another CA": "UnknownIssuer",
            "self-signed": "",
            "no TLS": "received corrupt message",
        }[case]
        told = doorward.output.told("the upstream failed")
        assert "WARN" in told[0] and "failure=tls" in told[0] and f"127.0.0.1:{upstream.port}" in told[0] and cause in told[0], told
        assert "TLSHandshakeFailure: " in told[0] and "other.internal" not in told[0] and "127.0.0.2" not in told[0], told
        assert upstream.received == []
        assert upstream.connections == 2, "not tried again: it would be as wrong the second time"


@pytest.mark.parametrize("trusted", [True, False])
def test_without_a_file_those_are_trusted_whom_the_system_trusts(trusted, authority, prepare, tmp_path):
    other = Authority(tmp_path, "other")
    with Scripted(good, tls=authority.issue("api").server_context()) as upstream:
        doorward = prepare(upstream.url)
        doorward.start(environment={"SSL_CERT_FILE": str(authority.file if trusted else other.file)})
        assert get(doorward).status == (200 if trusted else 502)


def test_a_broken_store_of_the_system_concerns_nobody_without_tls(prepare, tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with Scripted(good) as upstream:
        doorward = prepare(upstream.url)
        doorward.start(environment={"SSL_CERT_FILE": str(broken)})
        assert get(doorward).status == 200


@pytest.mark.parametrize("shown", ["right", "none", "another CA's"])
def test_an_upstream_that_asks_for_our_certificate(shown, authority, start, tmp_path):
    clients = Authority(tmp_path, "clients")
    own = {
        "right": lambda: clients.issue("doorward").files(),
        "none": dict,
        "another CA's": lambda: Authority(tmp_path, "other").issue("doorward").files(),
    }[shown]()
    context = authority.issue("api").server_context(client_ca=clients)
    with Scripted(good, tls=context) as upstream:
        doorward = start(upstream.url, trusts(authority, **own))
        assert get(doorward).status == (200 if shown == "right" else 502)
        if shown != "right":
            assert upstream.received == []
            doorward.counts(1, "doorward_upstream_errors_total", reason="tls")


def test_a_new_ca_holds_for_connections_that_are_open(authority, start, tmp_path):
    """They were made under the old one, and are used no more."""
    other = Authority(tmp_path, "other")
    with Scripted(good, tls=authority.issue("api").server_context()) as upstream:
        doorward = start(upstream.url, trusts(authority) | {"upstream": {"idle_timeout": "60s"} | trusts(authority)["upstream"]})
        with Connection(doorward.public) as connection:
            assert connection.exchange(request("/public/a")).status == 200
            doorward.write(merge(doorward.settings, trusts(other)))
            assert reloaded(doorward) == "ok"
            assert connection.exchange(request("/public/b")).status == 502
        assert upstream.targets() == ["/public/a"]


@pytest.fixture(params=["tls", "plain"])
def start_h2(request, authority, start):
    """Starts doorward before an upstream that speaks HTTP/2 and answers with `act`."""
    opened = []

    def make(act):
        context = authority.issue("api").server_context(alpn=["h2"]) if request.param == "tls" else None
        upstream = Scripted(speaks_h2(act), tls=context)
        opened.append(upstream)
        changes = {"upstream": {"http2": True} | (trusts(authority)["upstream"] if context else {})}
        return upstream, start(upstream.url, changes)

    yield make
    for upstream in opened:
        upstream.__exit__()


def test_http2_to_the_upstream(start_h2):
    """One connection carries many requests, at once too.

    Each is sent when the one before has arrived: a request that looks for a connection in the instant in which another one
    takes its stream finds none free, and opens one (Pingora's choice: `reused_http_session` takes the connection out for it).
    """
    held = []

    def act(stream):
        if not stream.target.startswith("/public/held"):
            return stream.answer(stream.body or stream.target.encode())
        held.append(stream)
        if len(held) == 8:
            for one in held:
                one.answer(one.target.encode())

    upstream, doorward = start_h2(act)
    assert get(doorward).body == b"/public/a"
    assert exchange(doorward.public, request("/public/b", "POST", b"body")).body == b"body"

    answers = {}

    def ask(i):
        answers[i] = get(doorward, f"/public/held{i}").body

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for i, thread in enumerate(threads):
        thread.start()
        upstream.wait_for(lambda upstream, i=i: len(upstream.received) == 3 + i)
    for thread in threads:
        thread.join(20)
    assert answers == {i: f"/public/held{i}".encode() for i in range(8)}
    assert upstream.connections == 1
    sent = upstream.received[0].headers
    assert sent[":scheme"] in ("http", "https") and "host" not in sent and sent[":authority"] == "api.example.test"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("end", ["internal error", "refused", "going away"])
def test_a_stream_that_ends_without_an_answer(end, method, start_h2):
    """Sent again only if the upstream says that it has not begun, and the method could not do harm even then."""
    seen = []

    def act(stream):
        seen.append(stream.target)
        if seen.count("/public/it") != 1 or stream.target != "/public/it":
            stream.answer(stream.target.encode())
        elif end == "internal error":
            stream.refuse(ErrorCodes.INTERNAL_ERROR)
        elif end == "refused":
            stream.refuse(ErrorCodes.REFUSED_STREAM)
        else:
            stream.leave()

    upstream, doorward = start_h2(act)
    assert get(doorward, "/public/use").status == 200
    again = method == "GET" and end != "internal error"
    assert get(doorward, "/public/it", method).status == (200 if again else 502)
    assert upstream.targets().count("/public/it") == (2 if again else 1)
    assert get(doorward, "/public/next").body == b"/public/next"


def test_no_websocket_over_http2(start_h2):
    """Upstream it would be a plain GET. Who may not ask is told that first."""
    upstream, doorward = start_h2(lambda stream: stream.answer(b"ok"))
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=="]
    answer = exchange(doorward.public, request("/public/ws", "GET", b"", *upgrade))
    assert (answer.status, answer.body) == (501, b'{"detail":"Not Implemented"}')
    assert exchange(doorward.public, request("/items", "GET", b"", *upgrade)).status == 401
    assert upstream.received == []
    assert get(doorward).status == 200
