//! HTTP/2 as it comes in, frame by frame: what takes too long, what comes too often, and what is cut off where nobody sees it
//! (RFC 9113 §4.1, §10.5, §8.3.1).
//!
//! The library that reads the frames bounds what they cost it, not how long half of one may take nor how many of them may mean
//! nothing; and it takes a path with a fragment for one without.

mod heads;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use self::heads::{Frame, Heads};
use crate::base::Stopwatch;

/// What a client says first over HTTP/2 (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Follows the frames of a client.
pub(super) struct Frames {
    follower: Follower,
    /// For the preface, and for all that makes up one head.
    timeout: Duration,
    deadline: Option<(u64, Pin<Box<Sleep>>)>,
    requests: Arc<Requests>,
    second: Stopwatch,
    /// Bytes that went to the client in that second.
    written: usize,
}

/// What has become of a connection's requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) begun: AtomicUsize,
    pub(super) answered: AtomicUsize,
    /// Whether the connection is ended for what came.
    pub(super) broken: AtomicBool,
}

impl Frames {
    pub(super) fn new(timeout: Duration, requests: Arc<Requests>) -> Self {
        Self {
            follower: Follower::default(),
            timeout,
            deadline: None,
            requests,
            second: Stopwatch::start(),
            written: 0,
        }
    }

    /// Takes the bytes that come next.
    ///
    /// # Errors
    /// Those for which the connection has to end: too many frames that are no requests, or a request for a path that is none.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.follower.pass(bytes);
        // Behind the library, `/public#/../admin` is `/public` (attacks.md P12).
        if self.follower.heads.are_bad() {
            let error = io::Error::other("a path with a fragment, or with what has to be escaped");
            return Err(broken(&self.requests, error));
        }
        // Requests that are taken back before they are answered cost the upstream, and nobody but the upstream.
        if self.follower.resets > self.requests.answered.load(Ordering::Relaxed).saturating_add(RESETS) {
            return Err(broken(&self.requests, io::Error::other("a flood of resets")));
        }
        if self.follower.hollow > HOLLOW_A_SECOND.saturating_add(self.written / BYTES_A_HOLLOW) {
            if self.second.elapsed() < Duration::from_secs(1) {
                return Err(broken(&self.requests, io::Error::other("a flood of control frames")));
            }
            self.follower.hollow = 0;
            self.written = 0;
            self.second = Stopwatch::start();
        }
        Ok(())
    }

    /// That so many bytes went to the client: with a download, pings come by the round trip (gRPC measures its bandwidth by them).
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
    }

    /// Ready when what has begun should have ended.
    pub(super) fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(begun) = self.follower.begun() else {
            self.deadline = None;
            return Poll::Pending;
        };
        if self.deadline.as_ref().is_none_or(|(of, _)| *of != begun) {
            self.deadline = Some((begun, Box::pin(tokio::time::sleep(self.timeout))));
        }
        match &mut self.deadline {
            Some((_, timer)) => {
                timer.as_mut().poll(context).map(|()| broken(&self.requests, io::ErrorKind::TimedOut.into()))
            }
            None => Poll::Pending,
        }
    }
}

fn broken(requests: &Requests, error: io::Error) -> io::Error {
    requests.broken.store(true, Ordering::Relaxed);
    error
}

/// Knows where frames begin and end.
#[derive(Debug, Default)]
struct Follower {
    /// Bytes of the preface so far.
    preface: usize,
    /// Bytes of the frame's header so far.
    header: [u8; HEADER],
    read: usize,
    /// Bytes of its payload to come.
    left: usize,
    /// Whether the first frame, the client's settings, was there.
    settled: bool,
    in_block: bool,
    heads: Heads,
    /// Whether it waited for something when it was asked last, and the number of the thing.
    waits: bool,
    number: u64,
    resets: usize,
    hollow: usize,
}

