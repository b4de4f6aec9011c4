"""Sessions that are refreshed and access tokens that are revoked without a pause, and what was acknowledged of that."""

import itertools
import threading

import requests
from sidecar import plain_session, until

CLIENTS = 3
# An answer that was lost can be asked for again for as long as any healing takes.
PATIENT = {"tokens": {"refresh_grace": "60s"}, "telemetry": {"access_log": False}}


class Client(threading.Thread):
    """Refreshes one session again and again, each time at another replica, and revokes the access token of before.

    `warm` has every replica answer for the token first, so that each remembers that it is good.
    """

    def __init__(self, fleet, warm=False):
        super().__init__(daemon=True)
        self.replicas, self.turn = fleet.replicas, itertools.cycle(fleet.replicas)
        self.session, self.warm = plain_session(), warm
        # 503 is a right answer as long as anything still heals.
        form = {"username": "johndoe", "password": "secret"}
        tokens = until(lambda: (answer := fleet.post("/token", form)).status_code == 200 and answer, what="a session").json()
        # What was acknowledged: the refresh tokens of the session, oldest first, and the access tokens that were revoked.
        self.access, self.chain, self.revoked = tokens["access_token"], [tokens["refresh_token"]], []
        self.over = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.over.is_set():
                self.step()
        except Exception as error:
            self.failure = error

    def step(self):
        answer = self.ask("/refresh-token", {"refresh_token": self.chain[-1]})
        if answer is None:
            return
        self.chain.append(answer["refresh_token"])
        token, self.access = self.access, answer["access_token"]
        for replica in self.replicas if self.warm else []:
            try:
                headers = {"Authorization": f"Bearer {token}"}
                assert self.session.get(replica.url("/users/me"), headers=headers, timeout=5).status_code in (200, 503)
            except requests.RequestException:
                continue
        if self.ask("/revoke-token", {"token": token}):
            self.revoked.append(token)

    def ask(self, path, form):
        """None if nobody can tell whether it was done."""
        try:
            answer = self.session.post(next(self.turn).url(path), data=form, timeout=5)
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                return answer.json()
        except requests.RequestException:
            pass
        self.over.wait(0.02)
        return None


def endure(fleet, shop, event, warm=False, healing=None):
    """Nothing that was acknowledged before, during and after `event` is lost. Returns how many revocations and rotations that were.

    Where there is a `healing`, it comes when nobody asks for anything any more: what was acknowledged last before the event has to be there,
    and no later rotation makes up for it.
    """
    clients = [Client(fleet, warm) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        goes_on(clients)
        event()
        if not healing:
            goes_on(clients)
    finally:
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()
    assert not [client.failure for client in clients if client.failure]
    if healing:
        healing()
    fleet.follows()
    assert fleet.refuses(shop, *[token for client in clients for token in client.revoked])
    for client in clients:
        # Two generations back is reuse. If the last rotation that was acknowledged were lost, it would be one, and be taken.
        answers = (fleet.refresh(client.chain[-3]) for _ in itertools.count())
        answer = until(lambda answers=answers: [answer for answer in [next(answers)] if answer.status_code != 503], what="an answer")[0]
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    return sum(len(client.revoked) for client in clients), sum(len(client.chain) - 1 for client in clients)


def goes_on(clients):
    """Each of them gets two steps further."""
    goals = [(client, len(client.chain) + 2, len(client.revoked) + 2) for client in clients]

    def are_reached():
        failures = [client.failure for client in clients if client.failure]
        assert not failures, failures
        return all(len(client.chain) >= chain and len(client.revoked) >= revoked for client, chain, revoked in goals)

    until(are_reached, what="sessions that go on")
