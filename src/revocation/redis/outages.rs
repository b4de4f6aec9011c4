//! When the server was away.

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

/// The times at which nothing, or not everything, could be had of the server. A client who got no answer then, or a 503, could not do better
/// than come again: what is asked of it in time must not run on meanwhile.
#[derive(Debug, Default)]
pub(super) struct Outages(Mutex<Vec<Outage>>);

#[derive(Clone, Copy, Debug)]
struct Outage {
    from: Instant,
    until: Instant,
}

impl Outages {
    /// What was begun at `began` had failed at `at`. It may be so for a while yet: there may be nobody who asks.
    pub(super) fn failed(&self, began: Instant, at: Instant) {
        let mut outages = self.0.lock();
        let until = at + LINGERING;
        match outages.last_mut().filter(|last| began <= last.until) {
            Some(last) => last.until = last.until.max(until),
            None => outages.push(Outage { from: began, until }),
        }
        if outages.len() > KEPT {
            outages.remove(0);
        }
    }

    /// How much of the time between `now` and `last` before it the server was away.
    pub(super) fn within(&self, now: Instant, last: Duration) -> Duration {
        let overlap = |outage: &Outage| {
            let until = outage.until.min(now);
            until.saturating_duration_since(outage.from).min(last.saturating_sub(now - until))
        };
        self.0.lock().iter().map(overlap).sum()
    }
}

/// How long after the last failure nobody can have been expected to find out that all is well.
const LINGERING: Duration = Duration::from_secs(10);

const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_the_server_was_away_is_counted_once_and_no_other() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        for (story, failures, now, last, expected) in [
            ("never away", vec![], 100, 100, 0),
            ("away all the time", vec![(50, 51)], 55, 5, 5),
            ("it lingers", vec![(50, 51)], 58, 10, 8),
            ("and then no more", vec![(50, 51)], 100, 100, 11),
            ("before what is asked about", vec![(50, 51)], 100, 30, 0),
            ("partly before it", vec![(50, 51)], 100, 45, 6),
            ("one outage", vec![(50, 51), (55, 56), (60, 61)], 100, 100, 21),
            ("two of them", vec![(50, 51), (70, 71)], 100, 100, 22),
            ("told late", vec![(50, 60), (51, 52)], 100, 100, 20),
        ] {
            let outages = Outages::default();
            for (began, failed) in failures {
                outages.failed(at(began), at(failed));
            }
            assert_eq!(outages.within(at(now), Duration::from_secs(last)), Duration::from_secs(expected), "{story}");
        }
    }

    #[test]
    fn only_the_last_ones_are_kept() {
        let (outages, start) = (Outages::default(), Instant::now());
        for number in 0..100 {
            let at = start + Duration::from_secs(number * 60);
            outages.failed(at, at);
        }
        assert_eq!(outages.0.lock().len(), KEPT);
    }
}
