"""Hashes that passlib, bcrypt and Django make now log in as they are; a wrong password does not, and nothing tells one from another."""

import argon2
import bcrypt
import pytest
from django.conf import settings
from django.contrib.auth.hashers import check_password, get_hasher
from passlib import hash as passlib
from sidecar import until
from wire import Connection, lines

PASSWORD = "correct horse é&+"


def django(name, **cost):
    if not settings.configured:
        hashers = ("PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher", "BCryptSHA256PasswordHasher", "BCryptPasswordHasher", "ScryptPasswordHasher")
        settings.configure(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{hasher}" for hasher in hashers])
    hasher = get_hasher(name)
    return hasher.encode(PASSWORD, hasher.salt(), **cost)


def bcrypt_with(prefix):
    return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(6, prefix)).decode()


MADE = {
    "bcrypt-2a": lambda: bcrypt_with(b"2a"),
    "bcrypt-2b": lambda: bcrypt_with(b"2b"),
    "passlib-bcrypt": lambda: passlib.bcrypt.hash(PASSWORD),
    "passlib-bcrypt-2y": lambda: passlib.bcrypt.using(rounds=6, ident="2y").hash(PASSWORD),
    "passlib-bcrypt-sha256": lambda: passlib.bcrypt_sha256.using(rounds=6).hash(PASSWORD),
    "passlib-argon2": lambda: passlib.argon2.hash(PASSWORD),
    "passlib-scrypt": lambda: passlib.scrypt.hash(PASSWORD),
    "passlib-pbkdf2-sha1": lambda: passlib.pbkdf2_sha1.hash(PASSWORD),
    "passlib-pbkdf2-sha256": lambda: passlib.pbkdf2_sha256.hash(PASSWORD),
    "passlib-pbkdf2-sha512": lambda: passlib.pbkdf2_sha512.hash(PASSWORD),
    "django-pbkdf2-sha256": lambda: django("pbkdf2_sha256"),
    "django-pbkdf2-sha1": lambda: django("pbkdf2_sha1", iterations=1000),
    "django-argon2": lambda: django("argon2"),
    "django-bcrypt-sha256": lambda: django("bcrypt_sha256"),
    "django-bcrypt": lambda: django("bcrypt"),
    "django-scrypt": lambda: django("scrypt"),
}


def failed_login(doorward, username, password):
    body = f"grant_type=password&username={username}&password={password}".encode()
    head = ["POST /token HTTP/1.1", f"Host: {doorward.public}", "Content-Type: application/x-www-form-urlencoded"]
    with Connection(doorward.public) as connection:
        answer = connection.exchange(lines(*head, f"Content-Length: {len(body)}", body=body))
    return answer.status, tuple(header for header in answer.headers if header[0] != "Date"), answer.body


def test_hashes_made_elsewhere_log_in(start, shop):
    users = [{"username": name, "password_hash": make(), "scopes": ["me"]} for name, make in MADE.items()]
    users.append({"username": "md5", "password_hash": "md5$seasalt$0cbc6611f5540bd0809a388dc95a615b", "scopes": ["me"]})
    doorward = start(shop.url, users=users)
    wrong = failed_login(doorward, "nobody", "wrong")
    assert wrong[0] == 400
    for name in MADE:
        assert doorward.login(name, PASSWORD)["scope"] == "me", name
        assert failed_login(doorward, name, "wrong") == wrong, name
    assert failed_login(doorward, "md5", "wrong") == wrong


@pytest.mark.parametrize("extra", ["x", "é"])
def test_bcrypt_never_cuts_a_password(extra, start, shop):
    """passlib and bcrypt 4 hash the first 72 bytes and let in whoever knows them."""
    long = "x" * 72 + extra
    users = [{"username": "long", "password_hash": bcrypt.hashpw(long.encode(), bcrypt.gensalt(6)).decode(), "scopes": ["me"]}]
    doorward = start(shop.url, {"telemetry": {"format": "json"}}, users)
    wrong = failed_login(doorward, "nobody", "wrong")
    assert failed_login(doorward, "long", long) == wrong
    # The log is written beside the answer.
    until(lambda: doorward.records(audit="refused", reason="password-too-long"), what="the audit record")
    [record] = doorward.records(audit="refused", reason="password-too-long")
    assert record["what"] == "login"
    assert long not in str(doorward.records()) and "x" * 72 not in str(doorward.records())


# What doorward makes of a bcrypt hash when it replaces it at login: `users/password/renew.rs` has the same text.
RENEWED = "$argon2id$v=19$m=19456,t=2,p=1$qxG6qwE82gj+E9gvkaY5sSRpVqyKz/dj$8D7vuLl4DH8l0L8RwqjDpVDVujN+K1XKUVuBKoyJZZ8"


def by_django(password, encoded):
    django("argon2")
    return check_password(password, encoded)


READERS = {
    # passlib's handler becomes another one when it is first used.
    "passlib": lambda password, encoded: passlib.argon2.verify(password, encoded),
    "argon2-cffi": lambda password, encoded: argon2.PasswordHasher().verify(encoded, password),
}


@pytest.mark.parametrize("verify", READERS.values(), ids=READERS)
def test_a_renewed_hash_is_read_by_other_libraries(verify):
    assert verify("correct horse", RENEWED)
    try:
        assert not verify("correct horsf", RENEWED)
    except argon2.exceptions.VerifyMismatchError:
        pass


def test_a_renewed_hash_of_django_is_read_by_django(start, shop):
    assert by_django("correct horse", "argon2" + RENEWED)
    assert not by_django("correct horsf", "argon2" + RENEWED)
    users = [{"username": name, "password_hash": text, "scopes": ["me"]} for name, text in (("plain", RENEWED), ("django", "argon2" + RENEWED))]
    doorward = start(shop.url, users=users)
    for name in ("plain", "django"):
        assert doorward.login(name, "correct horse")["scope"] == "me"
