use std::net::SocketAddr;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::super::refresh::DEADLINE;
use super::super::tests::{set, source};
use super::*;

/// Answers each connection with what its path is told, and remembers what it was asked.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<(&'static str, Answer)>>>,
}

#[derive(Clone)]
enum Answer {
    /// All of it, and the end.
    Raw(Vec<u8>),
    /// A beginning, and then this again and again, each after a while.
    Endless(&'static str, Vec<u8>, Duration),
}

impl Server {
    async fn start(&self) -> SocketAddr {
        let (listener, server) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), self.clone());
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().answer(stream));
            }
        });
        address
    }

    fn tell(&self, path: &'static str, answer: Answer) {
        self.answers.lock().push((path, answer));
    }

    fn tell_json(&self, path: &'static str, json: &str) {
        self.tell(path, ok("", json.as_bytes()));
    }

    async fn answer(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(length) if length > 0 => head.extend_from_slice(&buffer[..length]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.asked.lock().push(head);
        let answer = self.answers.lock().iter().find(|(told, _)| *told == path).map(|(_, answer)| answer.clone());
        match answer.unwrap_or_else(|| Answer::Raw(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec())) {
            Answer::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Answer::Endless(beginning, piece, every) => {
                let mut written = stream.write_all(beginning.as_bytes()).await;
                while written.is_ok() {
                    sleep(every).await;
                    written = stream.write_all(&piece).await;
                }
            }
        }
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

fn ok(fields: &str, body: &[u8]) -> Answer {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{fields}\r\n", body.len());
    Answer::Raw([head.as_bytes(), body].concat())
}

fn raw(text: &str) -> Answer {
    Answer::Raw(text.as_bytes().to_vec())
}

fn at(url: &str) -> KeySource {
    KeySource { jwks_url: Some(url.parse().unwrap()), ..source("https://issuer.example/") }
}

async fn fetched(source: &KeySource) -> Result<Fetched, FetchError> {
    timeout(DEADLINE, HttpFetch.fetch(source)).await.unwrap_or(Err(FetchError::TimedOut))
}

#[tokio::test]
async fn nothing_of_ours_is_sent_but_who_asks_for_what() {
    let server = Server::default();
    let address = server.start().await;
    server.tell("/jwks", ok("cache-control: public, max-age=600\r\nage: 100\r\nset-cookie: a=b\r\n", &set(&["a"])));
    for _ in 0..2 {
        let found = fetched(&at(&format!("http://{address}/jwks"))).await.unwrap();
        assert_eq!(found, Fetched { text: set(&["a"]), fresh_for: Some(Duration::from_secs(500)) });
    }
    let expected = format!(
        "GET /jwks HTTP/1.1\r\naccept: application/json\r\nuser-agent: doorward/{}\r\nhost: {address}\r\n\r\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(*server.asked.lock(), [expected.clone(), expected]);
}

/// K02, K04.
#[tokio::test]
async fn answers_that_are_none_are_refused() {
    let other = Server::default();
    let elsewhere = other.start().await;
    let server = Server::default();
    let address = server.start().await;
    let redirect = |status: &str| {
        raw(&format!("HTTP/1.1 {status} Go\r\nlocation: http://{elsewhere}/\r\ncontent-length: 0\r\n\r\n"))
    };
    let keys = Document::Keys;
    let chunk = [b"8000\r\n".to_vec(), vec![b' '; 0x8000], b"\r\n".to_vec()].concat();
    for (path, answer, expected) in [
        ("/301", redirect("301"), FetchError::Redirect(keys, 301)),
        ("/302", redirect("302"), FetchError::Redirect(keys, 302)),
        ("/307", redirect("307"), FetchError::Redirect(keys, 307)),
        ("/304", raw("HTTP/1.1 304 Not Modified\r\n\r\n"), FetchError::Redirect(keys, 304)),
        ("/201", raw("HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"), FetchError::Status(keys, 201)),
        ("/500", raw("HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n{}"), FetchError::Status(keys, 500)),
        ("/gigabyte", raw("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n{"), FetchError::TooLong(keys)),
        ("/long", ok("", &vec![b' '; MAX_BYTES + 1]), FetchError::TooLong(keys)),
        (
            "/chunked",
            Answer::Endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk, Duration::ZERO),
            FetchError::TooLong(keys),
        ),
        (
            "/endless",
            Answer::Endless("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", vec![b' '; 0x8000], Duration::ZERO),
            FetchError::TooLong(keys),
        ),
        ("/gzip", ok("content-encoding: gzip\r\n", &[0x1F, 0x8B]), FetchError::Malformed(keys)),
    ] {
        server.tell(path, answer);
        assert_eq!(fetched(&at(&format!("http://{address}{path}"))).await, Err(expected), "{path}");
    }
    assert!(other.asked.lock().is_empty(), "no redirect was followed");
    for (path, answer) in [
        ("/short", raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}")),
        ("/nothing", raw("")),
        ("/none", raw("SSH-2.0-OpenSSH_9\r\n")),
        ("/fields", raw(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1000)))),
    ] {
        server.tell(path, answer);
        let found = fetched(&at(&format!("http://{address}{path}"))).await;
        assert!(matches!(&found, Err(FetchError::Connection(_, why)) if !why.is_empty()), "{path}: {found:?}");
    }
    let exact = vec![b' '; MAX_BYTES];
    server.tell("/exact", ok("", &exact));
    assert_eq!(fetched(&at(&format!("http://{address}/exact"))).await.unwrap().text, exact);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_trickles_ends_with_the_deadline() {
    let server = Server::default();
    let address = server.start().await;
    let slow = |beginning| Answer::Endless(beginning, b" ".to_vec(), Duration::from_secs(1));
    server.tell("/body", slow("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"));
    server.tell("/head", slow("HTTP/1.1 200 OK\r\na:"));
    for path in ["/body", "/head"] {
        let start = tokio::time::Instant::now();
        assert_eq!(fetched(&at(&format!("http://{address}{path}"))).await, Err(FetchError::TimedOut), "{path}");
        assert!(start.elapsed() <= DEADLINE + Duration::from_secs(1));
    }
}

/// A server whose metadata is that of the issuer it is asked as.
async fn discovered(path: &'static str, metadata: &str) -> (Result<Fetched, FetchError>, Vec<String>) {
    let server = Server::default();
    let address = server.start().await;
    let issuer = format!("http://{address}/");
    server.tell_json(path, &metadata.replace("ISSUER/", &issuer));
    server.tell("/jwks", ok("", &set(&["a"])));
    (fetched(&source(&issuer)).await, server.paths())
}

/// K01, K09.
#[tokio::test]
async fn metadata_leads_to_keys_only_if_it_is_right() {
    let (openid, oauth) = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server");
    let good = r#"{"issuer":"ISSUER/","jwks_uri":"ISSUER/jwks"}"#;
    let (found, asked) = discovered(openid, good).await;
    assert_eq!((found.unwrap().text, asked), (set(&["a"]), vec![openid.to_owned(), "/jwks".to_owned()]));
    let (found, asked) = discovered(oauth, good).await;
    assert!(found.is_ok());
    assert_eq!(asked, [openid, oauth, "/jwks"]);
    let (found, asked) = discovered("/elsewhere", good).await;
    assert_eq!(found, Err(FetchError::Status(Document::Metadata, 404)));
    assert_eq!(asked, [openid, oauth]);
    let forbidden = FetchError::Forbidden(Document::Keys);
    for (metadata, expected) in [
        (r#"{"issuer":"http://other.example/","jwks_uri":"ISSUER/jwks"}"#, FetchError::WrongIssuer),
        (r#"{"issuer":"ISSUER/x","jwks_uri":"ISSUER/jwks"}"#, FetchError::WrongIssuer),
        ("<html>", FetchError::Malformed(Document::Metadata)),
        (r#"{"issuer":"ISSUER/","jwks_uri":"http://169.254.169.254/latest/meta-data"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"https://169.254.169.254/latest/meta-data"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"https://[::ffff:169.254.169.254]/"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"https://10.0.0.1/"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"https://0.0.0.0/"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"https://0xa9fea9fe/"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"http://keys.example/"}"#, forbidden.clone()),
        (r#"{"issuer":"ISSUER/","jwks_uri":"file:///etc/passwd"}"#, forbidden),
    ] {
        let (found, asked) = discovered(openid, metadata).await;
        assert_eq!((found, asked), (Err(expected), vec![openid.to_owned()]), "{metadata}");
    }
}

#[tokio::test]
async fn plain_http_to_another_machine_is_not_tried() {
    for (source, document) in [
        (source("http://issuer.example/"), Document::Metadata),
        (at("http://issuer.example/jwks"), Document::Keys),
        (source("https://user:password@issuer.example/"), Document::Metadata),
    ] {
        assert_eq!(fetched(&source).await, Err(FetchError::Forbidden(document)));
    }
}

/// An issuer with a certificate of a CA that only `ca_file` names.
#[tokio::test]
async fn a_server_must_prove_who_it_is() {
    let (server, key) = (Server::default(), rcgen::KeyPair::generate().unwrap());
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    server.tell("/jwks", ok("", &set(&["a"])));
    let accepting = server.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(accepting.clone().answer(stream));
            }
        }
    });
    let trusting = |url: &str| KeySource { roots: vec![certificate.der().clone()], ..at(url) };
    let url = format!("https://localhost:{port}/jwks");
    assert_eq!(fetched(&trusting(&url)).await.unwrap().text, set(&["a"]));
    for (source, word) in
        [(at(&url), "UnknownIssuer"), (trusting(&format!("https://127.0.0.1:{port}/jwks")), "not valid for name")]
    {
        let found = fetched(&source).await;
        assert!(matches!(&found, Err(FetchError::Connection(_, why)) if why.contains(word)), "{found:?}");
    }
    assert_eq!(server.asked.lock().len(), 1);
}

/// The environment of a process with threads cannot be changed: another process has it from its start.
#[tokio::test]
async fn a_proxy_of_the_environment_is_asked_but_not_for_this_machine() {
    let (proxy, direct) = (Server::default(), Server::default());
    let (proxy_address, address) = (proxy.start().await, direct.start().await);
    proxy.tell("http://issuer.example/jwks", ok("", &set(&["proxied"])));
    direct.tell("/jwks", ok("", &set(&["direct"])));
    let fetched = tokio::task::spawn_blocking(move || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "issuers::http::tests::in_an_environment_with_a_proxy", "--ignored"])
            .env("http_proxy", format!("http://{proxy_address}"))
            .env(DIRECT, address.to_string())
            .env_remove("no_proxy")
            .env_remove("NO_PROXY")
            .output()
            .unwrap()
    });
    let output = fetched.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(proxy.paths(), ["http://issuer.example/jwks"]);
    assert_eq!(direct.paths(), ["/jwks"]);
}

