"""Runs the corpus against doorward, or against another proxy. README.md tells how."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
from corpus import case as corpus  # noqa: E402
from corpus.doors import Doors, Other  # noqa: E402
from corpus.judge import VERDICTS, Verdict  # noqa: E402
from corpus.perform import perform  # noqa: E402
from corpus.refused import perform_refused  # noqa: E402
from corpus.tokens import Keys  # noqa: E402
from corpus.upstream import Upstream  # noqa: E402

# Doors whose configuration is the plain one, so that any proxy with the policy of README.md stands for them.
PLAIN = {"standard", "tls", "h2c"}


def main():
    options = arguments()
    if options.write_keys:
        options.write_keys.mkdir(parents=True, exist_ok=True)
        Keys().write(options.write_keys)
        return 0
    cases = [case for case in corpus.load() if not options.only or case.id.startswith(tuple(options.only))]
    if options.target:
        verdicts = against_another(cases, options)
    else:
        verdicts = against_doorward(cases, options)
    print(as_json(verdicts) if options.json else as_table(verdicts, options.all))
    return 0 if all(verdict.word in ("ok", "skipped") for verdict in verdicts) else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--doorward", type=Path, help="run this binary, with a configuration for each group of cases")
    parser.add_argument("--target", help="HOST:PORT of a proxy that runs already, without TLS")
    parser.add_argument("--tls-target", help="HOST:PORT of the same proxy with TLS and HTTP/2 by ALPN")
    parser.add_argument("--h2c-target", help="HOST:PORT of the same proxy with HTTP/2 by prior knowledge")
    parser.add_argument("--upstream-port", type=int, default=0, help="the port that the proxy forwards to; the recorder listens here")
    parser.add_argument("--public-path", default="/public", help="a path below which the proxy asks for no token")
    parser.add_argument("--api-path", default="/api", help="a path below which it asks for one")
    parser.add_argument("--token", help="a token that may read below --api-path; without it and --keys, cases with tokens are skipped")
    parser.add_argument("--keys", type=Path, help="a folder of --write-keys, with which the proxy was configured")
    parser.add_argument("--write-keys", type=Path, metavar="FOLDER", help="only make keys to configure the proxy with")
    parser.add_argument("--only", nargs="*", metavar="ID", help="only cases whose ids begin so")
    parser.add_argument("--all", action="store_true", help="show what is right, too")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    options = parser.parse_args()
    if not (options.doorward or options.target or options.write_keys):
        parser.error("say --doorward or --target")
    return options


def against_doorward(cases, options):
    with tempfile.TemporaryDirectory() as directory:
        doors = Doors(options.doorward.resolve(), Path(directory))
        try:
            return [attempted(case, lambda: one_of_doorward(case, doors)) for case in cases]  # noqa: B023
        finally:
            doors.close()


def one_of_doorward(case, doors):
    return perform_refused(case, doors) if case.refused is not None else perform(case, doors[case.door])


def against_another(cases, options):
    upstream = Upstream(options.upstream_port)
    keys = Keys(options.keys)
    tokens = {"read": options.token.encode()} if options.token else {}
    places = {"standard": options.target, "tls": options.tls_target, "h2c": options.h2c_target}
    targets = {}
    for door, place in places.items():
        if place:
            host, port = place.rsplit(":", 1)
            more = {"tls": door == "tls", "h2c": door == "h2c"}
            targets[door] = Other((host, int(port)), upstream, keys, options.public_path, options.api_path, tokens, **more)
    try:
        return [attempted(case, lambda: one_of_another(case, targets, options)) for case in cases]  # noqa: B023
    finally:
        upstream.stop()


def one_of_another(case, targets, options):
    why = reason_to_skip(case, targets, options)
    return Verdict(case.id, "skipped", findings=[why]) if why else perform(case, targets[case.door])


def reason_to_skip(case, targets, options):
    if case.door not in PLAIN or case.refused is not None:
        return "it is about a configuration of doorward's"
    if case.door not in targets:
        return f"there is no {case.door} address to try it at"
    if case.scenario or any({"reload", "admin"} & step.keys() for step in case.steps):
        return "it asks doorward itself"
    told = json.dumps(case.steps) + json.dumps(case.words)
    needed = {name for name in ("write", "admin", "bob", "expired") if f"{{{{{name}}}}}" in told or case.words.get("credential") == name}
    if not options.keys and (case.tokens or needed or not options.token and ("{{read}}" in told or case.words.get("credential") == "read")):
        return "there are no keys to make its tokens with"
    return None


def attempted(case, attempt):
    try:
        return attempt()
    except Exception as error:  # noqa: BLE001 - one case that cannot be tried must not end the run
        return Verdict(case.id, "broken", findings=[f"{type(error).__name__}: {error}"])


def as_table(verdicts, everything):
    lines = [f"{'case':<28} {'verdict':<8} {'expected':<22} got"]
    for verdict in verdicts:
        if everything or verdict.word not in ("ok", "skipped"):
            lines.append(f"{verdict.case:<28} {verdict.word:<8} {verdict.expected[:22]:<22} {verdict.got[:60]}")
            lines += [f"    {finding}" for finding in verdict.findings]
    counts = {word: sum(verdict.word == word for verdict in verdicts) for word in reversed(VERDICTS)}
    lines.append(", ".join(f"{count} {word}" for word, count in counts.items()))
    return "\n".join(lines)


def as_json(verdicts):
    return json.dumps([vars(verdict) for verdict in verdicts], indent=2)


if __name__ == "__main__":
    sys.exit(main())
