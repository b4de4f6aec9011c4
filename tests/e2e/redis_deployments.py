"""Servers that several doorwards share, in each shape that can be configured: one, those behind Sentinels, a Cluster."""

import valkey
from redis_server import Redis, Sentinel, Valkey
from sidecar import until

# All that a node has to hear of is heard within this, also on a machine under load.
HEALING = 30


class Single:
    """One server."""

    def __init__(self, make=Redis):
        self.servers = [make()]
        self.others = []

    def start(self):
        self.servers[0].start()
        return self

    def stop(self):
        for server in [*self.others, *self.servers]:
            server.stop()

    def store(self, prefix=None):
        """What is written under `store` to use it; `prefix` keeps one test apart from the next."""
        return {"redis": {"url": self.urls()} | ({"prefix": prefix} if prefix else {})}

    def urls(self):
        return self.servers[0].url

    def masters(self):
        """The servers that take writes now."""
        return list(self.servers)

    def freeze(self):
        """Nobody answers, until all are thawed."""
        for server in self.servers:
            server.freeze()

    def thaw(self):
        for server in self.servers:
            server.thaw()
        self.settle()

    def settle(self):
        """All that was started runs again and has everything."""
        for server in self.servers:
            if not server.runs:
                server.start()
        until(self.is_settled, deadline=HEALING, what="servers that all have everything")

    def is_settled(self):
        return all(server.answers() for server in self.servers)


