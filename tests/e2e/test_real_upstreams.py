"""Every real server sees what doorward decided about: the same path, method, headers and body, or nothing at all.

The cases are tests/cases/upstreams, each sent as bytes to a doorward before each of the servers in `recorders.SERVERS`. What the
application recorded is held against doorward's access log and against what doorward must have written itself.
"""

import http.client
import itertools
import re
from dataclasses import dataclass

import pytest
import yaml
from conftest import ISSUER, people, settings_for
from recorders import REPOSITORY, SERVERS, Recorder, View, fold
from sidecar import DEADLINE, Doorward, merge, password_hash
from wire import Connection, lines

CASES = REPOSITORY / "tests" / "cases" / "upstreams"
USER_SCOPES, ADMIN_SCOPES = "me items", "me items admin"
POLICY = {
    "default": "authenticated",
    "routes": [
        {"path": "/public/**", "access": "public"},
        {"path": "/optional/**", "access": "optional"},
        {"path": "/users/{user}", "scopes": ["me"]},
        {"path": "/items", "methods": ["GET", "POST"], "scopes": ["items"]},
        {"path": "/files/**", "scopes": ["items"], "encoded_slash": True},
        {"path": "/admin/**", "scopes": ["admin"]},
        {"path": "/closed/**", "access": "deny"},
    ],
}
PASSES = 0
# What each credential comes to on a route; `PASSES` is the upstream's answer, whatever that is.
OUTCOMES = {
    "/public/**": {"none": PASSES, "user": PASSES, "admin": PASSES},
    "/optional/**": {"none": PASSES, "user": PASSES, "admin": PASSES},
    "/users/{user}": {"none": 401, "user": PASSES, "admin": PASSES},
    "/items": {"none": 401, "user": PASSES, "admin": PASSES},
    "/files/**": {"none": 401, "user": PASSES, "admin": PASSES},
    "/admin/**": {"none": 401, "user": 403, "admin": PASSES},
    "/closed/**": {"none": 403, "user": 403, "admin": 403},
    "default": {"none": 401, "user": PASSES, "admin": PASSES},
}
LOGGED_AS = {"default": "none"}
# Without a token doorward looks at none on these, so nobody is named to the application.
ANONYMOUS = ("/public/**",)
IDENTITIES = {
    "user": {"x-forwarded-user": "johndoe", "x-forwarded-email": "johndoe@example.com", "x-forwarded-groups": "staff,a%2Cb"},
    "admin": {"x-forwarded-user": "ada", "x-forwarded-groups": "root"},
}
SCOPES = {"user": USER_SCOPES, "admin": ADMIN_SCOPES}
# Headers of others that tell who asks, from where, or for what else: only doorward's own word arrives.
PROTECTED = (
    "x-forwarded-",
    "x-doorward-",
    "x-auth-request-",
    "x-jwt-",
    "x-goog-",
    "x-amzn-oidc-",
    "cf-access-",
    "x-original-",
    "x-rewrite-",
    "remote-",
)
# Of one hop, or for the proxy alone: they end at doorward, as does what `Connection` names.
HOP = ("connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade")
# What doorward adds with a value of its own making, and how a body is framed: that is judged by the body.
ANY_VALUE = ("traceparent", "tracestate", "content-length", "transfer-encoding")
PROTECTED_NAMES = ("forwarded", "x-forwarded", "x-real-ip", "x-http-method-override", "x-http-method", "x-method-override")


@dataclass
class Case:
    """One request, to be sent once with each of the credentials; `expect` is a status, `broken`, or the routes that must all pass."""

    id: str
    target: str
    expect: object
    folded: object
    method: str = "GET"
    version: str = "HTTP/1.1"
    host: object = "api.example.test"
    lines: tuple = ()
    body: str = ""
    decoded: str = ""
    gone: tuple = ()
    kept: tuple = ()
    credentials: tuple = ("none", "user", "admin")

    def bytes(self, token, number):
        host = [] if self.host is None else [f"Host: {self.host}"]
        credential = [f"Authorization: Bearer {token}"] if token else []
        head = [f"{self.method} {self.target} {self.version}", *host, f"X-Request-Id: {number}", *credential, *self.lines]
        return lines(*head, body=self.body.encode("latin-1"))

    def readings(self, ignore_case):
        """The routes that must all let it pass; empty if it is refused for everybody."""
        expect = self.folded if ignore_case else self.expect
        if isinstance(expect, list):
            return expect
        return [expect] if expect in OUTCOMES else []

    def outcome(self, credential, ignore_case):
        if not self.readings(ignore_case):
            return self.expect
        # 403 before 401 would be wrong nowhere here: no case mixes them.
        return max(OUTCOMES[route][credential] for route in self.readings(ignore_case))


