mod numbers;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::ManualClock;

const NOW: Timestamp = Timestamp::from_millis(1_767_323_045_678);

fn telemetry(format: Format) -> (Telemetry, Sink) {
    let sink = Sink::memory();
    let settings = Settings { format, ..Settings::default() };
    (Telemetry::new(sink.clone(), &settings), sink)
}

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn request(route: &RouteLabel) -> Request<'_> {
    Request {
        at: NOW,
        id: "0192f0c1-7d1c-7000-8000-0123456789ab",
        listener: Listener::Public,
        route,
        method: Method::Get,
        path: "/items/7",
        status: 200,
        decision: Decision::Allow,
        reason: None,
        subject: Some("johndoe"),
        client: Some("backend"),
        issuer: Some("https://api.example.com"),
        client_address: address("192.0.2.7"),
        duration: Duration::from_micros(12_345),
        decision_duration: Some(Duration::from_micros(7)),
        upstream_duration: Some(Duration::from_millis(12)),
        upstream_error: None,
    }
}

/// The requests of the golden files: everything there, hardly anything there, and all of it hostile.
fn requests(route: &RouteLabel) -> [Request<'_>; 4] {
    let bare = Request {
        subject: None,
        client: None,
        issuer: None,
        decision_duration: None,
        upstream_duration: None,
        ..request(route)
    };
    [
        request(route),
        Request {
            method: Method::Delete,
            status: 401,
            decision: Decision::Deny,
            reason: Some("expired"),
            client_address: address("2001:db8::7"),
            ..bare.clone()
        },
        Request {
            id: "x\" status=200 \"",
            method: Method::Other,
            path: "/a\nb\r\u{1b}[2J\u{202e}\u{2028}\"x\"=\\?access_token=canary",
            subject: Some("eve\nTIME INFO access id=forged"),
            client_address: None,
            ..bare.clone()
        },
        Request {
            listener: Listener::Admin,
            status: 502,
            decision: Decision::Error,
            upstream_error: Some("connect-refused"),
            upstream_duration: Some(Duration::from_secs(61)),
            id: "",
            ..bare
        },
    ]
}

fn audits() -> Vec<Audit<'static>> {
    vec![
        Audit::Issued {
            grant: "password",
            subject: "johndoe",
            client: Some("backend"),
            sid: Some("s1d"),
            jti: "j71",
            scope: "items:read me",
            address: address("192.0.2.7"),
        },
        Audit::Refreshed {
            subject: "johndoe",
            client: None,
            sid: "s1d",
            jti: "j72",
            scope: "items:read",
            address: address("192.0.2.7"),
        },
        Audit::Repeated {
            subject: "johndoe",
            client: None,
            sid: "s1d",
            jti: "j73",
            address: address("192.0.2.8"),
            first_address: address("192.0.2.7"),
        },
        Audit::Reused {
            subject: "johndoe",
            client: None,
            sid: "s1d",
            cause: "too-old",
            address: address("192.0.2.66"),
        },
        Audit::Refused {
            what: "login",
            reason: "invalid_grant",
            subject: Some("johndoe"),
            issuer: None,
            client: Some("web"),
            route: None,
            id: Some("0192f0c1"),
            address: address("192.0.2.66"),
        },
        Audit::Refused {
            what: "request",
            reason: "insufficient-scope",
            subject: Some("john\ndoe"),
            issuer: Some("https://issuer.example"),
            client: None,
            route: Some("/items/{item_id}"),
            id: Some("0192f0c2"),
            address: None,
        },
        Audit::Revoked {
            kind: "token",
            subject: Some("johndoe"),
            issuer: Some("https://issuer.example"),
            client: None,
            sid: None,
            jti: Some("j73"),
            address: address("192.0.2.7"),
            reason: None,
        },
        Audit::Revoked {
            kind: "session",
            subject: Some("johndoe"),
            issuer: None,
            client: None,
            sid: Some("s1d"),
            jti: None,
            address: address("192.0.2.7"),
            reason: None,
        },
        Audit::Revoked {
            kind: "client",
            subject: None,
            issuer: Some("https://issuer.example"),
            client: Some("web"),
            sid: None,
            jti: None,
            address: address("192.0.2.7"),
            reason: Some("laptop \"stolen\"\nticket 7"),
        },
        Audit::Reloaded { ok: true, generation: 2, problems: 0, restart: &["server.listen", "data_dir"] },
        Audit::Reloaded { ok: false, generation: 2, problems: 3, restart: &[] },
    ]
}

