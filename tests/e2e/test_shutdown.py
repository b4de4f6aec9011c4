"""Stopping: what is under way is finished, what comes new is told where to go, and PID 1 is no exception."""

import itertools
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import children
import pytest
import requests
from sidecar import plain_session, until
from wire import Connection

HELD = 8


class Load:
    """Clients that call again and again, on connections of their own, until doorward no longer takes any."""

    def __init__(self, doorward, token, clients=4):
        self.url, self.token = doorward.url("/items"), token
        self.turned_away = []
        self.pool = ThreadPoolExecutor(clients)
        self.clients = [self.pool.submit(self.run) for _ in range(clients)]

    def run(self):
        statuses = []
        while True:
            try:
                with plain_session() as session:
                    statuses.append(session.get(self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=10).status_code)
            except requests.ConnectionError:
                self.turned_away.append(time.monotonic())
                break
        return statuses

    def statuses(self):
        answered = list(itertools.chain(*(client.result(20) for client in self.clients)))
        self.pool.shutdown()
        return answered


def hold(doorward, shop, token, pool):
    """Requests that the application keeps waiting; returns once all of them have arrived there."""
    waiting = [pool.submit(doorward_call, doorward.url("/hold"), token) for _ in range(HELD)]
    until(lambda: plain_session().get(f"{shop.url}/held").json() == HELD, what="the held requests")
    return waiting


def doorward_call(url, token):
    answer = plain_session().get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    return answer.status_code, answer.json()


def release(shop):
    assert plain_session().post(f"{shop.url}/release").json() == {"released": True}


@pytest.fixture
def pool(shop):
    with ThreadPoolExecutor(HELD) as pool:
        yield pool
        release(shop)


LAME = {"server": {"shutdown": {"lame_duck": "1s", "drain": "10s"}}}


def test_sigterm_under_load(shop, start, pool):
    """Case 173."""
    doorward = start(shop.url, LAME)
    token = doorward.login()["access_token"]
    assert doorward.probe("/readyz").status_code == 200
    waiting = hold(doorward, shop, token, pool)
    load = Load(doorward, token)
    began = time.monotonic()
    doorward.signal(signal.SIGTERM)
    until(lambda: doorward.probe("/readyz").status_code == 503, deadline=1, what="readyz 503")
    assert doorward.probe("/livez").status_code == 200
    assert doorward.call("/items", token).status_code == 200, "the lame duck still serves"
    answered = load.statuses()
    assert min(load.turned_away) - began >= 0.9, "the listener stays for the lame duck"
    assert set(answered) == {200} and len(answered) > 4, "nothing but 200 until the listener closed"
    assert doorward.process.poll() is None and not any(call.done() for call in waiting), "it waits for what is under way"
    release(shop)
    assert [call.result(10) for call in waiting] == [(200, {"held": True})] * HELD
    assert doorward.wait() == 0


def test_drain_ends_at_its_limit(shop, start, pool):
    doorward = start(shop.url, {"server": {"shutdown": {"lame_duck": "0s", "drain": "1s"}}})
    waiting = hold(doorward, shop, doorward.login()["access_token"], pool)
    began = time.monotonic()
    doorward.signal(signal.SIGTERM)
    doorward.wait()
    assert 0.9 <= time.monotonic() - began < 5
    for call in waiting:
        with pytest.raises(requests.ConnectionError):
            call.result(10)


def test_sigint_stops_at_once(shop, start, pool):
    doorward = start(shop.url, {"server": {"shutdown": {"lame_duck": "60s", "drain": "60s"}}})
    waiting = hold(doorward, shop, doorward.login()["access_token"], pool)
    doorward.signal(signal.SIGINT)
    assert doorward.wait(deadline=3) in (0, 130)
    for call in waiting:
        with pytest.raises(requests.ConnectionError):
            call.result(10)


def test_idle_connections_hold_nothing_up(shop, start):
    doorward = start(shop.url, {"server": {"shutdown": {"lame_duck": "0s", "drain": "60s"}}})
    assert doorward.call("/public/news").status_code == 200
    with Connection(doorward.public):
        doorward.signal(signal.SIGTERM)
        assert doorward.wait(deadline=5) == 0


def test_signals_while_draining(shop, start, pool):
    doorward = start(shop.url, LAME)
    waiting = hold(doorward, shop, doorward.login()["access_token"], pool)
    doorward.signal(signal.SIGTERM)
    until(lambda: doorward.probe("/readyz").status_code == 503)
    doorward.signal(signal.SIGHUP)
    release(shop)
    assert [call.result(10)[0] for call in waiting] == [200] * HELD
    assert doorward.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_pid_1(number, shop, prepare, pool):
    """For PID 1 the kernel drops every signal that has no handler: one forgotten, and the pod waits to be killed."""
    doorward = prepare(shop.url, LAME)
    doorward.start(prefix=children.unshare("--pid", "--fork", "--mount-proc", "--kill-child"))
    inside = Path(f"/proc/{doorward.process.pid}/task/{doorward.process.pid}/children").read_text()
    [inner] = [int(child) for child in inside.split()]
    assert re.search(r"NSpid:\s+\d+\s+1\n", Path(f"/proc/{inner}/status").read_text()), "it is PID 1 where it lives"
    token = doorward.login()["access_token"]
    waiting = hold(doorward, shop, token, pool)
    os.kill(inner, number)
    if number == signal.SIGTERM:
        until(lambda: doorward.probe("/readyz").status_code == 503, what="readyz 503")
        assert doorward.call("/items", token).status_code == 200
        release(shop)
        assert [call.result(10)[0] for call in waiting] == [200] * HELD
        assert doorward.wait() == 0
    else:
        assert doorward.wait(deadline=3) in (0, 130)


def test_sighup_does_not_kill_pid_1_nor_anybody(shop, start):
    doorward = start(shop.url)
    doorward.signal(signal.SIGHUP)
    assert doorward.login()["token_type"] == "bearer"
    assert doorward.process.poll() is None
