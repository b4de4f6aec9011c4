"""`make bench-sidecar` in small: every figure is there. What they say is not asked, this is a debug build."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

BENCH = Path(__file__).resolve().parents[2] / "benches" / "sidecar"
ABUSES = ["logins", "key refresh", "reloads", "revocations", "all at once"]
HELD = [
    "idle, a thread for each core", "idle, 1 thread", "after the first login", "at the most, during it",
    "each idle connection, plain", "each idle connection, TLS", "each of 20 RS256 tokens", "each of 40 RS256 tokens",
    "each further RS256 token, from 20 to 40",
    "each of 250 marks", "each of 500 marks", "each further mark, from 250 to 500",
    "before a burst", "at full load", "in a burst", "10 s after it",
]  # fmt: skip
DONE = {"logins let in a second", "logins refused a second", "keys fetched a second", "reloads a second", "revocations a second"}


@pytest.fixture(scope="module")
def results(binary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("results")
    paced = binary.parent / "examples" / "paced"
    command = [sys.executable, BENCH, "--smoke", "--doorward", binary, "--paced", paced, "--results", directory]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-4000:]
    return directory


@pytest.fixture
def figures(results):
    return json.loads((results / "sidecar.json").read_text())


def test_what_is_held_in_memory_is_measured(figures):
    (memory,) = figures["memory"]
    assert list(memory) == HELD
    for name, figure in memory.items():
        assert set(figure) == ({"rss"} if name == "at the most, during it" else {"rss", "pss", "anonymous"})
    for name in HELD[:4] + HELD[-4:]:
        assert memory[name]["rss"] > 2**20, "in bytes"


def test_every_abuse_is_measured_beside_quiet(figures):
    assert [name for name, _, _ in figures["latency"]] == ABUSES
    for _, *runs in figures["latency"]:
        for run in runs:
            assert set(run["statuses"]) == {"200"}
            times = [ms for _, ms in run["quantiles"]]
            assert times == sorted(times) and times[0] > 0
    assert set(figures["done"]) == DONE
    assert all(count > 0 for counts in figures["done"].values() for count in counts)


def test_the_page_has_all_of_them(results):
    page = (results / "sidecar.md").read_text()
    for name in [*HELD, "quiet", *ABUSES]:
        assert f"| {name} | " in page
    for name in DONE:
        assert f"- {name}: " in page
    curves = ElementTree.parse(results / "sidecar.svg").getroot()
    assert len(curves.findall("{http://www.w3.org/2000/svg}polyline")) == 1 + len(ABUSES)
