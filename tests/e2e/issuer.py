"""An issuer of JWTs on this machine, as far as a gate sees one: discovery, keys, tokens."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "https://api.example.test"


class Issuer:
    """Its address stays the same between `stop` and `start`, and with it its name."""

    def __init__(self, path=""):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "one"
        self.fetched = []
        self.server = None
        self.port = 0
        self.start()
        self.name = f"http://127.0.0.1:{self.port}{path}"

    def start(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetched.append(self.path)
                body = issuer.document(self.path)
                self.send_response(200 if body else 404)
                text = json.dumps(body or {}).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def document(self, path):
        if path.endswith("/.well-known/openid-configuration"):
            return {"issuer": self.name, "jwks_uri": f"{self.name}/jwks"}
        if path.endswith("/jwks"):
            member = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return {"keys": [member | {"kid": self.kid, "use": "sig", "alg": "RS256"}]}
        return None

    def token(self, **claims):
        """An access token for johndoe; a claim that is None is left out."""
        now = int(time.time())
        usual = {"iss": self.name, "aud": AUDIENCE, "sub": "johndoe", "iat": now, "exp": now + 600, "scope": "items"}
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(said, self.key, algorithm="RS256", headers={"kid": self.kid, "typ": "at+jwt"})

    def trusted(self, **more):
        """Its entry in `trusted_issuers`."""
        return {"issuer": self.name, "audience": [AUDIENCE]} | more
