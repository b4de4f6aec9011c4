"""What doorward takes: memory for what it holds, and time while it is abused. `make bench-sidecar` calls this."""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "rivals"))

import page  # noqa: E402
from instance import Client, Instance, checked, items  # noqa: E402
from latency import Latency  # noqa: E402
from memory import Memory  # noqa: E402
from peers import Setting, nginx_with  # noqa: E402
from running import Running, free_port  # noqa: E402
from tokens import Issuer  # noqa: E402

PROXY_CORE, LOAD_CORE = 0, 1
SMOKE = {
    "rounds": 1, "processes": 1, "seconds": 1, "lead": 0.1, "tries": 1, "share": 0.1, "settle": 0.1, "burst": 1, "rest": 0.1,
    "connections": 20, "tokens": [20, 40], "marks": [250, 500],
}  # fmt: skip


def arguments():
    parser = argparse.ArgumentParser(prog="make bench-sidecar", description=__doc__)
    parser.add_argument("--doorward", required=True, type=Path, help="the release binary")
    parser.add_argument("--paced", required=True, type=Path, help="the client that keeps to a timetable, an example of the same build")
    parser.add_argument("--parts", nargs="+", choices=("latency", "memory"), default=["latency", "memory"])
    parser.add_argument("--abuses", nargs="+", metavar="NAME", help="those whose latency is measured; all unless given")
    parser.add_argument("--rounds", type=int, default=4, help="of latencies")
    parser.add_argument("--processes", type=int, default=2, help="for each figure of memory")
    parser.add_argument("--seconds", type=int, default=3, help="of load for each latency")
    parser.add_argument("--connections", type=int, default=5000, help="idle ones")
    parser.add_argument("--tokens", type=int, nargs="+", default=[5000, 10_000, 20_000], help="that were shown once")
    parser.add_argument("--marks", type=int, nargs="+", default=[100_000, 200_000])
    parser.add_argument("--burst", type=int, default=5, help="seconds")
    parser.add_argument("--rest", type=int, default=10, help="seconds after it")
    parser.add_argument("--share", type=float, default=0.5, help="of what the proxy bears, while latencies are measured")
    parser.add_argument("--lead", type=float, default=0.5, help="seconds of abuse before a latency is measured, and of rest after it")
    parser.add_argument("--settle", type=float, default=2, help="seconds before memory is read: what is freed goes back to the system after one")
    parser.add_argument("--disturbed", type=float, default=0.05, help="share of all cores that others may use; beyond it a latency is measured again")
    parser.add_argument("--tries", type=int, default=2, help="how often at the most")
    parser.add_argument("--smoke", action="store_true", help="a little of everything: whether it works, not what comes out")
    parser.add_argument("--results", type=Path, default=HERE.parent / "results")
    options = parser.parse_args()
    vars(options).update(SMOKE if options.smoke else {})
    return options


class Bench:
    """What all parts share: an upstream, a client, tokens."""

    def __init__(self, options, directory):
        self.options, self.directory, self.instances = options, directory, 0
        self.client = Client(options.paced, LOAD_CORE, directory)
        self.issuer = Issuer("RS256", directory)
        self.token, self.signed, self.files, self.began = self.issuer.token(), [], {}, time.monotonic()
        upstream = directory / "upstream"
        upstream.mkdir()
        self.upstream = free_port()
        setting = Setting(None, None, upstream, self.upstream, 0, {})
        answer = "default_type application/json; client_max_body_size 0; return 200 '{\"id\": 42}';"
        command = nginx_with(setting, f"server {{ listen 127.0.0.1:{self.upstream}; location / {{ {answer} }} }}")
        self.server = Running(command, LOAD_CORE, self.upstream, upstream / "log")

    def prepare(self, **options):
        self.instances += 1
        return Instance(self.options.doorward, self.issuer, self.upstream, self.directory / str(self.instances), **options)

    def instance(self, **options):
        """For `with`."""
        return self.prepare(**({"core": PROXY_CORE} | options))

    def requests(self, count):
        """A file of requests, each with a token of its own."""
        if count not in self.files:
            if count > len(self.signed):
                self.progress(f"signing {count} tokens")
                self.signed = self.issuer.tokens(count)
            self.files[count] = self.client.file(map(items, self.signed[:count]))
        return self.files[count]

    @property
    def certificate(self):
        """Settings of one made for this run."""
        cert, key = self.directory / "tls.pem", self.directory / "tls.key"
        if not cert.exists():
            key.touch(0o600)
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", cert, "-keyout", key],
                check=True, capture_output=True,
            )  # fmt: skip
        return {"cert_file": str(cert), "key_file": str(key)}

    def progress(self, text):
        print(f"{time.monotonic() - self.began:5.0f} s: {text}", file=sys.stderr, flush=True)


def latency(bench):
    """All runs, and what they were run at."""
    latencies, runs = Latency(bench), []
    try:
        latencies.prepare()
        for number in range(bench.options.rounds):
            for name, quiet, beside in latencies.round():
                runs.append((name, quiet, beside))
                p99 = [page.at(run["quantiles"], 0.99) for run in (quiet, beside)]
                bench.progress(f"round {number + 1}, {name}: p99 {p99[0]:.2f} -> {p99[1]:.2f} ms, others {quiet['others']:.0%} and {beside['others']:.0%}")
    finally:
        latencies.stop()
    return latencies, runs


def memory(bench):
    rounds = []
    for number in range(bench.options.processes):
        bench.progress(f"memory, round {number + 1}")
        rounds.append(Memory(bench).run())
    return rounds


def main():
    options = arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with tempfile.TemporaryDirectory(prefix="doorward-bench-", dir="/tmp") as directory:
        bench = Bench(options, Path(directory))
        try:
            with bench.instance() as doorward:
                checked(doorward, bench.issuer)
            latencies, runs = latency(bench) if "latency" in options.parts else (None, [])
            memories = memory(bench) if "memory" in options.parts else []
        finally:
            bench.server.stop()
    options.results.mkdir(parents=True, exist_ok=True)
    figures = {"memory": memories, "latency": runs, "done": latencies.done if latencies else {}}
    (options.results / "sidecar.json").write_text(json.dumps(figures, indent=1) + "\n")
    text = page.page(options, memories, latencies, runs)
    (options.results / "sidecar.md").write_text(text)
    if runs:
        (options.results / "sidecar.svg").write_text(page.curves(runs))
    print(text)


main()
