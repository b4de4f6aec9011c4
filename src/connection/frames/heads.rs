//! The heads in the frames, put together (RFC 9113 §4.3, §6.2, §6.10).

use crate::message::hpack::Paths;

/// Finds heads that have to end the connection: what reads them later would take them for others.
///
/// What is not understood is passed on, and so is everything behind it: to judge that is the library's part.
#[derive(Debug)]
pub(super) struct Heads {
    /// `None` when they are followed no longer.
    paths: Option<Paths>,
    /// What there is of a head that came in more than one piece.
    pieces: Vec<u8>,
    is_bad: bool,
}

impl Default for Heads {
    fn default() -> Self {
        Self { paths: Some(Paths::default()), pieces: Vec::new(), is_bad: false }
    }
}

/// A frame of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// Whether it goes on with a head that was begun.
    pub(super) goes_on: bool,
}

impl Heads {
    /// Whether one of them had a `:path` that no request may have.
    pub(super) fn are_bad(&self) -> bool {
        self.is_bad
    }

    /// Takes the next bytes of a frame's payload, perhaps its last.
    pub(super) fn push(&mut self, frame: Frame, bytes: &[u8], is_last: bool) {
        if self.paths.is_some() && self.take(frame, bytes, is_last).is_none() {
            self.stop();
        }
    }

    /// From now on nothing is looked at.
    pub(super) fn stop(&mut self) {
        (self.paths, self.pieces) = (None, Vec::new());
    }

    fn take(&mut self, frame: Frame, bytes: &[u8], is_last: bool) -> Option<()> {
        let ends = is_last && frame.flags & END_HEADERS != 0;
        // As nearly all of them come: nothing is copied.
        if ends && !frame.goes_on && self.pieces.is_empty() {
            return self.judge(frame.head(bytes)?);
        }
        if self.pieces.len() + bytes.len() > LONGEST {
            return None;
        }
        self.pieces.extend_from_slice(bytes);
        if !is_last {
            return Some(());
        }
        if !frame.goes_on {
            self.pieces = frame.head(&self.pieces)?.to_vec();
        }
        if ends {
            let head = std::mem::take(&mut self.pieces);
            self.judge(&head)?;
        }
        Some(())
    }

    fn judge(&mut self, head: &[u8]) -> Option<()> {
        self.is_bad |= self.paths.as_mut()?.is_bad_in(head).ok()?;
        Some(())
    }
}

impl Frame {
    /// What a HEADERS frame has of the head, without priority and padding; `None` if they do not fit in.
    fn head(self, payload: &[u8]) -> Option<&[u8]> {
        let (padding, mut head) = match self.flags & PADDED {
            0 => (0, payload),
            _ => payload.split_first().map(|(padding, rest)| (usize::from(*padding), rest))?,
        };
        if self.flags & PRIORITY != 0 {
            let (priority, rest) = head.split_first_chunk::<5>()?;
            let [dependency @ .., _weight] = *priority;
            if (u32::from_be_bytes(dependency) ^ self.stream) & STREAM == 0 {
                // The library resets a stream that depends on itself, and does not read what else is in the frame.
                return Some(&[]);
            }
            head = rest;
        }
        head.get(..head.len().checked_sub(padding)?)
    }
}

const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

/// All bits of a stream's number but the first, which is none of it.
const STREAM: u32 = 0x7FFF_FFFF;

