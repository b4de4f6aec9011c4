"""Other issuers: a real OpenID provider under Node, and servers of keys that do as a test says."""

import json
import re
import socket
import uuid

import jwt
import node
from jwt.algorithms import get_default_algorithms
from scripted import Scripted
from sidecar import DEADLINE, Output, plain_session

AUDIENCE = "https://api.example.test"
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
# Between two fetches of an issuer's keys; a request that is under way may arrive a little later or earlier than it was sent.
WINDOW = 10
JITTER = 0.3


def trusting(issuer, **changes):
    """The entry of `trusted_issuers` for it."""
    return {"issuer": issuer, "audience": [AUDIENCE], "algorithms": ALGORITHMS, "subject_prefix": ""} | changes


def jose(tasks):
    """What the package `jose` answers to these tasks (see jose.mjs)."""
    return node.run("jose.mjs", json.dumps(tasks))


class Provider:
    """`oidc-provider` from npm. What it is told is done when the call returns."""

    def __init__(self):
        # Held, not listened on: while the provider is stopped, nobody else is given its port.
        self.port = socket.socket()
        self.port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port.bind(("127.0.0.1", 0))
        number = self.port.getsockname()[1]
        self.issuer = f"http://127.0.0.1:{number}"
        self.process = node.start("provider.mjs", number)
        self.output = Output(self.process)
        self.control = self.output.wait_for(re.compile(r"control on (http://\S+)").search)[1]
        self.session = plain_session()

    def tell(self, command):
        answer = self.session.post(f"{self.control}/{command}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fetches(self):
        """When its keys were asked for, in seconds of its own clock."""
        return [at / 1000 for at in self.tell("fetches")]

    def token(self, algorithm="ES256", scope="items", audience=AUDIENCE):
        form = {
            "grant_type": "client_credentials",
            "client_id": "machine",
            "client_secret": "known to the tests alone",
            "scope": scope,
            "resource": f"{audience}?alg={algorithm}",
        }
        answer = self.session.post(f"{self.issuer}/token", data=form)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def trusted(self, **changes):
        return trusting(self.issuer, **changes)

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.port.close()


class KeyServer(Scripted):
    """Answers each path with what `paths` has for it: a document, or the arguments of `Peer.answer`; 404 else.

    `keys` are published at /jwks; where there is no other answer, a discovery document names that.
    """

    def __init__(self, keys=(), paths=None, **options):
        super().__init__(self._serve_documents, **options)
        self.paths = {"/jwks": {"keys": list(keys)}} | (paths or {})

    def _serve_documents(self, peer):
        while request := peer.read():
            found = self.paths.get(request.target, ((b"",), {"status": "404 Not Found"}))
            if isinstance(found, dict):
                found = (json.dumps(found).encode(), "Content-Type: application/json"), {}
            arguments, options = found
            peer.answer(*arguments, **options)

    def discovery(self, issuer=None, jwks_uri=None):
        """Publishes a document at the place for OpenID Connect Discovery."""
        document = {"issuer": issuer or self.url, "jwks_uri": jwks_uri or f"{self.url}/jwks"}
        self.paths["/.well-known/openid-configuration"] = document
        return self


def public_jwk(key, algorithm, kid):
    """The JWK of a private key of `cryptography`, as PyJWT writes it."""
    written = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in written.items() if name != "key_ops"} | {"kid": kid, "alg": algorithm, "use": "sig"}


def claims(issuer, now, **changes):
    """Those of an access token that is good for ten minutes."""
    return {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "somebody",
        "client_id": "machine",
        "scope": "items",
        "iat": int(now),
        "exp": int(now) + 600,
        "jti": uuid.uuid4().hex,
    } | changes


def sign(key, algorithm, kid, body, typ="at+jwt"):
    """A token by PyJWT."""
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid, "typ": typ})
