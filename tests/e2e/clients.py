"""The same five calls through five clients, each used the way its own documentation says.

Every driver answers with plain values: the token answer as a mapping, a call as (status, headers, body).
A driver keeps no token between calls unless its library does.
"""

import json
import subprocess

import httpx
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import LegacyApplicationClient
from requests_oauthlib import OAuth2Session as OauthlibSession
from sidecar import plain_session


class Curl:
    """curl, as the README's reader types it."""

    def __init__(self, base):
        self.base = base

    def run(self, path, *arguments):
        command = ["curl", "--silent", "--show-error", "--path-as-is", "--dump-header", "-", self.base + path, *arguments]
        output = subprocess.run(command, capture_output=True, check=True).stdout
        head, body = output.split(b"\r\n\r\n", 1)
        status, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
        return int(status.split()[1]), headers, body

    def token(self, path, *fields):
        status, _, body = self.run(path, *(part for field in fields for part in ("--data-urlencode", field)))
        assert status == 200, body
        return json.loads(body)

    def login(self, username, password, scope):
        return self.token("/token", "grant_type=password", f"username={username}", f"password={password}", f"scope={scope}")

    def call(self, path, token):
        return self.run(path, "--oauth2-bearer", token)

    def refresh(self, token):
        return self.token("/refresh-token", f"refresh_token={token}")

    def revoke(self, token):
        status, _, body = self.run("/revoke-token", "--data-urlencode", f"token={token}")
        return status, json.loads(body)


class Requests:
    """The tutorials' callers: form for the login, bare query parameters for the rest (conformance T20)."""

    def __init__(self, base):
        self.base = base
        self.session = plain_session()

    def login(self, username, password, scope):
        answer = self.session.post(f"{self.base}/token", data={"username": username, "password": password, "scope": scope})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, path, token):
        answer = self.session.get(self.base + path, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, lower(answer.headers), answer.content

    def refresh(self, token):
        answer = self.session.post(f"{self.base}/refresh-token", params={"refresh_token": token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def revoke(self, token):
        answer = self.session.post(f"{self.base}/revoke-token", params={"token": token})
        return answer.status_code, answer.json()


class Authlib:
    """Authlib's `OAuth2Session` without a client id: it posts `client_id=None` (T10)."""

    def __init__(self, base):
        self.base = base
        self.session = AuthlibSession(token_endpoint_auth_method="none")
        self.session.trust_env = False

    def login(self, username, password, scope):
        return dict(self.session.fetch_token(f"{self.base}/token", username=username, password=password, scope=scope))

    def call(self, path, token):
        self.session.token = {"access_token": token, "token_type": "bearer"}
        answer = self.session.get(self.base + path)
        return answer.status_code, lower(answer.headers), answer.content

    def refresh(self, token):
        return dict(self.session.refresh_token(f"{self.base}/token", refresh_token=token))

    def revoke(self, token):
        answer = self.session.revoke_token(f"{self.base}/revoke-token", token=token, token_type_hint="refresh_token")
        return answer.status_code, answer.json()


class RequestsOauthlib:
    """requests-oauthlib: Basic with an empty secret at login (T13), no client at all at refresh (T14, case 54)."""

    def __init__(self, base):
        self.base = base
        self.client = LegacyApplicationClient("web")
        self.session = OauthlibSession(client=self.client)
        self.session.trust_env = False

    def login(self, username, password, scope):
        return self.plain(self.session.fetch_token(f"{self.base}/token", username=username, password=password, scope=scope))

    def call(self, path, token):
        self.session.token = {"access_token": token, "token_type": "bearer"}
        answer = self.session.get(self.base + path)
        return answer.status_code, lower(answer.headers), answer.content

    def refresh(self, token):
        return self.plain(self.session.refresh_token(f"{self.base}/token", refresh_token=token))

    def plain(self, answer):
        """oauthlib has already split the scope; what came is a string."""
        return answer | {"scope": " ".join(answer["scope"])}

    def revoke(self, token):
        url, headers, body = self.client.prepare_token_revocation_request(f"{self.base}/revoke-token", token)
        answer = self.session.post(url, data=body, headers=headers, withhold_token=True)
        return answer.status_code, answer.json()


class Httpx:
    """httpx, with JSON where doorward takes it besides the form."""

    def __init__(self, base):
        self.client = httpx.Client(base_url=base, trust_env=False)

    def login(self, username, password, scope):
        answer = self.client.post("/token", data={"username": username, "password": password, "scope": scope})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, path, token):
        answer = self.client.get(path, headers={"Authorization": f"bEaReR {token}"})
        return answer.status_code, lower(answer.headers), answer.content

    def refresh(self, token):
        answer = self.client.post("/refresh-token", json={"refresh_token": token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def revoke(self, token):
        answer = self.client.post("/revoke-token", json={"token": token})
        return answer.status_code, answer.json()


DRIVERS = [Curl, Requests, Authlib, RequestsOauthlib, Httpx]


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}
