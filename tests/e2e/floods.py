"""Normal requests while somebody attacks: the attacker in a process of its own, on a core of its own, and what it does to p99."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import children
import pytest
from sidecar import DEADLINE
from wire import Connection, lines

# Set by `make soak`: the sizes of a real attack, and bounds for a release build.
SOAK = bool(os.environ.get("SOAK"))
MEASURED = 15 if SOAK else 4
# Of normal requests, a second: fewer would be no service, and no p99 either.
SERVED = 50
# What p99 may come to in any case where the measurement is short, and of a debug build.
FLOOR = 0 if SOAK else 0.005
# The attacker works on a core of its own, as an attacker does.
CORES = sorted(os.sched_getaffinity(0))
ATTACKERS, OURS = (CORES[-1:], CORES[:-1]) if len(CORES) > 1 else (CORES, CORES)


def keep_to(process, cores):
    """Keeps a process and its threads to these cores."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        # A thread may end meanwhile; one that begins is where its parent is.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


@pytest.fixture(autouse=True)
def on_our_cores():
    """Who is not attacking works on the cores that are left."""
    keep_to(os.getpid(), OURS)
    yield
    keep_to(os.getpid(), CORES)


class Helper:
    """attacker.py in a process of its own. It says lines when it is ready and when it is told to end."""

    def __init__(self, *arguments):
        command = [sys.executable, Path(__file__).with_name("attacker.py"), *arguments]
        self.process = children.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        keep_to(self.process.pid, ATTACKERS)

    def line(self):
        """The next; one that says none in time is killed, which ends the wait."""
        killer = threading.Timer(DEADLINE, self.process.kill)
        killer.start()
        line = self.process.stdout.readline()
        killer.cancel()
        return line.strip()

    def end(self):
        self.process.stdin.close()
        line = self.line()
        self.process.kill()
        self.process.wait(DEADLINE)
        return line


class Attacker(Helper):
    """An attack while it lasts; then its `tally`."""

    def __init__(self, kind, address, count):
        super().__init__(kind, address, count)
        self.kind = kind

    def __enter__(self):
        line = self.line()
        if line != "ready":
            self.process.kill()
            raise AssertionError(f"the attacker {self.kind!r} did not get ready in {DEADLINE} s: {line or 'it said nothing'}")
        return self

    def __exit__(self, failure, *_):
        line = self.end()
        if failure is None:
            assert line, f"the attacker {self.kind!r} did not end"
            self.tally = json.loads(line)
            # Every one got as far as a connection: one that could not attack would prove nothing.
            assert self.tally["refused"] == 0, self.tally


class Sink(Helper):
    """A listener that takes anything."""

    def __init__(self, count):
        super().__init__("sink", count)

    def __enter__(self):
        address = self.line()
        if ":" not in address or " " in address:
            self.process.kill()
            raise AssertionError(f"the sink does not listen: {address or 'it said nothing'}")
        return address

    def __exit__(self, *_):
        self.end()


class Client(threading.Thread):
    """A client as they should be: requests one after the other, each tenth on a new connection."""

    def __init__(self, address, seconds, tls, token):
        super().__init__(daemon=True)
        self.address, self.tls, self.token, self.end = address, tls, token, time.monotonic() + seconds
        self.times, self.failures = [], []

    def run(self):
        path, expected = ("/items", 200) if self.token else ("/public/x", 404)
        credential = [f"Authorization: Bearer {self.token}"] if self.token else []
        request = lines(f"GET {path} HTTP/1.1", f"Host: {self.address}", *credential)
        while time.monotonic() < self.end:
            try:
                with Connection(self.address) as connection:
                    if self.tls:
                        connection.socket = self.tls.wrap_socket(connection.socket, server_hostname="localhost")
                    for _ in range(10):
                        began = time.perf_counter()
                        answer = connection.exchange(request)
                        self.times.append(time.perf_counter() - began)
                        if answer.status != expected:
                            self.failures.append(answer.status)
            except OSError as error:
                self.failures.append(repr(error))


def measure(address, tls=None, token=None):
    """p50 and p99 of all normal requests of some seconds, in seconds; with a token if one is given."""
    client = Client(address, MEASURED, tls, token)
    client.start()
    client.join()
    assert client.failures == [], client.failures[:5]
    assert len(client.times) >= SERVED * MEASURED, f"only {len(client.times)} answers in {MEASURED} s"
    cuts = statistics.quantiles(client.times, n=100)
    return cuts[49], cuts[98]
