use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn proxies(networks: &str) -> TrustedProxies {
    TrustedProxies::new(networks.split_whitespace().map(|network| network.parse().unwrap()).collect(), false)
}

/// A header a line.
fn headers(lines: &str) -> HeaderMap {
    let fields = lines.lines().map(|line| line.split_once(':').unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = http::HeaderName::from_bytes(name.trim().as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.trim_matches(' ').as_bytes()).unwrap());
    }
    headers
}

/// `10.0.0.0/8` and `fd00::/8` are trusted; the connection comes from 10.0.0.1.
fn through_proxy(lines: &str) -> Client {
    let peer = Peer::Network(address("10.0.0.1"));
    Client::of(peer, &proxies("10.0.0.0/8 fd00::/8"), &headers(lines))
}

#[test]
fn what_an_untrusted_peer_says_is_not_read() {
    let lines = "x-forwarded-for: 1.2.3.4\nx-real-ip: 1.2.3.4\nforwarded: for=1.2.3.4;proto=https\n\
        x-forwarded-proto: https\nx-forwarded-host: evil\nx-forwarded-port: 443\nx-forwarded-prefix: /x";
    let trusted = proxies("10.0.0.0/8");
    for (peer, known, proxies) in [
        (Peer::Network(address("192.0.2.7")), Some("192.0.2.7"), &trusted),
        (Peer::Network(address("::ffff:192.0.2.7")), Some("192.0.2.7"), &trusted),
        (Peer::Network(address("127.0.0.1")), Some("127.0.0.1"), &TrustedProxies::default()),
        (Peer::Unix, None, &trusted),
        (Peer::Unknown, None, &TrustedProxies::new(trusted.networks.clone(), true)),
    ] {
        let client = Client::of(peer, proxies, &headers(lines));
        assert_eq!(client, Client { address: known.map(address), ..Client::default() }, "{peer:?}");
    }
}

#[test]
fn trusted_are_networks_and_whoever_opens_the_socket() {
    let trusted = TrustedProxies::new(proxies("10.0.0.0/8").networks, true);
    let said = headers("x-forwarded-for: 1.2.3.4");
    for peer in [Peer::Network(address("10.9.9.9")), Peer::Network(address("::ffff:10.9.9.9")), Peer::Unix] {
        let client = Client::of(peer, &trusted, &said);
        assert!(client.through_proxy, "{peer:?}");
        assert_eq!(client.address, Some(address("1.2.3.4")), "{peer:?}");
    }
}

