"""A shop without authentication of its own: it believes the identity header, and its OpenAPI says what each operation wants.

`/hold` answers only after a `POST /release`, so that a test can keep requests in flight for as long as it likes.
"""

import asyncio

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from record import Record

app = FastAPI(title="Shop")

USERS = {
    "johndoe": {"username": "johndoe", "full_name": "John Doe"},
    "siobhan": {"username": "siobhan", "full_name": "Siobhan Byrne"},
    "erin": {"username": "erin", "full_name": "Erin Okafor"},
}
ITEMS = {"plumbus": {"name": "Plumbus", "price": 3}, "a/b": {"name": "Slashed", "price": 5}, "é b": {"name": "Accent", "price": 7}}


class Item(BaseModel):
    name: str
    price: int


class Gate:
    """Requests that wait, and the event that lets them go."""

    def __init__(self):
        self.waiting = 0
        self.open = asyncio.Event()


gate = Gate()


def needs(*scopes):
    return {"security": [{"oauth": list(scopes)}]}


def caller(request: Request):
    user = USERS.get(request.headers.get("x-forwarded-user"))
    if user is None:
        raise HTTPException(418, "nobody vouched for this caller")
    return user


@app.get("/users/me", openapi_extra=needs("me"))
async def read_me(request: Request):
    return caller(request) | {"email": request.headers.get("x-forwarded-email")}


@app.get("/items", openapi_extra=needs("items"))
async def list_items():
    return list(ITEMS)


@app.get("/items/{item_id}", openapi_extra=needs("items"))
async def read_item(item_id: str, request: Request):
    if item_id not in ITEMS:
        raise HTTPException(404, "no such item")
    return ITEMS[item_id] | {"owner": caller(request)["username"], "query": request.url.query}


@app.post("/items", status_code=201, openapi_extra=needs("items", "items:write"))
async def create_item(item: Item):
    ITEMS[item.name.lower()] = item.model_dump()
    return item


@app.post("/echo", openapi_extra=needs())
async def echo(request: Request):
    return Response(await request.body(), media_type=request.headers.get("content-type"))


@app.get("/own-refusal", openapi_extra=needs())
async def own_refusal():
    raise HTTPException(401, "the shop itself says no", {"WWW-Authenticate": 'Shop realm="till"'})


@app.get("/public/news")
async def news(request: Request):
    return {"news": "open at nine", "user": request.headers.get("x-forwarded-user")}


@app.get("/optional/news")
async def optional_news(request: Request):
    return {"news": "open at nine", "user": request.headers.get("x-forwarded-user")}


@app.get("/hold")
async def hold():
    gate.waiting += 1
    try:
        await gate.open.wait()
    finally:
        gate.waiting -= 1
    return {"held": True}


@app.get("/held")
async def held():
    return gate.waiting


@app.post("/release")
async def release():
    gate.open.set()
    gate.open = asyncio.Event()
    return {"released": True}


def document():
    """FastAPI emits security only for its own dependencies; this application has none, so it says so by hand."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        flow = {"tokenUrl": "/token", "scopes": {"me": "who you are", "items": "the stock", "items:write": "change the stock"}}
        schema["components"]["securitySchemes"] = {"oauth": {"type": "oauth2", "flows": {"password": flow}}}
        app.openapi_schema = schema
    return app.openapi_schema


app.openapi = document
app.add_middleware(Record)
