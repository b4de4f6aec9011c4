"""Where the keys of other issuers are fetched from, and where they are not."""

import contextlib
import json
import socket
import threading
import time

import pytest
from certificates import Authority
from cryptography.hazmat.primitives.asymmetric import ec
from provider import KeyServer, claims, public_jwk, sign, trusting
from scripted import Scripted, good
from sidecar import until
from wire import Connection, lines

KEY = ec.generate_private_key(ec.SECP256R1())
JWK = public_jwk(KEY, "ES256", "one")
# A name that no server of names knows: who reaches it has asked the proxy.
NOWHERE = "idp.example.test"


@pytest.fixture
def upstream():
    with Scripted(good) as upstream:
        yield upstream


def settled(doorward):
    """Once the first fetch has ended, well or badly: which."""
    return until(lambda: fetches(doorward), what="the end of the first fetch")[0]


def fetches(doorward):
    return [s.labels["result"] for s in doorward.samples() if s.name == "doorward_jwks_refresh_total" and s.value]


def assert_fetched(doorward, issuer, upstream):
    assert settled(doorward) == "ok", doorward.output.text
    answer = doorward.call("/items/1", sign(KEY, "ES256", "one", claims(issuer, time.time())))
    assert answer.status_code == 200, answer.text
    assert len(upstream.received) == 1


def assert_not_fetched(doorward, issuer, upstream):
    """503, and not 401: nobody can say whether the token is good. `/readyz` and the log name the issuer."""
    assert settled(doorward) != "ok"
    answer = doorward.call("/items/1", sign(KEY, "ES256", "one", claims(issuer, time.time())))
    assert (answer.status_code, answer.json()["reason"]) == (503, "keys-unavailable")
    assert answer.headers["Retry-After"]
    assert upstream.received == []
    ready = doorward.probe("/readyz")
    assert ready.status_code == 200 and ready.text.startswith("degraded: ") and issuer in ready.text, ready.text
    doorward.output.wait_for(lambda line: issuer in line and "WARN" in line)


def test_discovery(upstream, start):
    """The keys may be on another host of loopback, if the issuer is on loopback itself."""
    with KeyServer([JWK]) as issuer, KeyServer([JWK], host="127.0.0.2") as keys:
        issuer.paths["/jwks"] = {"keys": []}
        issuer.discovery(jwks_uri=f"{keys.url}/jwks")
        assert_fetched(start(upstream.url, {"trusted_issuers": [trusting(issuer.url)]}), issuer.url, upstream)
        assert issuer.targets() == ["/.well-known/openid-configuration"]
        assert keys.targets() == ["/jwks"]


def test_what_discovery_must_not_say(upstream, start):
    with KeyServer([JWK]) as issuer, KeyServer([JWK]) as other:
        documents = [
            {"issuer": f"{issuer.url}/"},
            {"issuer": other.url},
            {"jwks_uri": "file:///etc/passwd"},
            {"jwks_uri": f"http://{NOWHERE}/jwks"},
        ]
        for number, document in enumerate(documents):
            issuer.discovery(**document)
            doorward = start(upstream.url, {"trusted_issuers": [trusting(issuer.url)]}, name=f"doorward{number}")
            assert_not_fetched(doorward, issuer.url, upstream)
        assert "/jwks" not in issuer.targets()
        assert other.received == []


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_redirects_are_not_followed(status, upstream, start):
    """Attack K02: whoever can redirect would choose the keys."""
    with KeyServer([JWK]) as elsewhere, KeyServer() as issuer:
        issuer.paths["/jwks"] = (b"", f"Location: {elsewhere.url}/jwks"), {"status": status}
        doorward = start(upstream.url, {"trusted_issuers": [trusting(issuer.url, jwks_url=f"{issuer.url}/jwks")]})
        assert_not_fetched(doorward, issuer.url, upstream)
        assert issuer.targets() == ["/jwks"] and elsewhere.received == []