#[tokio::test]
#[ignore = "run by the test above"]
#[expect(clippy::disallowed_methods, reason = "told by the process that started this one")]
async fn in_an_environment_with_a_proxy() {
    let direct = format!("http://{}/jwks", std::env::var(DIRECT).unwrap());
    let outside = KeySource { allow_http: true, ..at("http://issuer.example/jwks") };
    assert_eq!(fetched(&outside).await.unwrap().text, set(&["proxied"]));
    assert_eq!(fetched(&at(&direct)).await.unwrap().text, set(&["direct"]));
}

const DIRECT: &str = "ADDRESS_OF_THE_SERVER";

#[test]
fn freshness_is_what_the_fields_say() {
    for (cache_control, age, expected) in [
        (&["max-age=300"][..], None, Some(300)),
        (&["public, Max-Age=300, must-revalidate"], None, Some(300)),
        (&["public", "max-age=\"300\""], None, Some(300)),
        (&["max-age=300"], Some("100"), Some(200)),
        (&["max-age=300"], Some("1000"), Some(0)),
        (&["max-age=300"], Some("x"), Some(300)),
        (&["no-store"], None, Some(0)),
        (&["max-age=300, no-cache"], None, Some(0)),
        (&["max-age=-1"], None, None),
        (&["max-age="], None, None),
        (&["s-maxage=300"], None, None),
        (&[], None, None),
    ] {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, value.parse().unwrap());
        }
        age.map(|age| headers.insert(AGE, age.parse().unwrap()));
        assert_eq!(fresh_for(&headers), expected.map(Duration::from_secs), "{cache_control:?}");
    }
}
