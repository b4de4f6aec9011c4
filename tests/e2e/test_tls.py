"""TLS towards clients: versions, HTTP/2, client certificates, and files that are replaced under open connections."""

import os
import socket
import ssl
import stat
import threading

import httpx
import pytest
from certificates import Authority, client_context, write_private
from scripted import Scripted, good
from sidecar import merge, replace, until
from test_reload import reloaded
from wire import Connection, request

VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def upstream():
    with Scripted(good) as scripted:
        yield scripted


def serves(issued, client_ca=None, **server):
    tls = issued.files() | ({"client_ca_file": str(client_ca.file)} if client_ca else {})
    return {"server": {"tls": tls} | server}


class Secure(Connection):
    """A connection with TLS to a listener of doorward's."""

    def __init__(self, address, context, session=None):
        super().__init__(address)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost", session=session)

    def get(self, target="/public/a"):
        return self.exchange(request(target))


def shown(address, context):
    """The certificate that a new handshake is shown, in DER."""
    with Secure(address, context) as connection:
        return connection.socket.getpeercert(binary_form=True)


def refused(address, context, session=None):
    """Whether nothing is answered there. In TLS 1.3 a client learns that its certificate was refused when it reads."""
    try:
        with Secure(address, context, session) as connection:
            return connection.get().status is None
    except OSError:
        return True


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("alpn", [["http/1.1"], None])
def test_http1(alpn, version, authority, upstream, start):
    doorward = start(upstream.url, serves(authority.issue("door")))
    with Secure(doorward.public, client_context(authority, alpn=alpn, version=version)) as connection:
        assert connection.socket.selected_alpn_protocol() == (alpn and alpn[0])
        assert [connection.get(f"/public/{i}").body for i in range(3)] == [b"/public/0", b"/public/1", b"/public/2"]
    assert upstream.received[0].header(b"x-forwarded-proto") == b"https"


def test_http2_is_preferred(authority, upstream, start):
    doorward = start(upstream.url, serves(authority.issue("door")))
    context = client_context(authority)
    with httpx.Client(http2=True, verify=context, trust_env=False, base_url=f"https://{doorward.public}") as client:
        answers = [client.get(f"/public/{i}") for i in range(3)] + [client.post("/public/3", content=b"x" * 100_000)]
        token = client.post("/token", data={"username": "johndoe", "password": "secret"}).json()["access_token"]
        unauthorised = client.get("/users/me")
        authorised = client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    assert [(answer.http_version, answer.text) for answer in answers] == [("HTTP/2", f"/public/{i}") for i in range(4)]
    assert (unauthorised.status_code, authorised.status_code) == (401, 200)
    assert len(upstream.received[3].body) >= 100_000
    assert upstream.received[0].header(b"x-forwarded-proto") == b"https"


def test_what_is_not_tls_gets_nothing(authority, upstream, start):
    doorward = start(upstream.url, serves(authority.issue("door")))
    with Connection(doorward.public) as connection:
        connection.send(request("/public/a"))
        try:
            answer = connection.socket.recv(65536)
        except ConnectionResetError:
            answer = b""
        assert b"HTTP" not in answer, "at most an alert"
    assert upstream.received == []
    assert not refused(doorward.public, client_context(authority))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_get_an_alert(version, authority, upstream, start):
    doorward = start(upstream.url, serves(authority.issue("door")))
    context = client_context(authority)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    with Connection(doorward.public) as connection:
        connection.send(outgoing.read())
        assert connection.socket.recv(1) == b"\x15"


def test_a_hello_in_pieces(authority, upstream, start):
    """D05: however it is cut, the handshake is the same."""
    doorward = start(upstream.url, serves(authority.issue("door")))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with Connection(doorward.public) as connection:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    connection.send(bytes([byte]))
                incoming.write(connection.socket.recv(65536))
        assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"], ids=["nothing", "half a hello"])
def test_a_handshake_that_stands_still_is_ended(sent, authority, upstream, start):
    doorward = start(upstream.url, serves(authority.issue("door"), limits={"header_timeout": "1s"}))
    with Connection(doorward.public, timeout=15) as connection:
        connection.send(sent)
        assert connection.socket.recv(1) == b""
    assert not refused(doorward.public, client_context(authority))


def test_new_handshakes_see_a_new_certificate(authority, upstream, start):
    """The files are noticed by themselves; whoever is connected stays."""
    door = authority.issue("door")
    doorward = start(upstream.url, serves(door))
    context = client_context(authority)
    with Secure(doorward.public, context) as connection:
        assert connection.get().status == 200
        assert shown(doorward.public, context) == door.der
        newer = authority.issue("newer")
        # The certificate alone first, as renewals do it: a pair that does not match is refused, loudly, and the old one stays.
        replace(door.cert, newer.cert_pem.decode())
        until(lambda: doorward.metric("doorward_config_last_reload_successful") == 0, what="the refusal")
        assert shown(doorward.public, context) == door.der
        assert "key" in doorward.probe("/readyz?verbose").text
        assert doorward.probe("/readyz").status_code == 200
        write_private(door.key, newer.key_pem)
        until(lambda: shown(doorward.public, context) == newer.der, what="the new certificate")
        assert doorward.metric("doorward_config_last_reload_successful") == 1
        assert connection.get("/public/b").status == 200, "the connection of before"
        assert connection.socket.getpeercert(binary_form=True) == door.der


