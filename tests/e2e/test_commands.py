"""The commands, judged by other people's tools: openssl, passlib, PyJWT."""

import base64
import hashlib
import json
import os
import re
import subprocess

import bcrypt
import jwt
import pytest
import yaml
from conftest import SHARED_SECRET
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from passlib.hash import argon2, pbkdf2_sha256, scrypt


@pytest.fixture
def run(binary, tmp_path):
    """Runs doorward to its end in an empty directory and hands back what it did."""

    def run(*arguments, stdin=""):
        command = [binary, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)

    return run


KEYS = [
    ("ES256", [], "Private-Key: (256 bit)", "NIST CURVE: P-256"),
    ("ES256", ["--alg", "ES256"], "Private-Key: (256 bit)", "NIST CURVE: P-256"),
    ("ES384", ["--alg", "ES384"], "Private-Key: (384 bit)", "NIST CURVE: P-384"),
    ("EdDSA", ["--alg", "EdDSA"], "ED25519 Private-Key:", "pub:"),
    ("RS256", ["--alg", "RS256"], "Private-Key: (2048 bit", "publicExponent: 65537"),
    ("RS384", ["--alg", "RS384", "--bits", "2048"], "Private-Key: (2048 bit", "publicExponent: 65537"),
    ("RS512", ["--alg", "RS512", "--bits", "4096"], "Private-Key: (4096 bit", "publicExponent: 65537"),
    ("PS256", ["--alg", "PS256"], "Private-Key: (2048 bit", "publicExponent: 65537"),
    ("PS384", ["--alg", "PS384", "--bits", "3072"], "Private-Key: (3072 bit", "publicExponent: 65537"),
    ("PS512", ["--alg", "PS512"], "Private-Key: (2048 bit", "publicExponent: 65537"),
]


@pytest.mark.parametrize("case", KEYS, ids=lambda case: " ".join(case[1]) or "default")
def test_keygen_makes_what_openssl_reads(case, run, tmp_path):
    algorithm, arguments, *expected = case
    result = run("keygen", *arguments, "--out", "key.pem")
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    file = tmp_path / "key.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    command = ["openssl", "pkey", "-in", file, "-noout", "-text", "-check"]
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    for line in expected:
        assert line in read.stdout
    key = load_pem_private_key(file.read_bytes(), None)
    signed = jwt.encode({"sub": "johndoe"}, key, algorithm=algorithm)
    assert jwt.decode(signed, key.public_key(), algorithms=[algorithm]) == {"sub": "johndoe"}


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_keygen_makes_secrets_that_are_long_enough(algorithm, least, run, tmp_path):
    secrets = {run("keygen", "--alg", algorithm).stdout for _ in range(3)}
    assert len(secrets) == 3
    for secret in secrets:
        assert secret.endswith("\n") and len(base64.urlsafe_b64decode(secret.strip() + "==")) >= least
    result = run("keygen", "--alg", algorithm, "--out", "secret.key")
    assert result.returncode == 0 and f"secret.key: {algorithm}, kid " in result.stderr
    assert (tmp_path / "secret.key").read_text().strip() not in result.stderr


def test_keygen_makes_a_secret_for_a_client(run):
    made = [run("keygen", "--client-secret") for _ in range(2)]
    for result in made:
        secret, stored = result.stdout.split("\n")[:2]
        assert (result.returncode, result.stderr) == (0, "")
        assert re.fullmatch(r"[A-Za-z0-9]{32}", secret)
        assert stored == "$sha256$" + base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode().rstrip("=")
    assert made[0].stdout != made[1].stdout
    for argument in (["--alg", "ES256"], ["--out", "x"]):
        assert run("keygen", "--client-secret", *argument).returncode == 2


def test_keygen_prints_a_new_key_each_time_and_overwrites_none(run, tmp_path):
    first, second = run("keygen"), run("keygen")
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.startswith("-----BEGIN PRIVATE KEY-----\n") and first.stdout != second.stdout
    file = tmp_path / "key.pem"
    file.write_text("precious")
    refused = run("keygen", "--out", "key.pem")
    assert refused.returncode == 2 and "`key.pem` is there, and a key is never overwritten" in refused.stderr
    assert file.read_text() == "precious"
    unknown = run("keygen", "--alg", "HS1")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    for arguments in (["--alg", "RS256", "--bits", "1024"], ["--alg", "ES256", "--bits", "2048"]):
        refused = run("keygen", *arguments)
        assert (refused.returncode, refused.stdout) == (2, ""), arguments


