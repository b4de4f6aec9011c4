"""Rotation through the binary: many at once, the lost answer, and a token that came back from two generations ago."""

import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
from conftest import SHARED_SECRET
from sidecar import plain_session


def test_parallel_refreshes_of_one_token(shop, start):
    doorward = start(shop.url, {"tokens": {"refresh_grace": "60s"}})
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
        assert doorward.call("/users/me", answer["access_token"]).status_code == 200
    assert doorward.refresh(successors.pop()).status_code == 200, "the family lives"


def test_two_generations_back_kills_the_family(shop, start):
    doorward = start(shop.url, {"telemetry": {"format": "json"}})
    chain = [doorward.login()]
    for _ in range(2):
        chain.append(doorward.refresh(chain[-1]["refresh_token"]).json())
    for answer in chain:
        assert doorward.call("/users/me", answer["access_token"]).status_code == 200
    other = doorward.login()
    shop.forget()

    answer = doorward.refresh(chain[0]["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    for dead in chain:
        refused = doorward.call("/users/me", dead["access_token"])
        assert (refused.status_code, refused.json()["reason"]) == (401, "revoked")
        assert doorward.refresh(dead["refresh_token"]).status_code == 400
    assert shop.seen() == []
    assert doorward.call("/users/me", other["access_token"]).status_code == 200, "another session of the user is untouched"
    doorward.counts(1, "doorward_refresh_reuse_detected_total")
    doorward.stop()
    [record] = doorward.records(audit="reused")
    sid = jwt.decode(chain[0]["access_token"], SHARED_SECRET, algorithms=["HS256"])["sid"]
    assert (record["subject"], record["sid"]) == ("johndoe", sid)


def test_lost_answer_is_repeated_to_the_byte(shop, start):
    doorward = start(shop.url)
    first = doorward.login()
    second = doorward.refresh(first["refresh_token"]).json()
    again = doorward.refresh(first["refresh_token"]).json()
    assert again["refresh_token"] == second["refresh_token"]
    assert again["access_token"] != second["access_token"]
    third = doorward.refresh(second["refresh_token"])
    assert third.status_code == 200
    late = doorward.refresh(first["refresh_token"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant"), "its successor was used: now it is reuse"
    assert doorward.call("/users/me", third.json()["access_token"]).json()["reason"] == "revoked"


def test_narrowed_scope_comes_back(shop, start):
    doorward = start(shop.url)
    first = doorward.login()
    narrow = doorward.post("/token", {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "scope": "me"}).json()
    assert narrow["scope"] == "me"
    assert doorward.call("/items", narrow["access_token"]).json()["reason"] == "insufficient-scope"
    wide = doorward.post("/token", {"grant_type": "refresh_token", "refresh_token": narrow["refresh_token"], "scope": "me admin"})
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    full = doorward.refresh(narrow["refresh_token"]).json()
    assert set(full["scope"].split()) == {"me", "items", "items:write"}
