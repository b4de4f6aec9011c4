"""Changing the configuration and the users under a running process; a broken edit changes nothing, loudly."""

import signal

import jwt
import pytest
from conftest import people
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sidecar import merge, password_hash, replace, until

NEWCOMER = {"username": "newcomer", "password_hash": password_hash("welcome"), "scopes": ["items"]}


def can_log_in(doorward, username, password):
    return doorward.post("/token", {"username": username, "password": password}).status_code == 200


def reloaded(doorward):
    """Sends SIGHUP and waits for its outcome: whether it succeeded."""
    start = len(doorward.output.lines)
    doorward.signal(signal.SIGHUP)
    return doorward.output.wait_for(lambda line: outcome(line), start)


def outcome(line):
    if "reloaded" not in line or "audit" not in line:
        return None
    return "ok" if "ok=true" in line or '"ok":true' in line else "refused"


# Who asks again and again whether a user is there by now would be throttled.
UNTHROTTLED = {"users": {"throttle": None}}


def test_users_file_is_followed(shop, start):
    doorward = start(shop.url, UNTHROTTLED)
    old = doorward.login("erin")["access_token"]
    assert not can_log_in(doorward, "newcomer", "welcome")
    doorward.write_users(people() + [NEWCOMER])
    until(lambda: can_log_in(doorward, "newcomer", "welcome"), what="the new user")
    assert doorward.metric("doorward_config_last_reload_successful") == 1
    assert doorward.probe("/readyz?verbose").status_code == 200

    users = doorward.directory / "users.yaml"
    mended = users.read_text()
    replace(users, mended.replace("username: newcomer", "username: [newcomer"))
    until(lambda: doorward.metric("doorward_config_last_reload_successful") == 0, what="the gauge")
    assert can_log_in(doorward, "newcomer", "welcome"), "the last good one stays"
    ready = doorward.probe("/readyz?verbose")
    assert ready.status_code == 200 and "users.yaml" in ready.text, "it serves, and says what is wrong"
    doorward.output.wait_for(lambda line: "users.yaml" in line and ":" in line)

    without_erin = [user for user in people() if user["username"] != "erin"]
    doorward.write_users(without_erin + [NEWCOMER])
    until(lambda: doorward.metric("doorward_config_last_reload_successful") == 1, what="the gauge")
    assert "users.yaml" not in doorward.probe("/readyz?verbose").text
    assert not can_log_in(doorward, "erin", "secret")
    assert doorward.call("/items", old).json()["reason"] == "user-disabled"


@pytest.mark.parametrize("left", [None, b"", b"\0" * 200])
def test_a_users_file_that_vanished_logs_nobody_out(left, shop, start):
    doorward = start(shop.url)
    users = doorward.directory / "users.yaml"
    if left is None:
        users.unlink()
    else:
        users.write_bytes(left)
    assert reloaded(doorward) == "refused"
    assert can_log_in(doorward, "johndoe", "secret")
    assert doorward.metric("doorward_config_last_reload_successful") == 0
    assert "users" in doorward.probe("/readyz?verbose").text
    doorward.write_users([])
    assert reloaded(doorward) == "ok"
    assert not can_log_in(doorward, "johndoe", "secret"), "an empty list is meant"


