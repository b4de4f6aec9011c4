//! HTTP/2's compressed heads (HPACK, RFC 7541), read for one thing only: whether a `:path` holds what none may.
//!
//! The libraries that decode them cut a fragment off a `:path` without a word (attacks.md P12), and nobody behind them can know.

mod huffman;
mod table;

use table::{Name, Table};

/// Follows the heads of one connection, each of which may refer to those before.
#[derive(Debug, Default)]
pub struct Paths {
    table: Table,
}

/// The head was not understood, so no later one can be: whoever decodes it for real has to say what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the head of an HTTP/2 request cannot be followed")]
pub struct Lost;

impl Paths {
    /// Whether a head, whole, has a `:path` with `#` or anything else but visible ASCII. After one that has, no other is to be asked for.
    ///
    /// # Errors
    /// [`Lost`]. Nothing that comes later can be judged.
    pub fn is_bad_in(&mut self, head: &[u8]) -> Result<bool, Lost> {
        let mut rest = Rest(head);
        while let Some(first) = rest.byte() {
            if self.is_bad(first, &mut rest).ok_or(Lost)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes one field, or a change of the table's size (§6).
    fn is_bad(&mut self, first: u8, rest: &mut Rest<'_>) -> Option<bool> {
        match first {
            0x80.. => {
                self.table.name(rest.integer(first, 7)?)?;
                Some(false)
            }
            0x40.. => {
                let name = match rest.integer(first, 6)? {
                    0 => rest.text()?.as_name()?,
                    index => self.table.name(index)?,
                };
                let value = rest.text()?;
                let (length, is_bad) = if name.is_path { value.as_path()? } else { (value.length()?, false) };
                self.table.insert(name, length);
                Some(is_bad)
            }
            0x20.. => self.table.resize(rest.integer(first, 5)?).map(|()| false),
            // Never remembered: only a path has to be decoded.
            _ => {
                let is_path = match rest.integer(first, 4)? {
                    0 => rest.text()?.is_path(),
                    index => self.table.name(index)?.is_path,
                };
                let value = rest.text()?;
                if is_path { value.as_path().map(|(_, is_bad)| is_bad) } else { Some(false) }
            }
        }
    }
}

/// What no path holds. A fragment stays with the client (RFC 9110 §4.2.5), and everything else is escaped (RFC 3986 §2).
const fn is_foreign(byte: u8) -> bool {
    byte == b'#' || !matches!(byte, 0x21..=0x7E)
}

/// What is left of a head.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number that begins in the last bits of `first` (§5.1). As long as h2 takes one, and no longer.
    fn integer(&mut self, first: u8, bits: u32) -> Option<usize> {
        let most = (1 << bits) - 1;
        let mut value = usize::from(first) & most;
        if value < most {
            return Some(value);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A string (§5.2).
    fn text(&mut self) -> Option<Text<'a>> {
        let first = self.byte()?;
        let length = self.integer(first, 7)?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(if first < 0x80 { Text::Plain(bytes) } else { Text::Huffman(bytes) })
    }
}

#[derive(Clone, Copy)]
enum Text<'a> {
    Plain(&'a [u8]),
    Huffman(&'a [u8]),
}

impl Text<'_> {
    /// Of what it stands for.
    fn length(self) -> Option<usize> {
        match self {
            Self::Plain(bytes) => Some(bytes.len()),
            Self::Huffman(bytes) => huffman::read(bytes).map(|(length, _)| length),
        }
    }

    fn is_path(self) -> bool {
        match self {
            Self::Plain(bytes) => bytes == b":path",
            Self::Huffman(bytes) => bytes == huffman::PATH,
        }
    }

    fn as_name(self) -> Option<Name> {
        Some(Name { length: self.length()?, is_path: self.is_path() })
    }

    /// Its length, and whether it is bad.
    fn as_path(self) -> Option<(usize, bool)> {
        match self {
            Self::Plain(bytes) => Some((bytes.len(), bytes.iter().any(|byte| is_foreign(*byte)))),
            Self::Huffman(bytes) => huffman::read(bytes),
        }
    }
}

#[cfg(test)]
mod tests;
