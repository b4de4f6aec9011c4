"""`kill -9` while clients revoke and rotate: whatever they were told before is so afterwards. `SOAK=1` has 100 rounds, else a few."""

import os
import random
import threading
import time

import pytest
import requests

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
                if (answer.status_code, answer.json().get("reason")) != (401, "revoked"):
                    lost.append((number, "revocation", answer.text))
            if client.predecessor:
                # A rotation that was lost would be done again by this. That it counts as a repeat, or as none at all because the
                # one under way was done too, shows that it was not.
                before = doorward.metric("doorward_refresh_grace_replays_total")
                again = doorward.refresh(client.session["refresh_token"])
                if again.status_code != 200:
                    lost.append((number, "session", again.text))
                    continue
                repeated = doorward.refresh(client.session["refresh_token"])
                if repeated.json().get("refresh_token") != again.json()["refresh_token"]:
                    lost.append((number, "rotation", repeated.text))
                doorward.counts(before + 1, "doorward_refresh_grace_replays_total") if before == doorward.metric("doorward_refresh_grace_replays_total") else None
                sessions.append(again.json())
            else:
                sessions.append(client.session)
    return revoked, rotations, lost
