"""The bytes of a step."""

import re

from .text import fill
from .upstream import Script

# A pseudo-header begins with a colon; a name may be empty, and anything else that an escape can write.
FIELD = re.compile(r"(:?[^:]*):( ?)(.*)", re.DOTALL)


class Sender:
    """`doctor` puts the server's own paths into a text; `credential` names the token of `{{auth}}`, if there is one."""

    def __init__(self, doctor, credential):
        self.doctor = doctor
        self.credential = None if credential == "none" else credential

    def authorization(self, words):
        return b"Authorization: Bearer " + words[self.credential] if self.credential else b""

    def bytes(self, step, words):
        """`raw` as it is; else the lines of `send` that are not empty, each with CRLF, an empty one, and the `body`."""
        if "raw" in step:
            return fill(self.doctor(step["raw"]), words)
        body = fill(step.get("body", ""), words)
        words = words | {"length": str(len(body))}
        lines = [fill(self.doctor(line), words) for line in step["send"].rstrip("\n").split("\n")]
        return b"\r\n".join(line for line in lines if line) + b"\r\n\r\n" + body

    def streams(self, told, words):
        """(headers, DATA frames, trailers, whether the stream ends) of an HTTP/2 request."""
        told = {"headers": told} if isinstance(told, str) else told
        data = [fill(part, words) for part in told.get("data", [])]
        trailers = self._fields(told["trailers"], words) if "trailers" in told else None
        return self._fields(told["headers"], words), data, trailers, told.get("end", True)

    def _fields(self, text, words):
        fields = []
        for line in text.rstrip("\n").split("\n"):
            line = line.replace("{{auth}}", f"authorization: Bearer {{{{{self.credential}}}}}" if self.credential else "")
            if line:
                name, _, value = FIELD.fullmatch(self.doctor(line)).groups()
                fields.append((fill(name, words), fill(value, words)))
        return fields

    def script(self, told, words):
        """What the upstream answers."""
        told = {"answer": told} if isinstance(told, str) else dict(told)
        return Script(fill(self.doctor(told.pop("answer", "")), words), **told)
