"""Behind real proxies: the client's address is the client's, and what a client says about itself is cut off.

Clients come from other addresses of the loopback network than the proxies, so that each hop can be told from the next.
"""

import http.client
import json
import socket

import pytest
from certificates import Authority
from front_proxies import haproxy, nginx
from recorders import Recorder
from wire import lines

CLIENT, PROXY, OTHER_PROXY, STRANGER = "127.0.0.2", "127.0.0.1", "127.0.0.5", "127.0.0.9"
PUBLIC_NAME = "api.example.test"

# As their manuals say it.
NGINX_LINES = [
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-Proto https;",
    "proxy_set_header X-Forwarded-Host $http_host;",
]
# `forwardfor` adds a field of its own behind what came.
HAPROXY_LINES = [
    "option forwardfor",
    "http-request set-header X-Forwarded-Proto https",
    "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
]
PROXIES = {"nginx": (nginx, NGINX_LINES), "HAProxy": (haproxy, HAPROXY_LINES)}

SPOOFS = {
    "nothing": [],
    "one address": ["X-Forwarded-For: 6.6.6.6"],
    "a chain": ["X-Forwarded-For: 6.6.6.6, 7.7.7.7, 127.0.0.1"],
    "fields": ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 127.0.0.1"],
    "the proxy itself": ["X-Forwarded-For: 127.0.0.1"],
    "nonsense": ["X-Forwarded-For: unknown, _hidden, 6.6.6.6:1234, ,"],
    "fifty hops": ["X-Forwarded-For: " + ", ".join(["6.6.6.6"] * 50)],
    "X-Real-IP": ["X-Real-IP: 6.6.6.6"],
    "other spellings": ["X_Forwarded_For: 6.6.6.6", "X.Forwarded.For: 6.6.6.6", "X_Real_IP: 6.6.6.6", "X_Forwarded_Proto: http"],
    "scheme and host": ["X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example"],
}


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    recorder = Recorder("uvicorn with httptools", tmp_path_factory.mktemp("application"))
    yield recorder
    recorder.stop()


@pytest.fixture
def doorward(application, start):
    """Starts one that trusts these peers."""

    def make(*trusted, **server):
        application.news()
        changes = {"server": {"trusted_proxies": list(trusted)} | server, "telemetry": {"format": "json"}, "policy": {"default": "public"}}
        return start(application.url, changes)

    return make


@pytest.fixture
def proxied(tmp_path):
    """Starts one of `PROXIES`."""
    running = []

    def make(name, upstream, source=None, lines=None):
        starts, usual = PROXIES[name]
        if name == "nginx" and "://" not in upstream:
            upstream = f"http://{upstream}"
        proxy = starts(tmp_path / f"{name}{len(running)}", upstream, usual if lines is None else lines, source)
        running.append(proxy)
        return proxy

    yield make
    for proxy in running:
        proxy.stop()


def ask(address, spoof=(), source=CLIENT, status=200):
    """A request from the address `source`."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=15, source_address=(source, 0)) as connection:
        connection.sendall(lines("GET /public/x HTTP/1.1", f"Host: {PUBLIC_NAME}", "Connection: close", *spoof))
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read()
    assert response.status == status, body
    assert status != 200 or json.loads(body) == {"route": "/public/**"}


def assert_seen(doorward, application, address, scheme, host=PUBLIC_NAME):
    """The application and the access log have this address, and nothing of what a client said."""
    [view] = application.news()
    for name in ("x-forwarded-for", "x-real-ip"):
        assert view.values(name) == [address], view
    assert view.values("x-forwarded-proto") == [scheme], view
    assert view.values("x-forwarded-host") == [host], view
    assert view.values("forwarded") == [] and view.values("host") == [PUBLIC_NAME], view
    # uvicorn believes what comes from loopback.
    assert view.client == address
    assert "6.6.6.6" not in str(view.headers) and "evil" not in str(view.headers)
    line = json.loads(doorward.output.wait_for(lambda line: line if '"access"' in line and "/public/x" in line else None))
    assert line["address"] == address, line


@pytest.mark.parametrize("spoof", SPOOFS)
@pytest.mark.parametrize("name", PROXIES)
def test_behind_a_trusted_proxy(name, spoof, application, doorward, proxied):
    gate = doorward(f"{PROXY}/32")
    ask(proxied(name, gate.public).address, SPOOFS[spoof])
    assert_seen(gate, application, CLIENT, "https")


@pytest.mark.parametrize(("name", "status"), [("nginx", 200), ("HAProxy", 400)])
def test_a_client_cannot_have_the_proxys_words_dropped(name, status, application, doorward, proxied):
    """nginx writes a `Connection` of its own; HAProxy passes on what the client's one names, and that is refused."""
    gate = doorward(f"{PROXY}/32")
    nomination = "Connection: X-Forwarded-For, X-Real-IP, X-Forwarded-Proto, X-Forwarded-Host"
    ask(proxied(name, gate.public).address, [nomination], status=status)
    if status == 200:
        assert_seen(gate, application, CLIENT, "https")
    else:
        assert application.news() == []


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_that_nobody_trusts_is_the_client(name, application, doorward, proxied):
    gate = doorward(f"{PROXY}/32")
    ask(proxied(name, gate.public, source=STRANGER).address, SPOOFS["a chain"])
    assert_seen(gate, application, STRANGER, "http")


