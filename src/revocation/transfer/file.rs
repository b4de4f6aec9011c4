//! The file that an export is written to, and an import is read from.
//!
//! Lines of UTF-8, each ended by a line feed:
//!
//! ```text
//! doorward export 1
//! {"origin":{"issuer":…,"server_keys":[…],"signing_keys":[…]},"exported_at":…,"latest_access_exp":…,"latest_session_end":…}
//! mark KEY RECORD
//! session SID RECORD
//! end MARKS SESSIONS SHA256
//! ```
//!
//! Keys and records are base64url, the records those of the embedded store; times are milliseconds since 1970. The last line counts the
//! two kinds and has the SHA-256 of every byte before it, in hexadecimal: a file without it was cut short. No secret is in it, and no
//! token can be made from it; it does tell who is logged in, so it is its owner's alone.

use std::io::{self, BufRead, Read, Write};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{Origin, Record};
use crate::base::Timestamp;
use crate::revocation::{Until, horizon};

/// What stands before the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Whose sessions they are.
    pub origin: Origin,
    /// When the source was sealed, in milliseconds.
    pub exported_at: i64,
    /// The latest `exp` of access tokens ever issued there, in milliseconds.
    pub latest_access_exp: i64,
    /// The latest time at which a refresh token of there may be presented, in milliseconds.
    pub latest_session_end: i64,
}

impl Header {
    /// A header of what was exported at `exported_at`.
    #[must_use]
    pub fn new(origin: Origin, exported_at: Timestamp, until: Until) -> Self {
        Self {
            origin,
            exported_at: exported_at.millis(),
            latest_access_exp: until.tokens.millis(),
            latest_session_end: until.sessions.millis(),
        }
    }

    /// Until when anything may be used that was issued there.
    #[must_use]
    pub fn until(&self) -> Until {
        Until {
            tokens: Timestamp::from_millis(self.latest_access_exp),
            sessions: Timestamp::from_millis(self.latest_session_end),
        }
    }
}

/// How many records there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Marks.
    pub marks: u64,
    /// Sessions of users.
    pub sessions: u64,
    /// Other records in the form of a session: that of the [horizon](crate::revocation::Until).
    pub other: u64,
}

/// Why a file cannot be imported. Nothing of it was then.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin as one.
    #[error("this is no export of doorward's: make one with `doorward store export`")]
    Foreign,
    /// One of another version of the program.
    #[error(
        "this export has the format {0}, and this doorward knows 1 only: import it with the version that made it, or export it anew"
    )]
    Version(String),
    /// Its end is missing.
    #[error("the export is cut short: copy it anew, or export it again")]
    Truncated,
    /// It is whole and was changed.
    #[error("the export is damaged in or before line {0}: copy it anew, or export it again")]
    Damaged(u64),
}

/// Writes a file.
pub struct Writer<W> {
    out: W,
    digest: Context,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    ///
    /// # Errors
    /// What writing says.
    pub fn begin(out: W, header: &Header) -> io::Result<Self> {
        let mut this = Self { out, digest: Context::new(&SHA256), counts: Counts::default() };
        this.put(FIRST_LINE)?;
        this.put(&serde_json::to_string(header)?)?;
        Ok(this)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// What writing says.
    pub fn add(&mut self, record: &Record) -> io::Result<()> {
        let line = record.line().ok_or(io::ErrorKind::InvalidData)?;
        self.counts.add(record);
        self.put(&line)
    }

    /// Ends the file, which is none before. Returns it, to be synced, and how many records it has.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(mut self) -> io::Result<(W, Counts)> {
        let end = self.counts.end(self.digest.clone());
        self.put(&end)?;
        self.out.flush()?;
        Ok((self.out, self.counts))
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        for part in [line.as_bytes(), b"\n"] {
            self.digest.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

/// Reads a file. What it gives holds only once it has given `None`.
pub struct Reader<R> {
    input: R,
    digest: Context,
    counts: Counts,
    line: u64,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Begins to read one.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn begin(input: R) -> Result<(Header, Self), FileError> {
        let mut this = Self { input, digest: Context::new(&SHA256), counts: Counts::default(), line: 0, ended: false };
        let first = match this.take() {
            Err(FileError::Truncated | FileError::Damaged(_)) => return Err(FileError::Foreign),
            first => first?,
        };
        match first.strip_prefix(FIRST_WORDS) {
            Some(VERSION) => {}
            Some(other) => return Err(FileError::Version(other.chars().take(20).collect())),
            None => return Err(FileError::Foreign),
        }
        this.hash(&first);
        let header = this.take()?;
        this.hash(&header);
        Ok((serde_json::from_str(&header).map_err(|_| FileError::Damaged(this.line))?, this))
    }

    /// The next record; `None` once the file is known to be whole.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn record(&mut self) -> Result<Option<Record>, FileError> {
        if self.ended {
            return Ok(None);
        }
        let line = self.take()?;
        if line.starts_with("end ") {
            let is_whole = line == self.counts.end(self.digest.clone()) && self.input.fill_buf()?.is_empty();
            self.ended = is_whole;
            return if is_whole { Ok(None) } else { Err(FileError::Damaged(self.line)) };
        }
        self.hash(&line);
        let record = Record::parse(&line).ok_or(FileError::Damaged(self.line))?;
        self.counts.add(&record);
        Ok(Some(record))
    }

    /// How many records came so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// A whole line, without its end.
    fn take(&mut self) -> Result<String, FileError> {
        self.line += 1;
        let mut line = Vec::new();
        (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => String::from_utf8(line).map_err(|_| FileError::Damaged(self.line)),
            Some(_) if line.len() as u64 + 1 >= LONGEST_LINE => Err(FileError::Damaged(self.line)),
            _ => Err(FileError::Truncated),
        }
    }

    fn hash(&mut self, line: &str) {
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
    }
}

impl Counts {
    fn add(&mut self, record: &Record) {
        match record {
            Record::Mark(_) => self.marks += 1,
            Record::Session(sid, _) if *sid == horizon::name() => self.other += 1,
            Record::Session(..) => self.sessions += 1,
        }
    }

    fn end(self, digest: Context) -> String {
        let hash: String = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("end {} {} {hash}", self.marks, self.sessions + self.other)
    }
}

const FIRST_WORDS: &str = "doorward export ";
const VERSION: &str = "1";
const FIRST_LINE: &str = "doorward export 1";

/// Bytes. A record is a few hundred, or what the longest claims have.
const LONGEST_LINE: u64 = 1 << 20;

#[cfg(test)]
mod tests;
