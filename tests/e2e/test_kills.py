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
    """A replica, Redis (`appendfsync always`), or all at once, and nobody who could write anything back."""
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
