//! Opening the file: making it, looking through it before a byte is written, and saying what is wrong with it.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend};

use super::disk::Disk;
use super::engine::{is_full, shielded};
use super::overlay::Overlay;
use super::tables::{self, FORMAT_VERSION};

/// Why a store cannot be opened. In every case the file is as it was, to the byte.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open, or this one has already.
    #[error(
        "the store `{path}` is in use, by another process or another store of this one; stop that, or give this one a `data_dir` of its own"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// It is damaged, cut short or no database at all. There is no start with an empty list instead: every revoked token
    /// would live again.
    #[error(
        "the store `{path}` cannot be read ({why}) and was left untouched; restore it, or move it away to begin with no sessions and no revocations"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What the database said.
        why: String,
    },
    /// A database, but of something else.
    #[error("`{path}` is a database, but not a store of doorward's; it was left untouched")]
    Foreign {
        /// The file.
        path: String,
    },
    /// A store of another version of the program.
    #[error(
        "the store `{path}` has the format {found}, this version knows {FORMAT_VERSION} only; it was left untouched; run the version that wrote it, or move it away to begin with no sessions and no revocations"
    )]
    Format {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
    },
    /// The system does not let us.
    #[error("the store `{path}` cannot be opened: {source}")]
    Io {
        /// The file.
        path: String,
        /// What it said.
        source: io::Error,
    },
}

/// The disk of the file at `path`, which is made if there is none; its directory must exist.
pub(super) fn file(path: &Path) -> Result<Disk, OpenError> {
    let name = path.display().to_string();
    let because = |source| OpenError::Io { path: name.clone(), source };
    if !path.try_exists().map_err(because)? {
        make(path).map_err(|error| explain(&name, error))?;
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(because)?;
    let for_mode = file.try_clone().map_err(because)?;
    let disk = Disk::new(FileBackend::new(file).map_err(|error| explain(&name, error.into()))?);
    inspect(&disk, &name)?;
    for_mode.set_permissions(Permissions::from_mode(0o600)).map_err(because)?;
    Ok(disk)
}

/// Looks through all of the disk without writing to it.
pub(super) fn inspect(disk: &Disk, name: &str) -> Result<(), OpenError> {
    let found = shielded(|| {
        if disk.len()? == 0 {
            // Ours come into being whole; this one was emptied.
            return Err(redb::Error::Corrupted("it is empty".to_owned()));
        }
        let mut database = builder().create_with_backend(Overlay::new(disk.clone())?)?;
        database.check_integrity()?;
        let transaction = database.begin_read()?;
        let format = tables::format(&transaction)?;
        if format == Some(FORMAT_VERSION) {
            tables::read_all(&transaction)?;
        }
        Ok(format)
    });
    match found {
        Ok(Some(FORMAT_VERSION)) => Ok(()),
        Ok(Some(found)) => Err(OpenError::Format { path: name.to_owned(), found }),
        Ok(None) => Err(OpenError::Foreign { path: name.to_owned() }),
        Err(error) => Err(explain(name, error)),
    }
}

/// Makes a store on an empty disk.
pub(super) fn initialise(disk: &Disk, name: &str) -> Result<(), OpenError> {
    let made = shielded(|| tables::initialise(&builder().create_with_backend(disk.clone())?));
    made.map_err(|error| explain(name, error))
}

pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes the file whole and durable under another name first: after a power cut there is a store or none, never half of
/// one, and an empty file is a damaged one.
fn make(path: &Path) -> Result<(), redb::Error> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Made 0600 by tempfile.
    let file = tempfile::Builder::new().prefix(".store-").tempfile_in(directory)?;
    let backend = FileBackend::new(file.as_file().try_clone()?)?;
    shielded(|| tables::initialise(&builder().create_with_backend(backend)?))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(File::open(directory)?.sync_all()?),
        // Another process was faster; whether the store can be shared is found out by opening it.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error.into()),
    }
}

pub(super) fn explain(name: &str, error: redb::Error) -> OpenError {
    let path = name.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::InUse { path },
        redb::Error::Io(source) if is_full(&source) || !is_damage(&source) => OpenError::Io { path, source },
        other => OpenError::Unreadable { path, why: other.to_string() },
    }
}

/// Reading beyond the end, or what the database itself calls invalid.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

/// For pages of the file; the database would take a gigabyte.
const CACHE_BYTES: usize = 16 << 20;
