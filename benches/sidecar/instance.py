"""A doorward to be measured: its files, its process, its memory, and requests to it."""

import json
import os
import re
import secrets
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from argon2 import PasswordHasher
from running import Running, ask, free_port
from tokens import AUDIENCE, ISSUER, SUBJECT, Issuer

PASSWORD = "secret"
ADMIN = {"Authorization": f"Bearer {(ADMIN_TOKEN := secrets.token_urlsafe(32))}"}
# As `doorward hash-password` makes them.
HASHED = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(PASSWORD)
PARTS = {"Rss": "rss", "Pss": "pss", "Anonymous": "anonymous"}


class Instance(Running):
    """doorward on one core, in front of `upstream`. It takes RS256 tokens of `issuer`, and signs its own as it does by default."""

    def __init__(self, binary, issuer, upstream, directory, core=0, threads=1, **changes):
        directory.mkdir()
        keys = [{"algorithm": one.algorithm, "file": str(one.private)} for one in (Issuer("ES256", directory), issuer)]
        self.admin, port = free_port(), free_port()
        (directory / "users.yaml").write_text(json.dumps([{"username": SUBJECT, "password_hash": HASHED, "scopes": ["me", "items"]}]))
        settings = {
            "server": {"listen": f"127.0.0.1:{port}", "threads": threads, "limits": {"idle_timeout": "10m"}},
            "admin": {"listen": f"127.0.0.1:{self.admin}", "token": ADMIN_TOKEN},
            "data_dir": str(directory / "data"),
            "upstream": {"url": f"http://127.0.0.1:{upstream}"},
            "tokens": {"issuer": ISSUER, "audience": [AUDIENCE], "keys": keys},
            "server_keys": [secrets.token_urlsafe(32)],
            # One user logs in all the time, from one address.
            "users": {"file": "users.yaml", "throttle": None},
            "policy": {"routes": [{"path": f"/things{number}/**", "scopes": ["items"]} for number in range(9)]
                       + [{"path": "/items/**", "scopes": ["items"]}]},
            "telemetry": {"access_log": False},
        }  # fmt: skip
        for section, members in changes.items():
            settings[section] = settings.get(section, {}) | members if isinstance(members, dict) else members
        self.config = directory / "config.yaml"
        self.config.touch(0o600)
        self.config.write_text(json.dumps(settings))
        self.binary, self.core, self.log = binary, core, directory / "log"
        self.ready_port = port

    def start(self):
        super().__init__([self.binary, "serve", "--config", self.config], self.core, self.ready_port, self.log)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def is_alive(self):
        if (status := self.process.poll()) is not None:
            raise RuntimeError(f"doorward ended with {status}:\n{self.log.read_text()[-2000:]}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def reloads(self):
        return self.log.read_text().count("configuration reloaded")

    def metric(self, name):
        """The sum over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def memory(self):
        """Bytes: resident, its proportional part, and what no file is behind."""
        with Path(f"/proc/{self.pid}/smaps_rollup").open() as lines:
            fields = dict(line.split(":", 1) for line in lines if line.count(":") == 1)
        return {name: int(fields[field].split()[0]) * 1024 for field, name in PARTS.items()}

    def most(self):
        """The most that was ever resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def settled(self, at_least):
        """Its memory after these seconds, and when it does not change any more."""
        time.sleep(at_least)
        before, end = self.memory(), time.monotonic() + 8
        while time.monotonic() < end:
            time.sleep(min(0.5, at_least))
            now = self.memory()
            if abs(now["rss"] - before["rss"]) < 128 * 1024:
                return now
            before = now
        return before


class Client:
    """`paced` on a core of its own; abusers get what the others leave of it."""

    def __init__(self, binary, core, directory):
        self.binary, self.core, self.directory, self.files = binary, core, directory, 0

    def file(self, requests):
        self.files += 1
        path = self.directory / f"requests-{self.files}"
        path.write_bytes(b"".join(request + b"\0" for request in requests))
        return path

    def begin(self, port, file, rate=0, seconds=0, connections=64, last=False):
        pinned = ["taskset", "-c", self.core, *(["chrt", "-i", "0"] if last else [])]
        command = [*pinned, self.binary, f"127.0.0.1:{port}", rate, seconds, connections, file]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)

    def run(self, *arguments, **options):
        return result(self.begin(*arguments, **options))


def result(process):
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("the client failed")
    return json.loads(output.replace("NaN", "null"))


def request(method, target, headers, body=b""):
    fields = {"Host": "localhost"} | headers | ({"Content-Length": len(body)} if method == "POST" else {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body


def items(token):
    return request("GET", "/items/42", {"Authorization": f"Bearer {token}"})


def login():
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return request("POST", "/token", form, f"username={SUBJECT}&password={PASSWORD}".encode())


def revocation(number):
    order = json.dumps({"kind": "jti", "value": f"nobody-{os.getpid()}-{number}"}).encode()
    return request("POST", "/revocations", ADMIN | {"Content-Type": "application/json"}, order)


def all_answered(result, status, what):
    """Otherwise nothing was measured."""
    if result["unanswered"]:
        raise RuntimeError(f"{what}: {result['unanswered']} were not answered")
    return only(result, (status,), what)


def only(result, statuses, what):
    """Whether or not all were answered, none was otherwise."""
    if result["failed"] or not result["statuses"] or not set(result["statuses"]) <= {str(status) for status in statuses}:
        raise RuntimeError(f"{what}: not all were {statuses}: {result['statuses']}, {result['failed']} failed")
    return result


def checked(instance, issuer, tls=False):
    """It lets in who may come in, and nobody else."""
    for token, status in ((issuer.token(), 200), (None, 401), (issuer.bad_signature(), 401), (issuer.expired(), 401)):
        if (answer := ask(instance.port, token, tls)) != status:
            raise RuntimeError(f"{answer} where {status} was due")
