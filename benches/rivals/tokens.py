"""Keys and tokens, the same for every peer."""

import base64
import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE, SUBJECT = "http://issuer.test", "bench", "johndoe"
SECRET = secrets.token_urlsafe(36)

MAKE = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Issuer:
    """One algorithm's key, its files under `directory`, and its tokens."""

    def __init__(self, algorithm, directory):
        self.algorithm = algorithm
        self.key = SECRET if algorithm == "HS256" else MAKE[algorithm]()
        self.private, self.public = directory / f"{algorithm}.key.pem", directory / f"{algorithm}.pem"
        if algorithm != "HS256":
            encoding = serialization.Encoding.PEM
            self.private.touch(0o600)
            self.private.write_bytes(
                self.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            )
            self.public.write_bytes(
                self.key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
            )

    def token(self, number=0, **claims):
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now - 1, "exp": now + 4 * 3600,
            "jti": f"{number:016x}", "scope": "me items", "client_id": "public",
        } | claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, self.algorithm)

    def tokens(self, count):
        return [self.token(number) for number in range(count)]

    def bad_signature(self):
        head, _, signature = self.token().rpartition(".")
        middle = len(signature) // 2
        return f"{head}.{signature[:middle]}{'A' if signature[middle] != 'A' else 'B'}{signature[middle + 1:]}"

    def expired(self):
        return self.token(exp=int(time.time()) - 3600, iat=int(time.time()) - 7200)


    def jwk(self):
        """The public key; for HS256 the secret, which only the peers of this run are told."""
        if self.algorithm == "HS256":
            key = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")}
        else:
            maker = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm, "EdDSA": jwt.algorithms.OKPAlgorithm}
            key = json.loads(maker[self.algorithm].to_jwk(self.key.public_key()))
        return key | {"alg": self.algorithm, "use": "sig"}
