"""What marks, followers and heartbeats cost one Redis: the figures of docs/capacity.md. Run by `make soak`; pytest collects it only by name."""

import asyncio
import os
import re
import secrets
import sys
import threading
import time
from pathlib import Path

import children
import pytest
import valkey
from fleet import Fleet
from redis_server import Redis
from sidecar import plain_session, until

SECONDS = float(os.environ.get("CAPACITY_SECONDS", "5"))
SCRIPTS = Path(__file__).resolve().parents[2] / "src/revocation/redis/scripts"
MARK, ANNOUNCE = SCRIPTS / "mark.lua", SCRIPTS / "announce.lua"
PREFIX = "capacity:"
STREAMS = [f"{PREFIX}{{m:{bucket:02}}}:stream" for bucket in range(16)]
# Where an id begins, and of which stream it is.
FOUND = re.compile(rb"\{m:(\d\d)\}:stream\r\n|\r\n(\d{13}-\d+)\r\n")
# How many, of how many streams over one connection, and marks a second: at the first two rates each is delivered alone, at the third
# several at once. One stream is what each of the connections to a Cluster has.
FOLLOWERS = ((200, 16, 20), (1000, 16, 4), (200, 16, 400), (1000, 1, 0))


@pytest.fixture
def redis():
    server = Redis().start()
    yield server
    server.stop()


class Cost:
    """What the server spent while it was entered: seconds of its processor, bytes it sent, reads of streams."""

    def __init__(self, redis):
        self.redis = redis

    def now(self):
        cpu, stats, commands = (self.redis.info(section) for section in ("cpu", "stats", "commandstats"))
        spent = float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])
        reads = int(re.search(r"calls=(\d+)", commands.get("cmdstat_xread", "calls=0"))[1])
        return spent, int(stats["total_net_output_bytes"]), reads, time.monotonic()

    def __enter__(self):
        self.before = self.now()
        return self

    def __exit__(self, *_):
        self.cpu, self.sent, self.reads, self.took = (after - before for after, before in zip(self.now(), self.before, strict=True))


