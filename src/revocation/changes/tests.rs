//! Followers over a server that is told here.

use std::sync::Arc;

use super::*;
use crate::base::ManualClock;
use crate::revocation::View;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A Cluster whose nodes have a bucket and a clock each: that of bucket 0 is a minute ahead, each further one three seconds more.
#[derive(Debug)]
struct Nodes;

struct Node;

#[async_trait]
impl Changes for Nodes {
    async fn connect(&self, _: &[Bucket]) -> Result<Box<dyn Feed>, StoreError> {
        Ok(Box::new(Node))
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

struct Nobody;

impl Heed for Nobody {
    fn heard(&mut self, _: &Follower, _: Vec<Action>) {}

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
        tell_all(&mut followers, &Heard::Connected, &mut Nobody);
        let mut feed = Nodes.connect(&[]).await.unwrap();
        let read = round(&mut *feed, &mut followers, Pace::default(), &clock, &mut Nobody).await;
        assert!(read.is_err(), "each was looked at");
        assert_eq!(clock.offset_millis(), 60_000, "{first_is_last}");
    }
}
