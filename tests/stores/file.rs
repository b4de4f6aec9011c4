//! The file of the embedded store: made, opened, refused, shared.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use doorward::base::{Stopwatch, Timestamp};
use doorward::revocation::{EmbeddedStore, Mark, MarkKind, OpenError, Store, StoredMark, Swap};
use redb::{Database, TableDefinition};

use crate::fixtures::{all_marks, at, family, jti, mark, rotated, sid};
use crate::power_cut::PowerCut;

/// A store with a session of one rotation and ten marks.
async fn fill(store: &dyn Store) {
    store.create(sid(1), family()).await.unwrap();
    assert_eq!(store.swap(sid(1), &family(), rotated(&family(), at(1))).await, Ok(Swap::Done));
    for number in 0..10 {
        store.mark(jti(number)).await.unwrap();
    }
}

async fn is_filled(store: &dyn Store) -> bool {
    let mut expected: Vec<_> = (0..10).map(jti).collect();
    expected.sort_by_key(Mark::key);
    store.family(sid(1)).await == Ok(Some(rotated(&family(), at(1))))
        && all_marks(store, 4).await == expected
        && store.latest_access_exp().await == Ok(at(101))
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fill(&EmbeddedStore::open(&path).unwrap()).await;
    for _ in 0..3 {
        assert!(is_filled(&EmbeddedStore::open(&path).unwrap()).await);
    }
    let store = EmbeddedStore::open(&path).unwrap();
    store.sweep(Timestamp::MAX).await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(all_marks(&store, 10).await, []);
    assert_eq!(store.family(sid(1)).await, Ok(None));
    assert_eq!(store.latest_access_exp().await, Ok(at(101)), "outlives what it came from");
}

#[tokio::test]
async fn the_file_is_its_owners_alone_and_nothing_lies_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    drop(EmbeddedStore::open(&path).unwrap());
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(EmbeddedStore::open(&path).unwrap());
    assert_eq!(mode(&path), 0o600, "also if somebody had opened it up");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_was_asked_for_is_written_before_the_store_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).unwrap();
    let mut writes: Vec<_> = (0..50).map(|number| Box::pin(store.mark(jti(number)))).collect();
    for write in &mut writes {
        // Asked for once, and then forgotten about; on a busy machine one may be done before it is asked for its answer.
        if let Some(answer) = poll_once(write.as_mut()) {
            answer.unwrap();
        }
    }
    drop(writes);
    drop(store);
    assert_eq!(all_marks(&EmbeddedStore::open(&path).unwrap(), 100).await.len(), 50);
}

/// Polls a future once.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn one_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).unwrap();
    fill(&store).await;
    let second = EmbeddedStore::open(&path).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }), "{second:?}");
    assert_eq!(
        second.to_string(),
        format!(
            "the store `{}` is in use, by another process or another store of this one; stop that, or give this one a `data_dir` of its own",
            path.display()
        )
    );
    store.mark(jti(9)).await.unwrap();
    drop(store);
    assert!(is_filled(&EmbeddedStore::open(&path).unwrap()).await);
}

#[test]
fn what_the_system_refuses_is_said_with_the_name_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("missing/store"), directory.path().to_owned()] {
        let error = EmbeddedStore::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
        assert!(
            error.to_string().starts_with(&format!("the store `{}` cannot be opened: ", path.display())),
            "{error}"
        );
    }
}

/// The bytes of a filled store, closed as it should be.
async fn filled() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fill(&EmbeddedStore::open(&path).unwrap()).await;
    fs::read(&path).unwrap()
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_and_is_left_as_it_is() {
    let good = filled().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut wrong_magic = good.clone();
    wrong_magic[3] ^= 1;
    let mut newer_database = good.clone();
    newer_database[64] = 99;
    let zeroes = vec![0; 1 << 20];
    let zeroes_behind = [good.as_slice(), &[0; 5000]].concat();
    for (what, bytes) in [
        ("empty", &[][..]),
        ("garbage", &[0xA5; 10_000]),
        ("text", b"users: []\n"),
        ("zeroes", &zeroes),
        ("a database of another magic number", &wrong_magic),
        ("a database of another format", &newer_database),
        ("cut to its first byte", &good[..1]),
        ("cut in the header", &good[..100]),
        ("cut behind the header", &good[..4096]),
        ("cut in the middle", &good[..good.len() / 2]),
        ("cut by a page", &good[..good.len() - 4096]),
        ("cut by a byte", &good[..good.len() - 1]),
        ("with something behind", &zeroes_behind),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = EmbeddedStore::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Unreadable { .. }), "{what}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("`{}`", path.display())) && text.contains("left untouched"), "{what}: {text}");
        assert!(fs::read(&path).unwrap() == bytes, "{what}: was changed");
    }
    fs::write(&path, &good).unwrap();
    assert!(is_filled(&EmbeddedStore::open(&path).unwrap()).await);
}

