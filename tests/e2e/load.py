"""A steady load: so many requests a second, whatever becomes of each."""

import http.client
import threading
import time
from collections import Counter

from wire import Connection, lines

CLIENTS = 4


class Load:
    """While it is entered, `rate` requests a second for `path`, with the tokens that `tokens` has at the time, in turn.

    `answers` counts them by the token's label and the status; `late` is by how much the last request missed its time.
    """

    def __init__(self, address, path, tokens, rate=200):
        self.address, self.path, self.tokens, self.rate = address, path, tokens, rate
        self.answers = Counter()
        self.failures = []
        self.late = 0.0
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(CLIENTS)]

    def __enter__(self):
        self.began = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number):
        try:
            with Connection(self.address) as connection:
                # Each thread has every CLIENTS-th request.
                for turn in range(number, 10**9, CLIENTS):
                    due = self.began + turn / self.rate
                    if self.ended.wait(max(0, due - time.monotonic())):
                        return
                    self.late = time.monotonic() - due
                    self._ask(connection, turn)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))

    def _ask(self, connection, turn):
        tokens = list(self.tokens.items())
        label, token = tokens[turn // CLIENTS % len(tokens)]
        answer = connection.exchange(lines(f"GET {self.path} HTTP/1.1", f"Host: {self.address}", f"Authorization: Bearer {token}"))
        with self.lock:
            self.answers[label, answer.status] += 1

    def asked(self):
        with self.lock:
            return self.answers.total()

    def refused(self, *but):
        """How often each label was answered with each status but 200, labels that begin with one of `but` left out."""
        with self.lock:
            return {key: count for key, count in self.answers.items() if key[1] != 200 and not key[0].startswith(but or ("\0",))}
