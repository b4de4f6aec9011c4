"""The main job: an application without authentication, and every client's login → call → refresh → revoke → refused."""

import json
import time

import jwt
import pytest
from clients import DRIVERS
from conftest import ISSUER, SHARED_SECRET
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sidecar import plain_session

MEMBERS = {"access_token", "token_type", "expires_in", "refresh_token", "scope"}


@pytest.fixture(params=["HS256", "ES256"])
def signed(request, tmp_path):
    """(algorithm, `tokens` settings, key to verify with)."""
    if request.param == "HS256":
        return "HS256", {}, SHARED_SECRET
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "signing.pem"
    file.touch(0o600)
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return "ES256", {"tokens": {"keys": [{"file": str(file)}]}}, key.public_key()


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.__name__)
def test_login_call_refresh_revoke_refused(driver, signed, shop, start):
    algorithm, changes, verifying = signed
    doorward = start(shop.url, changes)
    client = driver(f"http://{doorward.public}")

    def claims_of(token):
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        assert jwt.get_unverified_header(token)["typ"] == "JWT"
        return jwt.decode(token, verifying, algorithms=[algorithm], issuer=ISSUER)

    before = int(time.time())
    first = client.login("johndoe", "secret", "me items")
    assert MEMBERS <= first.keys() <= MEMBERS | {"expires_at"}, "Authlib and oauthlib add expires_at themselves"
    assert first["token_type"] == "bearer"
    assert first["expires_in"] == 900 and isinstance(first["expires_in"], int)
    assert scopes(first["scope"]) == {"me", "items"}
    assert first["refresh_token"].startswith("dwr_")
    claims = claims_of(first["access_token"])
    assert claims["sub"] == "johndoe"
    assert claims["iss"] == ISSUER
    assert scopes(claims["scope"]) == {"me", "items"}
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] - claims["iat"] == 900
    assert claims["email"] == "johndoe@example.com"
    assert claims["roles"] == ["staff", "a,b"]
    assert "aud" not in claims and None not in claims.values()

    status, headers, body = client.call("/users/me", first["access_token"])
    assert status == 200 and "www-authenticate" not in headers
    assert json.loads(body) == {"username": "johndoe", "full_name": "John Doe", "email": "johndoe@example.com"}
    [seen] = shop.seen("/users/me")
    assert seen.header("Authorization").split(" ", 1) == [seen.header("Authorization")[:6], first["access_token"]]
    assert seen.header("X-Forwarded-User") == "johndoe"
    assert seen.header("X-Forwarded-Email") == "johndoe@example.com"
    assert seen.header("X-Forwarded-Groups") == "staff,a%2Cb", "a comma inside a value is not a separator"
    assert scopes(seen.header("X-Doorward-Scopes")) == {"me", "items"}
    assert seen.header("X-Doorward-Issuer") == ISSUER
    assert seen.header("Host") == doorward.public
    assert seen.header("X-Forwarded-For") == "127.0.0.1"
    assert (seen.header("X-Forwarded-Proto"), seen.header("X-Forwarded-Host")) == ("http", doorward.public)

    second = client.refresh(first["refresh_token"])
    assert MEMBERS <= second.keys() <= MEMBERS | {"expires_at"}
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["token_type"], second["expires_in"], scopes(second["scope"])) == ("bearer", 900, {"me", "items"})
    renewed = claims_of(second["access_token"])
    assert (renewed["sub"], renewed["sid"]) == ("johndoe", claims["sid"]), "the same session"
    assert renewed["jti"] != claims["jti"]
    assert client.call("/items/plumbus", second["access_token"])[0] == 200
    assert [seen.header("X-Forwarded-User") for seen in shop.seen("/items/plumbus")] == ["johndoe"]

    assert client.revoke(second["refresh_token"]) == (200, {"message": "Token revoked"})
    shop.forget()
    for token in (first["access_token"], second["access_token"]):
        status, headers, body = client.call("/users/me", token)
        assert status == 401
        assert headers["www-authenticate"].startswith('Bearer realm="doorward", error="invalid_token"')
        assert "revoked" in headers["www-authenticate"]
        refusal = json.loads(body)
        assert (refusal["detail"], refusal["error"]) == ("Could not validate credentials", "invalid_token")
        assert refusal["reason"] == "revoked"
    assert shop.seen() == [], "a refused call does not reach the application"
    for token in (first["refresh_token"], second["refresh_token"]):
        answer = doorward.refresh(token)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


REFUSALS = [
    ("no token", "GET", "/users/me", None, 401, "no-credential", "Not authenticated"),
    ("garbage", "GET", "/users/me", "null", 401, "malformed-token", "Could not validate credentials"),
    ("a scope too few", "POST", "/items", "erin", 403, "insufficient-scope", "Not enough permissions"),
    ("none of any_scope", "GET", "/admin/stats", "johndoe", 403, "insufficient-scope", "Not enough permissions"),
    ("an encoded letter", "GET", "/adm%69n/stats", "johndoe", 403, "insufficient-scope", "Not enough permissions"),
    ("closed to all", "GET", "/closed/x", "johndoe", 403, "route-denied", "Forbidden"),
    ("method of no route", "DELETE", "/items", "johndoe", 405, "method-not-allowed", "Method Not Allowed"),
    ("bad token, open door", "GET", "/optional/news", "null", 401, "malformed-token", "Could not validate credentials"),
    ("two meanings", "GET", "/items/a%2Fb", "johndoe", 400, "ambiguous-path", None),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case[0])
