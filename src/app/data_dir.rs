//! The directory doorward keeps its own things in.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::keys::{Algorithm, KeyError, SigningKey, pem};

/// What can go wrong in `data_dir`.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file or the directory cannot be made, read or written.
    #[error("`{}`: {error}; `data_dir` must be a directory that this user can write to", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read or write the key, so it may not be the one that was generated, or not be secret.
    #[error("`{}`: others may read or write it; `chmod 600` it, or remove it if somebody may have", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
    },
    /// The generated key is no key any more. It is left as it is: a new one would log everybody out.
    #[error("`{}`: {error}; restore it, or remove it to have a new one generated, which ends all sessions", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: KeyError,
    },
}

/// Makes the directory, for this user alone, if it is not there.
///
/// # Errors
/// [`DataDirError::Io`].
pub fn create(path: &Path) -> Result<(), DataDirError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| io_error(path, error))
}

/// The ES256 key in the directory, generated if there is none.
///
/// # Errors
/// [`DataDirError`]; what cannot be read is never replaced.
pub fn signing_key(data_dir: &Path) -> Result<Arc<SigningKey>, DataDirError> {
    let path = data_dir.join(KEY_FILE);
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    let text = pem::generate(Algorithm::Es256).map_err(|error| DataDirError::Key { path: path.clone(), error })?;
    write_new(data_dir, &path, text.expose()).map_err(|error| io_error(&path, error))?;
    // Another process may have been quicker: what counts is what is there now.
    read(&path)?.ok_or_else(|| io_error(&path, io::ErrorKind::NotFound.into()))
}

/// The key in the directory; `None` if none was generated yet.
///
/// # Errors
/// [`DataDirError`].
pub fn existing_key(data_dir: &Path) -> Result<Option<Arc<SigningKey>>, DataDirError> {
    read(&data_dir.join(KEY_FILE))
}

fn read(path: &Path) -> Result<Option<Arc<SigningKey>>, DataDirError> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| io_error(path, error))?,
    };
    let mode = file.metadata().map_err(|error| io_error(path, error))?.permissions().mode();
    if mode & OPEN_MODE != 0 {
        return Err(DataDirError::Open { path: path.to_owned() });
    }
    file.take(MAX_KEY_BYTES).read_to_end(&mut text).map_err(|error| io_error(path, error))?;
    let key = SigningKey::from_pem(&text, Some(Algorithm::Es256));
    key.map(Arc::new).map(Some).map_err(|error| DataDirError::Key { path: path.to_owned(), error })
}

/// Whole or not at all, and never over a file that is there.
fn write_new(data_dir: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(data_dir)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
        _ => {}
    }
    File::open(data_dir)?.sync_all()
}

fn io_error(path: &Path, error: io::Error) -> DataDirError {
    DataDirError::Io { path: path.to_owned(), error }
}

const KEY_FILE: &str = "signing-key.pem";
/// Read or written by others. The group may: Kubernetes gives it every file of a volume that has an `fsGroup`.
const OPEN_MODE: u32 = 0o006;

const MAX_KEY_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_generated_once_and_for_this_user_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/data");
        create(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let first = signing_key(&dir).unwrap();
        assert_eq!(first.algorithm(), Algorithm::Es256);
        assert_eq!(signing_key(&dir).unwrap().kid(), first.kid());
        let file = dir.join(KEY_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(signing_key(&dir), Err(DataDirError::Open { .. })));
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "garbage").unwrap();
        assert!(matches!(signing_key(&dir), Err(DataDirError::Key { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"garbage", "left as it is");
    }
}
