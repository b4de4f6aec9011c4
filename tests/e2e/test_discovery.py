"""What real clients find out by themselves about doorward: where tokens are given, by whom, and with which keys."""

import re
import subprocess
from urllib.parse import parse_qs, urlsplit

import jwt
import node
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from conftest import free_port
from sidecar import DEADLINE, Output

# One key, generated at the first start: the only kind that others can check.
GENERATED = {"keys": []}


@pytest.fixture
def discoverable(shop, start):
    """A doorward that clients find under the name of its issuer; the name's path is given."""

    def make(path=""):
        listen = f"127.0.0.1:{free_port()}"
        changes = {
            "server": {"listen": listen, "public_url": f"http://{listen}"},
            "tokens": {"issuer": f"http://{listen}{path}", **GENERATED},
        }
        return start(shop.url, changes)

    return make
