"""An upstream that writes down every byte of every connection, and answers what a case tells it to."""

import re
import socket
import struct
import threading
from dataclasses import dataclass, field

FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
SIZE = re.compile(rb"[0-9a-f]+", re.IGNORECASE)


class Trap:
    """A port on which nobody may knock."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    def sprung(self):
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@dataclass
class Script:
    """What is answered in place of the usual echo."""

    answer: bytes
    # Answer as soon as the head is there.
    early: bool = False
    # keep | close | reset the connection after it; tunnel: keep it, and write down what comes; silent: say nothing at all.
    then: str = "keep"
    # How many requests get it; the rest the usual echo.
    times: int = 1


@dataclass
class Arrived:
    """A request as its bytes say it: nothing is decoded, but that chunks are put together."""

    line: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    # False if the connection ended, or was ended by the script, before the body did.
    complete: bool = False
    trailers: list[bytes] = field(default_factory=list)

    @property
    def target(self):
        parts = self.line.split(b" ")
        return parts[1] if len(parts) > 1 else b""

    def values(self, name):
        return [value for own, value in self.fields if own.lower() == name]


class Recorded:
    """One connection."""

    def __init__(self, stream):
        self.stream = stream
        # What was read beyond a request and belongs to the next.
        self.ahead = b""
        # What is no request, or no request that this reader would take: each is a failure of the case.
        self.faults = []
        self.in_body = False
        self.tunnel = None
        self.ended = False


class Upstream:
    """Listens on a port of its own, or the given one, until `stop`."""

    def __init__(self, port=0, host="127.0.0.1"):
        self.listener = socket.create_server((host, port), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.changed = threading.Condition()
        self.connections = []
        # In the order in which their heads came.
        self.requests = []
        self.script = None
        self.stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.stopped = True
        self.listener.close()
        with self.changed:
            for connection in self.connections:
                connection.stream.close()

    def forget(self, script=None):
        """A case begins: what was written down is gone, and requests but the victims' get the script's answer."""
        with self.changed:
            self.script = script
            self.connections = [own for own in self.connections if not own.ended]
            self.requests = []
            for connection in self.connections:
                connection.faults = []

    def arrived(self):
        """Every request of the case."""
        with self.changed:
            return list(self.requests)

    def faults(self):
        """What came and is no request, or half of one."""
        with self.changed:
            halves = [own.ahead for own in self.connections if own.ahead and not own.in_body and not own.ended and own.tunnel is None]
            return [fault for own in self.connections for fault in own.faults] + [f"bytes of no request: {half[:300]!r}" for half in halves]

    def tunnels(self):
        with self.changed:
            return [bytes(connection.tunnel) for connection in self.connections if connection.tunnel is not None]

    def wait_for(self, condition, deadline=10):
        """When `condition` holds of what is written down; False if it does not come to that."""
        with self.changed:
            return self.changed.wait_for(condition, deadline)

    def say(self, data):
        """Into every open tunnel."""
        with self.changed:
            for connection in self.connections:
                if connection.tunnel is not None and not connection.ended:
                    connection.stream.sendall(data)

    def _accept(self):
        while not self.stopped:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Recorded(stream)
            with self.changed:
                self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            while self._exchange(connection, Reader(self, connection)):
                pass
        except (Ended, OSError):
            pass
        finally:
            connection.stream.close()
            with self.changed:
                connection.ended = True
                self.changed.notify_all()

    def _exchange(self, connection, reader):
        try:
            head = reader.until(b"\r\n\r\n")
        except Ended:
            if connection.ahead:
                self._note(connection, f"the connection ended inside a head: {connection.ahead[:300]!r}")
            raise
        arrived, fault = parse_head(head)
        with self.changed:
            if fault:
                connection.faults.append(f"{fault}: {head[:300]!r}")
            self.requests.append(arrived)
            script = self._script_for(arrived)
            self.changed.notify_all()
        if script and script.early:
            connection.in_body = True
            connection.stream.sendall(script.answer)
        if script is None or not script.early or script.then == "keep":
            connection.in_body = True
            read_body(arrived, reader, connection.faults)
            with self.changed:
                connection.in_body = False
                arrived.complete = True
                self.changed.notify_all()
        if script is None:
            connection.stream.sendall(echo(arrived))
            return True
        return self._finish(connection, script)

    def _script_for(self, arrived):
        if self.script is None or self.script.times == 0 or b"/b-" in arrived.target:
            return None
        self.script.times -= 1
        return self.script

    def _note(self, connection, fault):
        with self.changed:
            connection.faults.append(fault)

    def _finish(self, connection, script):
        if not script.early:
            connection.stream.sendall(script.answer)
        if script.then == "reset":
            connection.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if script.then == "close":
            connection.stream.shutdown(socket.SHUT_WR)
            drain(connection.stream)
        if script.then in ("tunnel", "silent"):
            self._tunnel(connection)
        return script.then == "keep"

    def _tunnel(self, connection):
        with self.changed:
            connection.tunnel = bytearray()
        while data := connection.stream.recv(65536):
            with self.changed:
                connection.tunnel += data
                self.changed.notify_all()


class Ended(Exception):
    """The other side has closed."""


class Reader:
    """Takes bytes from a connection, each written down before it is looked at."""

    def __init__(self, upstream, connection):
        self.upstream, self.connection = upstream, connection

    def more(self):
        data = self.connection.stream.recv(262144)
        if not data:
            raise Ended
        self.connection.ahead += data

    def until(self, mark):
        while mark not in self.connection.ahead:
            self.more()
        found, _, self.connection.ahead = self.connection.ahead.partition(mark)
        return found

    def exactly(self, count):
        while len(self.connection.ahead) < count:
            self.more()
        found, self.connection.ahead = self.connection.ahead[:count], self.connection.ahead[count:]
        return found


def parse_head(head):
    """(request, what is wrong with it). Strict: what another server might read differently is a fault."""
    first, *rest = head.split(b"\r\n")
    fields, fault = [], None
    for line in rest:
        match = FIELD.fullmatch(line)
        if match is None or b"\r" in line or b"\n" in line or b"\0" in line:
            fault = "a line that is no field"
            continue
        fields.append((match[1], match[2]))
    arrived = Arrived(first, fields)
    parts = first.split(b" ")
    if len(parts) != 3 or parts[2] != b"HTTP/1.1":
        fault = "a request line that is none"
    framing = arrived.values(b"content-length") + arrived.values(b"transfer-encoding")
    if len(framing) > 1:
        fault = "two kinds of framing"
    return arrived, fault


def read_body(arrived, reader, faults):
    lengths, codings = arrived.values(b"content-length"), arrived.values(b"transfer-encoding")
    if codings:
        if codings != [b"chunked"]:
            faults.append(f"a coding that is not chunked: {codings}")
        read_chunks(arrived, reader, faults)
    elif lengths:
        if not re.fullmatch(rb"0|[1-9][0-9]*", lengths[0]):
            faults.append(f"a length that is none: {lengths[0]!r}")
            raise Ended
        arrived.body = reader.exactly(int(lengths[0]))


def read_chunks(arrived, reader, faults):
    while True:
        size = reader.until(b"\r\n")
        if not SIZE.fullmatch(size):
            faults.append(f"a chunk size that is none: {size[:100]!r}")
            raise Ended
        if int(size, 16) == 0:
            while line := reader.until(b"\r\n"):
                arrived.trailers.append(line)
            return
        arrived.body += reader.exactly(int(size, 16))
        if reader.exactly(2) != b"\r\n":
            faults.append("no CRLF after a chunk")
            raise Ended


def echo(arrived):
    """The usual answer: which request it answers."""
    body = b"answer to " + arrived.target
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Answered-By: the-upstream\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head if arrived.line.startswith(b"HEAD ") else head + body


def drain(stream):
    """Reads what still comes, so that closing does not reset the connection under an answer."""
    stream.settimeout(5)
    while stream.recv(65536):
        pass
