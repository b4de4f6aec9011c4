use super::*;
use crate::revocation::{Mark, MarkKind, Sid, StoredMark};

fn header() -> Header {
    let origin = Origin { issuer: "https://a".to_owned(), server_keys: vec!["s".to_owned()], signing_keys: Vec::new() };
    Header::new(origin, Timestamp::from_millis(5), Until { tokens: Timestamp::from_millis(6), ..Until::default() })
}

fn records() -> Vec<Record> {
    let mark = |value: &str| {
        let mark = Mark {
            kind: MarkKind::Sub,
            issuer: "https://a".to_owned(),
            value: value.to_owned(),
            expires_at: Timestamp::from_millis(7),
            issued_before: Some(Timestamp::from_millis(8)),
        };
        StoredMark::from(mark)
    };
    let family = crate::revocation::transfer::import::tests::family("é \n end");
    vec![
        Record::Mark(mark("\u{0}\n")),
        Record::Mark(StoredMark { name: None, ..mark("b") }),
        Record::Session(Sid::from_bytes([0xff; 16]), family.clone()),
        Record::Session(Sid::from_bytes([1; 16]), family.revoke()),
    ]
}

fn written() -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &header()).unwrap();
    for record in records() {
        writer.add(&record).unwrap();
    }
    let (bytes, counts) = writer.finish().unwrap();
    assert_eq!(counts, Counts { marks: 2, sessions: 2, other: 0 });
    bytes
}

fn read(bytes: &[u8]) -> Result<(Header, Vec<Record>), FileError> {
    let (header, mut reader) = Reader::begin(bytes)?;
    let mut records = Vec::new();
    while let Some(record) = reader.record()? {
        records.push(record);
    }
    Ok((header, records))
}

#[test]
fn what_is_written_is_read() {
    let (found, all) = read(&written()).unwrap();
    assert_eq!((found, all), (header(), records()));
    let (empty, _) = Writer::begin(Vec::new(), &header()).unwrap().finish().unwrap();
    assert_eq!(read(&empty).unwrap().1, []);
}

#[test]
fn wherever_it_was_cut_it_is_refused() {
    let whole = written();
    for len in 0..whole.len() {
        let error = read(&whole[..len]).unwrap_err();
        let fits = match error {
            FileError::Foreign => len <= FIRST_LINE.len(),
            FileError::Truncated => true,
            _ => false,
        };
        assert!(fits, "cut to {len} bytes: {error:?}");
    }
}

#[test]
fn whatever_was_changed_it_is_refused() {
    let whole = written();
    for index in 0..whole.len() {
        let mut changed = whole.clone();
        changed[index] ^= 1;
        assert!(read(&changed).is_err(), "byte {index}");
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let without = |number: usize| [lines[..number].concat(), lines[number + 1..].concat()].concat();
    for number in 0..lines.len() {
        assert!(read(&without(number)).is_err(), "without line {number}");
    }
    let behind = [whole.as_slice(), b"x"].concat();
    assert!(matches!(read(&behind), Err(FileError::Damaged(7))));
    let newer = [b"doorward export 2\n", lines[1..].concat().as_slice()].concat();
    assert!(matches!(read(&newer), Err(FileError::Version(version)) if version == "2"));
    for foreign in [b"users: []\n".as_slice(), b"", b"\n", b"doorward export\n"] {
        assert!(matches!(read(foreign), Err(FileError::Foreign)), "{foreign:?}");
    }
    let endless = [FIRST_LINE.as_bytes(), b"\n", &vec![b'x'; 2 << 20]].concat();
    assert!(matches!(read(&endless), Err(FileError::Damaged(2))), "and is not read into memory");
}
