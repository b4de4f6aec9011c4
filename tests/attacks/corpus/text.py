"""Bytes written as text: Python's escapes and `{{words}}`, in one pass, so that a word's value is never read again."""

import re

PIECE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[rntv0\\])|\{\{.*?\}\}|[^\\{]+|[\\{]", re.DOTALL)
REPEATED = re.compile(r"(.*)\*(\d+)", re.DOTALL)
SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "v": b"\v", "0": b"\0", "\\": b"\\"}


class UnknownWord(KeyError):
    """A word that nothing defines: most likely a slip of the pen in a case."""


def fill(text, words):
    r"""The bytes of `text`: `\r \n \t \v \0 \xNN \\` as in Python, `\uNNNN` and everything else in UTF-8, `{{word}}` as in `words`,
    `{{text*number}}` a text or word so many times, with `#` for the number of the repetition."""
    return b"".join(_piece(piece, words) for piece in PIECE.findall(str(text)))


def _piece(piece, words):
    if piece.startswith("{{") and piece.endswith("}}"):
        return _word(piece[2:-2], words)
    if piece.startswith("\\x"):
        return bytes([int(piece[2:], 16)])
    if piece.startswith("\\u"):
        # A lone half of a pair stays one: some cases need just that.
        return chr(int(piece[2:], 16)).encode("utf-8", "surrogatepass")
    if piece.startswith("\\") and len(piece) == 2:
        return SIMPLE[piece[1]]
    return piece.encode()


def _word(name, words):
    repeated = REPEATED.fullmatch(name)
    if repeated:
        text, count = repeated[1], int(repeated[2])
        if text in words:
            return _word(text, words) * count
        if "#" not in text:
            return fill(text, words) * count
        return b"".join(fill(text.replace("#", str(number)), words) for number in range(count))
    if name not in words:
        raise UnknownWord(name)
    value = words[name]
    return value if isinstance(value, bytes) else str(value).encode()


def show(data, most=400):
    """Bytes for a report, on one line."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in data[:most])
    text = text.replace("\\x0d\\x0a", "\\r\\n").replace("\\x5c", "\\\\")
    return text if len(data) <= most else f"{text}… ({len(data)} bytes)"
