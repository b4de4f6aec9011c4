"""What doorward says of a case: its log and its metrics."""

import json
import re
import time

from .judge import read_json
from .text import fill

# No control characters, no line ends of any alphabet, nothing that turns the direction of writing.
ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]*")
LONGEST_LINE = 20_000


class Witness:
    """Listens from before a case until after it."""

    def __init__(self, target, expects):
        self.target = target
        self.started = len(target.log.lines)
        self.samples = target.samples() if any(expect.get("metrics") for expect in expects) else {}

    def judge(self, verdict, expects, arrived, victim, words):
        # The line of the normal request behind the case: what came before it has been written.
        self.target.log.wait_for(lambda line: f'"path":"{victim}"' in line, self.started)
        self._judge_paths(verdict, arrived)
        lines = list(self.target.log.lines)[self.started :]
        for line in lines:
            if not ONE_LINE.fullmatch(line) or len(line) > LONGEST_LINE or read_json(line) is None:
                verdict.find("hole", f"a line of the log is not one of JSON and printable: {line[:600]!r}")
        for expect in expects:
            judge_lines(verdict, expect, lines, words)
            for name, more in expect.get("metrics", {}).items():
                self._judge_metric(verdict, name, more)

    def _judge_paths(self, verdict, arrived):
        """What went up is what the access log shows, without the query."""
        for request in arrived:
            path = request.target.split(b"?")[0].decode("latin-1")
            # Long ones are cut.
            shown = f'"path":{json.dumps(path[:200])[:-1]}'
            try:
                self.target.log.wait_for(lambda line: shown in line, self.started, 5)  # noqa: B023
            except AssertionError:
                verdict.find("differs", f"the access log does not show {path}")

    def _judge_metric(self, verdict, name, more):
        end, grown = time.monotonic() + 5, None
        # A request is counted just after its answer is there.
        while grown is None or grown != more and time.monotonic() < end:
            grown = self.target.samples().get(name, 0) - self.samples.get(name, 0)
        if grown != more:
            verdict.find("differs", f"{name} grew by {grown}, not {more}")


def judge_lines(verdict, expect, lines, words):
    for text in expect.get("log", []):
        text = fill(text, words).decode("latin-1")
        if not any(text in line for line in lines):
            verdict.find("differs", f"no line of the log has {text!r}: {lines[:6]}")
    for text in expect.get("unlogged", []):
        text = fill(text, words).decode("latin-1")
        found = [line for line in lines if text in line]
        if found:
            verdict.find("hole", f"the log has {text!r}: {found[0][:600]}")