def test_marks_a_second_through_three_replicas(redis, prepare, shop):
    """Closed loops of four clients: what comes out is what a machine with all of them on it gets done."""
    token = "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"
    changes = {"admin": {"token": token}, "store": {"redis": {"url": redis.url}}, "telemetry": {"access_log": False}}
    doorward = Fleet([prepare(shop.url, changes, name=name) for name in ("one", "two", "three")]).start()
    with Cost(redis) as idle:
        time.sleep(SECONDS)
    end, counts = time.monotonic() + SECONDS, []

    def client(replica):
        session, count = plain_session(), 0
        while time.monotonic() < end:
            order = {"kind": "jti", "value": secrets.token_urlsafe(16)}
            answer = session.post(f"http://{replica.admin}/revocations", json=order, headers={"Authorization": f"Bearer {token}"}, timeout=10)
            assert answer.status_code == 200
            count += 1
        counts.append(count)

    with Cost(redis) as cost:
        threads = [threading.Thread(target=client, args=(doorward.replicas[number % 3],)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    marks = sum(counts)
    assert len(counts) == 4, "a client failed"
    for replica in doorward.replicas:
        until(lambda replica=replica: replica.metric("doorward_revocation_propagation_seconds_count") == marks, what="every mark")
    print(f"\n3 replicas, idle: {idle.cpu / idle.took * 100:.2f} % of a core, {idle.sent / idle.took / 3:.0f} B/s each")
    print(f"3 replicas, POST /revocations by 4 clients: {marks / cost.took:.0f} marks/s, {cost.cpu / cost.took * 100:.0f} % of a core of Redis")
    print(f"  of Redis: {cost.cpu / marks * 1e6:.0f} us a mark, {cost.reads / marks:.2f} reads and {cost.sent / marks:.0f} B a mark")


def test_what_followers_cost(redis):
    mark = Marks(redis)
    with Cost(redis) as alone:
        for _ in range(100):
            mark.make(100)
    each = alone.cpu / 10_000
    print(f"\na mark, nobody follows, 100 in a pipeline, appendfsync always: {each * 1e6:.0f} us of Redis, {10_000 / alone.took:.0f} marks/s")
    with Cost(redis) as nobody:
        time.sleep(SECONDS)
    base = nobody.cpu / nobody.took
    print(f"idle, nobody follows: {base * 1e6:.0f} us of Redis a second, which is left out below")
    for number, streams, rate in FOLLOWERS:
        process = children.start([sys.executable, __file__, redis.host, redis.port, number, streams], end="KILL")
        try:
            until(lambda number=number: int(redis.info("clients")["blocked_clients"]) == number, what="followers")
            with Cost(redis) as idle:
                time.sleep(SECONDS)
            memory = int(redis.info("memory")["mem_clients_normal"]) / number
            heartbeat = (idle.cpu - base * idle.took) / idle.reads
            print(f"{number} followers of {streams} streams, idle: {idle.reads / idle.took / number:.2f} reads a second each, {heartbeat * 1e6:.0f} us of Redis a read,")
            print(f"  {idle.sent / idle.took / number:.0f} B/s each, {memory / 1024:.0f} KiB a connection")
            if not rate:
                continue
            marks = int(SECONDS * rate)
            with Cost(redis) as busy:
                began = time.monotonic()
                for turn in range(marks):
                    time.sleep(max(0, began + turn / rate - time.monotonic()))
                    mark.make(1)
            deliveries = marks * number
            spent = (busy.cpu - base * busy.took - each * marks) / deliveries
            print(f"  {marks / busy.took:.0f} marks/s: {spent * 1e6:.1f} us of Redis, {busy.sent / deliveries:.0f} B and {busy.reads / deliveries:.2f} reads a delivery")
            assert busy.reads > 0.5 * number, "they follow"
        finally:
            process.kill()
            process.wait()


@pytest.mark.skipif(not ANNOUNCE.exists(), reason="replicas announce nothing")
def test_what_announcements_cost(redis):
    """Once a second each replica says up to where it has everything."""
    client = valkey.Valkey(redis.host, redis.port)
    script = client.script_load(ANNOUNCE.read_text())
    keys = [f"{PREFIX}{{meta}}:replicas", f"{PREFIX}{{meta}}:positions"]
    for together in (1, 100):
        with Cost(redis) as cost:
            for first in range(0, 2000, together):
                pipeline = client.pipeline(transaction=False)
                for number in range(first, first + together):
                    # What it tells is about so long.
                    pipeline.evalsha(script, 2, *keys, f"replica-{number % 1000:08}", secrets.token_bytes(550), 3_600_000, 10_000)
                pipeline.execute()
        print(f"\nan announcement, of 1000 replicas, {together} at once: {cost.cpu / 2000 * 1e6:.0f} us of Redis")


class Marks:
    """Writes marks with the script that doorward writes them with."""

    def __init__(self, redis):
        self.client = valkey.Valkey(redis.host, redis.port)
        self.script = self.client.script_load(MARK.read_text())

    def make(self, number):
        """In buckets of their own, as those of many sessions would be."""
        pipeline = self.client.pipeline(transaction=False)
        for _ in range(number):
            key = secrets.token_bytes(16)
            name = f"{PREFIX}{{m:{key[0] & 15:02}}}:"
            keys = [name + part for part in ("marks", "expiry", "index", "stream")]
            until_then = int(time.time() * 1000) + 900_000
            named = "jti https://auth.example.test " + secrets.token_urlsafe(16)
            pipeline.evalsha(self.script, 4, *keys, 100_000, 100, key, until_then, "-", named)
        pipeline.execute()


async def follow(host, port, streams):
    """As doorward does it: waits a second for a change in any of the streams, then asks for what comes behind it."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**22)
    last = [b"$"] * streams
    while True:
        words = [b"XREAD", b"COUNT", b"1000", b"BLOCK", b"1000", b"STREAMS", *map(str.encode, STREAMS[:streams]), *last]
        writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        answer = await reader.readuntil(b"\r\n")
        if answer == b"*-1\r\n":
            continue
        # What a script has written goes out in one piece; whatever else is there is read along.
        answer += await reader.read(2**20)
        bucket = None
        for found in FOUND.finditer(answer):
            if found[1]:
                bucket = int(found[1])
            else:
                last[bucket] = found[2]


async def follow_all(host, port, number, streams):
    await asyncio.gather(*(follow(host, port, streams) for _ in range(number)))


if __name__ == "__main__":
    asyncio.run(follow_all(sys.argv[1], *map(int, sys.argv[2:])))
