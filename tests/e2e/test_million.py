"""Very many marks and sessions: what they take in memory, how long a start takes, and what requests notice when all of them are over at once.

`SOAK=1` has a million of each, else some thousands, and what is noticed is what it costs to make more.
"""

import base64
import hashlib
import itertools
import json
import os
import statistics
import subprocess
import time

import pytest
import yaml
from churn import Client
from conftest import ISSUER
from fleet import Fleet
from redis_server import Redis
from sidecar import bound_addresses, merge, plain_session, until

SOAK = bool(os.environ.get("SOAK"))
COUNT = 1_000_000 if SOAK else 5_000
# Seconds until all marks are over: they are imported and read before.
LIVE = 400 if SOAK else 3600
# Bytes of memory for each mark, with what the process takes to hold them: the view's own limit has a test in Rust.
BYTES_A_MARK = 150
# In milliseconds: nobody waits for a task that goes through all marks, but these two cores have other work, too.
LONGEST_STALL = 500


@pytest.fixture
def redis():
    # What is measured here is memory; syncing each write would only take its time.
    server = Redis("--appendfsync", "no").start()
    yield server
    server.stop()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mark_key(kind, issuer, value):
    parts = b"".join(len(part).to_bytes(8, "big") + part for part in (kind.encode(), issuer.encode(), value.encode()))
    return hashlib.sha256(b"doorward mark" + parts).digest()[:16]


def marks(count, ends_at):
    for number in range(count):
        value = f"{number:032x}"
        record = json.dumps({"k": "jti", "i": ISSUER, "v": value, "x": ends_at}, separators=(",", ":")).encode()
        key = mark_key("jti", ISSUER, value)
        yield f"mark {b64(key)} {b64(bytes([1]) + ends_at.to_bytes(8, 'big') + record)}\n"


def sessions(count, now):
    ends_at = now + 30 * 86_400_000
    for number in range(count):
        sid = hashlib.sha256(number.to_bytes(8, "big")).digest()[:16]
        record = {"g": 1, "k": [1, 2, 3, 4], "r": now, "s": f"user-{number}", "sc": "me items", "i": now, "x": ends_at, "xi": ends_at, "xa": now + 900_000}
        record = json.dumps(record, separators=(",", ":")).encode()
        yield f"session {b64(sid)} {b64(bytes([2]) + ends_at.to_bytes(8, 'big') + record)}\n"


def write_export(path, lines, counts):
    """An export with these records, of a doorward without keys: `--force` lets it in anywhere."""
    head = {"origin": {"issuer": "", "server_keys": [], "signing_keys": []}, "exported_at": 0, "latest_access_exp": 0, "latest_session_end": 0}
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for line in itertools.chain(["doorward export 1\n", json.dumps(head) + "\n"], lines):
            digest.update(line.encode())
            file.write(line.encode())
        file.write(f"end {counts[0]} {counts[1]} {digest.hexdigest()}\n".encode())


def carry(binary, doorward, file):
    config = doorward.directory / "operator.yaml"
    config.write_text(yaml.safe_dump(doorward.settings))
    began = time.monotonic()
    subprocess.run([binary, "store", "import", "--force", "--config", config, file], check=True, capture_output=True)
    return time.monotonic() - began


def latencies(doorward, token, stop):
    """How long each request took, in milliseconds, until `stop` says so."""
    http, took = plain_session(), []
    while not stop():
        for _ in range(50):
            began = time.perf_counter()
            status = http.get(doorward.url("/items"), headers={"Authorization": f"Bearer {token}"}).status_code
            took.append((time.perf_counter() - began) * 1000)
            assert status == 200
    return took


def p99(took):
    return statistics.quantiles(took, n=100)[98]


def started(doorward):
    began = time.monotonic()
    doorward.launch()
    doorward.public, doorward.admin = doorward.output.wait_for(bound_addresses, deadline=300)
    until(lambda: doorward.metric("doorward_denylist_entries") >= COUNT, deadline=120, what="the view")
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_many_marks_and_sessions(kind, binary, shop, prepare, redis, tmp_path):
    store = {"store": {"redis": {"url": redis.url}}} if kind == "redis" else {}
    quiet = {"telemetry": {"access_log": False}}
    bare = prepare(shop.url, merge(quiet, store), name="bare").start()
    nothing = bare.resident_bytes()
    bare.stop()

    doorward = prepare(shop.url, merge(quiet, store), name="full")
    now = int(time.time() * 1000)
    write_export(tmp_path / "sessions", sessions(COUNT, now), (0, COUNT))
    before = redis.memory() if kind == "redis" else 0
    took = [carry(binary, doorward, tmp_path / "sessions")]
    between = redis.memory() if kind == "redis" else 0
    ends_at = int(time.time() * 1000) + LIVE * 1000
    write_export(tmp_path / "marks", marks(COUNT, ends_at), (COUNT, 0))
    took.append(carry(binary, doorward, tmp_path / "marks"))
    after = redis.memory() if kind == "redis" else 0
    start_took = started(doorward)
    assert time.time() * 1000 < ends_at, "the marks were over before they could be looked at"
    full = doorward.resident_bytes()
    token = doorward.login()["access_token"]
    until(lambda: doorward.call("/items", token).status_code == 200, what="the view")
    calm_end = time.monotonic() + 3
    calm = latencies(doorward, token, lambda: time.monotonic() > calm_end)
    busy = while_they_end(doorward, token, ends_at) if SOAK else while_more_are_made(doorward, token)
    file = doorward.directory / "data" / "doorward.redb"
    print(
        f"\n{kind}, {COUNT} each: imported in {took[0]:.1f} s (sessions) and {took[1]:.1f} s (marks), started in {start_took:.1f} s,"
        f" RSS {nothing / 2**20:.1f} -> {full / 2**20:.1f} MiB ({(full - nothing) / COUNT:.0f} B a mark),"
        f" p99 {p99(calm):.2f} ms before and {p99(busy):.2f} ms (max {max(busy):.0f}) {'while the marks were over' if SOAK else 'while more were made'}, of {len(calm)} and {len(busy)} requests"
        + (f"; Redis has {(between - before) / COUNT:.0f} B a session, {(after - between) / COUNT:.0f} B a mark" if kind == "redis" else f"; file {file.stat().st_size / 2**20:.0f} MiB")
    )
    assert p99(busy) < max(50, 20 * p99(calm))
    # One that waits is no more than one in thousands.
    assert max(busy) < max(LONGEST_STALL, 10 * max(calm))
    if SOAK:
        assert (full - nothing) / COUNT < 2 * BYTES_A_MARK


def while_more_are_made(doorward, token):
    """The latencies while clients revoke and rotate: the sweep comes once a minute, and a short run does not wait for it."""
    clients = [Client(Fleet([doorward])) for _ in range(2)]
    for client in clients:
        client.start()
    end = time.monotonic() + 3
    try:
        took = latencies(doorward, token, lambda: time.monotonic() > end)
    finally:
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()
    assert all(client.revoked and not client.failure for client in clients)
    return took


def while_they_end(doorward, token, ends_at):
    """The latencies from the end of the marks until they are forgotten, and some seconds more, while the store forgets them."""
    session = plain_session()
    until(lambda: time.time() * 1000 > ends_at, deadline=LIVE, what="the end of the marks")
    took = latencies(doorward, token, lambda: entries(session, doorward) < COUNT / 2)
    tail = time.monotonic() + 20
    return took + latencies(doorward, token, lambda: time.monotonic() > tail)


def entries(session, doorward):
    text = session.get(f"http://{doorward.admin}/metrics").text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("doorward_denylist_entries ")))
