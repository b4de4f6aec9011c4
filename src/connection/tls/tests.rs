use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::base::Secret;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca() -> Ca {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate that `ca` signed, and its key.
fn leaf(ca: &Ca, change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, Secret) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    change(&mut params);
    (params.signed_by(&key, ca).unwrap().der().to_vec(), Secret::new(key.serialize_der()))
}

fn settings(ca: &Ca, client_ca: Option<&Ca>) -> TlsSettings {
    let (certificate, key) = leaf(ca, |_| ());
    TlsSettings {
        certificates: vec![certificate],
        key,
        client_ca: client_ca.map(|ca| ca.der().to_vec()).into_iter().collect(),
    }
}

/// A client that trusts `ca`, shows `identity` and may resume sessions.
fn client(
    ca: &Ca,
    identity: Option<(Vec<u8>, Secret)>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let roots = material::roots(&[ca.der().to_vec()]).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.expose().to_vec()).unwrap();
            builder.with_client_auth_cert(vec![CertificateDer::from(certificate)], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// A handshake of the two over memory, and a byte there and back, so that tickets arrive; the client's error if there is one.
async fn shake(server: &ServerTls, client: &Arc<ClientConfig>) -> std::io::Result<TlsStream<tokio::io::DuplexStream>> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let acceptor = server.acceptor();
    let served = tokio::spawn(async move {
        let mut stream = acceptor.accept(ours).await?;
        let byte = stream.read_u8().await?;
        stream.write_u8(byte).await?;
        stream.flush().await
    });
    let mut stream =
        TlsConnector::from(Arc::clone(client)).connect(ServerName::try_from("localhost").unwrap(), theirs).await?;
    stream.write_u8(7).await?;
    stream.flush().await?;
    let echoed = stream.read_u8().await?;
    assert_eq!(echoed, 7);
    served.await.unwrap()?;
    Ok(stream)
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

#[tokio::test]
async fn both_versions_are_spoken_with_http2_first() {
    let ca = ca();
    let server = ServerTls::new(&settings(&ca, None)).unwrap();
    for (version, known) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let stream = shake(&server, &Arc::new(client(&ca, None, &[version]))).await.unwrap();
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(known));
        assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
    }
    for (offered, chosen) in [(&b"http/1.1"[..], Some(&b"http/1.1"[..])), (b"", None)] {
        let mut config = client(&ca, None, &VERSIONS);
        config.alpn_protocols.retain(|protocol| protocol == offered);
        let stream = shake(&server, &Arc::new(config)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
}

#[tokio::test]
async fn a_session_is_resumed_until_the_certificate_is_replaced_and_never_early() {
    let ca = ca();
    for version in VERSIONS {
        let server = ServerTls::new(&settings(&ca, None)).unwrap();
        let mut config = client(&ca, None, &[version]);
        config.enable_early_data = true;
        let config = Arc::new(config);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let stream = shake(&server, &config).await.unwrap();
            assert!(!stream.get_ref().1.is_early_data_accepted());
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed], "{version:?}");
        assert_eq!(server.replace(&settings(&ca, None)), Ok(true));
        let stream = shake(&server, &config).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full), "{version:?}");
    }
}

#[tokio::test]
async fn a_client_ca_asks_for_a_certificate_at_every_handshake() {
    let (ca, clients, others) = (ca(), ca(), ca());
    for version in VERSIONS {
        let mut settings = settings(&ca, Some(&clients));
        let server = ServerTls::new(&settings).unwrap();
        let with = |identity| Arc::new(client(&ca, identity, &[version]));
        let good = with(Some(leaf(&clients, |_| ())));
        for _ in 0..2 {
            let stream = shake(&server, &good).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full), "{version:?}");
        }
        let expired = leaf(&clients, |params| params.not_after = date_time_ymd(2001, 1, 1));
        for (identity, what) in [(None, "none"), (Some(leaf(&others, |_| ())), "another's"), (Some(expired), "expired")]
        {
            assert!(shake(&server, &with(identity)).await.is_err(), "{version:?}: {what}");
        }
        settings.client_ca = vec![others.der().to_vec()];
        assert_eq!(server.replace(&settings), Ok(true));
        assert!(shake(&server, &good).await.is_err(), "{version:?}: its CA is gone");
    }
}

