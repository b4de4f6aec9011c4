"""Requests as bytes, for what a well-behaved client library would not send, or not exactly so."""

import http.client
import socket
from dataclasses import dataclass


@dataclass
class Answer:
    """One response. Header names are as they came; `header` looks them up in any case and refuses duplicates."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        values = [value for given, value in self.headers if given.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Connection:
    """One connection to `address` (host:port)."""

    def __init__(self, address, timeout=15):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, request):
        self.socket.sendall(request)

    def read(self, method="GET"):
        """The next response; raises `http.client.HTTPException` or `OSError` if the connection ends without one."""
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        body = response.read()
        return Answer(response.status, response.getheaders(), body)

    def rest(self):
        """Everything until the other side closes."""
        received = b""
        while chunk := self.socket.recv(65536):
            received += chunk
        return received

    def exchange(self, request, method="GET"):
        self.send(request)
        return self.read(method)


def exchange(address, request, method="GET", timeout=15):
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        return connection.exchange(request, method)


def lines(*parts, body=b""):
    """A request from its lines, with CRLF after each and the empty line that ends the head."""
    head = b"".join((part.encode("latin-1") if isinstance(part, str) else part) + b"\r\n" for part in parts)
    return head + b"\r\n" + body


def request(target, method="GET", body=b"", *headers):
    """A request as clients send it."""
    length = [f"Content-Length: {len(body)}"] if method in ("POST", "PUT") or body else []
    return lines(f"{method} {target} HTTP/1.1", "Host: api.example.test", *length, *headers, body=body)
