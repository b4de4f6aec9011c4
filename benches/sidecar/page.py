"""The figures as a page, and the latencies as curves."""

from datetime import UTC, datetime
from html import escape
from math import log10
from statistics import median

from latency import QUIET
from report import machine

MIB, KIB = 2**20, 2**10
GOALS = {"idle, 1 thread": 25 * MIB, "idle, a thread for each core": 25 * MIB, "RS256 token": KIB, "mark": 150}
P99_GOAL = 1.2
# Of the quantiles that the client tells.
SHOWN = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "slowest": 1.0}


def spread(values, form):
    values = sorted(values)
    middle = form.format(median(values))
    return middle if len(values) == 1 else f"{middle} ({form.format(values[0])}–{form.format(values[-1])})"


def goal_of(name):
    """Of memory for many, what one more takes is asked: what is taken once is in the lines above."""
    name = name.removeprefix("each further ").partition(", from ")[0]
    return GOALS.get(name)


def size(values, each):
    return spread(values, "{:,.0f} B") if each else spread([value / MIB for value in values], "{:.1f} MiB")


def memory(rounds):
    """`rounds` are figures by name, of each part of the memory."""
    yield "| | resident | proportional | anonymous | goal |"
    yield "|---|---:|---:|---:|---|"
    for name in rounds[0]:
        each = name.startswith("each ")
        parts = [[figures[name][part] for figures in rounds if part in figures[name]] for part in ("rss", "pss", "anonymous")]
        cells = [size(values, each) if values else "" for values in parts]
        verdict = ""
        if goal := goal_of(name):
            verdict = f"≤ {size([goal], each)} {'met' if median(parts[0]) <= goal else '**missed**'}"
        yield f"| {name} | {' | '.join(cells)} | {verdict} |"


def at(quantiles, wanted):
    return next(value for quantile, value in quantiles if abs(quantile - wanted) < 1e-6)


def latency(runs):
    """`runs` are (abuse, the quiet run before it, the run beside it)."""
    yield "| while | " + " | ".join(f"{name}, ms" for name in SHOWN) + " | p99 / quiet | p99.9 / quiet | goal |"
    yield "|---|" + "---:|" * (len(SHOWN) + 2) + "---|"
    names = list(dict.fromkeys(name for name, _, _ in runs))
    for name in [QUIET, *names]:
        pairs = [(quiet["quantiles"], beside["quantiles"]) for of, quiet, beside in runs if name in (QUIET, of)]
        ran = [quiet if name == QUIET else beside for quiet, beside in pairs]
        cells = [spread([at(one, quantile) for one in ran], "{:.2f}") for quantile in SHOWN.values()]
        ratios, verdict = ["", ""], ""
        if name != QUIET:
            p99 = [at(beside, 0.99) / at(quiet, 0.99) for quiet, beside in pairs]
            rare = [at(beside, 0.999) / at(quiet, 0.999) for quiet, beside in pairs]
            ratios = [spread(p99, "{:.2f}"), spread(rare, "{:.2f}")]
            if name == "logins":
                verdict = f"≤ {P99_GOAL:.2f} {'met' if median(p99) <= P99_GOAL else '**missed**'}"
        yield f"| {name} | {' | '.join(cells + ratios)} | {verdict} |"


