"""doorward beside its rivals, in one run. `make bench-rivals` calls this; `--help` says what can be chosen."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cpu
import load
import report
from modes import MODES
from peers import PEERS, Setting, nginx_with
from running import Running, WrongAnswer, check, free_port
from tokens import Issuer

PEER_CORE, LOAD_CORE = 0, 1


def arguments():
    parser = argparse.ArgumentParser(prog="make bench-rivals", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of load for each figure")
    parser.add_argument("--modes", help="names, by commas; all unless given")
    parser.add_argument("--peers", help="the same")
    parser.add_argument("--doorward", required=True, type=Path, help="the release binary")
    parser.add_argument("--floor", required=True, type=Path, help="the bare Pingora of the same build")
    parser.add_argument("--stock", type=Path, help="the bare Pingora as it comes")
    parser.add_argument("--envoy", type=Path, help="what there is of Envoy")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent.parent / "results")
    return parser.parse_args()


class Bench:
    """One run: the peers, started when a mode first needs them, and kept, so that rounds can be interleaved."""

    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.binaries = {name: getattr(options, name) for name in ("doorward", "floor", "stock", "envoy")}
        self.issuers, self.running, self.scripts = {}, {}, {}
        upstream = self.directory / "upstream"
        upstream.mkdir()
        self.upstream = free_port()
        body = '{"id": 42, "name": "Foo", "padding": "' + "x" * 107 + '"}'
        answer = f"default_type application/json; return 200 '{body}';"
        setting = Setting(None, None, upstream, self.upstream, 0, self.binaries)
        command = nginx_with(setting, f"server {{ listen 127.0.0.1:{self.upstream}; location / {{ {answer} }} }}")
        self.server = Running(command, LOAD_CORE, self.upstream, upstream / "log")

    def stop(self):
        for running in [self.server, *self.running.values()]:
            running.stop()

    def can(self, peer, mode):
        if peer in ("stock", "envoy", "envoy-cache") and not self.binaries[peer.partition("-")[0]]:
            return False
        return peer in mode.only if mode.only else mode.algorithm in PEERS[peer][1]

    def issuer(self, mode):
        if mode.algorithm and mode.algorithm not in self.issuers:
            self.issuers[mode.algorithm] = Issuer(mode.algorithm, self.directory)
        return self.issuers.get(mode.algorithm)

    def peer(self, peer, mode):
        """Started, and checked, for this mode or one that asks the same of it."""
        key = (peer, mode.algorithm, mode.routes, mode.marks, mode.access_log, mode.tls, mode.credential == "revoked")
        if key not in self.running:
            directory = self.directory / str(len(self.running))
            directory.mkdir()
            extra = {"certificate": certificate(self.directory)} if mode.tls else {}
            setting = Setting(mode, self.issuer(mode), directory, free_port(), self.upstream, self.binaries, extra)
            running = Running(PEERS[peer][0](setting), PEER_CORE, setting.port, directory / "log")
            self.running[key] = running
            if mode.algorithm:
                check(peer, setting.port, setting.issuer, mode.tls)
            report.progress(f"{peer} is up for {mode.name}: {cpu.resident(running.pid):.0f} MiB")
            prepare(mode, setting)
        return self.running[key]

    def script(self, mode):
        if mode.name not in self.scripts:
            issuer, path = self.issuer(mode), self.directory / f"{len(self.scripts)}.lua"
            tokens = [""]
            if mode.credential == "bad-signature":
                tokens = [issuer.bad_signature()]
            elif mode.algorithm and mode.credential != "none" and not mode.login:
                tokens = issuer.tokens(mode.tokens)
            load.write_script(path, mode, tokens)
            self.scripts[mode.name] = path
        return self.scripts[mode.name]

    def measure(self, peer, mode):
        """One figure, of one round."""
        running, script = self.peer(peer, mode), self.script(mode)
        url = f"{'https' if mode.tls else 'http'}://127.0.0.1:{running.port}"
        load.run(LOAD_CORE, script, url, 2 if mode.tokens > 1 else 1)
        with cpu.Yardstick(PEER_CORE) as yardstick:
            before = cpu.seconds(running.pid)
            result = load.run(LOAD_CORE, script, url, self.options.seconds)
            used = cpu.seconds(running.pid) - before
        refused = result.requests if mode.status >= 400 else 0
        if result.errors or result.refused != refused:
            raise WrongAnswer(f"{peer}, {mode.name}: {result.refused} refused and {result.errors} failed of {result.requests}")
        return {
            "peer": peer, "mode": mode.name, "us": used / result.requests * 1e6, "rate": result.requests / result.seconds,
            "p50": result.p50, "p99": result.p99, "rss": cpu.resident(running.pid), "yardstick": yardstick.cost * 1e6,
        }  # fmt: skip


def prepare(mode, setting):
    """The marks that the mode wants, by the admin listener."""
    marks = [setting.issuer.token()] if mode.credential == "revoked" else []
    if marks or mode.marks:
        import marks as writer

        writer.write(setting.directory / "admin.sock", marks, mode.marks)


def certificate(directory):
    cert, key = directory / "tls.pem", directory / "tls.key"
    if not cert.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", cert, "-keyout", key],
            check=True, capture_output=True,
        )  # fmt: skip
    return cert, key


def chosen(text, all_of):
    names = text.split(",") if text else all_of
    unknown = set(names) - set(all_of)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(all_of)}")
    return names


def main():
    options = arguments()
    names = chosen(options.modes, [mode.name for mode in MODES])
    peers = chosen(options.peers, list(PEERS))
    modes = [mode for mode in MODES if mode.name in names]
    with tempfile.TemporaryDirectory(prefix="doorward-bench-", dir="/tmp") as directory:
        bench, figures = Bench(options, Path(directory)), []
        try:
            began = time.monotonic()
            for round_ in range(options.rounds):
                for mode in modes:
                    for peer in filter(lambda peer, mode=mode: bench.can(peer, mode), peers):
                        figure = bench.measure(peer, mode) | {"round": round_}
                        figures.append(figure)
                        report.progress(
                            f"{time.monotonic() - began:5.0f} s, round {round_ + 1}: {mode.name:14} {peer:12}"
                            f" {figure['us']:7.1f} µs  {figure['rate']:7.0f}/s  p99 {figure['p99']:.2f} ms"
                        )
        finally:
            bench.stop()
    options.results.mkdir(exist_ok=True)
    (options.results / "rivals.json").write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(report.write(figures, modes, options.results))


try:
    main()
except WrongAnswer as wrong:
    sys.exit(f"nothing was written: {wrong}")
