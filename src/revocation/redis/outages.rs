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
    /// What was begun at `began` failed, and nobody can be expected to try again before `until`.
    pub(super) fn failed(&self, began: Instant, until: Instant) {
        let mut outages = self.0.lock();
        match outages.last_mut().filter(|last| began <= last.until) {
            Some(last) => last.until = last.until.max(until),
            None => outages.push(Outage { from: began, until }),
        }
        if outages.len() > KEPT {
            outages.remove(0);
        }
    }

    /// How much of the time between what was `ago` and `now` the server was away, in outages that can have kept somebody from hearing of it: it
    /// was given out at the latest `grace` later. An hour at the most.
    pub(super) fn since(&self, now: Instant, ago: Duration, grace: Duration) -> Duration {
        let overlap = |outage: &Outage| {
            let began_ago = now.saturating_duration_since(outage.from);
            let concerns = began_ago.saturating_add(grace) >= ago && outage.until + ago >= now;
            let until = outage.until.min(now);
            let lasted = until.saturating_duration_since(outage.from).min(ago.saturating_sub(now - until));
            if concerns { lasted } else { Duration::ZERO }
        };
        self.0.lock().iter().map(overlap).sum::<Duration>().min(MOST)
    }
}

const MOST: Duration = Duration::from_hours(1);

const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_the_server_was_away_is_counted_once_and_only_where_it_matters() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let after_an_hour = vec![(50, 9000)];
        for (story, failures, happened, now, expected) in [
            ("never away", vec![], 50, 100, 0),
            ("away all the time", vec![(50, 100)], 50, 55, 5),
            ("away before, and a while after", vec![(40, 60)], 50, 100, 10),
            ("away before", vec![(40, 49)], 50, 100, 0),
            ("away soon after", vec![(55, 70)], 50, 100, 15),
            ("away long after: who has not come by then will not be helped by it", vec![(61, 90)], 50, 100, 0),
            ("one outage", vec![(50, 54), (53, 58), (58, 65)], 50, 100, 15),
            ("two, and the second came too late", vec![(50, 52), (70, 80)], 50, 100, 2),
            ("told late", vec![(50, 60), (51, 52)], 50, 100, 10),
            ("longer than anybody may count on", after_an_hour, 50, 9000, 3600),
        ] {
            let outages = Outages::default();
            for (began, until) in failures {
                outages.failed(at(began), at(until));
            }
            let since = outages.since(at(now), at(now) - at(happened), Duration::from_secs(10));
            assert_eq!(since, Duration::from_secs(expected), "{story}");
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
