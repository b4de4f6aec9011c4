"""Makes heads.txt: heads of HTTP/2 requests (RFC 7541), and whether a `:path` in them is bad. To be run in tests/requirements.txt.

Half of the connections come from the encoder of `hpack`, half are written field by field in all the ways there are. What is in a
head says the decoder of `hpack`, not the one who wrote it.
"""

import random
from pathlib import Path

from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple
from hpack.hpack import encode_integer
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable

CONNECTIONS = 30
HEADS = 10
FOREIGN = [byte for byte in range(256) if byte == 0x23 or not 0x21 <= byte <= 0x7E]
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
NAMES = [b"accept", b"authorization", b"cookie", b"user-agent", b"x", b"x-path", b":path-not", b"path", b":patH", b"x-" + b"n" * 60]


def main():
    chance = random.Random(7541)
    out = ["# make.py makes this. A connection is closed by an empty line; a head is `good` or `bad`, the size of the table behind it, its bytes."]
    for connection in range(CONNECTIONS):
        write = by_encoder(chance) if connection % 2 else by_hand(chance)
        values = [text(chance, range(256), longest) for longest in (5, 10, 20, 40, 60, 130)]
        decoder = Decoder(max_header_list_size=1 << 20)
        decoder.max_allowed_table_size = 4096
        for head in range(HEADS):
            may_be_bad = head > 4
            block = write(fields(chance, values, may_be_bad))
            is_bad = any(name == b":path" and set(value) & set(FOREIGN) for name, value in decoder.decode(block, raw=True))
            size = sum(32 + len(name) + len(value) for name, value in decoder.header_table.dynamic_entries)
            out.append(f"{'bad' if is_bad else 'good'} {size} {block.hex()}")
            if is_bad:
                break
        out.append("")
    for byte in range(256):
        for string in (plain, coded):
            block = number(4, 4, 0x00) + string(b"/" + bytes([byte]))
            out += [f"{'bad' if byte in FOREIGN else 'good'} 0 {block.hex()}", ""]
    Path(__file__).with_name("heads.txt").write_text("\n".join(out))


def fields(chance, values, may_be_bad):
    path = chance.choice([b"/", b"/index.html", b"/api/v1/orders?page=2", b"/" + text(chance, range(0x24, 0x7F))])
    if may_be_bad and chance.random() < 0.3:
        path += bytes([chance.choice([0x23, chance.choice(FOREIGN)])]) + chance.choice([b"", b"a"])
    them = [(b":method", chance.choice([b"GET", b"POST", b"PATCH"])), (b":scheme", b"https"), (b":authority", b"a.example")]
    them.insert(chance.randrange(4), (b":path", path))
    for _ in range(chance.randrange(8)):
        them.append((chance.choice(NAMES), chance.choice(values)))
    if chance.random() < 0.02:
        # Larger than the table.
        them.append((b"x", text(chance, range(0x61, 0x7B), 5000)))
    return them


def text(chance, letters, longest=25):
    return bytes(chance.choice(letters) for _ in range(chance.randrange(longest)))


def by_encoder(chance):
    encoder = Encoder()

    def write(them):
        if chance.random() < 0.3:
            encoder.header_table_size = chance.choice([0, 4096, chance.randrange(700), chance.randrange(700)])
        kinds = [HeaderTuple, HeaderTuple, NeverIndexedHeaderTuple]
        return encoder.encode([chance.choice(kinds)(*field) for field in them], huffman=chance.random() < 0.7)

    return write


def by_hand(chance):
    table = HeaderTable()

    def write(them):
        sizes = [chance.choice([0, 4096, chance.randrange(700), chance.randrange(700)]) for _ in range(chance.choice([0, 0, 0, 1, 2]))]
        for size in sizes:
            table.maxsize = size
        return b"".join([number(size, 5, 0x20) for size in sizes] + [one(*field) for field in them])

    def one(name, value):
        index, _, whole = table.search(name, value) or (0, None, None)
        if whole is not None and chance.random() < 0.7:
            return number(index, 7, 0x80)
        bits, first = chance.choice([(6, 0x40), (4, 0x00), (4, 0x10)])
        index = index if chance.random() < 0.7 else 0
        if first == 0x40:
            table.add(name, value)
        return number(index, bits, first) + (b"" if index else string(name)) + string(value)

    def string(value):
        return chance.choice([plain, coded])(value)

    return write


def plain(value):
    return number(len(value), 7, 0x00) + value


def coded(value):
    code = HUFFMAN.encode(value)
    return number(len(code), 7, 0x80) + code


def number(value, bits, first):
    them = encode_integer(value, bits)
    them[0] |= first
    return bytes(them)


main()
