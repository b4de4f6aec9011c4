//! Processor time, of one thread and of two at once.

use std::sync::Barrier;
use std::thread;

use rustix::time::{ClockId, clock_gettime};

use super::world::World;

/// Calls in one round: some milliseconds.
const CALLS: usize = 20_000;

/// The median of what a call took this thread.
pub fn nanoseconds(world: &World, rounds: usize, phase: fn(&World, usize)) -> f64 {
    (0..2 * world.tokens()).for_each(|at| phase(world, at));
    median((0..rounds).map(|_| spent(|| (0..CALLS).for_each(|at| phase(world, at)))).collect())
}

/// The median of what a call took, where so many threads call at once: one that waits for a cache line of the other's shows here.
pub fn per_decision(world: &World, rounds: usize, threads: usize, call: impl Fn(&World, usize) + Sync) -> f64 {
    let begin = Barrier::new(threads);
    let one = |first: usize| {
        // Each thread has its own of what threads keep.
        (0..2 * world.tokens()).for_each(|at| call(world, at));
        let round = |_| {
            begin.wait();
            spent(|| (first..first + 10 * CALLS).for_each(|at| call(world, at))) / 10.0
        };
        (0..rounds).map(round).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|at| scope.spawn(move || one(at * world.tokens() / 2))).collect();
        median(running.into_iter().flat_map(|running| running.join().unwrap()).collect())
    })
}

fn spent(work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    };
    let before = now();
    work();
    (now() - before) / CALLS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap()
}
