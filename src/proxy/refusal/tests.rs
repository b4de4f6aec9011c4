use arc_swap::access::Constant;

use super::*;
use crate::base::ManualClock;
use crate::message::HeadError;
use crate::telemetry::{Settings, Sink};

#[test]
fn answered_and_told() {
    for (error, head, first, last, line) in [
        (
            Some(HeadError::Malformed),
            "GET /a?token=secret HTTP/1.1\nX: y",
            "HTTP/1.1 400 Bad Request\r\n",
            r#"{"detail":"The request is malformed","error":"invalid_request","reason":"malformed-request"}"#,
            "method=GET path=/a status=400 decision=deny reason=malformed-request",
        ),
        (
            Some(HeadError::TargetTooLong),
            "\r\nFOO /x",
            "HTTP/1.1 414 URI Too Long\r\n",
            r#""reason":"too-large"}"#,
            "method=other path=/x status=414 decision=deny reason=too-large",
        ),
        (
            Some(HeadError::FieldsTooLarge),
            "HEAD /x HTTP/1.1\r\nX",
            "HTTP/1.1 431 Request Header Fields Too Large\r\n",
            "\r\n\r\n",
            "method=HEAD path=/x status=431 decision=deny reason=too-large",
        ),
        (
            Some(HeadError::MethodNotAllowed),
            "TRACE / HTTP/1.1",
            "HTTP/1.1 405 Method Not Allowed\r\n",
            r#"{"detail":"Method Not Allowed","reason":"method-not-allowed"}"#,
            "path=/ status=405 decision=deny reason=method-not-allowed",
        ),
        (
            Some(HeadError::Malformed),
            "Bearer secret.secret\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "}",
            "method=other path=\"\" status=400 decision=deny reason=malformed-request",
        ),
        (
            None,
            "GE",
            "HTTP/1.1 408 Request Timeout\r\n",
            r#""reason":"header-timeout"}"#,
            "method=other path=\"\" status=408 decision=deny reason=header-timeout",
        ),
    ] {
        let sink = Sink::memory();
        let telemetry = Arc::new(Telemetry::new(sink.clone(), &Settings::default()));
        let cors = Constant(CorsSettings::default());
        let refusals = Refusals::new(cors, Constant(Wording::full()), telemetry, Arc::new(ManualClock::default()));
        let (head, peer) = (head.as_bytes(), "::ffff:192.0.2.1".parse().ok());
        let answer = match error {
            Some(error) => refusals.refuse(&Refused { error, head, peer }),
            None => refusals.timed_out(head, peer),
        };
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        assert!(!answer.contains("Vary"), "{answer}");
        assert!(answer.starts_with(first) && answer.ends_with(last), "{answer}");
        for field in ["Cache-Control: no-store", "X-Content-Type-Options: nosniff", "Connection: close"] {
            assert!(answer.contains(&format!("\r\n{field}\r\n")), "{answer}");
        }
        assert_eq!(answer.contains("\r\nAllow: GET, "), error == Some(HeadError::MethodNotAllowed));
        let lines = sink.lines().join("");
        assert!(lines.contains(line) && lines.contains("192.0.2.1") && !lines.contains("secret"), "{lines}");
        assert_eq!(lines.matches("refused").count(), 1, "one record: {lines}");
    }
}

#[test]
fn pages_may_read_that_something_was_too_large() {
    use HeadError::{FieldsTooLarge, Malformed, MethodNotAllowed, TargetTooLong};

    const OK: &str = "Origin: https://app.example\r\n";
    const NAMED: &str = "\r\nAccess-Control-Allow-Origin: https://app.example\r\n\
                         Access-Control-Allow-Credentials: true\r\n\
                         Access-Control-Expose-Headers: WWW-Authenticate, Retry-After, DPoP-Nonce\r\n";
    let line = "GET /x HTTP/1.1\r\nHost: a\r\n";
    let first = |rest: &str| format!("{line}{rest}");
    let allow_origins = vec!["https://app.example".to_owned()];
    let settings = CorsSettings { allow_origins, allow_credentials: true, max_age: Duration::ZERO };
    for (error, head, varies, named) in [
        (Some(FieldsTooLarge), first(OK), true, true),
        (Some(FieldsTooLarge), first("oRIGIN:https://app.example \r\nX: half"), true, true),
        (Some(FieldsTooLarge), format!("\r\n\r\n{line}{OK}"), true, true),
        (Some(TargetTooLong), first(OK), true, true),
        (Some(TargetTooLong), "GET /xxxxx".to_owned(), true, false),
        (Some(FieldsTooLarge), String::new(), true, false),
        (Some(FieldsTooLarge), first("Origin: https://evil.example\r\n"), true, false),
        (Some(FieldsTooLarge), first(&OK.repeat(2)), true, false),
        (Some(FieldsTooLarge), first("Origin : https://app.example\r\n"), true, false),
        (Some(FieldsTooLarge), first(" Origin: https://app.example\r\n"), true, false),
        (Some(FieldsTooLarge), first("X-Origin: https://app.example\r\n"), true, false),
        (Some(FieldsTooLarge), first("Origin: https://app.example"), true, false),
        (Some(FieldsTooLarge), first("Origin: https://app.example\n"), true, false),
        (Some(FieldsTooLarge), first(&format!("\r\n{OK}")), true, false),
        (Some(FieldsTooLarge), OK.to_owned(), true, false),
        (Some(Malformed), first(OK), false, false),
        (Some(MethodNotAllowed), first(OK), false, false),
        (None, first(OK), false, false),
    ] {
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let refusals = Refusals::new(
            Constant(settings.clone()),
            Constant(Wording::full()),
            telemetry,
            Arc::new(ManualClock::default()),
        );
        let (bytes, peer) = (head.as_bytes(), None);
        let answer = match error {
            Some(error) => refusals.refuse(&Refused { error, head: bytes, peer }),
            None => refusals.timed_out(bytes, peer),
        };
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        let found = (answer.contains("\r\nVary: Origin\r\n"), answer.contains(NAMED));
        assert_eq!(found, (varies, named), "{error:?} {head:?}: {answer}");
        assert_eq!(answer.contains("Access-Control"), named, "{answer}");
    }
}
