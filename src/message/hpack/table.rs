//! The tables of header fields (RFC 7541 §2.3, Appendix A), as far as a `:path` is concerned: of a field only its size and its name.
//!
//! Values are not kept. A `:path` that is bad is found when it comes, and no head is followed after that.

use std::collections::VecDeque;

/// The name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// In bytes.
    pub(super) length: usize,
    pub(super) is_path: bool,
}

/// The fields that a decoder remembers, the last one first.
#[derive(Clone, Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    pub(super) size: usize,
    most: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self { entries: VecDeque::new(), size: 0, most: MOST }
    }
}

/// Its size is at most [`MOST`], or it would not be in the table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    name: u16,
    size: u16,
    is_path: bool,
}

impl Table {
    /// The name of the field with this number; `None` if there is none.
    pub(super) fn name(&self, index: usize) -> Option<Name> {
        let index = index.checked_sub(1)?;
        let (length, is_path) = match STATIC.get(index) {
            Some(length) => (usize::from(*length), PATHS.contains(&index)),
            None => self.entries.get(index - STATIC.len()).map(|entry| (usize::from(entry.name), entry.is_path))?,
        };
        Some(Name { length, is_path })
    }

    /// Puts a field in front of the others. The oldest go until it fits; if it never does, all are gone (§4.4).
    pub(super) fn insert(&mut self, name: Name, value: usize) {
        let size = name.length + value + OVERHEAD;
        self.shrink(self.most.saturating_sub(size));
        if size > self.most {
            return;
        }
        if let (Ok(name_size), Ok(entry_size)) = (u16::try_from(name.length), u16::try_from(size)) {
            self.size += size;
            self.entries.push_front(Entry { name: name_size, size: entry_size, is_path: name.is_path });
        }
    }

    /// How large it may be from now on; `None` if that is more than was granted (§6.3).
    pub(super) fn resize(&mut self, most: usize) -> Option<()> {
        self.most = Some(most).filter(|most| *most <= MOST)?;
        self.shrink(most);
        Some(())
    }

    fn shrink(&mut self, most: usize) {
        while self.size > most
            && let Some(last) = self.entries.pop_back()
        {
            self.size -= usize::from(last.size);
        }
    }
}

/// What SETTINGS grant that say nothing of it, as ours do (RFC 9113 §6.5.2).
const MOST: usize = 4_096;

/// What each field counts on top (§4.1).
const OVERHEAD: usize = 32;

/// Where in [`STATIC`] a `:path` is: `/` and `/index.html`.
const PATHS: [usize; 2] = [3, 4];

/// The lengths of the static fields' names. The first has the number 1.
#[rustfmt::skip]
const STATIC: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12,
    6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];
