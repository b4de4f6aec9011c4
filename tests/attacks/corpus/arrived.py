"""A request as its bytes say it, read strictly: what another server might read differently is a fault."""

import re
from dataclasses import dataclass, field

FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
SIZE = re.compile(rb"[0-9a-f]+", re.IGNORECASE)


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


class Ended(Exception):
    """The other side has closed."""


class Reader:
    """Takes bytes from a connection, each written down before it is looked at."""

    def __init__(self, upstream, connection):
        self.upstream, self.connection = upstream, connection

    def more(self):
        data = self.connection.receive(262144)
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