fn lines_of(format: Format, write: impl Fn(&Telemetry)) -> Vec<String> {
    let (telemetry, sink) = telemetry(format);
    write(&telemetry);
    sink.lines()
}

fn tell(telemetry: &Telemetry, route: &RouteLabel) {
    for request in &requests(route) {
        telemetry.request(request);
    }
}

fn audit(telemetry: &Telemetry) {
    for audit in &audits() {
        telemetry.audit(NOW, audit);
    }
}

fn assert_golden(name: &str, golden: &str, actual: &str) {
    assert!(actual.trim_end() == golden.trim_end(), "tests/golden/{name} should now read:\n{actual}");
}

#[test]
fn access_lines_are_golden() {
    for (format, name, golden) in [
        (Format::Text, "access_text.txt", include_str!("../../tests/golden/access_text.txt")),
        (Format::Json, "access_json.txt", include_str!("../../tests/golden/access_json.txt")),
    ] {
        let lines = lines_of(format, |telemetry| {
            let route = telemetry.metrics.route("/items/{item_id}");
            tell(telemetry, &route);
        });
        assert_golden(name, golden, &lines.join("\n"));
    }
}

#[test]
fn audit_lines_are_golden() {
    for (format, name, golden) in [
        (Format::Text, "audit_text.txt", include_str!("../../tests/golden/audit_text.txt")),
        (Format::Json, "audit_json.txt", include_str!("../../tests/golden/audit_json.txt")),
    ] {
        let lines = lines_of(format, audit);
        assert_golden(name, golden, &lines.join("\n"));
    }
    let shown: BTreeSet<_> = audits().iter().map(Audit::name).collect();
    assert_eq!(shown, BTreeSet::from(Audit::NAMES), "each kind has a golden line");
}

#[test]
fn json_lines_are_objects_without_nulls_or_repeated_members() {
    let lines = lines_of(Format::Json, |telemetry| {
        let route = telemetry.metrics.route("/items/{item_id}");
        tell(telemetry, &route);
        audit(telemetry);
    });
    assert_eq!(lines.len(), requests(&telemetry(Format::Json).0.metrics.route("/")).len() + audits().len());
    for line in lines {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        assert!(!object.values().any(serde_json::Value::is_null), "{line}");
        // The parser keeps the last of two members, so that writing it out again would lose one.
        assert_eq!(object.len(), line.matches("\":").count() - line.matches("\\\":").count(), "{line}");
    }
}

#[test]
fn no_value_makes_a_second_line_or_a_long_one() {
    let hostile = "\n\r\u{2028}\u{85}\u{0}\"\\".repeat(100_000);
    for format in Format::ALL {
        let lines = lines_of(format, |telemetry| {
            let route = telemetry.metrics.route("/");
            telemetry.request(&Request {
                id: &hostile,
                path: &hostile,
                subject: Some(&hostile),
                client: Some(&hostile),
                issuer: Some(&hostile),
                ..request(&route)
            });
        });
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 5 * 2100 + 500, "{}", lines[0].len());
    }
}

#[test]
fn without_an_access_log_requests_are_only_counted() {
    let sink = Sink::memory();
    let telemetry = Telemetry::new(sink.clone(), &Settings { access_log: false, ..Settings::default() });
    telemetry.request(&request(telemetry.metrics.unmatched()));
    telemetry.audit(NOW, &Audit::Reloaded { ok: true, generation: 1, problems: 0, restart: &[] });
    assert_eq!(sink.lines().len(), 1, "audit records do not depend on it");
    assert!(telemetry.metrics.render().contains("route=\"none\""));
}

