"""An upstream that writes down every byte of every connection, and answers what a case tells it to."""

import contextlib
import fcntl
import socket
import struct
import termios
import threading
import time
from dataclasses import dataclass

from .arrived import Ended, Reader, parse_head, read_body


class Trap:
    """A port on which nobody may knock."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()

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
        # Whether the thread that serves it waits for more.
        self.waits = False

    def receive(self, most):
        self.waits = True
        try:
            return self.stream.recv(most)
        finally:
            self.waits = False

    def is_read(self):
        """Whether all that came has been taken."""
        try:
            unread = struct.unpack("i", fcntl.ioctl(self.stream, termios.FIONREAD, b"\0\0\0\0"))[0]
        except (OSError, ValueError):
            return True  # closed meanwhile
        return self.ended or (self.waits and unread == 0)


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
        # Ports of connections that are only made to see that those before have been accepted, and whether that is so.
        self.marks = {}
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

    def settle(self):
        """Returns when all that was sent so far is written down, so that it does not count for the next case."""
        with socket.socket() as mark:
            mark.bind(("127.0.0.1", 0))
            port = mark.getsockname()[1]
            self.marks[port] = False
            mark.connect(("127.0.0.1", self.port))
            assert self.wait_for(lambda: self.marks[port]), "the upstream accepts nobody"
            del self.marks[port]
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with self.changed:
                if all(connection.is_read() for connection in self.connections):
                    return
            time.sleep(0.001)

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
                    # One of an earlier case may just be ending.
                    with contextlib.suppress(OSError):
                        connection.stream.sendall(data)

    def _accept(self):
        while not self.stopped:
            try:
                stream, (_, port) = self.listener.accept()
            except OSError:
                return
            if port in self.marks:
                stream.close()
                with self.changed:
                    self.marks[port] = True
                    self.changed.notify_all()
                continue
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
        if script.then in ("tunnel", "silent"):
            # Before the answer: whoever has read it may want to `say` something.
            with self.changed:
                connection.tunnel = bytearray()
        if not script.early:
            connection.stream.sendall(script.answer)
        if script.then == "reset":
            connection.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if script.then == "close":
            connection.stream.shutdown(socket.SHUT_WR)
            drain(connection)
        if script.then in ("tunnel", "silent"):
            self._tunnel(connection)
        return script.then == "keep"

    def _tunnel(self, connection):
        while data := connection.receive(65536):
            with self.changed:
                connection.tunnel += data
                self.changed.notify_all()


def echo(arrived):
    """The usual answer: which request it answers."""
    body = b"answer to " + arrived.target
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Answered-By: the-upstream\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head if arrived.line.startswith(b"HEAD ") else head + body


def drain(connection):
    """Reads what still comes, so that closing does not reset the connection under an answer."""
    connection.stream.settimeout(5)
    while connection.receive(65536):
        pass