def test_nobody_is_trusted_by_default(application, doorward, proxied):
    gate = doorward()
    ask(proxied("nginx", gate.public).address, SPOOFS["one address"])
    assert_seen(gate, application, PROXY, "http")


def test_past_the_proxy_a_client_is_who_it_is(application, doorward):
    gate = doorward(f"{PROXY}/32")
    ask(gate.public, ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Real-IP: 6.6.6.6"])
    assert_seen(gate, application, CLIENT, "http")


@pytest.mark.parametrize("outer", PROXIES)
@pytest.mark.parametrize("inner", PROXIES)
def test_two_proxies(outer, inner, application, doorward, proxied):
    gate = doorward(f"{PROXY}/32", f"{OTHER_PROXY}/32")
    first = proxied(outer, proxied(inner, gate.public).address, source=OTHER_PROXY)
    ask(first.address, SPOOFS["a chain"])
    assert_seen(gate, application, CLIENT, "https")


def test_of_two_proxies_one_is_trusted(application, doorward, proxied):
    """What the other one says of its client is worth nothing."""
    gate = doorward(f"{PROXY}/32")
    first = proxied("HAProxy", proxied("nginx", gate.public).address, source=OTHER_PROXY)
    ask(first.address, SPOOFS["one address"])
    assert_seen(gate, application, OTHER_PROXY, "https")


def test_a_network_of_proxies(application, doorward, proxied):
    gate = doorward("10.0.0.0/8", "127.0.0.0/31")
    ask(proxied("nginx", gate.public).address, SPOOFS["a chain"])
    assert_seen(gate, application, CLIENT, "https")


def test_only_forwarded(application, doorward, proxied):
    """RFC 7239, where the proxy speaks nothing else."""
    gate = doorward(f"{PROXY}/32")
    lines = ['proxy_set_header Forwarded "for=$remote_addr;proto=https";', "proxy_set_header X-Forwarded-For '';"]
    ask(proxied("nginx", gate.public, lines=lines).address, ["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"])
    [view] = application.news()
    assert (view.values("x-forwarded-for"), view.values("forwarded")) == ([CLIENT], []), view


def test_a_forwarded_that_slips_through_decides_nothing(application, doorward, proxied):
    """Proxies that know X-Forwarded-For alone let a client's `Forwarded` pass."""
    gate = doorward(f"{PROXY}/32")
    ask(proxied("nginx", gate.public).address, ["Forwarded: for=6.6.6.6;proto=http;host=evil.example"])
    [view] = application.news()
    assert (view.values("x-forwarded-for"), view.values("forwarded")) == ([CLIENT], []), view
    assert "6.6.6.6" not in str(view.headers)


def test_only_x_real_ip(application, doorward, proxied):
    gate = doorward(f"{PROXY}/32")
    lines = ["proxy_set_header X-Real-IP $remote_addr;", "proxy_set_header X-Forwarded-For '';"]
    ask(proxied("nginx", gate.public, lines=lines).address, ["X-Real-IP: 6.6.6.6"])
    [view] = application.news()
    assert (view.values("x-forwarded-for"), view.values("x-real-ip")) == ([CLIENT], [CLIENT]), view


@pytest.mark.parametrize(("trusted", "address", "scheme"), [(["unix"], CLIENT, "https"), ([f"{PROXY}/32"], None, "http")])
def test_over_a_unix_socket(trusted, address, scheme, application, doorward, proxied, tmp_path):
    """A Unix socket's peer has no address: it is trusted if the word `unix` says so."""
    path = tmp_path / "public.sock"
    gate = doorward(*trusted, listen=["127.0.0.1:0", f"unix:{path}"])
    ask(proxied("nginx", f"http://unix:{path}:").address, SPOOFS["a chain"])
    if address:
        assert_seen(gate, application, address, scheme)
        return
    [view] = application.news()
    assert (view.values("x-forwarded-for"), view.values("x-real-ip"), view.values("x-forwarded-proto")) == ([], [], [scheme]), view


def test_over_tls(application, doorward, proxied, tmp_path):
    """nginx checks doorward's certificate, and speaks for its clients over TLS."""
    authority = Authority(tmp_path)
    gate = doorward(f"{PROXY}/32", tls=authority.issue("doorward", names=["doorward.test"]).files())
    checks = [
        f"proxy_ssl_trusted_certificate {authority.file};",
        "proxy_ssl_verify on;",
        "proxy_ssl_name doorward.test;",
        "proxy_ssl_server_name on;",
    ]
    ask(proxied("nginx", f"https://{gate.public}", lines=[*NGINX_LINES, *checks]).address, SPOOFS["a chain"])
    assert_seen(gate, application, CLIENT, "https")
