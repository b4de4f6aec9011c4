"""A PostgreSQL of a test's own, run as an unprivileged user: it refuses to run as root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import children
import psycopg
from sidecar import DEADLINE, Output, until

# Its own numbers in its own folders and on its own address: nobody else's server is met.
PORT = 5432
PASSWORD = "p@ss w/ord:%"  # URLs spell most of it otherwise
# What is committed outlives the server's processes, if not the machine.
NO_SYNC = ["fsync=off", "full_page_writes=off"]


def programs():
    """The folder of the newest server that is installed; Debian keeps them out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else Path(shutil.which("postgres")).resolve().parent


def unprivileged():
    """What to put before a command so that root does not run it, and whose it is then."""
    if os.geteuid() != 0:
        return [], None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"], user


class Postgres:
    """A database cluster and, between `start` and `stop`, its server. `socket` is the folder of its Unix socket."""

    def __init__(self, number=0):
        # Not under pytest's folder, which only its owner may enter.
        self.directory = Path(tempfile.mkdtemp(prefix="doorward-pg-", dir="/tmp"))
        self.prefix, self.user = unprivileged()
        self.data = self.directory / "data"
        self.socket = self.directory / "run"
        self.socket.mkdir()
        pid = os.getpid()
        self.address = f"127.{64 + number}.{pid >> 8 & 255}.{pid & 255}"
        self.options = []
        self.own(self.directory, self.socket)
        secret = self.directory / "secret"
        secret.write_text(PASSWORD)
        self.own(secret)
        initdb = ["initdb", "-D", self.data, "-U", "doorward", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"]
        self.run(*initdb)
        # Sockets are for the test's own hands.
        (self.data / "pg_hba.conf").write_text("local all all trust\nhost all all all scram-sha-256\n")
        self.own(self.data / "pg_hba.conf")
        self.process = None

    def own(self, *paths):
        for path in paths:
            if self.user:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def run(self, program, *arguments):
        command = [*self.prefix, programs() / program, *arguments]
        subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, cwd=self.directory)

    def use(self, issued):
        """TLS with this certificate from the next start on."""
        for path in (issued.cert, issued.key):
            copy = self.directory / path.name
            shutil.copy(path, copy)
            copy.chmod(0o600)
            self.own(copy)
        self.options = ["ssl=on", f"ssl_cert_file={self.directory / issued.cert.name}", f"ssl_key_file={self.directory / issued.key.name}"]

    def start(self):
        settings = [f"listen_addresses={self.address}", f"port={PORT}", *NO_SYNC, *self.options]
        command = [programs() / "postgres", "-D", self.data, "-k", self.socket, *[word for setting in settings for word in ("-c", setting)]]
        # Whose mind a change of user does not survive: the signal is asked for again.
        inner = [*self.prefix, "--pdeathsig", "QUIT", "--"] if self.prefix else []
        self.process = children.start([*inner, *command], end="QUIT", stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory)
        self.output = Output(self.process)
        self.output.wait_for(lambda line: "ready to accept connections" in line)
        return self

    def processes(self):
        """The server's processes, the first one in front. It is stopped, so that it makes no more."""
        os.kill(self.process.pid, signal.SIGSTOP)
        until(lambda: state(self.process.pid) == "T", what="a stopped server")
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, listed.split())]

    def signal(self, number):
        # The first one last: until it goes on, none of the others can be gone altogether.
        for pid in reversed(self.processes()):
            os.kill(pid, number)

    def kill(self):
        """As the machine's power going. Returns when nothing of it is left that could keep a next one from starting."""
        pids = self.processes()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(DEADLINE)
        until(lambda: not any(map(runs, pids)), what="the end of the server's processes")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(DEADLINE)

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory)

    def connect(self, **options):
        return psycopg.connect(host=str(self.socket), port=PORT, user="doorward", dbname="postgres", autocommit=True, **options)

    def execute(self, statement, values=None):
        """The rows of a statement, if it has any."""
        with self.connect() as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else None

    def url(self, parameters="", driver=""):
        """Over TCP, with the password."""
        return f"postgresql{driver}://doorward:p%40ss%20w%2Ford%3A%25@{self.address}:{PORT}/postgres{parameters}"

    def socket_url(self, driver=""):
        return f"postgresql{driver}://doorward@/postgres?host={self.socket}&port={PORT}"


def runs(pid):
    return state(pid) not in (None, "Z")


def state(pid):
    """The letter that the kernel has for it; `None` if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None
