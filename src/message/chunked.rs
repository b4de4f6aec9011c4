//! A body in chunks, as the bytes that make it up (RFC 9112 §7.1).

/// Follows a body to its end, and refuses what two servers could end at different places.
///
/// Pingora takes an empty line for the last chunk, and blanks behind a size; so this looks at the same bytes before it does.
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    at: At,
    /// Of the line that is being read, or of all trailers.
    line: usize,
}

/// The body cannot be told from what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the request's body are malformed")]
pub struct BadChunk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a size: its value and its digits so far.
    Size(u64, u8),
    /// Behind a semicolon.
    Extension(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    /// At the begin of a trailer, or of the line that ends the body.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
    /// Nothing more is understood.
    Bad,
}

impl Default for At {
    fn default() -> Self {
        Self::Size(0, 0)
    }
}

impl Chunked {
    /// Takes the next bytes. How many of them belong to the body; what is behind those belongs to the next request.
    ///
    /// # Errors
    /// [`BadChunk`], from then on each time. Nothing behind the body can be served after that.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        if self.at == At::Bad {
            return Err(BadChunk);
        }
        let mut rest = bytes;
        while let [first, behind @ ..] = rest {
            rest = match self.at {
                At::Done => break,
                At::Data(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let left = left - taken as u64;
                    self.at = if left == 0 { At::DataCr } else { At::Data(left) };
                    rest.get(taken..).unwrap_or_default()
                }
                at => {
                    self.at = At::Bad;
                    self.at = self.step(at, *first)?;
                    behind
                }
            };
        }
        Ok(bytes.len() - rest.len())
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Everything but the data.
    fn step(&mut self, at: At, byte: u8) -> Result<At, BadChunk> {
        match (at, byte) {
            (At::Size(size, digits), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                let fits = digits < MAX_DIGITS && size < 1 << (4 * (MAX_SIGNIFICANT - 1));
                fits.then_some(At::Size(size << 4 | u64::from(digit), digits + 1)).ok_or(BadChunk)
            }
            // Without a digit there is no size: Pingora would end the body here.
            (At::Size(_, 0), _) => Err(BadChunk),
            (At::Size(size, _) | At::Extension(size), b'\r') => Ok(At::SizeLf(size)),
            (At::Size(size, _), b';') => {
                self.line = 0;
                Ok(At::Extension(size))
            }
            (At::Extension(size), 0x21..=0x7E) => {
                self.line += 1;
                (self.line <= MAX_EXTENSION).then_some(At::Extension(size)).ok_or(BadChunk)
            }
            (At::SizeLf(0), b'\n') => {
                self.line = 0;
                Ok(At::Trailer)
            }
            (At::SizeLf(size), b'\n') => Ok(At::Data(size)),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size(0, 0)),
            (At::Trailer, b'\r') => Ok(At::LastLf),
            (At::LastLf, b'\n') => Ok(At::Done),
            (At::TrailerName, b':') => self.trailer(At::TrailerValue),
            (At::Trailer | At::TrailerName, byte) if super::field::is_token(&[byte]) => self.trailer(At::TrailerName),
            (At::TrailerValue, b'\r') => self.trailer(At::TrailerLf),
            (At::TrailerValue, byte) if super::field::is_value(&[byte]) => self.trailer(At::TrailerValue),
            (At::TrailerLf, b'\n') => self.trailer(At::Trailer),
            _ => Err(BadChunk),
        }
    }

    fn trailer(&mut self, next: At) -> Result<At, BadChunk> {
        self.line += 1;
        (self.line <= MAX_TRAILERS).then_some(next).ok_or(BadChunk)
    }
}

