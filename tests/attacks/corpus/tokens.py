"""Tokens good and bad, made from descriptions, and the keys that sign them."""

import base64
import hashlib
import hmac
import json
import os
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from .text import fill

ISSUER = "https://auth.attacks.test"
ALGORITHMS = {
    "hs": "HS256", "rs": "RS256", "ps": "PS256", "ec": "ES256", "ed": "EdDSA",
    "hs384": "HS384", "hs512": "HS512", "rs384": "RS384", "rs512": "RS512", "ps384": "PS384", "ps512": "PS512", "p384": "ES384", "p521": "ES512",
}  # fmt: skip
ED25519_ORDER = (1 << 252) + 27742317777372353535851937790883648493
# By the bytes of a coordinate: the field's prime and the group's order, of P-256 and P-384.
CURVES = {
    32: (
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    48: (
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}
TOKEN = {"from", "key", "kid_of", "sign", "secret", "of", "header", "claims", "without", "header_text", "claims_text", "signature", "spell", "nested"}


class Keys:
    """One key of each kind that doorward is configured with (`hs1` …), and as many that it does not know (`evil-hs` …).

    They are made once for a run, or read from a folder, for a server that was configured with them before.
    """

    CONFIGURED = ("hs1", "rs1", "ps1", "ec1", "ed1")
    # Those of the door `longer`, which another proxy need not have.
    LONGER = ("hs384", "hs512", "rs384", "rs512", "ps384", "ps512", "p384")

    def __init__(self, folder=None):
        self.kids = {}
        self.folder = folder
        self._made = {}

    def __getitem__(self, name):
        if name not in self._made:
            self._made[name] = self._read(name) or _make(name)
        return self._made[name]

    def _read(self, name):
        if self.folder is None or name not in self.CONFIGURED:
            return None
        data = _file(self.folder, name).read_bytes()
        return data if name.startswith("hs") else serialization.load_pem_private_key(data, None)

    def write(self, folder, longer=False):
        """All configured keys as files: secrets as text, the rest in PEM."""
        for name in self.CONFIGURED + (self.LONGER if longer else ()):
            path = _file(folder, name)
            path.write_bytes(self[name] if name.startswith("hs") else private_pem(self[name]))
            path.chmod(0o600)

    def algorithm(self, name):
        kind = kind_of(name)
        return ALGORITHMS.get(kind) or ALGORITHMS[kind.removesuffix("1")]

    def kid(self, name):
        """As it was learnt from a token the server issued, else the RFC 7638 thumbprint; a secret's can only be learnt."""
        if name in self.kids or kind_of(name).startswith("hs"):
            return self.kids.get(name)
        members = json.dumps(jwk(self[name].public_key()), sort_keys=True, separators=(",", ":"))
        return b64(hashlib.sha256(members.encode()).digest())


def _file(folder, name):
    return (folder / name).with_suffix(".txt" if name.startswith("hs") else ".pem")


def kind_of(name):
    """`rs` of `evil-rs`, of `other-rs` and of `rs`."""
    return name.rpartition("-")[2]


def _make(name):
    kind = kind_of(name)
    if kind.startswith("hs"):
        return b64(os.urandom(48)).encode()
    if kind.startswith(("rs", "ps")):
        return rsa.generate_private_key(65537, 2048)
    if kind.startswith("ed"):
        return ed25519.Ed25519PrivateKey.generate()
    curve = {"p384": ec.SECP384R1(), "p521": ec.SECP521R1()}.get(kind, ec.SECP256R1())
    return ec.generate_private_key(curve)


class Mint:
    """Writes tokens. What a description does not say is as a good token has it."""

    def __init__(self, keys, audience=None):
        self.keys = keys
        self.audience = audience

    def write(self, told, words):
        unknown = set(told) - TOKEN
        assert not unknown, f"a token says {sorted(unknown)}"
        for _ in range(200):
            token = self._write(told, words)
            if token is not None:
                return token
        raise AssertionError("no token came out that can be spelled so")

    def _write(self, told, words):
        key = told.get("key", "hs1")
        header = {"alg": self.keys.algorithm(key), "typ": "JWT", "kid": self.keys.kid(told.get("kid_of", key))}
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": "alice", "scope": "read", "roles": ["staff"], "client_id": "public", "iat": now, "exp": now + 900,
            "jti": b64(os.urandom(16)),
        }  # fmt: skip
        if self.audience:
            claims["aud"] = self.audience
        if "from" in told:
            # Issuers name their keys as they like; here by what they are called in the case.
            header |= {"typ": "at+jwt", "kid": told.get("kid_of", key)}
            claims |= {"iss": f"{words['publisher']}/{told['from']}", "aud": "api"}
        header = lay(header, told.get("header", {}), told.get("without", []), words, now)
        claims = lay(claims, told.get("claims", {}), told.get("without", []), words, now)
        words = words | self._ready_made(now)
        head = self._segment(header, told.get("header_text"), words)
        payload = self._segment(claims, told.get("claims_text"), words)
        if "nested" in told:
            payload = b64(self.write(told["nested"], words))
        signature = self._signature(told, key, f"{head}.{payload}".encode(), words)
        return spell(told.get("spell", "<h>.<p>.<s>"), head, payload, signature, words)

    def _ready_made(self, now):
        """Members of a good token as JSON text, for those that are written to the letter."""
        rest = f'"iss":"{ISSUER}","jti":"{b64(os.urandom(16))}","scope":"read"'
        return {"rest-without-exp": rest, "good-rest": f'"exp":{now + 900},{rest}', "hs1-head": f'"typ":"JWT","kid":"{self.keys.kid("hs1")}"'}

    def _segment(self, value, text, words):
        return b64(json.dumps(value).encode() if text is None else fill(text, words))

    def _signature(self, told, key, message, words):
        wanted = told.get("signature")
        if wanted == "none":
            return b""
        if isinstance(wanted, str) and wanted.startswith("bytes:"):
            return fill(wanted.removeprefix("bytes:"), words)
        if "secret" in told:
            return digest(told.get("sign", "HS256"), secret(told["secret"], self.keys, told.get("of", "rs1")), message)
        made = sign(self.keys[key], told.get("sign") or self.keys.algorithm(key), message)
        if isinstance(wanted, str) and wanted.startswith("flip:"):
            at = int(wanted.removeprefix("flip:"))
            return bytes(byte ^ (1 << at % 8) if number == at // 8 else byte for number, byte in enumerate(made))
        if isinstance(wanted, dict):
            return respelled(made, wanted)
        return made


def words(keys):
    """The key ids and public members that cases write into headers."""
    evil_ec, own_ec, evil_rs = (jwk(keys[name].public_key()) for name in ("evil-ec", "ec1", "evil-rs"))
    return {f"{name}-kid": str(keys.kid(name)) for name in Keys.CONFIGURED} | {
        "evil-x": evil_ec["x"], "evil-y": evil_ec["y"], "ec1-x": own_ec["x"], "ec1-y": own_ec["y"], "evil-n": evil_rs["n"], "evil-k": b64(keys["evil-hs"]),
    }  # fmt: skip


def lay(base, changes, without, words, now):
    merged = {name: value for name, value in base.items() if value is not None and name not in without}
    return merged | {name: _value(value, words, now) for name, value in changes.items()}


def _value(value, words, now):
    if isinstance(value, str):
        if value.startswith("@") and value[1:].lstrip("+-").isdigit() or value == "@":
            return now + int(value[1:] or 0)
        return fill(value, words).decode() if "{{" in value else value
    if isinstance(value, list):
        return [_value(item, words, now) for item in value]
    if isinstance(value, dict):
        return {name: _value(item, words, now) for name, item in value.items()}
    return value


def sign(key, algorithm, message):
    if algorithm.startswith("HS"):
        return digest(algorithm, key if isinstance(key, bytes) else b"", message)
    chosen = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(algorithm[2:])
    if algorithm.startswith("RS"):
        return key.sign(message, padding.PKCS1v15(), chosen)
    if algorithm.startswith("PS"):
        return key.sign(message, padding.PSS(padding.MGF1(chosen), chosen.digest_size), chosen)
    if algorithm == "EdDSA":
        return key.sign(message)
    size = (key.curve.key_size + 7) // 8
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(chosen)))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def digest(algorithm, secret_bytes, message):
    return hmac.new(secret_bytes, message, {"256": "sha256", "384": "sha384", "512": "sha512"}[algorithm[2:]]).digest()