def page(options, memories, latencies, runs):
    text = [
        "# What doorward takes in a pod", "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. `make bench-sidecar` repeats it. Medians (least–most).", "",
    ]  # fmt: skip
    if memories:
        text += [
            "## Memory", "",
            f"Each line is a process of its own, {options.processes} of each. `Rss`, `Pss` and `Anonymous` of `/proc/PID/smaps_rollup`, two seconds after what is",
            "measured or later: what is freed goes back to the system after one. Idle is before the first login, each of which takes 19 MiB.", "",
            *memory(memories), "",
            f"The burst: for {options.burst} s 64 connections with {min(options.tokens[-1], 10_000):,} RS256 tokens, 16 that send bodies of 64 KiB,",
            "and 8 that log in.", "",
        ]  # fmt: skip
    if runs:
        late, others = (max(run[what] for _, *both in runs for run in both) for what in ("late", "others"))
        text += [
            "## Latency under abuse", "",
            "All threads of doorward, those that hash too, on one core; load, abuse and an nginx as the upstream on another. The core bears",
            f"{latencies.full:,.0f} requests/s with an RS256 token, or {latencies.hashing:.0f} logins/s (argon2id, 19 MiB, 2 passes).",
            f"Measured at {latencies.rate:,} requests/s over 64 connections, {options.rounds} rounds of {options.seconds} s, from when each request was *due*; before",
            f"each abuse once without, which its ratio is to. The client itself was at most {late:.2f} ms late at its p99; others",
            f"used at most {others:.0%} of the machine meanwhile. Undisturbed, a request took"
            f" {spread([quiet['us'] for _, quiet, _ in runs], '{:.0f}')} µs of CPU.", "",
            *latency(runs), "",
            *(line for name, _, beside in runs if beside["unanswered"]
              for line in (f"**{name}: {beside['unanswered']} requests were never answered**, and are not in the figures.", "")),
            "What went on:", "",
            *(f"- {name}: {spread(counts, '{:.1f}')}" for name, counts in latencies.done.items()), "",
            "![The latencies as curves](sidecar.svg)", "",
        ]  # fmt: skip
    return "\n".join(text)


COLOURS = ("#64748b", "#ea580c", "#2563eb", "#16a34a", "#a855f7", "#dc2626")
LEFT, TOP, WIDTH, HEIGHT = 60, 30, 640, 320
DECADES = 4  # on the right end is one request in ten thousand


def curves(runs):
    """Medians over the rounds: how slow (upwards) is one request in how many (to the right), both by powers of ten."""
    lists = {QUIET: [quiet["quantiles"] for _, quiet, _ in runs]}
    for name, _, beside in runs:
        lists.setdefault(name, []).append(beside["quantiles"])
    lines = {name: [(one[0][0], median(point[1] for point in one)) for one in zip(*many, strict=True)] for name, many in lists.items()}
    shown = {name: [(rarity(quantile), ms) for quantile, ms in line if quantile < 1] for name, line in lines.items()}
    values = [log10(ms) for line in shown.values() for _, ms in line]
    least, most = min(values), max(values)

    def x(rare):
        return LEFT + rare / DECADES * WIDTH

    def y(value):
        return TOP + (most - value) / ((most - least) or 1) * HEIGHT

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 130} {TOP + HEIGHT + 50}" font-family="sans-serif" font-size="11">',
        '<title>Latency at half load, by how rare it is</title><rect width="100%" height="100%" fill="white"/>',
    ]
    for decade in range(DECADES + 1):
        label = f"{100 * (1 - 10.0**-decade):g} %"
        parts.append(f'<line x1="{x(decade)}" x2="{x(decade)}" y1="{TOP}" y2="{TOP + HEIGHT}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{x(decade)}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{label}</text>')
    for ms in (m * 10.0**power for power in range(-2, 5) for m in (1, 2, 5)):
        if least <= log10(ms) <= most:
            parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y(log10(ms)):.1f}" y2="{y(log10(ms)):.1f}" stroke="#e2e8f0"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y(log10(ms)) + 4:.1f}" text-anchor="end">{ms:g} ms</text>')
    for number, (name, line) in enumerate(shown.items()):
        points = " ".join(f"{x(rare):.1f},{y(log10(ms)):.1f}" for rare, ms in line)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 10}" y="{TOP + 14 + 18 * number}" fill="{colour}">{escape(name)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP + HEIGHT + 38}">so many requests are faster; medians of all rounds</text></svg>')
    return "\n".join(parts) + "\n"


def rarity(quantile):
    return -log10(1 - quantile)
