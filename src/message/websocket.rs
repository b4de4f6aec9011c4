//! Where WebSocket frames begin and end (RFC 6455 §5.2).

/// Follows the frames of one direction, so that a frame of ours can be put between two of them. Nothing of them is judged: they
/// are the upstream's, and only where they end matters.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// What was read of the frame's header, while it is not complete.
    header: [u8; LONGEST_HEADER],
    read: usize,
    /// Bytes of the payload that are still to come.
    left: u64,
}

impl Frames {
    /// Takes the bytes that come next, however they are cut.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left = self.left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            let Some((byte, rest)) = bytes.split_first() else { return };
            if let Some(place) = self.header.get_mut(self.read) {
                *place = *byte;
            }
            self.read += 1;
            bytes = rest;
            if self.read >= self.header_length() {
                self.left = self.payload_length();
                self.read = 0;
            }
        }
    }

    /// Whether what has passed ends with a frame: also before the first. A control frame may stand between any two frames, the
    /// fragments of a message included (§5.4).
    #[must_use]
    pub const fn at_boundary(&self) -> bool {
        self.read == 0 && self.left == 0
    }

    /// Of the frame that is being read; 2 until its second byte is there.
    fn header_length(&self) -> usize {
        let [_, second, ..] = self.header;
        if self.read < 2 {
            return 2;
        }
        let length = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        // A server must not mask (§5.1); one that does still has its frames end where they end.
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn payload_length(&self) -> u64 {
        let [_, second, length @ .., _, _, _, _] = self.header;
        let [high, low, ..] = length;
        match second & 0x7F {
            126 => u64::from(u16::from_be_bytes([high, low])),
            127 => u64::from_be_bytes(length),
            short => u64::from(short),
        }
    }
}

/// Two bytes, eight of length, four of mask.
const LONGEST_HEADER: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of the server's, its length written in the form `form` asks for (0, 2 or 8 bytes).
    fn frame(opcode: u8, payload: usize, form: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let length = payload as u64;
        let mut frame = match form {
            2 => [&[opcode, 0x7E | mask][..], &length.to_be_bytes()[6..]].concat(),
            8 => [&[opcode, 0x7F | mask][..], &length.to_be_bytes()].concat(),
            _ => vec![opcode, u8::try_from(length).unwrap() | mask],
        };
        // What would begin a long frame, were it taken for a header.
        frame.extend(vec![0xFF; payload + if masked { 4 } else { 0 }]);
        frame
    }

    #[test]
    fn a_boundary_is_at_the_end_of_each_frame_and_nowhere_else() {
        let frames = [
            frame(0x81, 0, 0, false),
            frame(0x01, 5, 0, false),
            frame(0x89, 125, 0, false),
            frame(0x80, 126, 2, false),
            frame(0x82, 3, 2, false),
            frame(0x82, 65_536, 8, false),
            frame(0x82, 1, 8, false),
            frame(0x82, 0, 8, false),
            frame(0x81, 0, 0, true),
            frame(0x81, 7, 0, true),
            frame(0x81, 200, 2, true),
            frame(0x88, 2, 0, false),
        ];
        let stream = frames.concat();
        let mut ends = vec![0];
        for frame in &frames {
            ends.push(ends[ends.len() - 1] + frame.len());
        }
        for piece in [1, 2, 3, 7, 64, 1_000, stream.len()] {
            let mut followed = Frames::default();
            assert!(followed.at_boundary());
            let mut passed = 0;
            for bytes in stream.chunks(piece) {
                followed.pass(bytes);
                passed += bytes.len();
                assert_eq!(followed.at_boundary(), ends.contains(&passed), "after {passed} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_frame_longer_than_anything_never_ends() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        frames.pass(&[0; 10_000]);
        assert!(!frames.at_boundary());
    }
}
