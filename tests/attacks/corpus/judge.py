"""What came of a case against what must."""

import json
import re
from dataclasses import dataclass, field

from .text import fill, show

# From worst to best. README.md says what each means.
VERDICTS = ("hole", "broken", "differs", "skipped", "ok")
PROTECTED = re.compile(rb"(http-)?(x-auth-(user|roles|issuer)|x-doorward-.*)", re.IGNORECASE)
# What doorward writes itself, and what concerns one connection only.
ADDED = {
    b"connection", b"upgrade",
    b"x-auth-user", b"x-auth-roles", b"x-auth-issuer", b"x-real-ip", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
    b"traceparent", b"x-request-id",
}

# The words that stand for a whole answer; the vocabulary of the list of attacks.
OUTCOMES = {
    # Malformed, and nobody can tell where the next request would begin.
    "malformed": {"status": 400, "error": "invalid_request", "connection": "closed"},
    # Well-formed HTTP that two programs could understand differently.
    "ambiguous": {"status": 400, "error": "invalid_request", "reason": "ambiguous-path"},
    "bad-request": {"status": 400, "error": "invalid_request"},
    "two-credentials": {"status": 400, "error": "invalid_request", "reason": "multiple-credentials"},
    "no-credential": {"status": 401, "challenge": "none", "reason": "no-credential"},
    "bad-token": {"status": 401, "challenge": "invalid_token", "error": "invalid_token"},
    "insufficient-scope": {"status": 403, "challenge": "insufficient_scope", "error": "insufficient_scope"},
    "forbidden": {"status": 403, "challenge": "absent"},
    "no-route": {"status": 403, "challenge": "absent", "reason": "no-route"},
    "not-allowed": {"status": 405},
    # The upstream's own answer.
    "forwarded": {"status": 200, "by": "upstream"},
    # Of the token endpoints.
    "granted": {"status": 200, "by": "doorward"},
    "revoked": {"status": 200, "by": "doorward", "json": {"message": "Token revoked"}},
}


@dataclass
class Verdict:
    case: str
    word: str = "ok"
    expected: str = ""
    got: str = ""
    findings: list[str] = field(default_factory=list)

    def find(self, word, text):
        self.findings.append(text)
        if VERDICTS.index(word) < VERDICTS.index(self.word):
            self.word = word

    @property
    def ok(self):
        return self.word == "ok"


def spelled_out(expect):
    """An expectation with its word replaced by what the word stands for."""
    named = OUTCOMES[expect["outcome"]] if "outcome" in expect else {}
    return {key: value for key, value in expect.items() if key != "outcome"} | {key: value for key, value in named.items() if key not in expect}


def allowed(expect, exact):
    """The statuses that will do; where the documents leave it open, another proxy may decide otherwise than doorward has."""
    told = [expect.get("status", []), [] if exact else expect.get("elsewhere", [])]
    return [status for one in told for status in (one if isinstance(one, list) else [one])]


def judge_answer(verdict, expect, answer, words, exact, own):
    """One answer: an `Answer`, or one of the words `closed`, `reset`, `timeout`. `own`: a refusal is in doorward's words."""
    got = answer if isinstance(answer, str) else answer.status
    verdict.got = f"{verdict.got} {got}".strip()
    if got not in allowed(expect, exact):
        verdict.find("differs", f"answered {describe(answer)}, not {allowed(expect, exact)}")
        return
    if isinstance(answer, str):
        return
    by = "upstream" if answer.header("X-Answered-By") else "doorward"
    if "by" in expect and by != expect["by"]:
        verdict.find("differs", f"the answer is {by}'s own: {describe(answer)}")
    if own and by == "doorward":
        judge_refusal(verdict, expect, answer, words)
    for name, value in expect.get("headers", {}).items():
        judge_header(verdict, name, value, answer, words)
    if "body" in expect and answer.body != fill(expect["body"], words):
        verdict.find("broken", f"the body is {show(answer.body)}")


def judge_refusal(verdict, expect, answer, words):
    challenge = answer.header("WWW-Authenticate")
    body = read_json(answer.body)
    if answer.status >= 400 and answer.body and (not isinstance(body, dict) or not isinstance(body.get("detail"), str)):
        verdict.find("differs", f"the body is no JSON object with a detail: {show(answer.body)}")
    if answer.status in (401, 403) and answer.header("Cache-Control") != "no-store":
        verdict.find("differs", f"Cache-Control is {answer.header('Cache-Control')}")
    wanted = expect.get("challenge")
    if wanted == "absent" and challenge is not None or wanted == "none" and not re.fullmatch(r'Bearer (?!.*\berror=).*', challenge or ""):
        verdict.find("differs", f"WWW-Authenticate is {challenge}")
    if wanted not in (None, "absent", "none") and not re.match(rf'Bearer .*\berror="{wanted}"', challenge or ""):
        verdict.find("differs", f"WWW-Authenticate is {challenge}")
    members = body if isinstance(body, dict) else {}
    for name in ("error", "reason"):
        values = expect.get(name)
        values = values if isinstance(values, list) else [values]
        # A HEAD has no body to say it in.
        if values != [None] and answer.body and members.get(name) not in values:
            verdict.find("differs", f"{name} is {members.get(name)}, not {expect[name]}")
    for name, value in expect.get("json", {}).items():
        value = fill(value, words).decode() if isinstance(value, str) else value
        if members.get(name) != value:
            verdict.find("differs", f"{name} is {members.get(name)!r}, not {value!r}")


