"""Those who only take up room: normal requests are served all the same, and what was taken comes back.

The sizes are small here; `make soak` sets SOAK and takes those of a real attack.
"""

import http.client
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from certificates import Authority, client_context
from floods import FLOOR, OURS, SOAK, Attacker, Sink, keep_to, measure, on_our_cores  # noqa: F401
from scripted import Scripted
from sidecar import until
from streams import Memory
from wire import Connection, lines

SLOW = 2000 if SOAK else 200
CAP, IDLE = (10_000, 12_000) if SOAK else (500, 600)
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

LIMITS = {"connections": CAP, "header_timeout": f"{HEADER_TIMEOUT}s", "idle_timeout": "120s"}


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