#[tokio::test]
async fn what_cannot_serve_replaces_nothing() {
    let ca = ca();
    let good = settings(&ca, None);
    let server = ServerTls::new(&good).unwrap();
    let config = Arc::new(client(&ca, None, &VERSIONS));
    assert_eq!(server.replace(&good), Ok(false));
    let broken = TlsSettings { key: settings(&ca, None).key, ..good };
    assert_eq!(server.replace(&broken), Err(TlsError::Mismatch));
    shake(&server, &config).await.unwrap();
    assert_eq!(format!("{server:?}"), "ServerTls { .. }");
}

#[test]
fn what_cannot_serve_is_named_with_its_file() {
    let ca = ca();
    let good = settings(&ca, Some(&ca));
    let junk = || b"junk".to_vec();
    let first = good.certificates.clone();
    let trailing = vec![[first.concat(), junk()].concat()];
    let cases = [
        (TlsSettings { certificates: vec![], ..good.clone() }, TlsError::NoCertificate, TlsFile::Certificate),
        (TlsSettings { certificates: vec![junk()], ..good.clone() }, TlsError::Certificate(1), TlsFile::Certificate),
        (TlsSettings { certificates: trailing, ..good.clone() }, TlsError::Certificate(1), TlsFile::Certificate),
        (
            TlsSettings { certificates: [first, vec![junk()]].concat(), ..good.clone() },
            TlsError::Certificate(2),
            TlsFile::Certificate,
        ),
        (TlsSettings { key: Secret::new(junk()), ..good.clone() }, TlsError::Key, TlsFile::Key),
        (TlsSettings { key: settings(&ca, None).key, ..good.clone() }, TlsError::Mismatch, TlsFile::Key),
        (TlsSettings { client_ca: vec![junk()], ..good.clone() }, TlsError::Authority(1), TlsFile::Authority),
    ];
    for (settings, expected, file) in cases {
        let error = check(&settings).unwrap_err();
        assert_eq!((error.file(), &error), (file, &expected));
        assert!(error.to_string().contains(": "), "no cure: {error}");
    }
    assert_eq!(check(&good), Ok(()));
}

/// Whoever has nothing more to write waits for the client; what TLS has made of the last write must not wait with it.
#[tokio::test]
async fn what_tls_holds_back_leaves_while_the_next_is_awaited() {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use tokio::io::AsyncWrite;

    let ca = ca();
    let server = ServerTls::new(&settings(&ca, None)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    let connector = TlsConnector::from(Arc::new(client(&ca, None, &[&TLS13])));
    let name = ServerName::try_from("localhost").unwrap();
    let (ours, theirs) = tokio::join!(server.acceptor().accept(ours), connector.connect(name, theirs));
    let time = std::time::Duration::from_secs(10);
    let socket = crate::connection::socket::Socket::Tls(Box::new(ours.unwrap()));
    let mut connection = crate::connection::stream::Connection::new(socket, None, time);
    let mut context = Context::from_waker(Waker::noop());
    let mut sent = b"HTTP/1.1 200 OK\r\n\r\n".len();
    connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    while let Poll::Ready(written) = Pin::new(&mut connection).poll_write(&mut context, &[0; 8 * 1024]) {
        sent += written.unwrap();
    }
    tokio::spawn(async move { connection.read_u8().await });
    let mut theirs = theirs.unwrap();
    tokio::time::timeout(time, theirs.read_exact(&mut vec![0; sent])).await.expect("in time").unwrap();
}
