"""What a decision costs by itself, as routes and marks become many, and on two threads. `make bench-decision` calls this; `--help` says what can be chosen."""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import chart

ROUTES, MARKS = (10, 100, 1_000, 10_000), (0, 1_000, 10_000, 100_000, 1_000_000)
FLAT = 1.2
SCALES = 1.8


def arguments():
    parser = argparse.ArgumentParser(prog="make bench-decision", description=__doc__)
    parser.add_argument("--program", required=True, type=Path, help="the release build of the example `decision`")
    parser.add_argument("--calls", type=int, default=200, help="of each phase, under callgrind")
    parser.add_argument("--rounds", type=int, default=9, help="of which the median time is taken")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent.parent / "results")
    return parser.parse_args()


def progress(text):
    print(text, file=sys.stderr, flush=True)


def instructions(options, phase, **setting):
    """Of one call of a phase: what callgrind counts within `measured`."""
    with tempfile.TemporaryDirectory(prefix="doorward-bench-", dir="/tmp") as directory:
        out = Path(directory) / "out"
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=decision::measured*", f"--callgrind-out-file={out}",
                   *program(options, setting), "--phase", phase, "--calls", str(options.calls)]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
        count = round(int(re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE)[1]) / options.calls)
    progress(f"{phase}, {setting}: {count} instructions")
    return count


def nanoseconds(options, **setting):
    command = [*program(options, setting), "--rounds", str(options.rounds)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    times = {name: int(time.removesuffix(" ns")) for name, time in (line.split(": ") for line in lines)}
    progress(f"{setting}: {times}")
    return times


def program(options, setting):
    return [options.program, *(word for name, number in setting.items() for word in (f"--{name}", str(number)))]


def machine():
    model = next((line.split(": ")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    return f"{os.cpu_count()} × {model or platform.machine()}"


def scaling(times, told=""):
    """How often two threads decide in the time in which one decides once, by the processor time of a decision."""
    return 2 * times[f"1 threads{told}"] / times[f"2 threads{told}"]


def write(options, phases, by_routes, by_marks, hot, many):
    text = [
        "# What a decision costs by itself", "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. In process, without a network: `Gate::decide` on a remembered HS256 token, and what is",
        "told of a request after it. `make bench-decision` repeats it. Instructions are callgrind's and the same each time; its processor has",
        "no SHA instructions, so that the digest of the token weighs several times there what it does in time. Times are processor time.", "",
        "## By phase: 10 routes, no marks", "",
        "The first five are called by themselves, `route` with the path that it needs. A decision asks what its thread remembers first, and mostly neither",
        "of the caches that `token` and `revocation` ask.", "",
        "| phase | instructions | ns, one hot token | ns, 10,000 tokens |", "|---|---:|---:|---:|",
        *(f"| {name} | {count:,} | {hot[name]:,} | {many[name]:,} |" for name, count in phases.items()), "",
        "## As routes and marks become many", "", "| routes | marks | instructions | ns |", "|---:|---:|---:|---:|",
        *(f"| {routes:,} | 0 | {count:,} | {time:,} |" for routes, (count, time) in by_routes.items()),
        *(f"| 10 | {marks:,} | {count:,} | {time:,} |" for marks, (count, time) in by_marks.items()), "",
        "## On two threads", "",
        "Decisions in the same time on two threads, to those on one; by processor time, which shows what one waits for the other's cache lines.", "",
        "| | decided | decided and told | goal |", "|---|---:|---:|---|",
    ]  # fmt: skip
    failed = []
    for name, found in (("one hot token for both", hot), ("10,000 tokens", many)):
        decided, told = scaling(found), scaling(found, ", told")
        text.append(f"| {name} | {decided:.2f} | {told:.2f} | ≥ {SCALES} {'met' if decided >= SCALES else '**missed**'} |")
    for name, found in (("routes", by_routes), ("marks", by_marks)):
        counts = [count for count, _ in found.values()]
        if counts[-1] > FLAT * counts[0]:
            failed.append(f"{counts[-1]} instructions with the most {name}, {counts[0]} with the fewest: more than {FLAT} times as many")
    options.results.mkdir(exist_ok=True)
    (options.results / "decision.md").write_text("\n".join(text) + "\n")
    (options.results / "decision.svg").write_text(chart.curves([("routes", by_routes), ("marks", by_marks)]))
    progress("\n".join(text))
    return "\n".join(failed) or 0


def main():
    options = arguments()

    def decide(**setting):
        return instructions(options, "decide", **setting), nanoseconds(options, **setting)["decide"]

    by_routes = {routes: decide(routes=routes) for routes in ROUTES}
    by_marks = {marks: decide(marks=marks) for marks in MARKS}
    hot, many = nanoseconds(options), nanoseconds(options, tokens=10_000)
    phases = {name: instructions(options, name) for name in hot if "threads" not in name}
    sys.exit(write(options, phases, by_routes, by_marks, hot, many))


main()
