"""The corpus as data: what a case may say, and how groups and rows become cases."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent.parent
STEP = {"client", "send", "raw", "body", "h2", "h2-reset", "upstream", "then", "expect", "save", "await", "say", "admin", "reload"}
CASE = STEP | {"id", "about", "door", "over", "credentials", "tokens", "steps", "scenario", "words", "rows", "refused", "patience"}
EXPECT = {
    "outcome", "status", "reason", "error", "challenge", "by", "json", "headers", "body", "connection", "interim",
    "arrives", "tunnel", "log", "unlogged", "metrics",
}  # fmt: skip


class BadCase(ValueError):
    """A case that says what no case can say."""


@dataclass
class Case:
    id: str
    file: str
    about: str
    door: str
    over: str = "h1"
    tokens: dict = field(default_factory=dict)
    steps: list = field(default_factory=list)
    scenario: str | None = None
    refused: dict | None = None
    words: dict = field(default_factory=dict)
    patience: float = 8

    @property
    def attack(self):
        """The id in the list of attacks: `P03` of `P03b`."""
        return self.id[:3]


def load(folder=HERE / "cases"):
    """Every case of every file, by door, so that one process serves many."""
    cases = []
    for path in sorted(folder.glob("*.yaml")):
        for group in yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys) or []:
            # An entry without an id holds what others refer to.
            cases += expand(group, path.name) if "id" in group else []
    ids = [case.id for case in cases]
    twice = {case_id for case_id in ids if ids.count(case_id) > 1}
    if twice:
        raise BadCase(f"these ids stand there twice: {sorted(twice)}")
    return sorted(cases, key=lambda case: case.door)


def left_out():
    """id → why there is no case."""
    entries = yaml.safe_load((HERE / "left-out.yaml").read_text(encoding="utf-8"))
    return {attack: entry["reason"] for entry in entries["attacks"] for attack in entry["ids"]}


def attacks():
    """Every id that must be a case or left out."""
    return yaml.safe_load((HERE / "attacks.yaml").read_text(encoding="utf-8"))


def expand(group, file):
    """The cases of a group: each row, over each protocol, at each door, with each credential."""
    cases = []
    rows = group.get("rows") or [{}]
    for number, row in enumerate(rows):
        told = {key: value for key, value in group.items() if key != "rows"}
        told |= {key: value for key, value in row.items() if key in CASE}
        words = group.get("words", {}) | {key: value for key, value in row.items() if key not in CASE}
        letter = ("." if "-" in group["id"] else "") + letters(number) if group.get("rows") else ""
        _check(told, group["id"])
        for over, door in _places(told):
            for credential in told.get("credentials", [None]):
                cases.append(_case(told, words, file, group["id"] + letter, over, door, credential))
    return cases


def _places(told):
    overs = told.get("over") or ["h1"]
    overs = overs if isinstance(overs, list) else [overs]
    doors = told.get("door", None)
    for over in overs:
        # HTTP/2 has doors of its own, unless the case names one.
        for door in doors if isinstance(doors, list) else [doors]:
            yield over, door or {"h1": "standard", "tls": "tls", "h2-tls": "tls", "h2c": "h2c"}[over]


def _case(told, words, file, case_id, over, door, credential):
    marks = [mark for mark in (over if _is_list(told.get("over")) else None, door if _is_list(told.get("door")) else None) if mark]
    marks += [credential] if credential else []
    words = dict(words)
    if credential:
        words["credential"] = credential
    steps = told.get("steps") or [{key: told[key] for key in STEP if key in told}]
    return Case(
        id=".".join([case_id, *marks]),
        file=file,
        about=told.get("about", ""),
        door=door,
        over=over,
        tokens=told.get("tokens", {}),
        steps=[_expected(step, credential) for step in steps],
        scenario=told.get("scenario"),
        refused=told.get("refused"),
        words=words,
        patience=told.get("patience", 8),
    )


def _expected(step, credential):
    """What is expected as a mapping; it may differ by credential."""
    step = dict(step)
    expect = step.get("expect")
    if isinstance(expect, dict) and credential in expect:
        expect = expect[credential]
    if isinstance(expect, (str, int, list)):
        expect = {"status": expect} if not isinstance(expect, str) or expect == "closed" else {"outcome": expect}
    step["expect"] = expect
    if expect is not None:
        unknown = set(expect) - EXPECT
        if unknown:
            raise BadCase(f"nobody knows what it is to expect {sorted(unknown)}")
    return step


def _check(told, case_id):
    for step in told.get("steps", []):
        unknown = set(step) - STEP
        if unknown:
            raise BadCase(f"{case_id}: a step says {sorted(unknown)}")
    unknown = set(told) - CASE
    if unknown:
        raise BadCase(f"{case_id}: it says {sorted(unknown)}")


def _is_list(value):
    return isinstance(value, list)


def letters(number):
    """a … z, aa, ab …"""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


class UniqueKeys(yaml.CSafeLoader):
    """YAML without the freedom to say a thing twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1 and key != "<<"]
        if twice:
            raise BadCase(f"{node.start_mark}: {twice[0]!r} stands there twice")
        return super().construct_mapping(node, deep)
