"""The bytes of one connection, whatever is spoken on it."""

import socket
import ssl
import struct

# Long, for machines under load; nothing waits so long unless it fails.
PATIENCE = 8
# What a TCP or TLS connection that has ended says.
GONE = (BrokenPipeError, ConnectionResetError, ssl.SSLError)


class Closed(Exception):
    """The connection ended; `data` is what it brought of an answer."""

    def __init__(self, data=b""):
        super().__init__()
        self.data = data


class TimedOut(Exception):
    """Neither an answer nor the end."""


class Stream:
    """One connection to (host, port); with `tls`, an SSL context. `ahead` is what came and has not been taken yet."""

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

    def half_close(self):
        try:
            self.stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def send(self, data):
        """Sends; a server that has closed already is found out when its answer is read."""
        try:
            self.stream.sendall(data)
        except GONE:
            pass
        except TimeoutError:
            raise TimedOut from None

    def exactly(self, count):
        while len(self.ahead) < count:
            self.more()
        found, self.ahead = self.ahead[:count], self.ahead[count:]
        return found

    def more(self):
        """Takes in what comes next. Raises `Closed` or `TimedOut`."""
        try:
            data = self.stream.recv(262144)
        except GONE:
            data = b""
        except TimeoutError:
            raise TimedOut from None
        if not data:
            raise Closed(self.ahead)
        self.ahead += data
