//! One session or mark as a line of text.

use crate::base::base64url;
use crate::revocation::record::{Unreadable, of_family, of_mark, to_family, to_mark};
use crate::revocation::{Family, MarkKey, Sid, StoredMark};

/// What a store has one of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A revocation.
    Mark(StoredMark),
    /// A login session under its name.
    Session(Sid, Family),
}

/// Where one stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// Among the marks.
    Mark(MarkKey),
    /// Among the sessions, which come after all marks.
    Session(Sid),
}

impl Record {
    /// Where it stands.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        match self {
            Self::Mark(mark) => Cursor::Mark(mark.key),
            Self::Session(sid, _) => Cursor::Session(*sid),
        }
    }

    /// `mark KEY RECORD` or `session SID RECORD`, both parts in base64url, the record as the embedded store has it. `None` for one that
    /// cannot be written.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let bytes = match self {
            Self::Mark(mark) => of_mark(mark),
            Self::Session(_, family) => of_family(family),
        };
        Some(format!("{} {}", self.cursor(), base64url::encode(bytes.ok()?)))
    }

    /// Reads a line; `None` for what [`line`](Self::line) would not have written.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (cursor, record) = line.rsplit_once(' ')?;
        let bytes = base64url::decode(record).ok()?;
        let read: Result<Self, Unreadable> = match Cursor::parse(cursor)? {
            Cursor::Mark(key) => to_mark(key, &bytes).map(Self::Mark),
            Cursor::Session(sid) => to_family(&bytes).map(|family| Self::Session(sid, family)),
        };
        read.ok()
    }
}

impl Cursor {
    /// Reads `mark KEY` or `session SID`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(' ')?;
        let bytes = base64url::decode(name).ok()?.try_into().ok()?;
        match kind {
            MARK => Some(Self::Mark(MarkKey::from_bytes(bytes))),
            SESSION => Some(Self::Session(Sid::from_bytes(bytes))),
            _ => None,
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, bytes) = match self {
            Self::Mark(key) => (MARK, key.as_bytes()),
            Self::Session(sid) => (SESSION, sid.as_bytes()),
        };
        write!(out, "{kind} {}", base64url::encode(bytes))
    }
}

const MARK: &str = "mark";
const SESSION: &str = "session";
