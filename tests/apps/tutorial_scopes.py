"""The FastAPI tutorial's application with scopes and its own token check: `SecurityScopes`, and 401 for a token that lacks one."""

import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException, Security, status
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from record import Record

app = FastAPI()
app.add_middleware(Record)
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token", scopes={"me": "Read about the current user.", "items": "Read items."})


async def get_current_user(security_scopes: SecurityScopes, token: Annotated[str, Depends(oauth2_scheme)]):
    challenge = f'Bearer scope="{security_scopes.scope_str}"' if security_scopes.scopes else "Bearer"
    headers = {"WWW-Authenticate": challenge}
    try:
        payload = jwt.decode(token, os.environ["SECRET_KEY"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Could not validate credentials", headers) from None
    granted = payload.get("scope", "").split(" ")
    if any(scope not in granted for scope in security_scopes.scopes):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Not enough permissions", headers)
    return {"username": payload["sub"]}


@app.get("/users/me")
async def read_users_me(current_user: Annotated[dict, Security(get_current_user, scopes=["me", "items"])]):
    return current_user


@app.get("/status/")
async def read_system_status(current_user: Annotated[dict, Depends(get_current_user)]):
    return {"status": "ok"}
