"""An application that checks tokens itself, as FastAPI's tutorial does, with PyJWT."""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer
from passlib.hash import argon2
from tokens import AUDIENCE, ISSUER

ALGORITHM = os.environ["BENCH_ALGORITHM"]
KEY = os.environ["BENCH_KEY"]
# Read once: of a text PyJWT would make a key for each token.
KEY = KEY if ALGORITHM == "HS256" else jwt.get_algorithm_by_name(ALGORITHM).prepare_key(Path(KEY).read_text())
REQUIRED = ["exp", "iss", "aud", "sub"]

app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="token")


def user(token: Annotated[str, Depends(bearer)]):
    try:
        claims = jwt.decode(token, KEY, [ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options={"require": REQUIRED})
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "Could not validate credentials", {"WWW-Authenticate": "Bearer"}) from error
    if "items" not in claims.get("scope", "").split():
        raise HTTPException(403, "Not enough permissions")
    return claims


@app.api_route("/items/{path:path}", methods=["GET", "POST"])
def items(path: str, claims: Annotated[dict, Depends(user)]):
    return {"path": path, "owner": claims["sub"], "padding": "x" * 90}


HASH = argon2.using(memory_cost=8, rounds=1, parallelism=1).hash("secret")


@app.post("/token")
async def token(request: Request):
    form = parse_qs((await request.body()).decode())
    if not argon2.verify(form["password"][0], HASH):
        raise HTTPException(400, "Incorrect username or password")
    claims = {"sub": form["username"][0], "iss": ISSUER, "aud": AUDIENCE}
    return {"access_token": jwt.encode(claims, "x" * 32), "token_type": "bearer"}
