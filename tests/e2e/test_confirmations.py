"""`doorward revoke --wait` over several doorwards on one Redis: who has a revocation in effect, and who has not."""

import json
import signal
import socket
import subprocess
import time

import jwt
import pytest
import yaml
from sidecar import DEADLINE, merge, until

REPLICAS = ("one", "two", "three")
# Seconds after which nobody is waited for.
SILENT = 5


@pytest.fixture
def replicas(redis, prepare, shop):
    """Each with a user of its own at Redis, so that one can be cut off."""
    made = []
    for name in REPLICAS:
        command(redis, f"ACL SETUSER {name} on >secret-of-{name} ~* +@all")
        store = {"redis": {"url": redis.url, "username": name, "password": {"file": f"{name}.txt"}}}
        doorward = prepare(shop.url, {"store": store, "telemetry": {"format": "json"}}, name=name)
        password = doorward.directory / f"{name}.txt"
        password.write_text(f"secret-of-{name}")
        password.chmod(0o600)
        made.append(doorward.start())
    until_listed(made[0])
    yield made
    for doorward in made:
        doorward.signal(signal.SIGCONT)


def until_listed(doorward):
    # Until the list is as old as silence is long, nobody knows whether all are on it.
    until(lambda: revoke(doorward, wait=10).returncode == 0, deadline=30, what="a list of three")
    until(lambda: len(names(revoke(doorward, wait=10), "confirmed_by")) == 3, what="all three")


def command(redis, line):
    with socket.create_connection((redis.host, redis.port), DEADLINE) as connection:
        connection.sendall(line.encode() + b"\r\n")
        answer = connection.recv(1000)
    assert answer[:1] in b"+:$", answer
    return answer


def revoke(doorward, *arguments, wait=None, jti="nobody's", form="--json"):
    config = doorward.directory / "operator.yaml"
    config.write_text(yaml.safe_dump(merge(doorward.settings, {"admin": {"listen": doorward.admin}})))
    waiting = [] if wait is None else ["--wait", str(wait)]
    line = [doorward.binary, "revoke", "--jti", jti, *waiting, *([form] if form else []), "--config", str(config), *arguments]
    return subprocess.run(list(map(str, line)), capture_output=True, text=True, timeout=90, check=False)


def names(done, member):
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)[member]


def name_of(doorward):
    return f"{socket.gethostname()}:{doorward.public.rsplit(':')[-1]}"


def timed(*arguments, **options):
    began = time.monotonic()
    done = revoke(*arguments, **options)
    return done, time.monotonic() - began


def test_all_three_confirm(replicas, shop):
    all_confirm(replicas, shop)


@pytest.mark.parametrize("deployment", ["cluster"], indirect=True)
def test_all_three_confirm_where_buckets_are_apart(fleet, shop):
    replicas = fleet(shop.url).replicas
    until_listed(replicas[0])
    all_confirm(replicas, shop)


def all_confirm(replicas, shop):
    one, two, three = replicas
    for round_ in range(5):
        token = two.login()["access_token"]
        assert three.call("/users/me", token).status_code == 200
        jti = jwt.decode(token, options={"verify_signature": False})["jti"]
        done, took = timed(one, wait=10, jti=jti)
        assert done.returncode == 0, done.stdout + done.stderr
        assert names(done, "confirmed_by")[0] == name_of(one), "the one that was asked comes first"
        assert sorted(names(done, "confirmed_by")) == sorted(map(name_of, replicas)) and names(done, "missing") == []
        assert took < 3, f"round {round_}"
        # Whoever has confirmed refuses, at once.
        shop.forget()
        for doorward in replicas:
            assert doorward.call("/users/me", token).status_code == 401
        assert shop.seen() == []
        # What is revoked already is confirmed no less.
        again = revoke(two, wait=10, jti=jti)
        assert again.returncode == 0 and len(names(again, "confirmed_by")) == 3
    told = revoke(one, wait=10, form=None)
    assert told.returncode == 0
    for doorward in replicas:
        assert name_of(doorward) in told.stdout
    assert "not confirmed" not in told.stdout
    alone = revoke(one)
    assert (names(alone, "confirmed_by"), names(alone, "missing")) == ([name_of(one)], []), "nobody was waited for"


def test_a_frozen_one_is_waited_for_until_it_is_silent(replicas):
    one, two, three = replicas
    three.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    done, took = timed(one, wait=2, jti="first")
    assert time.monotonic() - stopped < SILENT, "or this shows nothing"
    assert (done.returncode, names(done, "missing")) == (1, [name_of(three)])
    assert sorted(names(done, "confirmed_by")) == sorted([name_of(one), name_of(two)])
    assert took >= 2, "it was heard of a moment ago, and waited for"
    done = revoke(one, wait=60, jti="second")
    assert (done.returncode, names(done, "missing")) == (1, [name_of(three)])
    assert time.monotonic() - stopped < SILENT + 5, "silent now, and not waited for"
    done, took = timed(two, wait=60, jti="third", form=None)
    assert done.returncode == 1 and took < 3
    assert f"not confirmed by {name_of(three)}" in done.stdout
    three.signal(signal.SIGCONT)
    done = revoke(one, wait=30, jti="fourth")
    assert (done.returncode, names(done, "missing")) == (0, []), "it has caught up"


def test_one_that_is_cut_off_is_missing_and_one_that_has_left_is_not(redis, replicas):
    one, two, three = replicas
    command(redis, "ACL SETUSER three off")
    command(redis, "CLIENT KILL USER three")
    done = revoke(one, wait=60, jti="first")
    assert (done.returncode, names(done, "missing")) == (1, [name_of(three)])
    three_log = lambda: [record for record in three.output.lines if "other instances cannot be told" in record]  # noqa: E731
    until(three_log, what="the log")
    # Itself it can make no revocation durable.
    assert revoke(three, wait=5, jti="first").returncode == 70
    assert len(three_log()) == 1, "once for an outage, and not each second"
    command(redis, "ACL SETUSER three on")
    until(lambda: revoke(one, wait=10, jti="second").returncode == 0, deadline=30, what="healing")
    two.stop()
    done, took = timed(one, wait=60, jti="third")
    assert (done.returncode, names(done, "missing")) == (0, [])
    assert sorted(names(done, "confirmed_by")) == sorted([name_of(one), name_of(three)])
    assert took < 5
    # One that was killed could not say so.
    three.kill()
    done = revoke(one, wait=60, jti="fourth")
    assert (done.returncode, names(done, "missing"), names(done, "confirmed_by")) == (1, [name_of(three)], [name_of(one)])


def test_nobody_claims_to_know_who_there_is_on_a_new_list(redis, replicas):
    one, *_ = replicas
    command(redis, "DEL doorward:{meta}:replicas doorward:{meta}:positions")
    done = revoke(one, wait=1, jti="first")
    assert done.returncode == 70 and "not known at the moment" in done.stderr, done
    done = revoke(one, wait=30, jti="first")
    assert done.returncode == 0 and len(names(done, "confirmed_by")) == 3
