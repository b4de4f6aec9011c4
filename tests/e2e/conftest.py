"""Fixtures of the end-to-end suite: the real binary, real applications, real clients.

The binary is the one `DOORWARD_BIN` names, else `debug/doorward` in Cargo's target directory.
"""

import os
import uuid
from pathlib import Path

import pytest
from fleet import Fleet
from redis_deployments import DEPLOYMENTS
from redis_server import Redis
from sidecar import Application, Doorward, merge, password_hash

# The clients refuse plain http unless told that this is a test; no proxy may stand between.
os.environ |= {"AUTHLIB_INSECURE_TRANSPORT": "1", "OAUTHLIB_INSECURE_TRANSPORT": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

ISSUER = "https://auth.example.test"
SHARED_SECRET = "a secret that the tutorial application knows too"
REPLICAS = ("one", "two", "three")
# A test that is the same with one instance and its own store as with several that share one.
EVERYWHERE = pytest.mark.parametrize("deployment", ["embedded", *DEPLOYMENTS], indirect=True)
SERVER_KEY = "keys the tags of refresh tokens, in these tests alone"


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:passlib")


@pytest.fixture(scope="session")
def binary():
    target = os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[2] / "target")
    path = Path(os.environ.get("DOORWARD_BIN", Path(target) / "debug" / "doorward")).resolve()
    if not path.is_file():
        pytest.exit(f"{path} is not there: build it, or name it in DOORWARD_BIN", returncode=2)
    return path


@pytest.fixture
def redis():
    """A server of the test's own."""
    server = Redis().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def applications(tmp_path_factory):
    """Starts applications on demand, once each, for the whole run."""
    directory = tmp_path_factory.mktemp("applications")
    running = {}

    def start(module):
        if module not in running:
            running[module] = Application(module, directory, {"SECRET_KEY": SHARED_SECRET})
        running[module].forget()
        return running[module]

    yield start
    for application in running.values():
        application.stop()


@pytest.fixture
def shop(applications):
    """The application without authentication of its own; its record is empty at the start of each test."""
    return applications("shop")


@pytest.fixture
def prepare(binary, tmp_path):
    """Makes a doorward that is not started yet; what a test leaves running is stopped, and must then exit with 0."""
    made = []

    def make(upstream, changes=None, users=None, name="doorward"):
        directory = tmp_path / name
        directory.mkdir()
        settings = merge(settings_for(upstream), changes or {})
        doorward = Doorward(binary, directory, settings, people() if users is None else users)
        made.append(doorward)
        return doorward

    yield make
    running = [doorward for doorward in made if doorward.process and doorward.process.poll() is None]
    try:
        for doorward in running:
            doorward.stop()
    finally:
        for doorward in running:
            if doorward.process.poll() is None:
                doorward.kill()


@pytest.fixture
def start(prepare):
    """Makes a doorward and starts it."""
    return lambda *arguments, **options: prepare(*arguments, **options).start()


@pytest.fixture(scope="session")
def deployments():
    """Starts servers that replicas share on demand, once each, for the whole run."""
    running = {}

    def start(name):
        if name not in running:
            running[name] = DEPLOYMENTS[name]()
            running[name].start()
        return running[name]

    yield start
    for deployment in running.values():
        deployment.stop()


@pytest.fixture(params=DEPLOYMENTS)
def deployment(request, deployments):
    """Well, whatever the test before did to it; None for the parameter `embedded`."""
    if request.param == "embedded":
        return None
    found = deployments(request.param)
    found.settle()
    return found


@pytest.fixture
def fleet(prepare, deployment):
    """Starts three doorwards on one store with keys of their own in it; or one with a store of its own."""

    def start(upstream, changes=None, users=None):
        store = {"store": deployment.store(f"{uuid.uuid4()}:")} if deployment else {}
        names = REPLICAS if deployment else REPLICAS[:1]
        return Fleet([prepare(upstream, merge(changes or {}, store), users, name=name) for name in names]).start()

    return start


def settings_for(upstream):
    """What every test starts from; stopping takes no lame duck, since nothing watches the probes."""
    return {
        "server": {"listen": "127.0.0.1:0", "shutdown": {"lame_duck": "0s", "drain": "5s"}},
        "admin": {"listen": "127.0.0.1:0"},
        "server_keys": [SERVER_KEY],
        "data_dir": "data",
        "upstream": {"url": upstream},
        "tokens": {"issuer": ISSUER, "keys": [{"algorithm": "HS256", "secret": SHARED_SECRET}]},
        "users": {"file": "users.yaml"},
        "policy": {
            "routes": [
                {"path": "/docs", "access": "public"},
                {"path": "/openapi.json", "access": "public"},
                {"path": "/users/me", "scopes": ["me"]},
                {"path": "/items", "methods": ["GET"], "scopes": ["items"]},
                {"path": "/items", "methods": ["POST"], "scopes": ["items", "items:write"]},
                {"path": "/items/{item_id}", "methods": ["GET"], "scopes": ["items"]},
                {"path": "/admin/**", "any_scope": ["admin", "ops"]},
                {"path": "/public/**", "access": "public"},
                {"path": "/optional/**", "access": "optional"},
                {"path": "/closed/**", "access": "deny"},
            ]
        },
    }


def people():
    """The users file: johndoe may do most, siobhan has a password full of what forms escape, erin may see items only, alice is disabled."""
    return [
        {
            "username": "johndoe",
            "password_hash": password_hash("secret"),
            "email": "johndoe@example.com",
            "full_name": "John Doe",
            "scopes": ["me", "items", "items:write"],
            "roles": ["staff", "a,b"],
        },
        {"username": "siobhan", "password_hash": password_hash("se cret&+é"), "scopes": ["me", "items"]},
        {"username": "erin", "password_hash": password_hash("secret"), "scopes": ["items"]},
        {"username": "alice", "password_hash": password_hash("secret"), "scopes": ["me", "items"], "disabled": True},
    ]