def test_disabled_user_gets_no_new_tokens(shop, start):
    """Case 64."""
    doorward = start(shop.url)
    session = doorward.login("erin")
    assert doorward.call("/items", session["access_token"]).status_code == 200
    doorward.write_users([user | {"disabled": user["username"] in ("alice", "erin")} for user in people()])
    assert reloaded(doorward) == "ok"
    answer = doorward.refresh(session["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_broken_configuration_keeps_the_old_one(shop, start):
    doorward = start(shop.url)
    token = doorward.login()["access_token"]
    good = doorward.settings
    stamp = doorward.metric("doorward_config_last_reload_success_timestamp_seconds")
    doorward.write(good | {"surprise": 1})
    assert reloaded(doorward) == "refused"
    assert doorward.metric("doorward_config_last_reload_successful") == 0
    assert doorward.metric("doorward_config_last_reload_success_timestamp_seconds") == stamp
    line = doorward.config.read_text().splitlines().index("surprise: 1") + 1
    assert f"{doorward.config}:{line}:1: unknown-key: " in doorward.output.text
    ready = doorward.probe("/readyz?verbose")
    assert ready.status_code == 200 and "doorward.yaml" in ready.text
    assert doorward.call("/users/me", token).status_code == 200

    doorward.write(merge(good, {"policy": {"routes": [{"path": "/users/me", "scopes": ["admin"]}]}}))
    assert reloaded(doorward) == "ok"
    assert doorward.metric("doorward_config_last_reload_successful") == 1
    assert doorward.call("/users/me", token).json()["reason"] == "insufficient-scope", "the new policy, for tokens already cached too"


def test_what_needs_a_restart_is_named(shop, start):
    doorward = start(shop.url)
    doorward.write(merge(doorward.settings, {"data_dir": "elsewhere", "tokens": {"access_ttl": "5m"}}))
    start_line = len(doorward.output.lines)
    assert reloaded(doorward) == "ok"
    doorward.output.wait_for(lambda line: "restart" in line and "data_dir" in line, start_line)
    assert doorward.login()["expires_in"] == 300, "the rest is in force"


def test_keys_are_rotated_by_reload(shop, start, tmp_path):
    """Case 175: new kid used, old tokens good for as long as the old key is listed."""

    def new_key(name):
        file = tmp_path / name
        file.touch(0o600)
        key = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        file.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        return {"file": str(file)}

    old, new = new_key("old.pem"), new_key("new.pem")
    doorward = start(shop.url, {"tokens": {"keys": [old]}})
    first = doorward.login()
    doorward.write(merge(doorward.settings, {"tokens": {"keys": [new, old]}}))
    assert reloaded(doorward) == "ok"
    second = doorward.login()
    kids = [jwt.get_unverified_header(session["access_token"])["kid"] for session in (first, second)]
    assert kids[0] != kids[1]
    for session in (first, second):
        assert doorward.call("/users/me", session["access_token"]).status_code == 200
    doorward.write(merge(doorward.settings, {"tokens": {"keys": [new]}}))
    assert reloaded(doorward) == "ok"
    refused = doorward.call("/users/me", first["access_token"])
    assert (refused.status_code, refused.json()["reason"]) == (401, "unknown-key")
    assert doorward.call("/users/me", second["access_token"]).status_code == 200
    renewed = doorward.refresh(first["refresh_token"])
    assert renewed.status_code == 200, "the session outlives the key: refresh tokens hang on server_keys"
    assert jwt.get_unverified_header(renewed.json()["access_token"])["kid"] == kids[1]


def test_swapped_key_file_is_noticed(shop, start, tmp_path):
    file = tmp_path / "signing.pem"

    def write_key():
        key = ec.generate_private_key(ec.SECP256R1())
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        draft = tmp_path / "draft.pem"
        draft.touch(0o600)
        draft.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
        draft.rename(file)

    write_key()
    doorward = start(shop.url, {"tokens": {"keys": [{"file": str(file)}]}})
    kid = jwt.get_unverified_header(doorward.login()["access_token"])["kid"]
    write_key()
    until(lambda: jwt.get_unverified_header(doorward.login()["access_token"])["kid"] != kid, what="the new key")


@pytest.mark.parametrize("mounted", ["users.yaml", "doorward.yaml"])
def test_kubernetes_swaps_symlinks(mounted, shop, prepare):
    """A Secret or ConfigMap volume: FILE → ..data/FILE, ..data → a dated directory, and the second link is replaced."""
    doorward = prepare(shop.url, UNTHROTTLED)
    volume = doorward.directory

    def publish(date, text):
        (volume / date).mkdir()
        (volume / date / mounted).write_text(text)
        (volume / "..data_tmp").symlink_to(date)
        (volume / "..data_tmp").rename(volume / "..data")

    text = (volume / mounted).read_text()
    (volume / mounted).unlink()
    publish("..2024_01_01", text)
    (volume / mounted).symlink_to(f"..data/{mounted}")
    doorward.start()
    assert not can_log_in(doorward, "newcomer", "welcome")
    if mounted == "users.yaml":
        changed = text.replace("username: erin", "username: newcomer").replace(password_hash("secret"), password_hash("welcome"))
        publish("..2024_01_02", changed)
        until(lambda: can_log_in(doorward, "newcomer", "welcome"), what="the new user")
        assert not can_log_in(doorward, "erin", "secret")
    else:
        publish("..2024_01_02", text.replace("policy:", "policy:\n  default: public"))
        until(lambda: doorward.call("/nowhere").status_code == 404, what="the new default")
    assert doorward.metric("doorward_config_last_reload_successful") == 1
