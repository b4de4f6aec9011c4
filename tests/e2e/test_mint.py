"""`upstream.authorization: mint`: the application verifies with its own key what doorward made of tokens that it could not."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from conftest import ISSUER, SHARED_SECRET
from issuer import Issuer
from streams import POLICY
from test_reload import reloaded
from test_websocket import headers_of, open_socket

OWN_SECRET = "signs what doorward itself issues, in these tests"
JOHN = {"username": "johndoe", "full_name": "John Doe", "disabled": False}


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.stop()


@pytest.fixture
def tutorial(applications):
    return applications("tutorial")


def minting(**more):
    """The application's SECRET_KEY signs for it, another key our own tokens."""
    return {
        "upstream": {"authorization": "mint", "mint": {"algorithm": "HS256", "secret": SHARED_SECRET} | more},
        "tokens": {"keys": [{"algorithm": "HS256", "secret": OWN_SECRET}]},
    }


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_key(doorward, name, key):
    file = doorward.directory / name
    file.write_bytes(pem(key))
    file.chmod(0o600)


def arrived(application, path=None):
    """The claims that the application was shown at its last request, and the token."""
    token = application.seen(path)[-1].header("Authorization").removeprefix("Bearer ")
    return jwt.decode(token, SHARED_SECRET, algorithms=["HS256"]), token


def test_another_issuers_token_becomes_the_applications(tutorial, issuer, start):
    """Case 177: RS256 at the edge, HS256 with its own SECRET_KEY in the unmodified application."""
    trusted = issuer.trusted(subject_prefix="", claims={"tenant": "org"})
    doorward = start(tutorial.url, minting() | {"trusted_issuers": [trusted], "tokens": {"keys": [{"algorithm": "HS256", "secret": OWN_SECRET}]}})
    edge = issuer.token(org="acme", email="j@example.test", department="left out")
    answer = doorward.call("/users/me/", edge)
    # The route asks for the scope `me`, which this issuer's token lacks.
    assert answer.status_code == 403 and tutorial.seen() == []
    edge = issuer.token(scope="me items", org="acme", email="j@example.test", department="left out")
    answer = doorward.call("/users/me/", edge)
    assert (answer.status_code, answer.json()) == (200, JOHN)
    claims, token = arrived(tutorial)
    assert token != edge and all(edge not in value for seen in tutorial.seen() for _, value in seen.headers), "the edge's token stays there"
    now = time.time()
    assert now - 5 <= claims.pop("iat") <= now and now + 50 <= claims.pop("exp") <= now + 61
    assert len(claims.pop("jti")) == 22
    assert claims == {
        "iss": ISSUER, "sub": "johndoe", "scope": "me items", "email": "j@example.test", "tenant": "acme",
        "original_iss": issuer.name, "token_use": "upstream",
    }
    assert tutorial.seen()[-1].header("X-Forwarded-User") == "johndoe"


def test_own_tokens_of_another_algorithm_become_the_applications(tutorial, prepare):
    doorward = prepare(tutorial.url, minting() | {"tokens": {"keys": [{"file": "own.pem"}], "scope_claim": "scopes"}})
    write_key(doorward, "own.pem", ec.generate_private_key(ec.SECP256R1()))
    doorward.start()
    login = doorward.login()["access_token"]
    assert jwt.get_unverified_header(login)["alg"] == "ES256"
    for _ in range(20):
        answer = doorward.call("/users/me/", login)
        assert (answer.status_code, answer.json()) == (200, JOHN)
    claims, _ = arrived(tutorial)
    assert claims["sub"] == "johndoe" and isinstance(claims["scopes"], list) and "scope" not in claims and "original_iss" not in claims
    seen = {request.header("Authorization") for request in tutorial.seen()}
    assert len(seen) == 1, "one signature for all of them"