class Sentinels(Single):
    """A master with two replicas, and three Sentinels that watch over them."""

    def __init__(self):
        self.servers = []
        for _ in range(3):
            server = Redis("--repl-diskless-sync-delay", "0")
            server.options += ["--replica-announce-ip", server.host]
            self.servers.append(server)
        self.others = [Sentinel(self.servers[0]) for _ in range(3)]

    def start(self):
        for server in self.servers:
            server.start()
        master = self.servers[0]
        for replica in self.servers[1:]:
            replica.ask("REPLICAOF", master.host, master.port)
        until(lambda: replicas_of(master) == 2, what="two replicas")
        for sentinel in self.others:
            sentinel.start()
        until(self.is_settled, deadline=HEALING, what="Sentinels that know each other and all servers")
        return self

    def store(self, prefix=None):
        store = super().store(prefix)
        store["redis"] |= {"mode": "sentinel", "master": "main"}
        return store

    def urls(self):
        return [sentinel.url for sentinel in self.others]

    def masters(self):
        """As the first Sentinel that answers has it."""
        sentinel = next(sentinel for sentinel in self.others if sentinel.answers())
        host, _ = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
        return [server for server in self.servers if server.host == host]

    def is_settled(self):
        if not all(server.answers() for server in [*self.servers, *self.others]):
            return False
        seen = {tuple(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")) for sentinel in self.others}
        # What a Sentinel knows of the others and of the replicas it says of the master.
        known = [pairs(sentinel.ask("SENTINEL", "MASTER", "main")) for sentinel in self.others]
        well = all((of["num-slaves"], of["num-other-sentinels"], of["flags"]) == ("2", "2", "master") for of in known)
        [master] = self.masters()
        return len(seen) == 1 and well and replicas_of(master) == 2

    def fail_over(self, way="kill"):
        """Takes the master away, by `kill` or `freeze`, and returns it when another is master. It is not well until `settle`."""
        self.settle()
        [old] = self.masters()
        getattr(old, way)()
        self.await_successor(old)
        return old

    def await_successor(self, old):
        """Until the Sentinels have another master than `old`."""
        until(lambda: self.masters() != [old], deadline=HEALING, what="another master")

    def rejoin(self, old):
        """Starts one that was master and makes it a replica by hand: the Sentinels would see to that, and take their time."""
        old.start()
        [master] = self.masters()
        old.ask("REPLICAOF", master.host, master.port)
        until(lambda: replicas_of(master) == 2, deadline=HEALING, what="replicas that have everything")


class Cluster(Single):
    """Three masters, each with a third of the slots, and a replica for each."""

    def __init__(self):
        self.servers = []
        for _ in range(6):
            server = Redis("--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0")
            bus = server.port - 10_000 if server.port > 40_000 else server.port + 10_000
            server.options += ["--cluster-port", str(bus), "--cluster-announce-ip", server.host]
            server.bus = bus
            self.servers.append(server)
        self.others = []

    def start(self):
        for number, server in enumerate(self.servers):
            server.start()
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        first, *rest = self.servers
        for server in rest:
            first.ask("CLUSTER", "MEET", server.host, server.port, server.bus)
        bounds = [(0, 5460), (5461, 10922), (10923, 16383)]
        for server, (low, high) in zip(self.servers, bounds, strict=False):
            server.ask("CLUSTER", "ADDSLOTSRANGE", low, high)
        until(lambda: all(len(nodes(server)) == 6 for server in self.servers), what="nodes that know each other")
        for master, replica in zip(self.servers[:3], self.servers[3:], strict=True):
            until(lambda master=master, replica=replica: follows(replica, master), what="a replica")
        until(self.is_settled, deadline=HEALING, what="a Cluster that is up")
        return self

    def store(self, prefix=None):
        store = super().store(prefix)
        store["redis"]["mode"] = "cluster"
        return store

    def urls(self):
        # A master and the replica of another: the rest must be found.
        return [self.servers[0].url, self.servers[4].url]

    def masters(self):
        """As the first node that answers has it."""
        owners = {node.address for node in nodes(self.guide()) if node.is_master and node.slots}
        return [server for server in self.servers if server.address in owners]

    def guide(self):
        return next(server for server in self.servers if server.answers())

    def is_settled(self):
        if not all(server.answers() for server in self.servers):
            return False
        if not all("cluster_state:ok" in server.ask("CLUSTER", "INFO") for server in self.servers):
            return False
        views = [nodes(server) for server in self.servers]
        well = all(len(view) == 6 and not any(node.fails for node in view) for view in views)
        masters = self.masters()
        # All are of one mind on who they are, and each has its replica.
        agreed = len({frozenset(node.address for node in view if node.is_master and node.slots) for view in views}) == 1
        return well and agreed and len(masters) == 3 and all(replicas_of(master) == 1 for master in masters)

    def owner(self, key):
        """The master that has `key`, and its slot."""
        slot = self.guide().ask("CLUSTER", "KEYSLOT", key)
        address = next(node.address for node in nodes(self.guide()) if node.is_master and node.has(slot))
        return next(server for server in self.servers if server.address == address), slot

    def fail_over(self, way="kill", key="any"):
        """Takes the master of `key` away, by `kill` or `freeze`, and returns it when another has taken over. It is not well until `settle`."""
        self.settle()
        old, _ = self.owner(key)
        getattr(old, way)()
        others = [server for server in self.servers if server is not old]
        until(lambda: all(old.address not in masters_of(server) for server in others), deadline=HEALING, what="another master")
        return old

    def reshard(self, key):
        """Moves the slot of `key` to another master, as `redis-cli --cluster reshard` does: key by key, so that for a while both have some."""
        source, slot = self.owner(key)
        target = next(master for master in self.masters() if master is not source)
        names = {server: server.ask("CLUSTER", "MYID") for server in (source, target)}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
            source.ask("MIGRATE", target.host, target.port, keys[0], 0, 5000)
        for master in [target, source, *(master for master in self.masters() if master not in (source, target))]:
            master.ask("CLUSTER", "SETSLOT", slot, "NODE", names[target])
        return target


class Node:
    """A line of `CLUSTER NODES`."""

    def __init__(self, line):
        _, place, flags, *_, link = line.split()[:8]
        flags = flags.split(",")
        self.address = place.partition("@")[0]
        self.fails = "fail" in flags or "fail?" in flags or link != "connected"
        self.is_master = "master" in flags and "fail" not in flags
        # Those that move stand in brackets, at the end.
        self.slots = [tuple(map(int, (part + "-" + part).split("-")[:2])) for part in line.split()[8:] if part[0] != "["]

    def has(self, slot):
        return any(low <= slot <= high for low, high in self.slots)


def nodes(server):
    return [Node(line) for line in server.ask("CLUSTER", "NODES").splitlines()]


def masters_of(server):
    return [node.address for node in nodes(server) if node.is_master and node.slots]


def follows(replica, master):
    """Once it has heard of its master."""
    try:
        return replica.ask("CLUSTER", "REPLICATE", master.ask("CLUSTER", "MYID")) == "OK"
    except valkey.ResponseError:
        return False


def replicas_of(master):
    """How many have everything: what a failover keeps is what its winner has, and being connected is not enough."""
    info = master.info("replication")
    return sum("state=online" in text and f"offset={info['master_repl_offset']}," in text for name, text in info.items() if name.startswith("slave"))


def pairs(answer):
    return dict(zip(answer[::2], answer[1::2], strict=True))


# What stands for each in the names of tests.
DEPLOYMENTS = {"redis": Single, "valkey": lambda: Single(Valkey), "sentinel": Sentinels, "cluster": Cluster}
