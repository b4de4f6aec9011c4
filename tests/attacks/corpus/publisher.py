"""The other issuers of issuers.yaml: one server that publishes their metadata and keys, well or badly."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from .case import HERE
from .text import fill
from .tokens import jwk

KEYS = {"key", "with", "without", "times"}
ISSUER = {"about", "keys", "metadata", "keys_answer", "metadata_answer"}
ANSWER = {"status", "headers", "before", "body", "after", "gzip", "times", "slowly", "endless", "silent"}


class Publisher:
    """Answers `/NAME/.well-known/openid-configuration` and `/NAME/jwks`."""

    def __init__(self, keys):
        self.keys = keys
        self.issuers = yaml.safe_load((HERE / "issuers.yaml").read_text(encoding="utf-8"))
        for name, told in self.issuers.items():
            answers = [told.get("keys_answer", {}), told.get("metadata_answer", {})]
            unknown = set(told) - ISSUER | {word for answer in answers for word in set(answer) - ANSWER}
            assert not unknown, f"the issuer {name} says {sorted(unknown)}"
        self.stopped = threading.Event()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                publisher.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        _, name, rest = request.path.split("/", 2)
        told = self.issuers.get(name)
        if told and rest == "jwks":
            self._send(request, self.key_set(told), told.get("keys_answer", {}))
        elif told and rest == ".well-known/openid-configuration":
            self._send(request, self._metadata(name, told), told.get("metadata_answer", {}))
        else:
            request.send_error(404)

    def _metadata(self, name, told):
        usual = {"issuer": f"{self.url}/{name}", "jwks_uri": f"{self.url}/{name}/jwks"}
        changed = {member: self._addressed(value) for member, value in told.get("metadata", {}).items()}
        return {member: value for member, value in (usual | changed).items() if value is not None}

    def key_set(self, told):
        return {"keys": [self._key(entry) for entry in told.get("keys", []) for _ in range(entry.get("times", 1))]}

    def _key(self, told):
        assert set(told) <= KEYS, f"a key says {sorted(told)}"
        if "key" not in told:
            return told["with"]
        name = told["key"]
        usual = jwk(self.keys[name].public_key()) | {"kid": name, "use": "sig", "alg": self.keys.algorithm(name)}
        return {member: value for member, value in (usual | told.get("with", {})).items() if member not in told.get("without", [])}

    def _addressed(self, value):
        return value.replace("{{publisher}}", self.url) if isinstance(value, str) else value

    def _send(self, request, document, how):
        if how.get("silent"):
            self.stopped.wait(30)
            return
        text = how["body"].encode() if "body" in how else json.dumps(document).encode()
        body = fill(how.get("before", ""), {}) + text * how.get("times", 1) + fill(how.get("after", ""), {})
        if "gzip" in how:
            body = gzip.compress(b" " * how["gzip"] + body)
        request.send_response(how.get("status", 200))
        for name, value in how.get("headers", {}).items():
            request.send_header(name, self._addressed(value))
        if "Content-Length" not in how.get("headers", {}) and not how.get("endless"):
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        try:
            self._write(request.wfile, body, how)
        except OSError:
            # Who had enough hangs up.
            pass

    def _write(self, stream, body, how):
        if how.get("endless"):
            while not self.stopped.is_set():
                stream.write(b" " * 65536)
        if how.get("slowly"):
            for byte in body:
                stream.write(bytes([byte]))
                stream.flush()
                if self.stopped.wait(how["slowly"]):
                    return
        stream.write(body)
