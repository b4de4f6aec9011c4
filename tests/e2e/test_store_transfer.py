"""`doorward store export` and `import`: from the embedded store to Redis, and nobody is logged out."""

import json
import socket
import stat
import subprocess

import pytest
import yaml
from sidecar import merge, until

SETTINGS = {"tokens": {"refresh_grace": "60s"}, "telemetry": {"format": "json"}}


@pytest.fixture
def run(binary):
    """Runs `doorward store` for a doorward: with its configuration, but for the port that the system chose."""

    def run(doorward, *arguments, changes=None):
        settings = merge(doorward.settings, {"admin": {"listen": getattr(doorward, "admin", "127.0.0.1:1")}})
        config = doorward.directory / "operator.yaml"
        config.write_text(yaml.safe_dump(merge(settings, changes or {})))
        command = [binary, "store", *arguments, "--config", str(config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return run


class Users:
    """What users hold before their sessions are carried elsewhere: some rotated, some revoked in one way or another."""

    def __init__(self, doorward):
        self.idle = [doorward.login() for _ in range(5)]
        self.superseded = [doorward.login() for _ in range(5)]
        self.rotated = [renewed(doorward, session) for session in self.superseded]
        self.logged_out = doorward.login()
        doorward.revoke(self.logged_out["refresh_token"])
        self.lost = doorward.login()
        doorward.revoke(self.lost["access_token"])
        self.stolen = doorward.login("erin")
        headers = {"Authorization": f"Bearer {(doorward.directory / 'data' / 'admin.token').read_text()}"}
        order = {"kind": "subject", "value": "erin"}
        answer = doorward.session.post(f"http://{doorward.admin}/revocations", json=order, headers=headers)
        assert answer.status_code == 200, answer.text

    def all_as_before(self, doorward):
        for session in self.idle + self.rotated:
            until(lambda session=session: doorward.call("/users/me", session["access_token"]).status_code == 200, what="the view")
        for session in [self.logged_out, self.lost, self.stolen]:
            answer = doorward.call("/items", session["access_token"])
            assert (answer.status_code, answer.json()["reason"]) == (401, "revoked"), answer.text
        for session in [self.logged_out, self.stolen]:
            assert doorward.refresh(session["refresh_token"]).json()["error"] == "invalid_grant"
        for before, after in zip(self.superseded, self.rotated, strict=True):
            assert renewed(doorward, before)["refresh_token"] == after["refresh_token"], "within the grace, the same successor"
        self.idle = [renewed(doorward, session) for session in self.idle]
        self.rotated = [renewed(doorward, session) for session in self.rotated]
        self.superseded = []
        assert doorward.call("/users/me", renewed(doorward, self.lost)["access_token"]).status_code == 200
        return True


def renewed(doorward, session):
    answer = doorward.refresh(session["refresh_token"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def takes_no_writes(doorward, session):
    for path, form in [
        ("/token", {"username": "johndoe", "password": "secret"}),
        ("/refresh-token", {"refresh_token": session["refresh_token"]}),
        ("/revoke-token", {"token": session["access_token"]}),
    ]:
        answer = doorward.post(path, form)
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1, (path, answer.text)
    secret = (doorward.directory / "data" / "admin.token").read_text()
    order = {"kind": "subject", "value": "johndoe"}
    url, headers = f"http://{doorward.admin}/revocations", {"Authorization": f"Bearer {secret}"}
    answer = doorward.session.post(url, json=order, headers=headers)
    assert answer.status_code == 503 and "sealed" in answer.json()["detail"], answer.text
    assert doorward.call("/users/me", session["access_token"]).status_code == 200, "requests go on"
    doorward.counts(1, "doorward_store_up")
    doorward.counts(1, "doorward_store_sealed")
    ready = doorward.probe("/readyz")
    assert ready.status_code == 200 and "store sealed" in ready.text
    return True


def says_sealed(doorward):
    """In the log: when it is sealed, and at each start."""
    return [record for record in doorward.records() if "sealed" in record.get("message", "") and "`doorward store unseal`" in record["message"]]


@pytest.fixture
def source(shop, start):
    return start(shop.url, SETTINGS)


def test_nobody_is_logged_out(source, shop, prepare, redis, run, tmp_path):
    users = Users(source)
    file = tmp_path / "export"
    done = run(source, "export", str(file), "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["sessions"] == 13 and counts["revocations"] >= 3 and counts["sealed"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    for secret in [users.idle[0]["refresh_token"], users.idle[0]["access_token"], *source.settings["server_keys"]]:
        assert secret not in text
    assert takes_no_writes(source, users.idle[0])
    until(lambda: says_sealed(source), what="a word in the log")

    target = prepare(shop.url, merge(SETTINGS, {"store": {"redis": {"url": redis.url}}}), name="target")
    for _ in range(2):
        done = run(target, "import", str(file), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"sessions": counts["sessions"], "revocations": counts["revocations"]}
    target.start()
    assert users.all_as_before(target)

    # What went on at the target is not taken back by what was exported before.
    assert run(target, "import", str(file)).returncode == 0
    assert all(renewed(target, session) for session in users.idle + users.rotated)
    assert takes_no_writes(source, users.idle[0] | {"access_token": target.login()["access_token"]})


def test_seal_outlives_a_restart_and_is_undone_by_name(source, run, tmp_path):
    session = source.login()
    assert run(source, "export", str(tmp_path / "one")).returncode == 0
    source.kill()
    source.start()
    assert takes_no_writes(source, session)
    until(lambda: says_sealed(source), what="a word in the log")
    assert run(source, "unseal").returncode == 0
    session = renewed(source, session)
    source.counts(0, "doorward_store_sealed")
    # Of a doorward that does not run, the file is read; it is sealed all the same.
    source.stop()
    done = run(source, "export", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    source.start()
    assert takes_no_writes(source, session)
    source.stop()
    assert run(source, "unseal").returncode == 0
    source.start()
    assert renewed(source, session)


def test_back_into_an_embedded_store(source, shop, prepare, run, tmp_path):
    users = Users(source)
    assert run(source, "export", str(tmp_path / "export")).returncode == 0
    target = prepare(shop.url, SETTINGS, name="target")
    assert run(target, "import", str(tmp_path / "export")).returncode == 0
    target.start()
    refused = run(target, "import", str(tmp_path / "export"))
    assert refused.returncode == 2 and "in use" in refused.stderr
    assert users.all_as_before(target)


OTHERS = {
    "server keys": ({"server_keys": ["another one that keys the tags of refresh tokens"]}, "server_keys"),
    "signing keys": ({"tokens": {"keys": [{"algorithm": "HS256", "secret": "q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY"}]}}, "tokens.keys"),
    "issuer": ({"tokens": {"issuer": "https://other.example.test"}}, "https://auth.example.test"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_keys_that_would_log_users_out_are_refused(other, source, shop, prepare, redis, run, tmp_path):
    session = source.login()
    changes, told = OTHERS[other]
    assert run(source, "export", str(tmp_path / "export")).returncode == 0
    target = prepare(shop.url, merge(merge(SETTINGS, {"store": {"redis": {"url": redis.url}}}), changes), name="target")
    refused = run(target, "import", str(tmp_path / "export"))
    assert refused.returncode == 2 and told in refused.stderr and "--force" in refused.stderr
    good = prepare(shop.url, merge(SETTINGS, {"store": {"redis": {"url": redis.url}}}), name="good").start()
    assert good.refresh(session["refresh_token"]).json()["error"] == "invalid_grant", "nothing was written"
    assert run(target, "import", "--force", str(tmp_path / "export")).returncode == 0
    assert renewed(good, session)


def test_half_a_file_is_refused(source, shop, prepare, redis, run, tmp_path):
    session = source.login()
    whole, half = tmp_path / "whole", tmp_path / "half"
    assert run(source, "export", str(whole)).returncode == 0
    again = run(source, "export", str(whole))
    assert again.returncode == 2 and "new file" in again.stderr, "nothing is written over"
    content = whole.read_bytes()
    target = prepare(shop.url, merge(SETTINGS, {"store": {"redis": {"url": redis.url}}}), name="target")
    for part in [content[:-1], content[: len(content) * 2 // 3], content.replace(b"session ", b"session A", 1), b"", b"users: []\n"]:
        half.write_bytes(part)
        refused = run(target, "import", str(half))
        assert refused.returncode == 2 and str(half) in refused.stderr, refused.stderr
    target.start()
    assert target.refresh(session["refresh_token"]).json()["error"] == "invalid_grant", "nothing was written"
    assert run(target, "import", str(whole)).returncode == 0
    assert renewed(target, session)


def test_who_may_seal(source):
    session = source.login()
    admin, token = f"http://{source.admin}/store", (source.directory / "data" / "admin.token").read_text()
    credential = {"Authorization": f"Bearer {token}"}
    for headers, expected in [({}, 401), ({"Authorization": "Bearer guess"}, 401), (credential | {"Origin": "https://a.example"}, 403)]:
        for method in ("GET", "POST"):
            assert source.session.request(method, admin, json={"sealed": True}, headers=headers).status_code == expected
    assert source.session.get(admin, headers=credential).status_code == 409, "nothing is read that still changes"
    for body in [b"{}", b'{"sealed": 1}', b'{"sealed": true, "x": 1}', b"[]"]:
        answer = source.session.post(admin, data=body, headers=credential | {"Content-Type": "application/json"})
        assert answer.status_code == 400
    assert renewed(source, session)
    assert source.post("/store", json={"sealed": True}, headers=credential).status_code != 200, "not on the public listener"


def test_a_running_doorward_must_be_found_before_anything_is_sealed(source, run, tmp_path):
    """It has the file open, and is not where the configuration has it; what answers elsewhere seals nothing."""
    session = source.login()
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
    for listen, told in [(nobody, f"does not answer at `{nobody}`"), (source.public, f"`{source.public}` is no doorward admin listener")]:
        changes = {"admin": {"listen": listen}, "server": {"listen": "127.0.0.1:1"}}
        for command in (["export", str(tmp_path / "export")], ["unseal"]):
            refused = run(source, *command, changes=changes)
            assert refused.returncode == 70, refused
            assert told in refused.stderr and "is `admin.listen` the one it was started with?" in refused.stderr
            assert "may be sealed" not in refused.stderr
    assert list(tmp_path.glob("export*")) == []
    source.counts(0, "doorward_store_sealed")
    assert renewed(source, session)


def test_an_export_is_a_file(source, run, tmp_path):
    for name in ("-", str(tmp_path / "nowhere" / "export")):
        refused = run(source, "export", name)
        assert refused.returncode == 2 and "file" in refused.stderr, refused
        assert "may be sealed" not in refused.stderr
    source.counts(0, "doorward_store_sealed")
    assert renewed(source, source.login())


def test_stores_that_are_not_embedded_say_so(source, shop, prepare, redis, run, tmp_path):
    for changes, told in [({"store": "memory"}, "memory"), ({"store": {"redis": {"url": redis.url}}}, "store.redis")]:
        refused = run(source, "export", str(tmp_path / "export"), changes=changes)
        assert refused.returncode == 2 and told in refused.stderr
    nothing = prepare(shop.url, SETTINGS, name="nothing")
    refused = run(nothing, "export", str(tmp_path / "export"))
    assert refused.returncode == 2 and "no store" in refused.stderr
    assert not (tmp_path / "export").exists()
    assert renewed(source, source.login())
