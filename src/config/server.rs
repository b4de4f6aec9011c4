//! `server` and `admin`.

use std::num::NonZeroUsize;
use std::time::Duration;

use url::Url;

use super::code::Code;
use super::cors;
use super::defaults;
use super::field::Field;
use super::limits;
use super::listen::{is_loopback, listener, listeners, same, socket_mode};
use super::section::Section;
use super::settings::{Admin, Listen, Server, Shutdown};
use super::tls;
use super::trusted::{Trusted, trusted};
use crate::base::Secret;
use crate::message::TrustedProxies;

pub(super) fn server(section: &Section<'_>) -> Server {
    let field = section.field("listen");
    let listen = field.as_ref().and_then(listeners).unwrap_or_else(|| vec![Listen::Tcp(defaults::LISTEN)]);
    let tls = section.nullable("tls");
    let is_tls = tls.is_some();
    let given = section.nullable("public_url");
    match (&given, field) {
        (None, Some(field)) if !listen.first().is_some_and(is_loopback) => {
            let help = "say in `server.public_url` what they see, as `https://api.example.com`";
            field.warn(Code::NoPublicUrl, "is an address that clients hardly see", help);
        }
        _ => {}
    }
    let public_url = given.as_ref().and_then(public_url);
    if let Some(field) = given.filter(|_| is_tls && public_url.as_deref().is_some_and(|url| url.starts_with("http:"))) {
        let help = "write `https://`, or take it out if the address listened on is the one";
        field.warn(Code::PlainPublicUrl, "is `http`, and `server.tls` takes `https` only", help);
    }
    let Trusted { networks, unix } = section.field("trusted_proxies").map(|field| trusted(&field)).unwrap_or_default();
    let (limits, request_limits) = section.section("limits", limits::limits);
    Server {
        tls: tls.and_then(|field| tls::server(&field, &listen)),
        listen,
        public_url,
        threads: section
            .nullable("threads")
            .and_then(|field| field.integer(1..=MOST_THREADS))
            .and_then(|threads| NonZeroUsize::new(usize::try_from(threads).ok()?)),
        shutdown: section.section("shutdown", shutdown),
        socket_mode: section
            .field("socket_mode")
            .and_then(|field| socket_mode(&field))
            .unwrap_or(defaults::SOCKET_MODE),
        h2c: section.flag("h2c", false),
        trusted_proxies: TrustedProxies::new(networks, unix),
        limits,
        request_limits,
        cors: section.section("cors", cors::cors),
    }
}

/// `server` is the public side, which the admin listener must not be on: metrics and probes would be public.
pub(super) fn admin(section: &Section<'_>, server: &Server) -> Admin {
    let field = section.field("listen");
    let listen = field.as_ref().and_then(listener).unwrap_or(Listen::Tcp(defaults::ADMIN_LISTEN));
    if server.listen.iter().any(|public| same(public, &listen)) {
        let what = "`admin.listen` is an address of `server.listen` too";
        let at = field.map_or(section.at(), |field| field.at());
        section.reader().problem(at, Code::Duplicate, what, "give it another port: what it serves must not be public");
    }
    Admin { token: section.nullable("token").and_then(|field| admin_token(&field, &listen)), listen }
}

/// Random enough that nobody guesses it, and nothing that a header cannot carry.
fn admin_token(field: &Field<'_>, listen: &Listen) -> Option<Secret> {
    let token = field.key_secret()?;
    if !token.expose().iter().all(u8::is_ascii_graphic) {
        let what = "has a character that no `Authorization: Bearer` can carry";
        return field.refuse(Code::BadToken, what, "make one with `openssl rand -base64 48`");
    }
    if matches!(listen, Listen::Unix(_)) {
        let help = "take it out, or listen on an address: of a Unix socket the file's mode keeps others away";
        field.warn(Code::NoEffect, "is not asked for where `admin.listen` is a Unix socket", help);
    }
    Some(token)
}

fn shutdown(section: &Section<'_>) -> Shutdown {
    Shutdown {
        lame_duck: section.duration("lame_duck", defaults::LAME_DUCK, Duration::ZERO..=LONGEST_STOP),
        drain: section.duration("drain", defaults::DRAIN, Duration::ZERO..=LONGEST_STOP),
    }
}

fn public_url(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match Url::parse(&text) {
        // The scheme in one spelling, since others look at it.
        Ok(url) if plain(&url) => {
            let (_, rest) = text.split_once(':')?;
            Some(format!("{}:{}", url.scheme(), rest.trim_end_matches('/')))
        }
        _ => field.refuse(
            Code::BadUrl,
            "is no URL that clients could use",
            "write `https://api.example.com`: http or https, without user, query and fragment",
        ),
    }
}

/// More than any machine has cores.
const MOST_THREADS: u64 = 1024;

/// Nobody waits longer for a process to stop.
const LONGEST_STOP: Duration = Duration::from_hours(1);
