"""The peers: for each, its files, its command, and what it can do. Each checks signature, `iss`, `aud`, `exp` and one scope."""

import json
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from argon2 import PasswordHasher
from tokens import AUDIENCE, ISSUER, SECRET, SUBJECT

HERE = Path(__file__).parent


@dataclass
class Setting:
    """What a peer is started for. Modes that differ in the request alone share one."""

    mode: object
    issuer: object  # of the mode's algorithm, or None
    directory: Path
    port: int
    upstream: int
    binaries: dict
    extra: dict = field(default_factory=dict)

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.touch(mode)
        path.write_text(text)
        return path


def floor(setting):
    return [setting.binaries["floor"], f"127.0.0.1:{setting.port}", f"127.0.0.1:{setting.upstream}"]


def stock(setting):
    return [setting.binaries["stock"], f"127.0.0.1:{setting.port}", f"127.0.0.1:{setting.upstream}"]


def nginx(setting):
    return nginx_with(
        setting,
        f"""upstream app {{ server 127.0.0.1:{setting.upstream}; keepalive 128; }}
        server {{ listen 127.0.0.1:{setting.port}; location / {{
          proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}""",
    )


def nginx_with(setting, servers):
    directory = setting.directory
    path = setting.write(
        "nginx.conf",
        f"""daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/error.log;
        events {{ worker_connections 4096; }}
        http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {directory}/body;
          proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
          scgi_temp_path {directory}/scgi; {servers} }}""",
    )
    return ["nginx", "-c", path, "-p", directory]


def haproxy(setting):
    checks = ""
    if setting.issuer:
        algorithm = setting.issuer.algorithm
        key = SECRET if algorithm == "HS256" else setting.issuer.public
        variables = {"alg": "jwt_header_query('$.alg')"} | {
            name: f"jwt_payload_query('$.{name}'{kind})" for name, kind in [("iss", ""), ("aud", ""), ("exp", ",'int'"), ("scope", "")]
        }
        checks = "\n".join(
            [
                "  http-request deny deny_status 401 unless { req.hdr(authorization) -m found }",
                *(f"  http-request set-var(txn.{name}) http_auth_bearer,{query}" for name, query in variables.items()),
                "  http-request set-var(txn.now) date()",
                f"  http-request deny deny_status 401 unless {{ var(txn.alg) -m str {algorithm} }}",
                f"  http-request deny deny_status 401 unless {{ var(txn.iss) -m str {ISSUER} }}",
                f"  http-request deny deny_status 401 unless {{ var(txn.aud) -m str {AUDIENCE} }}",
                f'  http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,"{key}") 1 }}',
                "  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }",
                "  http-request deny deny_status 403 unless { var(txn.scope) -m sub items }",
            ]
        )
    path = setting.write(
        "haproxy.cfg",
        f"""global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend public
  bind 127.0.0.1:{setting.port}
{checks}
  default_backend app
backend app
  server app 127.0.0.1:{setting.upstream}
""",
    )
    return ["haproxy", "-db", "-f", path]


