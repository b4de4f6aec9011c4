"""How soon what one replica revokes is refused by the others, and that a cut makes them miss nothing. Long with SOAK=1."""

import os
import random
import statistics
import time

import pytest
from churn import PATIENT, endure
from cutting_proxy import CuttingProxy
from fleet import Fleet
from load import Load
from wire import Connection, lines

SOAK = os.environ.get("SOAK") == "1"
REVOCATIONS, CUTS = (1000, 20) if SOAK else (100, 3)
SEED = int(os.environ.get("SEED", "20261121"))
# To Redis and back, in seconds.
DISTANCE = 0.002
# Requests a second to each replica meanwhile.
RATE = 100


@pytest.fixture
def network(redis):
    """Between the replicas and Redis."""
    proxy = CuttingProxy((redis.host, redis.port))
    proxy.set(latency=DISTANCE / 2)
    yield proxy
    proxy.stop()


@pytest.fixture
def doorward(prepare, shop, network):
    changes = PATIENT | {"store": {"redis": {"url": network.url}}}
    return Fleet([prepare(shop.url, changes, name=name) for name in ("one", "two", "three")]).start()


def test_all_refuse_within_a_second(doorward, shop):
    measure(doorward, shop, REVOCATIONS, f"Redis at {DISTANCE * 1000:g} ms")


@pytest.mark.parametrize("deployment", ["cluster"], indirect=True)
def test_all_refuse_within_a_second_where_buckets_are_apart(fleet, deployment, shop):
    measure(fleet(shop.url, PATIENT), shop, REVOCATIONS, "a Cluster here")


def measure(doorward, shop, count, where):
    one, *others = doorward.replicas
    session = doorward.login()
    tokens = [doorward.login()["access_token"]]
    refresh = session["refresh_token"]
    while len(tokens) < count:
        refreshed = doorward.refresh(refresh)
        assert refreshed.status_code == 200, refreshed.text
        answer = refreshed.json()
        refresh = answer["refresh_token"]
        tokens.append(answer["access_token"])
    alive = doorward.login()["access_token"]
    loads = [Load(replica.public, "/users/me", {"alive": alive}, RATE) for replica in doorward.replicas]
    connections = [Connection(replica.public) for replica in doorward.replicas]
    first, *rest = connections
    since_answer, since_request = [], []
    for load in loads:
        load.__enter__()
    try:
        for token in tokens:
            uses = [(connection, use(replica, token)) for connection, replica in zip(rest, others, strict=True)]
            # Twice: the second answer is the one that is remembered.
            assert [connection.exchange(request).status for connection, request in uses * 2] == [200] * 4
            request = revocation(one, token)
            sent = time.monotonic()
            assert first.exchange(request, "POST").status == 200
            acknowledged = time.monotonic()
            while uses:
                uses = [(connection, request) for connection, request in uses if not is_refused(connection, request, acknowledged)]
                refused = time.monotonic()
            since_answer.append(refused - acknowledged)
            since_request.append(refused - sent)
    finally:
        for load in loads:
            load.__exit__()
        for connection in connections:
            connection.socket.close()
    print(f"\n{len(tokens)} revocations, {sum(load.asked() for load in loads)} other requests, {where}:")
    for what, times in [("200 to the refusal by both others", since_answer), ("sent to the refusal by both others", since_request)]:
        print(f"  {what}: {figures(times)}")
    assert [load.refused() for load in loads] == [{}, {}, {}] and not any(load.failures for load in loads)
    assert percentile(since_answer, 99) < 1

    # What they say of it themselves, of the same marks: from when it stood in Redis to when it was read.
    for replica in others:
        seen = replica.metric("doorward_revocation_propagation_seconds_count")
        mean = replica.metric("doorward_revocation_propagation_seconds_sum") / seen
        print(f"  doorward_revocation_propagation_seconds: {seen:.0f}, mean {mean * 1000:.1f} ms")
        assert seen == len(tokens)
        # Its two ends lie between those two that are measured from outside. Redis dates by the millisecond.
        assert statistics.mean(since_request) / 10 < mean + 0.001 and mean < statistics.mean(since_request) * 10


def use(replica, token):
    return lines("GET /users/me HTTP/1.1", f"Host: {replica.public}", f"Authorization: Bearer {token}")


def revocation(replica, token):
    body = f"token={token}".encode()
    form = "Content-Type: application/x-www-form-urlencoded"
    return lines("POST /revoke-token HTTP/1.1", f"Host: {replica.public}", form, f"Content-Length: {len(body)}", body=body)


def is_refused(connection, request, since):
    status = connection.exchange(request).status
    assert status in (200, 401) and time.monotonic() - since < 10, status
    return status == 401


def percentile(times, percent):
    return sorted(times)[max(0, -(-len(times) * percent // 100) - 1)]


def figures(times):
    return ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in [("p50", percentile(times, 50)), ("p99", percentile(times, 99)), ("max", max(times))])


def test_cuts_and_restarts_make_nobody_miss_a_revocation(doorward, shop, redis, network):
    """Connections that are reset, Redis and replicas that are killed and started again, while sessions go on, each token warm everywhere."""
    chosen, total = random.Random(SEED), (0, 0)
    for number in range(CUTS):
        # Each of the three at least once in three.
        name = ["connections", "redis", "replica"][number % 3] if number < 3 else chosen.choice(["connections", "redis", "replica"])
        victim = chosen.choice(doorward.replicas)
        events = {"connections": network.cut, "redis": lambda: restart(redis), "replica": lambda victim=victim: restart(victim)}
        done = endure(doorward, shop, events[name], warm=True)
        total = tuple(map(sum, zip(total, done, strict=True)))
    print(f"\n{CUTS} cuts and restarts (seed {SEED}): {total[0]} revocations and {total[1]} rotations acknowledged, none missed")


def restart(victim):
    victim.kill()
    victim.start()
