use super::*;
use crate::base::ManualClock;

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const fn up(millis: u64) -> Uptime {
    Uptime::after_start(Duration::from_millis(millis))
}

/// A machine that is up for five seconds, and its clock.
fn machine() -> (Arc<ManualClock>, StoreClock) {
    let local = Arc::new(ManualClock::at(at(95_000)));
    local.advance(Duration::from_secs(5));
    let clock = StoreClock::new(Arc::clone(&local) as Arc<dyn Clock>);
    (local, clock)
}

#[test]
fn the_offset_is_that_of_the_middle() {
    for (what, sent, received, server, offset) in [
        ("at once, ahead", 5000, 5000, 400_000, 300_000),
        ("at once, behind", 5000, 5000, 70_000, -30_000),
        ("in the middle", 4600, 5000, 99_000, -800),
        ("as late as may be", 4000, 5000, 199_600, 100_100),
        ("too late", 3999, 5000, 900_000, 7),
        ("before it was asked", 5000, 4999, 900_000, 7),
    ] {
        let (local, clock) = machine();
        assert!(!clock.is_known() && clock.now() == at(100_000), "nothing was measured yet");
        clock.measured(up(0), up(800), at(95_407));
        clock.measured(up(sent), up(received), at(server));
        assert!(clock.is_known());
        assert_eq!((clock.offset_millis(), clock.now()), (offset, at(100_000 + offset)), "{what}");
        local.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), at(101_000 + offset), "{what}: it goes on");
        assert_eq!(clock.uptime(), local.uptime(), "{what}");
    }
}

#[test]
fn what_says_more_is_kept_and_what_contradicts_it_is_taken() {
    // Known: ahead by 1000 ms, after a round trip of 20 ms that ended at 4000. Then a round trip that began so long after, and what it
    // says in its middle.
    for (what, later, round_trip, says, offset, error) in [
        ("as quick", 1000, 20, 1010, 1010, 12),
        ("quicker", 1000, 4, 1005, 1005, 4),
        ("slower, and it may be", 1000, 400, 1150, 1000, 12),
        ("slower, and it may just be", 1000, 400, 1215, 1000, 12),
        ("slower, and it cannot be", 1000, 400, 1216, 1216, 202),
        ("the clock was set back", 1000, 20, -5000, -5000, 12),
        ("the clock was set, and a slow answer tells", 1000, 1000, 9000, 9000, 502),
        ("slower, but the other is old", 10_000_000, 400, 1100, 1100, 202),
    ] {
        let (local, clock) = machine();
        clock.measured(up(3980), up(4000), at(95_000 + 3990 + 1000));
        assert_eq!(clock.offset_millis(), 1000, "{what}");
        local.advance(Duration::from_millis(later));
        let sent = local.uptime();
        let middle = local.now().millis() + round_trip / 2;
        local.advance(Duration::from_millis(u64::try_from(round_trip).unwrap()));
        clock.measured(sent, local.uptime(), at(middle + says));
        assert_eq!(clock.offset_millis(), offset, "{what}");
        let age = u64::from(offset == 1000) * (1000 + later + u64::try_from(round_trip).unwrap()) / 2000;
        assert_eq!(clock.error(), Duration::from_millis(error + age), "{what}");
    }
    assert_eq!(machine().1.error(), Duration::ZERO, "one clock is never wrong");
}

#[test]
fn what_was_dated_before_it_was_set_back_is_not_forgotten() {
    // What it shows next, by how many milliseconds it was set, and how late by its time something may have been dated.
    for (what, set_by, until) in [
        ("as it was", 0, 100_000),
        ("within what either may be wrong by", -4, 99_996),
        ("set forward", 300_000, 400_000),
        ("set back", -300_000, 111_000),
        ("by a little more than both may be wrong", -5, 111_000),
        ("by an hour", -3_600_000, -3_500_000 + 3_600_000),
        ("by more", -36_000_000, -35_900_000 + 3_600_000),
    ] {
        let (local, clock) = machine();
        let ask = |shown| clock.measured(local.uptime(), local.uptime(), at(shown));
        assert_eq!(clock.cutting_off(clock.now()), at(100_000), "{what}: nothing was measured");
        ask(100_000);
        ask(100_000 + set_by);
        assert_eq!(clock.now(), at(100_000 + set_by), "{what}");
        assert_eq!(clock.dated_until(clock.now()), at(until), "{what}");
        assert_eq!(clock.cutting_off(clock.now()), at(until.max(100_002 + set_by)), "{what}");
        // Until the clock is there again, and not for longer.
        local.advance(Duration::from_mins(5));
        let (now, later) = (clock.now(), 400_000 + set_by);
        assert_eq!((now, clock.dated_until(now)), (at(later), at(later.max(until))), "{what}");
    }
}

#[test]
fn setting_the_machines_clock_changes_nothing() {
    for set_to in [100_000 + 300_000, 100_000 - 300_000, 0, i64::MAX, i64::MIN] {
        let (local, clock) = machine();
        clock.measured(up(5000), up(5000), at(100_007));
        local.set(at(set_to));
        assert_eq!(clock.now(), at(100_007), "{set_to}");
        assert_eq!(clock.offset_millis(), 100_007_i64.saturating_sub(set_to), "{set_to}");
    }
}

#[test]
fn nonsense_overflows_nothing() {
    for server in [i64::MIN, i64::MAX] {
        let (_, clock) = machine();
        clock.measured(up(5000), up(5000), at(server));
        assert!(clock.is_known());
        let _ = (clock.now(), clock.offset_millis(), clock.at(at(server)));
    }
}