@pytest.mark.parametrize("password", ["secret", "se cret&+é", " blanks kept ", "x" * 1024])
def test_hash_password_makes_what_passlib_verifies(password, run):
    result = run("hash-password", stdin=password + "\n")
    assert result.returncode == 0, result.stderr
    phc = result.stdout.removesuffix("\n")
    assert phc.startswith("$argon2id$v=19$") and "\n" not in phc
    assert argon2.verify(password, phc)
    assert not argon2.verify(password + "x", phc)
    assert run("hash-password", stdin=password + "\n").stdout != result.stdout, "salted"


@pytest.mark.parametrize("scheme, start_of_hash, verifies", [
    ("bcrypt", "$2b$12$", lambda password, hash: bcrypt.hashpw(password.encode(), hash.encode()) == hash.encode()),
    # Looked up late: passlib replaces these when they are first used.
    ("scrypt", "$scrypt$ln=17,r=8,p=1$", lambda password, hash: scrypt.verify(password, hash)),
    ("pbkdf2-sha256", "$pbkdf2-sha256$600000$", lambda password, hash: pbkdf2_sha256.verify(password, hash)),
    ("argon2id", "$argon2id$v=19$", lambda password, hash: argon2.verify(password, hash)),
])
def test_hash_password_of_other_schemes_is_what_other_libraries_verify(scheme, start_of_hash, verifies, run, shop, start):
    result = run("hash-password", "--scheme", scheme, stdin="se cret&+é\n")
    assert result.returncode == 0, result.stderr
    made = result.stdout.removesuffix("\n")
    assert made.startswith(start_of_hash)
    assert verifies("se cret&+é", made) and not verifies("se cret&+e", made)
    doorward = start(shop.url, users=[{"username": "newcomer", "password_hash": made, "scopes": ["me"]}])
    assert doorward.login("newcomer", "se cret&+é")["scope"] == "me"


def test_hash_password_refuses_what_could_not_log_in(run):
    for arguments, password, why in [
        (["--scheme", "bcrypt"], "x" * 73, "72 bytes"),
        (["--scheme", "bcrypt"], "é" * 37, "72 bytes"),
        (["--scheme", "md5"], "secret", "argon2id, bcrypt, scrypt, pbkdf2-sha256"),
        ([], "se\0cret", "control character"),
        ([], "se\ncret", "one line"),
        ([], "\nsecret", "one line"),
        (["--scheme", "bcrypt"], "se\tcret", "one line"),
        ([], "", "empty"),
    ]:
        refused = run("hash-password", *arguments, stdin=password + "\n")
        assert (refused.returncode, refused.stdout) == (2, "") and why in refused.stderr, (arguments, password)


def test_hash_password_refuses_what_is_no_text(binary):
    refused = subprocess.run([binary, "hash-password"], input=b"se\xffcret", capture_output=True, timeout=60, check=False)
    assert (refused.returncode, refused.stdout) == (2, b"") and b"UTF-8" in refused.stderr