#[test]
fn the_address_is_the_last_one_that_is_no_proxys() {
    let hops = |count| format!("x-forwarded-for: 1.2.3.4{}", ", 10.0.0.2".repeat(count));
    for (lines, expected) in [
        ("", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4", "1.2.3.4"),
        ("x-forwarded-for: 127.0.0.1, 1.2.3.4", "1.2.3.4"),
        ("x-forwarded-for: 6.6.6.6, 1.2.3.4, 10.0.0.3,10.0.0.2", "1.2.3.4"),
        ("x-forwarded-for: 6.6.6.6, 1.2.3.4, fd00::5, ::ffff:10.0.0.2", "1.2.3.4"),
        ("x-forwarded-for: 10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("x-forwarded-for: 6.6.6.6, 1.2.3.4\nx-forwarded-for: 10.0.0.2", "1.2.3.4"),
        ("x-forwarded-for: 1.2.3.4\nx-forwarded-for: 6.6.6.6", "6.6.6.6"),
        // Forms.
        ("x-forwarded-for:   1.2.3.4  ", "1.2.3.4"),
        ("x-forwarded-for: 1.2.3.4:56789", "1.2.3.4"),
        ("x-forwarded-for: 2001:db8::1", "2001:db8::1"),
        ("x-forwarded-for: [2001:db8::1]", "2001:db8::1"),
        ("x-forwarded-for: [2001:db8::1]:443", "2001:db8::1"),
        ("x-forwarded-for: ::ffff:1.2.3.4", "1.2.3.4"),
        // What is no address ends the search.
        ("x-forwarded-for: ", "10.0.0.1"),
        ("x-forwarded-for: unknown", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4, unknown", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4, , 10.0.0.2", "10.0.0.2"),
        ("x-forwarded-for: 1.2.3.4,", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4, é, 10.0.0.2", "10.0.0.2"),
        ("x-forwarded-for: 1.2.3.4:", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4:0", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4:65536", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4:+80", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3.4 6.6.6.6", "10.0.0.1"),
        ("x-forwarded-for: 01.2.3.4", "10.0.0.1"),
        ("x-forwarded-for: 0x1.2.3.4", "10.0.0.1"),
        ("x-forwarded-for: 1.2.3", "10.0.0.1"),
        ("x-forwarded-for: [1.2.3.4]", "10.0.0.1"),
        ("x-forwarded-for: [2001:db8::1", "10.0.0.1"),
        ("x-forwarded-for: [2001:db8::1]x", "10.0.0.1"),
        ("x-forwarded-for: fe80::1%eth0", "10.0.0.1"),
        ("x-forwarded-for: \"1.2.3.4\"", "10.0.0.1"),
        ("x_forwarded_for: 1.2.3.4", "10.0.0.1"),
        // As many hops as are followed, and one more.
        (&hops(MAX - 1), "1.2.3.4"),
        (&hops(MAX), "10.0.0.2"),
    ] {
        let client = through_proxy(lines);
        assert_eq!(client.address, Some(address(expected)), "{lines}");
        assert!(client.through_proxy);
    }
}

const MAX: usize = 50;

#[test]
fn forwarded_and_x_real_ip_stand_in() {
    for (lines, expected) in [
        ("forwarded: for=1.2.3.4", "1.2.3.4"),
        ("forwarded: for=6.6.6.6, For=\"1.2.3.4:80\";proto=https;by=_x , for=10.0.0.2", "1.2.3.4"),
        ("forwarded: proto=http;for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("forwarded: for=6.6.6.6\nforwarded: for=1.2.3.4", "1.2.3.4"),
        ("forwarded: for=\"_gazonk\";proto=https", "10.0.0.1"),
        ("forwarded: for=unknown, for=10.0.0.2", "10.0.0.2"),
        ("forwarded: for=1.2.3.4, proto=http, for=10.0.0.2", "10.0.0.2"),
        ("forwarded: for=1.2.3.4;for=6.6.6.6", "10.0.0.1"),
        ("forwarded: for=\"1.2.3.4\\\"", "10.0.0.1"),
        ("forwarded: for=\"1.2.\\3.4\"", "10.0.0.1"),
        // A quote that the client left open swallows nothing of what the proxy says in a field of its own.
        ("forwarded: for=\"6.6.6.6\nforwarded: for=1.2.3.4", "1.2.3.4"),
        ("forwarded: for=\"6.6.6.6, for=1.2.3.4", "10.0.0.1"),
        ("forwarded: by=\"a,for=6.6.6.6;\";for=1.2.3.4", "1.2.3.4"),
        ("forwarded: xfor=6.6.6.6", "10.0.0.1"),
        ("forwarded: ", "10.0.0.1"),
        ("x-real-ip: 1.2.3.4", "1.2.3.4"),
        ("x-real-ip: 1.2.3.4\nx-real-ip: 6.6.6.6", "10.0.0.1"),
        ("x-real-ip: 1.2.3.4, 6.6.6.6", "10.0.0.1"),
        // Only where there is nothing better.
        ("x-real-ip: 6.6.6.6\nx-forwarded-for: 1.2.3.4", "1.2.3.4"),
        ("x-real-ip: 6.6.6.6\nforwarded: for=1.2.3.4", "1.2.3.4"),
        ("x-real-ip: 6.6.6.6\nx-forwarded-for: unknown", "10.0.0.1"),
        // Two lists.
        ("x-forwarded-for: 1.2.3.4\nforwarded: for=1.2.3.4", "1.2.3.4"),
        ("x-forwarded-for: 6.6.6.6, 1.2.3.4\nforwarded: for=\"1.2.3.4:99\", for=10.0.0.2", "1.2.3.4"),
        ("x-forwarded-for: 1.2.3.4\nforwarded: for=6.6.6.6", "1.2.3.4"),
        ("x-forwarded-for: 1.2.3.4\nforwarded: for=_hidden", "1.2.3.4"),
        ("x-forwarded-for: 1.2.3.4\nforwarded: proto=https", "1.2.3.4"),
    ] {
        assert_eq!(through_proxy(lines).address, Some(address(expected)), "{lines}");
    }
}

#[test]
fn other_words_are_taken_if_they_are_plain() {
    type Found = (Option<&'static str>, Option<String>, Option<u16>, Option<String>);
    let found = |lines: &str| -> Found {
        let client = through_proxy(lines);
        let text = |value: Option<HeaderValue>| value.map(|value| value.to_str().unwrap().to_owned());
        (client.proto, text(client.host), client.port, text(client.prefix))
    };
    for (name, good, bad) in [
        ("proto", "http https HTTPS", "ftp,https http,http://,wss,https\u{e9}"),
        (
            "host",
            "a.example a.example:8443 A-b_c.example 192.0.2.1:80 [2001:db8::1] [2001:db8::1]:443",
            "a b,a/b,a@b,a:,a:b,:80,a:0,a:65536,a:80:80,[::1,[1.2.3.4],[::1]x,[],é.example,a\\b,a?b,a%2eb",
        ),
        ("port", "80 65535 8443", "0,65536,+80,80a,-1,080808,"),
        ("prefix", "/ /api /api/v1/ /a.b/~c", "api,//evil,/a//b,/..,/a/../b,/a%2fb,/a\\b,/a b,/a?b,/a#b,http://x,/é,"),
    ] {
        for value in good.split(' ') {
            let (proto, host, port, prefix) = found(&format!("x-forwarded-{name}: {value}"));
            let port = port.map(|port| port.to_string());
            let all = [proto.map(str::to_owned), host, port, prefix];
            let value = if name == "proto" { value.to_lowercase() } else { value.to_owned() };
            assert_eq!(all.into_iter().flatten().collect::<Vec<_>>(), std::slice::from_ref(&value), "{name}");
            let (twice, list) = (format!("x-forwarded-{name}: {value}\n").repeat(2), format!("{value},{value}"));
            assert_eq!(found(&twice), (None, None, None, None), "{name}");
            assert_eq!(found(&format!("x-forwarded-{name}: {list}")), (None, None, None, None), "{name}");
        }
        for value in bad.split(',') {
            assert_eq!(found(&format!("x-forwarded-{name}: {value}")), (None, None, None, None), "{name}: {value}");
        }
    }
}