def respelled(made, wanted):
    """A signature from two numbers, said as sums of n, p, L and the true ones: `r` and `s` of ES256 and ES384, `R` and `S` of Ed25519; or in DER."""
    half = len(made) // 2
    p, n = CURVES[half]
    if wanted.get("der"):
        return utils.encode_dss_signature(int.from_bytes(made[:half], "big"), int.from_bytes(made[half:], "big"))
    order = "little" if "S" in wanted or "R" in wanted else "big"
    true = [int.from_bytes(part, order) for part in (made[:half], made[half:])]
    names = {"n": n, "p": p, "L": ED25519_ORDER, "r": true[0], "s": true[1], "R": true[0], "S": true[1], "max": (1 << 8 * half) - 1}
    first, second = wanted.get("R" if order == "little" else "r", true[0]), wanted.get("S" if order == "little" else "s", true[1])
    numbers = [eval(str(number), {"__builtins__": {}}, names) for number in (first, second)]
    return b"".join(number.to_bytes(half, order) for number in numbers)


def secret(name, keys, of):
    """The public key of `of` in a text that a confused verifier might take for a secret."""
    public = keys[of].public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, spki)
    made = {
        "empty": lambda: b"",
        "zeros": lambda: bytes(32),
        "pem": lambda: pem,
        "pem-without-newline": lambda: pem.rstrip(b"\n"),
        "pem-after-blanks": lambda: b"  \n" + pem,
        "pem-crlf": lambda: pem.replace(b"\n", b"\r\n"),
        "der": lambda: public.public_bytes(serialization.Encoding.DER, spki),
        "pkcs1-pem": lambda: public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        "pkcs1-der": lambda: public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1),
        "modulus": lambda: public.public_numbers().n.to_bytes(256, "big"),
        "raw": lambda: public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
        "jwk": lambda: json.dumps(jwk(public)).encode(),
        "jwk-compact": lambda: json.dumps(jwk(public), sort_keys=True, separators=(",", ":")).encode(),
    }
    return made[name]()


