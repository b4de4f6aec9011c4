"""The processes of a test: doorward itself, the applications behind it, and all that they print."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path

import children
import requests
import yaml
from argon2 import PasswordHasher
from prometheus_client.parser import text_string_to_metric_families

APPS = Path(__file__).resolve().parent.parent / "apps"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# Generous, for machines under load: nothing waits this long unless it fails.
DEADLINE = 20


def until(condition, deadline=DEADLINE, what="the condition", pause=0.02):
    """The first true value of `condition`, asked again and again until the deadline: only for what announces itself nowhere."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {deadline} s"
        time.sleep(pause)


class Output:
    """Everything a process writes to stdout and stderr, line by line, colours taken out."""

    def __init__(self, process):
        self.lines = []
        self.stderr_lines = []
        self.ended = 0
        self.changed = threading.Condition()
        self.threads = [
            threading.Thread(target=self._read, args=(process.stdout, [self.lines]), daemon=True),
            threading.Thread(target=self._read, args=(process.stderr, [self.lines, self.stderr_lines]), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def _read(self, stream, targets):
        for line in stream:
            with self.changed:
                for target in targets:
                    target.append(ANSI.sub("", line.decode("utf-8", "backslashreplace").rstrip("\r\n")))
                self.changed.notify_all()
        with self.changed:
            self.ended += 1
            self.changed.notify_all()

    def wait_for(self, match, start=0, deadline=DEADLINE):
        """What `match` made of the first line, from `start` on, for which it is not empty."""
        end = time.monotonic() + deadline
        with self.changed:
            while True:
                while start < len(self.lines):
                    found = match(self.lines[start])
                    start += 1
                    if found:
                        return found
                left = end - time.monotonic()
                if left <= 0 or self.ended == len(self.threads):
                    raise AssertionError("the line did not come; the process wrote:\n" + "\n".join(self.lines[-40:]))
                self.changed.wait(left)

    def told(self, text):
        """The lines with `text`, once there is one: the log is written beside the answers."""
        self.wait_for(lambda line: text in line)
        return [line for line in self.lines if text in line]

    def finish(self):
        for thread in self.threads:
            thread.join(DEADLINE)

    @property
    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    @property
    def stderr(self):
        with self.changed:
            return "\n".join(self.stderr_lines)


class Doorward:
    """One doorward: its directory, its configuration and, between `start` and `stop`, its process."""

    def __init__(self, binary, directory, settings, users):
        self.binary = binary
        self.directory = directory
        self.config = directory / "doorward.yaml"
        self.settings = settings
        self.write(settings)
        self.write_users(users)
        self.process = None
        self.session = plain_session()

    def write(self, settings):
        self.settings = settings
        replace(self.config, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))

    def write_users(self, users):
        replace(self.directory / "users.yaml", yaml.safe_dump(users, sort_keys=False, allow_unicode=True))

    def launch(self, prefix=(), environment=None):
        """Starts the process and waits for nothing."""
        command = [*prefix, str(self.binary), "serve", "--config", str(self.config)]
        # Killed: it has nothing to finish for anybody, and some configurations drain for long.
        self.process = children.start(
            command, end="KILL", stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=os.environ | (environment or {})
        )
        self.output = Output(self.process)
        return self

    def start(self, prefix=(), environment=None):
        return self.launch(prefix, environment).bound()

    def bound(self):
        """Waits until it listens."""
        self.public, self.admin = self.output.wait_for(bound_addresses)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, deadline=DEADLINE):
        """The exit code, once the process is gone and all it wrote is read."""
        code = self.process.wait(deadline)
        self.output.finish()
        return code

    def stop(self):
        """Ends it as an orchestrator would, and holds it to a clean exit."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"exit code {code}; it wrote:\n" + "\n".join(self.output.lines[-40:])

    def kill(self):
        self.process.kill()
        self.wait()

    def url(self, path):
        return f"http://{self.public}{path}"

    def post(self, path, data=None, **options):
        return self.session.post(self.url(path), data=data, **options)

    def call(self, path, token=None, method="GET", headers=None, **options):
        """A request to the API behind, with `token` if one is given."""
        credential = {"Authorization": f"Bearer {token}"} if token else {}
        return self.session.request(method, self.url(path), headers=credential | (headers or {}), **options)

    def login(self, username="johndoe", password="secret", **form):
        answer = self.post("/token", {"username": username, "password": password} | form)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refresh(self, token):
        return self.post("/refresh-token", {"refresh_token": token})

    def revoke(self, token):
        answer = self.post("/revoke-token", {"token": token})
        assert (answer.status_code, answer.json()) == (200, {"message": "Token revoked"})

    def probe(self, path):
        return self.session.get(f"http://{self.admin}{path}")

    def samples(self):
        """Every sample of /metrics, read with Prometheus' own parser."""
        answer = self.probe("/metrics")
        assert answer.status_code == 200
        return [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]

    def metric(self, name, **labels):
        """The sum of the samples of that name that have these labels; 0 if there is none."""
        return sum(s.value for s in self.samples() if s.name == name and labels.items() <= s.labels.items())

    def counts(self, value, name, **labels):
        """Waits for a metric to have this value: requests are counted when they have ended, just after their answer is there."""
        until(lambda: self.metric(name, **labels) == value, deadline=5, what=f"{value} in {name}{labels}")

    def upstream_errors(self):
        """How many of each reason, of those that there were."""
        return {s.labels["reason"]: s.value for s in self.samples() if s.name == "doorward_upstream_errors_total" and s.value}

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def records(self, **members):
        """The JSON log lines that have these members (for `telemetry.format: json`)."""
        found = []
        for line in list(self.output.lines):
            if line.startswith("{"):
                record = json.loads(line)
                record = record | record.get("fields", {})
                if members.items() <= record.items():
                    found.append(record)
        return found


