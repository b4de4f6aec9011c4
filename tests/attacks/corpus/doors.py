"""What stands between the client and the upstream: a doorward for each configuration, or a server that somebody else started."""

import base64
import json
import re
import signal
import ssl
import sys
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
from certificates import Authority  # noqa: E402
from sidecar import Doorward, merge, password_hash  # noqa: E402

from . import http1, http2  # noqa: E402
from .case import HERE  # noqa: E402
from .publisher import Publisher  # noqa: E402
from .stream import PATIENCE  # noqa: E402
from .tokens import ISSUER, Keys, Mint  # noqa: E402
from .tokens import words as words_of_keys  # noqa: E402
from .upstream import Trap, Upstream  # noqa: E402

# Who may be spoken for in a case as `{{read}}`, `{{write}}` …
TOKENS = {
    "read": {"claims": {"scope": "read"}},
    "write": {"claims": {"sub": "wendy", "scope": "read write"}},
    "admin": {"claims": {"sub": "root", "scope": "admin read write", "roles": ["ops", "staff"]}},
    "bob": {"claims": {"sub": "bob", "scope": "read", "roles": []}},
    "expired": {"claims": {"exp": "@-3600", "iat": "@-7200"}},
    "forged": {"key": "evil-hs"},
}


class Target:
    """A server under test, as cases see it."""

    def __init__(self, address, upstream, keys, tls=None, h2c=False, audience=None, words=None):
        self.address = address
        self.upstream = upstream
        self.tls = tls
        self.h2c = h2c
        self.keys = keys
        self.mint = Mint(keys, audience)
        host = f"{address[0]}:{address[1]}"
        self.words = {"host": host, "port": str(address[1]), "scheme": "https" if tls else "http", "issuer": ISSUER}
        self.trap = Trap()
        self.words |= words_of_keys(keys) | {"listener": str(self.trap.port)}
        self.words |= {name: self.mint.write(told, self.words) for name, told in TOKENS.items()} | (words or {})
        self.words |= added(host, self.words["scheme"])
        self.victims = 0

    # What only doorward can be asked; another server answers none of it.
    log = None
    admin = None

    def secrets(self):
        """name → text that no log may have: the signatures of tokens, which are worth as much as all of them, and passwords."""
        signatures = {name: self.words[name].decode().rsplit(".", 1)[-1] for name in TOKENS}
        return signatures | {f"the secret {name}": self.keys[name].decode() for name in ("hs1", "hs384", "hs512")}

    def settle(self):
        """Returns when nothing of the case before is under way."""
        self.upstream.settle()

    def connect(self, protocol="h1", patience=PATIENCE):
        if protocol == "h1":
            return http1.Connection(self.address, client_context(["http/1.1"]) if self.tls else None, patience)
        return http2.Connection(self.address, client_context(["h2"]) if self.tls else None, patience)

    def doctor(self, text):
        """The case's text as this server's paths have it."""
        return text


class Door(Target):
    """A doorward of the runner's own, started for a configuration of doors.yaml."""

    def __init__(self, name, process, upstream, keys, settings, publisher):
        host, port = process.public.rsplit(":", 1)
        self.name = name
        self.process = process
        audience = settings.get("tokens", {}).get("audience")
        super().__init__((host, int(port)), upstream, keys, "tls" in settings["server"], settings["server"].get("h2c", False), audience)
        self.log = process.output
        self.began_with = process.resident_bytes()
        admin_host, admin_port = process.admin.rsplit(":", 1)
        self.admin = (admin_host, int(admin_port))
        self.words |= {"admin-host": process.admin, "directory": str(process.directory), "publisher": publisher.url}

    def settle(self):
        """Its client may have been told, or gone, before the request's part towards the upstream ended."""
        end = time.monotonic() + 10
        while self.samples().get("doorward_http_requests_in_flight") and time.monotonic() < end:
            time.sleep(0.001)
        super().settle()

    def reload(self, changes):
        """A new configuration, said by SIGHUP; what came of it is in the log."""
        started = len(self.log.lines)
        self.process.write(merge(self.process.settings, changes))
        self.process.signal(signal.SIGHUP)
        self.log.wait_for(lambda line: '"audit":"reloaded"' in line, started)

    def samples(self):
        """name{labels} → value, labels in the order of the alphabet."""
        found = {}
        for sample in self.process.samples():
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def records(self, start):
        """The JSON lines of the log from the `start`-th on."""
        return [json.loads(line) for line in list(self.log.lines)[start:] if line.startswith("{")]


