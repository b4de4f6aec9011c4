//! Files the configuration is made of: regular, bounded, and where they hold secrets, closed to others.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::code::Code;

/// Reads a file, links followed (volumes of secrets are links).
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    read_if(path, limit, |_| Ok(()))
}

/// Reads a file that holds a key or secret. Its group may read it: that is how Kubernetes mounts secrets for a user
/// other than root.
pub(super) fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    read_if(path, limit, |metadata| match metadata.permissions().mode() & OPEN_MODES {
        0 => Ok(()),
        _ => Err(FileError::Open),
    })
}

fn read_if(path: &Path, limit: u64, check: impl Fn(&Metadata) -> Result<(), FileError>) -> Result<Vec<u8>, FileError> {
    // Looked at before it is opened, because opening a FIFO waits for a writer, and again after, because it may be
    // another one then.
    regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    check(&metadata)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(FileError::TooLarge(limit / 1024));
    }
    Ok(bytes)
}

fn regular(metadata: &Metadata) -> Result<(), FileError> {
    if metadata.is_file() { Ok(()) } else { Err(FileError::NotRegular) }
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FileError {
    #[error("the file does not exist")]
    Missing,
    #[error("the file may not be read by this user")]
    Denied,
    #[error("the file cannot be read")]
    Other,
    #[error("this is no regular file")]
    NotRegular,
    #[error("the file is longer than {0} KiB")]
    TooLarge(u64),
    #[error("others may read the file, or its group or others may write it")]
    Open,
}

impl FileError {
    pub(super) fn code(self) -> Code {
        match self {
            Self::Missing | Self::Denied | Self::Other | Self::NotRegular => Code::Unreadable,
            Self::TooLarge(_) => Code::TooLarge,
            Self::Open => Code::OpenPermissions,
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Missing => "look for the path's spelling; a relative one starts at the folder of the configuration",
            Self::Denied => "let the user that doorward runs as read it, but nobody else",
            Self::Other => "look at the disk and the path's folders",
            Self::NotRegular => "name a file, not a folder, pipe or device",
            Self::TooLarge(_) => "this is probably another file",
            Self::Open => "chmod 600 it (640 where only the group shares it; in Kubernetes `defaultMode: 0440`)",
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Other,
        }
    }
}

/// Write for the group, read or write for others.
const OPEN_MODES: u32 = 0o026;