def test_refused_call_is_not_seen_by_the_application(case, shop, start):
    _, method, path, who, status, reason, detail = case
    doorward = start(shop.url)
    token = doorward.login(who)["access_token"] if who in ("johndoe", "erin") else who
    answer = doorward.call(path, token, method)
    body = answer.json()
    assert (answer.status_code, body["reason"]) == (status, reason)
    if detail:
        assert body["detail"] == detail
    if status in (401, 403):
        assert answer.headers["Cache-Control"] == "no-store"
    if status == 405:
        assert set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    if reason == "no-credential":
        metadata = doorward.url("/.well-known/oauth-protected-resource")
        assert answer.headers["WWW-Authenticate"] == f'Bearer realm="doorward", scope="me", resource_metadata="{metadata}"'
    if reason == "insufficient-scope" and method == "POST":
        assert scopes(body["scope"]) == {"items", "items:write"}
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert shop.seen() == []
    doorward.counts(1, "doorward_decisions_total", decision="deny", reason=reason)


def test_bytes_arrive_as_they_were_sent(shop, start):
    doorward = start(shop.url)
    token = doorward.login()["access_token"]
    targets = ["/items/%C3%A9%20b?q=1%2B2&q=&x=%c3%a9&access_token=mine", "/items/pl%75mbus?a=b?c=/../d", "/items/plumbus?"]
    for target in targets:
        path, _, query = target.partition("?")
        shop.forget()
        status, _, body = DRIVERS[0](f"http://{doorward.public}").call(target, token)
        assert status == 200
        [seen] = shop.seen()
        assert (seen.path, seen.query) == (path, query)
        assert json.loads(body)["query"] == query
    payload = bytes(range(256)) * 300
    answer = doorward.call("/echo", token, "POST", {"Content-Type": "application/x-own; a=b"}, data=payload)
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, payload, "application/x-own; a=b")


def test_nobody_speaks_for_another(shop, start):
    doorward = start(shop.url)
    token = doorward.login()["access_token"]
    spoofed = {"X-Forwarded-User": "admin", "x_forwarded_user": "admin", "X-Auth-Request-User": "admin", "X-Doorward-Scopes": "admin"}
    answer = doorward.call("/users/me", token, headers=spoofed | {"Connection": "keep-alive, X-Forwarded-User", "X-Own": "kept"})
    assert answer.status_code == 200
    assert doorward.call("/public/news", headers=spoofed).json() == {"news": "open at nine", "user": None}
    known, anonymous = shop.seen()
    assert (known.header("X-Forwarded-User"), known.header("X-Own")) == ("johndoe", "kept")
    assert anonymous.header("X-Forwarded-User") is None
    for seen in (known, anonymous):
        assert "admin" not in str(seen.headers)


def test_strip_keeps_the_token_from_the_application(shop, start):
    doorward = start(shop.url, {"upstream": {"authorization": "strip"}})
    answer = doorward.call("/users/me", doorward.login()["access_token"])
    assert answer.json()["username"] == "johndoe"
    [seen] = shop.seen()
    assert (seen.header("Authorization"), seen.header("X-Forwarded-User")) == (None, "johndoe")


def test_optional_and_public_routes_and_the_applications_own_answers(shop, start):
    doorward = start(shop.url)
    token = doorward.login()["access_token"]
    assert doorward.call("/optional/news").json()["user"] is None
    assert doorward.call("/optional/news", token).json()["user"] == "johndoe"
    document = doorward.call("/openapi.json")
    assert document.content == plain_session().get(f"{shop.url}/openapi.json").content
    assert document.json()["paths"]["/items"]["post"]["security"] == [{"oauth": ["items", "items:write"]}]
    own = doorward.call("/own-refusal", token)
    assert (own.status_code, own.json()) == (401, {"detail": "the shop itself says no"})
    assert own.headers["WWW-Authenticate"] == 'Shop realm="till"', "relayed alone, ours is not added"
    created = doorward.call("/items", token, "POST", json={"name": "Fleeb", "price": 2})
    assert (created.status_code, created.json()) == (201, {"name": "Fleeb", "price": 2})
    assert "WWW-Authenticate" not in created.headers


def test_revoked_access_token_dies_alone_unless_cascade(shop, start):
    for cascade in (False, True):
        doorward = start(shop.url, {"revocation": {"cascade": cascade}}, name=f"cascade-{cascade}")
        session = doorward.login()
        doorward.revoke(session["access_token"])
        assert doorward.call("/users/me", session["access_token"]).json()["reason"] == "revoked"
        assert doorward.refresh(session["refresh_token"]).status_code == (400 if cascade else 200)


def scopes(text):
    return set(text.split(" "))
