"""A run at trace level with a canary in every secret place: none of them sings in a log, a metric or an error."""

import base64
import signal
import socket

import pytest
from conftest import settings_for
from sidecar import merge, password_hash
from wire import Connection, exchange, lines

GOOD_PASSWORD = "CANARYgoodpassword"
SHARED = "CANARYsharedsecretofthirtytwobytesandmore"
SERVER = "CANARYserverkeyofthirtytwobytesandmore"


class Canaries:
    """Hands out values to hide, and remembers every spelling in which they could show up."""

    def __init__(self):
        self.known = {}
        for place, value in [("user's password", GOOD_PASSWORD), ("HS256 secret", SHARED), ("server key", SERVER)]:
            self.add(place, value)

    def add(self, place, value):
        self.known[place] = {value, base64.b64encode(value.encode()).decode().rstrip("=")}
        return value

    def new(self, place):
        return self.add(place, f"CANARY{len(self.known):03}{place.title().replace(' ', '')}x{'7' * 12}")

    def assert_silent(self, where, text):
        for place, spellings in self.known.items():
            for spelling in spellings:
                at = text.find(spelling)
                assert at < 0, f"{place} in {where}: …{text[max(0, at - 200) : at + 80]}…"


def form(fields):
    return "&".join(f"{name}={value}" for name, value in fields.items())


def attempts(canaries, host):
    """(what, raw request) for every place in which a client may put a secret."""

    def head(first, *more):
        return [first, f"Host: {host}", *more]

    def post(path, body, *more, kind="application/x-www-form-urlencoded"):
        data = body.encode()
        return lines(*head(f"POST {path} HTTP/1.1", f"Content-Type: {kind}", f"Content-Length: {len(data)}", *more), body=data)

    def get(path, *more):
        return lines(*head(f"GET {path} HTTP/1.1", *more))

    new = canaries.new
    basic = base64.b64encode(f"web:{new('basic secret')}".encode()).decode()
    canaries.add("basic as sent", basic)
    login = {"username": "johndoe", "password": new("wrong password")}
    yield "wrong password", post("/token", form(login))
    yield "password of nobody", post("/token", form({"username": "nobody", "password": new("password of nobody")}))
    yield "basic secret", post("/token", form({"username": "johndoe", "password": "x"}), f"Authorization: Basic {basic}")
    yield "body secret", post("/token", form(login | {"client_id": "web", "client_secret": new("body secret")}))
    yield "password twice", post("/token", form(login) + f"&password={new('second password')}")
    yield "bad escape", post("/token", f"username=johndoe&password={new('escaped')}%zz")
    yield "wrong type", post("/token", f'{{"password": "{new("json password")}"}}', kind="application/json")
    yield "odd type", post("/token", new("text body"), kind=f"text/{new('content type')}")
    yield "password in query", post(f"/token?password={new('query password')}", form({"username": "johndoe"}))
    yield "bad scope", post("/token", form(login | {"scope": f'"{new("scope")}'}))
    yield "grant", post("/token", form({"grant_type": new("grant"), "code": new("code")}))
    yield "refresh token", post("/refresh-token", form({"refresh_token": "dwr_" + new("refresh token")}))
    yield "json refresh token", post("/refresh-token", f'{{"refresh_token": "{new("json refresh")}", x', kind="application/json")
    yield "refresh in query", post(f"/refresh-token?refresh_token={new('query refresh')}", "")
    yield "refresh in two places", post(f"/refresh-token?refresh_token={new('first of two')}", f"refresh_token={new('second of two')}")
    yield "revoke", post("/revoke-token", form({"token": new("revoked token")}))
    yield "revoke in query", post(f"/revoke-token?token={new('query token')}", "")
    yield "bearer", get("/users/me", f"Authorization: Bearer {new('bearer')}")
    yield "bearer of three parts", get("/users/me", f"Authorization: Bearer e30.{new('payload')}.{new('signature')}")
    yield "two credentials", get("/users/me", f"Authorization: Bearer {new('one')}", f"Authorization: Bearer {new('other')}")
    yield "another scheme", get("/users/me", f"Authorization: ApiKey {new('api key')}")
    yield "cookie", get("/users/me", f"Cookie: session={new('cookie')}")
    yield "query of a call", get(f"/public/news?access_token={new('query of a call')}&x={new('more query')}")
    yield "unreadable path", get(f"/items//x?token={new('ambiguous query')}")
    yield "body of a call", post("/public/news", new("body of a call"), kind="text/plain")
    yield "own header", get("/public/news", f"X-Api-Key: {new('own header')}")
    yield "token of nine KiB", get("/users/me", f"Authorization: Bearer {new('long token') * 250}")