@pytest.mark.parametrize("arguments", [["hash-password"], ["check", "--config"], ["user", "list", "--config"], ["user", "list", "--json", "--config"], ["keygen"]])
def test_whoever_reads_may_go_away(arguments, binary, shop, start):
    configuration = [start(shop.url).config] if arguments[-1] == "--config" else []
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([binary, *arguments, *configuration], input=b"secret", stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


def test_hashed_password_logs_in(run, shop, start):
    phc = run("hash-password", stdin="a new password\n").stdout.strip()
    doorward = start(shop.url, users=[{"username": "newcomer", "password_hash": phc, "scopes": ["me"]}])
    assert doorward.login("newcomer", "a new password")["scope"] == "me"


def test_token_inspect_agrees_with_pyjwt(run, shop, start, tmp_path):
    doorward = start(shop.url)
    token = doorward.login()["access_token"]
    seen = json.loads(run("token", "inspect", stdin=token + "\n").stdout)
    assert seen["header"] == jwt.get_unverified_header(token)
    assert seen["claims"] == jwt.decode(token, options={"verify_signature": False})
    assert seen["verified"] is False, "no configuration, no key to verify with"

    result = run("token", "inspect", "--config", doorward.config, stdin=token)
    assert result.returncode == 0, result.stderr
    verified = json.loads(result.stdout)
    assert verified["claims"] == jwt.decode(token, SHARED_SECRET, algorithms=["HS256"])
    assert verified["verified"] is True

    forged = jwt.encode(seen["claims"], "another secret that is long enough for HS256", algorithm="HS256")
    result = run("token", "inspect", "--config", doorward.config, stdin=forged)
    assert result.returncode == 1
    assert json.loads(result.stdout)["verified"] is False
    for garbage in ("", "not a token", "a.b.c"):
        refused = run("token", "inspect", stdin=garbage)
        assert refused.returncode != 0 and refused.stderr != ""
        assert "panicked" not in refused.stderr


def test_check_says_what_is_wrong_and_where(run, shop, prepare):
    doorward = prepare(shop.url)
    good = run("check", "--config", doorward.config)
    assert good.returncode == 0, good.stdout + good.stderr
    assert not (doorward.directory / "data").exists(), "checking makes nothing"
    text = doorward.config.read_text()
    assert text.count("lame_duck: 0s") == 1
    doorward.config.write_text(text.replace("lame_duck: 0s", "lame_duck: 0 parsecs") + "surprise: 1\n")
    bad = run("check", "--config", doorward.config)
    assert bad.returncode == 1
    report = bad.stdout + bad.stderr
    for needle in ("lame_duck: ", "surprise: "):
        number, line = next((n, line) for n, line in enumerate(doorward.config.read_text().splitlines(), 1) if needle in line)
        column = line.index(needle) + 1
        value = column + len(needle)
        places = [f"{doorward.config}:{number}:{at}: " for at in (column, value)]
        assert any(place in report for place in places), f"{places} in:\n{report}"
    assert SHARED_SECRET not in report


def test_check_ends_with_what_goes_beyond_strict(run, shop, prepare):
    """What stands there depends on the configuration, and nothing does where nothing is accepted beyond it."""
    client = {"id": "web", "grants": ["password", "refresh_token"]}
    strict = {"profile": "strict", "clients": [client], "tokens": {"audience": ["api"]}}
    title = "`profile: compat` accepts here what `strict` does not:"
    said = "accepted here beyond `profile: strict`, because the configuration says so:"
    common = ["grant-type", "multipart", "json", "query-tokens"]
    own = ["audience", "typ", "token-types", "refresh-grace"]
    for number, (changes, heading, names) in enumerate([
        ({}, title, [*common, "password-grant", *own]),
        ({"clients": [client]}, title, [*common, "default-client", "unknown-client", "unnamed-client", *own]),
        ({"clients": [client], "wire": {"insufficient_scope_status": 401, "query_tokens": False}, "tokens": {"audience": ["api"]}}, title,
         ["grant-type", "multipart", "json", "default-client", "unknown-client", "unnamed-client", "typ", "token-types", "refresh-grace", "insufficient-scope"]),
        (strict | {"wire": {"query_tokens": True}}, said, ["query-tokens"]),
        (strict, None, []),
    ]):
        doorward = prepare(shop.url, changes, name=f"doorward-{number}")
        checked = run("check", "--config", doorward.config)
        assert (checked.returncode, checked.stderr) == (0, ""), checked
        before, _, rest = checked.stdout.partition(": ok, 10 routes, 4 users\n")
        lines = rest.splitlines()
        assert lines[:1] == ([heading] if heading else []), checked.stdout
        assert [line.split(":")[0].strip() for line in lines[1:]] == names, checked.stdout
        # A secret that others may share signs these tokens, and without an audience they are for everybody who has it.
        has_audience = "audience" in changes.get("tokens", {})
        assert (": shared-secret: " in before) == (not has_audience), checked.stdout
        assert "shared-secret" not in rest
        assert SHARED_SECRET not in checked.stdout


def test_check_reads_the_users_file_too(run, shop, prepare):
    doorward = prepare(shop.url)
    place = f"{doorward.directory / 'users.yaml'}:"
    doorward.write_users([{"username": "johndoe", "password_hash": "plain text canary"}])
    warned = run("check", "--config", doorward.config)
    assert warned.returncode == 0, "that user cannot log in, the others can"
    assert f"{place}2:18: bad-hash: " in warned.stdout and "canary" not in warned.stdout
    doorward.write_users([{"username": "johndoe", "password_hash": "plain text canary", "canary": 1}])
    refused = run("check", "--config", doorward.config)
    assert refused.returncode == 1
    assert f"{place}3:3: " in refused.stdout and "canary" not in refused.stdout


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["no-such-command"], ["check", "--config"], ["serve", "--config"], ["token"]])
def test_bad_usage(arguments, run):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr != ""


@pytest.mark.parametrize("command", ["check", "serve"])
def test_missing_configuration(command, run, tmp_path):
    result = run(command, "--config", tmp_path / "absent.yaml")
    assert result.returncode == {"check": 1, "serve": 2}[command]
    assert "absent.yaml" in {"check": result.stdout, "serve": result.stderr}[command]


WEAK = ["your-secret-key", "31 bytes are one too few to use"]


@pytest.mark.parametrize("secret", WEAK)
def test_weak_secret_does_not_start(secret, run, shop, prepare):
    """Case 128."""
    doorward = prepare(shop.url)
    settings = yaml.safe_load(doorward.config.read_text())
    settings["tokens"]["keys"] = [{"algorithm": "HS256", "secret": secret}]
    doorward.write(settings)
    result = run("serve", "--config", doorward.config)
    assert result.returncode != 0 and f"{doorward.config}:" in result.stderr
    assert secret not in result.stdout + result.stderr
