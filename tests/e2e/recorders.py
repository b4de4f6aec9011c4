"""Real servers behind doorward, each with the recording application of tests/apps that speaks its interface."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import children
from sidecar import APPS, DEADLINE, Output

sys.path.append(str(APPS))
from recorder import ROUTES  # noqa: E402

REPOSITORY = APPS.parent.parent
# Debian keeps servers where only root's PATH looks.
SYSTEM_PATH = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"


def python(module, *arguments):
    return lambda _: [sys.executable, "-m", module, *arguments]


def gunicorn(module, *arguments):
    # Threads, since the default worker keeps no connection open, and doorward's reuse of connections is part of the matter.
    return python("gunicorn", "--bind", "127.0.0.1:0", "--threads", "2", "--no-control-socket", *arguments, f"{module}:app")


def uvicorn(http):
    return python("uvicorn", "--host", "127.0.0.1", "--port", "0", "--http", http, "recorder_asgi:app")


SERVERS = {
    "uvicorn with httptools": uvicorn("httptools"),
    "uvicorn with h11": uvicorn("h11"),
    "hypercorn": python("hypercorn", "--bind", "127.0.0.1:0", "recorder_asgi:app"),
    # Granian tells nobody which port it was given.
    "granian": lambda directory: [sys.executable, "-m", "granian", "--interface", "asgi", "--uds", str(directory / "granian.sock"), "recorder_asgi:app"],
    # As gunicorn did before it dropped names with underscores: `X_Forwarded_User` and `X-Forwarded-User` are one variable.
    "gunicorn with Flask": gunicorn("recorder_flask", "--header-map", "dangerous"),
    "gunicorn with Django": gunicorn("recorder_django"),
    "Node with Express": lambda _: [command("node"), str(APPS / "express" / "recorder.js")],
}
RUNNING = re.compile(r"(?:[Rr]unning on|Listening at:) (?:http://)?((?:127\.0\.0\.1:\d+)|/\S+\.sock)")
STARTED = re.compile(r"Started worker-\d+")


class Recorder:
    """One of `SERVERS` while it runs: `url` for doorward, `address` for a socket, and what it recorded."""

    def __init__(self, name, directory):
        self.record = directory / "record.jsonl"
        self.record.touch()
        self.read = 0
        environment = {
            "APP_RECORD": str(self.record),
            "APP_ROUTES": json.dumps(ROUTES),
            "NODE_PATH": str(node_packages("DOORWARD_NODE") / "node_modules") if "Node" in name else "",
            "PYTHONPATH": str(APPS),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = children.start(
            SERVERS[name](directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=directory,
            env=os.environ | environment,
        )
        self.output = Output(self.process)
        if name == "granian":
            self.output.wait_for(STARTED.search)
            self.address = str(directory / "granian.sock")
            self.url = f"unix:{self.address}"
        else:
            self.address = self.output.wait_for(RUNNING.search)[1]
            self.url = f"http://{self.address}"

    def connect(self):
        """A socket straight to the server, past doorward."""
        if self.address.startswith("/"):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.address)
        else:
            host, port = self.address.split(":")
            connection = socket.create_connection((host, int(port)))
        connection.settimeout(DEADLINE)
        return connection

    def news(self):
        """What was recorded since the last call, oldest first. A request is recorded before it is answered."""
        with self.record.open("rb") as record:
            record.seek(self.read)
            text = record.read()
            self.read = record.tell()
        return [View(json.loads(line)) for line in text.splitlines()]

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


class View:
    """A request as an application saw it. `route` is the label of the endpoint it reached, `None` if it reached none."""

    def __init__(self, line):
        self.route, self.method, self.framework_method = line["route"], line["method"], line["framework_method"]
        self.target, self.headers, self.client = line["target"], line["headers"], line["client"]
        self.body = base64.b64decode(line["body"])

    def values(self, name):
        """Values of all headers that a lenient reader takes for `name`, which is in lower case with hyphens."""
        return [value for given, value in self.headers if fold(given) == name]

    def __repr__(self):
        return f"{self.method} {self.target!r} at {self.route}, headers {self.headers}, {len(self.body)} bytes of body"


def fold(name):
    """A header's name as the most lenient reader knows it: no case, and everything but letters and digits is a hyphen."""
    return re.sub(r"[^a-z0-9]", "-", name.removeprefix("HTTP_").lower()).strip("-")


def command(name):
    found = shutil.which(name, path=SYSTEM_PATH)
    assert found, f"{name} is not installed: run tests/setup/install.sh test"
    return found


def node_packages(variable):
    """The directory in which tests/setup/install.sh has put the packages of one list; `variable` is its name in paths.sh."""
    script = f'source tests/setup/paths.sh && echo "${variable}"'
    printed = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    path = Path(printed.strip())
    assert (path / "complete").is_file(), f"{path} is not there: run tests/setup/install.sh test"
    return path
