"""`doorward check --connect`: what the store is like, in words, in JSON, and as an exit code."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from redis_server import Redis
from sidecar import until


@pytest.fixture
def check(binary, prepare, shop):
    def run(store, *options):
        doorward = prepare(shop.url, {"store": store})
        return subprocess.run([binary, "check", "--config", doorward.config, *options], capture_output=True, text=True)

    return run


@pytest.mark.parametrize(("options", "code", "amiss"), [
    ([], 0, {}),
    (["--appendfsync", "everysec"], 0, {"appendfsync": "warning"}),
    (["--appendonly", "no"], 1, {"appendonly": "problem", "save": "problem"}),
    (["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], 1, {"maxmemory-policy": "problem"}),
    (["--min-replicas-to-write", "1"], 1, {"min-replicas-to-write": "problem"}),
    (["--maxmemory", "100kb"], 1, {"maxmemory": "problem"}),
    (["--rename-command", "CONFIG", ""], 0, {"appendfsync": "unseen", "save": "unseen", "min-replicas-to-write": "unseen"}),
])
@pytest.mark.parametrize("form", ["text", "json"])
def test_bad_settings_are_told_with_cost_and_cure(options, code, amiss, form, check):
    server = Redis(*options).start()
    try:
        checked = check({"redis": {"url": server.url}}, "--connect", *(["--json"] if form == "json" else []))
    finally:
        server.stop()
    assert (checked.returncode, checked.stderr) == (code, ""), checked
    if form == "json":
        told = json.loads(checked.stdout)
        assert told["ok"] == (code == 0)
        found = {finding["check"]: finding["state"] for finding in told["findings"] if finding["state"] != "ok"}
        assert all(finding["cost"] and finding["cure"] for finding in told["findings"] if finding["state"] in ("warning", "problem"))
    else:
        _, _, table = checked.stdout.partition("store.redis:\n")
        lines = [line.split() for line in table.splitlines()]
        found = {line[1]: line[0] for line in lines if line[0] in ("unseen", "warning", "problem")}
        assert table.count("cure: ") == len(amiss)
    assert found == amiss


def test_a_server_that_is_not_there(check):
    server = Redis()
    checked = check({"redis": {"url": server.url}}, "--connect")
    assert checked.returncode == 1
    assert checked.stdout.count("problem  ") == 1
    assert "problem  reachable" in checked.stdout


def test_without_being_asked_nobody_connects(check):
    server = Redis()
    checked = check({"redis": {"url": server.url}})
    assert (checked.returncode, "reachable" in checked.stdout) == (0, False)


def test_a_store_without_a_server(check):
    checked = check("embedded", "--connect")
    assert (checked.returncode, "nothing to connect to" in checked.stdout) == (0, True)


def test_a_broken_configuration_is_told_in_json_too(check):
    checked = check({"redis": {"url": "http://nowhere"}}, "--connect", "--json")
    told = json.loads(checked.stdout)
    assert (checked.returncode, told["ok"], told["findings"]) == (1, False, [])
    assert any("bad-url" in problem for problem in told["problems"])


def test_the_documented_user_can_do_all_that_doorward_does(binary, prepare, shop):
    (line,) = re.findall(r"^ACL SETUSER (doorward on >PASSWORD .*)$", (Path(__file__).resolve().parents[2] / "README.md").read_text(), re.M)
    server = Redis("--user", *line.split(), "--user", "default", "on", "nopass", "-@all", "+ping").start()
    try:
        store = {"redis": {"url": server.url, "username": "doorward", "password": "PASSWORD"}}
        one, two = (prepare(shop.url, {"store": store}, name=name).start() for name in ("one", "two"))
        session = one.login()
        assert two.post("/token", {"username": "johndoe", "password": "wrong"}).status_code == 400
        assert two.refresh(session["refresh_token"]).status_code == 200
        until(lambda: two.call("/users/me", session["access_token"]).status_code == 200, what="the view")
        one.revoke(session["access_token"])
        until(lambda: two.call("/users/me", session["access_token"]).status_code == 401, deadline=5, what="the refusal")
        for doorward in (one, two):
            assert doorward.metric("doorward_store_errors_total") == 0, doorward.output.text
        checked = subprocess.run([binary, "check", "--connect", "--config", one.config], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        assert "may do all that doorward does" in checked.stdout
        assert checked.stdout.count("give the user `+config|get`") == 3
        assert "PASSWORD" not in checked.stdout + one.output.text + two.output.text
    finally:
        server.stop()
