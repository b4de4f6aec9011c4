"""The libraries that people have, each with all ways it knows to say which client it is: none, an id, a secret in header or body."""

import jwt
import pytest
from authlib.integrations.httpx_client import OAuth2Client as AuthlibHttpx
from authlib.integrations.requests_client import OAuth2Session as AuthlibRequests
from conftest import SHARED_SECRET
from libraries import PASSWORD, USERNAME, authlib, curl, in_node, requests_oauthlib
from sidecar import password_hash

# Characters that the encodings of Basic write in different ways; simple-oauth2 takes none beyond ASCII.
SECRETS = {"odd": "s:e%c é-_", "ascii": "s:e%c -_"}
CLIENTS = [{"id": "web"}]
CLIENTS += [{"id": name, "secret_hash": password_hash(secret, memory_kib=64, passes=1), "scopes": ["me", "items"]} for name, secret in SECRETS.items()]

# This one puts a password that is not ASCII in no body where it adds something to it.
PLAIN = ("johndoe", "secret")
BASIC, POST = "client_secret_basic", "client_secret_post"
LIVES = {
    "authlib-requests": (authlib(AuthlibRequests), [(None, "none"), ("web", "none"), ("odd", BASIC), ("odd", POST)]),
    "authlib-httpx": (authlib(AuthlibHttpx, *PLAIN), [(None, "none"), ("web", "none"), ("odd", BASIC), ("odd", POST)]),
    "requests-oauthlib": (requests_oauthlib, [("", "none"), ("web", "none"), ("odd", BASIC), ("odd", POST)]),
    "curl": (curl, [(None, "none"), ("web", "none"), ("odd", BASIC), ("odd", POST)]),
    # These two make no client without an id; simple-oauth2 none without a secret, which may be empty.
    "openid-client": (in_node("openid-client"), [("web", "none"), ("odd", "default"), ("odd", BASIC), ("odd", POST)]),
    "simple-oauth2": (in_node("simple-oauth2"), [("web", BASIC), ("web", POST), ("ascii", BASIC), ("ascii", "loose"), ("ascii", POST)]),
}
CASES = [pytest.param(life, name, method, id=f"{library}-{name or 'nobody'}-{method}") for library, (life, ways) in LIVES.items() for name, method in ways]


def claims(answer):
    return jwt.decode(answer["access_token"], SHARED_SECRET, algorithms=["HS256"])


@pytest.mark.parametrize(("life", "client_id", "method"), CASES)
def test_a_session_from_login_to_revocation(life, client_id, method, shop, start):
    doorward = start(shop.url, {"clients": CLIENTS if client_id else []})
    secret = SECRETS.get(client_id)
    told = life(doorward.url(""), client_id, secret, method)

    login, refreshed = told["login"], told["refreshed"]
    for answer in (login, refreshed):
        assert (claims(answer)["client_id"], claims(answer)["scope"]) == (client_id or "public", "me items")
        assert claims(answer)["sub"] in (USERNAME, PLAIN[0])
    assert refreshed["refresh_token"] != login["refresh_token"] and refreshed["access_token"] != login["access_token"]

    # What the library revoked is over, whoever asks.
    for token in (login["access_token"], refreshed["access_token"]):
        assert doorward.call("/users/me", token).status_code == 401
    credential = {"client_id": client_id} | ({"client_secret": secret} if secret else {}) if client_id else {}
    answer = doorward.post("/token", {"grant_type": "refresh_token", "refresh_token": refreshed["refresh_token"]} | credential)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")

    assert (told["wrong"]["error"], told["wrong"]["error_description"]) == ("invalid_grant", "Incorrect username or password")
    if secret:
        assert claims(told["service"])["sub"] == f"client:{client_id}" and "refresh_token" not in told["service"]
    else:
        # Where nobody is registered the grant is off for all.
        assert told["service"]["error"] == ("unauthorized_client" if client_id else "unsupported_grant_type")
    assert shop.seen("/users/me") == []
    shown = doorward.output.text
    assert [word for word in (*SECRETS.values(), PASSWORD) if word in shown] == []
