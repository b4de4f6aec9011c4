"""How each fault of faults.yaml is made, and ended. What hits a server hits all replicas; what hits a connection, the first one's."""

import resource
import subprocess
import threading

import children
import valkey
from redis_deployments import Cluster, Sentinels
from redis_server import Redis
from sidecar import DEADLINE, until

# What libfaketime adds to a clock.
AHEAD, BEHIND, RIGHT = "+300s", "-300s", "+0"
UNLIMITED = str(resource.RLIM_INFINITY)
# Only here: nothing that is meant for the machine's own Redis can hit another.
NOBODY = ("127.0.0.1", "1")


class Fault:
    """`place` has what there is of servers, proxies and replicas."""

    # Of the one server, if there is only one.
    options = ()
    program = Redis
    # Between the one server and each replica.
    has_proxies = True

    def __init__(self, place):
        self.place = place

    @classmethod
    def servers(cls):
        # What a process has written outlives it also without fsync, for which a busy disk can take longer than requests wait.
        return OneServer(cls.program("--appendfsync", "no", *cls.options))

    @property
    def server(self):
        return self.place.deployment.server

    @property
    def proxy(self):
        return self.place.proxies[0]

    def begin(self):
        raise NotImplementedError

    def end(self):
        raise NotImplementedError


class Limited(Redis):
    """One that is told when a file may not grow, and not ended by the signal for that: Python gives children the default for it."""

    def launch(self):
        self.process = children.start(self.command(), end="KILL", stdout=subprocess.DEVNULL, restore_signals=False)
        return self


class OneServer:
    """One server, as the other deployments have theirs."""

    def __init__(self, server):
        self.server = server

    def start(self):
        self.server.start()
        return self

    def stop(self):
        self.server.thaw()
        self.server.stop()


class Killed(Fault):
    def begin(self):
        self.server.kill()

    def end(self):
        self.server.start()


class Frozen(Fault):
    def begin(self):
        self.server.freeze()

    def end(self):
        self.server.thaw()


class Refused(Fault):
    def begin(self):
        self.proxy.refuse()

    def end(self):
        self.proxy.accept()


class ResetOnce(Fault):
    def begin(self):
        self.proxy.cut()

    def end(self):
        pass


class BlackHole(Fault):
    def begin(self):
        self.proxy.set(is_black_hole=True)

    def end(self):
        self.proxy.set(is_black_hole=False)


class Latency(Fault):
    def begin(self):
        self.proxy.set(latency=10)

    def end(self):
        self.proxy.set(latency=0)


class SlowLine(Fault):
    def begin(self):
        self.proxy.set(bandwidth=20)

    def end(self):
        self.proxy.set(bandwidth=None)


class OutOfMemory(Fault):
    options = ("--maxmemory-policy", "noeviction")

    def begin(self):
        self.server.ask("CONFIG", "SET", "maxmemory", "1")

    def end(self):
        self.server.ask("CONFIG", "SET", "maxmemory", "0")


class DiskFull(Fault):
    """A limit on the size of files is a full disk that needs no disk: writing to a file ends where it is."""

    options = ("--appendfsync", "everysec")
    program = Limited

    def begin(self):
        limit_files(self.server, 1)
        # The first write is taken, and found out to be too much.
        until(lambda: refuses(self.server), what="a server that cannot write")

    def end(self):
        limit_files(self.server, UNLIMITED)


class DiskFullAlways(DiskFull):
    options = ("--appendfsync", "always")

    def begin(self):
        limit_files(self.server, 1)
        until(lambda: refuses(self.server), what="a server that cannot write")
        self.server.process.wait(DEADLINE)

    def end(self):
        self.server.start()


class Demoted(Fault):
    def begin(self):
        self.server.ask("REPLICAOF", *NOBODY)

    def end(self):
        self.server.ask("REPLICAOF", "NO", "ONE")


class NoReplicas(Fault):
    def begin(self):
        self.server.ask("CONFIG", "SET", "min-replicas-to-write", "1")

    def end(self):
        self.server.ask("CONFIG", "SET", "min-replicas-to-write", "0")


class Password(Fault):
    """Who changes it still has a connection to change it back."""

    def begin(self):
        self.administrator = client(self.server)
        self.administrator.execute_command("CONFIG", "SET", "requirepass", "another")
        self.administrator.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def end(self):
        self.administrator.execute_command("CONFIG", "SET", "requirepass", "")
        self.administrator.close()


class Permissions(Fault):
    def begin(self):
        self.administrator = client(self.server)
        for command in (["ADMIN", "on", "nopass", "+@all", "~*"], ["default", "-@all"]):
            self.administrator.execute_command("ACL", "SETUSER", *command)
            self.administrator.execute_command("AUTH", "ADMIN", "any")

    def end(self):
        self.administrator.execute_command("ACL", "SETUSER", "default", "+@all")
        self.administrator.close()


