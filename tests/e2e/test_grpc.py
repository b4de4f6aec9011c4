"""Real gRPC through doorward, over plain HTTP/2 and over TLS: every kind of call, its metadata, its trailers and its status."""

import json
import os
import subprocess
import sys
import threading

import pytest
from sidecar import APPS, DEADLINE, Output

# Processes are started beside a running client; they exec at once, so gRPC need not prepare for the fork.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
import grpc  # noqa: E402

SERVICE = "doorward.test.Greeter"
TALKS = {"Count": "unary_stream", "Add": "stream_unary", "Talk": "stream_stream"}
POLICY = {
    "default": "deny",
    "routes": [
        {"path": f"/{SERVICE}/**", "methods": ["POST"], "scopes": ["me"]},
    ],
}


class Greeter:
    """tests/apps/greeter.py in a process of its own."""

    def __init__(self):
        command = [sys.executable, str(APPS / "greeter.py")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.output = Output(self.process)
        port = self.output.wait_for(lambda line: line.removeprefix("listening on ") if line.startswith("listening") else None)
        self.url = f"http://127.0.0.1:{port}"
        self.read = self.asked = 0

    def calls(self):
        """(method, metadata) of the calls since the last time."""
        # What it prints comes here by another way than what it answers: a call of our own, behind all others, ends the wait.
        self.asked += 1
        mark = ["x-mark", str(self.asked)]
        with grpc.insecure_channel(self.url.removeprefix("http://")) as channel:
            channel.unary_unary(f"/{SERVICE}/Greet")(b"", metadata=[tuple(mark)], timeout=DEADLINE)
        self.output.wait_for(lambda line: json.dumps(mark) in line, self.read)
        lines, self.read = self.output.lines[self.read :], len(self.output.lines)
        calls = [line.split(" ", 2)[1:] for line in lines if line.startswith("call ") and "x-mark" not in line]
        return [(method, json.loads(metadata)) for method, metadata in calls]

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


@pytest.fixture(scope="module")
def greeter():
    greeter = Greeter()
    yield greeter
    greeter.stop()


@pytest.fixture(params=["h2c", "TLS"])
def gate(request, greeter, start, tmp_path):
    """A doorward and a client of it."""
    changes = {"upstream": {"http2": True}, "policy": POLICY}
    options = [("grpc.max_receive_message_length", -1)]
    if request.param == "h2c":
        doorward = start(greeter.url, changes | {"server": {"h2c": True}})
        token = doorward.login()["access_token"]
        channel = grpc.insecure_channel(doorward.public, options)
    else:
        key, certificate = self_signed(tmp_path)
        doorward = start(greeter.url, changes | {"server": {"tls": {"cert_file": str(certificate), "key_file": str(key)}}})
        form = {"username": "johndoe", "password": "secret"}
        answer = doorward.session.post(f"https://{doorward.public}/token", form, verify=str(certificate))
        assert answer.status_code == 200, (answer.headers, answer.content)
        token = answer.json()["access_token"]
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        channel = grpc.secure_channel(doorward.public, credentials, options)
    greeter.calls()
    with channel:
        yield Client(channel, token)


def self_signed(directory):
    """(key, certificate) for doorward.test"""
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=doorward.test", "-addext", "subjectAltName=DNS:doorward.test,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    key.chmod(0o600)
    return key, certificate


class Client:
    """Calls methods of the service, with a token unless told otherwise."""

    def __init__(self, channel, token):
        self.channel, self.token = channel, token

    def method(self, name):
        return getattr(self.channel, TALKS.get(name, "unary_unary"))(f"/{SERVICE}/{name}")

    def metadata(self, *more):
        return (("authorization", f"Bearer {self.token}"), *more)

    def call(self, name, request, *more, token=True):
        metadata = self.metadata(*more) if token else more
        return self.method(name).with_call(request, metadata=metadata, timeout=DEADLINE)


def test_unary(gate, greeter):
    answer, call = gate.call("Greet", b"hello", ("x-own", "value"), ("x-own-bin", b"\x00\xff"), ("x-forwarded-user", "admin"))
    assert answer == b"hello"
    assert dict(call.initial_metadata())["x-first"] == "before"
    assert dict(call.trailing_metadata()) == {"x-last": "after", "x-last-bin": b"\x00\xff"}
    [(method, metadata)] = greeter.calls()
    assert method == "Greet"
    assert [value for key, value in metadata if key == "x-forwarded-user"] == ["johndoe"]
    assert ["x-own", "value"] in metadata and ["x-own-bin", "00ff"] in metadata
    assert [value for key, value in metadata if key == "authorization"] == [f"Bearer {gate.token}"]


def test_server_streaming(gate, greeter):
    messages = gate.method("Count")(b"100", metadata=gate.metadata(), timeout=DEADLINE)
    assert next(messages) == b"0", "the first comes although the second is not made yet"
    gate.call("Release", b"")
    assert [int(message) for message in messages] == list(range(1, 100))
    assert dict(messages.trailing_metadata())["x-last"] == "counted"
    assert messages.code() == grpc.StatusCode.OK


def test_client_streaming(gate):
    parts = [b"x" * size for size in (0, 1, 65536, 1_000_000)] * 10
    answer, call = gate.call("Add", iter(parts))
    assert int(answer) == sum(map(len, parts))
    assert call.code() == grpc.StatusCode.OK


def test_both_stream(gate):
    """Each message is sent only when the one before came back."""
    turn = threading.Semaphore(1)
    sent = [str(number).encode() * 1000 for number in range(200)]

    def messages():
        for message in sent:
            turn.acquire()
            yield message

    received = []
    for message in gate.method("Talk")(messages(), metadata=gate.metadata(), timeout=DEADLINE):
        received.append(message)
        turn.release()
    assert received == sent


def test_big_messages(gate):
    """More than any window of flow control."""
    message = bytes(range(256)) * (3 << 12)
    answer, _ = gate.call("Greet", message)
    assert answer == message


def test_many_calls_at_once(gate):
    calls = [gate.method("Greet").future(str(n).encode(), metadata=gate.metadata(), timeout=DEADLINE) for n in range(100)]
    assert [call.result() for call in calls] == [str(n).encode() for n in range(100)]


def refused(gate, *arguments, **options):
    with pytest.raises(grpc.RpcError) as refusal:
        gate.call(*arguments, **options)
    return refusal.value


def test_the_servers_own_error(gate):
    error = refused(gate, "Fail", b"")
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "no luck today: 100 % é")
    assert dict(error.trailing_metadata())["x-last"] == "failed"
    with pytest.raises(grpc.RpcError) as refusal:
        gate.channel.unary_unary(f"/{SERVICE}/Missing")(b"", metadata=gate.metadata(), timeout=DEADLINE)
    assert refusal.value.code() == grpc.StatusCode.UNIMPLEMENTED, "its answer has no body, and its status in the head"


