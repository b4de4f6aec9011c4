"""Does what a case says, and judges what comes of it."""

import re

from hyperframe.frame import RstStreamFrame

from . import http1
from .http2 import Reset
from .judge import Verdict, allowed, describe, is_optional, judge_answer, judge_arrived, read_json, spelled_out
from .scenarios import SCENARIOS
from .sending import Sender
from .stream import Closed, TimedOut
from .text import UnknownWord, fill, show
from .witness import Witness


def perform(case, target):
    """The verdict on one case."""
    verdict = Verdict(case.id)
    attempt = Attempt(case, target, verdict)
    try:
        attempt.run()
    except AssertionError as error:
        verdict.find("broken", f"{error}")
    finally:
        attempt.close()
    return verdict


class Attempt:
    """A case under way: its connections, its words, and what it has found."""

    def __init__(self, case, target, verdict):
        self.case, self.target, self.verdict = case, target, verdict
        self.exact = target.log is not None
        self.connections = {}
        self.arrives = []
        self.follow = {}
        self.expected_words = []
        # A tunnel may bring bytes; a flood may bring requests that nobody counts.
        self.tunnelled = self.uncounted = False
        # Bytes are kept as they are; text of rows and cases may itself have words in it.
        self.words = dict(target.words)
        # A word may be made of tokens, and a token of words.
        later = {name: value for name, value in case.words.items() if not self._learn(name, value)}
        for name, told in case.tokens.items():
            self.words[name] = target.mint.write(told, self.words)
        for name, value in later.items():
            self.words[name] = fill(target.doctor(str(value)), self.words)
        self.sender = Sender(target.doctor, case.words.get("credential"))
        self.words["auth"] = self.sender.authorization(self.words)

    def _learn(self, name, value):
        try:
            self.words[name] = fill(self.target.doctor(str(value)), self.words)
        except UnknownWord:
            return False
        return True

    def run(self):
        witness = Witness(self.target, self._expectations()) if self.exact else None
        self.target.settle()
        self.target.upstream.forget(None)
        if self.case.scenario:
            told = SCENARIOS[self.case.scenario](self.target, self)
            self.arrives += told or []
        for step in self.case.steps:
            self._step(step)
        self._follow_up()
        victim = self._victim()
        self.verdict.expected = " ".join(self.expected_words) or self.verdict.expected
        arrived = self._arrived(victim)
        if self.uncounted:
            arrived = []
        else:
            # HTTP/2 has one spelling only.
            spelled = self.exact and all(own.protocol != "h2" for own in self.connections.values())
            judge_arrived(self.verdict, self.arrives, arrived, self.words, self.exact, spelled)
            for fault in self.target.upstream.faults():
                self.verdict.find("hole", f"at the upstream: {fault}")
        if not self.tunnelled and any(self.target.upstream.tunnels()):
            self.verdict.find("hole", f"past the request the upstream got {self.target.upstream.tunnels()}")
        if self.target.trap.sprung():
            self.verdict.find("hole", "a connection was made to where a token pointed")
        if witness:
            self._end_tunnels()
            witness.judge(self.verdict, self._expectations(), arrived, victim, self.words)

    def _expectations(self):
        return [step["expect"] for step in self.case.steps if step.get("expect")]

    def _end_tunnels(self):
        """A tunnel, or a request that is not over, has its line of the log when it ends."""
        for name, wanted in self.follow.items():
            if wanted == "any" and name in self.connections:
                self.connections[name].close()

    def close(self):
        for connection in self.connections.values():
            connection.close()

    def connection(self, name="a", protocol="h1"):
        if name not in self.connections:
            self.connections[name] = self.target.connect(protocol, self.case.patience)
        return self.connections[name]

    def exchange(self, data, name="a"):
        """A request on a connection that is kept where the server keeps it; its answer."""
        for _ in range(2):
            connection = self.connection(name)
            connection.send(data)
            answer = self.read(name)
            if answer != "closed":
                break
            self.connections.pop(name).close()
        if not isinstance(answer, str) and answer.header("Connection") == "close":
            self.connections.pop(name).close()
        return answer

    def greet(self, name):
        """A normal request on a connection; whether it got its own answer."""
        path, expected = self._next_victim()
        send_victim(self.connection(name), path, self.target)
        answer = self.read(name)
        return not isinstance(answer, str) and answer.status == 200 and answer.body == expected

    # What is sent.

    def _step(self, step):
        if "reload" in step:
            self.target.reload(step["reload"])
        if "upstream" in step:
            with self.target.upstream.changed:
                self.target.upstream.script = self.sender.script(step["upstream"], self.words)
        if "say" in step:
            self.target.upstream.say(fill(step["say"], self.words))
        name = step.get("client", "a")
        method = b"GET"
        if step.get("admin"):
            name = f"{name} at the admin listener"
            self.connections[name] = http1.Connection(self.target.admin, None, self.case.patience)
        if "h2" in step:
            self.connection(name, "h2").request(*self.sender.streams(step["h2"], self.words))
        elif {"send", "raw"} & step.keys():
            data = self.sender.bytes(step, self.words)
            method = data.lstrip(b"\r\n").split(b" ")[0]
            self.connection(name).send(data)
        self._end(step, name)
        if "await" in step:
            count = step["await"]
            came = self.target.upstream.wait_for(lambda: len(self.target.upstream.requests) >= count, self.case.patience)
            assert came, f"the upstream did not get {count} requests"
        if step.get("expect") is not None:
            self._expect(step, name, method)

    def _end(self, step, name):
        if "h2-reset" in step:
            connection = self.connections[name]
            connection.send_frame(RstStreamFrame(connection.last_stream, error_code=step["h2-reset"]))
        then = fill(step.get("then", ""), self.words).decode()
        if then == "half-close":
            self.connections[name].half_close()
        elif then == "close":
            self.connections.pop(name).close()
        elif then == "reset":
            self.connections.pop(name).reset()

    # What comes back.

    def _expect(self, step, name, method):
        expect = spelled_out(step["expect"])
        arrives = expect.get("arrives", [])
        arrives = arrives if isinstance(arrives, list) else [arrives]
        if "status" in expect:
            self.expected_words.append("/".join(str(status) for status in allowed(expect, self.exact)))
            answer = self.read(name, method)
            # What the upstream was told to say is not in doorward's words; that it could not be passed on is.
            own = self.exact and not step.get("admin") and ("upstream" not in step or getattr(answer, "status", 0) in (502, 503, 504))
            judge_answer(self.verdict, expect, answer, self.words, self.exact, own)
            self._save(step, answer)
            sure = "upstream" in step or may_arrive(allowed(expect, exact=False), answer)
            arrives = [told for told in arrives if sure or is_optional(told)]
            if "interim" in expect:
                interim = [one.status for one in getattr(answer, "interim", [])]
                if interim != expect["interim"]:
                    self.verdict.find("differs", f"before the answer came {interim}")
        self.arrives += arrives
        if "tunnel" in expect:
            wanted = fill(expect["tunnel"], self.words)
            came = self.target.upstream.wait_for(lambda: any(wanted in tunnel for tunnel in self.target.upstream.tunnels()), 10)
            self.tunnelled = True
            if not came:
                self.verdict.find("differs", f"the tunnel brought {self.target.upstream.tunnels()}")
        if "connection" in expect or "status" in expect:
            self.follow[name] = expect.get("connection", "either")
            if "status" in expect and answer in ("closed", "truncated"):
                self.follow[name] = "any"

    def read(self, name="a", method=b"GET"):
        try:
            return self.connections[name].read(method)
        except Closed as closed:
            return "truncated" if closed.data else "closed"
        except Reset:
            return "reset"
        except TimedOut:
            return "timeout"

    def _save(self, step, answer):
        for word, member in step.get("save", {}).items():
            body = read_json(answer.body) if not isinstance(answer, str) else None
            assert body and member in body, f"no {member} in {describe(answer)}"
            self.words[word] = body[member]

    # That it still works.

    def _follow_up(self):
        """The connection of each answer: closed, or good for another request, which gets its own answer."""
        for name, wanted in self.follow.items():
            connection = self.connections.get(name)
            if connection is None or wanted == "any" or "admin" in name:
                continue
            got = self._state(connection, name)
            if wanted in ("closed", "kept") and got != wanted:
                self.verdict.find("differs", f"the connection is {got}, not {wanted}")

    def _state(self, connection, name):
        wanted = self.follow[name]
        if wanted == "closed":
            try:
                rest = connection.read_to_end()
            except TimedOut:
                return "kept"
            if rest:
                self.verdict.find("broken", f"after the last answer came {show(rest)}")
            return "closed"
        path, expected = self._next_victim()
        send_victim(connection, path, self.target)
        answer = self.read(name)
        if answer in ("closed", "reset"):
            return "closed"
        if isinstance(answer, str) or answer.status != 200 or answer.body != expected:
            self.verdict.find("broken", f"the next request on the connection was answered {describe(answer)}")
        return "kept"

    def _next_victim(self):
        self.target.victims += 1
        path = self.target.doctor(f"/public/b-{self.target.victims}")
        return path, f"answer to {path}".encode()

    def _victim(self):
        """A request on a connection of its own, and its own answer. Its path."""
        path, expected = self._next_victim()
        connection = self.target.connect("h1", self.case.patience)
        self.connections["victim"] = connection
        send_victim(connection, path, self.target)
        answer = self.read("victim")
        if isinstance(answer, str) or answer.status != 200 or answer.body != expected:
            self.verdict.find("broken", f"a normal request afterwards was answered {describe(answer)}")
        return path

    def _arrived(self, victim):
        """What reached the upstream, less the victims."""
        arrived = self.target.upstream.arrived()
        victims = [request for request in arrived if b"/b-" in request.target and b"smuggled" not in request.target]
        for request in victims:
            if not re.fullmatch(rb"GET [^ ]*/b-\d+ HTTP/1\.1", request.line) or request.body:
                self.verdict.find("broken", f"the normal request arrived as {show(request.line)}")
        return [request for request in arrived if request not in victims]


def may_arrive(statuses, answer):
    """Where both an answer of the upstream and a refusal will do, what arrives goes with the first alone."""
    refusals = [status for status in statuses if isinstance(status, str) or status >= 400]
    if len(refusals) in (0, len(statuses)):
        return True
    return not isinstance(answer, str) and answer.status < 400


def send_victim(connection, path, target):
    host = target.words["host"]
    if connection.protocol == "h2":
        scheme = target.words["scheme"].encode()
        connection.request([(b":method", b"GET"), (b":scheme", scheme), (b":authority", host.encode()), (b":path", path.encode())])
    else:
        connection.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