class Doors:
    """Starts what cases need, once each, and stops all of it in the end."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = directory
        self.keys = Keys()
        told = yaml.safe_load((HERE / "doors.yaml").read_text(encoding="utf-8"))
        self.base, self.doors, self.users, self.imported = told["base"], told["doors"], told["users"], told["imported"]
        self.publisher = Publisher(self.keys)
        self.open = {}
        self.failed = {}

    def settings(self, name, upstream="http://127.0.0.1:9", changes=None):
        settings = replace_whole(merge(merge(self.base, self.doors[name] or {}), changes or {}))
        return merge(addressed(settings, self.publisher.url), {"upstream": {"url": upstream}})

    def __getitem__(self, name):
        if name in self.failed:
            raise AssertionError(self.failed[name])
        if name not in self.open:
            try:
                self.open[name] = self._start(name)
            except AssertionError as error:
                self.failed[name] = f"doorward does not start for {name!r}"
                raise AssertionError(f"{self.failed[name]}: {error}") from None
        return self.open[name]

    def prepare(self, name, upstream="http://127.0.0.1:9", changes=None, folder=None):
        """A doorward with its files, not started yet."""
        directory = self.directory / (folder or name)
        directory.mkdir(parents=True)
        self.keys.write(directory, longer=name == "longer")
        Authority(directory).issue("tls")
        users = [user | {"password_hash": password_hash(user["password"])} for user in self.users]
        for user in users:
            del user["password"]
        users += self.imported if name == "imported" else []
        return Doorward(self.binary, directory, self.settings(name, upstream, changes), users)

    def _start(self, name):
        upstream = Upstream()
        process = self.prepare(name, upstream.url).start()
        if "hs1" not in self.keys.kids:
            self._learn_kid(process)
        return Door(name, process, upstream, self.keys, process.settings, self.publisher)

    def _learn_kid(self, process):
        """The key id of the secret, from a token that was issued under it."""
        if "tls" in process.settings["server"] or process.settings["tokens"]["keys"][0] != self.base["tokens"]["keys"][0]:
            process = self.prepare("standard", folder="kid").start()
            self._learn_kid(process)
            return process.stop()
        token = process.login("alice", "alice-secret")["access_token"]
        self.keys.kids["hs1"] = header_of(token)["kid"]
        return None

    def close(self):
        for door in self.open.values():
            if door.process.process.poll() is None:
                door.process.kill()
            door.upstream.stop()
            door.trap.close()
        self.publisher.stop()


def replace_whole(settings):
    """`policy!` takes the place of `policy`, where laying over it is not enough."""
    if not isinstance(settings, dict):
        return settings
    plain = {name: replace_whole(value) for name, value in settings.items() if not name.endswith("!")}
    return plain | {name[:-1]: value for name, value in settings.items() if name.endswith("!")}


def addressed(settings, publisher):
    """`{{publisher}}` with the address that other issuers have in this run."""
    if isinstance(settings, dict):
        return {name: addressed(value, publisher) for name, value in settings.items()}
    if isinstance(settings, list):
        return [addressed(value, publisher) for value in settings]
    return settings.replace("{{publisher}}", publisher) if isinstance(settings, str) else settings


def header_of(token):
    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def added(host, scheme):
    """What doorward adds to every request that it forwards, less one line or two that a case says itself; `*` is any value."""
    own = ["X-Request-Id: *", "traceparent: *"]
    address = ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"]
    proto, host_line = [f"X-Forwarded-Proto: {scheme}"], [f"X-Forwarded-Host: {host}"]
    lists = {
        "added": own + address + proto + host_line,
        "added-but-host": own + address + proto,
        "added-but-proto": own + address + host_line,
        "added-but-address": own + proto + host_line,
        "added-own": own,
    }
    return {name: "\r\n".join(lines) for name, lines in lists.items()}


def client_context(protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    return context


class Other(Target):
    """Another proxy, that somebody started and configured."""

    def __init__(self, address, upstream, keys, public, api, tokens, **options):
        super().__init__(address, upstream, keys, words=tokens, **options)
        self.public, self.api = public, api

    def doctor(self, text):
        return re.sub(r"/public\b", self.public, re.sub(r"/api\b", self.api, text))
