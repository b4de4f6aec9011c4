"""A client that sends bytes as they are, and reads answers without forgiving anything."""

from dataclasses import dataclass, field

from .stream import Closed, Stream


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


class Connection(Stream):
    """A client of HTTP/1.1."""

    protocol = "http/1.1"

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
                self.more()
        except Closed:
            rest, self.ahead = self.ahead, b""
            return rest

    def _one(self, method):
        while b"\r\n\r\n" not in self.ahead:
            self.more()
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
            return self.exactly(int(lengths[0]))
        return self.read_to_end()

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.ahead:
                self.more()
            size, _, self.ahead = self.ahead.partition(b"\r\n")
            count = int(size, 16)
            part = self.exactly(count + 2)
            if count == 0:
                return body
            body += part[:-2]
