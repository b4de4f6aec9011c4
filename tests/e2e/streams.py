"""What the tests of streams share: the application, the policy before it, and how much of everything there is.

`SOAK=1` asks for the long forms: the sizes and counts that the short ones stand for.
"""

import os
import threading

import jwt

SOAK = os.environ.get("SOAK") == "1"
POLICY = {
    "default": "deny",
    "routes": [
        {"path": "/release", "access": "public"},
        {"path": "/reset", "access": "public"},
        {"path": "/events", "scopes": ["me"]},
        {"path": "/upload", "scopes": ["me"]},
        {"path": "/download", "scopes": ["me"]},
        {"path": "/socket", "scopes": ["me"]},
        {"path": "/browser/**", "scopes": ["me"], "websocket_bearer": True},
        {"path": "/kept/**", "scopes": ["me"], "streams": "keep"},
    ],
}
# Tokens that expire while a test watches.
SHORT = {"tokens": {"access_ttl": "3s", "leeway": "0s"}}
# `policy.streams: end` says a second; the rest is for a machine that is busy with other tests.
ENDS_WITHIN = 1.5


class Memory(threading.Thread):
    """Samples the resident memory of a process until it is asked for the largest."""

    def __init__(self, doorward):
        super().__init__(daemon=True)
        self.doorward = doorward
        self.before = self.largest = doorward.resident_bytes()
        self.over = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(0.02):
            self.largest = max(self.largest, self.doorward.resident_bytes())

    @property
    def growth(self):
        return max(self.largest, self.doorward.resident_bytes()) - self.before


def expiry(token):
    """When `token` expires, in seconds of `time.time`."""
    return jwt.decode(token, options={"verify_signature": False})["exp"]
