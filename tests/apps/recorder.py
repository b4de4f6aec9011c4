"""What the recording applications have in common: one set of routes for every framework, and one form of the record.

The routes are named as the policy of tests/e2e/test_real_upstreams.py writes them, so that what an application reached can be
held against what doorward decided about. `record.py` is for applications that have work of their own; these only record.
"""

import base64
import json
import os
from pathlib import Path

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Label and path; {x} is one segment, {x*} any number.
ROUTES = [
    ("/admin/**", "/admin"),
    ("/admin/**", "/admin/stats"),
    ("/admin/**", "/admin/{rest*}"),
    ("/public/**", "/public/{rest*}"),
    ("/optional/**", "/optional/{rest*}"),
    ("/users/{user}", "/users/{user}"),
    ("/items", "/items"),
    ("/files/**", "/files/{rest*}"),
]


class Reached:
    """What the framework made of a request, told by the endpoint it routed to."""

    def __init__(self, route=None, method=None):
        self.route, self.method = route, method


def write(reached, method, target, headers, body, client):
    """Appends a line to the file that `APP_RECORD` names. `headers` as the application sees them, bytes as latin-1."""
    line = {
        "route": reached.route,
        "method": method,
        "framework_method": reached.method,
        "target": target,
        "headers": headers,
        "body": base64.b64encode(body).decode(),
        "client": client,
    }
    with Path(os.environ["APP_RECORD"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps(line) + "\n")


class WsgiRecorder:
    """WSGI middleware. The endpoint puts its `Reached` into the environ as `recorder.reached`."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        answer = list(self.app(environ, start_response))
        headers = [[key, value] for key, value in environ.items() if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")]
        write(
            environ.get("recorder.reached", Reached()),
            environ["REQUEST_METHOD"],
            environ["RAW_URI"],
            headers,
            body,
            environ.get("REMOTE_ADDR"),
        )
        return answer