def jwk(public):
    """The required members of a public key, as RFC 7638 wants them."""
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"e": "AQAB", "kty": "RSA", "n": b64(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))}
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"crv": "Ed25519", "kty": "OKP", "x": b64(raw)}
    numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
    name = {256: "P-256", 384: "P-384", 521: "P-521"}[public.curve.key_size]
    return {"crv": name, "kty": "EC", "x": b64(numbers.x.to_bytes(size, "big")), "y": b64(numbers.y.to_bytes(size, "big"))}


def spell(form, head, payload, signature, words):
    """`<h> <p> <s>` are the segments; `<s+>` in the alphabet with `+` and `/`, `<s~N>` with the N-th other spelling of the last
    letter; None if this signature cannot be spelled so."""
    parts = {"<h>": head, "<p>": payload, "<s>": b64(signature)}
    for place, text in list(parts.items()):
        name = place[1:-1]
        other = text.replace("-", "+").replace("_", "/")
        if f"<{name}+>" in form:
            if other == text:
                return None
            form = form.replace(f"<{name}+>", other)
        while f"<{name}~" in form:
            start = form.index(f"<{name}~")
            end = form.index(">", start)
            spelled = _last_letter(text, int(form[start + 3 : end]))
            if spelled is None:
                return None
            form = form[:start] + spelled + form[end + 1 :]
        form = form.replace(place, text)
    return fill(form, words)


def _last_letter(text, number):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    unused = {0: 1, 2: 16, 3: 4}[len(text) % 4]
    if number >= unused - 1:
        return None
    value = alphabet.index(text[-1]) & ~(unused - 1)
    others = [alphabet[value + more] for more in range(unused) if alphabet[value + more] != text[-1]]
    return text[:-1] + others[number]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
