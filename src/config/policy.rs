//! `policy`.

use super::code::Code;
use super::endpoints::{OwnPaths, plain_path};
use super::field::Field;
use super::mint::{self, Minting};
use super::problem::Position;
use super::reader::Reader;
use super::section::Section;
use super::settings::Policy;
use crate::policy::{Access, ConflictKind, Cors, PathPattern, RouteSpec, Streams, Table};
use crate::tokens::ScopeSet;

/// `own` are the paths doorward answers itself, `issuers` those whose tokens are taken, `allow_origins` those that `server.cors` names,
/// `http2` is whether the upstream is spoken to in HTTP/2, and `mint` what makes its tokens.
pub(super) fn policy(
    section: &Section<'_>,
    (own, issuers): (&OwnPaths, &[String]),
    allow_origins: &[String],
    http2: bool,
    mint: &Minting,
) -> Policy {
    let defaults = [Access::Deny, Access::Authenticated, Access::Public].map(|access| (access.as_str(), access));
    let default = section.word("default", Access::Authenticated, &defaults);
    let ignore_case = section.flag("ignore_case", false);
    let preflights = Preflights { allowed: !allow_origins.is_empty() };
    let resources = section.field("resources").map(|field| resources(&field)).unwrap_or_default();
    let around = Around { own: Own { paths: own, ignore_case }, issuers, preflights, http2, mint };
    let cors = section.field("cors").and_then(|field| preflights.answered(&field)).unwrap_or(Cors::Upstream);
    let streams = section.word("streams", Streams::End, &STREAMS);
    let mut routes = Vec::new();
    let mut places = Vec::new();
    for item in section.field("routes").and_then(|field| field.list()).unwrap_or_default() {
        let before = item.reader().problem_count();
        let route = item.section(|section| route(section, around)).flatten();
        // A route with a problem would only bring more: conflicts that are gone once it is mended.
        if let Some(route) = route.filter(|_| item.reader().problem_count() == before) {
            routes.push(route);
            places.push(item.at());
        }
    }
    let policy = Policy { default, ignore_case, cors, streams, resources, routes };
    refuse_conflicts(section.reader(), &policy, &places);
    warn_of_lone_slashes(section.reader(), &policy.routes, &places);
    policy
}

/// A path with `%2F` is matched in two readings, of which the decoded one has more segments: both must lead to a route that takes
/// one, and only a prefix can be both.
fn warn_of_lone_slashes(reader: &Reader<'_>, routes: &[RouteSpec], places: &[Position]) {
    let length = |route: &RouteSpec| (!route.path.is_prefix()).then(|| route.path.len());
    let taking = || routes.iter().zip(places).filter(|(route, _)| route.encoded_slash);
    for (route, at) in taking() {
        let Some(own) = length(route) else { continue };
        if taking().all(|(other, _)| length(other) == Some(own)) {
            let message = "`policy.routes[].encoded_slash` has no effect on this route alone";
            let help =
                "let a route for the path with `/` take it too, as `/files/**`: a path with `%2F` must pass as both";
            reader.warning(*at, Code::NoEffect, message, help);
        }
    }
}

fn refuse_conflicts(reader: &Reader<'_>, policy: &Policy, places: &[Position]) {
    let Policy { default, ignore_case, routes, .. } = policy;
    let Err(conflicts) = Table::compile(routes.clone(), *default, *ignore_case) else { return };
    for conflict in conflicts {
        let (Some(at), Some(other)) = (places.get(conflict.route), places.get(conflict.other)) else { continue };
        let (code, what, help) = match conflict.kind {
            ConflictKind::Tie => (
                Code::RouteTie,
                "matches some requests as well as the one",
                "make one of the two more specific, or their methods different",
            ),
            ConflictKind::Unreachable => (
                Code::RouteUnreachable,
                "is never reached, because of the one",
                "take one of the two out, or name other methods",
            ),
        };
        let message = format!("this route {what} in line {}, column {}", other.line, other.column);
        reader.problem(*at, code, &message, help);
    }
}

