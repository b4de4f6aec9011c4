"""Those who only take up room: normal requests are served all the same, and what was taken comes back.

The sizes are small here; `make soak` sets SOAK and takes those of a real attack.
"""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import children
import pytest
from certificates import Authority, client_context
from scripted import Scripted
from sidecar import DEADLINE, until
from streams import Memory
from wire import Connection, lines

SOAK = bool(os.environ.get("SOAK"))
SLOW = 2000 if SOAK else 200
CAP, IDLE = (10_000, 12_000) if SOAK else (500, 600)
MEASURED = 15 if SOAK else 4
HEADER_TIMEOUT = 2
# What a connection may cost while it is held, buffers of the kernel not counted.
PER_CONNECTION = 24 * 1024
# For those who hold a request up.
PLACES = 40
MUCH = b"m" * (16 << 20)
# What may stay: caches and pools have a size.
STAYS = 24 * 2**20
# Of a flood of requests that are taken back at once; the attacker sends tens of thousands.
ARRIVES = 500
# Of normal requests, a second: fewer would be no service, and no p99 either.
SERVED = 50
# What p99 may come to in any case where the measurement is short, and of a debug build.
FLOOR = 0 if SOAK else 0.005
# The attacker works on a core of its own, as an attacker does.
CORES = sorted(os.sched_getaffinity(0))
ATTACKERS, OURS = (CORES[-1:], CORES[:-1]) if len(CORES) > 1 else (CORES, CORES)

LIMITS = {"connections": CAP, "header_timeout": f"{HEADER_TIMEOUT}s", "idle_timeout": "120s"}


def keep_to(process, cores):
    """Keeps a process and its threads to these cores."""
    for thread in Path(f"/proc/{process}/task").iterdir():
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

    def __init__(self, address, seconds, tls):
        super().__init__(daemon=True)
        self.address, self.tls, self.end = address, tls, time.monotonic() + seconds
        self.times, self.failures = [], []

    def run(self):
        request = lines("GET /public/x HTTP/1.1", f"Host: {self.address}")
        while time.monotonic() < self.end:
            try:
                with Connection(self.address) as connection:
                    if self.tls:
                        connection.socket = self.tls.wrap_socket(connection.socket, server_hostname="localhost")
                    for _ in range(10):
                        began = time.perf_counter()
                        answer = connection.exchange(request)
                        self.times.append(time.perf_counter() - began)
                        if answer.status != 404:
                            self.failures.append(answer.status)
            except OSError as error:
                self.failures.append(repr(error))


def measure(address, tls=None):
    """p50 and p99 of all normal requests of some seconds, in seconds."""
    client = Client(address, MEASURED, tls)
    client.start()
    client.join()
    assert client.failures == [], client.failures[:5]
    assert len(client.times) >= SERVED * MEASURED, f"only {len(client.times)} answers in {MEASURED} s"
    cuts = statistics.quantiles(client.times, n=100)
    return cuts[49], cuts[98]


def descriptors(doorward):
    return len(list(Path(f"/proc/{doorward.process.pid}/fd").iterdir()))


@pytest.fixture
def quick(shop, start):
    """Starts a doorward with small deadlines, before an application that answers at once."""
    return lambda changes=None: start(shop.url, {"server": {"limits": LIMITS} | (changes or {}), "telemetry": {"access_log": False}})


def under_attack(doorward, kind, count, tls=None):
    """Holds normal requests and the memory to their bounds during an attack; gives the attacker's tally.

    `elsewhere` is what normal requests take while the same is done to a listener that has nothing to do with it: what more they
    take here is doorward's doing. A short measurement is held against the larger of it and of the quiet before, a long one
    against the quiet.
    """
    keep_to(doorward.process.pid, OURS)
    quiet = measure(doorward.public, tls)
    with Sink(count) as sink, Attacker(kind, sink, count):
        elsewhere = measure(doorward.public, tls)
    open_before = descriptors(doorward)
    with Memory(doorward) as memory, Attacker(kind, doorward.public, count) as attacker:
        busy = measure(doorward.public, tls)
    tally = attacker.tally
    until(lambda: descriptors(doorward) <= open_before + 8, what="the end of what was opened")
    until(lambda: doorward.resident_bytes() <= memory.before + STAYS, what="the memory back")
    print(
        f"\n{kind}: {tally}; p50 {quiet[0] * 1e3:.2f} -> {busy[0] * 1e3:.2f} ms, p99 {quiet[1] * 1e3:.2f} -> {busy[1] * 1e3:.2f} ms "
        f"({elsewhere[1] * 1e3:.2f} while another is attacked), "
        f"RSS {memory.before / 2**20:.1f} -> {memory.largest / 2**20:.1f} -> {doorward.resident_bytes() / 2**20:.1f} MiB"
    )
    assert memory.largest <= memory.before + STAYS + PER_CONNECTION * count, "memory during the attack"
    least = quiet[1] if SOAK else max(quiet[1], elsewhere[1])
    assert busy[1] <= max(3 * least, FLOOR), f"p99 {quiet[1]:.4f}, {elsewhere[1]:.4f} -> {busy[1]:.4f} s"
    return tally


