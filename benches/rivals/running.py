"""Peers as processes, and whether they decide what they should."""

import http.client
import signal
import socket
import ssl
import subprocess
import time

DEADLINE = 30


class WrongAnswer(Exception):
    """A peer that does not check what it should is not worth measuring."""


class Running:
    """A peer, started and pinned to a core."""

    def __init__(self, command, core, port, log):
        self.port = port
        with log.open("w") as output:
            pinned = ["taskset", "-c", str(core), *map(str, command)]
            self.process = subprocess.Popen(pinned, stdout=output, stderr=output)
        deadline = time.monotonic() + DEADLINE
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)

    @property
    def pid(self):
        return self.process.pid

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def ask(port, token=None, tls=False):
    """The status of one request."""
    unchecked = ssl._create_unverified_context() if tls else None
    connection = http.client.HTTPSConnection("localhost", port, timeout=DEADLINE, context=unchecked) if tls else None
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", "/items/42", headers=headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def check(peer, port, issuer, tls):
    """Valid passes; nothing else does."""
    for what, token, expected in (
        ("a valid token", issuer.token(), (200,)),
        ("no token", None, (401, 403)),
        ("a bad signature", issuer.bad_signature(), (401, 403)),
        ("an expired token", issuer.expired(), (401, 403)),
        ("another issuer", issuer.token(iss="http://other.test"), (401, 403)),
        ("another audience", issuer.token(aud="other"), (401, 403)),
        ("too little scope", issuer.token(scope="me"), (401, 403)),
    ):
        status = ask(port, token, tls)
        if status not in expected:
            raise WrongAnswer(f"{peer}, {issuer.algorithm}, {what}: {status}, not {expected}")
