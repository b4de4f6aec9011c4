"""A client that sends bytes as they are, and reads answers without forgiving anything."""

import socket
import ssl
import struct
from dataclasses import dataclass, field

# Long, for machines under load; nothing waits so long unless it fails.
PATIENCE = 8


@dataclass
class Answer:
    """One final response; what came before it as 1xx is in `interim`."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    interim: list["Answer"] = field(default_factory=list)

    def values(self, name):
        return [value for own, value in self.fields if own.lower() == name.lower()]

    def header(self, name):
        values = self.values(name)
        return ", ".join(values) if values else None


class Closed(Exception):
    """The connection ended; `data` is what it brought of an answer."""

    def __init__(self, data=b""):
        super().__init__()
        self.data = data


class TimedOut(Exception):
    """Neither an answer nor the end."""


class Connection:
    """One connection to (host, port); with `tls`, an SSL context."""

    protocol = "http/1.1"

    def __init__(self, address, tls=None, patience=PATIENCE):
        self.stream = socket.create_connection(address, timeout=patience)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.stream = tls.wrap_socket(self.stream, server_hostname="localhost")
        self.ahead = b""

    def close(self):
        self.stream.close()

    def reset(self):
        """Ends it without a word, as a client that crashed."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.close()

    def send(self, data):
        """Sends; a server that has closed already is found out when its answer is read."""
        try:
            self.stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        except TimeoutError:
            raise TimedOut from None

    def half_close(self):
        try:
            self.stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def read(self, method=b"GET"):
        """The next response. Raises `Closed` or `TimedOut`."""
        interim = []
        while True:
            answer = self._one(method)
            if answer.status == 101 or answer.status >= 200:
                answer.interim = interim
                return answer
            interim.append(answer)

    def read_to_end(self):
        """Everything until the server closes; raises `TimedOut` if it does not."""
        try:
            while True:
                self._more()
        except Closed:
            rest, self.ahead = self.ahead, b""
            return rest

    def _one(self, method):
        while b"\r\n\r\n" not in self.ahead:
            self._more()
        head, _, self.ahead = self.ahead.partition(b"\r\n\r\n")
        head = head.decode("latin-1")
        first, *lines = head.split("\r\n")
        version, _, rest = first.partition(" ")
        assert version in ("HTTP/1.1", "HTTP/1.0"), f"no response: {first!r}"
        fields = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
        answer = Answer(int(rest[:3]), fields)
        try:
            answer.body = self._body(answer, method)
        except Closed as closed:
            raise Closed(head.encode("latin-1") + closed.data) from None
        return answer

    def _body(self, answer, method):
        if method == b"HEAD" or answer.status < 200 or answer.status in (204, 304):
            return b""
        if answer.values("transfer-encoding"):
            return self._chunks()
        lengths = answer.values("content-length")
        if lengths:
            return self._exactly(int(lengths[0]))
        return self.read_to_end()

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.ahead:
                self._more()
            size, _, self.ahead = self.ahead.partition(b"\r\n")
            count = int(size, 16)
            part = self._exactly(count + 2)
            if count == 0:
                return body
            body += part[:-2]

    def _exactly(self, count):
        while len(self.ahead) < count:
            self._more()
        found, self.ahead = self.ahead[:count], self.ahead[count:]
        return found

    def _more(self):
        try:
            data = self.stream.recv(262144)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError, ssl.SSLEOFError):
            data = b""
        except TimeoutError:
            raise TimedOut from None
        if not data:
            raise Closed(self.ahead)
        self.ahead += data
