use std::sync::mpsc;

use super::*;

/// A reader that takes nothing until told to, and reports each batch it took.
struct Gate {
    open: mpsc::Receiver<()>,
    took: mpsc::Sender<Vec<u8>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.recv().map_err(io::Error::other)?;
        self.took.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gated() -> (Sink, Guard, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
    let (opener, open) = mpsc::channel();
    let (took, taken) = mpsc::channel();
    let (sink, guard) = Sink::to(Gate { open, took }).unwrap();
    (sink, guard, opener, taken)
}

#[test]
fn the_guard_has_everything_written() {
    let (sink, guard, opener, taken) = gated();
    for number in 0..100 {
        sink.push(Importance::Routine, &format!("line {number}\n"));
        opener.send(()).unwrap();
    }
    drop(guard);
    drop(sink);
    let all: Vec<u8> = taken.try_iter().flatten().collect();
    assert_eq!(String::from_utf8(all).unwrap().lines().count(), 100);
}

#[test]
fn a_reader_that_stops_costs_routine_lines_then_refusals_and_no_record() {
    let (sink, guard, opener, taken) = gated();
    let line = format!("{}\n", "x".repeat(1023));
    // From the moment that the writing thread has taken this, it stands still with it.
    sink.push(Importance::Routine, "first\n");
    while !sink.0.state.lock().pending.is_empty() {
        std::thread::yield_now();
    }
    for _ in 0..=ROUTINE_ROOM / line.len() {
        sink.push(Importance::Routine, &line);
    }
    let after_routine = sink.dropped().get();
    assert!(after_routine > 0, "access lines are dropped");
    sink.push(Importance::Refusal, "refusal\n");
    assert_eq!(sink.dropped().get(), after_routine, "a refusal still has room");
    for _ in 0..=REFUSAL_ROOM / line.len() {
        sink.push(Importance::Refusal, &line);
    }
    let after_refusals = sink.dropped().get();
    assert!(after_refusals > after_routine, "then refusals are");
    assert!(sink.has_room());
    let mut records = 0;
    while sink.has_room() {
        sink.push(Importance::Record, &line);
        records += 1;
    }
    assert!(records > 0);
    // What cannot be refused: a revocation is not left undone for want of a log.
    sink.push(Importance::Record, &line);
    assert_eq!(sink.dropped().get(), after_refusals, "records are kept");
    for _ in 0..10 {
        opener.send(()).unwrap();
    }
    drop(guard);
    let bytes: usize = taken.try_iter().map(|batch| batch.len()).sum();
    assert!(bytes >= (records + 1) * line.len());
}

#[test]
fn lines_after_the_end_are_counted_and_nobody_waits() {
    let (sink, guard) = Sink::to(io::sink()).unwrap();
    drop(guard);
    sink.push(Importance::Record, "late\n");
    assert_eq!(sink.dropped().get(), 1);
}

#[test]
fn a_closed_pipe_is_counted() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (sink, guard) = Sink::to(Closed).unwrap();
    sink.push(Importance::Routine, "one\n");
    sink.push(Importance::Routine, "two\n");
    drop(guard);
    assert_eq!(sink.dropped().get(), 2);
}
