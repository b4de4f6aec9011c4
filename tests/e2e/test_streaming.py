"""Bodies and events pass as they come: nothing is kept back, nothing is kept in memory, and nothing is lost.

`SOAK=1` sends 1 GiB where it is 64 MiB otherwise, and watches events for a minute.
"""

import hashlib
import http.client
import json
import time

import pytest
from sidecar import DEADLINE
from streams import ENDS_WITHIN, POLICY, SHORT, SOAK, Memory, expiry

MIB = 1 << 20
SIZE = (1024 if SOAK else 64) * MIB
CHUNK = bytes(range(256)) * 256
MAY_GROW = 16 * MIB
SECONDS = 60 if SOAK else 3


@pytest.fixture
def application(applications):
    return applications("streams")


@pytest.fixture
def gate(application, start):
    gate = start(application.url, {"policy": POLICY})
    assert gate.post("/reset").status_code == 200
    return gate


class Stream:
    """A connection for one long request; `http.client` reads as little as it is asked for."""

    def __init__(self, doorward):
        host, port = doorward.public.split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def get(self, path, token):
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "text/event-stream, */*"})
        response = self.connection.getresponse()
        assert response.status == 200, response.read()
        return response


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_upload(framing, application, gate):
    token = gate.login()["access_token"]
    mark = len(application.output.lines)
    with Stream(gate) as stream, Memory(gate) as memory:
        connection = stream.connection
        connection.putrequest("POST", "/upload")
        connection.putheader("Authorization", f"Bearer {token}")
        if framing == "length":
            connection.putheader("Content-Length", str(SIZE))
        else:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        digest = hashlib.sha256()
        for number in range(SIZE // len(CHUNK)):
            part = number.to_bytes(8, "big") + CHUNK[8:]
            digest.update(part)
            connection.send(part if framing == "length" else b"%x\r\n%s\r\n" % (len(part), part))
            if number == 0:
                # The rest is sent only when the first part is there.
                application.output.wait_for(lambda line: line == "upload begun", mark)
        if framing == "chunked":
            connection.send(b"0\r\n\r\n")
        response = connection.getresponse()
        assert response.status == 200
        assert json.loads(response.read()) == {"size": SIZE, "sha256": digest.hexdigest(), "user": "johndoe"}
        assert_flat(memory)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_download(framing, gate):
    token = gate.login()["access_token"]
    chunks = SIZE // len(CHUNK)
    length = "&length=1" if framing == "length" else ""
    with Stream(gate) as stream, Memory(gate) as memory:
        response = stream.get(f"/download?chunks={chunks}{length}", token)
        assert (response.getheader("Content-Length"), response.getheader("Transfer-Encoding")) == (
            (str(SIZE), None) if framing == "length" else (None, "chunked")
        )
        received, expected = hashlib.sha256(), hashlib.sha256()
        for number in range(chunks):
            received.update(exactly(response, len(CHUNK)))
            expected.update(number.to_bytes(8, "big") + CHUNK[8:])
            if number == 0:
                # The application makes the rest only now that the first is here.
                gate.post(f"/release?times={chunks}")
        assert response.read() == b""
        assert received.digest() == expected.digest()
        assert_flat(memory)


def assert_flat(memory):
    print(f"\n{SIZE // MIB} MiB: memory grew by {memory.growth / MIB:.1f} MiB from {memory.before / MIB:.1f}")
    assert memory.growth <= MAY_GROW


def exactly(response, size):
    parts = []
    while size:
        part = response.read(size)
        assert part, "the answer ended early"
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def test_a_reader_that_rests_fills_no_memory(application, gate):
    """What it does not take stays where it comes from."""
    token = gate.login()["access_token"]
    chunks = SIZE // len(CHUNK)
    with Memory(gate) as memory:
        with Stream(gate) as stream:
            response = stream.get(f"/download?chunks={chunks}", token)
            exactly(response, len(CHUNK))
            gate.post(f"/release?times={chunks}")
            # As many other requests as it takes to have made all of it, were there room for it.
            for _ in range(50):
                assert gate.call("/download?chunks=1", token).status_code == 200
            assert_flat(memory)
        gate.counts(0, "doorward_http_requests_in_flight")


def event(response):
    """The data of the next event."""
    lines = []
    while True:
        line = response.readline().decode().rstrip("\n")
        if not line and any(given.startswith("data: ") for given in lines):
            return next(given.removeprefix("data: ") for given in lines if given.startswith("data: "))
        if not line and not lines:
            assert not response.isclosed(), "the stream ended"
        lines = [*lines, line] if line else []


def test_events_come_one_by_one(gate):
    """Each is made only when the one before has been read."""
    with Stream(gate) as stream:
        response = stream.get("/events?count=20", gate.login()["access_token"])
        assert response.getheader("Content-Type").startswith("text/event-stream")
        for number in range(20):
            gate.post("/release")
            assert event(response) == f"event {number}"
        assert response.read() == b""


def test_events_over_time(gate):
    """A second between two of them: each arrives when it is made, not when the next is."""
    with Stream(gate) as stream:
        response = stream.get(f"/events?count={SECONDS}&every=1", gate.login()["access_token"])
        began = time.monotonic()
        for number in range(SECONDS):
            assert event(response) == f"event {number}"
            late = time.monotonic() - began - (number + 1)
            assert -0.5 <= late <= 0.9, f"event {number} is {late:.2f} s late"
            # What is late once must not count for all that follow.
            began += max(late, 0)
        assert response.read() == b""


def test_a_client_that_leaves_ends_the_events(application, gate):
    mark = len(application.output.lines)
    with Stream(gate) as stream:
        response = stream.get("/events", gate.login()["access_token"])
        gate.post("/release")
        assert event(response) == "event 0"
    application.output.wait_for(lambda line: line.startswith("events ended"), mark)


def ended(response):
    """The time at which the stream ended, in whatever way."""
    try:
        while response.readline():
            pass
    except (http.client.HTTPException, ConnectionError):
        pass
    return time.time()


def test_events_end_with_their_token_and_downloads_do_not(application, start):
    gate = start(application.url, {"policy": POLICY} | SHORT)
    assert gate.post("/reset").status_code == 200
    token = gate.login()["access_token"]
    mark = len(application.output.lines)
    with Stream(gate) as stream, Stream(gate) as kept_stream, Stream(gate) as download_stream:
        download = download_stream.get("/download?chunks=64", token)
        first = exactly(download, len(CHUNK))
        events = stream.get("/events", token)
        kept = kept_stream.get("/kept/events?every=0.2", token)
        assert 0 <= ended(events) - expiry(token) <= ENDS_WITHIN
        application.output.wait_for(lambda line: line.startswith("events ended"), mark)
        assert gate.call("/events", token).status_code == 401
        seen = int(event(kept).removeprefix("event "))
        assert event(kept) == f"event {seen + 1}", "`streams: keep`"
        gate.post("/release?times=64")
        rest = exactly(download, 63 * len(CHUNK))
        assert (first + rest)[: len(CHUNK)] == bytes(8) + CHUNK[8:] and download.read() == b""


def test_an_upload_outlives_its_token(application, start):
    gate = start(application.url, {"policy": POLICY} | SHORT)
    token = gate.login()["access_token"]
    mark = len(application.output.lines)
    with Stream(gate) as stream, Stream(gate) as events:
        connection = stream.connection
        connection.putrequest("PUT", "/upload")
        connection.putheader("Authorization", f"Bearer {token}")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"first")
        application.output.wait_for(lambda line: line == "upload begun", mark)
        ended(events.get("/events", token))
        connection.send(b"later")
        assert json.loads(connection.getresponse().read())["size"] == 10


def test_events_end_when_the_token_is_revoked(gate):
    token = gate.login()["access_token"]
    with Stream(gate) as stream, Stream(gate) as kept_stream:
        events, kept = stream.get("/events", token), kept_stream.get("/kept/events?every=0.2", token)
        before = time.time()
        gate.revoke(token)
        assert ended(events) - before <= ENDS_WITHIN
        seen = int(event(kept).removeprefix("event "))
        assert event(kept) == f"event {seen + 1}"
