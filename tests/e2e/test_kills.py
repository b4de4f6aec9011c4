"""`kill -9` while clients revoke and rotate: whatever they were told before is so afterwards. Many rounds with SOAK=1, else a few."""

import os
import random
import time

import pytest
from churn import PATIENT, endure

SOAK = os.environ.get("SOAK") == "1"
SEED = int(os.environ.get("SEED", "20261121"))
# For the clients to be somewhere in the middle of something.
LONGEST_LIFE = 0.3
# Longer than a write waits for replicas of Redis.
CUT_OFF = 0.8


def rounds(few, many):
    return range(many if SOAK else few)


def in_the_middle(chosen, *victims):
    def kill():
        time.sleep(chosen.uniform(0, LONGEST_LIFE))
        for victim in victims:
            victim.kill()

    return kill


def report(done):
    revoked, rotated = (sum(of) for of in zip(*done, strict=True))
    print(f"\n{len(done)} rounds (seed {SEED}): {revoked} revocations and {rotated} rotations acknowledged, none lost")


@pytest.mark.parametrize("deployment", ["embedded", "redis"], indirect=True)
def test_kills_lose_nothing_that_was_acknowledged(shop, fleet, deployment):
    """A replica, Redis (`appendfsync always`), or all at once, so that nobody could write anything back."""
    doorward, chosen, done = fleet(shop.url, PATIENT), random.Random(SEED), []
    for number in rounds(6, 100):
        victims = [chosen.choice(doorward.replicas)]
        if deployment:
            victims = [victims, deployment.servers, [*deployment.servers, *doorward.replicas]][number % 3]

        def healing(victims=victims):
            for victim in victims:
                victim.start()

        done.append(endure(doorward, shop, in_the_middle(chosen, *victims), healing=healing))
    report(done)


@pytest.mark.parametrize("deployment", ["sentinel"], indirect=True)
def test_failovers_lose_nothing_that_replicas_have(shop, fleet, deployment):
    """With `wait_replicas: 1` what is acknowledged is at two servers, and it does not need the views of doorwards to be there.

    The master alone is killed, and all goes on: nobody is refused. Or its replicas are cut off from it first, and then it is killed, and all doorwards
    with it: what it took meanwhile is lost, and must not have been acknowledged.
    """
    doorward = fleet(shop.url, PATIENT | {"store": {"redis": {"wait_replicas": 1}}})
    chosen, done, killed = random.Random(SEED), [], []

    def alone():
        time.sleep(chosen.uniform(0, LONGEST_LIFE))
        [master] = deployment.masters()
        master.kill()
        deployment.await_successor(master)
        killed.append(master)

    def with_all_views():
        time.sleep(chosen.uniform(0, LONGEST_LIFE))
        [master] = deployment.masters()
        replicas = [server for server in deployment.servers if server is not master]
        for replica in replicas:
            replica.freeze()
        # What a frozen one was sent it would read when it is thawed.
        master.ask("CLIENT", "KILL", "TYPE", "replica")
        time.sleep(CUT_OFF)
        master.kill()
        doorward.kill()
        for replica in replicas:
            replica.thaw()
        deployment.await_successor(master)
        killed.append(master)

    def healing():
        deployment.rejoin(killed.pop())
        doorward.start()

    for _ in rounds(1, 20):
        done.append(endure(doorward, shop, alone))
        deployment.rejoin(killed.pop())
        done.append(endure(doorward, shop, with_all_views, healing=healing))
    report(done)
