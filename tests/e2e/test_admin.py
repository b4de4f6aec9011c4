"""The admin listener, and starting while the application is not there yet."""

import json
import socket
import threading

import jwt
import pytest
from sidecar import bound_addresses, until

PROBES = ["/livez", "/readyz", "/startupz", "/healthz"]


def test_probes(shop, start):
    doorward = start(shop.url)
    for path in PROBES:
        for suffix in ("", "?verbose"):
            answer = doorward.probe(path + suffix)
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert answer.headers["Cache-Control"] == "no-store"
    assert len(doorward.probe("/readyz?verbose").text) > len(doorward.probe("/readyz").text)
    metrics = doorward.probe("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert doorward.probe("/nothing").status_code == 404
    assert doorward.session.post(f"http://{doorward.admin}/livez").status_code == 405
    assert shop.seen() == [], "a probe asks nobody else"


def test_nothing_of_it_on_the_public_listener(shop, start):
    doorward = start(shop.url)
    token = doorward.login()["access_token"]
    for path in [*PROBES, "/metrics"]:
        assert doorward.call(path).json()["reason"] == "no-credential"
        answer = doorward.call(path, token)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"}), "the application's own answer"
        assert len(shop.seen(path)) == 1
        assert "doorward_" not in answer.text
    assert doorward.probe("/users/me").status_code == 404, "and nothing of the application on the admin listener"
    login = doorward.session.post(f"http://{doorward.admin}/token", data={"username": "johndoe", "password": "secret"})
    assert login.status_code == 405 and "access_token" not in login.text


def test_application_comes_later(start):
    """Case 172: probes do not wait for the application, since a sidecar's application starts after it."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        doorward = start(f"http://127.0.0.1:{reserved.getsockname()[1]}")
        assert [doorward.probe(path).status_code for path in ("/startupz", "/livez", "/readyz")] == [200, 200, 200]
        token = doorward.login()["access_token"]
        answer = doorward.call("/users/me", token)
        assert (answer.status_code, answer.json()["detail"]) == (502, "Bad Gateway")
        assert "WWW-Authenticate" not in answer.headers
        assert doorward.call("/users/me").status_code == 401, "who may not pass hears so, whatever is behind"
        doorward.counts(1, "doorward_upstream_errors_total")
        reserved.listen()
        reserved.settimeout(10)
        with ServeOnce(reserved, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"):
            assert doorward.call("/users/me", token).json() == {}


class ServeOnce:
    """Answers the first request on a listening socket with these bytes."""

    def __init__(self, listener, answer):
        self.thread = threading.Thread(target=self.run, args=(listener, answer))

    def run(self, listener, answer):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.thread.join(10)


def test_access_log_and_audit_in_json(shop, start):
    doorward = start(shop.url, {"telemetry": {"format": "json"}})
    session = doorward.login(scope="me")
    claims = jwt.decode(session["access_token"], options={"verify_signature": False})
    doorward.call("/users/me?secret=no", session["access_token"], headers={"X-Request-Id": "from-the-client"})
    doorward.call("/users/me")
    doorward.refresh(session["refresh_token"])
    doorward.revoke(session["access_token"])
    doorward.post("/token", {"username": "johndoe", "password": "wrong"})
    doorward.stop()

    for line in doorward.output.lines:
        assert isinstance(json.loads(line), dict), "every line is JSON"
    [served] = doorward.records(path="/users/me", status=200)
    assert (served["decision"], served["subject"], served["method"], served["route"]) == ("allow", "johndoe", "GET", "/users/me")
    assert served["id"] == "from-the-client"
    assert served["duration_ms"] >= 0
    [denied] = doorward.records(path="/users/me", status=401)
    assert (denied["decision"], denied["reason"]) == ("deny", "no-credential")
    assert "subject" not in denied
    [issued] = doorward.records(audit="issued")
    assert (issued["grant"], issued["subject"], issued["scope"]) == ("password", "johndoe", "me")
    assert (issued["jti"], issued["sid"]) == (claims["jti"], claims["sid"])
    assert len(doorward.records(audit="refreshed", subject="johndoe")) == 1
    [revoked] = doorward.records(audit="revoked")
    assert revoked["jti"] == claims["jti"]
    assert len(doorward.records(audit="refused", what="login")) == 1
    assert "secret=no" not in doorward.output.text


@pytest.mark.parametrize("form", ["text", "json"])
def test_one_line_says_where_it_listens(form, shop, start):
    doorward = start(shop.url, {"telemetry": {"format": form}})
    assert len([line for line in doorward.output.lines if bound_addresses(line)]) == 1
    assert doorward.public != doorward.admin
    assert not doorward.public.endswith(":0")


def test_generated_key_stays(shop, start):
    """No key configured: one is made in data_dir, readable by its owner alone, and used again after a restart."""
    doorward = start(shop.url, {"tokens": {"keys": []}})
    token = doorward.login()["access_token"]
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    data = doorward.directory / "data"
    assert data.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in data.glob("*.pem")] == [0o600]
    doorward.stop()
    doorward.start()
    assert doorward.call("/users/me", token).status_code == 200
    again = doorward.login()["access_token"]
    assert jwt.get_unverified_header(again)["kid"] == jwt.get_unverified_header(token)["kid"]


def test_memory_store_forgets_and_says_so(shop, start):
    doorward = start(shop.url, {"store": "memory"})
    session = doorward.login()
    doorward.revoke(session["access_token"])
    assert doorward.call("/users/me", session["access_token"]).json()["reason"] == "revoked"
    assert any("memory" in line and "WARN" in line.upper() for line in doorward.output.lines)
    doorward.stop()
    doorward.start()
    assert doorward.call("/users/me", session["access_token"]).status_code == 200
    until(lambda: doorward.metric("doorward_denylist_entries") == 0)


PASSWORDS = "RFC 9700 §2.4 advises against"


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, True),
        ({"clients": [{"id": "web"}]}, True),
        ({"clients": [{"id": "web", "grants": ["refresh_token"]}]}, False),
        ({"endpoints": {"token": None}}, False),
    ],
)
def test_taking_passwords_is_warned_of_at_the_start(changes, warned, shop, start):
    doorward = start(shop.url, changes)
    assert any(PASSWORDS in line and "WARN" in line.upper() for line in doorward.output.lines) == warned
