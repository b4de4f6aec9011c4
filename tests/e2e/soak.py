"""Some minutes of everything at once: what leaks shows here. Run by `make soak`, not by the suite: pytest collects it only by name."""

import os
import statistics
import threading
import time
from pathlib import Path

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
CLIENTS = 4
# Caches, allocator and connection pools have their size after this share of the time.
WARM_UP = 1 / 3
MAY_GROW = 16 * 2**20


def test_memory_and_descriptors_do_not_grow(start, shop):
    doorward = start(shop.url, {"telemetry": {"access_log": False}})
    end = time.monotonic() + SECONDS
    clients = [Client(doorward, end) for _ in range(CLIENTS)]
    began = time.monotonic()
    for client in clients:
        client.start()

    samples = []
    while any(client.is_alive() for client in clients):
        time.sleep(1)
        samples.append((doorward.resident_bytes(), len(list(Path(f"/proc/{doorward.process.pid}/fd").iterdir()))))
        shop.forget()
    for client in clients:
        client.join()
        assert client.failure is None, client.failure

    sessions = sum(client.sessions for client in clients)
    calls = sum(client.calls for client in clients)
    took = time.monotonic() - began
    steady = samples[int(len(samples) * WARM_UP) :]
    early, late = steady[: len(steady) // 3], steady[-(len(steady) // 3) :]
    memory = [statistics.median(resident for resident, _ in part) for part in (early, late)]
    descriptors = [statistics.median(count for _, count in part) for part in (early, late)]
    print(f"\n{sessions} sessions, {calls} calls in {took:.0f} s; RSS {memory[0] / 2**20:.1f} -> {memory[1] / 2**20:.1f} MiB, descriptors {descriptors}")

    assert memory[1] - memory[0] <= MAY_GROW
    assert descriptors[1] - descriptors[0] <= 2 * CLIENTS
    assert doorward.metric("doorward_panics_total") == 0
    assert doorward.metric("doorward_store_errors_total") == 0
    assert doorward.metric("doorward_refresh_reuse_detected_total") == 0
    assert doorward.metric("doorward_revocations_total") == sessions
    assert doorward.metric("doorward_http_requests_in_flight") == 0


class Client(threading.Thread):
    """One user after the other: log in, call, refresh, repeat a refresh, log out, and be refused."""

    def __init__(self, doorward, end):
        super().__init__(daemon=True)
        self.doorward, self.end = doorward, end
        self.sessions = self.calls = 0
        self.failure = None

    def run(self):
        try:
            while time.monotonic() < self.end:
                self.session()
        except Exception as error:
            self.failure = error

    def session(self):
        tokens = self.doorward.login()
        for _ in range(5):
            for _ in range(20):
                self.call(tokens, 200)
            before, tokens = tokens, self.renew(tokens)
            assert self.renew(before)["refresh_token"] == tokens["refresh_token"]
        self.doorward.revoke(tokens["refresh_token"])
        self.call(tokens, 401)
        self.sessions += 1

    def call(self, tokens, expected):
        status = self.doorward.call("/items", tokens["access_token"]).status_code
        assert status == expected, status
        self.calls += 1

    def renew(self, tokens):
        answer = self.doorward.refresh(tokens["refresh_token"])
        assert answer.status_code == 200, answer.text
        return answer.json()
