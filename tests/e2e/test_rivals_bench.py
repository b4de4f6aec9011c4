"""`make bench-rivals` in small: peers are checked and measured, and the page has them. How fast they are is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "benches" / "rivals"
PEERS = ["floor", "haproxy", "doorward"]
MODES = {"pass": ["floor", "haproxy"], "ES256 10k": ["haproxy", "doorward"], "revoked": ["doorward"], "TLS": ["doorward"]}


def run(binary, directory, *arguments):
    floor = binary.parent / "examples" / "floor"
    chosen = ["--peers", ",".join(PEERS), "--modes", ",".join(MODES), "--rounds", "1", "--seconds", "1", *arguments]
    command = [sys.executable, BENCH, "--doorward", binary, "--floor", floor, "--results", directory, *chosen]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def results(binary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("results")
    ran = run(binary, directory)
    assert (directory / "rivals.md").exists(), ran.stderr[-4000:]
    return directory


def test_each_peer_is_measured_in_each_mode_it_has(results):
    figures = json.loads((results / "rivals.json").read_text())
    assert [(figure["mode"], figure["peer"]) for figure in figures] == [(mode, peer) for mode in MODES for peer in MODES[mode]]
    for figure in figures:
        assert all(figure[name] > 0 for name in ("us", "rate", "p50", "p99", "rss", "yardstick"))


def test_the_page_and_the_chart_have_all_of_them(results):
    page, chart = ((results / f"rivals.{kind}").read_text() for kind in ("md", "svg"))
    for name in [*PEERS, *MODES]:
        assert name in page and name in chart
    assert "ES256 10k / hot" not in page, "a ratio without its other half"


def test_a_peer_that_lets_pass_what_it_should_not_ends_the_run(binary, tmp_path):
    """The bare Pingora in the place of doorward."""
    directory = tmp_path / "results"
    floor = binary.parent / "examples" / "floor"
    lax = tmp_path / "lax"
    lax.write_text(
        "#!/usr/bin/env python3\nimport json, os, sys\n"
        'settings = json.load(open(sys.argv[3]))\n'
        f'os.execv("{floor}", ["floor", settings["server"]["listen"], settings["upstream"]["url"].removeprefix("http://")])\n'
    )
    lax.chmod(0o755)
    ran = run(binary, directory, "--doorward", lax, "--peers", "doorward", "--modes", "HS256")
    assert ran.returncode != 0 and not directory.exists()
    assert "no token: 200" in ran.stderr