@pytest.mark.parametrize("key, algorithm", [
    (lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
    (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
])
def test_a_key_file_signs_what_its_public_half_verifies(key, algorithm, shop, prepare):
    key = key()
    doorward = prepare(shop.url, {"upstream": {"authorization": "mint", "mint": {"key_file": "app.pem", "audience": "shop"}}})
    write_key(doorward, "app.pem", key)
    doorward.start()
    assert doorward.call("/users/me", doorward.login()["access_token"]).status_code == 200
    token = shop.seen()[-1].header("Authorization").removeprefix("Bearer ")
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert jwt.decode(token, key.public_key(), algorithms=[algorithm], audience="shop")["sub"] == "johndoe"
    keys = doorward.call("/.well-known/jwks.json").json()["keys"]
    assert jwt.get_unverified_header(token)["kid"] not in [known["kid"] for known in keys], "nobody else is to believe it"


def test_a_token_that_the_application_lost_opens_nothing(tutorial, start):
    doorward = start(tutorial.url, minting())
    assert doorward.call("/users/me/", doorward.login()["access_token"]).status_code == 200
    _, leaked = arrived(tutorial)
    tutorial.forget()
    for path in ("/users/me/", "/optional/x", "/public/../users/me/"):
        answer = doorward.call(path, leaked)
        assert answer.status_code in (400, 401), path
    assert doorward.post("/refresh-token", {"refresh_token": leaked}).status_code == 400
    assert tutorial.seen() == []


def test_the_applications_key_makes_no_token_for_doorward(tutorial, start):
    """Whoever has SECRET_KEY, as the application does, signs what he likes."""
    doorward = start(tutorial.url, minting())
    good = jwt.decode(doorward.login()["access_token"], OWN_SECRET, algorithms=["HS256"])
    forged = jwt.encode(good, SHARED_SECRET, algorithm="HS256")
    assert doorward.call("/users/me/", forged).status_code == 401
    assert tutorial.seen() == []


def test_where_nobody_is_asked_nothing_arrives(shop, start):
    doorward = start(shop.url, minting())
    token = doorward.login()["access_token"]
    for path, credential, expected in [
        ("/public/x", "Bearer not-a-token", None),
        ("/public/x", "Basic am9obmRvZTpzZWNyZXQ=", None),
        ("/public/x", f"Bearer {token}", None),
        ("/optional/x", None, None),
        ("/optional/x", f"Bearer {token}", "johndoe"),
    ]:
        shop.forget()
        doorward.call(path, headers={"Authorization": credential} if credential else {})
        seen = shop.seen(path)
        assert len(seen) == 1, path
        if expected is None:
            assert seen[0].header("Authorization") is None, (path, credential)
        else:
            assert arrived(shop)[0]["sub"] == expected
    shop.forget()
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET", "Authorization": f"Bearer {token}"}
    doorward.call("/users/me", method="OPTIONS", headers=preflight)
    assert [seen.header("Authorization") for seen in shop.seen()] == [None]


def test_a_client_that_names_it_in_connection_changes_nothing(shop, start):
    doorward = start(shop.url, minting())
    token = doorward.login()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Connection": "authorization"}
    doorward.call("/users/me", headers=headers)
    assert arrived(shop)[0]["sub"] == "johndoe"


def test_a_token_in_the_query_is_not_shown_either(shop, start):
    changes = minting() | {"insecure": {"query_token": ["/items"]}}
    doorward = start(shop.url, changes)
    token = doorward.login()["access_token"]
    doorward.call(f"/items?a=1&access_token={token}&b=2")
    seen = shop.seen()[-1]
    assert seen.query == "a=1&b=2"
    assert arrived(shop)[0]["sub"] == "johndoe"


@pytest.mark.parametrize("path", ["/socket", "/browser/socket"])
def test_a_websocket_gets_one_too(path, applications, start):
    doorward = start(applications("streams").url, minting() | {"policy": POLICY})
    token = doorward.login()["access_token"]
    given = {"token": token} if path == "/socket" else {"subprotocols": ["bearer", token]}
    with open_socket(doorward, path=path, **given) as socket:
        headers = headers_of(socket)
    minted = [value.removeprefix("Bearer ") for name, value in headers if name == "authorization"]
    assert [jwt.decode(value, SHARED_SECRET, algorithms=["HS256"])["sub"] for value in minted] == ["johndoe"]
    assert token not in str(headers)


def test_a_route_says_otherwise(shop, start):
    changes = minting()
    changes["policy"] = {"routes": [
        {"path": "/passed", "authorization": "pass"},
        {"path": "/stripped", "authorization": "strip"},
        {"path": "/minted"},
        {"path": "/files/**", "authorization": "pass", "encoded_slash": True},
        {"path": "/files/{name}", "authorization": "strip", "encoded_slash": True},
    ]}
    doorward = start(shop.url, changes)
    token = doorward.login()["access_token"]
    for path, expected in [("/passed", token), ("/stripped", None), ("/minted", "minted"), ("/other", "minted"), ("/files/a/b", token), ("/files/a%2Fb", None)]:
        shop.forget()
        doorward.call(path, token)
        header = shop.seen()[-1].header("Authorization")
        if expected == "minted":
            assert arrived(shop)[0]["sub"] == "johndoe"
        else:
            assert header == (f"Bearer {expected}" if expected else None), path


def test_another_key_is_used_from_the_next_request_on(shop, start):
    doorward = start(shop.url, minting())
    token = doorward.login()["access_token"]
    doorward.call("/users/me", token)
    first = shop.seen()[-1].header("Authorization").removeprefix("Bearer ")
    other = "Vb5Nh3Gd6Fs0PyEuAo1Ci8Qw4Er7Ty2Ui"
    settings = doorward.settings
    settings["upstream"]["mint"]["secret"] = other
    doorward.write(settings)
    assert reloaded(doorward) == "ok"
    doorward.call("/users/me", token)
    second = shop.seen()[-1].header("Authorization").removeprefix("Bearer ")
    assert jwt.decode(first, SHARED_SECRET, algorithms=["HS256"])["sub"] == jwt.decode(second, other, algorithms=["HS256"])["sub"]


def test_it_never_outlives_the_clients_token(shop, start):
    changes = minting(ttl="1h")
    changes["tokens"]["access_ttl"] = "40s"
    doorward = start(shop.url, changes)
    token = doorward.login()["access_token"]
    doorward.call("/users/me", token)
    assert arrived(shop)[0]["exp"] == jwt.decode(token, OWN_SECRET, algorithms=["HS256"])["exp"]


def test_no_start_without_a_key(shop, prepare):
    doorward = prepare(shop.url, {"upstream": {"authorization": "mint"}}).launch()
    assert doorward.wait() == 2
    assert "no-mint-key" in doorward.output.stderr and "mint: { algorithm: HS256, secret: { env: NAME } }" in doorward.output.stderr
