"""An HTTP/2 client one frame above the bytes: it sends what no library would, and checks nothing of it but that there is credit for it."""

import socket
import ssl

from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from .http1 import PATIENCE, Answer, Closed, TimedOut

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Large enough that no case waits for credit.
WINDOW = (1 << 31) - 1


class Reset(Exception):
    """The stream was reset; `code` is the error."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Connection:
    """One connection, over TLS if `tls` is a context, else with prior knowledge. Streams are numbered 1, 3, 5 …"""

    protocol = "h2"

    def __init__(self, address, tls=None, patience=PATIENCE):
        self.stream = socket.create_connection(address, timeout=patience)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.stream = tls.wrap_socket(self.stream, server_hostname="localhost")
            assert self.stream.selected_alpn_protocol() == "h2", "the server does not speak HTTP/2"
        self.encoder, self.decoder = Encoder(), Decoder()
        self.ahead = b""
        self.next_stream = 1
        self.last_stream = 0
        self.parts = {}
        self.going_away = self.going_away_code = None
        self.window = 65_535
        settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: WINDOW, SettingsFrame.ENABLE_PUSH: 0})
        self.send(PREFACE + settings.serialize())

    def close(self):
        self.stream.close()

    def reset(self):
        self.close()

    def half_close(self):
        try:
            self.stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def send(self, data):
        try:
            self.stream.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        except TimeoutError:
            raise TimedOut from None

    def send_frame(self, frame):
        self.send(frame.serialize())

    def open(self):
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        self.last_stream = stream
        return stream

    def request(self, headers, data=(), trailers=None, end=True):
        """Sends a request of these fields, in this order and as they are; each of `data` is a DATA frame."""
        stream = self.open()
        self.send_headers(stream, headers, end=end and not data and trailers is None)
        for number, part in enumerate(data):
            if not self._credit(stream, len(part)):
                return stream
            last = end and trailers is None and number == len(data) - 1
            self.send_frame(DataFrame(stream, data=part, flags=["END_STREAM"] if last else []))
        if trailers is not None:
            self.send_headers(stream, trailers, end=True)
        return stream

    def _credit(self, stream, count):
        """Waits until so much may be sent; false if the stream has ended before."""
        part = self.parts.setdefault(stream, Part())
        while min(self.window, part.window) < count and not part.done and part.reset is None:
            self.step()
        self.window -= count
        part.window -= count
        return not part.done and part.reset is None

    def send_headers(self, stream, headers, end):
        """A HEADERS frame, and CONTINUATION where it is too large for one."""
        block = self.encoder.encode([(name, value) for name, value in headers], huffman=False)
        pieces = [block[at : at + 16384] for at in range(0, len(block), 16384)] or [b""]
        frames = [HeadersFrame(stream, data=pieces[0])] + [ContinuationFrame(stream, data=piece) for piece in pieces[1:]]
        if end:
            frames[0].flags.add("END_STREAM")
        frames[-1].flags.add("END_HEADERS")
        self.send(b"".join(frame.serialize() for frame in frames))

    def read(self, method=b"GET", stream=None):
        """The response on a stream (the last one opened). Raises `Reset`, `Closed` or `TimedOut`."""
        stream = stream or self.last_stream
        while True:
            part = self.parts.setdefault(stream, Part())
            if part.reset is not None and not part.done:
                raise Reset(part.reset)
            if part.done:
                return part.answer()
            if self.going_away is not None and self.going_away < stream:
                raise Closed
            self.step()

    def read_to_end(self):
        """Until the server closes."""
        try:
            while True:
                self.step()
        except Closed:
            return b""

    def ping(self):
        """Asks whether anybody is there; raises `Closed` if not."""
        self.pong = False
        self.send_frame(PingFrame(0, opaque_data=b"anybody?"))
        while not self.pong:
            self.step()

    def step(self):
        """Takes one frame in."""
        frame = self._frame()
        part = self.parts.setdefault(frame.stream_id, Part())
        if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.send_frame(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, PingFrame):
            if "ACK" in frame.flags:
                self.pong = True
            else:
                self.send_frame(PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, WindowUpdateFrame):
            if frame.stream_id:
                part.window += frame.window_increment
            else:
                self.window += frame.window_increment
        elif isinstance(frame, GoAwayFrame):
            self.going_away, self.going_away_code = frame.last_stream_id, frame.error_code
        elif isinstance(frame, RstStreamFrame):
            part.reset = frame.error_code
        elif isinstance(frame, (HeadersFrame, ContinuationFrame)):
            part.block += frame.data
            if "END_HEADERS" in frame.flags:
                part.take(self.decoder.decode(part.block, raw=True))
        elif isinstance(frame, DataFrame):
            part.body += frame.data
            if frame.data:
                credit = WindowUpdateFrame(0, window_increment=len(frame.data))
                self.send_frame(credit)
        if "END_STREAM" in frame.flags:
            part.done = True

    def _frame(self):
        head = self._exactly(9)
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self._exactly(length)))
        return frame

    def _exactly(self, count):
        while len(self.ahead) < count:
            try:
                data = self.stream.recv(262144)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError, ssl.SSLEOFError):
                data = b""
            except TimeoutError:
                raise TimedOut from None
            if not data:
                raise Closed(self.ahead)
            self.ahead += data
        found, self.ahead = self.ahead[:count], self.ahead[count:]
        return found


class Part:
    """What has come of a response."""

    def __init__(self):
        self.block = b""
        self.heads = []
        self.body = b""
        self.done = False
        self.reset = None
        self.window = 65_535

    def take(self, fields):
        self.heads.append([(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in fields])
        self.block = b""

    def answer(self):
        answers = []
        for fields in self.heads:
            statuses = [value for name, value in fields if name == ":status"]
            if statuses:
                answers.append(Answer(int(statuses[0]), [(name, value) for name, value in fields if not name.startswith(":")]))
        assert answers, "the stream ended without a response"
        *interim, answer = answers
        answer.body, answer.interim = self.body, interim
        return answer