def judge_header(verdict, name, value, answer, words):
    found = answer.values(name)
    # What may not come may not come in a 103 either.
    found += [each for interim in answer.interim for each in interim.values(name)] if value is None else []
    wanted = None if value is None else fill(value, words).decode("latin-1")
    if wanted is None and found or wanted is not None and (len(found) != 1 or not matches(wanted, found[0])):
        verdict.find("differs", f"{name} is {found}, not {wanted}")


def judge_arrived(verdict, expected, arrived, words, exact, spelled):
    """What the upstream was sent, request by request; `exact` is whether nothing may be added, `spelled` whether names keep their case."""
    arrived = without_repeats(expected, arrived)
    expected = [told for told in expected if not is_optional(told) or len(arrived) >= len(expected)]
    if len(arrived) > len(expected):
        extra = [f"{show(request.line)}" for request in arrived]
        verdict.find("hole", f"the upstream got {len(arrived)} requests where {len(expected)} may come: {extra}")
        return
    if len(arrived) < len(expected):
        verdict.find("differs", f"the upstream got {len(arrived)} requests, not {len(expected)}")
        return
    for told, request in zip(expected, arrived, strict=True):
        judge_request(verdict, told, request, words, exact, spelled)


def without_repeats(expected, arrived):
    """A request that may be tried again came once if it came, the same to the byte but for its own id, at most three times."""
    repeats = len(expected) == 1 and isinstance(expected[0], dict) and expected[0].get("repeats")
    return arrived[:1] if repeats and 1 < len(arrived) <= 3 and len({request.line for request in arrived}) == 1 else arrived


def is_optional(told):
    return isinstance(told, dict) and told.get("optional", False)


def judge_request(verdict, told, request, words, exact, spelled):
    told = {"head": told} if isinstance(told, str) else told
    lines = fill(told["head"].rstrip("\n").replace("\n", "\\r\\n"), words).split(b"\r\n")
    wanted_line, *wanted_fields = [line for line in lines if line]
    if request.line != wanted_line:
        verdict.find("hole", f"the upstream got {show(request.line)}, not {show(wanted_line)}")
    wanted = sorted(split(line) for line in wanted_fields)
    found = sorted((name.lower(), value) for name, value in request.fields)
    if not exact:
        wanted = [pair for pair in wanted if PROTECTED.fullmatch(normal(pair[0]))]
        found = [pair for pair in found if PROTECTED.fullmatch(normal(pair[0]))]
    missing, extra = difference(wanted, found)
    if missing or extra:
        # Headers of another proxy's own making are no hole; a protected one that it did not make is.
        word = "hole" if any(PROTECTED.fullmatch(normal(name)) for name, _ in extra + missing) else "differs"
        verdict.find(word, f"headers at the upstream: missing {shown(missing)}, too many {shown(extra)}")
    elif spelled and (names := respelled(wanted_fields, request.fields)):
        verdict.find("differs", f"headers at the upstream in another spelling: {names}")
    if "body" in told and request.body != fill(told["body"], words):
        verdict.find("hole", f"the body at the upstream is {show(request.body)}")
    if request.trailers:
        verdict.find("hole", f"trailers at the upstream: {request.trailers}")
    if not told.get("optional") and request.complete != told.get("complete", True):
        verdict.find("differs", f"the request at the upstream is {'complete' if request.complete else 'not complete'}")


def respelled(wanted, found):
    """Names of the client's own fields that are not spelled as it sent them."""
    sent = {line.partition(b":")[0] for line in wanted}
    return sorted(show(name) for name in {name for name, _ in found if name.lower() not in ADDED} - sent)


def normal(name):
    return re.sub(rb"[^A-Za-z0-9]+", b"-", name).strip(b"-")


def split(line):
    name, _, value = line.partition(b":")
    return name.lower(), value.strip(b" ")


def difference(wanted, found):
    """What is missing and what is too much; `*` at the end of a wanted value stands for anything, a value of it for any one."""
    found, missing = list(found), []
    for name, value in wanted:
        at = next((at for at, (other, text) in enumerate(found) if other == name and same(value, text)), None)
        if at is None:
            missing.append((name, value))
        else:
            del found[at]
    return missing, found


def same(wanted, found):
    return found == wanted or wanted == b"*" and found != b""


def matches(wanted, found):
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("*")), found) is not None


def shown(fields):
    return [f"{show(name)}: {show(value, 120)}" for name, value in fields]


def describe(answer):
    return answer if isinstance(answer, str) else f"{answer.status} {show(answer.body, 200)}"


def read_json(data):
    try:
        return json.loads(data)
    except ValueError:
        return None
