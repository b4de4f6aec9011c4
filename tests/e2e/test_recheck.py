"""What users lose, their tokens and sessions lose: disabled, deleted, demoted, or with another password, by an edit of the users file."""

import base64
import json
import time

import pytest
from conftest import people
from sidecar import password_hash, replace, until
from streams import ENDS_WITHIN, POLICY
from test_reload import reloaded
from test_streaming import Stream, ended
from test_websocket import closed_by_doorward, open_socket

# The file is looked at twice a second; the rest is for a machine that is busy with other tests.
KNOWN_WITHIN = 1.5


def with_changes(name, **changes):
    """Everybody, `name` changed; without `name` if nothing is to be changed."""
    rest = [user for user in people() if user["username"] != name]
    return rest + [user | changes for user in people() if user["username"] == name and changes]


CHANGES = {
    # What becomes of the user: a path, and what a token of before is answered there.
    "disabled": ({"disabled": True}, "/users/me", 401, "user-disabled"),
    "deleted": ({}, "/users/me", 401, "user-disabled"),
    "demoted": ({"scopes": ["me"]}, "/items", 403, "insufficient-scope"),
    "another password": ({"password_hash": password_hash("another")}, "/users/me", 401, "revoked"),
}


@pytest.mark.parametrize("recheck", [None, "1s"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_file_holds_for_tokens_of_before(change, recheck, shop, start):
    changes, path, status, reason = CHANGES[change]
    doorward = start(shop.url, {"users": {"recheck": recheck}})
    token, others = doorward.login()["access_token"], doorward.login("siobhan", "se cret&+é")["access_token"]
    # Remembered as verified: that must not hide the change.
    for _ in range(2):
        assert doorward.call(path, token).status_code == 200
    until(lambda: len(shop.seen(path)) == 2, what="both requests at the upstream")
    doorward.write_users(with_changes("johndoe", **changes))
    before = time.monotonic()
    [answer] = until(lambda: refusals(doorward, path, token), deadline=10, what="the first refusal")
    took = time.monotonic() - before
    assert took <= KNOWN_WITHIN, took
    shop.forget()
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    for _ in range(3):
        assert doorward.call(path, token).status_code == status
    assert not shop.seen(path), "nothing of it reaches the upstream"
    assert doorward.call(path, others).status_code == 200, "another user's token goes on"


def refusals(doorward, path, token):
    answer = doorward.call(path, token)
    # In a list, since a refusal counts as false.
    return [answer] if answer.status_code != 200 else []


def test_a_disabled_user_is_answered_as_a_revoked_token_is(shop, start):
    doorward = start(shop.url)
    revoked, disabled = doorward.login()["access_token"], doorward.login("erin")["access_token"]
    doorward.revoke(revoked)
    doorward.write_users(with_changes("erin", disabled=True))
    assert reloaded(doorward) == "ok"
    one, other = doorward.call("/items", revoked), doorward.call("/items", disabled)
    assert (one.status_code, other.status_code) == (401, 401)
    assert other.headers["WWW-Authenticate"] == one.headers["WWW-Authenticate"]
    assert "The access token was revoked" in other.headers["WWW-Authenticate"]
    assert other.json() == one.json() | {"reason": "user-disabled"}


REFRESHES = {
    # Case 64, and what else may have become of the user: whether the session goes on.
    "disabled": ({"disabled": True}, False),
    "deleted": ({}, False),
    "another password": ({"password_hash": password_hash("another")}, False),
    "the same password, set anew": ({"password_hash": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAnAx"}, False),
    "another name": ({"full_name": "John J. Doe"}, True),
    "demoted": ({"scopes": ["me"]}, True),
}


@pytest.mark.parametrize("change", REFRESHES)
def test_refresh_after_a_change(change, shop, start):
    changes, goes_on = REFRESHES[change]
    doorward = start(shop.url)
    session, others = doorward.login(), doorward.login("siobhan", "se cret&+é")
    doorward.write_users(with_changes("johndoe", **changes))
    assert reloaded(doorward) == "ok"
    answer = doorward.refresh(session["refresh_token"])
    if goes_on:
        assert answer.status_code == 200
        assert answer.json()["scope"] == " ".join(changes.get("scopes", ["me", "items", "items:write"]))
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert answer.json()["error_description"] == "Invalid refresh token"
    assert doorward.refresh(others["refresh_token"]).status_code == 200, "another user's session goes on"


def test_a_session_that_was_ended_does_not_come_back(shop, start):
    doorward = start(shop.url, {"telemetry": {"format": "json"}})
    session = doorward.login()
    doorward.write_users(with_changes("johndoe", password_hash=password_hash("another")))
    assert reloaded(doorward) == "ok"
    assert doorward.refresh(session["refresh_token"]).status_code == 400
    [refused] = until(lambda: doorward.records(audit="refused", reason="password-changed"), what="the record")
    assert refused["what"] == "refresh"
    [ended_session] = until(lambda: doorward.records(audit="revoked", kind="session"), what="the record")
    assert ended_session["subject"] == "johndoe"
    [tokens] = until(lambda: doorward.records(audit="revoked", kind="subject"), what="the record")
    assert tokens["subject"] == "johndoe"
    # Not even when the old hash does.
    doorward.write_users(people())
    assert reloaded(doorward) == "ok"
    assert doorward.refresh(session["refresh_token"]).status_code == 400
    assert doorward.call("/users/me", session["access_token"]).status_code == 401
    fresh = doorward.login()
    assert doorward.call("/users/me", fresh["access_token"]).status_code == 200
    assert doorward.refresh(fresh["refresh_token"]).status_code == 200


def test_sessions_outlive_a_restart_and_a_change_of_server_keys(shop, start):
    doorward = start(shop.url)
    old = doorward.settings["server_keys"]
    session = doorward.login()
    # Both keys, then the new one alone: what was refreshed in between goes on.
    for keys in (["the new server key, which is as long as it must be"] + old, ["the new server key, which is as long as it must be"]):
        doorward.write(doorward.settings | {"server_keys": keys})
        doorward.stop()
        doorward.start()
        session = doorward.refresh(session["refresh_token"])
        assert session.status_code == 200
        session = session.json()
    doorward.write_users(with_changes("johndoe", password_hash=password_hash("another")))
    assert reloaded(doorward) == "ok"
    assert doorward.refresh(session["refresh_token"]).status_code == 400


def test_a_password_that_was_changed_meanwhile_ends_sessions_after_a_restart(shop, start):
    doorward = start(shop.url)
    session = doorward.login()
    doorward.stop()
    doorward.write_users(with_changes("johndoe", password_hash=password_hash("another")))
    doorward.start()
    assert doorward.refresh(session["refresh_token"]).status_code == 400


def test_a_broken_edit_ends_nobodys_tokens(shop, start):
    doorward = start(shop.url)
    sessions = [doorward.login(), doorward.login("siobhan", "se cret&+é")]
    users = doorward.directory / "users.yaml"
    good = users.read_text()
    broken = [good.replace("username: siobhan", "username: [siobhan"), good.replace("disabled: true", "disabled: maybe"), "", "\0" * 200]
    for text in broken:
        replace(users, text)
        assert reloaded(doorward) == "refused"
        doorward.output.wait_for(lambda line: "users" in line and "refused" in line)
        for session in sessions:
            assert doorward.call("/users/me", session["access_token"]).status_code == 200
    users.unlink()
    assert reloaded(doorward) == "refused"
    for session in sessions:
        assert doorward.call("/users/me", session["access_token"]).status_code == 200
        assert doorward.refresh(session["refresh_token"]).status_code == 200
    # Whereas an empty list is meant.
    doorward.write_users([])
    assert reloaded(doorward) == "ok"
    assert doorward.call("/users/me", sessions[0]["access_token"]).json()["reason"] == "user-disabled"


@pytest.mark.parametrize("change", [{"disabled": True}, {"scopes": ["items"]}, {}])
def test_streams_end(change, applications, start):
    gate = start(applications("streams").url, {"policy": POLICY})
    token, others = gate.login()["access_token"], gate.login("siobhan", "se cret&+é")["access_token"]
    with open_socket(gate, token) as socket, open_socket(gate, others) as someone_else, Stream(gate) as stream:
        events = stream.get("/events", token)
        gate.write_users(with_changes("johndoe", **change))
        before = time.time()
        assert reloaded(gate) == "ok"
        assert closed_by_doorward(socket) - before <= ENDS_WITHIN
        assert ended(events) - before <= ENDS_WITHIN
        someone_else.send("x")
        assert someone_else.recv(timeout=10) == "x"


def test_what_was_ended_does_not_come_back_with_the_user(shop, start):
    """Disabled, taken out or changed and then as before, and nobody was there meanwhile to see it refused."""
    doorward = start(shop.url)
    for changes in ({"disabled": True}, {}, {"password_hash": password_hash("another")}):
        session = doorward.login()
        time.sleep(max(0.0, int(time.time()) + 1.01 - time.time()))
        doorward.write_users(with_changes("johndoe", **changes))
        assert reloaded(doorward) == "ok"
        doorward.write_users(people())
        assert reloaded(doorward) == "ok"
        shop.forget()
        refused = doorward.call("/users/me", session["access_token"])
        assert (refused.status_code, refused.json()["reason"]) == (401, "revoked"), changes
        assert not shop.seen(), changes
        # As soon as that: dated behind what was ended.
        fresh = doorward.login()
        assert doorward.call("/users/me", fresh["access_token"]).status_code == 200, changes
        assert doorward.refresh(session["refresh_token"]).status_code == 400, changes
        assert doorward.refresh(fresh["refresh_token"]).status_code == 200, changes


def test_a_change_while_doorward_was_down_is_known_when_the_user_comes_back(shop, start):
    doorward = start(shop.url)
    session = doorward.login()
    doorward.stop()
    doorward.write_users(with_changes("johndoe", disabled=True))
    doorward.start()
    doorward.write_users(people())
    assert reloaded(doorward) == "ok"
    assert doorward.call("/users/me", session["access_token"]).json()["reason"] == "revoked"
    assert doorward.refresh(session["refresh_token"]).status_code == 400


def test_a_slip_in_a_hash_logs_nobody_out_for_good(shop, start):
    doorward = start(shop.url, {"telemetry": {"format": "json"}})
    session = doorward.login()
    doorward.write_users(with_changes("johndoe", password_hash="$argon2id$v=19$m=64,t=1"))
    assert reloaded(doorward) == "ok"
    assert doorward.call("/users/me", session["access_token"]).json()["reason"] == "user-disabled"
    assert doorward.refresh(session["refresh_token"]).status_code == 400
    [_] = until(lambda: doorward.records(audit="refused", reason="user-unusable"), what="the record")
    doorward.write_users(people())
    assert reloaded(doorward) == "ok"
    assert doorward.call("/users/me", session["access_token"]).status_code == 200
    assert doorward.refresh(session["refresh_token"]).status_code == 200
    # Whereas another hash is another password, however it came about.
    session = doorward.login()
    for changes in ({"password_hash": "$argon2id$v=19$m=64,t=1"}, {"password_hash": password_hash("another")}):
        doorward.write_users(with_changes("johndoe", **changes))
        assert reloaded(doorward) == "ok"
    assert doorward.call("/users/me", session["access_token"]).json()["reason"] == "revoked"
    assert doorward.refresh(session["refresh_token"]).status_code == 400


def test_headers_tell_what_the_gate_decided_with(shop, start):
    users = [user | {"roles": ["staff", "admin"]} if user["username"] == "johndoe" else user for user in people()]
    headers = {"X-Forwarded-User": "sub", "X-Forwarded-Groups": "roles", "X-Doorward-Scopes": "scope", "X-All": "*"}
    changes = {"upstream": {"identity_headers": headers}, "tokens": {"scope_claim": "scopes", "claims": ["roles"]}}
    doorward = start(shop.url, changes, users=users)
    token = doorward.login()["access_token"]
    changed = [user | {"roles": ["staff"], "scopes": ["me"]} if user["username"] == "johndoe" else user for user in users]
    doorward.write_users(changed)
    assert reloaded(doorward) == "ok"
    assert doorward.call("/users/me", token).status_code == 200
    seen = shop.seen("/users/me")[-1]
    everything = json.loads(base64.urlsafe_b64decode(seen.header("X-All") + "=="))
    assert (seen.header("X-Forwarded-Groups"), seen.header("X-Doorward-Scopes")) == ("staff", "me")
    assert (everything["roles"], everything["scopes"], everything["scope"]) == (["staff"], ["me"], "me")


def test_an_emptied_file_says_how_to_undo_it(shop, start):
    doorward = start(shop.url, {"telemetry": {"format": "json"}})
    doorward.write_users([])
    assert reloaded(doorward) == "ok"
    doorward.output.wait_for(lambda line: "nobody is in the users file any more" in line and "put them back" in line)