#[test]
fn words_of_the_configuration_read_back() {
    for level in Level::ALL {
        assert_eq!(Level::from_name(level.as_str()), Some(level));
    }
    for format in Format::ALL {
        assert_eq!(Format::from_name(format.as_str()), Some(format));
    }
    for method in Method::ALL {
        assert_eq!(Method::of(method.as_str()), method);
    }
    for grant_type in GrantType::ALL {
        assert_eq!(GrantType::of(grant_type.as_str()), grant_type);
    }
    assert_eq!((Level::from_name("INFO"), Format::from_name("xml")), (None, None));
    assert_eq!((Method::of("get"), GrantType::of("")), (Method::Other, GrantType::Other));
}

#[test]
fn diagnostics_are_lines_like_the_others() {
    for (format, expected) in [
        (
            Format::Text,
            [
                r#"2026-01-02T03:04:05.678Z WARN a \n "thing" user="eve\nforged" count=3 late=true share=0.5 path=/x"#,
                "2026-01-02T03:04:05.678Z ERROR refused target=pingora_core::listeners",
            ],
        ),
        (
            Format::Json,
            [
                r#"{"time":"2026-01-02T03:04:05.678Z","level":"warn","message":"a \n \"thing\"","target":"doorward::telemetry::tests","user":"eve\nforged","count":3,"late":true,"share":"0.5","path":"/x"}"#,
                r#"{"time":"2026-01-02T03:04:05.678Z","level":"error","message":"refused","target":"pingora_core::listeners"}"#,
            ],
        ),
    ] {
        let sink = Sink::memory();
        let settings = Settings { format, log: Level::Info, ..Settings::default() };
        let subscriber = logging::subscriber(sink.clone(), &settings, Arc::new(ManualClock::at(NOW)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(user = "eve\nforged", count = 3, late = true, share = 0.5, path = %"/x", "a \n \"thing\"");
            tracing::debug!("not at this level");
            tracing::error!(target: "pingora_core::listeners", "refused");
            tracing::error!(target: "pingora_proxy", "GET /?access_token=canary");
        });
        assert_eq!(sink.lines(), expected);
    }
}

#[test]
fn only_what_cannot_quote_a_request_may_speak() {
    let loudest = logging::filter(Level::Trace);
    for (target, level, may) in [
        ("doorward::gate", tracing::Level::TRACE, true),
        ("pingora_core::listeners::l4", tracing::Level::WARN, true),
        ("pingora_core::listeners::l4", tracing::Level::INFO, false),
        ("pingora_core::services::listening", tracing::Level::ERROR, true),
        ("pingora_core::apps::http_app", tracing::Level::ERROR, false),
        ("pingora_core::protocols::http::v1::common", tracing::Level::WARN, false),
        ("pingora_core::protocols::http::v1::server", tracing::Level::ERROR, false),
        ("pingora_core::protocols::http::compression", tracing::Level::WARN, false),
        ("pingora_proxy", tracing::Level::ERROR, false),
        ("pingora_proxy::proxy_h1", tracing::Level::ERROR, false),
        ("h2::codec", tracing::Level::ERROR, false),
        ("hyper::proto", tracing::Level::ERROR, false),
        ("rustls::conn", tracing::Level::ERROR, false),
        ("log", tracing::Level::ERROR, false),
        ("anything_new", tracing::Level::ERROR, false),
    ] {
        assert_eq!(loudest.would_enable(target, &level), may, "{target} at {level}");
    }
    let quietest = logging::filter(Level::Off);
    assert!(!quietest.would_enable("pingora_core::listeners", &tracing::Level::ERROR));
    assert!(!quietest.would_enable("doorward", &tracing::Level::ERROR));
}
