"""What is measured: each mode is one kind of request, and what its answer must be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    name: str
    algorithm: str | None = None  # of the peers' key; None = nothing is checked
    credential: str = "valid"  # valid | none | bad-signature | revoked
    tokens: int = 1
    status: int = 200
    body: int = 0  # bytes sent
    routes: int = 10
    marks: int = 0
    access_log: bool = False
    tls: bool = False
    login: bool = False  # POST /token, instead of a request that is forwarded
    only: tuple[str, ...] = ()  # the peers that can; () = whoever supports the algorithm


OURS = ("doorward",)

MODES = (
    Mode("pass", only=("floor", "stock", "nginx", "haproxy", "envoy")),
    *(
        Mode(f"{algorithm}{' 10k' if tokens > 1 else ''}", algorithm, tokens=tokens)
        for algorithm in ("HS256", "RS256", "ES256", "EdDSA")
        for tokens in (1, 10_000)
    ),
    Mode("no token", "HS256", credential="none", status=401),
    Mode("bad signature", "HS256", credential="bad-signature", status=401),
    Mode("revoked", "HS256", credential="revoked", status=401, only=OURS),
    Mode("10 KiB body", "HS256", body=10 * 1024),
    Mode("1,000 routes", "HS256", routes=1000, only=OURS),
    Mode("100,000 marks", "HS256", marks=100_000, only=OURS),
    Mode("access log", "HS256", access_log=True, only=OURS),
    Mode("TLS", "HS256", tls=True, only=OURS),
    Mode("login", "HS256", login=True, only=("doorward", "fastapi")),
)
