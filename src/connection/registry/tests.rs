use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::message::HeadLimits;

fn limits(connections: usize, per_address: Option<usize>) -> Limits {
    Limits {
        connections,
        connections_per_address: per_address,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_mins(1),
        head: HeadLimits { header_bytes: 1, header_count: 1, uri_bytes: 1 },
    }
}

fn host(last: u8) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
}

fn at(tick: u64) -> Ticks {
    Ticks::from(Duration::from_micros(tick))
}

fn gave_way(place: &Place) -> bool {
    place.begin().is_none()
}

#[test]
fn the_longest_idle_gives_way_and_never_one_in_flight() {
    let registry = Arc::new(Registry::default());
    let limits = limits(3, None);
    let admit = |tick| registry.admit_at(at(tick), host(1), &limits);
    let [busy, older, newer] = [1, 2, 3].map(|tick| admit(tick).unwrap().place);
    let request = busy.begin().expect("nobody is over a cap");
    let fourth = admit(4).unwrap();
    assert_eq!(fourth.displaced, [ConnectionCap::All]);
    assert!(gave_way(&older), "idle for longest");
    let _in_flight = newer.begin().expect("it stayed");
    let _its = fourth.place.begin().expect("it was let in");
    assert_eq!(admit(5).unwrap_err(), ConnectionCap::All, "everybody has a request in flight");
    assert_eq!(registry.open(), 3);
    drop(request);
    admit(6).expect("one is idle again");
    assert!(gave_way(&busy));
}

#[test]
fn a_request_since_it_was_looked_makes_another_one_the_longest_idle() {
    let registry = Arc::new(Registry::default());
    let limits = limits(3, None);
    let places: Vec<_> = (1..=3).map(|tick| registry.admit_at(at(tick), None, &limits).unwrap().place).collect();
    let _fourth = registry.admit_at(at(4), None, &limits).unwrap();
    assert!(gave_way(&places[0]));
    drop(places[1].begin());
    let _fifth = registry.admit_at(at(5), None, &limits).unwrap();
    assert!(gave_way(&places[2]), "the second one had a request meanwhile");
    assert!(!gave_way(&places[1]));
}

#[test]
fn addresses_are_counted_apart_and_the_host_part_of_ipv6_is_not() {
    let v6 = |network: u16, host| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host)));
    let mapped = |last| Some(IpAddr::V6(Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped()));
    for (name, one, other, same) in [
        ("one address", host(1), host(1), true),
        ("two addresses", host(1), host(2), false),
        ("written as IPv6", host(1), mapped(1), true),
        ("one /64", v6(1, 1), v6(1, 2), true),
        ("two /64", v6(1, 1), v6(2, 1), false),
        ("Unix sockets", None, None, false),
    ] {
        let registry = Arc::new(Registry::default());
        let limits = limits(10, Some(1));
        let first = registry.admit_at(at(1), one, &limits).unwrap().place;
        let second = registry.admit_at(at(2), other, &limits).unwrap();
        assert_eq!(gave_way(&first), same, "{name}");
        let expected: &[ConnectionCap] = if same { &[ConnectionCap::Address] } else { &[] };
        assert_eq!(second.displaced, expected, "{name}");
    }
}

#[test]
fn an_address_at_its_cap_displaces_none_of_another() {
    let registry = Arc::new(Registry::default());
    let limits = limits(10, Some(2));
    let others: Vec<_> = (1..=3).map(|last| registry.admit_at(at(1), host(last), &limits).unwrap().place).collect();
    let busy: Vec<_> = (0..2).map(|_| registry.admit_at(at(2), host(9), &limits).unwrap().place).collect();
    let _requests: Vec<_> = busy.iter().map(|place| place.begin().unwrap()).collect();
    assert_eq!(registry.admit_at(at(3), host(9), &limits).unwrap_err(), ConnectionCap::Address);
    assert!(!others.iter().any(gave_way));
}

