//! What passes without a token is, for every router behind, a path that may.

use doorward::policy::{Access, CanonicalPath, Match, PathPattern, RouteSpec, Table};

use super::Target;

/// The path of a request, as it came.
pub const TARGET: Target = Target {
    name: "canonical_path",
    check: |data| property(data, passes, reading),
    planted: &[|data| property(data, compares_the_beginning, reading), |data| property(data, passes, decodes_twice)],
};

fn property(raw: &[u8], passes: fn(&Table, &[u8]) -> bool, reading: fn(&[u8]) -> Option<String>) {
    let route = |path, access| RouteSpec::new(PathPattern::parse(path).expect("a pattern"), access);
    for ignore_case in [false, true] {
        let routes = vec![route("/public/**", Access::Public), route("/admin/**", Access::Authenticated)];
        let table = Table::compile(routes, Access::Authenticated, ignore_case).expect("no conflict");
        if passes(&table, raw) {
            for (router, model) in ROUTERS {
                let mut seen = model(raw);
                if ignore_case {
                    seen.make_ascii_lowercase();
                }
                assert!(!is_admin(&seen), "{router} takes it to {}", String::from_utf8_lossy(&seen));
            }
        }
    }
    if let Ok(path) = CanonicalPath::parse(raw) {
        assert_eq!(path.raw().as_bytes(), raw, "other bytes would be forwarded");
    }
    if let Some(read) = reading(raw) {
        let again = reading(encoded(&read).as_bytes()).expect("what was read can be read");
        assert_eq!(again, read, "reading twice reads another path");
    }
}

fn reading(raw: &[u8]) -> Option<String> {
    CanonicalPath::parse(raw).ok().map(|path| path.reading().to_owned())
}

/// Decodes until nothing changes any more.
fn decodes_twice(raw: &[u8]) -> Option<String> {
    let read = reading(raw)?;
    String::from_utf8(decoded(read.as_bytes())).ok()
}

/// Whether a request without a token passes.
fn passes(table: &Table, raw: &[u8]) -> bool {
    let Ok(path) = CanonicalPath::parse(raw) else { return false };
    let found = table.find(&path, "GET");
    let is_public = |found: &Match<'_>| found.route().is_some_and(|route| route.spec().access == Access::Public);
    is_public(&found.first) && found.second.as_ref().is_none_or(is_public) && !path.is_capped()
}

/// Compares the beginning of what came, as proxies before us did.
fn compares_the_beginning(_: &Table, raw: &[u8]) -> bool {
    raw.starts_with(b"/public/")
}

fn is_admin(path: &[u8]) -> bool {
    path.strip_prefix(b"/admin").is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// How servers behind read a path, as far as they have been seen to.
const ROUTERS: [(&str, fn(&[u8]) -> Vec<u8>); 6] = [
    ("one that decodes nothing", <[u8]>::to_vec),
    ("one that decodes once (ASGI, WSGI)", decoded),
    ("one that cleans up and decodes (nginx)", |raw| cleaned(&decoded(raw))),
    ("one that decodes twice", |raw| cleaned(&decoded(&decoded(raw)))),
    ("one that drops parameters (servlets)", |raw| cleaned(&decoded(&without_parameters(raw)))),
    ("one that takes backslashes (IIS)", |raw| {
        cleaned(&decoded(raw).iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect::<Vec<_>>())
    }),
];

fn decoded(raw: &[u8]) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let mut out = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        match (raw[at], raw.get(at + 1).and_then(hex), raw.get(at + 2).and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn cleaned(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    segments.iter().flat_map(|segment| [b"/".as_slice(), segment].concat()).collect()
}

fn without_parameters(raw: &[u8]) -> Vec<u8> {
    let cut = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    raw.split(|byte| *byte == b'/').map(cut).collect::<Vec<_>>().join(&b'/')
}

fn encoded(reading: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(&byte);
    reading
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
