"""An upstream that does, connection by connection, what a test scripts: also what no server does on purpose."""

import contextlib
import socket
import ssl
import struct
import threading


class Scripted:
    """Listens; each connection is served by `script(peer)` in a thread of its own, and is closed when that returns."""

    def __init__(self, script, host="127.0.0.1", path=None, tls=None):
        self.script = script
        self.tls = tls
        self.received = []
        self.handshake_errors = []
        self.connections = 0
        self.open = []
        self.changed = threading.Condition()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.url = f"unix:{path}"
        else:
            self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            self.listener.bind((host, 0))
            self.port = self.listener.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            self.url = f"{'https' if tls else 'http'}://{shown}:{self.port}"
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def stop(self):
        """Listens no more, and ends every connection."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.changed:
            for connection in self.open:
                # It may have ended by itself.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                number = self.connections
                self.connections += 1
                self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection, number):
        connection.settimeout(20)
        if self.tls:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except (OSError, ssl.SSLError) as error:
                with self.changed:
                    self.handshake_errors.append(error)
                    self.changed.notify_all()
                connection.close()
                return
        with connection:
            try:
                self.script(Peer(self, connection, number))
            except OSError:
                pass  # the other side has gone; what it sent is recorded

    def note(self, request):
        with self.changed:
            self.received.append(request)
            self.changed.notify_all()

    def wait_for(self, condition, deadline=20):
        """Waits until `condition(self)` holds."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), deadline), f"it received {self.received}"

    def targets(self):
        with self.changed:
            return [request.target for request in self.received]


class Request:
    """A request as it arrived. `body` is what came of it; `whole` whether that is all."""

    def __init__(self, head, body, whole, connection):
        self.head, self.body, self.whole, self.connection = head, body, whole, connection
        self.method, self.target, _ = head.split(b"\r\n")[0].decode("latin-1").split(" ")

    def header(self, name):
        lines = [line.split(b":", 1) for line in self.head.split(b"\r\n")[1:] if b":" in line]
        values = [value.strip() for given, value in lines if given.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.method} {self.target} on connection {self.connection}, body {self.body!r}>"


class Peer:
    """One connection, from the upstream's side."""

    def __init__(self, upstream, connection, number):
        self.upstream, self.socket, self.number = upstream, connection, number
        self.buffer = b""

    def read_head(self):
        """The next head with its empty line; `None` if the connection ends before one."""
        while b"\r\n\r\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                return None
            self.buffer += chunk
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def read(self):
        """The next request, recorded; `None` if there is none."""
        head = self.read_head()
        if head is None:
            return None
        request = Request(head, b"", True, self.number)
        length = int(request.header(b"content-length") or 0)
        if request.header(b"transfer-encoding"):
            whole = self._fill(lambda: self.buffer.endswith(b"0\r\n\r\n"))
            request.body, self.buffer = self.buffer, b""
        else:
            whole = self._fill(lambda: len(self.buffer) >= length)
            request.body, self.buffer = self.buffer[:length], self.buffer[length:]
        request.whole = whole
        self.upstream.note(request)
        return request

    def note_head(self):
        """Records the next request without its body."""
        head = self.read_head()
        request = Request(head, b"", False, self.number)
        self.upstream.note(request)
        return request

    def _fill(self, enough):
        while not enough():
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return False
            self.buffer += chunk
        return True

    def send(self, answer):
        self.socket.sendall(answer)

    def answer(self, body=b"ok", *headers, status="200 OK"):
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def good(peer):
    """Answers every request with its target."""
    while request := peer.read():
        peer.answer(request.target.encode())


def scripted(first, *, used):
    """Serves its first connection with `first`, which comes to a connection that was `used` for one answer or not, and all others well."""

    def script(peer):
        if peer.number == 0:
            if used:
                peer.read()
                peer.answer(b"used")
            first(peer)
        else:
            good(peer)

    return script


def then(act):
    """Reads a request, then does this."""

    def first(peer):
        if peer.read():
            act(peer)

    return first
