use std::path::PathBuf;

use pingora::protocols::ALPN;
use pingora::upstreams::peer::Peer as _;
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::base::Secret;
use crate::proxy::{UpstreamTls, upstream_tls};

fn settings(url: UpstreamUrl, tls: Option<UpstreamTls>) -> ConnectSettings {
    ConnectSettings {
        url,
        connect_timeout: Duration::from_secs(1),
        read_timeout: Duration::from_mins(1),
        idle_timeout: Duration::from_secs(4),
        http2: false,
        tls,
    }
}

fn http(host: &str) -> UpstreamUrl {
    UpstreamUrl::Http { host: host.to_owned(), port: 8000 }
}

fn identity() -> (Vec<Vec<u8>>, Secret) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (vec![certificate.der().to_vec()], Secret::new(key.serialize_der()))
}

fn tls(server_name: &str) -> UpstreamTls {
    let (roots, _) = identity();
    UpstreamTls { server_name: server_name.to_owned(), roots, identity: None }
}

fn peer(settings: ConnectSettings) -> Box<HttpPeer> {
    Upstream::new(settings).unwrap().peer(&[], Duration::ZERO).unwrap()
}

#[test]
fn a_plain_peer_has_its_timeouts() {
    for url in [http("127.0.0.1"), http("::1"), UpstreamUrl::Unix(PathBuf::from("/run/api.sock"))] {
        let peer = peer(settings(url, None));
        assert!(!peer.tls());
        assert_eq!(peer.options.connection_timeout, Some(Duration::from_secs(1)));
        assert_eq!(peer.options.total_connection_timeout, Some(Duration::from_secs(3)));
        assert_eq!(peer.options.read_timeout, Some(Duration::from_mins(1)));
        assert_eq!(peer.options.idle_timeout, Some(Duration::from_secs(4)));
        assert_eq!(peer.options.alpn, ALPN::H1);
    }
}

#[test]
fn a_later_attempt_waits_for_what_is_left() {
    let upstream = Upstream::new(settings(http("127.0.0.1"), None)).unwrap();
    let elsewhere = [SocketAddr::from(([127, 0, 0, 9], 8000))];
    let peer = upstream.peer(&elsewhere, Duration::from_millis(300)).unwrap();
    assert_eq!(peer.options.connection_timeout, Some(Duration::from_millis(300)));
    assert_eq!(peer.options.total_connection_timeout, Some(Duration::from_millis(300)));
    let peer = upstream.peer(&elsewhere, Duration::ZERO).unwrap();
    assert_eq!(
        peer.options.connection_timeout,
        Some(Duration::from_millis(100)),
        "with nothing left none could succeed"
    );
    let peer = upstream.peer(&elsewhere, Duration::from_secs(2)).unwrap();
    assert_eq!(peer.options.connection_timeout, Some(Duration::from_secs(1)));
}

#[test]
fn http2_is_all_or_nothing() {
    let peer = peer(ConnectSettings { http2: true, ..settings(http("127.0.0.1"), None) });
    assert_eq!((peer.options.alpn.get_min_http_version(), peer.options.alpn.get_max_http_version()), (2, 2));
    assert_eq!(peer.options.max_h2_streams, 100);
    assert!(peer.options.h2_ping_interval.is_some());
}

#[test]
fn tls_is_always_verified() {
    let (certificates, key) = identity();
    let both = UpstreamTls { identity: Some((certificates, key)), ..tls("api.example.com") };
    let peer = peer(settings(http("127.0.0.1"), Some(both)));
    assert!(peer.tls() && peer.verify_cert() && peer.verify_hostname());
    assert_eq!(peer.sni(), "api.example.com");
    assert_eq!(peer.get_ca().unwrap().len(), 1);
    assert!(peer.get_client_cert_key().is_some());
}

#[test]
fn another_configuration_shares_no_connection() {
    let hash = |tls| peer(settings(http("127.0.0.1"), tls)).reuse_hash();
    assert_ne!(hash(Some(tls("api.example.com"))), hash(Some(tls("api.example.com"))), "another CA");
    let upstream = Upstream::new(settings(http("127.0.0.1"), None)).unwrap();
    let [one, two] = [0, 1].map(|_| upstream.peer(&[], Duration::ZERO).unwrap().reuse_hash());
    assert_eq!(one, two);
}

#[test]
fn what_cannot_be_used_is_no_panic() {
    let junk = || b"junk".to_vec();
    let (certificates, _) = identity();
    let cases = [
        (tls(""), TlsError::Name(String::new())),
        (tls("not a name"), TlsError::Name("not a name".to_owned())),
        (UpstreamTls { roots: vec![junk()], ..tls("a") }, TlsError::Authority(1)),
        (UpstreamTls { identity: Some((vec![], Secret::new(junk()))), ..tls("a") }, TlsError::NoCertificate),
        (UpstreamTls { identity: Some((vec![junk()], Secret::new(junk()))), ..tls("a") }, TlsError::Certificate(1)),
        (UpstreamTls { identity: Some((certificates.clone(), Secret::new(junk()))), ..tls("a") }, TlsError::Key),
        (UpstreamTls { identity: Some((certificates, identity().1)), ..tls("a") }, TlsError::Mismatch),
    ];
    for (tls, expected) in cases {
        assert_eq!(upstream_tls::check(&tls), Err(expected.clone()));
        assert_eq!(Upstream::new(settings(http("a"), Some(tls))).map(drop), Err(expected));
    }
    for name in ["api.example.com", "127.0.0.1", "::1", "localhost"] {
        assert_eq!(upstream_tls::check(&tls(name)), Ok(()), "{name}");
    }
    let nowhere = Upstream::new(settings(http("unresolved.example"), None)).unwrap();
    assert_eq!(nowhere.peer(&[], Duration::ZERO).map(drop), Err(Unresolved));
}

#[tokio::test]
async fn a_name_is_resolved_into_all_its_addresses() {
    let upstream = Upstream::new(settings(http("localhost"), None)).unwrap();
    upstream.resolve_first().await;
    let first = upstream.peer(&[], Duration::ZERO).unwrap();
    assert_eq!(first.address().as_inet().unwrap(), &SocketAddr::from(([127, 0, 0, 1], 8000)), "IPv4 first");
}

#[test]
fn addresses_are_taken_over_with_another_way_to_connect() {
    let known = SocketAddr::from(([192, 0, 2, 7], 8000));
    let before = Upstream::new(settings(http("api.example"), None)).unwrap();
    let Target::Addresses(common, addresses) = &before.target else { panic!("it has a name") };
    addresses.replace([known], |address| common.peer(address));
    let same = ConnectSettings { read_timeout: Duration::from_secs(7), ..settings(http("api.example"), None) };
    let after = Upstream::new(same).unwrap();
    after.take_over(&before);
    let peer = after.peer(&[], Duration::ZERO).unwrap();
    assert_eq!(peer.address().as_inet(), Some(&known));
    assert_eq!(peer.options.read_timeout, Some(Duration::from_secs(7)));
    let other = Upstream::new(settings(http("other.example"), None)).unwrap();
    other.take_over(&before);
    assert_eq!(other.peer(&[], Duration::ZERO).map(drop), Err(Unresolved), "those of another host are not");
}
