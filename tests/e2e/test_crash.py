"""What was acknowledged survives `kill -9`; what cannot be read is never taken for an empty list."""

import copy

import pytest

ROUNDS = 200


def test_nothing_acknowledged_is_lost(shop, start):
    """One write a life: rotation, revocation of an access token, rotation, revocation of a session, each followed by SIGKILL."""
    doorward = start(shop.url, {"tokens": {"refresh_grace": "60s"}})
    session = doorward.login()
    spares = [doorward.login("erin") for _ in range(ROUNDS // 4)]
    revoked = []
    for number in range(ROUNDS):
        if number % 2 == 0:
            rotated = doorward.refresh(session["refresh_token"])
            assert rotated.status_code == 200
            doorward.kill()
            doorward.start()
            # A lost rotation would answer this too, with the same bytes; that it was counted as a repeat shows it was not lost.
            repeated = doorward.refresh(session["refresh_token"]).json()
            assert repeated["refresh_token"] == rotated.json()["refresh_token"], number
            doorward.counts(1, "doorward_refresh_grace_replays_total")
            session = repeated | {"spare": rotated.json()["access_token"]}
        else:
            victim = session["spare"] if number % 4 == 1 else spares.pop()
            doorward.revoke(victim if number % 4 == 1 else victim["refresh_token"])
            doorward.kill()
            doorward.start()
            revoked.append(victim if number % 4 == 1 else victim["access_token"])
            refused = doorward.call("/items", revoked[-1])
            assert (refused.status_code, refused.json()["reason"]) == (401, "revoked"), number
            assert doorward.call("/users/me", session["access_token"]).status_code == 200, number
    assert len(revoked) == ROUNDS // 2
    for token in revoked:
        assert doorward.call("/items", token).json()["reason"] == "revoked"
    assert doorward.refresh(session["refresh_token"]).status_code == 200


def test_old_generation_is_known_after_a_crash(shop, start):
    doorward = start(shop.url)
    first = doorward.login()
    second = doorward.refresh(first["refresh_token"]).json()
    third = doorward.refresh(second["refresh_token"]).json()
    doorward.kill()
    doorward.start()
    assert doorward.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    doorward.kill()
    doorward.start()
    assert doorward.call("/users/me", third["access_token"]).json()["reason"] == "revoked"
    assert doorward.refresh(third["refresh_token"]).json()["error"] == "invalid_grant"


DAMAGE = {
    "overwritten head": lambda content: b"\xa5" * 4096 + content[4096:],
    "another program's file": lambda _: b"SQLite format 3\0" + bytes(8176),
    "emptied": lambda _: b"",
    "zeroed": lambda content: bytes(len(content)),
    "cut in half": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_unreadable_store_stops_the_start(damage, shop, start):
    doorward = start(shop.url)
    doorward.revoke(doorward.login()["access_token"])
    doorward.stop()
    [store] = (doorward.directory / "data").glob("*.redb")
    assert store.stat().st_mode & 0o777 == 0o600
    broken = DAMAGE[damage](store.read_bytes())
    store.write_bytes(broken)
    doorward.launch()
    assert doorward.wait() != 0
    assert store.name in doorward.output.stderr
    assert "panicked" not in doorward.output.text
    assert store.read_bytes() == broken, "left as it was, for whoever can mend it"


def test_second_process_on_one_store_is_told_so(shop, start):
    doorward = start(shop.url)
    rival = copy.copy(doorward).launch()
    try:
        assert rival.wait() != 0
    finally:
        rival.process.kill()
    assert ".redb" in rival.output.stderr
    assert doorward.login()["token_type"] == "bearer", "the first one goes on"