@pytest.mark.parametrize("broken", ["empty", "junk", "gone", "another CA's key"])
def test_a_broken_file_changes_nothing(broken, authority, upstream, start):
    door = authority.issue("door")
    doorward = start(upstream.url, serves(door))
    context = client_context(authority)
    if broken == "gone":
        door.key.unlink()
    else:
        write_private(door.key, {"empty": b"", "junk": b"junk", "another CA's key": authority.issue("other").key_pem}[broken])
    start_line = len(doorward.output.lines)
    assert reloaded(doorward) == "refused"
    doorward.output.wait_for(lambda line: "server.tls.key_file" in line, start_line)
    assert shown(doorward.public, context) == door.der
    secret = door.key_pem.decode().splitlines()[1]
    assert secret not in doorward.output.text


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_resumed_until_the_certificate_changes(version, authority, upstream, start):
    door = authority.issue("door")
    doorward = start(upstream.url, serves(door))
    context = client_context(authority, version=version)
    with Secure(doorward.public, context) as connection:
        assert connection.get().status == 200
        session = connection.socket.session
    with Secure(doorward.public, context, session) as connection:
        assert connection.get().status == 200 and connection.socket.session_reused
    newer = authority.issue("newer")
    replace(door.cert, newer.cert_pem.decode())
    write_private(door.key, newer.key_pem)
    assert reloaded(doorward) == "ok"
    with Secure(doorward.public, context, session) as connection:
        assert connection.get().status == 200 and not connection.socket.session_reused


@pytest.mark.parametrize("version", VERSIONS)
def test_with_a_client_ca_nobody_gets_in_without_its_certificate(version, authority, upstream, start, tmp_path):
    clients, others = Authority(tmp_path, "clients"), Authority(tmp_path, "others")
    doorward = start(upstream.url, serves(authority.issue("door"), client_ca=clients))
    identities = {
        "none": None,
        "another CA's": others.issue("stranger"),
        "self-signed": clients.issue("own", self_signed=True),
        "expired": clients.issue("late", expired=True),
    }
    for what, identity in identities.items():
        assert refused(doorward.public, client_context(authority, identity, version=version)), what
    assert upstream.received == []
    good_one = client_context(authority, clients.issue("friend"), version=version)
    with Secure(doorward.public, good_one) as connection:
        assert connection.get().status == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_client_ca_holds_at_once_and_for_resumed_sessions(version, authority, upstream, start, tmp_path):
    clients, others = Authority(tmp_path, "clients"), Authority(tmp_path, "others")
    doorward = start(upstream.url, serves(authority.issue("door"), client_ca=clients))
    before = client_context(authority, clients.issue("friend"), version=version)
    after = client_context(authority, others.issue("other"), version=version)
    with Secure(doorward.public, before) as connection:
        assert connection.get().status == 200
        session = connection.socket.session
        replace(clients.file, others.file.read_text())
        assert reloaded(doorward) == "ok"
        assert refused(doorward.public, before)
        assert refused(doorward.public, before, session)
        assert not refused(doorward.public, after)
        assert connection.get("/public/b").status == 200, "whoever is in stays in"


def test_one_more_client_ca_leaves_the_rest_as_it_is(authority, upstream, start, tmp_path):
    clients, others = Authority(tmp_path, "clients"), Authority(tmp_path, "others")
    doorward = start(upstream.url, serves(authority.issue("door"), client_ca=clients))
    contexts = [client_context(authority, one.issue("one")) for one in (clients, others)]
    assert [refused(doorward.public, context) for context in contexts] == [False, True]
    replace(clients.file, clients.file.read_text() + others.file.read_text())
    assert reloaded(doorward) == "ok"
    assert [refused(doorward.public, context) for context in contexts] == [False, False]


def test_tls_needs_a_restart_to_come_or_go(authority, upstream, start):
    doorward = start(upstream.url)
    doorward.write(merge(doorward.settings, serves(authority.issue("door"))))
    start_line = len(doorward.output.lines)
    assert reloaded(doorward) == "ok"
    doorward.output.wait_for(lambda line: "restart" in line and "server.tls" in line, start_line)
    assert doorward.call("/public/a").status_code == 200
    assert upstream.received[-1].header(b"x-forwarded-proto") == b"http", "as it is, not as it is written"


def test_certificates_are_replaced_under_load(authority, upstream, start):
    """Not one request fails while they change."""
    pairs = [authority.issue(name) for name in ("first", "second")]
    door = authority.issue("door")
    doorward = start(upstream.url, serves(door))
    context = client_context(authority)
    stop, failures, served = threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                with Secure(doorward.public, context) as connection:
                    served.append(connection.get().status)
            except OSError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(10):
        pair = pairs[i % 2]
        replace(door.cert, pair.cert_pem.decode())
        write_private(door.key, pair.key_pem)
        reloaded(doorward)
        until(lambda: shown(doorward.public, context) == pair.der, what="the certificate")  # noqa: B023
    stop.set()
    for thread in threads:
        thread.join(20)
    assert failures == [] and set(served) == {200}


@pytest.mark.parametrize(("mode", "bits"), [(None, 0o660), ("0600", 0o600), ("0666", 0o666)])
def test_unix_sockets_have_a_mode_and_no_tls(mode, bits, authority, upstream, start, tmp_path):
    path = tmp_path / "door.sock"
    server = {"listen": ["127.0.0.1:0", f"unix:{path}"]} | ({"socket_mode": mode} if mode else {})
    start(upstream.url, serves(authority.issue("door"), **server))
    assert stat.S_IMODE(os.stat(path).st_mode) == bits
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(15)
        plain.connect(str(path))
        plain.sendall(request("/public/a", "GET", b"", "Connection: close"))
        received = b""
        while chunk := plain.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200 ") and received.endswith(b"/public/a")
