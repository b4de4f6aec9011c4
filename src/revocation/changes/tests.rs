//! Followers over a server that is told here.

use std::sync::Arc;

use parking_lot::Mutex;

use super::*;
use crate::base::ManualClock;
use crate::revocation::View;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A Cluster whose nodes have a bucket and a clock each: that of bucket 0 is a minute ahead, each further one three seconds more.
/// All of them refuse to be read.
#[derive(Debug, Default)]
struct Nodes {
    connected: Mutex<u32>,
    /// Before each further try, after how many failures.
    pauses: Mutex<Vec<u32>>,
}

struct Node;

#[async_trait]
impl Changes for Nodes {
    async fn connect(&self, _: &[Bucket]) -> Result<Box<dyn Feed>, StoreError> {
        *self.connected.lock() += 1;
        Ok(Box::new(Node))
    }

    async fn pause(&self, failures: u32) {
        self.pauses.lock().push(failures);
        if failures == 3 {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Feed for Node {
    async fn look(&mut self, bucket: Bucket) -> Result<Looked, StoreError> {
        let history = History { run_id: "a".into(), replication_id: "a".into() };
        let ahead = Duration::from_secs(60 + 3 * u64::from(bucket.number()));
        Ok(Looked { history, ends: Ends::default(), time: NOW.plus(ahead) })
    }

    async fn page(&mut self, _: Bucket, _: Option<MarkKey>, _: usize) -> Result<Vec<StoredMark>, StoreError> {
        Ok(Vec::new())
    }

    async fn read(&mut self, _: &[(Bucket, StreamId)], _: usize) -> Result<Vec<(Bucket, Vec<Entry>)>, StoreError> {
        Err(StoreError::Unavailable("all was looked at".to_owned()))
    }
}

#[derive(Default)]
struct Nobody {
    reads: u32,
}

impl Heed for Nobody {
    fn heard(&mut self, _: &Follower, _: Vec<Action>) {}

    fn read(&mut self) {
        self.reads += 1;
    }

    fn propagated(&mut self, _: Duration) {}

    fn failed(&mut self, _: &StoreError) {}
}

#[tokio::test]
async fn of_many_clocks_one_is_the_stores() {
    let clock = StoreClock::new(Arc::new(ManualClock::at(NOW)));
    for first_is_last in [false, true] {
        let mut buckets: Vec<_> = Bucket::all().collect();
        if first_is_last {
            buckets.reverse();
        }
        let follower = |bucket| Follower::new(bucket, Arc::new(View::new()), Pace::default());
        let mut followers: Vec<_> = buckets.into_iter().map(follower).collect();
        tell_all(&mut followers, &Heard::Connected, &mut Nobody::default());
        let mut feed = Nodes::default().connect(&[]).await.unwrap();
        let read = round(&mut *feed, &mut followers, Pace::default(), &clock, &mut Nobody::default()).await;
        assert!(read.is_err(), "each was looked at");
        assert_eq!(clock.offset_millis(), 60_000, "{first_is_last}");
    }
}

/// It connects, and tells how it stands: only then it fails, each time at once.
#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_followed_is_not_asked_without_a_pause_nor_told_as_well() {
    let (nodes, mut nobody) = (Nodes::default(), Nobody::default());
    let clock = StoreClock::new(Arc::new(ManualClock::at(NOW)));
    let followers = Bucket::all().map(|bucket| Follower::new(bucket, Arc::new(View::new()), Pace::default())).collect();
    let following = follow(&nodes, followers, Pace::default(), &clock, &mut nobody);
    assert!(tokio::time::timeout(Duration::from_secs(1), following).await.is_err());
    assert_eq!((*nodes.connected.lock(), nodes.pauses.lock().as_slice()), (3, [1, 2, 3].as_slice()));
    assert_eq!(nobody.reads, 0);
}
