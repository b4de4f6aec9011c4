"""The figures as a table and a chart."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from statistics import median

import chart

# µs a request that rivals were once found to need, by mode; only their ratios to one another are asked again.
FOUND = {
    "pass": {"nginx": 16, "haproxy": 18, "envoy": 90},
    "HS256": {"haproxy": 40, "envoy": 158, "envoy-cache": 117, "fastapi": 401},
    "RS256": {"haproxy": 76, "envoy": 193, "envoy-cache": 134, "fastapi": 385},
    "ES256": {"haproxy": 154, "envoy": 250, "envoy-cache": 121, "fastapi": 451},
}


def progress(text):
    print(text, file=sys.stderr, flush=True)


class Figures:
    """Medians over the rounds, and ratios within a round: the machine is not the same from one to the next.

    Times are those of the core at its full speed. The host slows it down at random, and a request that waits for memory and the
    kernel is slowed down less than the yardstick, which does neither: hence the exponent, from one and the same peer at many speeds.
    """

    def __init__(self, figures):
        self.rows = {}
        fastest = min(figure["yardstick"] for figure in figures)
        for figure in figures:
            us = figure["us"] * (fastest / figure["yardstick"]) ** 0.75
            self.rows.setdefault((figure["peer"], figure["mode"]), {})[figure["round"]] = figure | {"us": us}

    def of(self, peer, mode, what="us"):
        rows = self.rows.get((peer, mode))
        return median(row[what] for row in rows.values()) if rows else None

    def ratio(self, above, below):
        """Median, least and most of one `(peer, mode)` to another, round by round."""
        above, below = self.rows.get(above), self.rows.get(below)
        if not above or not below:
            return None
        ratios = sorted(above[at]["us"] / below[at]["us"] for at in above.keys() & below.keys())
        return median(ratios), ratios[0], ratios[-1]


GOALS = [
    *((f"hot {name} / bare Pingora", ("doorward", name), ("floor", "pass"), 1.10) for name in ("HS256", "RS256", "ES256", "EdDSA")),
    *(
        (f"hot {name} / HAProxy `jwt_verify`", ("doorward", name), ("haproxy", name), goal)
        for name, goal in (("HS256", 1.0), ("RS256", 0.6), ("ES256", 0.3))
    ),
    *((f"hot {name} / Envoy with its cache", ("doorward", name), ("envoy-cache", name), 0.4) for name in ("HS256", "RS256", "ES256")),
    *((f"{name} 10k / hot", ("doorward", f"{name} 10k"), ("doorward", name), 1.15) for name in ("HS256", "RS256", "ES256", "EdDSA")),
    ("bare Pingora as built here / stock", ("floor", "pass"), ("stock", "pass"), 0.85),
    ("no token / forwarded", ("doorward", "no token"), ("doorward", "HS256"), 0.35),
    ("bad signature / HAProxy's", ("doorward", "bad signature"), ("haproxy", "bad signature"), 1.2),
    *(
        (f"{name} / HS256", ("doorward", name), ("doorward", "HS256"), None)
        for name in ("revoked", "10 KiB body", "1,000 routes", "100,000 marks", "access log", "TLS")
    ),
    ("10 KiB body / HAProxy's", ("doorward", "10 KiB body"), ("haproxy", "10 KiB body"), None),
    ("login / FastAPI's", ("doorward", "login"), ("fastapi", "login"), None),
]


def slow_rivals(figures):
    """Rivals that are twice as slow here, beside the others, as they were once found: misconfigured, then."""
    for mode, found in FOUND.items():
        here = {peer: figures.of(peer, mode) for peer in found if figures.of(peer, mode)}
        if len(here) < 2:
            continue
        speed = median(here[peer] / found[peer] for peer in here)
        for peer, us in here.items():
            if us > 2 * found[peer] * speed:
                yield f"{peer}, {mode}: {us:.0f} µs, expected about {found[peer] * speed:.0f}"


def write(figures, modes, results):
    """Returns what is wrong with the run, or 0."""
    rounds = 1 + max(figure["round"] for figure in figures)
    every = Figures(figures)
    peers = list(dict.fromkeys(figure["peer"] for figure in figures))
    text = [
        "# doorward beside its rivals", "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. One proxy thread on a core; `wrk -t1 -c64` and nginx as the upstream on another.",
        f"Medians of {rounds} interleaved rounds. `make bench-rivals` repeats it; compare ratios, not figures of two runs.", "",
        "## CPU µs per request, of the whole tree of processes, at the core's full speed", "",
        *table(every, modes, peers, "us", "{:.1f}"), "",
        "## Ratios, within the same round (least to most)", "",
        "| figure | ratio | goal |", "|---|---|---|",
    ]  # fmt: skip
    for name, above, below, goal in GOALS:
        if ratio := every.ratio(above, below):
            mark = "" if goal is None else f"≤ {goal:.2f} {'met' if ratio[0] <= goal else '**missed**'}"
            text.append(f"| {name} | {ratio[0]:.2f} ({ratio[1]:.2f}–{ratio[2]:.2f}) | {mark} |")
    for title, what, form in (
        ("Requests per second", "rate", "{:,.0f}"), ("p50, ms", "p50", "{:.2f}"), ("p99, ms", "p99", "{:.2f}"),
        ("MiB resident", "rss", "{:.0f}"),
    ):  # fmt: skip
        text += ["", f"## {title}", "", *table(every, modes, peers, what, form)]
    spread = sorted(figure["yardstick"] for figure in figures)
    text += ["", f"A fixed piece of work on the proxy's core took {spread[0]:.0f} to {spread[-1]:.0f} µs, median {median(spread):.0f}."]
    (results / "rivals.md").write_text("\n".join(text) + "\n")
    (results / "rivals.svg").write_text(chart.bars(every, modes, peers))
    progress("\n".join(text))
    return "\n".join(slow_rivals(every)) or 0


def table(figures, modes, peers, what, form):
    yield "| peer | " + " | ".join(mode.name for mode in modes) + " |"
    yield "|---|" + "---:|" * len(modes)
    for peer in peers:
        cells = (figures.of(peer, mode.name, what) for mode in modes)
        yield f"| {peer} | " + " | ".join("" if cell is None else form.format(cell) for cell in cells) + " |"


def machine():
    with open("/proc/cpuinfo") as lines:
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    release = subprocess.run(["sh", "-c", ". /etc/os-release; echo $PRETTY_NAME"], capture_output=True, text=True).stdout.strip()
    return f"{os.cpu_count()} cores of {model}, {release}, Linux {platform.release()}"
