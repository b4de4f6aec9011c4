"""Failed logins at several instances are counted together: who moves from one to the next gets no more guesses."""

import concurrent.futures
import signal
import uuid

import pytest
from sidecar import password_hash, until

USERS = [
    {"username": name, "password_hash": password_hash("secret", memory_kib=64, passes=1), "scopes": ["items"]}
    for name in ("johndoe", "alice", "erin")
]
HOME, ELSEWHERE = "198.51.100.7", "192.0.2.66"
SECRET = "a secret of the service, which nobody guesses"


@pytest.fixture
def pair(redis, prepare, shop):
    return instances(prepare, shop, {"redis": {"url": redis.url}})


def instances(prepare, shop, store):
    changes = {
        "server": {"trusted_proxies": ["127.0.0.1"]},
        "store": store,
        "clients": [{"id": "web"}, {"id": "svc", "secret_hash": password_hash(SECRET, memory_kib=64, passes=1), "grants": ["client_credentials"]}],
        "users": {"throttle": {"per_user": "6/5m", "per_address": "50/5m"}},
        "telemetry": {"format": "json"},
    }
    return [prepare(shop.url, changes, USERS, name=name).start() for name in ("one", "two")]


def log_in(doorward, password, client=ELSEWHERE, username="johndoe"):
    return doorward.post("/token", {"username": username, "password": password}, headers={"X-Forwarded-For": client})


@pytest.mark.parametrize("deployment", ["redis", "cluster"], indirect=True)
def test_the_limit_is_one_for_all(deployment, prepare, shop):
    pair = instances(prepare, shop, deployment.store(f"{uuid.uuid4()}:"))
    assert log_in(pair[0], "secret", HOME).status_code == 200
    for attempt in range(6):
        answer = log_in(pair[attempt % 2], "wrong", f"192.0.2.{attempt}")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    # None of them has counted as many itself.
    for doorward in pair:
        for password in ("wrong", "secret"):
            answer = log_in(doorward, password)
            assert (answer.status_code, answer.json()["error"]) == (429, "slow_down")
            assert 250 < int(answer.headers["Retry-After"]) <= 338
    assert log_in(pair[1], "secret", HOME).status_code == 200, "known there, by the other instance"
    assert log_in(pair[1], "secret", username="alice").status_code == 200, "others are not concerned"
    assert shop.seen() == []


def test_an_instance_that_begins_knows_of_all_of_it(pair, prepare, shop):
    one, two = pair
    assert log_in(one, "secret", HOME).status_code == 200
    for _ in range(6):
        assert log_in(one, "wrong").status_code == 400
    two.stop()
    two.start()
    assert log_in(two, "secret").status_code == 429, "a restart is no way to guess anew"
    assert log_in(two, "secret", HOME).status_code == 200


def test_right_logins_at_once_wait_their_turn_at_any_instance(pair):
    with concurrent.futures.ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda number: log_in(pair[number % 2], "secret", f"192.0.2.{number}"), range(24)))
    assert {answer.status_code for answer in answers} == {200}


def test_secrets_of_clients_are_counted_together_and_apart_from_users(pair):
    def ask(doorward, secret):
        form = {"grant_type": "client_credentials", "client_id": "svc", "client_secret": secret}
        return doorward.post("/token", form, headers={"X-Forwarded-For": ELSEWHERE}).status_code

    assert [ask(pair[attempt % 2], "wrong") for attempt in range(6)] == [400] * 6
    assert [ask(doorward, "wrong") for doorward in pair] == [429, 429]
    assert log_in(pair[0], "secret", username="svc").status_code == 400, "a user of that name"


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_without_redis_the_limit_of_each_instance_holds(fault, redis, pair):
    assert log_in(pair[0], "secret", username="alice").status_code == 200
    if fault == "killed":
        redis.kill()
    else:
        redis.process.send_signal(signal.SIGSTOP)
    try:
        for doorward in pair:
            # A right one is 503, since no session can begin: so it says what is right, and must not say so for ever.
            assert log_in(doorward, "secret", username="erin").status_code == 503
            assert [log_in(doorward, "wrong").status_code for _ in range(6)] == [400] * 6
            for password in ("wrong", "secret"):
                assert log_in(doorward, password).status_code == 429
            assert doorward.metric("doorward_store_errors_total", op="throttle") > 1
            assert len(told(doorward, "counted by this instance alone")) == 1, "once for an outage"
    finally:
        if fault == "killed":
            redis.start()
        else:
            redis.process.send_signal(signal.SIGCONT)
    for doorward in pair:
        until(lambda doorward=doorward: log_in(doorward, "secret", username="erin").status_code == 200, what="healing")
        assert told(doorward, "counted together again")


def told(doorward, what):
    return doorward.output.told(what)
