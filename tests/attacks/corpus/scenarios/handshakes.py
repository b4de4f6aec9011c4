"""TLS handshakes."""

import re
import socket
import ssl
import subprocess


def hello_in_pieces(target, attempt):
    """A handshake whose every byte is a write of its own."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)
    raw = socket.create_connection(target.address, timeout=8)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def push():
        for byte in outgoing.read():
            raw.sendall(bytes([byte]))

    with raw:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                push()
                data = raw.recv(65536)
                assert data, "the handshake was ended"
                incoming.write(data)
        push()
        tls.write(f"GET /public/x HTTP/1.1\r\nHost: {target.words['host']}\r\nConnection: close\r\n\r\n".encode())
        push()
        answer = b""
        while b"answer to /public/x" not in answer:
            try:
                answer += tls.read()
            except ssl.SSLWantReadError:
                data = raw.recv(65536)
                assert data, f"no answer but {answer!r}"
                incoming.write(data)
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]


def no_early_data(target, attempt):
    """The tickets of the server take no data before the handshake is over: a request could be sent again from there."""
    command = ["openssl", "s_client", "-connect", f"{target.address[0]}:{target.address[1]}", "-tls1_3", "-ign_eof"]
    request = f"GET /public/x HTTP/1.1\r\nHost: {target.words['host']}\r\nConnection: close\r\n\r\n"
    said = subprocess.run(command, input=request.encode(), capture_output=True, timeout=20, check=False).stdout.decode("latin-1")
    assert "answer to /public/x" in said, f"no answer: {said[-300:]}"
    taken = [int(number) for number in re.findall(r"Max Early Data: (\d+)", said)]
    attempt.verdict.expected, attempt.verdict.got = "0 bytes", f"{taken}"
    if any(taken):
        attempt.verdict.find("hole", f"the server would take {max(taken)} bytes of early data")
    return ["GET /public/x HTTP/1.1\nHost: {{host}}\n{{added}}\n"]
