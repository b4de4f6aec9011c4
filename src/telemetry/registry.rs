//! Families made and registered in one step.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result,
    TextEncoder,
};

use super::durations::{Durations, DurationsFamily};
use super::names::Family;
use super::tally::{Counter, Level, Tally};

/// A registry of our own: the crate's global one is shared with whoever else links it.
#[derive(Clone, Debug)]
pub(super) struct Families {
    registry: Registry,
    tally: Tally,
}

impl Families {
    pub(super) fn new() -> Self {
        let families = Self { registry: Registry::new(), tally: Tally::default() };
        families.add(Ok(Process(std::sync::Arc::new(ProcessCollector::for_self()))));
        families
    }

    pub(super) fn counter(&self, family: &Family) -> IntCounter {
        self.add(IntCounter::with_opts(options(family)))
    }

    pub(super) fn counters(&self, family: &Family) -> IntCounterVec {
        self.add(IntCounterVec::new(options(family), family.labels))
    }

    pub(super) fn gauge(&self, family: &Family) -> IntGauge {
        self.add(IntGauge::with_opts(options(family)))
    }

    pub(super) fn real_gauge(&self, family: &Family) -> Gauge {
        self.add(Gauge::with_opts(options(family)))
    }

    pub(super) fn gauges(&self, family: &Family) -> IntGaugeVec {
        self.add(IntGaugeVec::new(options(family), family.labels))
    }

    pub(super) fn histogram(&self, family: &Family, buckets: &[f64]) -> Histogram {
        self.add(Histogram::with_opts(histogram_options(family, buckets)))
    }

    /// What is counted on every request.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn level(&self, family: &Family) -> Level {
        self.tally.level(self.gauge(family))
    }

    /// One for each value of the one label.
    pub(super) fn tallied<const N: usize>(&self, family: &Family, values: [&'static str; N]) -> [Counter; N] {
        let counters = self.counters(family);
        values.map(|value| self.tally.counter(counters.with_label_values(&[value])))
    }

    pub(super) fn durations(&self, family: &Family, bounds: &'static [f64]) -> Durations {
        let durations = Durations::new(&self.tally, bounds);
        self.add(DurationsFamily::new(family, vec![(None, durations.clone())]));
        durations
    }

    /// One for each value of the one label.
    pub(super) fn durations_by<const N: usize>(
        &self,
        family: &Family,
        values: [&'static str; N],
        bounds: &'static [f64],
    ) -> [Durations; N] {
        let members = values.map(|value| (Some(value), Durations::new(&self.tally, bounds)));
        self.add(DurationsFamily::new(family, members.to_vec()));
        members.map(|(_, durations)| durations)
    }

    /// Registers a metric that was made elsewhere.
    pub(super) fn adopt(&self, counter: &IntCounter) {
        self.add(Ok(counter.clone()));
    }

    /// Text format 0.0.4.
    pub(super) fn render(&self) -> String {
        self.tally.show();
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(%error, "metrics cannot be rendered");
            String::new()
        })
    }

    #[expect(
        clippy::expect_used,
        reason = "names, labels and buckets are constants, and the golden file's test makes all"
    )]
    fn add<C: Collector + Clone + 'static>(&self, made: Result<C>) -> C {
        made.and_then(|metric| {
            self.registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        })
        .expect("metrics have valid and distinct names")
    }
}

/// `ProcessCollector` is not `Clone`.
#[derive(Clone)]
struct Process(std::sync::Arc<ProcessCollector>);

impl Collector for Process {
    fn desc(&self) -> Vec<&prometheus::core::Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.0.collect()
    }
}

fn options(family: &Family) -> Opts {
    Opts::new(family.name, family.help)
}

fn histogram_options(family: &Family, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(family.name, family.help).buckets(buckets.to_vec())
}
