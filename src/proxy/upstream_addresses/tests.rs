use super::*;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 80))
}

fn addresses(last: &[u8]) -> Addresses {
    let addresses = Addresses::default();
    set(&addresses, last);
    addresses
}

fn set(addresses: &Addresses, last: &[u8]) -> bool {
    let all: Vec<SocketAddr> = last.iter().copied().map(address).collect();
    #[expect(clippy::disallowed_methods, reason = "given a socket address it neither resolves nor panics")]
    addresses.replace(all, |address| HttpPeer::new(address, false, String::new()))
}

/// The last byte of what comes next, for a request that has tried these.
fn next(addresses: &Addresses, tried: &[u8]) -> Option<u8> {
    let tried: Vec<SocketAddr> = tried.iter().copied().map(address).collect();
    let peer = addresses.next(&tried)?;
    match peer._address.as_inet()?.ip() {
        std::net::IpAddr::V4(ip) => ip.octets().last().copied(),
        std::net::IpAddr::V6(_) => None,
    }
}

fn turns(addresses: &Addresses, count: usize) -> Vec<u8> {
    (0..count).filter_map(|_| next(addresses, &[])).collect()
}

#[test]
fn all_have_their_turn() {
    assert_eq!(next(&addresses(&[]), &[]), None);
    assert_eq!(turns(&addresses(&[1]), 3), [1, 1, 1]);
    assert_eq!(turns(&addresses(&[1, 2, 3]), 4), [1, 2, 3, 1]);
}

#[test]
fn an_address_that_was_tried_is_not_tried_again() {
    let two = addresses(&[1, 2]);
    for _ in 0..4 {
        assert_eq!(next(&two, &[1]), Some(2));
    }
    assert_eq!(next(&two, &[1, 2]), None);
    assert_eq!(next(&addresses(&[1]), &[1]), None);
    assert!(two.has_other_than(&[address(1)]) && !two.has_other_than(&[address(1), address(2)]));
}

#[test]
fn an_address_that_failed_comes_last_until_it_is_forgiven() {
    let three = addresses(&[1, 2, 3]);
    three.put_back(address(2));
    assert!(!turns(&three, 6).contains(&2));
    assert_eq!(next(&three, &[1, 3]), Some(2), "the last resort");
    assert!(set(&three, &[2, 3]));
    assert_eq!(turns(&three, 4), [3, 3, 3, 3], "resolved again, and still put back");
    three.put_back(address(3));
    assert_eq!(turns(&three, 2).len(), 2, "with all put back they are asked all the same");
    three.forgive(address(2));
    assert_eq!(turns(&three, 3), [2, 2, 2]);
}

#[test]
fn one_request_finds_out_whether_an_address_is_back() {
    let two = addresses(&[1, 2]);
    two.put_back(address(1));
    let known = two.known.load();
    let now = two.now() + PUT_BACK_FOR;
    let first = known.first().unwrap();
    assert!(!first.has_its_turn(two.now()));
    assert_eq!([first.has_its_turn(now), first.has_its_turn(now)], [true, false]);
    assert!(first.has_its_turn(now + PUT_BACK_FOR));
}

#[test]
fn the_same_set_is_no_news() {
    let two = addresses(&[1, 2]);
    assert!(!set(&two, &[1, 2]));
    assert!(!set(&two, &[2, 1, 2]), "resolvers rotate them");
    assert_eq!(turns(&two, 2), [1, 2]);
    assert!(set(&two, &[1, 3]));
}