# What stands at the issuer's JWKS address, and why it is no key set.
UNUSABLE = {
    "no keys": {"keys": []},
    "keys for other uses alone": {"keys": [JWK | {"use": "enc"}]},
    "an algorithm that is not the curve's": {"keys": [JWK | {"alg": "ES384"}]},
    "too many keys": {"keys": [JWK | {"kid": str(number)} for number in range(101)]},
    "a page": ((b"<html>down for maintenance</html>", "Content-Type: text/html"), {}),
    "too long": {"keys": [JWK], "more": "m" * (512 << 10)},
    "an error with keys in it": ((json.dumps({"keys": [JWK]}).encode(),), {"status": "500 Internal Server Error"}),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_key_set_is_a_failed_fetch(case, upstream, start):
    """Attack K04."""
    with KeyServer(paths={"/jwks": UNUSABLE[case]}) as issuer:
        doorward = start(upstream.url, {"trusted_issuers": [trusting(issuer.url, jwks_url=f"{issuer.url}/jwks")]})
        assert_not_fetched(doorward, issuer.url, upstream)


@pytest.mark.parametrize("trusted", [True, False])
def test_ca_file(trusted, upstream, start, tmp_path):
    """TLS by an authority that only the entry of this issuer names; another's does not do."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    tls = authority.issue("idp").server_context()
    with KeyServer([JWK], tls=tls) as issuer:
        issuer.discovery()
        entry = trusting(issuer.url, ca_file=str(authority.file if trusted else other.file))
        doorward = start(upstream.url, {"trusted_issuers": [entry]})
        (assert_fetched if trusted else assert_not_fetched)(doorward, issuer.url, upstream)
        assert bool(issuer.received) == trusted


class Proxy(Scripted):
    """A forward proxy that takes every name for the server `to`; `received` has what was asked of it."""

    def __init__(self, to):
        super().__init__(self._forward)
        self.to = ("127.0.0.1", to.port)

    def _forward(self, peer):
        while request := peer.read():
            if request.method == "CONNECT":
                self._tunnel(peer)
                return
            with Connection("{}:{}".format(*self.to)) as server:
                path = request.target.removeprefix(f"http://{NOWHERE}")
                peer.answer(server.exchange(lines(f"GET {path} HTTP/1.1", f"Host: {NOWHERE}")).body)

    def _tunnel(self, peer):
        with socket.create_connection(self.to) as server:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=pipe, args=(server, peer.socket), daemon=True).start()
            pipe(peer.socket, server)


def pipe(source, target):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("variable", "asked"), [("HTTPS_PROXY", f"CONNECT {NOWHERE}:443"), ("https_proxy", f"CONNECT {NOWHERE}:443"), ("http_proxy", None)]
)
def test_proxy_of_the_environment(variable, asked, upstream, prepare, tmp_path):
    """The name is the proxy's to resolve; https goes through it unread."""
    scheme = "https" if asked else "http"
    authority = Authority(tmp_path)
    tls = authority.issue("idp", names=[NOWHERE]).server_context() if asked else None
    with KeyServer([JWK], tls=tls) as server, Proxy(server) as proxy:
        issuer = f"{scheme}://{NOWHERE}"
        server.discovery(issuer=issuer, jwks_uri=f"{issuer}/jwks")
        changes = {"trusted_issuers": [trusting(issuer, **({"ca_file": str(authority.file)} if asked else {}))]}
        if not asked:
            changes["insecure"] = {"http_issuers": True}
        doorward = prepare(upstream.url, changes).start(environment={variable: proxy.url})
        assert_fetched(doorward, issuer, upstream)
        assert server.targets() == ["/.well-known/openid-configuration", "/jwks"]
        heads = {request.head.split(b" HTTP/")[0].decode() for request in proxy.received}
        assert heads == ({asked} if asked else {f"GET {issuer}/.well-known/openid-configuration", f"GET {issuer}/jwks"})
