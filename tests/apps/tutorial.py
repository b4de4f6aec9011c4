"""The FastAPI tutorial's application with its own token check: `OAuth2PasswordBearer`, PyJWT, a shared `SECRET_KEY`."""

import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from record import Record

SECRET_KEY = os.environ["SECRET_KEY"]
ALGORITHM = "HS256"

fake_users_db = {"johndoe": {"username": "johndoe", "full_name": "John Doe", "disabled": False}}

app = FastAPI()
app.add_middleware(Record)
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")


def get_user(username: str):
    return fake_users_db.get(username)


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)]):
    refusal = HTTPException(status.HTTP_401_UNAUTHORIZED, "Could not validate credentials", {"WWW-Authenticate": "Bearer"})
    try:
        payload = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])
    except jwt.InvalidTokenError:
        raise refusal from None
    user = get_user(payload["sub"])
    if user is None:
        raise refusal
    return user


@app.get("/users/me/")
async def read_users_me(current_user: Annotated[dict, Depends(get_current_user)]):
    return current_user
