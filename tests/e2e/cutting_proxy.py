"""A network between doorward and one server that can be slow, lose everything, or be cut."""

import asyncio
import re
import socket
import struct
import threading
from functools import cache

CHUNK = 65536
# A session's record being put in the place of another: the script that does it, called for a session.
ROTATION = re.compile(rb"EVAL(SHA)?\r\n.*\{f:", re.DOTALL)
# No time to say goodbye: the other side finds the connection reset.
RESET = struct.pack("ii", 1, 0)


class CuttingProxy:
    """Takes connections on a port of its own and passes what comes on to `target` (host, port).

    What it is told takes effect at once, also for what is on its way. Bytes that a black hole has swallowed come out where it
    ends, as TCP would send them again: a write can arrive long after whoever sent it has given up.
    """

    def __init__(self, target):
        self.target = target
        self.latency = 0.0
        self.bandwidth = None
        self.is_black_hole = False
        self.connections = set()
        self.losing = None
        self.found = threading.Event()
        self.server = None
        self.port = 0
        self.tell(self._listen())

    @staticmethod
    def tell(coroutine):
        """Runs it where the connections live, and waits for its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, loop()).result(20)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def set(self, **values):
        """`latency` in seconds each way, `bandwidth` in bytes a second or None, `is_black_hole`."""
        self.tell(self._set(values))

    def cut(self):
        """All connections are reset; new ones can be made."""
        self.tell(self._cut())

    def refuse(self):
        """All connections are reset, and new ones are refused."""
        self.tell(self._refuse())

    def accept(self):
        """New connections are taken again, on the same port."""
        self.tell(self._listen())

    def lose(self, what):
        """The next rotation's `request` or `answer` is lost, and all that comes after it on that connection; `found` is set then."""
        self.found.clear()
        self.losing = what

    def stop(self):
        self.tell(self._refuse())

    async def _listen(self):
        if self.server is None:
            # Connections of before are still being closed.
            self.server = await asyncio.start_server(self._take, "127.0.0.1", self.port, reuse_address=True)
            self.port = self.server.sockets[0].getsockname()[1]

    async def _set(self, values):
        vars(self).update(values)
        for connection in self.connections:
            connection.changed.set()

    async def _cut(self):
        for connection in list(self.connections):
            connection.reset()

    async def _refuse(self):
        if self.server is not None:
            self.server.close()
            self.server = None
        await self._cut()

    async def _take(self, reader, writer):
        connection = Pair(self, reader, writer)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)


class Pair:
    """One connection of doorward's, and the one to the server that belongs to it."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.server = None
        self.changed = asyncio.Event()
        self.asked = b""
        self.lost = {"request": False, "answer": False}
        self.task = asyncio.current_task()

    def reset(self):
        for writer in filter(None, [self.writer, self.server]):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
        self.task.cancel()

    async def run(self):
        try:
            await self._passable(asyncio.get_running_loop().time())
            answers, self.server = await asyncio.open_connection(*self.proxy.target)
            ways = [self._pump(self.reader, self.server, "request"), self._pump(answers, self.writer, "answer")]
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for writer in filter(None, [self.writer, self.server]):
                writer.transport.abort()

    async def _pump(self, reader, writer, what):
        """Ends when either side does, once all that came before has been passed on."""
        arrived = asyncio.Queue()
        reading = asyncio.ensure_future(self._read(reader, arrived, what))
        try:
            while True:
                at, data = await arrived.get()
                await self._passable(at, len(data))
                if not data:
                    return
                if self.lost[what]:
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            return
        finally:
            reading.cancel()

    async def _read(self, reader, arrived, what):
        clock = asyncio.get_running_loop().time
        try:
            while data := await reader.read(CHUNK):
                if what == "request":
                    self._look(data)
                arrived.put_nowait((clock(), data))
        except OSError:
            pass
        arrived.put_nowait((clock(), b""))

    def _look(self, data):
        self.asked = (self.asked + data)[-CHUNK:]
        if self.proxy.losing and ROTATION.search(self.asked):
            self.lost[self.proxy.losing] = True
            # Whatever the server says from now on, of a request that was lost it would not have said.
            self.lost["answer"] = True
            self.proxy.losing = None
            self.proxy.found.set()
        elif not self.proxy.losing:
            self.asked = b""

    async def _passable(self, at, size=0):
        """Waits until so much that came at `at` has been on its way for long enough."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        while True:
            sent = begun + size / self.proxy.bandwidth if self.proxy.bandwidth else begun
            left = max(at + self.proxy.latency, sent) - clock()
            if not self.proxy.is_black_hole and left <= 0:
                return
            self.changed.clear()
            try:
                await asyncio.wait_for(self.changed.wait(), None if self.proxy.is_black_hole else left)
            except TimeoutError:
                pass


@cache
def loop():
    """Where all connections of all proxies live."""
    events = asyncio.new_event_loop()
    threading.Thread(target=events.run_forever, daemon=True).start()
    return events