#[test]
fn a_cap_that_was_lowered_is_kept_from_then_on() {
    let registry = Arc::new(Registry::default());
    let places: Vec<_> =
        (0..8).map(|tick| registry.admit_at(at(tick), host(1), &limits(8, None)).unwrap().place).collect();
    let last = registry.admit_at(at(9), host(1), &limits(4, None)).unwrap();
    assert_eq!((registry.open(), last.displaced.len()), (4, 5));
    assert_eq!(places.iter().filter(|place| gave_way(place)).count(), 5);
}

/// However they come and go, the groups and slots fit together.
#[test]
fn places_are_free_again_when_they_are_dropped() {
    let registry = Arc::new(Registry::default());
    let limits = limits(1_000, Some(100));
    let mut places: Vec<_> =
        (0..100).map(|n: u8| registry.admit_at(at(n.into()), host(n % 7), &limits).unwrap().place).collect();
    for step in 0..99 {
        places.swap_remove((step * 37) % places.len());
        assert_eq!(registry.open(), places.len());
    }
    places.clear();
    let inner = registry.inner.lock();
    assert_eq!((inner.everybody.len(), inner.networks.len(), inner.free.len()), (0, 0, inner.slots.len()));
}

/// A scan for each new connection would cost a flood nothing and us everything.
#[test]
fn a_flood_does_not_have_everybody_looked_at_for_each() {
    let registry = Arc::new(Registry::default());
    let limits = limits(5_000, None);
    let places: Vec<_> = (0..5_000).map(|tick| registry.admit_at(at(tick), host(1), &limits).unwrap().place).collect();
    let requests: Vec<_> = places.iter().map(|place| place.begin().unwrap()).collect();
    let looked = Cell::new(0);
    let ask = || {
        let inner = &mut *registry.inner.lock();
        let slots = &inner.slots;
        inner.everybody.give_way(|slot| {
            looked.set(looked.get() + 1);
            slots.get(slot)?.as_ref().map(|slot| &slot.entry)
        })
    };
    assert_eq!((0..1_000).find_map(|_| ask()), None, "nobody is idle");
    assert!(looked.get() <= 1_000 * 256, "{} were looked at for a thousand", looked.get());
    drop(requests);
    let mut refused = 0;
    while registry.admit_at(at(5_002), host(2), &limits).is_err() {
        refused += 1;
        assert!(refused <= 5_000 / 256 + 1, "it is not looked again");
    }
    assert_eq!(places.iter().filter(|place| gave_way(place)).count(), 1, "one is enough");
}

#[test]
fn whoever_comes_finds_room_while_somebody_is_idle() {
    for (name, cap, busy) in
        [("all idle", 2_000, 0), ("most idle", 2_000, 1_500), ("far more than are remembered", 20_000, 0)]
    {
        let registry = Arc::new(Registry::default());
        let limits = limits(cap, None);
        let places: Vec<_> = (0..cap).map(|_| registry.admit_at(at(1), host(1), &limits).unwrap().place).collect();
        let _requests: Vec<_> = places[..busy].iter().map(|place| place.begin().unwrap()).collect();
        let mut newcomers = Vec::new();
        for tick in 0..200 {
            let admitted = registry.admit_at(at(2 + tick), host(2), &limits);
            newcomers.push(admitted.unwrap_or_else(|_| panic!("{name}: newcomer {tick} was refused")));
        }
    }
}

#[tokio::test]
async fn who_waits_is_told_and_who_is_ready_is_served() {
    let registry = Arc::new(Registry::default());
    let limits = limits(1, None);
    let first = registry.admit(host(1), &limits).unwrap().place;
    let waiting = tokio::spawn(async move { first.until_told(std::future::pending::<()>()).await });
    tokio::task::yield_now().await;
    let second = registry.admit(host(1), &limits).unwrap().place;
    assert_eq!(waiting.await.unwrap(), None, "it had to give way");
    registry.stop();
    assert_eq!(second.until_told(async { 1 }).await, Some(1), "a request that is there is served");
    assert_eq!(second.until_told(std::future::pending::<()>()).await, None);
    assert_eq!(second.until_displaced(async { 1 }).await, Some(1));
    assert!(!gave_way(&second), "told to stop is not displaced");
}
