"""A Redis of a test's own."""

import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import children
from sidecar import DEADLINE, until


class Redis:
    """A server that keeps what it acknowledged, on an address of its own."""

    def __init__(self, *options):
        self.directory = Path(tempfile.mkdtemp(prefix="doorward-redis-", dir="/tmp"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.command = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.directory, "--save", ""]
        self.command += ["--appendonly", "yes", "--appendfsync", "always", *options]
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        self.process = children.start(self.command, stdout=subprocess.DEVNULL)
        until(self.answers, what="Redis")
        return self

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100) == b"+PONG\r\n"
        except OSError:
            return False

    def memory(self):
        """Bytes that its data takes, as it counts itself."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
            connection.sendall(b"INFO memory\r\n")
            return int(re.search(rb"used_memory:(\d+)", connection.recv(65536))[1])

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory)
