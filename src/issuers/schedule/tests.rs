use super::super::missing::{MOST, Missing};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn schedule() -> (Schedule, Instant) {
    let now = Instant::now();
    (Schedule::new(now, Duration::from_secs(86_400)), now)
}

#[test]
fn the_next_attempt_is_when_the_issuer_says_within_bounds_and_spread() {
    for (fresh_for, longest, least, most) in [
        (None, 86_400, 270, 330),
        (Some(0), 86_400, 54, 66),
        (Some(59), 86_400, 54, 66),
        (Some(600), 86_400, 540, 660),
        (Some(86_400), 86_400, 3240, 3960),
        (Some(u64::MAX), 86_400, 3240, 3960),
        (None, 30, 27, 33),
    ] {
        for (jitter, seconds) in [(0, least), (255, most)] {
            let now = Instant::now();
            let mut schedule = Schedule::new(now, Duration::from_secs(longest));
            assert!(schedule.begin(now));
            schedule.succeeded(fresh_for.map(Duration::from_secs), true, now, jitter);
            assert_eq!(schedule.next() - now, Duration::from_secs(seconds), "{fresh_for:?}");
            assert!(!schedule.begin(now + Duration::from_secs(seconds - 1)));
            assert!(schedule.begin(now + Duration::from_secs(seconds)));
        }
    }
    let now = Instant::now();
    let mut shortest = Schedule::new(now, SECOND);
    assert!(shortest.begin(now));
    shortest.succeeded(None, true, now, 0);
    assert!(shortest.next() >= now + COOLDOWN, "with any jitter");
}

#[test]
fn failures_are_repeated_never_within_the_cooldown_and_later_and_later_while_there_are_keys() {
    for (has_keys, waits) in [(false, [10; 8]), (true, [10, 20, 40, 60, 60, 60, 60, 60])] {
        for jitter in [0, 255] {
            let (mut schedule, mut now) = schedule();
            for wait in waits {
                assert!(schedule.begin(now));
                schedule.failed(has_keys, now, jitter);
                assert!(schedule.is_failing(now));
                let wait = Duration::from_secs(wait);
                assert_eq!(schedule.next() - now, if jitter == 0 { wait } else { wait * 12 / 10 });
                now = schedule.next();
            }
            assert!(schedule.begin(now));
            schedule.succeeded(None, true, now, jitter);
            assert!(!schedule.is_failing(now));
        }
    }
}

#[test]
fn one_attempt_at_a_time_and_a_cooldown_from_its_beginning() {
    let (mut schedule, start) = schedule();
    assert!(schedule.begin(start));
    assert!(!schedule.begin(start + 100 * SECOND), "one is running");
    assert_eq!(schedule.want(Some("x"), start), Some(start + PATIENCE));
    assert_eq!(
        schedule.want(Some("y"), start + PATIENCE / 2),
        Some(start + PATIENCE),
        "whoever comes later waits less"
    );
    assert_eq!(schedule.want(Some("z"), start + PATIENCE), None);
    assert!(schedule.is_failing(start + PATIENCE), "it hangs");
    schedule.succeeded(None, false, start + 3 * SECOND, 0);
    assert_eq!(schedule.want(Some("x"), start + 9 * SECOND), None);
    assert!(!schedule.begin(start + 9 * SECOND));
    let cool = start + COOLDOWN;
    assert!(!schedule.begin(cool), "nobody wants it");
    assert!(schedule.want(Some("x"), cool).is_some());
    assert!(schedule.want(Some("y"), cool).is_some());
    assert!(schedule.begin(cool));
    schedule.failed(true, cool, 0);
    assert_eq!(schedule.want(Some("x"), cool + SECOND), None, "also after a failure");
    assert!(schedule.next() >= cool + COOLDOWN, "and not by itself either");
}

#[test]
fn an_attempt_that_a_token_caused_stands_for_the_one_that_was_due() {
    let (mut schedule, start) = schedule();
    assert!(schedule.begin(start));
    schedule.succeeded(None, true, start, 0);
    let due = schedule.next();
    let before = due - SECOND;
    assert!(schedule.want(Some("x"), before).is_some());
    assert!(schedule.begin(before));
    schedule.succeeded(None, true, before, 0);
    assert!(schedule.next() >= before + 270 * SECOND, "not a second time");
    assert!(!schedule.begin(due));
}

#[test]
fn a_key_id_that_nobody_has_is_asked_for_less_and_less() {
    let (mut schedule, mut now) = schedule();
    let mut waits = Vec::new();
    assert!(schedule.begin(now));
    schedule.succeeded(None, true, now, 0);
    schedule.not_found(Some("x"), now);
    for _ in 0..4 {
        let start = now;
        // For as long as nothing is due by itself.
        while schedule.want(Some("x"), now).is_none() {
            now += SECOND;
        }
        waits.push((now - start).as_secs());
        assert!(schedule.begin(now));
        schedule.succeeded(None, false, now, 0);
        (0..1000).for_each(|_| schedule.not_found(Some("x"), now));
    }
    assert_eq!(waits, [10, 20, 40, 80]);
    assert!(schedule.want(Some("other"), now + COOLDOWN).is_some(), "others are");
    let mut changed = schedule;
    assert!(changed.begin(now + COOLDOWN));
    changed.succeeded(None, true, now + COOLDOWN, 0);
    assert!(changed.want(Some("x"), now + COOLDOWN * 2).is_some(), "another set may have it");
}

#[test]
fn what_is_missing_is_bounded_whoever_makes_it_up() {
    let (mut missing, now) = (Missing::default(), Instant::now());
    for number in 0..100_000 {
        missing.add(Some(&number.to_string()), number, now);
    }
    assert_eq!(missing.len(), MOST);
    assert!(missing.has(Some("99999"), now));
    assert!(!missing.has(Some("0"), now));
    assert!(!missing.has(None, now));
    missing.add(None, 1, now);
    assert!(missing.has(None, now));
}
