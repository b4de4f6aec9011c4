//! How finely durations are told apart.

/// Seconds. From half a millisecond, about what doorward itself adds, to the default read timeout of the upstream.
pub(super) const REQUEST_BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds. Cached decisions take a few microseconds, signature checks 30 to 300, and beyond a millisecond something
/// is wrong: the upper ones only show how wrong.
pub(super) const DECISION_BUCKETS: [f64; 12] =
    [0.000_002, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.01, 0.1, 1.0];
/// Seconds. A way to the store and one from there take a few milliseconds; a second is what is promised.
pub(super) const PROPAGATION_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds. A hash worth its name takes 20 to 500 ms; more means too few cores for the parameters chosen.
pub(super) const PASSWORD_BUCKETS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
