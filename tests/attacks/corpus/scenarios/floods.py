"""Floods over HTTP/2."""

import ssl

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from ..http1 import Closed, TimedOut

FLOOD = 20_000
ROOM = 64 << 20


def rapid_reset(target, attempt):
    """Streams that are opened and at once reset: by the client, or by the server, made to by a bad frame."""
    connection = attempt.connection("a", "h2")
    block = request_block(connection, target, "/public/x")
    end = RstStreamFrame(1, error_code=8) if attempt.words["how"] == b"client" else WindowUpdateFrame(1, window_increment=0)
    tail = end.serialize()

    def frames(number):
        stream = (2 * number + 1).to_bytes(4, "big")
        head = HeadersFrame(1, data=block, flags=["END_HEADERS"]).serialize()
        return head[:5] + stream + head[9:] + tail[:5] + stream + tail[9:]

    before = target.process.resident_bytes()
    closed = pour(connection, frames, FLOOD)
    attempt.verdict.expected, attempt.verdict.got = "closed", "closed" if closed else "kept"
    attempt.uncounted = True
    if not closed:
        attempt.verdict.find("differs", "the connection was kept")
    # What went up before the end: a stream counts as open until its reset is read.
    reached = len(target.upstream.arrived())
    if reached > FLOOD // 10:
        attempt.verdict.find("broken", f"{reached} of them reached the upstream")
    judge_memory(target, attempt, before)


def flood(target, attempt):
    connection = attempt.connection("a", "h2")
    kind = attempt.words["of"].decode()
    before = target.process.resident_bytes()
    attempt.uncounted = True
    must_end, frames, count = flood_of(kind, connection, target)
    closed = pour(connection, frames, count)
    ended = closed or connection.parts and any(part.reset is not None or part.done for part in connection.parts.values())
    attempt.verdict.got = f"closed {connection.going_away_code}" if closed else "ended" if ended else "kept"
    attempt.verdict.expected = "ended" if must_end else "bounded"
    if must_end and not ended:
        attempt.verdict.find("differs", "it was taken to the end")
    if kind == "streams":
        refused = sum(part.reset is not None for part in connection.parts.values())
        if not closed and refused < count - 200:
            attempt.verdict.find("differs", f"of {count} streams {refused} were refused")
    judge_memory(target, attempt, before)
    attempt.connections.pop("a").close()


def flood_of(kind, connection, target):
    """(must it end the stream or connection, the bytes of its n-th step, how many steps)."""
    opened = HeadersFrame(1, data=request_block(connection, target, "/public/x", "POST"), flags=["END_HEADERS"]).serialize()
    unfinished = HeadersFrame(1, data=request_block(connection, target, "/public/x")).serialize()
    if kind == "continuation":
        more = ContinuationFrame(1, data=b"\x00\x03x-a\x7f\x81\x06" + b"a" * 900).serialize()
        return True, lambda number: unfinished if number == 0 else more, 5_000
    if kind == "empty-data":
        empty = DataFrame(1).serialize()
        return False, lambda number: opened if number == 0 else empty, FLOOD
    if kind == "ping":
        ping = PingFrame(0, opaque_data=b"12345678").serialize()
        return False, lambda _: ping, FLOOD
    if kind == "settings":
        settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 65535}).serialize()
        return False, lambda _: settings, FLOOD
    if kind == "priority":
        return False, lambda number: PriorityFrame(2 * number + 1, stream_weight=1).serialize(), FLOOD
    if kind == "hpack-bomb":
        entry = b"\x40\x03x-a" + b"\x7f\xa1\x1e" + b"a" * 4000
        bomb = request_block(connection, target, "/public/x") + entry + b"\xbe" * 12_000
        return True, lambda _: HeadersFrame(1, data=bomb, flags=["END_HEADERS", "END_STREAM"]).serialize(), 1
    if kind == "streams":
        block = request_block(connection, target, "/public/x", "POST")
        return False, lambda number: HeadersFrame(2 * number + 1, data=block, flags=["END_HEADERS"]).serialize(), 1_000
    block = request_block(connection, target, "/public/{}".format("x" * 4000))
    closed_window = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()

    def step(number):
        head = HeadersFrame(2 * number + 1, data=block, flags=["END_HEADERS", "END_STREAM"]).serialize()
        return closed_window + head if number == 0 else head

    return False, step, 90


def request_block(connection, target, path, method="GET"):
    fields = [(":method", method), (":scheme", target.words["scheme"]), (":authority", target.words["host"]), (":path", path)]
    # Nothing is put into the table, so that the same bytes say the same again and again.
    return b"".join(b"\x00" + length(name) + name.encode() + length(value) + value.encode() for name, value in fields)


def length(text):
    """HPACK's integer with a prefix of seven bits."""
    count = len(text)
    if count < 127:
        return bytes([count])
    count, made = count - 127, b"\x7f"
    while count >= 128:
        made, count = made + bytes([count % 128 | 128]), count // 128
    return made + bytes([count])


def pour(connection, frames, count):
    """Sends so many steps, and takes in what comes meanwhile; true if the server ended it."""
    number = 0
    try:
        while number < count:
            upto = min(number + 200, count)
            connection.stream.settimeout(8)
            connection.stream.sendall(b"".join(frames(each) for each in range(number, upto)))
            number = upto
            take_in(connection)
        connection.stream.settimeout(8)
        connection.ping()
    except (Closed, OSError):
        return True
    except TimedOut:
        return False
    return connection.going_away is not None


def take_in(connection):
    """What is there now, without waiting for more."""
    connection.stream.settimeout(0)
    try:
        while True:
            data = connection.stream.recv(65536)
            if not data:
                raise Closed
            connection.ahead += data
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    connection.stream.settimeout(8)
    while len(connection.ahead) >= 9 and len(connection.ahead) >= 9 + int.from_bytes(connection.ahead[:3], "big"):
        connection.step()


def judge_memory(target, attempt, before):
    grown = target.process.resident_bytes() - before
    if grown > ROOM:
        attempt.verdict.find("differs", f"memory grew by {grown >> 20} MiB")
