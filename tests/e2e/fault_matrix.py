"""A cell of the matrix of faults.yaml: a fault at a moment, from before it came until all is as it was."""

import shutil
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import jwt
import yaml
from conftest import people, settings_for
from cutting_proxy import CuttingProxy
from faults import FAULTS, RIGHT
from load import Load
from sidecar import Doorward, bound_addresses, merge, password_hash, plain_session, until

DATA = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text())
MAX_STALENESS = float(DATA["max_staleness"].removesuffix("s"))
SECRET = "S3cretAlnum"
# So that a lost answer can be asked for again after the longest of the outages: this is how long a session bears one.
SETTINGS = {
    "telemetry": {"format": "json", "access_log": False},
    "revocation": {"max_staleness": DATA["max_staleness"]},
    "clients": [{"id": "web", "default": True}, {"id": "api", "secret_hash": password_hash(SECRET)}],
}
# Logins here are many, and not what is looked at.
QUICK = {"memory_kib": 8, "passes": 1}
# Polite to the machine, which runs several cells at once.
PAUSE = 0.1
# So old a view may be where nothing is wrong.
PROMPT = 1.5
REQUESTS_A_SECOND = 20
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def row(fault, moment):
    """All that the data says of a cell."""
    given = DATA["faults"][fault]
    kind = DATA["kinds"].get(given.get("like"), {})
    special = [of.get("moments", {}).get(moment, {}) for of in (kind, given)]
    merged = {}
    for part in [kind, {key: value for key, value in given.items() if key != "moments"}, *special]:
        merged = merge(merged, part)
    return merged


def cells():
    return [(fault, moment) for fault in DATA["faults"] for moment in DATA["faults"][fault].get("at", DATA["moments"])]


class Place:
    """Servers, what is between, and two replicas: `one`, which faults of the network hit, and `two`."""

    def __init__(self, fault, binary, upstream, directory):
        self.stack = ExitStack()
        self.directory, self.binary, self.upstream = directory, binary, upstream
        self.proxies = []
        self.fault = FAULTS[fault](self)
        self.needs_clock = fault.startswith("clock")
        self.prefix = f"{directory.name}:"
        self.deployment = self.fault.servers()
        self.stack.callback(self.deployment.stop)
        self.deployment.start()
        self.one, self.two = self.replica("one"), self.replica("two")

    def replica(self, name):
        directory = self.directory / name
        directory.mkdir()
        if self.fault.has_proxies:
            server = self.deployment.server
            proxy = CuttingProxy((server.host, server.port))
            self.stack.callback(proxy.stop)
            self.proxies.append(proxy)
            store = {"redis": {"url": proxy.url}}
        else:
            store = self.deployment.store(self.prefix)
        settings = merge(merge(settings_for(self.upstream.url), SETTINGS), {"store": store})
        users = [user | {"password_hash": password_hash("secret", **QUICK)} for user in people()[:1]]
        return Doorward(self.binary, directory, settings, users)

    def start(self, replica):
        self.stack.callback(kill, replica)
        return replica.launch(environment=self.clock_of(replica))

    def clock_of(self, replica):
        """Of the first replica alone: what is added to its clock stands in a file."""
        if not self.needs_clock or replica is not self.one:
            return {}
        assert FAKETIME, "libfaketime is missing: tests/setup/install.sh test"
        file = self.directory / "clock"
        if not file.exists():
            self.set_clock(RIGHT)
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_clock(self, by):
        draft = self.directory / "clock.new"
        draft.write_text(by + "\n")
        draft.rename(self.directory / "clock")

    def close(self):
        self.stack.close()
        shutil.rmtree(self.directory)


def kill(replica):
    if replica.process and replica.process.poll() is None:
        replica.kill()


