"""One token in many spellings, and many tokens a bit apart."""

import base64

from ..judge import read_json
from ..tokens import b64, respelled
from .sessions import revoke

def show_token(attempt, target, token):
    """The status that `GET /api/x` has with this token, on one connection kept for all of them, and the reason of a refusal."""
    connection = attempt.connections.get("a") or attempt.connection("a")
    connection.send(f"GET /api/x HTTP/1.1\r\nHost: {target.words['host']}\r\nAuthorization: Bearer ".encode() + token + b"\r\n\r\n")
    answer = attempt.read("a")
    if answer == "closed":
        attempt.connections.pop("a").close()
        return show_token(attempt, target, token)
    reason = (read_json(answer.body) or {}).get("reason") if answer.status != 200 else None
    return answer.status, reason


def api_head(token):
    return (
        f"GET /api/x HTTP/1.1\nHost: {{{{host}}}}\nAuthorization: Bearer {token.decode()}\n{{{{added}}}}\nX-Auth-User: alice\n"
        "X-Auth-Roles: staff\nX-Auth-Issuer: {{issuer}}\n"
    )


def expect_refused(attempt, target, tokens, what):
    for number, token in enumerate(tokens):
        status, _ = show_token(attempt, target, token)
        if status != 401:
            attempt.verdict.find("hole", f"{what} {number}: answered {status}")
    attempt.verdict.expected, attempt.verdict.got = "401 each", f"{len(tokens)} tried"


def flipped_bits(target, attempt):
    """64 tokens, each with another bit of its signature flipped."""
    key, bits = attempt.words["key"].decode(), int(attempt.words["bits"])
    tokens = [target.mint.write({"key": key, "signature": f"flip:{bit}"}, target.words) for bit in range(0, bits, bits // 64)]
    expect_refused(attempt, target, tokens, "flipped bit")


def other_last_letters(target, attempt):
    """A good token, which is remembered from then on, and it with the last letter of a segment replaced by one that decodes to the same
    bytes, or by any other, and with padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = target.mint.write({"key": attempt.words["key"].decode(), "header": {"x": "a"}, "claims": {"x": "ab"}}, target.words).decode()
    parts, variants = good.split("."), []
    for at, part in enumerate(parts):
        unused = {0: 1, 2: 16, 3: 4}[len(part) % 4]
        value = alphabet.index(part[-1])
        same = [letter for number, letter in enumerate(alphabet) if number // unused == value // unused and number != value]
        every = [letter for number, letter in enumerate(alphabet) if number != value]
        for letter in same if attempt.words["changes"] == b"segments" else every if at == 2 else []:
            variants.append(".".join([*parts[:at], part[:-1] + letter, *parts[at + 1 :]]).encode())
        variants += [".".join([*parts[:at], part + padding, *parts[at + 1 :]]).encode() for padding in ("=", "==")]
    assert show_token(attempt, target, good.encode())[0] == 200, "the good spelling is refused"
    expect_refused(attempt, target, variants, "spelling")
    assert show_token(attempt, target, good.encode())[0] == 200, "the good spelling is refused after the others"
    return [api_head(good.encode())] * 2


def respelled_and_revoked(target, attempt):
    """s → n-s: the same token in another spelling; a revocation of either is one of both."""
    told = {"key": attempt.words.get("key", b"ec1").decode()} | ({"without": ["jti"]} if attempt.words["with"] == b"none" else {})
    heads = []
    for revoked in (0, 1):
        good = target.mint.write(told, target.words)
        spellings = [good, respell(good)]
        for token in spellings:
            status, _ = show_token(attempt, target, token)
            heads += [api_head(token)] if status == 200 else []
        assert len(heads) % 2 == 0, "the respelled signature does not verify"
        revoke(target, attempt, spellings[revoked])
        for token in spellings:
            if show_token(attempt, target, token) != (401, "revoked"):
                attempt.verdict.find("hole", "a spelling of the revoked token is taken")
    return heads


def respell(token):
    head, payload, signature = token.decode().split(".")
    made = base64.urlsafe_b64decode(signature + "==")
    return f"{head}.{payload}.{b64(respelled(made, {'s': 'n-s'}))}".encode()
