"""What real clients find out by themselves about doorward: where tokens are given, by whom, and with which keys."""

from urllib.parse import parse_qs, urlsplit

import jwt
import node
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from sidecar import Output
from test_reload import reloaded

# Generated at the first start, and asymmetric: others can check what it signs.
OWN_KEY = {"keys": []}


@pytest.fixture
def issuer(shop, start):
    """Makes a doorward with an issuer that clients find at its own address, with this path; gives both."""

    def make(path=""):
        doorward = start(shop.url, {"tokens": {"issuer": None, **OWN_KEY}})
        name = doorward.url(path)
        # Only now the port is known.
        doorward.write(doorward.settings | {"tokens": {"issuer": name, **OWN_KEY}})
        assert reloaded(doorward)
        return doorward, name

    return make


@pytest.mark.parametrize("path", ["", "/t1"])
def test_authlib_fetches_and_checks_the_metadata(path, issuer):
    doorward, name = issuer(path)
    found = requests.get(get_well_known_url(name, external=True), timeout=10)
    metadata = AuthorizationServerMetadata(found.json())
    assert (found.status_code, metadata["issuer"]) == (200, name)
    refused = {}
    for member in metadata.REGISTRY_KEYS:
        try:
            getattr(metadata, f"validate_{member}")()
        except ValueError as error:
            refused[member] = str(error)
    # RFC 8414 §2 requires the array and does not say that something must be in it; without /authorize nothing can be.
    assert refused == {"response_types_supported": '"response_types_supported" is required'}
    assert metadata["response_types_supported"] == []
    session = OAuth2Session("web", token_endpoint_auth_method="none")
    session.fetch_token(metadata["token_endpoint"], grant_type="password", username="johndoe", password="secret")
    refreshed = session.refresh_token(metadata["token_endpoint"])
    keys = jwt.PyJWKClient(metadata["jwks_uri"])
    access = refreshed["access_token"]
    claims = jwt.decode(access, keys.get_signing_key_from_jwt(access).key, algorithms=["ES256"], issuer=name)
    assert claims["sub"] == "johndoe"
    assert session.revoke_token(metadata["revocation_endpoint"], refreshed["refresh_token"]).status_code == 200


@pytest.mark.parametrize("path", ["", "/t1"])
@pytest.mark.parametrize("algorithm", ["oidc", "oauth2"])
def test_openid_client_discovers_and_logs_in(path, algorithm, issuer):
    doorward, name = issuer(path)
    found = node.run("discovery.mjs", name, algorithm, "johndoe", "secret")
    assert found["metadata"]["issuer"] == name
    assert found["metadata"]["token_endpoint"] == doorward.url("/token")
    assert found["login"]["access_token"] != found["refreshed"]["access_token"]
    # It has used the revocation endpoint too: the session is over.
    assert doorward.refresh(found["refreshed"]["refresh_token"]).status_code == 400


@pytest.fixture
def provider():
    """The issuer of a real OpenID provider."""
    process = node.start("authorization_server.mjs")
    try:
        output = Output(process)
        yield output.wait_for(lambda line: line.startswith("issuer ") and line.split()[1])
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("issues", [True, False], ids=["beside its own tokens", "as a pure gate"])
def test_the_mcp_client_finds_the_trusted_issuer_from_a_refusal(issues, provider, shop, start):
    changes = {
        "trusted_issuers": [{"issuer": provider, "audience": ["https://api.example.com"], "subject_prefix": "idp:"}],
        "policy": {"resources": ["/mcp"], "routes": [{"path": "/mcp/**", "scopes": ["mcp:use"]}]},
    }
    doorward = start(shop.url, changes | ({} if issues else {"tokens": None}))
    seen = node.run("mcp.mjs", doorward.url("/mcp"))
    metadata = doorward.url("/.well-known/oauth-protected-resource/mcp")
    assert seen["challenge"] == {"resourceMetadataUrl": metadata, "scope": "mcp:use"}
    assert seen["asked"][:3] == [
        [401, doorward.url("/mcp")],
        [200, metadata],
        [200, f"{provider}/.well-known/oauth-authorization-server"],
    ]
    assert seen["found"]["authorizationServerUrl"] == provider
    assert seen["found"]["resourceMetadata"]["resource"] == doorward.url("/mcp")
    login = urlsplit(seen["login"])
    assert f"{login.scheme}://{login.netloc}{login.path}" == f"{provider}/auth"
    asked = parse_qs(login.query)
    assert (asked["resource"], asked["scope"]) == ([doorward.url("/mcp")], ["mcp:use"])
    assert shop.seen() == [], "nobody had a token"