def malformed(canaries, host):
    """Heads that no parser should take: what breaks them carries the secret."""
    new = canaries.new
    yield lines("GET /users/me HTTP/1.1", f"Host: {host}", f"Authorization : Bearer {new('blank before colon')}")
    yield lines("GET /users/me HTTP/1.1", f"Host: {host}", f"Authorization Bearer {new('no colon')}")
    yield lines("GET /users/me HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {new('nul byte')}\0")
    yield lines("GET /users/me HTTP/1.1", f"Host: {host}", "X-A: b", f" Bearer {new('folded')}")
    yield lines(f"GET /users/me?token={new('query of bad line')} with blanks HTTP/1.1", f"Host: {host}")
    yield lines(f"GET /users/me?token={new('bad version')} HTTP/9.9", f"Host: {host}")
    yield lines(f"G(T /users/me?token={new('bad method')} HTTP/1.1", f"Host: {host}")
    yield lines("GET /users/me HTTP/1.1", f"Authorization: Bearer {new('no host')}")
    yield lines("POST /token HTTP/1.1", f"Host: {host}", "Content-Length: 5", "Content-Length: 6", body=new("two lengths").encode())
    yield lines("POST /token HTTP/1.1", f"Host: {host}", "Transfer-Encoding: chunked", body=f"zz{new('bad chunk')}\r\n".encode())
    yield f"Bearer {new('no http at all')}\r\n\r\n".encode()
    many = [f"X-{number}: {new('many headers') if number == 150 else number}" for number in range(300)]
    yield lines("GET /users/me HTTP/1.1", f"Host: {host}", *many)


@pytest.mark.parametrize("form_of_log", ["text", "json"])
def test_no_canary_sings(form_of_log, shop, start):
    canaries = Canaries()
    users = [{"username": "johndoe", "password_hash": password_hash(GOOD_PASSWORD), "scopes": ["me", "items"]}]
    canaries.add("password hash", users[0]["password_hash"])
    changes = {
        "telemetry": {"log": "trace", "format": form_of_log},
        "server_keys": [SERVER],
        "tokens": {"keys": [{"algorithm": "HS256", "secret": SHARED}]},
    }
    doorward = start(shop.url, changes, users)
    errors = []

    session = doorward.login("johndoe", GOOD_PASSWORD)
    for name in ("access_token", "refresh_token"):
        canaries.add(f"issued {name}", session[name])
    canaries.add("signature", session["access_token"].rsplit(".")[-1])
    assert doorward.call("/users/me", session["access_token"]).status_code in (200, 418)
    rotated = doorward.refresh(session["refresh_token"]).json()
    canaries.add("rotated token", rotated["refresh_token"])
    doorward.revoke(session["access_token"])
    errors.append(doorward.call("/users/me", session["access_token"]).text)

    tried = 0
    for what, request in attempts(canaries, doorward.public):
        answer = exchange(doorward.public, request)
        assert answer.status < 500, what
        if answer.status >= 400:
            tried += 1
            errors.append(answer.body.decode("utf-8", "replace") + str(answer.headers))
    assert tried >= 22
    for request in malformed(canaries, doorward.public):
        with Connection(doorward.public) as connection:
            connection.send(request)
            connection.socket.shutdown(socket.SHUT_WR)
            answer = "".join(iter(lambda: received(connection.socket).decode("utf-8", "replace"), ""))
            errors.append(answer)

    broken = settings_for(shop.url)
    broken = merge(broken, changes) | {"server_keys": ["CANARYshort"], "surprise": canaries.new("unknown key")}
    broken["tokens"] = broken["tokens"] | {"keys": [{"algorithm": canaries.new("algorithm"), "secret": SHARED}]}
    canaries.add("short server key", "CANARYshort")
    doorward.write(broken)
    users[0]["password_hash"] = "$argon2id$" + canaries.new("broken hash")
    doorward.write_users(users)
    doorward.signal(signal.SIGHUP)
    doorward.output.wait_for(lambda line: "reloaded" in line)

    metrics = doorward.probe("/metrics").text
    readiness = doorward.probe("/readyz?verbose").text
    doorward.stop()
    assert len(doorward.output.lines) > 30, "trace level says something"
    canaries.assert_silent("the log", doorward.output.text)
    canaries.assert_silent("/metrics", metrics)
    canaries.assert_silent("/readyz", readiness)
    for body in errors:
        canaries.assert_silent("an error", body)
        assert not body.startswith("HTTP/1.1 5"), f"a malformed request is the client's fault: {body}"


def test_no_canary_sings_when_the_application_fails(start):
    """Pingora words its own errors about upstreams; they must not quote the request."""
    canaries = Canaries()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        doorward = start(f"http://127.0.0.1:{listener.getsockname()[1]}", {"telemetry": {"log": "trace"}})
        token = canaries.add("issued token", doorward.login()["access_token"])
        target = f"/users/me?token={canaries.new('query')}"
        half_answers = [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"nonsense\r\n\r\n"]
        for answer in half_answers:
            with Connection(doorward.public) as connection:
                connection.send(
                    lines(f"POST {target} HTTP/1.1", f"Host: {doorward.public}", f"Authorization: Bearer {token}", "Content-Length: 0")
                )
                upstream, _ = listener.accept()
                upstream.recv(65536)
                upstream.sendall(answer)
                upstream.close()
                refusal = connection.read()
                assert (refusal.status, refusal.header("WWW-Authenticate")) == (502, None)
                canaries.assert_silent("the error", refusal.body.decode())
    doorward.stop()
    canaries.assert_silent("the log", doorward.output.text)


def received(connection):
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""
