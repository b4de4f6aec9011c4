"""Revocation marks, made as an operator makes them."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 32  # the store puts those that wait into one write


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def write(path, tokens, count):
    """One for each of `tokens`, and `count` on names that nobody has."""
    orders = [{"kind": "token", "value": token} for token in tokens]
    orders += [{"kind": "jti", "value": f"nobody-{number}"} for number in range(count)]

    def some(offset):
        connection = Local(path)
        for order in orders[offset::AT_ONCE]:
            connection.request("POST", "/revocations", json.dumps(order), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"a mark was not made: {answer.status} {text[:200]}")
        connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(some, range(AT_ONCE)))