def envoy(setting, cache=0):
    filters = []
    if setting.issuer:
        provider = {
            "issuer": ISSUER, "audiences": [AUDIENCE], "forward": True, "payload_in_metadata": "payload",
            "local_jwks": {"inline_string": json.dumps({"keys": [setting.issuer.jwk()]})},
        } | ({"jwt_cache_config": {"jwt_cache_size": cache}} if cache else {})  # fmt: skip
        jwt = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
        rbac = "envoy.extensions.filters.http.rbac.v3.RBAC"
        scope = {
            "filter": "envoy.filters.http.jwt_authn", "path": [{"key": "payload"}, {"key": "scope"}],
            "value": {"string_match": {"contains": "items"}},
        }  # fmt: skip
        filters = [
            named("envoy.filters.http.jwt_authn", jwt, providers={"bench": provider},
                  rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}]),
            named("envoy.filters.http.rbac", rbac, rules={"action": "ALLOW", "policies": {"scope": {
                "permissions": [{"any": True}], "principals": [{"metadata": scope}]}}}),
        ]  # fmt: skip
    router = "envoy.extensions.filters.http.router.v3.Router"
    manager = named(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bench",
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
        http_filters=[*filters, named("envoy.filters.http.router", router)],
    )  # fmt: skip
    cluster = {
        "name": "app", "type": "STATIC", "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(setting.upstream)}}]}]},
    }  # fmt: skip
    listener = {"name": "public", "address": address(setting.port), "filter_chains": [{"filters": [manager]}]}
    path = setting.write("envoy.json", json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    return [setting.binaries["envoy"], "--concurrency", "1", "--disable-hot-restart", "-l", "error", "-c", path]


def named(name, kind, **members):
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}"} | members}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_cached(setting):
    return envoy(setting, cache=16384)


def fastapi(setting):
    environment = {"BENCH_KEY": SECRET if setting.issuer.algorithm == "HS256" else str(setting.issuer.public)}
    environment |= {"BENCH_ALGORITHM": setting.issuer.algorithm}
    pairs = [f"{name}={value}" for name, value in environment.items()]
    uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", HERE, "--port", str(setting.port), "--no-access-log"]
    return ["env", *pairs, *uvicorn, "--log-level", "error", "application:app"]


def doorward(setting):
    mode, issuer = setting.mode, setting.issuer
    key = {"algorithm": issuer.algorithm}
    key |= {"secret": SECRET} if issuer.algorithm == "HS256" else {"file": str(issuer.private)}
    # As cheap as a hash can be: what is measured is the gate, and the rest of a login.
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
    users = [{"username": SUBJECT, "password_hash": hashed, "scopes": ["me", "items"]}]
    setting.write("users.yaml", json.dumps(users), 0o600)
    routes = [{"path": f"/things{number}/{{thing}}", "scopes": ["items"]} for number in range(mode.routes - 1)]
    configuration = {
        "server": {"listen": f"127.0.0.1:{setting.port}", "threads": 1},
        "admin": {"listen": f"unix:{setting.directory}/admin.sock"},
        "data_dir": str(setting.directory / "data"),
        "upstream": {"url": f"http://127.0.0.1:{setting.upstream}"},
        "tokens": {"issuer": ISSUER, "audience": [AUDIENCE], "keys": [key]},
        # All of the clients may log in at once, and as one user: whom doorward turns away is not measured. Those of the round before who
        # did not wait for their answers count as failures until they have theirs.
        "users": {"file": "users.yaml", "hashing": {"queue": 256}, "throttle": {"per_user": None, "per_address": None}},
        "server_keys": [secrets.token_urlsafe(36)],
        "policy": {"routes": [*routes, {"path": "/items/**", "scopes": ["items"]}]},
        "telemetry": {"access_log": mode.access_log, "format": "json"},
    }
    if mode.tls:
        certificate, tls_key = setting.extra["certificate"]
        configuration["server"] |= {"tls": {"cert_file": str(certificate), "key_file": str(tls_key)}}
        configuration["server"] |= {"public_url": f"https://localhost:{setting.port}"}
    path = setting.write("config.yaml", json.dumps(configuration), 0o600)
    return [setting.binaries["doorward"], "serve", "--config", path]


PEERS = {
    "floor": (floor, ()),
    "stock": (stock, ()),
    "nginx": (nginx, ()),
    "haproxy": (haproxy, ("HS256", "RS256", "ES256")),
    "envoy": (envoy, ("HS256", "RS256", "ES256", "EdDSA")),
    "envoy-cache": (envoy_cached, ("HS256", "RS256", "ES256", "EdDSA")),
    "doorward": (doorward, ("HS256", "RS256", "ES256", "EdDSA")),
    "fastapi": (fastapi, ("HS256", "RS256", "ES256")),
}
