//! What commands say. Whoever reads it may go away (`| head`), which is no failure of theirs.

use std::fmt::Display;
use std::io::{self, Write};

/// A line on stdout.
pub(super) fn line(text: impl Display) {
    text_of(format_args!("{text}\n"));
}

/// Text on stdout that ends its own lines.
pub(super) fn text_of(text: impl Display) {
    written(|stdout| write!(stdout, "{text}"));
}

/// On stdout as they are.
pub(super) fn bytes(bytes: &[u8]) {
    written(|stdout| stdout.write_all(bytes));
}

fn written(write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) {
    let mut stdout = io::stdout().lock();
    let written = write(&mut stdout).and_then(|()| stdout.flush());
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        note(format_args!("doorward: stdout: {error}"));
    }
}

/// A line on stderr, for people; where nobody can be told anything, nothing is left to do.
pub(super) fn note(text: impl Display) {
    let _untold = writeln!(io::stderr().lock(), "{text}");
}
