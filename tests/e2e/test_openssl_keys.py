"""Keys as openssl writes them, in every form that is about: what doorward signs with them others verify, and the other way round."""

import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from provider import AUDIENCE, KeyServer, claims, jose, public_jwk, sign, trusting
from recorders import command
from scripted import Scripted, good
from sidecar import until

RSA = ["genpkey", "-algorithm", "RSA", "-pkeyopt"]
EC = ["genpkey", "-algorithm", "EC", "-pkeyopt"]
# How openssl makes it, how the file begins, and the algorithm it is for.
KEYS = {
    "RSA 2048 in PKCS#8": ([*RSA, "rsa_keygen_bits:2048"], "PRIVATE", "RS256"),
    "RSA 2048 in PKCS#1": (["genrsa", "-traditional", "2048"], "RSA PRIVATE", "RS384"),
    "RSA 4096 in PKCS#1": (["genrsa", "-traditional", "4096"], "RSA PRIVATE", "RS512"),
    "RSA 2048 for PSS": ([*RSA, "rsa_keygen_bits:2048"], "PRIVATE", "PS256"),
    "RSA 3072 for PSS": (["genrsa", "-traditional", "3072"], "RSA PRIVATE", "PS384"),
    "RSA 4096 in PKCS#8": ([*RSA, "rsa_keygen_bits:4096"], "PRIVATE", "PS512"),
    "P-256 in SEC1": (["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "EC PRIVATE", "ES256"),
    "P-256 in SEC1 after its parameters": (["ecparam", "-name", "prime256v1", "-genkey"], "EC PARAMETERS", "ES256"),
    "P-256 in PKCS#8": ([*EC, "ec_paramgen_curve:P-256"], "PRIVATE", "ES256"),
    "P-384 in SEC1": (["ecparam", "-name", "secp384r1", "-genkey", "-noout"], "EC PRIVATE", "ES384"),
    "P-384 in PKCS#8": ([*EC, "ec_paramgen_curve:P-384"], "PRIVATE", "ES384"),
    "Ed25519": (["genpkey", "-algorithm", "ED25519"], "PRIVATE", "EdDSA"),
}


@pytest.fixture(scope="module")
def pems():
    """What openssl writes, by the name in `KEYS`; the long ones take it a while, so all at once."""
    running = {}
    for name, (arguments, *_) in KEYS.items():
        running[name] = subprocess.Popen([command("openssl"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    made = {name: process.communicate(timeout=120)[0] for name, process in running.items()}
    for name, (_, begins, _) in KEYS.items():
        assert running[name].returncode == 0 and made[name].startswith(f"-----BEGIN {begins}"), name
    return made


@pytest.mark.parametrize("name", KEYS)
def test_others_verify_what_doorward_signs(name, pems, shop, start, tmp_path):
    algorithm = KEYS[name][-1]
    file = tmp_path / "key.pem"
    file.touch(0o600)
    file.write_text(pems[name])
    doorward = start(shop.url, {"tokens": {"keys": [{"file": str(file), "algorithm": algorithm}]}})
    token = doorward.login()["access_token"]
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert doorward.call("/items", token).status_code == 200
    jwks, issuer = doorward.url("/.well-known/jwks.json"), doorward.settings["tokens"]["issuer"]
    key = jwt.PyJWKClient(jwks).get_signing_key_from_jwt(token)
    read = jwt.decode(token, key, algorithms=[algorithm], issuer=issuer)
    assert read["sub"] == "johndoe"
    assert jose([{"jwks": jwks, "token": token, "issuer": issuer}]) == [read]


def test_doorward_verifies_what_others_sign(pems, start):
    """All keys in one set, as they are while an issuer changes algorithms."""
    keys = {name: load_pem_private_key(blocks(pem), None) for name, pem in pems.items()}
    published = [public_jwk(key, KEYS[name][-1], name) for name, key in keys.items()]
    algorithms = sorted({algorithm for *_, algorithm in KEYS.values()})
    with Scripted(good) as upstream, KeyServer(published) as first, KeyServer() as second:
        issuers = [trusting(one.url, algorithms=algorithms, jwks_url=f"{one.url}/jwks") for one in (first, second)]
        # The other one's set has a key of its own alone, under a name that the first has too.
        second.paths["/jwks"] = {"keys": [public_jwk(keys["Ed25519"], "EdDSA", "P-256 in SEC1")]}
        doorward = start(upstream.url, {"trusted_issuers": issuers})
        until(lambda: doorward.metric("doorward_jwks_refresh_total", result="ok") >= 2, what="the keys of both")
        bodies = [claims(first.url, time.time(), sub=name) for name in KEYS]
        tasks = [
            {"pem": pems[name], "alg": KEYS[name][-1], "kid": name, "typ": "at+jwt", "claims": body} for name, body in zip(KEYS, bodies, strict=True)
        ]
        by_jose = jose(tasks)
        by_pyjwt = [sign(keys[task["kid"]], task["alg"], task["kid"], task["claims"]) for task in tasks]
        for task, *tokens in zip(tasks, by_jose, by_pyjwt, strict=True):
            for token in tokens:
                answer = doorward.call("/items/1", token)
                assert answer.status_code == 200, (task["kid"], answer.text)
        assert len(upstream.received) == 2 * len(KEYS)

        # One issuer's key says nothing about the other's tokens, whatever its key id.
        for name, reason in (("P-384 in SEC1", "unknown-key"), ("P-256 in SEC1", "wrong-algorithm")):
            token = sign(keys[name], KEYS[name][-1], name, claims(second.url, time.time()))
            answer = doorward.call("/items/1", token)
            assert (answer.status_code, answer.json()["reason"]) == (401, reason)
        token = sign(keys["Ed25519"], "EdDSA", "P-256 in SEC1", claims(second.url, time.time()))
        assert doorward.call("/items", token).status_code == 200
        # And the key decides the algorithm: the same RSA key, another padding.
        token = sign(keys["RSA 2048 in PKCS#8"], "PS256", "RSA 2048 in PKCS#8", claims(first.url, time.time()))
        answer = doorward.call("/items/1", token)
        assert (answer.status_code, answer.json()["reason"]) == (401, "wrong-algorithm")
        token = sign(keys["Ed25519"], "EdDSA", "Ed25519", claims(first.url, time.time(), aud=f"{AUDIENCE}/"))
        answer = doorward.call("/items/1", token)
        assert (answer.status_code, answer.json()["reason"]) == (401, "wrong-audience")
        assert len(upstream.received) == 2 * len(KEYS) + 1


def blocks(pem):
    """The key alone: `cryptography` reads no parameters before it."""
    return pem[pem.rindex("-----BEGIN ") :].encode()
