"""Several doorwards on one Redis: what one revokes is refused by all, and what happens when it is gone."""

import time

import pytest
from sidecar import until

REPLICAS = ("one", "two", "three")


@pytest.fixture
def replicas(redis, prepare, shop):
    made = [prepare(shop.url, {"store": {"redis": {"url": redis.url}}, "revocation": {"max_staleness": "3s"}}, name=name) for name in REPLICAS]
    return [doorward.start() for doorward in made]


def test_what_one_revokes_all_refuse_within_a_second(replicas, shop):
    one, two, three = replicas
    session = one.login()
    token = session["access_token"]
    for doorward in replicas:
        until(lambda doorward=doorward: doorward.call("/users/me", token).status_code == 200, what="the view")
    refreshed = two.refresh(session["refresh_token"])
    assert refreshed.status_code == 200, "a session goes on anywhere"
    one.revoke(token)
    before = time.monotonic()
    for doorward in replicas:
        until(lambda doorward=doorward: doorward.call("/users/me", token).status_code == 401, deadline=5, what="the refusal")
    assert time.monotonic() - before < 1
    shop.forget()
    for doorward in replicas:
        answer = doorward.call("/users/me", token)
        assert (answer.status_code, answer.json()["reason"]) == (401, "revoked")
    assert not shop.seen(), "nothing of it reaches the upstream"


def test_without_the_store_tokens_pass_for_a_while_and_all_heals(redis, replicas):
    one, two, _ = replicas
    token, dead = one.login()["access_token"], one.login()["access_token"]
    one.revoke(dead)
    until(lambda: two.call("/users/me", dead).status_code == 401, what="the refusal")
    until(lambda: two.call("/users/me", token).status_code == 200, what="the view")
    redis.kill()
    assert two.call("/users/me", token).status_code == 200
    assert two.post("/token", {"username": "johndoe", "password": "secret"}).status_code == 503
    answer = two.post("/revoke-token", {"token": token})
    assert answer.status_code == 503, "never 200"
    assert int(answer.headers["Retry-After"]) >= 1
    until(lambda: two.call("/users/me", token).status_code == 503, deadline=10, what="a view that is too old")
    answer = two.call("/users/me", token)
    assert answer.json()["reason"] == "store-unavailable" and int(answer.headers["Retry-After"]) >= 1
    assert two.call("/users/me", dead).status_code == 401, "a mark refuses whatever the store says"
    ready = two.probe("/readyz?verbose").text
    assert "[-] store: " in ready and redis.url.rsplit("/", 1)[1] in ready, "and why"
    redis.start()
    for doorward in replicas:
        until(lambda doorward=doorward: doorward.call("/users/me", token).status_code == 200, deadline=10, what="healing")
        assert doorward.call("/users/me", dead).status_code == 401


def test_what_the_store_lost_is_told_once(redis, prepare, shop):
    """Marks of all buckets, in one line; and that sessions may be gone, of which nobody has a copy."""
    settings = {"store": {"redis": {"url": redis.url}}, "telemetry": {"format": "json"}}
    one = prepare(shop.url, settings).start()
    headers = {"Authorization": f"Bearer {(one.directory / 'data' / 'admin.token').read_text()}"}
    for number in range(40):
        order = {"kind": "jti", "value": f"token-{number}"}
        assert one.session.post(f"http://{one.admin}/revocations", json=order, headers=headers).status_code == 200
    one.counts(40, "doorward_denylist_entries")

    def listed():
        return one.session.get(f"http://{one.admin}/revocations?limit=1000", headers=headers).json()["revocations"]

    assert len(listed()) == 40
    redis.ask("FLUSHALL")
    until(lambda: len(listed()) == 40, deadline=20, what="all marks again")
    until(lambda: [record for record in one.records() if "lost revocations" in record.get("message", "")], deadline=5, what="a word of it")
    one.counts(40, "doorward_denylist_entries")
    one.stop()
    [told] = [record for record in one.records() if "lost revocations" in record.get("message", "")]
    assert told["marks"] == 40 and told["buckets"] > 8 and "sessions" in told["message"]
