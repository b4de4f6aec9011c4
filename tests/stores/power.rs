//! What was acknowledged survives a power cut, wherever it comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use doorward::revocation::{EmbeddedStore, Family, Store, StoreError, Swap};

use crate::fixtures::{all_marks, at, family, jti, rotated, sid};
use crate::power_cut::{Fault, PowerCut};

/// What was acknowledged so far: revocations and rotations, in turns.
struct Acknowledged {
    marks: u64,
    family: Family,
}

impl Acknowledged {
    async fn begin(store: &EmbeddedStore) -> Self {
        store.create(sid(1), family()).await.unwrap();
        Self { marks: 0, family: family() }
    }

    async fn another(&mut self, store: &EmbeddedStore, number: usize) -> Result<(), StoreError> {
        if number.is_multiple_of(2) {
            store.mark(jti(self.marks)).await?;
            self.marks += 1;
        } else {
            let next = rotated(&self.family, at(1));
            assert_eq!(store.swap(sid(1), &self.family, next.clone()).await?, Swap::Done);
            self.family = next;
        }
        Ok(())
    }

    /// All of it is there, and perhaps what was under way.
    async fn is_there(&self, store: &EmbeddedStore, when: &str) {
        let marks = all_marks(store, 1000).await;
        for number in 0..self.marks {
            assert!(marks.contains(&jti(number)), "{when}: revocation {number} is lost");
        }
        let stored = store.family(sid(1)).await.unwrap().unwrap();
        assert!(
            stored == self.family || stored == rotated(&self.family, at(1)),
            "{when}: rotation {} is lost: {stored:?}",
            self.family.generation
        );
        assert_eq!(store.latest_access_exp().await, Ok(stored.latest_access_exp), "{when}");
    }
}

#[tokio::test]
async fn after_each_of_200_acknowledged_writes_none_is_lost() {
    let mut disk = PowerCut::new();
    let mut store = EmbeddedStore::with_backend(disk.clone()).unwrap();
    let mut acknowledged = Acknowledged::begin(&store).await;
    for number in 0..200 {
        acknowledged.another(&store, number).await.unwrap();
        // Nothing of what was not synced in one of two cases, a random part of it in the other.
        disk = disk.cut(if number % 4 < 2 { 0 } else { number as u64 });
        store = EmbeddedStore::with_backend(disk.clone()).unwrap();
        acknowledged.is_there(&store, &format!("cut after write {number}")).await;
    }
    assert_eq!((acknowledged.marks, acknowledged.family.generation), (100, 100));
}