ROUTE_OF = {"/public/x": "/public/**", "/users/me": "/users/{user}", "/items": "/items", "/admin/stats": "/admin/**", "/public/x?_method=DELETE": "/public/**"}


def cases():
    for entry in yaml.safe_load((CASES / "targets.yaml").read_text()):
        rest = {key: value for key, value in entry.items() if key not in ("id", "targets", "expect", "folded")}
        for target in entry["targets"]:
            folded = entry.get("folded", entry["expect"])
            yield Case(entry["id"], target, entry["expect"], folded, **rest)
    for file in ("heads.yaml", "bodies.yaml"):
        usual = {} if file == "heads.yaml" else {"method": "POST"}
        for entry in yaml.safe_load((CASES / file).read_text()):
            rest = usual | {key: value for key, value in entry.items() if key not in ("id", "targets", "expect")}
            rest["kept"] = tuple(rest.get("kept", {}).items())
            for target in entry.get("targets", ["/public/x", "/users/me"]):
                expect = entry.get("expect") or ROUTE_OF[target]
                yield Case(entry["id"], target, expect, expect, **rest)


class Gate:
    """A doorward before one of the servers, and tokens for it."""

    def __init__(self, server, binary, directory):
        self.server, self.ignore_case = server, "Express" in server
        for name in ("application", "doorward"):
            (directory / name).mkdir()
        self.recorder = Recorder(server, directory / "application")
        changes = {"policy": POLICY | {"ignore_case": self.ignore_case}, "telemetry": {"format": "json"}}
        administrator = {"username": "ada", "password_hash": password_hash("secret"), "scopes": ADMIN_SCOPES.split(), "roles": ["root"]}
        users = [*people(), administrator]
        self.doorward = Doorward(binary, directory / "doorward", merge(settings_for(self.recorder.url), changes), users)
        self.doorward.start()
        self.tokens = {
            "none": None,
            "user": self.doorward.login("johndoe", scope=USER_SCOPES)["access_token"],
            "admin": self.doorward.login("ada", scope=ADMIN_SCOPES)["access_token"],
        }
        self.numbers = itertools.count(1)
        self.forwarded = 0

    def send(self, case, credential):
        """(status or None, what the application recorded, doorward's log line or None)"""
        number = f"case-{next(self.numbers)}"
        mark = len(self.doorward.output.lines)
        with Connection(self.doorward.public, DEADLINE) as connection:
            connection.send(case.bytes(self.tokens[credential], number))
            try:
                status = connection.read(case.method).status
            except (http.client.HTTPException, OSError):
                status = None
        views = self.recorder.news()
        line = self.logged(number, mark) if views else None
        return status, views, line

    def logged(self, number, mark):
        self.doorward.output.wait_for(lambda line: f'"{number}"' in line, mark)
        [line] = self.doorward.records(event="access", id=number)
        return line

    def stop(self):
        self.doorward.stop()
        self.recorder.stop()


@pytest.fixture(scope="module", params=SERVERS)
def gate(request, binary, tmp_path_factory):
    gate = Gate(request.param, binary, tmp_path_factory.mktemp("upstream"))
    yield gate
    gate.stop()


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.id)
def test_the_application_sees_what_was_decided_about(gate, case):
    for credential in case.credentials:
        expected = case.outcome(credential, gate.ignore_case)
        status, views, line = gate.send(case, credential)
        what = f"{case.bytes('', '')}, {credential}: {status}, {views}"
        if expected == "broken":
            # One that is refused for want of a token is refused before anybody looks at its body.
            refused = {400, None} | {OUTCOMES[ROUTE_OF[case.target]][credential]} - {PASSES}
            assert (status in refused, views) == (True, []), what
        elif expected != PASSES:
            assert (status, views) == (expected, []), what
        else:
            assert len(views) == 1, what
            [view] = views
            readings = case.readings(gate.ignore_case)
            assert line["decision"] == "allow", line
            assert line["route"] in [LOGGED_AS.get(route, route) for route in readings], line
            judge(view, line, case, credential, gate)
            gate.forwarded += 1


def judge(view, line, case, credential, gate):
    """Holds an application's view against doorward's. `line` is doorward's log line."""
    readings = case.readings(gate.ignore_case)
    assert view.route is None or view.route in readings, f"decided as {readings}, reached {view!r}"
    assert view.route != "/admin/**" or credential == "admin", f"{credential} reached {view!r}"
    assert view.target.split("?")[0] == line["path"], view
    origin_form = "/" + case.target.split("/", 3)[3] if "://" in case.target else case.target
    # ASGI has no way to tell an empty query from none.
    assert view.target.removesuffix("?") == origin_form.removesuffix("?"), view
    assert view.method == case.method and view.framework_method in (None, case.method), view
    assert view.body == case.decoded.encode("latin-1"), view.body[:200]

    assert view.values("host") == [case.host], view
    token = gate.tokens[credential]
    assert view.values("authorization") == ([f"Bearer {token}"] if token else []), view
    assert len(view.values("content-length") + view.values("transfer-encoding")) <= 1, view
    own = own_headers(case, credential, readings)
    for name in {fold(given) for given, _ in view.headers} | own.keys():
        if name in own or name in PROTECTED_NAMES or name.startswith(PROTECTED):
            values = view.values(name)
            if name == "x-doorward-scopes":
                values = [" ".join(sorted(value.split())) for value in values]
            assert values == ([own[name]] if name in own else []), f"{name}: {view!r}"
    judge_all(view, case, own, line["id"])
    for name in case.gone:
        assert view.values(name) == [], f"{name}: {view!r}"
    for name, value in case.kept:
        assert view.values(name) == [value], f"{name}: {view!r}"