/// Of a size, zeros in front included.
const MAX_DIGITS: u8 = 16;
/// More than any server counts bytes in.
const MAX_SIGNIFICANT: u32 = 15;
/// Behind the semicolon of one chunk, in bytes.
const MAX_EXTENSION: usize = 256;
/// All trailers together, in bytes.
const MAX_TRAILERS: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes belong to the body and whether it has ended, the same however it is cut; `None` if it is none.
    fn pushed(bytes: &[u8]) -> Option<(usize, bool)> {
        let mut whole = Chunked::default();
        let at_once = whole.push(bytes).map(|taken| (taken, whole.is_done()));
        let mut pieces = Chunked::default();
        let singly = bytes.chunks(1).map(|byte| pieces.push(byte)).sum::<Result<usize, _>>();
        assert_eq!(singly.map(|taken| (taken, pieces.is_done())), at_once, "{bytes:?}");
        assert!(at_once.is_ok() || whole.push(b"").is_err(), "{bytes:?}");
        at_once.ok()
    }

    #[test]
    fn bodies_and_what_is_none() {
        let (extension, trailer) = ("x".repeat(MAX_EXTENSION), "x".repeat(MAX_TRAILERS));
        for (body, length) in [
            ("0\r\n\r\n", Some(5)),
            ("5\r\nhello\r\n0\r\n\r\n", Some(15)),
            ("5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", Some(15)),
            ("a\r\n\r\n0\r\n\r\nGET\r\n0\r\n\r\n", Some(20)),
            ("0000000000000005\r\nhello\r\n00\r\n\r\n", Some(31)),
            ("5;a=b;c\r\nhello\r\n0;d\r\n\r\n", Some(23)),
            (&format!("0;{extension}\r\n\r\n"), Some(262)),
            ("0\r\nA: b\r\nc:\r\n\r\n", Some(15)),
            // attacks.md S05
            ("\r\n\r\n", None),
            ("5 \r\nhello\r\n0\r\n\r\n", None),
            ("0x5\r\nhello\r\n0\r\n\r\n", None),
            ("+5\r\nhello\r\n0\r\n\r\n", None),
            ("-5\r\nhello\r\n0\r\n\r\n", None),
            ("5_\r\nhello\r\n0\r\n\r\n", None),
            (" 5\r\nhello\r\n0\r\n\r\n", None),
            ("FFFFFFFFFFFFFFFF5\r\n", None),
            ("FFFFFFFFFFFFFFFF\r\n", None),
            ("1000000000000000\r\n", None),
            ("00000000000000000000005\r\nhello\r\n0\r\n\r\n", None),
            ("G\r\n", None),
            ("5\r\nhelloXX", None),
            ("5\r\nhello\n0\r\n\r\n", None),
            ("5\nhello\r\n0\r\n\r\n", None),
            ("5\rhello\r\n0\r\n\r\n", None),
            ("5;a\nhello\r\n0\r\n\r\n", None),
            ("5;a b\r\nhello\r\n0\r\n\r\n", None),
            ("5;\0\r\nhello\r\n0\r\n\r\n", None),
            ("5 ;a\r\nhello\r\n0\r\n\r\n", None),
            ("0\r\n\n", None),
            ("0\r\nA : b\r\n\r\n", None),
            ("0\r\n A: b\r\n\r\n", None),
            ("0\r\n: b\r\n\r\n", None),
            ("0\r\nGET / HTTP/1.1\r\n", None),
            ("0\r\nA: b\n\r\n", None),
            ("0\r\nA: b\0\r\n\r\n", None),
            (&format!("0;x{extension}\r\n\r\n"), None),
            (&format!("0\r\nA:{trailer}\r\n\r\n"), None),
        ] {
            let expected = length.map(|length| (length, true));
            assert_eq!(pushed(body.as_bytes()), expected, "{body:?}");
        }
    }

    #[test]
    fn without_its_end_it_is_not_done() {
        let body = b"5;a=b\r\nhello\r\nFFFFFFFFFFFFFFF\r\nx";
        for end in 0..=body.len() {
            assert_eq!(pushed(&body[..end]), Some((end, false)));
        }
    }
}
