use std::time::Duration;

use super::*;
use crate::base::Timestamp;
use crate::keys::KeyNumber;
use crate::revocation::transfer::{Origin, Writer};
use crate::revocation::{Mark, MarkKind, MemoryStore, SessionLife, Until};
use crate::tokens::ScopeSet;

pub(in crate::revocation::transfer) fn family(subject: &str) -> Family {
    let life = SessionLife {
        now: Timestamp::from_seconds(1),
        absolute: Duration::from_secs(100),
        idle: Duration::from_secs(50),
    };
    Family::begin(subject, None, ScopeSet::default(), KeyNumber([1; 4]), life)
}

/// At a later generation.
fn later(family: &Family, generation: u32) -> Family {
    let at = Timestamp::from_seconds(10 + i64::from(generation));
    Family { generation, rotated_at: at, ..family.clone() }.issued(at)
}

fn sid(number: u8) -> Sid {
    Sid::from_bytes([number; 16])
}

fn mark(value: &str) -> Mark {
    let (issuer, expires_at) = ("https://a".to_owned(), Timestamp::from_seconds(99));
    Mark { kind: MarkKind::Jti, issuer, value: value.to_owned(), expires_at, issued_before: None }
}

fn export(records: &[Record]) -> (Header, Vec<u8>) {
    let until = Until { tokens: Timestamp::from_seconds(500), sessions: Timestamp::from_seconds(600) };
    let header = Header::new(Origin::default(), Timestamp::from_seconds(20), until);
    let mut writer = Writer::begin(Vec::new(), &header).unwrap();
    records.iter().for_each(|record| writer.add(record).unwrap());
    (header, writer.finish().unwrap().0)
}

async fn run(store: &Arc<dyn Store>, records: &[Record]) -> Result<Counts, ImportError> {
    let (header, bytes) = export(records);
    let (_, reader) = Reader::begin(bytes.as_slice()).unwrap();
    import(store, &header, reader, |_| {}).await
}

#[test]
fn the_later_generation_counts_and_an_end_is_never_undone() {
    let first = family("alice");
    let (second, third) = (later(&first, 1), later(&first, 2));
    for (there, coming, expected) in [
        (&first, &first, first.clone()),
        (&first, &second, second.clone()),
        (&third, &second, third.clone()),
        (&first.clone().revoke(), &second, second.clone().revoke()),
        (&third, &second.clone().revoke(), third.clone().revoke()),
        (&first, &first.clone().revoke(), first.clone().revoke()),
        (
            &first.clone().issued(Timestamp::from_seconds(90)),
            &second,
            second.clone().issued(Timestamp::from_seconds(90)),
        ),
    ] {
        let both = merged(there.clone(), coming.clone());
        assert_eq!(both, expected, "{there:?} {coming:?}");
        assert_eq!(merged(both.clone(), coming.clone()), both, "once more changes nothing");
    }
}

#[tokio::test]
async fn all_of_it_is_there_and_once_more_changes_nothing() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(None));
    store.create(sid(1), later(&family("alice"), 7)).await.unwrap();
    let mut records = vec![];
    records.extend((0..250).map(|number| Record::Session(Sid::from_bytes([number; 16]), family("alice"))));
    records.push(Record::Session(horizon::name(), family("")));
    for _ in 0..2 {
        assert_eq!(run(&store, &records).await.unwrap(), Counts { marks: 0, sessions: 250, other: 1 });
        assert_eq!(store.family(sid(1)).await, Ok(Some(later(&family("alice"), 7))), "is not taken back");
        assert_eq!(store.family(sid(249)).await, Ok(Some(family("alice"))));
        let until = horizon::stored(&*store).await.unwrap();
        assert_eq!((until.tokens, until.sessions), (Timestamp::from_seconds(500), Timestamp::from_seconds(600)));
    }
}

#[tokio::test]
async fn what_an_interrupted_import_lacks_the_next_one_brings() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(crate::revocation::EmbeddedStore::open(&directory.path().join("store")).unwrap());
    let marks: Vec<Mark> = (0..150).map(|number| mark(&number.to_string())).collect();
    let mut records: Vec<Record> = marks.iter().map(|mark| Record::Mark(mark.clone().into())).collect();
    records.extend((0..200).map(|number| Record::Session(sid(number), family("alice"))));
    let (header, bytes) = export(&records);
    // The end is missing, so what was read before was already written.
    let (_, reader) = Reader::begin(&bytes[..bytes.len() - 100]).unwrap();
    let error = import(&store, &header, reader, |_| {}).await.unwrap_err();
    assert!(matches!(error, ImportError::File(FileError::Truncated)), "{error:?}");
    assert_eq!(store.marks(None, 1000).await.unwrap().len(), 150, "revocations come first");
    run(&store, &records).await.unwrap();
    for number in 0..200 {
        assert_eq!(store.family(sid(number)).await, Ok(Some(family("alice"))));
    }
    assert_eq!(store.marks(None, 1000).await.unwrap().len(), 150);
    assert!(store.marks(None, 1000).await.unwrap().iter().all(|mark| mark.name.is_some()), "with their names");
}