#[tokio::test]
async fn a_cut_in_the_midst_of_a_write_loses_nothing_acknowledged() {
    let mut cuts = 0;
    for cut_at in 1..120 {
        let disk = PowerCut::new();
        let store = EmbeddedStore::with_backend(disk.clone()).unwrap();
        let mut acknowledged = Acknowledged::begin(&store).await;
        disk.cut_at(cut_at);
        for number in 0..8 {
            // The write during which the power goes may or may not be there; those before it must be.
            let before = (acknowledged.marks, acknowledged.family.clone());
            acknowledged.another(&store, number).await.unwrap();
            if disk.found().is_some() {
                (acknowledged.marks, acknowledged.family) = before;
                break;
            }
        }
        let Some(found) = disk.found() else { break };
        cuts += 1;
        let store = EmbeddedStore::with_backend(found).unwrap();
        acknowledged.is_there(&store, &format!("cut at write {cut_at} of the disk")).await;
        acknowledged.family = store.family(sid(1)).await.unwrap().unwrap();
        acknowledged.another(&store, 1).await.unwrap();
    }
    assert!(cuts > 40, "{cuts} cuts");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_share_a_sync_are_acknowledged_after_it() {
    let disk = PowerCut::new();
    let store = Arc::new(EmbeddedStore::with_backend(disk.clone()).unwrap());
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let before = disk.syncs();
    let writing = tokio::spawn({
        let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
        async move {
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..2000 {
                let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
                tasks.spawn(async move {
                    store.mark(jti(number)).await.unwrap();
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                });
            }
            tasks.join_all().await;
        }
    });
    let mut seen = 0;
    while !writing.is_finished() {
        let counted = acknowledged.load(Ordering::SeqCst);
        let found = EmbeddedStore::with_backend(disk.cut(0)).unwrap();
        let there = all_marks(&found, 5000).await.len();
        assert!(there >= counted, "{counted} acknowledged, {there} there");
        seen += 1;
    }
    assert!(seen > 0);
    assert_eq!(acknowledged.load(Ordering::SeqCst), 2000);
    // One after the other they would take two each.
    let syncs = disk.syncs() - before;
    assert!(syncs <= 2000 / 4, "{syncs} syncs");
}

/// Revocations and rotations of many sessions at once, and a cut wherever the disk is just then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_while_many_revoke_and_rotate_loses_nothing_acknowledged() {
    #[expect(clippy::disallowed_methods, reason = "`make soak` asks for more")]
    let rounds = if std::env::var_os("SOAK").is_some() { 100 } else { 10 };
    let mut lost = Vec::new();
    let mut counted = (0, 0);
    for round in 0..rounds {
        let disk = PowerCut::new();
        let store = Arc::new(EmbeddedStore::with_backend(disk.clone()).unwrap());
        for number in 0..SESSIONS {
            store.create(sid(number), family()).await.unwrap();
        }
        let done: Arc<Mutex<Done>> = Arc::default();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..SESSIONS {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tasks.spawn(async move {
                let mut session = family();
                for time in 1..=6 {
                    let next = rotated(&session, at(time));
                    assert_eq!(store.swap(sid(number), &session, next.clone()).await, Ok(Swap::Done));
                    session = next.clone();
                    done.lock().1.insert(number, next);
                    let token = number * 100 + time.unsigned_abs();
                    store.mark(jti(token)).await.unwrap();
                    done.lock().0.push(token);
                }
            });
        }
        // What was acknowledged before the power went must be there; how far it came by then is another each time.
        let wanted = usize::try_from(SESSIONS).unwrap() * 6 * (round + 1) / (rounds + 1);
        while done.lock().0.len() < wanted {
            tokio::task::yield_now().await;
        }
        let (marks, sessions) = done.lock().clone();
        let found = EmbeddedStore::with_backend(disk.cut(round as u64)).unwrap();
        let there = all_marks(&found, 1000).await;
        lost.extend(marks.iter().filter(|number| !there.contains(&jti(**number))).map(|number| (round, *number)));
        for (number, session) in &sessions {
            let stored = found.family(sid(*number)).await.unwrap().unwrap();
            if stored.generation < session.generation {
                lost.push((round, *number));
            }
        }
        counted.0 += marks.len();
        counted.1 += sessions.values().map(|session| session.generation).sum::<u32>();
        while tasks.join_next().await.is_some() {}
    }
    println!(
        "{rounds} cuts, {} revocations and {} rotations acknowledged before them, lost: {}",
        counted.0,
        counted.1,
        lost.len()
    );
    assert_eq!(lost, []);
    assert!(counted.0 > rounds * 50 && counted.1 > 0, "{counted:?}");
}

/// Revocations, and the state of each session.
type Done = (Vec<u64>, HashMap<u64, Family>);

const SESSIONS: u64 = 20;

#[tokio::test]
async fn a_sync_that_fails_is_not_acknowledged_and_costs_nothing_that_was() {
    let disk = PowerCut::new();
    let store = EmbeddedStore::with_backend(disk.clone()).unwrap();
    let mut acknowledged = Acknowledged::begin(&store).await;
    for number in 0..20 {
        acknowledged.another(&store, 2 * number).await.unwrap();
        disk.set_fault(Fault::LyingSync { after: number % 2 });
        let lost = store.swap(sid(1), &acknowledged.family, rotated(&acknowledged.family, at(1))).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        disk.set_fault(Fault::None);
        // It may have happened all the same: whoever asks again is answered by what stands there.
        acknowledged.another(&store, 2 * number).await.unwrap();
        let stored = store.family(sid(1)).await.unwrap().unwrap();
        assert!(stored == acknowledged.family || stored == rotated(&acknowledged.family, at(1)));
        acknowledged.family = stored;
        acknowledged.another(&store, 1).await.unwrap();
        let found = EmbeddedStore::with_backend(disk.cut(0)).unwrap();
        acknowledged.is_there(&found, &format!("after lying sync {number}")).await;
    }
}
