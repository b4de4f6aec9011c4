"""Rotation through the binary: many at once, the lost answer, and a token that came back from two generations ago.

With one instance, and with three on each kind of shared store, where every call goes to another than the one before.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
from conftest import EVERYWHERE, SHARED_SECRET, people
from sidecar import plain_session, until

pytestmark = EVERYWHERE


def test_parallel_refreshes_of_one_token(shop, fleet):
    doorward = fleet(shop.url, {"tokens": {"refresh_grace": "60s"}})
    first = doorward.login()
    together = threading.Barrier(64)

    def refresh(_):
        session = plain_session()
        together.wait(30)
        answer = session.post(doorward.url("/refresh-token"), data={"refresh_token": first["refresh_token"]}, timeout=30)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(refresh, range(64)))
    assert [status for status, _ in answers] == [200] * 64
    successors = {answer["refresh_token"] for _, answer in answers}
    assert len(successors) == 1 and first["refresh_token"] not in successors
    claims = [jwt.decode(answer["access_token"], SHARED_SECRET, algorithms=["HS256"]) for _, answer in answers]
    assert len({claim["jti"] for claim in claims}) == 64, "each access token is its own"
    assert len({claim["sid"] for claim in claims}) == 1
    doorward.counts(63, "doorward_refresh_grace_replays_total")
    assert doorward.metric("doorward_refresh_reuse_detected_total") == 0
    for _, answer in answers[::16]:
        assert doorward.takes(answer["access_token"])
    assert doorward.refresh(successors.pop()).status_code == 200, "the family lives"


def test_two_generations_back_kills_the_family(shop, fleet):
    doorward = fleet(shop.url, {"telemetry": {"format": "json"}})
    chain = [doorward.login()]
    for _ in range(2):
        chain.append(doorward.refresh(chain[-1]["refresh_token"]).json())
    assert doorward.takes(*[answer["access_token"] for answer in chain])
    other = doorward.login()

    answer = doorward.refresh(chain[0]["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert doorward.refuses(shop, *[dead["access_token"] for dead in chain])
    for dead in chain:
        assert doorward.refresh(dead["refresh_token"]).status_code == 400
    assert doorward.takes(other["access_token"]), "another session of the user is untouched"
    doorward.counts(1, "doorward_refresh_reuse_detected_total")
    doorward.stop()
    [record] = doorward.records(audit="reused")
    sid = jwt.decode(chain[0]["access_token"], SHARED_SECRET, algorithms=["HS256"])["sid"]
    assert (record["subject"], record["sid"]) == ("johndoe", sid)


def test_lost_answer_is_repeated_to_the_byte(shop, fleet):
    doorward = fleet(shop.url)
    first = doorward.login()
    second = doorward.refresh(first["refresh_token"]).json()
    again = doorward.refresh(first["refresh_token"]).json()
    assert again["refresh_token"] == second["refresh_token"]
    assert again["access_token"] != second["access_token"]
    third = doorward.refresh(second["refresh_token"])
    assert third.status_code == 200
    late = doorward.refresh(first["refresh_token"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant"), "its successor was used: now it is reuse"
    assert doorward.refuses(shop, third.json()["access_token"])


def test_narrowed_scope_comes_back(shop, fleet):
    doorward = fleet(shop.url)
    first = doorward.login()
    narrow = doorward.post("/token", {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "scope": "me"}).json()
    assert narrow["scope"] == "me"
    assert doorward.call("/items", narrow["access_token"]).json()["reason"] == "insufficient-scope"
    wide = doorward.post("/token", {"grant_type": "refresh_token", "refresh_token": narrow["refresh_token"], "scope": "me admin"})
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    full = doorward.refresh(narrow["refresh_token"]).json()
    assert set(full["scope"].split()) == {"me", "items", "items:write"}


def test_without_grace_the_second_use_is_reuse(shop, fleet):
    doorward = fleet(shop.url, {"tokens": {"refresh_grace": "0s"}})
    first = doorward.login()
    second = doorward.refresh(first["refresh_token"]).json()
    late = doorward.refresh(first["refresh_token"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
    assert doorward.refuses(shop, first["access_token"], second["access_token"])
    assert doorward.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_disabled_user_is_not_refreshed(shop, fleet):
    doorward = fleet(shop.url)
    session, other = doorward.login(), doorward.login("erin")
    doorward.write_users([person | {"disabled": person["username"] == "johndoe"} for person in people()])
    until(lambda: all(reason == "user-disabled" for reason in doorward.reasons(session["access_token"])), what="the users file")
    answer = doorward.refresh(session["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert doorward.refresh(other["refresh_token"]).status_code == 200
