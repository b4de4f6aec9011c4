"""`kill -9` while clients revoke and rotate: whatever they were told before is so afterwards. `SOAK=1` has 100 rounds, else a few."""

import os
import random
import threading
import time

import pytest
import requests
from sidecar import until

ROUNDS = 100 if os.environ.get("SOAK") else 5
CLIENTS = 4
# For the clients to be somewhere in the middle of something.
LONGEST_LIFE = 0.6


class Client(threading.Thread):
    """Rotates its session and revokes access tokens until nobody answers; notes what was acknowledged."""

    def __init__(self, doorward, session):
        super().__init__(daemon=True)
        self.doorward, self.session = doorward, session
        self.predecessor = None
        self.dead = []
        self.rotations = 0
        self.failure = None

    def run(self):
        http = requests.Session()
        http.trust_env = False
        try:
            while True:
                answer = http.post(self.doorward.url("/refresh-token"), data={"refresh_token": self.session["refresh_token"]}, timeout=10)
                if answer.status_code != 200:
                    raise AssertionError(answer.text)
                self.predecessor, self.session = self.session, answer.json()
                self.rotations += 1
                token = self.predecessor["access_token"]
                answer = http.post(self.doorward.url("/revoke-token"), data={"token": token}, timeout=10)
                if answer.status_code != 200:
                    raise AssertionError(answer.text)
                self.dead.append(token)
        except requests.RequestException:
            pass
        except AssertionError as error:
            self.failure = error


def survives(doorward, rounds):
    """Kills `doorward` again and again while clients work, and looks for what is lost. Any store whose acknowledgement is for good will do:
    the doorward is killed, its store is not touched."""
    sessions = [doorward.login() for _ in range(CLIENTS)]
    revoked, rotations, lost = 0, 0, []
    for number in range(rounds):
        clients = [Client(doorward, session) for session in sessions]
        for client in clients:
            client.start()
        time.sleep(random.uniform(0.05, LONGEST_LIFE))
        doorward.kill()
        for client in clients:
            client.join()
            assert client.failure is None, client.failure
        doorward.start()
        sessions = []
        for client in clients:
            revoked, rotations = revoked + len(client.dead), rotations + client.rotations
            for token in client.dead:
                answer = doorward.call("/items", token)
                if answer.status_code != 401 or answer.json()["reason"] != "revoked":
                    lost.append((number, "revocation", answer.text))
            sessions.append(rotation_is_there(doorward, client) or lost.append((number, "rotation")) or doorward.login())
    return revoked, rotations, lost


def rotation_is_there(doorward, client):
    """The session to go on with, or nothing if the last rotation that was acknowledged is gone. The token that it used up is shown
    once more: that is a repeat, or reuse if another rotation was under way and done. A token that was not used up would be neither."""
    if not client.predecessor:
        return client.session
    told = ("doorward_refresh_grace_replays_total", "doorward_refresh_reuse_detected_total")
    before = [doorward.metric(name) for name in told]
    answer = doorward.refresh(client.predecessor["refresh_token"])
    try:
        until(lambda: [doorward.metric(name) for name in told] != before, deadline=2, what="a repeat or reuse")
    except AssertionError:
        return None
    if answer.status_code != 200:
        return doorward.login()
    return answer.json() if answer.json()["refresh_token"] == client.session["refresh_token"] else None


# Whose acknowledgement is for good: settings of each.
STORES = {"embedded": {}}


@pytest.mark.parametrize("store", STORES)
def test_nothing_acknowledged_is_lost(store, shop, start):
    doorward = start(shop.url, {"tokens": {"refresh_grace": "60s"}, "telemetry": {"access_log": False}} | STORES[store])
    revoked, rotations, lost = survives(doorward, ROUNDS)
    print(f"\n{ROUNDS} kills, {revoked} revocations and {rotations} rotations acknowledged before them, lost: {len(lost)}")
    assert not lost
    assert revoked > ROUNDS and rotations > ROUNDS
