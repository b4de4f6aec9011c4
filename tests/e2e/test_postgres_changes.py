"""Tokens and sessions of users whose row changes, with `users.recheck`."""

import time

import jwt
import pytest
from conftest import SHARED_SECRET
from sidecar import password_hash, until
from test_postgres_users import RIGHT, database, log_in, over, server  # noqa: F401

QUERY = "SELECT name AS username, hash AS password_hash, disabled, scopes, roles FROM accounts WHERE name = $1"
SOON = {"users": {"recheck": "1s"}, "tokens": {"claims": ["roles"]}}
# One for the answer that is known, one for the question; the rest is for a machine that is busy with other tests.
KNOWN_WITHIN = 2.5


@pytest.fixture
def accounts(database):
    database.execute("CREATE TABLE accounts (name text, hash text, disabled boolean DEFAULT false, scopes text, roles text[])")
    for name in ("johndoe", "siobhan"):
        database.execute("INSERT INTO accounts VALUES (%s, %s, false, 'me items', ARRAY['staff', 'admin'])", (name, quick(RIGHT)))
    return database


def quick(password):
    return password_hash(password, memory_kib=64, passes=1)


def change(accounts, setting, *values):
    accounts.execute(f"UPDATE accounts SET {setting} WHERE name = 'johndoe'", values)


def refusal(doorward, token):
    answer = doorward.call("/users/me", token)
    # In a list, since a refusal counts as false.
    return [answer] if answer.status_code != 200 else []


def test_another_password_ends_tokens_and_sessions(accounts, over, shop):
    doorward = over({"url": accounts.url(), "query": QUERY}, SOON | {"telemetry": {"format": "json"}}).start()
    session, others = doorward.login("johndoe", RIGHT), doorward.login("siobhan", RIGHT)
    assert doorward.call("/users/me", session["access_token"]).status_code == 200
    # A reload forgets nothing of it.
    doorward.write(doorward.settings | {"server": doorward.settings["server"] | {"cors": {"allow_origins": ["https://app.example.com"]}}})
    until(lambda: doorward.records(audit="reloaded", ok=True), what="the reload")
    change(accounts, "hash = %s", quick("another"))
    before = time.monotonic()
    [answer] = until(lambda: refusal(doorward, session["access_token"]), deadline=10, what="the first refusal")
    assert time.monotonic() - before <= KNOWN_WITHIN
    assert (answer.status_code, answer.json()["reason"]) == (401, "revoked")
    shop.forget()
    for _ in range(3):
        assert doorward.call("/users/me", session["access_token"]).status_code == 401
    assert not shop.seen(), "nothing of it reaches the upstream"
    assert doorward.refresh(session["refresh_token"]).status_code == 400
    fresh = doorward.login("johndoe", "another")
    assert doorward.call("/users/me", fresh["access_token"]).status_code == 200
    assert doorward.call("/users/me", others["access_token"]).status_code == 200, "another user's token goes on"


def test_the_login_with_the_new_password_is_enough(accounts, over):
    doorward = over({"url": accounts.url(), "query": QUERY}, {"users": {"recheck": "1h"}}).start()
    old = doorward.login("johndoe", RIGHT)
    assert doorward.call("/users/me", old["access_token"]).status_code == 200
    change(accounts, "hash = %s", quick("another"))
    fresh = doorward.login("johndoe", "another")
    assert doorward.call("/users/me", old["access_token"]).json()["reason"] == "revoked"
    assert doorward.call("/users/me", fresh["access_token"]).status_code == 200
    assert doorward.refresh(fresh["refresh_token"]).status_code == 200


def test_who_was_disabled_does_not_find_the_old_tokens_again(accounts, over):
    doorward = over({"url": accounts.url(), "query": QUERY}, SOON).start()
    session = doorward.login("johndoe", RIGHT)
    assert doorward.call("/users/me", session["access_token"]).status_code == 200
    change(accounts, "disabled = true")
    [answer] = until(lambda: refusal(doorward, session["access_token"]), deadline=10, what="the first refusal")
    assert answer.json()["reason"] == "user-disabled"
    change(accounts, "disabled = false")
    until(lambda: log_in(doorward, "johndoe").status_code == 200, what="a login")
    fresh = doorward.login("johndoe", RIGHT)
    assert doorward.call("/users/me", session["access_token"]).json()["reason"] == "revoked"
    assert doorward.refresh(session["refresh_token"]).status_code == 400
    assert doorward.call("/users/me", fresh["access_token"]).status_code == 200


def test_a_demotion_holds_for_the_applications_token_at_once(accounts, over, shop):
    """Not when half of the life of the one from before is over."""
    minting = {
        "upstream": {"authorization": "mint", "mint": {"algorithm": "HS256", "secret": SHARED_SECRET, "ttl": "10m"}},
        "tokens": SOON["tokens"] | {"keys": [{"algorithm": "HS256", "secret": "signs what doorward itself issues, in these tests"}]},
    }
    doorward = over({"url": accounts.url(), "query": QUERY}, SOON | minting).start()
    token = doorward.login("johndoe", RIGHT)["access_token"]

    def arrived():
        assert doorward.call("/users/me", token).status_code == 200
        seen = shop.seen("/users/me")[-1]
        made = jwt.decode(seen.header("Authorization").removeprefix("Bearer "), SHARED_SECRET, algorithms=["HS256"])
        return made["scope"], made["roles"], seen.header("X-Doorward-Scopes"), seen.header("X-Forwarded-Groups")

    assert arrived() == ("me items", ["staff", "admin"], "me items", "staff,admin")
    change(accounts, "scopes = 'me', roles = ARRAY['staff']")
    until(lambda: doorward.call("/items", token).status_code == 403, what="the demotion")
    assert arrived() == ("me", ["staff"], "me", "staff")