/// Of a head that comes in pieces, in bytes: more than any request should have.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// `:path: /a`, and `:path: /#`.
    const GOOD: &[u8] = &[0x04, 2, b'/', b'a'];
    const BAD: &[u8] = &[0x04, 2, b'/', b'#'];
    /// Any other field, and an index of a field that there is not.
    const FIELD: &[u8] = &[0x00, 1, b'a', 1, b'b'];
    const UNKNOWN: &[u8] = &[0xBE];
    const CONTINUED: u8 = 0;

    /// A frame on stream 1 as flags, whether it goes on with a head, and its payload.
    type Sent = (u8, bool, Vec<u8>);

    fn followed(frames: &[Sent], piece: usize) -> Heads {
        let mut heads = Heads::default();
        for (flags, goes_on, payload) in frames {
            let frame = Frame { flags: *flags, stream: 1, goes_on: *goes_on };
            let mut pieces = payload.chunks(piece).peekable();
            if pieces.peek().is_none() {
                heads.push(frame, &[], true);
            }
            while let Some(bytes) = pieces.next() {
                heads.push(frame, bytes, pieces.peek().is_none());
            }
        }
        heads
    }

    #[test]
    fn heads_are_put_together_however_they_are_cut() {
        let (priority, itself) = ([0x80, 0, 0, 3, 7], [0x80, 0, 0, 1, 7]);
        let begins = |flags: u8, parts: &[&[u8]]| (flags, false, parts.concat());
        let goes_on = |flags: u8, parts: &[&[u8]]| (flags, true, parts.concat());
        for (name, frames, is_bad, is_followed) in [
            ("good", vec![begins(END_HEADERS, &[GOOD])], false, true),
            ("bad", vec![begins(END_HEADERS, &[FIELD, BAD])], true, true),
            ("empty", vec![begins(END_HEADERS, &[])], false, true),
            ("the second", vec![begins(END_HEADERS, &[GOOD]), begins(END_HEADERS, &[BAD])], true, true),
            ("padded", vec![begins(END_HEADERS | PADDED, &[&[4], GOOD, BAD])], false, true),
            ("padded and bad", vec![begins(END_HEADERS | PADDED, &[&[2], BAD, &[0xBE; 2]])], true, true),
            ("all padding", vec![begins(END_HEADERS | PADDED, &[&[4], BAD])], false, true),
            ("too much padding", vec![begins(END_HEADERS | PADDED, &[&[5], BAD])], false, false),
            ("no padding", vec![begins(END_HEADERS | PADDED, &[])], false, false),
            ("priority", vec![begins(END_HEADERS | PRIORITY, &[&priority, BAD])], true, true),
            ("both", vec![begins(END_HEADERS | PADDED | PRIORITY, &[&[1], &priority, BAD, &[0]])], true, true),
            ("half a priority", vec![begins(END_HEADERS | PRIORITY, &[&priority[..4]])], false, false),
            ("on itself", vec![begins(END_HEADERS | PRIORITY, &[&itself, BAD])], false, true),
            ("goes on", vec![begins(CONTINUED, &[&BAD[..3]]), goes_on(END_HEADERS, &[&BAD[3..]])], true, true),
            (
                "goes on after priority and padding",
                vec![
                    begins(PADDED | PRIORITY, &[&[2], &priority, &BAD[..1], &[0xBE; 2]]),
                    goes_on(CONTINUED, &[&BAD[1..2]]),
                    goes_on(CONTINUED, &[]),
                    goes_on(END_HEADERS, &[&BAD[2..]]),
                ],
                true,
                true,
            ),
            ("has not ended", vec![begins(CONTINUED, &[BAD])], false, true),
            ("not understood", vec![begins(END_HEADERS, &[UNKNOWN]), begins(END_HEADERS, &[BAD])], false, false),
            ("half a field", vec![begins(END_HEADERS, &[&BAD[..3]])], false, false),
        ] {
            for piece in [1, 2, 3, 7, 1_000] {
                let heads = followed(&frames, piece);
                assert_eq!((heads.is_bad, heads.paths.is_some()), (is_bad, is_followed), "{name} in pieces of {piece}");
                let holds_nothing = heads.pieces.capacity() == 0;
                assert_eq!(holds_nothing, name != "has not ended", "{name} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_not_held() {
        for (fields, is_bad) in [(LONGEST / FIELD.len() - 1, true), (LONGEST / FIELD.len(), false)] {
            let frames = [(CONTINUED, false, FIELD.repeat(fields)), (END_HEADERS, true, BAD.to_vec())];
            let heads = followed(&frames, 1_000);
            assert_eq!((heads.is_bad, heads.paths.is_some(), heads.pieces.capacity()), (is_bad, is_bad, 0));
        }
    }
}
