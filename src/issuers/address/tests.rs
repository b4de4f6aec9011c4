use super::*;

#[test]
fn a_place_is_what_the_registries_say_however_it_is_spelled() {
    for (place_of, addresses) in [
        (
            Place::Public,
            &["8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"][..],
        ),
        (
            Place::Loopback,
            &["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
        ),
        (Place::LinkLocal, &["169.254.169.254", "fe80::1", "febf::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]),
        (
            Place::Private,
            &[
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "198.18.0.1",
                "fc00::1",
                "fd12::1",
                "::ffff:10.0.0.1",
                "fec0::1",
            ],
        ),
        (
            Place::Nowhere,
            &[
                "0.0.0.0",
                "0.1.2.3",
                "224.0.0.1",
                "255.255.255.255",
                "240.0.0.1",
                "::",
                "ff02::1",
                "2001:0:1::",
                "::ffff:0.0.0.0",
            ],
        ),
    ] {
        for address in addresses {
            assert_eq!(place(address.parse().unwrap()), place_of, "{address}");
        }
    }
}

#[test]
fn metadata_leads_only_where_its_issuer_is() {
    let (public, loopback, metadata) = ("8.8.8.8", "127.0.0.1", "169.254.169.254");
    for (issuer, keys, admitted) in [
        (public, public, true),
        (public, loopback, false),
        (public, metadata, false),
        (public, "10.0.0.1", false),
        (loopback, loopback, true),
        (loopback, "::1", true),
        (loopback, public, true),
        (loopback, metadata, false),
        ("10.0.0.1", "192.168.0.1", true),
        ("10.0.0.1", loopback, false),
        ("10.0.0.1", metadata, false),
        ("0.0.0.0", "0.0.0.0", false),
    ] {
        let mut places = Places::default();
        places.add(issuer.parse().unwrap());
        assert_eq!(places.admit(keys.parse().unwrap()), admitted, "{issuer} → {keys}");
    }
}

#[test]
fn plain_http_does_not_leave_the_machine_and_nothing_is_sent_with_credentials() {
    for (url, always, with_http) in [
        ("https://issuer.example/", true, true),
        ("http://issuer.example/", false, true),
        ("http://localhost:1/", true, true),
        ("http://127.9.9.9/", true, true),
        ("http://[::1]:1/", true, true),
        ("http://0x7f.1/", true, true),
        ("http://localhost.example/", false, true),
        ("http://127.0.0.1.example/", false, true),
        ("http://10.0.0.1/", false, true),
        ("https://user:password@issuer.example/", false, false),
        ("https://user@issuer.example/", false, false),
        ("file:///etc/passwd", false, false),
        ("ftp://issuer.example/", false, false),
        ("data:application/json,{}", false, false),
    ] {
        let parsed = Url::parse(url).unwrap();
        assert_eq!((may_be_fetched(&parsed, false), may_be_fetched(&parsed, true)), (always, with_http), "{url}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_its_addresses() {
    let resolver = |host: &str, within| Resolver { host: host.to_owned(), within, found: Arc::default() };
    let asked = |resolver: Resolver| resolver.addresses("localhost".to_owned());
    let outside = asked(resolver("localhost", Some(Places::default()))).await.unwrap_err();
    assert!(outside.is::<NotAdmitted>());
    let operators = resolver("localhost", None);
    assert!(!asked(operators.clone()).await.unwrap().is_empty());
    let places = operators.found.lock().clone();
    assert!(places.admit(Ipv4Addr::LOCALHOST.into()));
    assert!(asked(resolver("localhost", Some(places))).await.is_ok(), "where its issuer is");
    let proxied = resolver("issuer.example", Some(Places::default()));
    assert!(asked(proxied.clone()).await.is_ok(), "the proxy is the operator's");
    assert_eq!(*proxied.found.lock(), Places::default(), "and says nothing of the issuer");
}
