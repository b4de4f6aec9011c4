"""The recording application as ASGI, routed by Starlette as FastAPI's are."""

from recorder import METHODS, ROUTES, Reached, write
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


class Recorder:
    """Reads the whole body first, and writes its line when the answer starts: then the routing is over."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)

        async def replay():
            return {"type": "http.request", "body": body, "more_body": False}

        async def recording(message):
            if message["type"] == "http.response.start":
                self.record(scope, body)
            await send(message)

        await self.app(scope, replay, recording)

    def record(self, scope, body):
        query = scope["query_string"].decode("latin-1")
        write(
            scope.get("recorder.reached", Reached()),
            scope["method"],
            scope["raw_path"].decode("latin-1") + ("?" + query if query else ""),
            [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
            body,
            scope["client"][0] if scope["client"] else None,
        )


def endpoint(label):
    async def reached(request):
        request.scope["recorder.reached"] = Reached(label, request.method)
        return JSONResponse({"route": label})

    return reached


routes = [Route(path.replace("{rest*}", "{rest:path}"), endpoint(label), methods=METHODS) for label, path in ROUTES]
app = Recorder(Starlette(routes=routes))
