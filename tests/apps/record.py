"""What a test application saw: one JSON line for every request that reached it, written before it answers."""

import json
import os
from pathlib import Path


class Record:
    """ASGI middleware. Paths, queries and header values are kept byte for byte (as latin-1), in the order they came."""

    def __init__(self, app):
        self.app = app
        self.path = Path(os.environ["APP_RECORD"])

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.write(scope)
        await self.app(scope, receive, send)

    def write(self, scope):
        line = {
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        }
        with self.path.open("a", encoding="utf-8") as record:
            record.write(json.dumps(line) + "\n")