fn route(section: &Section<'_>, around: Around<'_>) -> Option<RouteSpec> {
    let Around { own, issuers, preflights, http2, mint } = around;
    let path = section.required("path", "say which path: `path: /items`").and_then(|field| path(&field, own));
    let methods = section.field("methods").and_then(|field| methods(&field)).unwrap_or_default();
    let access = section.word("access", Access::Authenticated, &Access::ALL.map(|access| (access.as_str(), access)));
    let all = scopes(section, "scopes", access);
    let any_scope = scopes(section, "any_scope", access);
    let audience = section.field("audience").map(|field| {
        refuse_without_token(&field, access, "asks whom a token is for");
        names(&field, "name an audience, or leave the key out for any")
    });
    let allowed = section.field("issuers").map(|field| {
        refuse_without_token(&field, access, "asks whose a token is");
        trusted(&field, issuers)
    });
    let streams = section.field("streams").and_then(|field| {
        refuse_without_token(&field, access, "says what happens when a token ends");
        field.word(&STREAMS)
    });
    let websocket_bearer = section.field("websocket_bearer").and_then(|field| {
        let flag = field.flag()?;
        if flag {
            refuse_without_token(&field, access, "lets tokens in");
            if !methods.is_empty() && !methods.iter().any(|method| method == "GET") {
                field.warn(Code::NoEffect, "is on a route without `GET`, which WebSockets begin with", "add `GET`");
            }
            if http2 {
                let help = "set `upstream.http2` to `false`, or take this out";
                field.warn(Code::NoEffect, "is `true` where `upstream.http2` leaves no WebSocket through", help);
            }
        }
        Some(flag)
    });
    let cors = section.field("cors").and_then(|field| preflights.answered(&field));
    let authorization = section.field("authorization").and_then(|field| {
        if access == Access::Deny {
            let help = "take one of the two keys out";
            field.refuse::<()>(Code::Contradiction, "says what is forwarded where nothing is", help);
        }
        mint::mode(&field, mint)
    });
    let encoded_slash = section.flag("encoded_slash", false);
    Some(RouteSpec {
        methods,
        scopes: all,
        any_scope,
        audience: audience.unwrap_or_default(),
        issuers: allowed.unwrap_or_default(),
        cors,
        authorization,
        streams,
        encoded_slash,
        websocket_bearer: websocket_bearer.unwrap_or(false),
        ..RouteSpec::new(path?, access)
    })
}

/// Each has a document of its own, which clients find by the path.
fn resources(field: &Field<'_>) -> Vec<String> {
    let mut resources = Vec::new();
    for item in field.list().unwrap_or_default() {
        let Some(path) = plain_path(&item) else { continue };
        if resources.contains(&path) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        } else {
            resources.push(path);
        }
    }
    resources
}

/// What a route is held against.
#[derive(Clone, Copy)]
struct Around<'a> {
    own: Own<'a>,
    issuers: &'a [String],
    preflights: Preflights,
    /// Whether the upstream is spoken to in HTTP/2, in which no WebSocket gets through to it.
    http2: bool,
    /// Whether there is a key for the upstream's tokens.
    mint: &'a Minting,
}

/// Paths that doorward answers itself, and how the upstream compares paths.
#[derive(Clone, Copy)]
struct Own<'a> {
    paths: &'a OwnPaths,
    ignore_case: bool,
}

/// Who may be told to answer preflights.
#[derive(Clone, Copy)]
struct Preflights {
    /// Whether doorward would allow any.
    allowed: bool,
}

impl Preflights {
    fn answered(self, field: &Field<'_>) -> Option<Cors> {
        let cors = field.word(&[("upstream", Cors::Upstream), ("doorward", Cors::Doorward)])?;
        if cors == Cors::Doorward && !self.allowed {
            let help = "name the origins in `server.cors.allow_origins`";
            field.warn(Code::NoOrigins, "is `doorward`, which then allows no origin", help);
        }
        Some(cors)
    }
}