#[tokio::test]
async fn a_database_of_something_else_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<u64, u64>::new("accounts")).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    let error = EmbeddedStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert!(fs::read(&path).unwrap() == before, "was changed");
}

#[tokio::test]
async fn a_store_of_another_format_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fill(&EmbeddedStore::open(&path).unwrap()).await;
    let database = Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, i64>::new("doorward")).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    let error = EmbeddedStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Format { found: 2, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("run the version that wrote it"), "{text}");
    assert!(fs::read(&path).unwrap() == before, "was changed");
}

#[tokio::test]
async fn a_flipped_bit_is_harmless_or_found() {
    let closed = filled().await;
    let running = PowerCut::new();
    let store = EmbeddedStore::with_backend(running.clone()).unwrap();
    fill(&store).await;
    let killed = running.bytes();
    let (mut found, mut harmless) = (0, 0);
    for (what, bytes) in [("closed", closed), ("killed", killed)] {
        let near = (0..40_000).step_by(101);
        let far = (40_000..bytes.len()).step_by(30_011);
        for offset in near.chain(far).filter(|offset| *offset != GOD_BYTE) {
            let mut flipped = bytes.clone();
            flipped[offset] ^= 1 << (offset % 8);
            let disk = PowerCut::holding(flipped.clone());
            match EmbeddedStore::with_backend(disk.clone()) {
                Ok(store) => {
                    assert!(is_filled(&store).await, "{what}: something is lost by a bit in byte {offset}");
                    harmless += 1;
                }
                Err(error) => {
                    assert!(!matches!(error, OpenError::Io { .. }), "{what}, byte {offset}: {error}");
                    assert!(disk.bytes() == flipped, "{what}: byte {offset} was found, and the file changed");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 50 && harmless > 50, "{found} found, {harmless} harmless");
}

/// Where the database says which of its two commits is the newer one; it has no checksum.
const GOD_BYTE: usize = 9;

#[tokio::test]
async fn a_mark_of_any_kind_and_length_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let long = "x".repeat(100_000);
    let mut marks: Vec<_> = MarkKind::ALL.into_iter().map(|kind| mark(kind, &long, at(1))).collect();
    marks.sort_by_key(Mark::key);
    let store = EmbeddedStore::open(&path).unwrap();
    for mark in &marks {
        store.mark(mark.clone()).await.unwrap();
    }
    drop(store);
    assert_eq!(all_marks(&EmbeddedStore::open(&path).unwrap(), 10).await, marks);
}

/// Marks that are over make room for others, and the file gets smaller again.
#[tokio::test]
async fn a_wave_of_revocations_does_not_keep_its_room_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).unwrap();
    let len = || fs::metadata(&path).unwrap().len();
    let empty = len();
    let marks: Vec<StoredMark> = (0..WAVE).map(|number| jti(number).into()).collect();
    let mut filled = 0;
    for wave in 0..3 {
        for part in marks.chunks(1000) {
            store.restore(part).await.unwrap();
        }
        if wave == 0 {
            filled = len();
        }
        assert!(len() <= filled + filled / 4, "wave {wave}: {} bytes, {filled} the first time", len());
        assert_eq!(store.sweep(Timestamp::MAX).await.unwrap().marks, marks.len());
        println!("wave {wave}: {empty} bytes, {filled} filled, {} swept", len());
    }
    drop(store);
    let began = Stopwatch::start();
    let store = EmbeddedStore::open(&path).unwrap();
    println!("reopened: {} bytes, in {:?}", len(), began.elapsed());
    assert!(len() <= 2 * empty.max(1 << 20), "{} bytes", len());
    assert_eq!(all_marks(&store, 10).await, []);
}

const WAVE: u64 = 20_000;
