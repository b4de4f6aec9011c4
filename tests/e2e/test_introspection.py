"""Introspection and userinfo, through the libraries that services use."""

import node
import pytest
from authlib.integrations.httpx_client import OAuth2Client as AuthlibHttpx
from authlib.integrations.requests_client import OAuth2Session as AuthlibRequests
from sidecar import password_hash, until
from test_reload import reloaded

# Characters that the encodings of Basic write in different ways.
ODD = "s:e%c é-_"
INACTIVE = {"active": False}


@pytest.fixture
def users():
    ada = {"username": "ada", "password_hash": password_hash("secret"), "scopes": ["openid", "profile", "email", "items"]}
    return [ada | {"email": "ada@example.com", "full_name": "Ada Lovelace", "claims": {"email_verified": True}}]


@pytest.fixture
def doorward(shop, start, users):
    clients = [{"id": "web"}, {"id": "odd", "secret_hash": password_hash(ODD)}, {"id": "api", "secret_hash": password_hash("S3cretAlnum")}]
    doorward = start(shop.url, {"clients": clients, "tokens": {"issuer": None}, "telemetry": {"format": "json"}}, users=users)
    # Only now the port is known.
    doorward.write(doorward.settings | {"tokens": doorward.settings["tokens"] | {"issuer": doorward.url("")}})
    assert reloaded(doorward) == "ok"
    return doorward


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("flavour", [AuthlibRequests, AuthlibHttpx], ids=["requests", "httpx"])
def test_authlib_asks_what_is_true_of_a_token(flavour, method, doorward):
    session = flavour("odd", ODD, token_endpoint_auth_method=method)
    service = flavour("api", "S3cretAlnum", token_endpoint_auth_method=method)
    first = session.fetch_token(doorward.url("/token"), username="ada", password="secret", scope="openid items")
    answer = service.introspect_token(doorward.url("/introspect"), token=first["access_token"], token_type_hint="access_token").json()
    expected = {"active": True, "scope": "openid items", "client_id": "odd", "username": "ada", "sub": "ada", "token_type": "Bearer"}
    assert expected.items() <= answer.items() and answer["iss"] == doorward.url("")
    assert answer["exp"] - answer["iat"] == first["expires_in"] and answer["nbf"] == answer["iat"]
    assert isinstance(answer["jti"], str)
    assert service.introspect_token(doorward.url("/introspect"), token=first["refresh_token"]).json() == INACTIVE, "another client's"
    own = session.introspect_token(doorward.url("/introspect"), token=first["refresh_token"], token_type_hint="refresh_token").json()
    assert own["active"] and "token_type" not in own
    second = session.refresh_token(doorward.url("/token"), refresh_token=first["refresh_token"])
    assert session.introspect_token(doorward.url("/introspect"), token=first["refresh_token"]).json() == INACTIVE, "it was used"
    session.revoke_token(doorward.url("/revoke-token"), token=second["refresh_token"])
    for token in (first["access_token"], second["access_token"], second["refresh_token"], "unknown"):
        answer = session.introspect_token(doorward.url("/introspect"), token=token)
        assert (answer.status_code, answer.content) == (200, b'{"active":false}')


def test_authlib_without_a_secret_may_not_ask(doorward):
    token = doorward.login("ada", "secret")["access_token"]
    for session in (AuthlibRequests("web", token_endpoint_auth_method="none"), AuthlibRequests("api", "wrong")):
        answer = session.introspect_token(doorward.url("/introspect"), token=token)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="doorward"'
    told = lambda: {(record["what"], record["client"]) for record in doorward.records(audit="refused")}
    # The log is written beside the answers.
    until(lambda: told() == {("introspect", "web"), ("introspect", "api")}, what="both records")


@pytest.mark.parametrize(("method", "client", "secret"), [("basic", "odd", ODD), ("post", "odd", ODD), ("basic", "api", "S3cretAlnum")])
def test_openid_client_introspects_and_asks_who_it_is(method, client, secret, doorward):
    found = node.run("introspection.mjs", doorward.url(""), method, client, secret, "ada", "secret", "openid profile email")
    assert {"active": True, "sub": "ada", "client_id": client, "token_type": "Bearer"}.items() <= found["access"].items()
    assert found["refresh"]["active"] and "token_type" not in found["refresh"]
    assert found["user"] == {
        "sub": "ada",
        "name": "Ada Lovelace",
        "preferred_username": "ada",
        "email": "ada@example.com",
        "email_verified": True,
    }
    assert found["revoked"] == INACTIVE
    assert found["refused"] == [401, "invalid_token"]


def test_a_disabled_user_is_neither_active_nor_told_of(doorward, users, shop):
    session = AuthlibRequests("api", "S3cretAlnum")
    token = session.fetch_token(doorward.url("/token"), username="ada", password="secret", scope="openid")
    assert doorward.call("/userinfo", token["access_token"]).json() == {"sub": "ada"}
    users[0]["disabled"] = True
    doorward.write_users(users)
    assert reloaded(doorward) == "ok"
    for kind in ("access_token", "refresh_token"):
        assert session.introspect_token(doorward.url("/introspect"), token=token[kind]).json() == INACTIVE
    refused = doorward.call("/userinfo", token["access_token"])
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert shop.seen() == [], "none of it is for the application"
