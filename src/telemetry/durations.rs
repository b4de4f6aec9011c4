//! Histograms of what takes time on every request.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto;

use super::cells::{Cell, Lane};
use super::names::Family;
use super::tally::Tally;

/// One histogram. Cheap to clone; not on every request.
#[derive(Clone)]
pub(super) struct Durations {
    tally: Tally,
    bounds: &'static [f64],
    /// One for each bound, and one for what is beyond.
    counts: Vec<Cell>,
    sum: Cell,
}

impl Durations {
    /// With these upper bounds in seconds, in order.
    pub(super) fn new(tally: &Tally, bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| tally.cells().take()).collect();
        Self { tally: tally.clone(), bounds, counts, sum: tally.cells().take() }
    }

    /// Counts one that took so long; `lane` is this thread's.
    pub(super) fn observe_in(&self, lane: &Lane, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get(bucket) {
            lane.add(*count, 1);
            lane.add_seconds(self.sum, seconds);
        }
    }

    fn shown(&self) -> proto::Histogram {
        let mut counts = self.counts.iter().map(|cell| self.tally.cells().sum(*cell));
        let mut all = 0;
        let mut buckets = Vec::with_capacity(self.bounds.len());
        for (bound, count) in self.bounds.iter().zip(&mut counts) {
            all += count;
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(all);
            buckets.push(bucket);
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        // From the very counts that are shown: a reader would see through one that does not add up.
        histogram.set_sample_count(all + counts.sum::<u64>());
        histogram.set_sample_sum(self.tally.cells().seconds(self.sum));
        histogram
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Durations")
    }
}

/// A family of them, told apart by the value of its one label; or one without.
#[derive(Clone)]
pub(super) struct DurationsFamily {
    family: Family,
    desc: Desc,
    members: Vec<(Option<&'static str>, Durations)>,
}

impl DurationsFamily {
    /// # Errors
    /// If the names are none.
    pub(super) fn new(family: &Family, members: Vec<(Option<&'static str>, Durations)>) -> prometheus::Result<Self> {
        let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(family.name.to_owned(), family.help.to_owned(), labels, HashMap::new())?;
        Ok(Self { family: *family, desc, members })
    }
}

impl Collector for DurationsFamily {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let metric = |(value, durations): &(Option<&'static str>, Durations)| {
            let mut metric = proto::Metric::default();
            let labels = self.family.labels.iter().zip(value).map(|(name, value)| {
                let mut label = proto::LabelPair::default();
                label.set_name((*name).to_owned());
                label.set_value((*value).to_owned());
                label
            });
            metric.set_label(labels.collect());
            metric.set_histogram(durations.shown());
            metric
        };
        let mut shown = proto::MetricFamily::default();
        shown.set_name(self.family.name.to_owned());
        shown.set_help(self.family.help.to_owned());
        shown.set_field_type(proto::MetricType::HISTOGRAM);
        shown.set_metric(self.members.iter().map(metric).collect());
        vec![shown]
    }
}