fn path(field: &Field<'_>, own: Own<'_>) -> Option<PathPattern> {
    let text = field.text()?;
    let same = |path: &str, text: &str| path == text || (own.ignore_case && path.eq_ignore_ascii_case(text));
    let is_below = |root: &String| {
        text.get(..root.len()).is_some_and(|begin| same(root, begin))
            && text.get(root.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if own.paths.exact.iter().any(|path| same(path, &text)) || own.paths.below.iter().any(is_below) {
        let help = "take the route out, or give the endpoint another path in `endpoints`";
        return field.refuse(Code::RouteUnreachable, "is a path that doorward answers itself", help);
    }
    // All below is the route's; its author may believe that the first of these paths is, too.
    if let Some(base) = text.strip_suffix("/**")
        && own.paths.exact.iter().any(|path| same(path, base))
    {
        let help = "write what is meant below it, or give the endpoint another path in `endpoints`";
        field.warn(
            Code::NoEffect,
            "begins with a path that doorward answers itself, whatever the route says of it",
            help,
        );
    }
    match PathPattern::parse(&text) {
        Ok(pattern) => Some(pattern),
        // Not the error's own text: that can quote what is written.
        Err(_) => field.refuse(
            Code::BadPath,
            "is no path of a route",
            "write `/items`, `/items/{item_id}` or `/admin/**`: absolute, without `%`, `;`, `//` and `..`",
        ),
    }
}

/// Upper case, each once, without `HEAD`: that is asked for as `GET`.
fn methods(field: &Field<'_>) -> Option<Vec<String>> {
    let items = field.filled_list("name a method, or leave the key out for all of them")?;
    let mut methods: Vec<String> = Vec::new();
    let mut head = None;
    for item in items {
        let Some(method) = item.text() else { continue };
        let is_method = (1..=METHOD_LIMIT).contains(&method.len())
            && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if !is_method {
            item.refuse::<()>(
                Code::BadMethod,
                "is no method",
                "write it in upper case, as `GET`; methods are case-sensitive",
            );
        } else if methods.iter().any(|known| *known == method) || (method == "HEAD" && head.is_some()) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        } else if method == "HEAD" {
            head = Some(item);
        } else {
            methods.push(method.into_owned());
        }
    }
    match head {
        Some(head) if !methods.iter().any(|method| method == "GET") => {
            head.refuse(Code::BadMethod, "is `HEAD` without `GET`", "name `GET`: what holds for it holds for `HEAD`")
        }
        _ => Some(methods),
    }
}

fn scopes(section: &Section<'_>, key: &'static str, access: Access) -> ScopeSet {
    let Some(field) = section.field(key) else { return ScopeSet::default() };
    refuse_without_token(&field, access, "asks for scopes");
    field.scope_rule().unwrap_or_default()
}

/// Each once, in their order.
fn names(field: &Field<'_>, help: &str) -> Vec<String> {
    let mut names = Vec::new();
    for item in field.filled_list(help).unwrap_or_default() {
        let Some(name) = item.name() else { continue };
        if names.contains(&name) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        } else {
            names.push(name);
        }
    }
    names
}

/// A route for tokens that are never taken is closed, and its author believes it is open to somebody.
fn trusted(field: &Field<'_>, issuers: &[String]) -> Vec<String> {
    let names = names(field, "name an issuer, or leave the key out for all that are trusted");
    if names.iter().any(|name| !issuers.contains(name)) {
        let help = "write an issuer as in `tokens.issuer` or `trusted_issuers`, to the letter and the last `/`";
        field.refuse::<()>(Code::UnknownIssuer, "names an issuer whose tokens are not taken", help);
    }
    names
}

/// What is about tokens would have no effect where none is looked at, and its author believes it has one.
fn refuse_without_token(field: &Field<'_>, access: Access, what: &str) {
    if matches!(access, Access::Public | Access::Deny) {
        let what = format!("{what} where `access` looks at no token");
        field.refuse::<()>(Code::Contradiction, &what, "take one of the two keys out");
    }
}

const STREAMS: [(&str, Streams); 2] = [("end", Streams::End), ("keep", Streams::Keep)];

/// Bytes of a method's name.
const METHOD_LIMIT: usize = 32;