def test_refused(gate, greeter):
    for token in (None, "nonsense", gate.token[:-4] + "AAAA"):
        credential = [("authorization", f"Bearer {token}")] if token else []
        assert refused(gate, "Greet", b"", *credential, token=False).code() == grpc.StatusCode.UNAUTHENTICATED, token
    with pytest.raises(grpc.RpcError) as refusal:
        gate.channel.unary_unary("/doorward.test.Other/Method")(b"", metadata=gate.metadata(), timeout=DEADLINE)
    assert refusal.value.code() == grpc.StatusCode.PERMISSION_DENIED
    gate.call("Greet", b"the only one")
    assert [method for method, _ in greeter.calls()] == ["Greet"]


def test_giving_up_reaches_the_server(gate, greeter):
    mark = len(greeter.output.lines)
    call = gate.method("Hang").future(b"", metadata=gate.metadata(), timeout=DEADLINE)
    greeter.output.wait_for(lambda line: line.startswith("call Hang"), mark)
    call.cancel()
    greeter.output.wait_for(lambda line: line == "gone Hang", mark)
    answer, _ = gate.call("Greet", b"and the next is served")
    assert answer == b"and the next is served"


def test_http_1_on_the_same_port(greeter, start):
    doorward = start(greeter.url, {"upstream": {"http2": True}, "policy": POLICY, "server": {"h2c": True}})
    assert doorward.call(f"/{SERVICE}/Greet", method="POST").status_code == 401
    assert doorward.login()["token_type"] == "bearer"
