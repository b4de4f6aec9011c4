"""What is resident: idle, for each connection, token, mark and login, and after a burst."""

import base64
import hashlib
import itertools
import json
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack

from instance import all_answered, checked, items, login, request
from tokens import ISSUER

LARGE = 64 * 1024
BURST_TOKENS = 10_000


class Memory:
    """One round of all of it. A figure is bytes, of the parts that `Instance.memory` tells apart."""

    def __init__(self, bench):
        self.bench, self.options, self.figures = bench, bench.options, {}

    def run(self):
        self.idle()
        self.connections("plain")
        self.connections("TLS", server={"tls": self.bench.certificate, "public_url": "https://localhost"})
        self.each_of(self.options.tokens, "RS256 token", self.tokens)
        self.each_of(self.options.marks, "mark", self.marks)
        self.burst()
        return self.figures

    def instance(self, **options):
        return self.bench.instance(**options)

    def note(self, name, figure):
        self.figures[name] = figure
        self.bench.progress(f"{name}: " + ", ".join(f"{part} {value / 2**20:.2f} MiB" for part, value in figure.items()))

    def each(self, name, count, parts):
        figure = {part: value / count for part, value in parts.items()}
        self.figures[name] = figure
        self.bench.progress(f"{name}: " + ", ".join(f"{part} {value:.0f} B" for part, value in figure.items()))

    def each_of(self, counts, what, grown):
        """By how much a process grows for so many, and for each of those that the larger number has more."""
        grown_by = {count: grown(count) for count in counts}
        for count, parts in grown_by.items():
            self.each(f"each of {count:,} {what}s", count, parts)
        for fewer, more in itertools.pairwise(counts):
            further = {part: grown_by[more][part] - grown_by[fewer][part] for part in grown_by[more]}
            self.each(f"each further {what}, from {fewer:,} to {more:,}", more - fewer, further)

    def idle(self):
        with self.instance(core="0,1", threads=None) as doorward:
            self.note("idle, a thread for each core", doorward.settled(self.options.settle))
        with self.instance() as doorward:
            self.note("idle, 1 thread", doorward.settled(self.options.settle))
            client, file = self.bench.client, self.bench.client.file([login()])
            all_answered(client.run(doorward.port, file, connections=1), 200, "the first login")
            self.note("after the first login", doorward.settled(self.options.settle))
            self.note("at the most, during it", {"rss": doorward.most()})

    def connections(self, kind, **changes):
        number, token = self.options.connections, self.bench.token
        with self.instance(**changes) as doorward, ExitStack() as held:
            checked(doorward, self.bench.issuer, kind == "TLS")
            before = doorward.settled(self.options.settle)
            context = ssl._create_unverified_context() if kind == "TLS" else None
            for _ in range(number):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", doorward.port)))
                if context:
                    connection = held.enter_context(context.wrap_socket(connection, server_hostname="localhost"))
                connection.sendall(items(token))
                answer = connection.recv(4096)
                if not answer.startswith(b"HTTP/1.1 200 "):
                    raise RuntimeError(f"a connection was answered {answer[:40]}")
            self.each(f"each idle connection, {kind}", number, growth(before, doorward.settled(self.options.settle)))

    def tokens(self, count):
        client = self.bench.client
        with self.instance() as doorward:
            client.run(doorward.port, client.file([items(self.bench.token)] * 1000))
            before = doorward.settled(self.options.settle)
            all_answered(client.run(doorward.port, self.bench.requests(count)), 200, "tokens")
            return growth(before, doorward.settled(self.options.settle))

    def marks(self, count):
        """As they come from another instance's store: a file, which is read at the start."""
        export = self.bench.directory / f"marks-{count}"
        if not export.exists():
            write_marks(export, count)
        with self.instance() as doorward:
            before = doorward.settled(self.options.settle)
        full = self.bench.prepare()
        command = [self.options.doorward, "store", "import", "--force", "--config", full.config, export]
        subprocess.run(command, check=True, capture_output=True)
        with full:
            end = time.monotonic() + 120
            while full.metric("doorward_denylist_entries") < count:
                if time.monotonic() > end:
                    raise RuntimeError("the marks were not read")
                time.sleep(0.2)
            return growth(before, full.settled(self.options.settle))

    def burst(self):
        """Everything at once, and then nothing. All tokens were seen before: that they are remembered is another figure."""
        client, options, seconds = self.bench.client, self.options, self.options.burst
        tokens = self.bench.requests(min(options.tokens[-1], BURST_TOKENS))
        body = client.file([request("POST", "/items/42", {"Authorization": f"Bearer {self.bench.token}"}, b"x" * LARGE)])
        logins = client.file([login()])
        with self.instance() as doorward:
            client.run(doorward.port, logins, connections=1)
            client.run(doorward.port, tokens)
            self.note("before a burst", doorward.settled(self.options.settle))
            self.note("at full load", self.during(doorward, ((tokens, 64),), seconds))
            self.note("in a burst", self.during(doorward, ((tokens, 64), (body, 16), (logins, 8)), seconds))
            self.note("10 s after it", doorward.settled(options.rest))

    def during(self, doorward, kinds, seconds):
        """Its memory near the end of a load."""
        client = self.bench.client
        load = [client.begin(doorward.port, file, seconds=seconds, connections=number) for file, number in kinds]
        time.sleep(seconds * 0.8)
        figure = doorward.memory()
        for one in load:
            one.communicate()
        return figure


def growth(before, after):
    return {part: after[part] - before[part] for part in before}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_marks(path, count):
    """An export with so many marks, of an instance without keys: `--force` lets it in anywhere."""
    head = {"origin": {"issuer": "", "server_keys": [], "signing_keys": []}, "exported_at": 0, "latest_access_exp": 0, "latest_session_end": 0}
    ends_at, digest = int(time.time() * 1000) + 3_600_000, hashlib.sha256()
    with path.open("wb") as file:

        def write(line):
            digest.update(line.encode())
            file.write(line.encode())

        write(f"doorward export 1\n{json.dumps(head)}\n")
        for number in range(count):
            names = (b"jti", ISSUER.encode(), b"%032x" % number)
            key = hashlib.sha256(b"doorward mark" + b"".join(len(name).to_bytes(8, "big") + name for name in names)).digest()[:16]
            record = json.dumps({"k": "jti", "i": ISSUER, "v": f"{number:032x}", "x": ends_at}, separators=(",", ":")).encode()
            write(f"mark {b64(key)} {b64(bytes([1]) + ends_at.to_bytes(8, 'big') + record)}\n")
        file.write(f"end {count} 0 {digest.hexdigest()}\n".encode())
