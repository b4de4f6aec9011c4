"""Registered clients, through the libraries that services use: each sends its secret in an encoding of its own."""

import subprocess

import jwt
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client as AuthlibHttpx
from authlib.integrations.requests_client import OAuth2Session as AuthlibRequests
from clients import Curl
from conftest import SHARED_SECRET
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, LegacyApplicationClient
from requests_oauthlib import OAuth2Session as RequestsOauthlib
from sidecar import password_hash, until

# Characters that the encodings of Basic write in different ways.
ODD = "s:e%c é-_"


@pytest.fixture
def generated(binary):
    """A secret that doorward made, and what it says to store of it."""
    made = subprocess.run([binary, "keygen", "--client-secret"], capture_output=True, text=True, timeout=60, check=True)
    secret, stored = made.stdout.split()
    return secret, stored


@pytest.fixture
def doorward(shop, start, generated):
    clients = [
        {"id": "web"},
        {"id": "svc", "secret_hash": generated[1], "scopes": ["items"]},
        {"id": "odd", "secret_hash": password_hash(ODD)},
    ]
    return start(shop.url, {"clients": clients, "telemetry": {"format": "json"}})


def claims(answer):
    return jwt.decode(answer["access_token"], SHARED_SECRET, algorithms=["HS256"])


def authlib(flavour, client_id, secret, method="client_secret_basic"):
    return flavour(client_id, secret, token_endpoint_auth_method=method)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("flavour", [AuthlibRequests, AuthlibHttpx], ids=["requests", "httpx"])
def test_a_service_in_its_own_name_with_authlib(flavour, method, doorward, generated, shop):
    session = authlib(flavour, "svc", generated[0], method)
    answer = session.fetch_token(doorward.url("/token"), grant_type="client_credentials", scope="items admin")
    assert "refresh_token" not in answer and answer["scope"] == "items"
    assert (claims(answer)["sub"], claims(answer)["client_id"]) == ("client:svc", "svc")
    assert doorward.call("/items", answer["access_token"]).status_code == 200
    [seen] = shop.seen("/items")
    assert seen.header("X-Forwarded-User") == "client:svc"
    assert doorward.call("/users/me", answer["access_token"]).status_code == 403
    [record] = until(lambda: doorward.records(audit="issued"), what="the record")
    assert (record["grant"], record["client"], record["subject"]) == ("client_credentials", "svc", "client:svc")


@pytest.mark.parametrize("flavour", [AuthlibRequests, AuthlibHttpx], ids=["requests", "httpx"])
def test_a_login_refreshed_and_revoked_with_authlib(flavour, doorward):
    session = authlib(flavour, "odd", ODD)
    first = session.fetch_token(doorward.url("/token"), username="johndoe", password="secret")
    assert claims(first)["client_id"] == "odd"
    second = session.refresh_token(doorward.url("/token"), refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert doorward.refresh(second["refresh_token"]).json()["error"] == "invalid_client", "not by who does not know the secret"
    answer = session.revoke_token(doorward.url("/revoke-token"), token=second["refresh_token"])
    assert (answer.status_code, answer.json()) == (200, {"message": "Token revoked"})
    assert doorward.call("/users/me", second["access_token"]).status_code == 401
    with pytest.raises(OAuthError, match="invalid_grant"):
        session.refresh_token(doorward.url("/token"), refresh_token=second["refresh_token"])


def test_requests_oauthlib(doorward, generated):
    service = RequestsOauthlib(client=BackendApplicationClient("svc"))
    service.trust_env = False
    answer = service.fetch_token(doorward.url("/token"), client_id="svc", client_secret=generated[0])
    assert claims(answer)["sub"] == "client:svc"
    for options in ({}, {"include_client_id": True}):
        session = RequestsOauthlib(client=LegacyApplicationClient("odd"))
        session.trust_env = False
        answer = session.fetch_token(doorward.url("/token"), username="johndoe", password="secret", client_secret=ODD, client_id="odd", **options)
        assert claims(answer)["client_id"] == "odd"
        again = session.refresh_token(doorward.url("/token"), client_id="odd", client_secret=ODD)
        assert claims(again)["sub"] == "johndoe"


@pytest.mark.parametrize("secret", ["wrong", "", None])
def test_a_wrong_secret_is_said_to_be_one(secret, doorward):
    session = RequestsOauthlib(client=BackendApplicationClient("svc"))
    session.trust_env = False
    with pytest.raises(InvalidClientError):
        session.fetch_token(doorward.url("/token"), client_id="svc", client_secret=secret)
    with pytest.raises(OAuthError, match="invalid_client"):
        authlib(AuthlibRequests, "svc", "wrong").fetch_token(doorward.url("/token"), grant_type="client_credentials")
    told = until(lambda: doorward.records(audit="refused"), what="a record")
    assert {(record["reason"], record["client"]) for record in told} == {("invalid-client", "svc")}


def test_curl_sends_its_user(doorward, generated):
    curl = Curl(doorward.url(""))
    _, _, body = curl.run("/token", "--user", f"svc:{generated[0]}", "--data", "grant_type=client_credentials")
    assert b'"scope":"items"' in body
    status, headers, _ = curl.run("/token", "--user", "svc:wrong", "--data", "grant_type=client_credentials")
    assert (status, headers["www-authenticate"]) == (401, 'Basic realm="doorward"')


def test_nothing_shows_a_secret(doorward, generated):
    for secret in (generated[0], ODD):
        for client_id in ("svc", "odd"):
            doorward.post("/token", {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret})
    shown = "\n".join(doorward.output.lines) + doorward.probe("/metrics").text
    assert generated[0] not in shown and generated[1] not in shown and ODD not in shown