class Asker:
    """What can be asked of a replica; each answer is held to what must be true of all."""

    def __init__(self, replica):
        self.replica = replica

    def gate(self, token=None, path="/users/me"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask("GET", self.replica.url(path), headers=headers)

    def form(self, path, **options):
        return self._ask("POST", self.replica.url(path), **options)

    def log_in(self):
        return self.form("/token", data={"username": "johndoe", "password": "secret"})

    def refresh(self, token):
        return self.form("/refresh-token", data={"refresh_token": token})

    def revoke(self, token):
        return self.form("/revoke-token", data={"token": token})

    def introspect(self, token):
        return self.form("/introspect", data={"token": token}, auth=("api", SECRET))

    def order(self, token):
        headers = {"Authorization": "Bearer " + (self.replica.directory / "data" / "admin.token").read_text()}
        return self._ask("POST", f"http://{self.replica.admin}/revocations", headers=headers, json={"kind": "token", "value": token})

    def ready(self):
        with plain_session() as session:
            answer = session.get(f"http://{self.replica.admin}/readyz", timeout=10)
        return f"{answer.status_code} {answer.text.splitlines()[0]}"

    @staticmethod
    def _ask(method, url, **options):
        with plain_session() as session:
            answer = session.request(method, url, timeout=20, **options)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1, f"{url}: 503 without saying when to come again"
        assert answer.status_code in (200, 400, 401, 503), f"{url}: {answer.status_code} {answer.text}"
        return answer


class Refreshing(threading.Thread):
    """A client that refreshes again and again, and comes again with the same token where it was told to."""

    def __init__(self, asker, token, may_lose):
        super().__init__(daemon=True)
        self.asker, self.token, self.may_lose = asker, token, may_lose
        self.ended = threading.Event()
        self.refreshed, self.problem = 0, None

    def run(self):
        try:
            while not self.ended.wait(PAUSE):
                answer = self.asker.refresh(self.token)
                if answer.status_code == 200:
                    self.token = answer.json()["refresh_token"]
                    self.refreshed += 1
                elif answer.status_code == 400 and self.may_lose:
                    return
                else:
                    assert answer.status_code == 503, f"logged out: {answer.status_code} {answer.text}"
        except Exception as problem:
            self.problem = problem

    def finish(self):
        self.ended.set()
        self.join()
        if self.problem:
            raise self.problem


class Cell:
    """`run` returns how long healing took, and raises where something is not as the row says."""

    def __init__(self, fault, moment, place):
        self.fault, self.moment, self.place = fault, moment, place
        self.row = row(fault, moment)
        self.one, self.two = Asker(place.one), Asker(place.two)
        self.loses_sessions = self.row.get("loses_sessions", False)
        self.acknowledged = []

    def run(self):
        replicas = [self.place.two] if self.moment == "start" else [self.place.one, self.place.two]
        for replica in replicas:
            self.place.start(replica)
        for replica in replicas:
            replica.public, replica.admin = replica.output.wait_for(bound_addresses)
        self.log_in()
        with ExitStack() as stack:
            self.arrange(stack)
            self.began = time.monotonic()
            self.place.fault.begin()
            if self.moment == "start":
                self.place.start(self.place.one)
                self.place.one.public, self.place.one.admin = self.place.one.output.wait_for(bound_addresses)
                warm = listed(self.row["within"]["warm"])
                until(lambda: self.one.gate(self.tokens["warm"]).status_code in warm, deadline=seconds(self.row["healing"]), what="a view", pause=PAUSE)
            self.look("within")
            self.wait_for_staleness()
            self.look("after")
            self.look_at_signals()
            self.place.fault.end()
            took = self.heal()
        self.look_back()
        return took

    def log_in(self):
        until(lambda: self.two.gate().status_code == 401, what="a replica that answers", pause=PAUSE)
        names = ["warm", "cold", "revoked", "revoke", "revocations", "late", "refresh", "lost request", "lost answer", "chain"]
        self.sessions = {name: good(self.two.log_in()) for name in names}
        self.tokens = {name: session["access_token"] for name, session in self.sessions.items()}
        self.place.sids = [jwt.decode(token, options={"verify_signature": False})["sid"] for token in self.tokens.values()]
        good(self.two.revoke(self.tokens["revoked"]))
        self.acknowledged.append("revoked")
        if self.moment != "start":
            until(lambda: self.one.gate(self.tokens["warm"]).status_code == 200, what="a view", pause=PAUSE)
            until(lambda: self.one.gate(self.tokens["revoked"]).status_code == 401, what="the mark in it", pause=PAUSE)

    def arrange(self, stack):
        """What goes on when the fault comes."""
        self.in_flight, self.load, self.chain = [], None, None
        if self.moment == "load":
            tokens = {name: self.tokens[name] for name in ("warm", "revoked")}
            self.load = stack.enter_context(Load(self.place.one.public, "/users/me", tokens, REQUESTS_A_SECOND))
            self.chain = Refreshing(self.one, self.sessions["chain"]["refresh_token"], self.loses_sessions)
            stack.callback(self.chain.ended.set)
            self.chain.start()
            until(lambda: self.load.asked() > REQUESTS_A_SECOND / 2 and self.chain.refreshed, what="load", pause=PAUSE)
        elif self.moment == "rotation":
            for number, what in enumerate(["request", "answer"]):
                asker = [self.one, self.two][number]
                if self.place.fault.has_proxies:
                    self.place.proxies[number].lose(what)
                request = InFlight(asker, self.sessions["lost " + what]["refresh_token"])
                request.start()
                self.in_flight.append(request)
            for proxy in self.place.proxies:
                assert proxy.found.wait(10), "no rotation came by"

    def look(self, when):
        """At every endpoint; first at those whose answer depends on how old the view is."""
        expected, found = dict(self.row[when]), {}
        ready = expected.pop("ready", None)
        for name in ("warm", "cold", "revoked"):
            found[name] = self.one.gate(self.tokens[name]).status_code
        found["public"] = self.one.gate(path="/openapi.json").status_code
        found["introspect"] = self.one.introspect(self.tokens["warm"]).status_code
        late = time.monotonic() - self.began
        # Over the connection that lost them nothing is answered, until one of them has waited for long enough.
        self.compare_answers_in_flight()
        asks = {
            "token": lambda: self.one.log_in(),
            "refresh": lambda: self.one.refresh(self.sessions["refresh"]["refresh_token"]),
            "revoke": lambda: self.one.revoke(self.tokens["revoke"]),
            "revocations": lambda: self.one.order(self.tokens["revocations"]),
        }
        if self.row.get("hits") == "one" and when == "within":
            asks["late"] = lambda: self.two.revoke(self.tokens["late"])
            expected["late"] = 200
        for name, answer in at_once(asks).items():
            found[name] = answer.status_code
            self.take(name, answer)
        mistakes = {name: (status, found[name]) for name, status in expected.items() if found[name] not in listed(status)}
        assert not mistakes, f"{when}, (expected, found): {mistakes}; {late:.1f} s after the fault came"
        if ready:
            until(lambda: self.one.ready() in self.readiness(ready), deadline=5, what=f"{ready} of /readyz {when}", pause=PAUSE)

    def readiness(self, ready):
        """What was asked meanwhile may have taken until the view was too old."""
        is_late = time.monotonic() > self.began + MAX_STALENESS - PROMPT
        return [ready, self.row["after"]["ready"]] if is_late else [ready]

    def take(self, name, answer):
        """What an answer changes: clients keep what they were given."""
        if answer.status_code != 200:
            return
        if name == "refresh":
            self.sessions[name] = answer.json()
        elif name in ("revoke", "revocations", "late") and name not in self.acknowledged:
            self.acknowledged.append(name)

    def wait_for_staleness(self):
        """Until the view would be too old, had nothing been heard since the fault came."""
        end = self.began + seconds(self.row.get("lasts", DATA["max_staleness"]))
        expected = listed(self.row["after"]["warm"])
        over = lambda: time.monotonic() > end and self.one.gate(self.tokens["warm"]).status_code in expected
        until(over, deadline=max(end - time.monotonic(), 0) + 3, what=f"{expected} for a token", pause=PAUSE)

    def look_at_signals(self):
        one, row = self.place.one, self.row
        samples = one.samples()
        value = lambda name, **labels: sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())
        if "up" in row:
            assert value("doorward_store_up") == row["up"]
        if "stale" in row:
            assert (value("doorward_revocation_staleness_seconds") > MAX_STALENESS) == row["stale"]
        for operation in row["errors"]:
            assert value("doorward_store_errors_total", op=operation) > 0, operation
        for name, expected in row.get("metric", {}).items():
            assert abs(value(name) - expected) < 2, f"{name}: {value(name)}, not {expected}"
        for operation, text in row.get("log", {}).items():
            message = FOLLOWING if operation == "follow" else GRANTING
            mine = lambda r: r["message"].startswith(message) and r.get("operation") in (None, operation)  # noqa: B023
            told = lambda: any(text in r["error"] for r in one.records(level="error") if mine(r))  # noqa: B023
            until(told, what=f"{text!r} in a record of {operation}")

    def heal(self):
        """How long it takes until the replica is as it was."""
        began = time.monotonic()
        until(self.is_well, deadline=seconds(self.row["healing"]), what="healing", pause=PAUSE)
        return time.monotonic() - began

    def is_well(self):
        if self.row.get("stale") and self.one.ready() != "200 ok":
            # It does not take a login to find out.
            return False
        return (
            self.one.gate(self.tokens["warm"]).status_code == 200
            and self.one.log_in().status_code == 200
            and self.one.ready() == "200 ok"
            and self.two.gate(self.tokens["warm"]).status_code == 200
            and self.two.log_in().status_code == 200
            and self.one.gate(self.tokens["revoked"]).status_code == 401
        )

    def compare_answers_in_flight(self):
        for request in self.in_flight:
            request.join(20)
            assert request.status in self.row["in_flight"], f"a refresh that was under way: {request.status}"

    def look_back(self):
        """What must be true of every row."""
        if self.load:
            statuses = {label: {status for of, status in self.load.answers if of == label} for label in ("warm", "revoked")}
            assert statuses["warm"] <= {200, 503} and statuses["revoked"] <= {401}, statuses
            assert not self.load.failures, self.load.failures
            self.chain.finish()
            self.sessions["chain"]["refresh_token"] = self.chain.token
        for name in ("revoke", "revocations"):
            # Whoever was told to come again, does.
            good(self.two.revoke(self.tokens[name]))
            self.acknowledged.append(name)
        for name in self.acknowledged:
            for asker in (self.one, self.two):
                until(lambda asker=asker, name=name: asker.gate(self.tokens[name]).status_code == 401, deadline=2, what=f"the end of {name}", pause=PAUSE)
        if self.moment == "idle":
            self.ask_a_newcomer()
        for name in ("refresh", "lost request", "lost answer", "chain", "warm", "cold"):
            # Whoever is told to come again, does.
            refreshed = lambda name=name: (answer := self.one.refresh(self.sessions[name]["refresh_token"])).status_code != 503 and [answer]
            [answer] = until(refreshed, deadline=seconds(self.row["healing"]), what=f"an answer for {name}", pause=PAUSE)
            expected = 400 if self.loses_sessions else 200
            assert answer.status_code == expected, f"{name} was logged out: {answer.text}"
            if expected == 200:
                for asker in (self.one, self.two):
                    passed = asker.gate(answer.json()["access_token"])
                    assert passed.status_code == 200, f"a new token of {name} at {asker.replica.directory.name}: {passed.status_code} {passed.text}"
        if "revoked" in self.tokens and 200 not in listed(self.row["within"]["revoked"]):
            assert self.tokens["revoked"] not in self.place.upstream.record.read_text(), "a revoked token came to the upstream"
        for replica in (self.place.one, self.place.two):
            assert replica.process.poll() is None, "it ended itself"
            assert replica.metric("doorward_panics_total") == 0


    def ask_a_newcomer(self):
        """A replica that knows only what is in the store: what a server lost was written back there."""
        replica = self.place.replica("three")
        self.place.start(replica)
        replica.public, replica.admin = replica.output.wait_for(bound_addresses)
        newcomer = Asker(replica)
        is_active = lambda name: good(newcomer.introspect(self.tokens[name]))["active"]
        until(lambda: newcomer.gate(self.tokens["warm"]).status_code == 200, what="a view", pause=PAUSE)
        # Asked this way, so that nothing gets to the upstream before it is there.
        for name in self.acknowledged:
            until(lambda name=name: not is_active(name), deadline=seconds(self.row["healing"]), what=f"the end of {name} at a newcomer", pause=PAUSE)
        assert is_active("warm")


