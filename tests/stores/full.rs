//! No room, or no disk: writes fail and say why, reads go on if they can, and all heals by itself.

use std::sync::Arc;

use doorward::revocation::{EmbeddedStore, MarkKind, MemoryStore, Position, Store, StoreError, Swap, Swept};

use crate::fixtures::{all_marks, at, family, jti, mark, rotated, sid};
use crate::power_cut::{Fault, PowerCut};

#[tokio::test]
async fn a_memory_store_without_room_takes_nothing_new_but_changes_what_it_has() {
    let store = MemoryStore::new(Some(2));
    store.create(sid(1), family()).await.unwrap();
    store.mark(mark(MarkKind::Jti, "short", at(10))).await.unwrap();
    assert_eq!(store.create(sid(2), family()).await, Err(StoreError::Full));
    assert_eq!(store.mark(jti(1)).await, Err(StoreError::Full));
    assert_eq!(store.family(sid(2)).await, Ok(None));
    assert_eq!(store.swap(sid(1), &family(), rotated(&family(), at(1))).await, Ok(Swap::Done));
    assert_eq!(store.mark(mark(MarkKind::Jti, "short", at(20))).await, Ok(Position::Local));
    assert_eq!(store.sweep(at(20)).await, Ok(Swept { marks: 1, families: 0 }));
    assert_eq!(store.mark(jti(1)).await, Ok(Position::Local));
    assert_eq!(store.mark(jti(2)).await, Err(StoreError::Full));
}

#[tokio::test]
async fn a_full_disk_takes_nothing_shows_everything_and_heals() {
    let disk = PowerCut::new();
    let store = EmbeddedStore::with_backend(disk.clone()).unwrap();
    store.create(sid(1), family()).await.unwrap();
    for number in 0..300 {
        store.mark(jti(number)).await.unwrap();
    }
    for round in 0..3 {
        disk.set_fault(Fault::Full);
        for _ in 0..3 {
            assert_eq!(store.mark(jti(1000)).await, Err(StoreError::Full), "round {round}");
            assert_eq!(store.create(sid(2), family()).await, Err(StoreError::Full), "round {round}");
            assert_eq!(store.family(sid(1)).await, Ok(Some(family())), "round {round}");
            assert_eq!(store.family(sid(2)).await, Ok(None), "round {round}");
            assert_eq!(all_marks(&store, 70).await.len(), 300 + round, "round {round}");
        }
        disk.set_fault(Fault::None);
        store.mark(jti(2000 + round as u64)).await.unwrap();
        assert_eq!(all_marks(&store, 1000).await.len(), 301 + round);
    }
    drop(store);
    let store = EmbeddedStore::with_backend(disk.cut(0)).unwrap();
    assert_eq!(all_marks(&store, 1000).await.len(), 303);
}

#[tokio::test]
async fn a_broken_disk_is_unavailable_and_heals() {
    let disk = PowerCut::new();
    let store = EmbeddedStore::with_backend(disk.clone()).unwrap();
    store.mark(jti(1)).await.unwrap();
    for _ in 0..3 {
        disk.set_fault(Fault::Broken);
        let lost = store.mark(jti(2)).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        assert!(store.family(sid(1)).await.is_err(), "what cannot be read is not `none`");
        assert!(store.marks(None, 10).await.is_err());
        assert!(store.latest_access_exp().await.is_err());
        assert!(store.sweep(at(1)).await.is_err());
        disk.set_fault(Fault::None);
        assert_eq!(all_marks(&store, 10).await, [jti(1)], "read before anything is written");
        assert_eq!(store.family(sid(1)).await, Ok(None));
    }
    store.mark(jti(2)).await.unwrap();
    assert_eq!(all_marks(&store, 10).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_disk_fails_now_and_then_what_is_acknowledged_is_there() {
    let disk = PowerCut::new();
    let store = Arc::new(EmbeddedStore::with_backend(disk.clone()).unwrap());
    let mut acknowledged = Vec::new();
    for round in 0..30_u64 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..20 {
            let store = Arc::clone(&store);
            let mark = jti(round * 100 + number);
            tasks.spawn(async move {
                let stored = store.mark(mark.clone()).await.is_ok();
                let read = store.marks(None, 5).await;
                assert!(read.is_err() || !stored || !read.unwrap().is_empty());
                stored.then_some(mark)
            });
        }
        let fault = [Fault::Full, Fault::Broken, Fault::LyingSync { after: 0 }][usize::try_from(round % 3).unwrap()];
        disk.set_fault(fault);
        tokio::task::yield_now().await;
        disk.set_fault(Fault::None);
        acknowledged.extend(tasks.join_all().await.into_iter().flatten());
    }
    let found = EmbeddedStore::with_backend(disk.cut(0)).unwrap();
    let marks = all_marks(&found, 1000).await;
    assert!(!acknowledged.is_empty());
    assert!(acknowledged.iter().all(|mark| marks.contains(mark)));
}
