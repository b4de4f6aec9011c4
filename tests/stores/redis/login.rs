//! Passwords, ACL users, TLS.

use std::time::Duration;

use doorward::base::{Clock, Secret, SystemClock};
use doorward::revocation::changes::Changes;
use doorward::revocation::redis::{Admission, Attempted, Authorities, Borne, Login, Mode, Outcome, State};
use doorward::revocation::replicas::ReplicaId;
use doorward::revocation::{Announcement, Applied, Bucket, RedisSettings, Replicas, Store, StoreError, StreamId, Swap};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::deployments::Cluster;
use super::server::{Maker, Server, free_place, settings, store};
use crate::fixtures::{all_marks, at, family, jti, sid};

const PASSWORD: &str = "correct-horse-Qg7";

/// What doorward's user needs, as the README says it.
fn acl() -> Vec<&'static str> {
    let line = include_str!("../../../README.md")
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER doorward on >PASSWORD "));
    let rules: Vec<_> = line.unwrap().split(' ').collect();
    assert_eq!(rules[..2], ["~doorward:*", "-@all"]);
    rules
}

/// What all doorward does there, by a user with these rules alone.
async fn do_everything(settings: &RedisSettings) {
    let store = store(settings);
    store.create(sid(1), family()).await.unwrap();
    assert_eq!(store.swap(sid(1), &family(), family().revoke()).await, Ok(Swap::Done));
    store.mark(jti(1)).await.unwrap();
    store.restore(&[jti(2).into()]).await.unwrap();
    assert_eq!(all_marks(&store, 10).await.len(), 2);
    let bucket = Bucket::of(&jti(1).key());
    let mut feed = store.connect(&[bucket]).await.unwrap();
    feed.look(bucket).await.unwrap();
    assert_eq!(feed.page(bucket, None, 10).await.unwrap().len(), 1);
    assert_eq!(feed.read(&[(bucket, StreamId::default())], 10).await.unwrap().len(), 1);
    store.sweep(at(0)).await.unwrap();
    assert!(store.latest_access_exp().await.unwrap() >= at(100));
    let borne = Some(Borne { failures: 10, slot: 1000 });
    let (user, address) = ([1; 16], [2; 16]);
    let attempted = Attempted {
        kind: "logins",
        id: [3; 8],
        user,
        address,
        known: borne,
        per_user: borne,
        per_address: borne,
        now: None,
        until: SystemClock.now().plus(Duration::from_secs(30)),
    };
    for outcome in [Outcome::Untold, Outcome::Succeeded, Outcome::Failed] {
        let Admission::Admitted { is_known } = store.admit(&attempted).await.unwrap() else { panic!("{outcome:?}") };
        store.settle(&attempted, is_known, outcome).await.unwrap();
    }
    let announcement = Announcement { id: ReplicaId([1; 16]), name: "pod".to_owned(), applied: Applied::default() };
    assert_eq!(store.announce(&announcement).await, Ok(1));
    assert_eq!(store.roll(bucket).await.unwrap().replicas.len(), 1);
    store.leave(announcement.id).await.unwrap();
    let findings = store.examine(&SystemClock).await;
    let permissions = findings.iter().filter(|finding| finding.check == "permissions");
    for finding in permissions {
        assert_eq!(finding.state, State::Fine, "{finding:?}");
    }
}

fn login(username: Option<&str>, password: &str) -> Login {
    Login { username: username.map(str::to_owned), password: Secret::new(password) }
}

#[tokio::test]
async fn a_password_is_needed_and_is_not_told() {
    let server = Server::start(Maker::Redis, &[]);
    let settings = settings(&[&server], Mode::Single);
    server.ask::<()>(&["CONFIG", "SET", "requirepass", PASSWORD]);
    for wrong in [None, Some(login(None, "wrong-password-Xx1")), Some(login(Some("nobody"), PASSWORD))] {
        let store = store(&RedisSettings { login: wrong, ..settings.clone() });
        let error = store.mark(jti(1)).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("store.redis.password")), "{error}");
        let told = format!("{error} {error:?} {store:?}");
        assert!(!told.contains(PASSWORD) && !told.contains("wrong-password"), "{told}");
    }
    let right = RedisSettings { login: Some(login(None, PASSWORD)), ..settings };
    store(&right).mark(jti(1)).await.unwrap();
    assert!(!format!("{right:?}").contains(PASSWORD));
}

#[tokio::test]
async fn an_acl_user_needs_no_more_than_is_documented() {
    let server = Server::start(Maker::Redis, &[]);
    server.ask::<()>(&[&["ACL", "SETUSER", "door", "on", &format!(">{PASSWORD}")], &acl()[..]].concat());
    server.ask::<()>(&["ACL", "SETUSER", "mute", "on", &format!(">{PASSWORD}"), "~*", "+@connection", "+role"]);
    let settings = settings(&[&server], Mode::Single);
    let mute = store(&RedisSettings { login: Some(login(Some("mute"), PASSWORD)), ..settings.clone() });
    let error = mute.mark(jti(1)).await.unwrap_err();
    assert!(error.to_string().contains("NOPERM"), "{error}");
    let own = RedisSettings { login: Some(login(Some("door"), PASSWORD)), prefix: "doorward:".to_owned(), ..settings };
    do_everything(&own).await;
}

#[tokio::test]
async fn an_acl_user_of_a_cluster_needs_no_more_either() {
    let all = Cluster::start(Maker::Redis);
    for node in &all.nodes {
        node.ask::<()>(&[&["ACL", "SETUSER", "door", "on", &format!(">{PASSWORD}")], &acl()[..]].concat());
    }
    let login = Some(login(Some("door"), PASSWORD));
    do_everything(&RedisSettings { login, prefix: "doorward:".to_owned(), ..all.settings() }).await;
}

/// A CA, and a key and certificate of its for `host`, in PEM.
pub(super) fn certificates(host: &str) -> (Vec<u8>, String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let pem = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der));
    let [authority_pem, certificate] = [authority.der(), certificate.der()].map(|der| pem("CERTIFICATE", der));
    (authority.der().to_vec(), authority_pem, certificate, pem("PRIVATE KEY", &key.serialize_der()))
}

#[tokio::test]
async fn tls_is_verified() {
    let (host, port) = free_place();
    let directory = tempfile::tempdir().unwrap();
    let (authority, authority_pem, certificate, key) = certificates(&host.to_string());
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, cert, key) = (path("ca", &authority_pem), path("cert", &certificate), path("key", &key));
    let port_text = port.to_string();
    let tls = ["--tls-port", &port_text, "--port", "0", "--tls-auth-clients", "no"];
    let files = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &cert, "--tls-key-file", &key];
    let server = Server::start_at(Maker::Redis, (host, port), &[&tls[..], &files].concat());
    let plain = settings(&[&server], Mode::Single);
    let with = |authority: Vec<u8>| RedisSettings { tls: Some(Authorities(vec![authority])), ..plain.clone() };
    store(&with(authority.clone())).mark(jti(1)).await.unwrap();
    let (stranger, ..) = certificates(&host.to_string());
    let error = store(&with(stranger)).mark(jti(1)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("no TLS")), "{error}");
    assert!(store(&plain).mark(jti(1)).await.is_err(), "without TLS");
    let mut elsewhere = with(authority);
    elsewhere.servers[0].host = "localhost".to_owned();
    assert!(store(&elsewhere).mark(jti(1)).await.is_err(), "another name");
}