impl Follower {
    fn pass(&mut self, mut bytes: &[u8]) {
        let preface = bytes.len().min(PREFACE.len() - self.preface);
        self.preface += preface;
        bytes = bytes.get(preface..).unwrap_or_default();
        while !bytes.is_empty() {
            let taken = if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                self.pass_payload(bytes.get(..taken).unwrap_or_default());
                taken
            } else {
                let taken = bytes.len().min(HEADER - self.read);
                for (place, byte) in self.header.iter_mut().skip(self.read).zip(bytes) {
                    *place = *byte;
                }
                self.read += taken;
                self.read_header();
                taken
            };
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.left == 0 && self.read == HEADER {
                self.read = 0;
                self.settled = true;
            }
            self.note();
        }
        self.note();
    }

    fn read_header(&mut self) {
        let [a, b, c, kind, flags, ..] = self.header;
        if self.read < HEADER {
            return;
        }
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            DATA | WINDOW_UPDATE => {}
            HEADERS | CONTINUATION | PUSH_PROMISE => self.in_block = flags & END_HEADERS == 0,
            RST_STREAM => self.resets += 1,
            _ => self.hollow += 1,
        }
        if self.left == 0 {
            self.pass_payload(&[]);
        }
    }

    fn pass_payload(&mut self, bytes: &[u8]) {
        let [_, _, _, kind, flags, stream @ ..] = self.header;
        match kind {
            HEADERS | CONTINUATION => {
                let frame = Frame { flags, stream: u32::from_be_bytes(stream), goes_on: kind == CONTINUATION };
                self.heads.push(frame, bytes, self.left == 0);
            }
            // No client may send it, but it would change what heads refer to.
            PUSH_PROMISE => self.heads.stop(),
            _ => {}
        }
    }

    /// Numbers each thing that begins, so that the time of one is not that of the next.
    fn note(&mut self) {
        let [.., kind, _, _, _, _, _] = self.header;
        // Bodies may be slow.
        let in_frame = self.read > 0 && !(self.read == HEADER && kind == DATA);
        let waits = self.preface < PREFACE.len() || !self.settled || self.in_block || in_frame;
        if waits && !self.waits {
            self.number += 1;
        }
        self.waits = waits;
    }

    /// The number of what has begun and has not ended: the preface with the first frame, a head, or a frame that is no body's.
    fn begun(&self) -> Option<u64> {
        // Before the first byte, too.
        (self.waits || self.preface == 0).then_some(self.number)
    }
}

const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// How many more requests may be taken back than were answered.
const RESETS: usize = 100;

/// Settings, pings, priorities and frames nobody knows, of a client that is sent nothing.
const HOLLOW_A_SECOND: usize = 500;

/// One more may come for so many bytes that are sent: some times what the answer to a ping is, which must not pay for the next.
const BYTES_A_HOLLOW: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], &vec![0xAA; payload]].concat()
    }

    fn followed(bytes: &[u8], piece: usize) -> Follower {
        let mut follower = Follower::default();
        bytes.chunks(piece).for_each(|bytes| follower.pass(bytes));
        follower
    }

    #[test]
    fn what_has_begun_is_known_however_it_is_cut() {
        let start = [PREFACE, &frame(4, 0, 12)].concat();
        let and = |more: &[u8]| [&start[..], more].concat();
        for (name, bytes, begun) in [
            ("nothing", vec![], true),
            ("half a preface", PREFACE[..20].to_vec(), true),
            ("no settings", PREFACE.to_vec(), true),
            ("half of the settings", start[..start.len() - 1].to_vec(), true),
            ("settings", start.clone(), false),
            ("half of a frame's header", and(&frame(1, 4, 9)[..5]), true),
            ("half of a head", and(&frame(1, 4, 9)[..12]), true),
            ("a head", and(&frame(1, 4, 9)), false),
            ("a head that goes on", and(&frame(1, 0, 9)), true),
            ("a head that goes on for longer", and(&[frame(1, 0, 9), frame(9, 0, 9)].concat()), true),
            ("a head in two", and(&[frame(1, 0, 9), frame(9, 4, 9)].concat()), false),
            ("half of a body", and(&[frame(1, 4, 9), frame(0, 0, 9)[..12].to_vec()].concat()), false),
            ("an empty frame", and(&frame(4, 1, 0)), false),
        ] {
            for piece in [1, 3, 1_000] {
                assert_eq!(followed(&bytes, piece).begun().is_some(), begun, "{name} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_head_after_the_other_has_its_own_time() {
        let mut follower = followed(&[PREFACE, &frame(4, 0, 0), &frame(1, 4, 9)[..12]].concat(), 1_000);
        let first = follower.begun().unwrap();
        follower.pass(&[0; 2]);
        assert_eq!(follower.begun(), Some(first), "it goes on");
        follower.pass(&[&[0; 4][..], &frame(1, 4, 9)[..12]].concat());
        assert!(follower.begun().unwrap() > first, "one ended and one began in the same read");
    }

    #[tokio::test]
    async fn floods_end_it_and_answered_requests_may_be_reset() {
        let requests = Arc::<Requests>::default();
        let frames = || Frames::new(Duration::from_secs(10), Arc::clone(&requests));
        let with = |kind, times| [PREFACE, &frame(4, 0, 0), &frame(kind, 4, 4).repeat(times)].concat();
        assert!(frames().pass(&with(RST_STREAM, 100)).is_ok());
        assert!(frames().pass(&with(RST_STREAM, 101)).is_err());
        requests.answered.store(1, Ordering::Relaxed);
        assert!(frames().pass(&with(RST_STREAM, 101)).is_ok());
        for (kind, ends) in [(6, true), (4, true), (2, true), (0xFA, true), (HEADERS, false), (WINDOW_UPDATE, false)] {
            assert_eq!(frames().pass(&with(kind, 1_000)).is_err(), ends, "frames of type {kind}");
            let mut sends = frames();
            sends.wrote(1_000 * 256);
            assert!(sends.pass(&with(kind, 1_000)).is_ok(), "frames of type {kind} beside a download");
        }
    }
}