def judge_all(view, case, own, number):
    """Every header that was sent arrives, less what ends at doorward, and no other beside doorward's own."""
    sent = [(fold(name), value.strip(" \t")) for name, _, value in (line.partition(":") for line in case.lines)]
    named = {fold(one) for name, value in sent if name == "connection" for one in value.split(",")}
    judged = {"host", "authorization", *ANY_VALUE, *own}
    wanted, found = {"x-request-id": [number]}, {}
    for name, value in sent:
        # As CGI would have written it.
        bare = name.removeprefix("http-")
        protected = bare in PROTECTED_NAMES or bare.startswith(PROTECTED)
        if not (protected or name in judged | named or name in HOP or name in case.gone):
            wanted.setdefault(name, []).append(value)
    for name, value in view.headers:
        if fold(name) not in judged:
            found.setdefault(fold(name), []).append(value)
    # WSGI has one variable for all headers of a name, and joins their values.
    wanted, found = ({name: re.split(r"\s*[,;]\s*", ",".join(values)) for name, values in each.items()} for each in (wanted, found))
    assert found == wanted, view


def own_headers(case, credential, readings):
    """The protected headers that doorward writes, with their values."""
    own = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": case.host}
    if credential == "none" or set(readings) <= set(ANONYMOUS):
        return own
    scopes = " ".join(sorted(SCOPES[credential].split()))
    return own | IDENTITIES[credential] | {"x-doorward-scopes": scopes, "x-doorward-issuer": ISSUER}


def test_most_requests_were_forwarded(gate):
    """Runs behind the cases of its server; a gate that refuses everything would pass most of them."""
    if gate.forwarded == 0:
        pytest.skip("the cases were not run")
    assert gate.forwarded >= 150


PLANTED = {
    "another route": ("/admin/stats", ()),
    "another path": ("/users/you", ()),
    "an identity header": ("/users/me", ("X-Forwarded-User: admin",)),
    "an identity header twice": ("/users/me", ("X-Forwarded-User: johndoe", "X-Forwarded-User: johndoe")),
    "a protected header": ("/users/me", ("X-Original-URL: /admin",)),
    "a header that nobody sent": ("/users/me", ("X-Custom: a",)),
    "two credentials": ("/users/me", ("Authorization: Basic YTpi",)),
    "no forwarded address": ("/users/me", ()),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_judge_notices(gate, name):
    """What doorward must never do, done to the server directly."""
    target, planted = PLANTED[name]
    token = gate.tokens["user"]
    own = own_headers(Case("", "/users/me", "/users/{user}", "/users/{user}"), "user", ["/users/{user}"])
    if name == "no forwarded address":
        del own["x-forwarded-for"]
    good = [f"{key}: {value}" for key, value in own.items()]
    head = [f"GET {target} HTTP/1.1", "Host: api.example.test", "X-Request-Id: 1", f"Authorization: Bearer {token}", *planted, *good]
    with gate.recorder.connect() as connection:
        connection.sendall(lines(*head))
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")
    [view] = gate.recorder.news()
    case = Case("", "/users/me", "/users/{user}", "/users/{user}")
    line = {"id": "1", "path": "/users/me", "decision": "allow", "route": "/users/{user}"}
    with pytest.raises(AssertionError):
        judge(view, line, case, "user", gate)


def test_the_judge_is_content(gate):
    """The same without a plant, so that it is the plants that are noticed."""
    case = Case("", "/users/me", "/users/{user}", "/users/{user}")
    good = [f"{key}: {value}" for key, value in own_headers(case, "user", ["/users/{user}"]).items()]
    with gate.recorder.connect() as connection:
        head = ["GET /users/me HTTP/1.1", "Host: api.example.test", "X-Request-Id: 1", f"Authorization: Bearer {gate.tokens['user']}"]
        connection.sendall(lines(*head, *good))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    [view] = gate.recorder.news()
    judge(view, {"id": "1", "path": "/users/me", "decision": "allow", "route": "/users/{user}"}, case, "user", gate)