class Loading(Fault):
    """Each of many keys takes its time to be read, until somebody says that it need not."""

    # So that it answers while it reads, if only to say so.
    options = ("--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024")

    def begin(self):
        self.server.ask("DEBUG", "POPULATE", "20000", "filler")
        # Where the delay is: in what was saved as a whole.
        self.server.ask("BGREWRITEAOF")
        until(lambda: self.server.info("persistence")["aof_rewrite_in_progress"] == "0", what="the keys on disk")
        until(lambda: self.server.info("persistence")["aof_rewrite_scheduled"] == "0", what="the keys on disk")
        self.server.kill()
        self.server.options += ["--key-load-delay", "1000"]
        self.server.launch()
        until(lambda: says(self.server, "LOADING"), what="a server that reads its keys")

    def end(self):
        self.server.ask("CONFIG", "SET", "key-load-delay", "0")
        del self.server.options[-2:]


class Emptied(Fault):
    def begin(self):
        self.server.ask("FLUSHALL")

    def end(self):
        pass


class ClockAhead(Fault):
    by = AHEAD

    def begin(self):
        self.place.set_clock(self.by)

    def end(self):
        self.place.set_clock(RIGHT)


class ClockBehind(ClockAhead):
    by = BEHIND


class MasterKilled(Fault):
    """The Sentinels make another server the master. The old one comes back as its replica."""

    has_proxies = False
    way = "kill"
    servers = Sentinels

    def begin(self):
        [self.old] = self.place.deployment.masters()
        getattr(self.old, self.way)()

    def end(self):
        """Another server ends it; then the old one comes back, as the last of them."""
        until(lambda: self.old not in self.place.deployment.masters(), what="another master")
        self.bring_back()

    def bring_back(self):
        self.old.start()


class MasterFrozen(MasterKilled):
    """The old master wakes up while others have taken its place, and takes itself for the master until a Sentinel tells it."""

    way = "freeze"

    def bring_back(self):
        self.old.thaw()


class NodeKilled(MasterKilled):
    servers = Cluster

    def begin(self):
        # Of a session, so that there is something to be lost.
        self.old, _ = self.place.deployment.owner(f"{self.place.prefix}{{m:00}}:marks")
        self.old.kill()


class Resharding(Fault):
    """One slot after the other moves to another master: all marks, and every session that there is."""

    has_proxies = False
    servers = Cluster

    def begin(self):
        marks = [f"{self.place.prefix}{{m:{bucket:02}}}:marks" for bucket in range(16)]
        sessions = [f"{self.place.prefix}{{f:{sid}}}" for sid in self.place.sids]
        self.problem = None
        self.moving = threading.Thread(target=self.move, args=([*sessions, *marks],), daemon=True)
        self.moving.start()

    def move(self, keys):
        try:
            for key in keys:
                self.place.deployment.reshard(key)
        except Exception as problem:
            self.problem = problem

    def end(self):
        self.moving.join(DEADLINE)
        assert not self.moving.is_alive() and not self.problem, self.problem


def client(server):
    return valkey.Valkey(server.host, server.port, socket_timeout=DEADLINE, decode_responses=True, single_connection_client=True)


def limit_files(server, most):
    subprocess.run(["prlimit", "--pid", str(server.process.pid), f"--fsize={most}:"], check=True)


def refuses(server):
    """Whether it takes no writes, which is found out by one."""
    try:
        server.ask("SET", "room", "x" * 100)
    except valkey.ValkeyError:
        return True
    return False


def says(server, word):
    try:
        server.ask("GET", "any")
    except valkey.ValkeyError as error:
        return word in str(error) or type(error).__name__ == "BusyLoadingError"
    return False


FAULTS = {
    "killed": Killed,
    "frozen": Frozen,
    "refused": Refused,
    "reset": ResetOnce,
    "black-hole": BlackHole,
    "latency": Latency,
    "slow-line": SlowLine,
    "out-of-memory": OutOfMemory,
    "disk-full": DiskFull,
    "disk-full-always": DiskFullAlways,
    "demoted": Demoted,
    "no-replicas": NoReplicas,
    "password": Password,
    "permissions": Permissions,
    "loading": Loading,
    "emptied": Emptied,
    "failover": MasterKilled,
    "frozen-master": MasterFrozen,
    "node-killed": NodeKilled,
    "resharding": Resharding,
    "clock-ahead": ClockAhead,
    "clock-behind": ClockBehind,
}