class Application:
    """One of tests/apps under uvicorn, on a port of its own choosing, with the record of what reached it."""

    def __init__(self, module, directory, environment=None):
        self.record = directory / f"{module}.jsonl"
        self.record.touch()
        python = Path(sys.executable)
        self.process = children.start(
            [python, "-m", "uvicorn", f"{module}:app", "--app-dir", str(APPS), "--host", "127.0.0.1", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"APP_RECORD": str(self.record)} | (environment or {}),
        )
        self.output = Output(self.process)
        running = re.compile(r"running on (http://127\.0\.0\.1:\d+)")
        self.url = self.output.wait_for(running.search)[1]

    def seen(self, path=None):
        """What reached the application, oldest first; with `path`, only what came to exactly these bytes."""
        requests_seen = [Seen(json.loads(line)) for line in self.record.read_text().splitlines()]
        return [seen for seen in requests_seen if path in (None, seen.path)]

    def forget(self):
        self.record.write_text("")

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


class Seen:
    """A request as the application saw it."""

    def __init__(self, line):
        self.method, self.path, self.query, self.headers = line["method"], line["path"], line["query"], line["headers"]

    def header(self, name):
        values = [value for given, value in self.headers if given.lower() == name.lower()]
        assert len(values) <= 1, f"{name} reached the application {len(values)} times: {values}"
        return values[0] if values else None


def bound_addresses(line):
    """(public, admin) from the line that says where doorward listens, in either log format."""
    found = {}
    for listener in ("public", "admin"):
        match = re.search(rf'\b{listener}"?\s*[=:]\s*"?(127\.0\.0\.1:\d+)', line)
        if match:
            found[listener] = match[1]
    return (found["public"], found["admin"]) if len(found) == 2 else None


def plain_session():
    """A `requests` session that no proxy setting of the machine bends."""
    session = requests.Session()
    session.trust_env = False
    return session


def replace(path, text):
    """The way an editor saves: the file is never half written."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


def merge(settings, changes):
    """`settings` with `changes` laid over them, mapping by mapping."""
    merged = dict(settings)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            value = merge(merged[key], value)
        merged[key] = value
    return merged


@lru_cache
def password_hash(password, memory_kib=19456, passes=2):
    return PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1).hash(password)
