"""One life of a session through each client library, the client registered in each way that the library knows.

Each function logs in, refreshes, revokes, tries a wrong password, and asks for a token in the client's own name. What it gives back:
`login`, `refreshed`, and `wrong` and `service` as the library shows them: the token answer, or `error` and `error_description`.
"""

import json
import time

import node
from authlib.integrations.base_client import OAuthError
from clients import Curl
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient, OAuth2Error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as RequestsOauthlib

USERNAME, PASSWORD = "siobhan", "se cret&+é"


def said(attempt):
    try:
        return dict(attempt())
    except (OAuthError, OAuth2Error) as failed:
        return {"error": failed.error, "error_description": failed.description}


def run_out(token):
    """The same token, for a library that is to believe that its time is over."""
    return dict(token) | {"expires_at": int(time.time()) - 60, "expires_in": -60}


def authlib(flavour, username=USERNAME, password=PASSWORD):
    def life(base, client_id, secret, method):
        kept = []
        # The flavours differ in what they tell.
        note = lambda token, refresh_token=None, access_token=None: kept.append(token)  # noqa: E731
        session = flavour(client_id, secret, token_endpoint_auth_method=method, token_endpoint=f"{base}/token", update_token=note)
        log_in = lambda typed: session.fetch_token(f"{base}/token", username=username, password=typed, scope="me items")  # noqa: E731
        login = dict(log_in(password))
        session.token = run_out(login)
        assert session.get(f"{base}/items").status_code == 200, "it has refreshed by itself"
        [refreshed] = kept
        revoked = session.revoke_token(f"{base}/revoke-token", token=refreshed["refresh_token"], token_type_hint="refresh_token")
        assert revoked.status_code == 200
        service = said(lambda: session.fetch_token(f"{base}/token", grant_type="client_credentials", scope="items"))
        return {"login": login, "refreshed": dict(refreshed), "wrong": said(lambda: log_in("wrong")), "service": service}

    return life


def requests_oauthlib(base, client_id, secret, method):
    kept = []
    whole = {"client_id": client_id, "client_secret": secret} if secret else {"client_id": client_id} if client_id else {}
    # Its own refresh takes the secret from the session and puts it into the body, or from the request and puts it into the header.
    in_body = method != "client_secret_basic"
    options = {"include_client_id": True} if method == "client_secret_post" else {}
    again = {"auto_refresh_url": f"{base}/token", "auto_refresh_kwargs": whole if in_body else {}, "token_updater": kept.append}
    session = RequestsOauthlib(client=LegacyApplicationClient(client_id, scope=["me", "items"]), **again)
    session.trust_env = False
    log_in = lambda password: session.fetch_token(f"{base}/token", username=USERNAME, password=password, **whole, **options)  # noqa: E731
    login = dict(log_in(PASSWORD))
    session.token = run_out(login)
    assert session.get(f"{base}/items", **({} if in_body else whole)).status_code == 200, "it has refreshed by itself"
    [refreshed] = kept
    url, headers, body = session._client.prepare_token_revocation_request(f"{base}/revoke-token", refreshed["refresh_token"])
    # It knows of no client at a revocation: who has a secret adds it.
    credential = HTTPBasicAuth(client_id.encode(), secret.encode()) if secret else None
    assert session.post(url, data=body, headers=headers, withhold_token=True, auth=credential).status_code == 200
    wrong = said(lambda: log_in("wrong"))
    service = RequestsOauthlib(client=BackendApplicationClient(client_id, scope=["items"]))
    service.trust_env = False
    return {
        "login": login,
        "refreshed": dict(refreshed),
        "wrong": wrong,
        "service": said(lambda: service.fetch_token(f"{base}/token", **whole, **options)),
    }


def curl(base, client_id, secret, method):
    """As a shell script does it: the answer as it comes."""
    tool = Curl(base)
    if method == "client_secret_basic":
        credential = ["--user", f"{client_id}:{secret}"]
    else:
        pairs = {"client_id": client_id, "client_secret": secret}
        credential = [part for name, value in pairs.items() if value for part in ("--data-urlencode", f"{name}={value}")]

    def ask(path, *fields):
        return json.loads(tool.run(path, *credential, *(part for field in fields for part in ("--data-urlencode", field)))[2])

    log_in = lambda password: ask("/token", "grant_type=password", f"username={USERNAME}", f"password={password}", "scope=me items")  # noqa: E731
    login = log_in(PASSWORD)
    refreshed = ask("/token", "grant_type=refresh_token", f"refresh_token={login['refresh_token']}")
    assert ask("/revoke-token", f"token={refreshed['refresh_token']}") == {"message": "Token revoked"}
    service = ask("/token", "grant_type=client_credentials", "scope=items")
    return {"login": login, "refreshed": refreshed, "wrong": log_in("wrong"), "service": service}


def in_node(library):
    def life(base, client_id, secret, method):
        return node.run("clients.mjs", library, base, client_id, secret or "", method, USERNAME, PASSWORD)

    return life
