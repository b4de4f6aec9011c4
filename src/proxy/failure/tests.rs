use super::*;

fn upstream(etype: ErrorType) -> Error {
    *Error::new(etype).into_up()
}

fn with_retry(mut error: Error, retry: RetryType) -> Error {
    error.retry = retry;
    error
}

fn closed(bytes_read: usize) -> Error {
    let context = format!("while reading response headers, bytes already read: {bytes_read}");
    with_retry(*Error::explain(ErrorType::ConnectionClosed, context).into_up(), RetryType::ReusedOnly)
}

fn alert() -> Error {
    let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
    let io = std::io::Error::new(std::io::ErrorKind::InvalidData, alert);
    *Error::because(ErrorType::ReadError, "while reading response headers, bytes already read: 0", io).into_up()
}

#[test]
fn every_error_has_its_meaning() {
    let status = |error: &Error| Failure::of(error).reply(false, &Wording::full()).map(|reply| reply.status);
    let cases = [
        (upstream(ErrorType::ConnectRefused), "connect", Some(502)),
        (upstream(ErrorType::ConnectNoRoute), "connect", Some(502)),
        (upstream(ErrorType::InternalError), "connect", Some(502)),
        (upstream(ErrorType::ConnectTimedout), "timeout", Some(504)),
        (upstream(ErrorType::ReadTimedout), "timeout", Some(504)),
        (upstream(ErrorType::WriteTimedout), "timeout", Some(504)),
        (upstream(ErrorType::TLSHandshakeFailure), "tls", Some(502)),
        (upstream(ErrorType::InvalidCert), "tls", Some(502)),
        (alert(), "tls", Some(502)),
        (upstream(ErrorType::ReadError), "broken", Some(502)),
        (upstream(ErrorType::InvalidHTTPHeader), "broken", Some(502)),
        (upstream(ErrorType::ConnectionClosed), "broken", Some(502)),
        (upstream(ErrorType::H2Error), "broken", Some(502)),
        (*Error::new_down(ErrorType::ReadError), "client", None),
        (*Error::new_in(ErrorType::InternalError), "internal", Some(500)),
    ];
    for (error, label, expected) in &cases {
        assert_eq!((Failure::of(error).as_str(), status(error)), (*label, *expected), "{error}");
    }
    assert_eq!(Failure::Connect.reply(true, &Wording::full()).unwrap().status, 503);
}

#[test]
fn only_what_died_unanswered_is_sent_once_more() {
    let decided = RetryType::Decided(true);
    // The error; on a connection that was used before; on a new one.
    let cases = [
        (closed(0), true, false),
        (closed(10), false, false),
        (closed(1), false, false),
        (with_retry(upstream(ErrorType::ReadError), RetryType::ReusedOnly), true, false),
        (upstream(ErrorType::ReadError), false, false),
        (upstream(ErrorType::WriteError), true, false),
        (upstream(ErrorType::InvalidHTTPHeader), false, false),
        (upstream(ErrorType::ReadTimedout), false, false),
        (alert(), false, false),
        (*Error::new_down(ErrorType::WriteError), false, false),
        (with_retry(upstream(ErrorType::H2Error), decided), true, true),
        (with_retry(upstream(ErrorType::InvalidH2), decided), false, false),
        (with_retry(upstream(ErrorType::H2Downgrade), decided), false, false),
    ];
    for (error, reused, new) in &cases {
        assert_eq!((died_unanswered(error, true), died_unanswered(error, false)), (*reused, *new), "{error}");
    }
}
