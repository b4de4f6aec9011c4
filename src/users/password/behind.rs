//! Threads for work that requests must not wait for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[cfg(target_os = "linux")]
use crate::base::Stopwatch;

/// The last of all: a request that wakes up interrupts a hash at once, and never notices it. With idle cores nothing is slower.
#[cfg(target_os = "linux")]
const LAST: i32 = 19;

/// A tenth of the weight of a thread that serves requests. They notice it a little; and it goes on where no core is ever idle, where the
/// last of all would not end before its client has given up.
#[cfg(target_os = "linux")]
const SLOW: i32 = 10;

/// How many times its own time a work may take before those after it are not the last of all.
#[cfg(target_os = "linux")]
const STARVED: u32 = 6;

/// Begins threads behind those that serve requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Behind {
    /// Whether the last work was hardly ever let run.
    starved: Arc<AtomicBool>,
}

impl Behind {
    /// Does `work` on a thread of its own: a pool's are lent to other work too, and one that gave way cannot take that back.
    pub(super) fn start(&self, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let this = self.clone();
        thread::Builder::new().name("doorward-hash".into()).spawn(move || this.run(work))?;
        Ok(())
    }

    /// Where the system does not allow a thread to give way, it is left.
    #[cfg(target_os = "linux")]
    fn run(&self, work: impl FnOnce()) {
        let niceness = if self.starved.load(Ordering::Relaxed) { SLOW } else { LAST };
        let _left = rustix::process::setpriority_process(None, niceness);
        let (wall, before) = (Stopwatch::start(), own_time());
        work();
        self.judge(wall.elapsed(), own_time().saturating_sub(before));
    }

    #[cfg(not(target_os = "linux"))]
    fn run(&self, work: impl FnOnce()) {
        work();
    }

    #[cfg(target_os = "linux")]
    fn judge(&self, took: std::time::Duration, worked: std::time::Duration) {
        self.starved.store(took > worked.saturating_mul(STARVED), Ordering::Relaxed);
    }
}

/// What this thread has worked until now.
#[cfg(target_os = "linux")]
fn own_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap_or_default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_was_hardly_let_run_is_not_the_last_of_all_next_time() {
        for (took, worked, niceness) in [(100, 100, 19), (601, 100, 10), (600, 100, 19), (9000, 100, 10), (50, 10, 19)]
        {
            // A new one each time: every work is judged when it has ended, this one too.
            let behind = Behind::default();
            behind.judge(Duration::from_millis(took), Duration::from_millis(worked));
            let (tell, told) = mpsc::channel();
            behind.start(move || tell.send(rustix::process::getpriority_process(None).unwrap()).unwrap()).unwrap();
            assert_eq!(told.recv().unwrap(), niceness, "{took} ms for {worked}");
        }
        assert!(own_time() > Duration::ZERO);
    }
}
