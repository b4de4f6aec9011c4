"""What takes its time: WebSockets, server-sent events, uploads and downloads. It believes the identity headers.

It prints a line when something has begun or ended, so that a test can wait for it, and `POST /release` lets it go on: nothing
here needs a clock.
"""

import asyncio
import hashlib
import json

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

CHUNK = bytes(range(256)) * 256
permits = asyncio.Semaphore(0)


def say(*words):
    print(*words, flush=True)


async def release(request):
    """`?times=3` for three at once."""
    for _ in range(int(request.query_params.get("times", "1"))):
        permits.release()
    return PlainTextResponse("released")


async def reset(request):
    """Takes back what was released and never asked for."""
    while not permits.locked():
        await permits.acquire()
    return PlainTextResponse("reset")


async def echo(socket):
    """Echoes. `headers` asks for those of the handshake, `close CODE` for an end, `flood` for messages without one."""
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol="chat" if "chat" in offered else None)
    say("websocket open")
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            text, data = message.get("text"), message.get("bytes")
            if text == "headers":
                await socket.send_text(json.dumps([[name.decode("latin-1"), value.decode("latin-1")] for name, value in socket.headers.raw]))
            elif text is not None and text.startswith("close "):
                return await socket.close(int(text.removeprefix("close ")), "as you wish")
            elif text == "flood":
                await flood(socket)
            elif text is not None:
                await socket.send_text(text)
            else:
                await socket.send_bytes(data)
    except WebSocketDisconnect as end:
        say("websocket closed", end.code)


async def flood(socket):
    ended = asyncio.create_task(socket.receive())
    while not ended.done():
        await socket.send_bytes(CHUNK)
        # Sending to who has gone waits for nothing, and nothing else would run again.
        await asyncio.sleep(0)
    raise WebSocketDisconnect(ended.result().get("code"))


async def events(request):
    """`?count=5` events, each when it is released; `?every=1` seconds instead; without `count`, no end."""
    count = int(request.query_params.get("count", "0"))
    every = float(request.query_params.get("every", "0"))

    async def produce():
        number = 0
        try:
            yield b": open\n\n"
            while not count or number < count:
                await (asyncio.sleep(every) if every else permits.acquire())
                yield f"id: {number}\ndata: event {number}\n\n".encode()
                number += 1
        finally:
            say("events ended", number)

    return StreamingResponse(produce(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def upload(request):
    digest, size = hashlib.sha256(), 0
    async for part in request.stream():
        if not size:
            say("upload begun")
        digest.update(part)
        size += len(part)
    return JSONResponse({"size": size, "sha256": digest.hexdigest(), "user": request.headers.get("x-forwarded-user")})


async def download(request):
    """`?chunks=N` of `CHUNK`, each numbered; all but the first wait to be released. `?length=1` announces the size."""
    chunks = int(request.query_params["chunks"])

    async def produce():
        for number in range(chunks):
            if number == 1:
                await permits.acquire()
            yield number.to_bytes(8, "big") + CHUNK[8:]

    headers = {"Content-Length": str(chunks * len(CHUNK))} if "length" in request.query_params else {}
    return StreamingResponse(produce(), media_type="application/octet-stream", headers=headers)


app = Starlette(
    routes=[
        Route("/release", release, methods=["POST"]),
        Route("/reset", reset, methods=["POST"]),
        Route("/events", events),
        Route("/kept/events", events),
        Route("/upload", upload, methods=["POST", "PUT"]),
        Route("/download", download),
        WebSocketRoute("/socket", echo),
        WebSocketRoute("/browser/socket", echo),
        WebSocketRoute("/kept/socket", echo),
    ]
)
