//! Families made and registered in one step.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    Result, TextEncoder,
};

use super::names::Family;

/// A registry of our own: the crate's global one is shared with whoever else links it.
#[derive(Clone, Debug)]
pub(super) struct Families(Registry);

impl Families {
    pub(super) fn new() -> Self {
        let families = Self(Registry::new());
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

    pub(super) fn histograms(&self, family: &Family, buckets: &[f64]) -> HistogramVec {
        self.add(HistogramVec::new(histogram_options(family, buckets), family.labels))
    }

    /// Registers a metric that was made elsewhere.
    pub(super) fn adopt(&self, counter: &IntCounter) {
        self.add(Ok(counter.clone()));
    }

    /// Text format 0.0.4.
    pub(super) fn render(&self) -> String {
        let families = self.0.gather();
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
            self.0.register(Box::new(metric.clone()))?;
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
