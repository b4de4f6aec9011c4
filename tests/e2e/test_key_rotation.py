"""Own keys, rotated by reload while requests come: published, then signing, then retired; nobody is refused who holds a good token."""

import time
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from load import Load
from scripted import Scripted, good
from sidecar import merge, until
from test_reload import reloaded

# How long ago tokens of fifteen minutes were issued, in seconds: the last lives by the leeway alone.
AGES = [0, 1, 60, 450, 890, 905]


def key_file(directory, name, key):
    file = directory / f"{name}.pem"
    file.touch(0o600)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return {"file": str(file)}


def aged(key, token, age):
    """A token like this one, by the same key, that was issued `age` seconds ago."""
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    issued = int(time.time()) - age
    claims |= {"iat": issued, "exp": issued + 900, "jti": uuid.uuid4().hex}
    return jwt.encode(claims, key, algorithm=header["alg"], headers=header)


def published(doorward):
    answer = doorward.call("/.well-known/jwks.json")
    assert answer.status_code == 200, answer.text
    return [key["kid"] for key in answer.json()["keys"]]


def kid_of(session):
    return jwt.get_unverified_header(session["access_token"])["kid"]


def test_a_rotation_refuses_nobody(start, tmp_path):
    """Case 175 under 200 requests a second."""
    old_key, new_key = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    old, new = key_file(tmp_path, "old", old_key), key_file(tmp_path, "new", new_key)
    with Scripted(good) as upstream:
        doorward = start(upstream.url, {"tokens": {"keys": [old]}})
        session = doorward.login()
        old_kid = kid_of(session)
        of_old = {f"old, {age} s": aged(old_key, session["access_token"], age) for age in AGES}
        with Load(doorward.public, "/items/1", of_old) as load:

            def keys(*listed):
                """Reloads, and lets all the tokens be asked for under what is now listed."""
                nonlocal session
                doorward.write(merge(doorward.settings, {"tokens": {"keys": list(listed)}}))
                assert reloaded(doorward) == "ok"
                session = doorward.refresh(session["refresh_token"]).json()
                load.tokens = load.tokens | {f"{kid_of(session)[:4]} by refresh": session["access_token"]}
                asked = load.asked()
                until(lambda: load.asked() >= asked + 150, what="requests after the reload")

            keys(old, new)
            assert kid_of(session) == old_kid, "only published"
            both = published(doorward)
            assert len(both) == 2 and both[0] == old_kid
            keys(new, old)
            assert kid_of(session) == both[1] and sorted(published(doorward)) == sorted(both)
            of_new = {f"new, {age} s": aged(new_key, session["access_token"], age) for age in AGES}
            load.tokens = load.tokens | of_new
            asked = load.asked()
            until(lambda: load.asked() >= asked + 150, what="requests with both keys' tokens")
            # Once the last of the old key's tokens has expired; here nobody uses them any more.
            load.tokens = of_new
            until(lambda: load.asked() >= asked + 200, what="the last of the old tokens")
            keys(new)
            for label, token in of_old.items():
                answer = doorward.call("/items/2", token)
                assert (answer.status_code, answer.json()["reason"]) == (401, "unknown-key"), f"{label}: remembered, and retired"
            assert "/items/2" not in upstream.targets()
            assert published(doorward) == both[1:]
            load.tokens = of_new | {"by refresh": session["access_token"]}
            asked = load.asked()
            until(lambda: load.asked() >= asked + 150, what="requests with the new key's tokens")
    assert load.failures == [] and load.refused() == {}
    assert load.late < 1, "200 requests a second were not kept up"
    assert all(load.answers[label, 200] for label in of_old | of_new)
    print(f"\n{load.asked()} requests, none refused")
