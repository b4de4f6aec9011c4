"""How long requests take at half the load that the proxy bears, while others abuse it."""

import contextlib
import json
import math
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cpu
from instance import all_answered, checked, items, login, only, result, revocation
from memory import b64
from tokens import AUDIENCE, SUBJECT

# A key id that nobody has makes an issuer's keys be fetched, once in ten seconds: with so many issuers, one each second.
ISSUERS, MISSES, COOLDOWN = 10, 10, 10
REVOCATIONS = 1000
# Logins a second that fill the queue in any case.
LEAST_STORM = 100
QUIET = "quiet"


def times():
    """Seconds of all cores so far: all, busy, and busy for this program and its children."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9]))
    idle = fields[3] + fields[4]
    return sum(fields) / cpu.TICKS, (sum(fields) - idle) / cpu.TICKS, cpu.seconds(os.getpid())


def disturbance(runs):
    return max(run["others"] for run in runs)


class Keys:
    """An HTTP server with the keys of all issuers, and tokens of theirs whose key nobody has."""

    def __init__(self, issuer):
        keys = json.dumps({"keys": [issuer.jwk() | {"kid": "known"}]}).encode()
        self.fetched, self.made = 0, 0
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                counting.fetched += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(keys)))
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.names = [f"http://127.0.0.1:{self.server.server_port}/{number}" for number in range(ISSUERS)]

    def trusted(self):
        return [
            {"issuer": name, "jwks_url": f"{name}/jwks", "audience": [AUDIENCE], "subject_prefix": f"{number}:"}
            for number, name in enumerate(self.names)
        ]

    def requests(self, count):
        """Nobody has their keys, so nobody looks at their signatures."""
        exp = int(time.time()) + 600
        for _ in range(count):
            self.made += 1
            head = {"alg": "RS256", "typ": "JWT", "kid": f"unknown-{self.made}"}
            claims = {"iss": self.names[self.made % ISSUERS], "aud": AUDIENCE, "sub": SUBJECT, "exp": exp, "scope": "items"}
            parts = (json.dumps(head).encode(), json.dumps(claims).encode(), bytes(256))
            yield items(".".join(b64(part) for part in parts))

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Latency:
    """A doorward that is kept for all rounds, and its abuses by name."""

    def __init__(self, bench):
        self.bench, self.client, self.options = bench, bench.client, bench.options
        self.keys = Keys(bench.issuer)
        self.doorward = bench.instance(trusted_issuers=self.keys.trusted()).start()
        self.cool = time.monotonic() + COOLDOWN
        self.revoked, self.done = 0, {}
        self.abuses = {
            "logins": (self.logins,),
            "key refresh": (self.key_refresh,),
            "reloads": (self.reloads,),
            "revocations": (self.revocations,),
            "all at once": (self.logins, self.key_refresh, self.reloads, self.revocations),
        }

    def stop(self):
        self.doorward.stop()
        self.keys.stop()

    def prepare(self):
        """How much the proxy bears, and how many logins."""
        checked(self.doorward, self.bench.issuer)
        self.requests = self.client.file([items(self.bench.token)])
        self.login = self.client.file([login()])
        seconds = self.options.seconds
        self.client.run(self.doorward.port, self.requests, seconds=seconds)
        full = all_answered(self.client.run(self.doorward.port, self.requests, seconds=seconds), 200, "full load")
        self.full = full["statuses"]["200"] / full["seconds"]
        logins = all_answered(self.client.run(self.doorward.port, self.login, seconds=seconds, connections=4), 200, "logins")
        self.hashing = logins["statuses"]["200"] / logins["seconds"]
        self.rate = max(1, round(self.full * self.options.share))
        self.bench.progress(f"it bears {self.full:.0f} requests/s, or {self.hashing:.0f} logins/s; measured at {self.rate}/s")

    def round(self):
        """Each abuse, and the quiet before it: lists of quantiles of one run."""
        for name, abuses in self.abuses.items():
            if not self.options.abuses or name in self.options.abuses:
                # Where others work on this machine, the least disturbed of some.
                pairs = []
                while not pairs or disturbance(pairs[-1]) > self.options.disturbed and len(pairs) < self.options.tries:
                    pairs.append((self.measure(()), self.measure(abuses)))
                yield name, *min(pairs, key=disturbance)

    def measure(self, abuses):
        with contextlib.ExitStack() as going_on:
            for abuse in abuses:
                going_on.enter_context(abuse())
            time.sleep(self.options.lead)
            self.doorward.is_alive()
            before, used = times(), cpu.seconds(self.doorward.pid)
            answer = self.client.run(self.doorward.port, self.requests, rate=self.rate, seconds=self.options.seconds)
            used = (cpu.seconds(self.doorward.pid) - used) / sum(answer["statuses"].values()) * 1e6
            all_, busy, ours = (after - before for after, before in zip(times(), before, strict=True))
        # Logins that were still waiting end, too.
        time.sleep(self.options.lead)
        return only(answer, (200,), "requests at half load") | {"others": max(0.0, busy - ours) / all_, "us": used}

    def did(self, name, count):
        self.done.setdefault(name, []).append(count)

    def lasting(self):
        return self.options.seconds + math.ceil(2 * self.options.lead)

    @contextlib.contextmanager
    def logins(self):
        """Ten times as many as can be hashed."""
        storm = self.client.begin(self.doorward.port, self.login, max(LEAST_STORM, round(10 * self.hashing)), self.lasting(), last=True)
        yield
        answer = result(storm)
        if "503" not in only(answer, (200, 503), "logins")["statuses"]:
            raise RuntimeError(f"that was no storm: {answer['statuses']}")
        self.did("logins let in a second", answer["statuses"].get("200", 0) / answer["seconds"])
        # At once, whereas the last of those let in were waiting when the storm was over.
        self.did("logins refused a second", answer["statuses"]["503"] / self.lasting())

    @contextlib.contextmanager
    def key_refresh(self):
        time.sleep(max(0, self.cool - time.monotonic()))
        file, before, began = self.client.file(self.keys.requests(MISSES * self.lasting())), self.keys.fetched, time.monotonic()
        misses = self.client.begin(self.doorward.port, file, MISSES, self.lasting(), last=True)
        yield
        # 503: the keys were being fetched for longer than a request waits.
        only(result(misses), (401, 503), "tokens with an unknown key")
        fetched = self.keys.fetched - before
        if not fetched:
            raise RuntimeError("no keys were fetched")
        self.did("keys fetched a second", fetched / (time.monotonic() - began))

    @contextlib.contextmanager
    def reloads(self):
        ended, before, began = threading.Event(), self.doorward.reloads(), time.monotonic()

        def each_second():
            while True:
                self.doorward.reload()
                if ended.wait(1):
                    break

        thread = threading.Thread(target=each_second)
        thread.start()
        yield
        ended.set()
        thread.join()
        reloads = self.doorward.reloads() - before
        if not reloads:
            raise RuntimeError("nothing was reloaded")
        self.did("reloads a second", reloads / (time.monotonic() - began))

    @contextlib.contextmanager
    def revocations(self):
        count = REVOCATIONS * self.lasting()
        file = self.client.file(revocation(number) for number in range(self.revoked, self.revoked + count))
        self.revoked += count
        burst = self.client.begin(self.doorward.admin, file, REVOCATIONS, self.lasting(), connections=32, last=True)
        yield
        answer = only(result(burst), (200,), "revocations")
        self.did("revocations a second", answer["statuses"]["200"] / answer["seconds"])