@pytest.mark.parametrize("kind", ["head", "second", "silent"])
def test_half_sent_requests(kind, quick):
    doorward = quick()
    tally = under_attack(doorward, kind, SLOW)
    assert tally["peak"] >= SLOW / 2, tally
    if kind != "silent":
        # Each is ended by its deadline, however it dribbles, and comes again.
        assert tally["ended"] >= SLOW, tally


def test_half_sent_hello(quick, tmp_path):
    authority = Authority(tmp_path)
    doorward = quick({"tls": authority.issue("doorward").files()})
    tally = under_attack(doorward, "hello", SLOW, client_context(authority))
    assert tally["ended"] >= SLOW, tally


def test_half_sent_preface(quick):
    tally = under_attack(quick({"h2c": True}), "preface", SLOW)
    assert tally["ended"] >= SLOW, tally


def test_idle_connections_give_way(quick):
    doorward = quick()
    tally = under_attack(doorward, "idle", IDLE)
    # Those over the cap were let in, at the cost of the longest idle.
    assert tally["opened"] >= IDLE, tally
    assert tally["peak"] >= 0.9 * CAP, tally


def test_a_request_in_flight_never_gives_way(quick):
    doorward = quick()
    with Connection(doorward.public, timeout=60) as waiting:
        waiting.send(lines("POST /public/x HTTP/1.1", "Host: a", "Content-Length: 4"))
        with Attacker("idle", doorward.public, IDLE):
            waiting.send(b"body")
            assert waiting.read("POST").status in (404, 405)


@pytest.mark.parametrize("kind", ["bomb", "many"])
def test_header_bombs(kind, quick):
    tally = under_attack(quick(), kind, 8)
    assert tally["ended"] > 0, tally


@pytest.mark.parametrize("kind", ["reset", "continuation", "settings"])
def test_floods_of_frames(kind, quick, shop):
    doorward = quick({"h2c": True})
    tally = under_attack(doorward, kind, 8)
    assert tally["ended"] > 0, tally
    # What was taken back at once did not reach the application by the thousand.
    # One that is meant is written down behind all that were not.
    assert doorward.call("/public/attack").status_code == 404
    arrived = len(shop.seen("/public/attack")) - 1
    print(f"{arrived} requests of the attack arrived")
    assert 0 <= arrived <= ARRIVES, tally


def much(peer):
    """An upstream whose answer to the attack is more than all the buffers on the way take."""
    while request := peer.read():
        peer.answer(MUCH if request.target == "/public/attack" else b"little")


@pytest.mark.parametrize("kind", ["reader", "window", "upload"])
def test_who_holds_a_request_up_gives_its_place_back(kind, start):
    """They take every place, and none gives way, since each has a request in flight: only a deadline ends them."""
    limits = LIMITS | {"connections": PLACES, "idle_timeout": "2s"}
    with Scripted(much) as upstream:
        doorward = start(upstream.url, {"server": {"limits": limits, "h2c": True}})
        with Attacker(kind, doorward.public, PLACES) as attacker:
            # All of the places, at once.
            until(lambda: all_are_served(doorward), 10, f"an answer to {PLACES} clients at once")
        assert attacker.tally["peak"] == PLACES, attacker.tally


def all_are_served(doorward):
    with ExitStack() as opened:
        for _ in range(PLACES):
            try:
                connection = opened.enter_context(Connection(doorward.public))
                if connection.exchange(lines("GET /public/x HTTP/1.1", "Host: a")).status != 200:
                    return False
            except (OSError, http.client.HTTPException):
                return False
    return True


def test_a_flood_of_connections(quick):
    tally = under_attack(quick(), "flood", 8)
    assert tally["opened"] > 100, tally


def test_one_address_does_not_take_all(quick):
    """With `connections_per_address` the others are not even displaced."""
    doorward = quick({"limits": LIMITS | {"connections_per_address": 50}})
    host, port = doorward.public.rsplit(":", 1)
    with socket.create_connection((host, int(port)), source_address=("127.0.0.2", 0)) as other:
        with Attacker("silent", doorward.public, 200):
            other.sendall(lines("GET /public/x HTTP/1.1", "Host: a"))
            assert other.recv(12) == b"HTTP/1.1 404"
            assert descriptors(doorward) < 50 + 60