class InFlight(threading.Thread):
    def __init__(self, asker, token):
        super().__init__(daemon=True)
        self.asker, self.token = asker, token
        self.status = None

    def run(self):
        self.status = self.asker.refresh(self.token).status_code


def at_once(asks):
    """The answers to all of them, asked at the same time."""
    answers = {}

    def ask(name):
        try:
            answers[name] = asks[name]()
        except Exception as problem:
            answers[name] = problem

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for name in asks:
        if isinstance(answers[name], Exception):
            raise answers[name]
    return answers


def good(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(value):
    return value if isinstance(value, list) else [value]


def seconds(text):
    return float(text.removesuffix("s"))


def page():
    """docs/failures.md, from the data."""
    rows = []
    for fault, given in DATA["faults"].items():
        of = row(fault, "idle")
        told = [given["story"], *(statuses(of, ["warm", "cold"], when) for when in ("within", "after"))]
        told += [statuses(of, ["token", "refresh", "revoke", "revocations"], "after"), ready(of), of["healing"].replace("s", " s")]
        rows.append(f"| {fault} | " + " | ".join(told) + " |")
    return INTRODUCTION + "\n".join(rows) + "\n"


def statuses(of, names, when):
    """Those of several endpoints, each once."""
    found = {str(status) for name in names for status in listed(of[when][name])}
    return " or ".join(sorted(found))


def ready(of):
    return f"`{of['after']['ready']}`" if "ready" in of["after"] else "either"


INTRODUCTION = """# When the store that instances share is down

With `store.redis` no request to the API waits for Redis: each instance has all revocations in memory and knows how old that is. So
tokens pass for `revocation.max_staleness` after Redis was last heard of, and then, with `on_store_failure: deny`, are answered 503 until
it is back. Logins, refreshes and revocations need it, and are answered 503 with `Retry-After`: at once where it refuses, and where it is
silent after a second, logins after two and the time that a hash takes, since they ask before it and after. Each question has its second:
where answers are merely slow, those of one refresh, mostly three and rarely more than five, can add up. All of it heals by itself, without a
restart.

In every row: a token that is good is never answered 401, nobody is logged out (but where all sessions were erased), a revoked token never
passes, and a revocation that was answered 200 is in force on every instance. A refresh whose answer was lost is repeated with the same
token, and gets the same successor: the time in which this instance could not reach Redis does not count towards `tokens.refresh_grace`.

An instance that starts while Redis is out of reach has no view: with `deny` every token is answered 503, and `/readyz` too, until it has
one; with `allow` all tokens pass that are otherwise good, revoked ones among them. One that starts right after all was erased (`emptied`)
knows no revocations until the others have written theirs back, in the 10 seconds that it takes them to notice. Otherwise `/readyz` fails
only where no route is public or optional.

Under Sentinels a view is as fresh as more than half of them say that its server is the master: where so many cannot be reached, tokens are
503 after `max_staleness`, also while the master is well. It could be one that was left behind.

A password is changed with two of them: give Redis the second (`ACL SETUSER … >NEW`), restart the instances with it one by one, and take the
first away. In the row below the old one comes back.

<!-- Made of tests/e2e/faults.yaml, which is run against real servers; a test compares the two and says how to write this page anew. -->

| fault | what happens | tokens within `max_staleness` | and after | logins, refreshes, revocations | `/readyz` after | healed within |
|---|---|---|---|---|---|---|
"""
FOLLOWING = "the store of revocations cannot be followed"
GRANTING = "the store of sessions does not answer"


if __name__ == "__main__":
    print(page(), end="")
