//! The directory doorward keeps its own things in.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Secret, base64url, entropy};
use crate::keys::{Algorithm, KeyError, SigningKey, pem, strength};

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
    /// A directory, a FIFO or the like where a key was written.
    #[error("`{}`: this is no regular file; remove it to have a new one generated, which ends all sessions if it is a key", path.display())]
    NoFile {
        /// Which.
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
    /// The admin token is none that anybody should show. It is left as it is: somebody may have put it there.
    #[error("`{}`: this is no admin token; remove it to have a new one generated, or give `admin.token`", path.display())]
    Token {
        /// Which file.
        path: PathBuf,
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
    let path = data_dir.join(SIGNING_KEY_FILE);
    let made = || pem::generate(Algorithm::Es256).map_err(|error| DataDirError::Key { path: path.clone(), error });
    as_signing_key(&path, &read_or_write(data_dir, &path, made)?)
}

/// The key in the directory; `None` if none was generated yet.
///
/// # Errors
/// [`DataDirError`].
pub fn existing_key(data_dir: &Path) -> Result<Option<Arc<SigningKey>>, DataDirError> {
    let path = data_dir.join(SIGNING_KEY_FILE);
    read(&path)?.map(|text| as_signing_key(&path, &text)).transpose()
}

/// The server key in the directory, generated if there is none.
///
/// # Errors
/// [`DataDirError`]; what cannot be read is never replaced.
pub fn server_key(data_dir: &Path) -> Result<Secret, DataDirError> {
    let path = data_dir.join(SERVER_KEY_FILE);
    let made = || Ok(Secret::new(base64url::encode(entropy::random::<SERVER_KEY_BYTES>())));
    as_server_key(&path, read_or_write(data_dir, &path, made)?)
}

/// The server key in the directory; `None` if none was generated yet.
///
/// # Errors
/// [`DataDirError`].
pub fn existing_server_key(data_dir: &Path) -> Result<Option<Secret>, DataDirError> {
    let path = data_dir.join(SERVER_KEY_FILE);
    read(&path)?.map(|text| as_server_key(&path, text)).transpose()
}

/// The admin token in the directory, generated if there is none.
///
/// # Errors
/// [`DataDirError`]; what cannot be read is never replaced.
pub fn admin_token(data_dir: &Path) -> Result<Secret, DataDirError> {
    let path = data_dir.join(ADMIN_TOKEN_FILE);
    let made = || Ok(Secret::new(base64url::encode(entropy::random::<SERVER_KEY_BYTES>())));
    as_token(&path, &read_or_write(data_dir, &path, made)?)
}

/// The admin token in the directory; `None` if none was generated yet.
///
/// # Errors
/// [`DataDirError`].
pub fn existing_admin_token(data_dir: &Path) -> Result<Option<Secret>, DataDirError> {
    let path = data_dir.join(ADMIN_TOKEN_FILE);
    read(&path)?.map(|text| as_token(&path, &text)).transpose()
}

fn as_signing_key(path: &Path, text: &Secret) -> Result<Arc<SigningKey>, DataDirError> {
    let key = SigningKey::from_pem(text.expose(), Some(Algorithm::Es256));
    key.map(Arc::new).map_err(|error| DataDirError::Key { path: path.to_owned(), error })
}

fn as_server_key(path: &Path, text: Secret) -> Result<Secret, DataDirError> {
    match strength::weakness(text.expose()) {
        None => Ok(text),
        Some(weakness) => Err(DataDirError::Key { path: path.to_owned(), error: KeyError::WeakSecret(weakness) }),
    }
}

/// Less the newline of whoever wrote it by hand.
fn as_token(path: &Path, text: &Secret) -> Result<Secret, DataDirError> {
    let token = Secret::new(text.expose().trim_ascii_end());
    if strength::weakness(token.expose()).is_none() && token.expose().iter().all(u8::is_ascii_graphic) {
        Ok(token)
    } else {
        Err(DataDirError::Token { path: path.to_owned() })
    }
}

fn read_or_write(
    data_dir: &Path,
    path: &Path,
    make: impl FnOnce() -> Result<Secret, DataDirError>,
) -> Result<Secret, DataDirError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    write_new(data_dir, path, make()?.expose()).map_err(|error| io_error(path, error))?;
    // Another process may have been quicker: what counts is what is there now.
    read(path)?.ok_or_else(|| io_error(path, io::ErrorKind::NotFound.into()))
}

fn read(path: &Path) -> Result<Option<Secret>, DataDirError> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    // Looked at before it is opened: opening a FIFO waits for a writer, and the start with it.
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(DataDirError::NoFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(path, error)),
    }
    let file = File::open(path).map_err(|error| io_error(path, error))?;
    let mode = file.metadata().map_err(|error| io_error(path, error))?.permissions().mode();
    if mode & OPEN_MODE != 0 {
        return Err(DataDirError::Open { path: path.to_owned() });
    }
    file.take(MAX_KEY_BYTES).read_to_end(&mut text).map_err(|error| io_error(path, error))?;
    Ok(Some(Secret::new(text.as_slice())))
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

const SIGNING_KEY_FILE: &str = "signing-key.pem";
const SERVER_KEY_FILE: &str = "server.key";
const ADMIN_TOKEN_FILE: &str = "admin.token";
const SERVER_KEY_BYTES: usize = 32;
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
        let file = dir.join(SIGNING_KEY_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(signing_key(&dir), Err(DataDirError::Open { .. })));
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, "garbage").unwrap();
        assert!(matches!(signing_key(&dir), Err(DataDirError::Key { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"garbage", "left as it is");
    }

    /// Opening a FIFO would wait for somebody to write.
    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join(SERVER_KEY_FILE)).status();
        assert!(made.unwrap().success());
        assert!(matches!(server_key(dir.path()), Err(DataDirError::NoFile { .. })));
        fs::create_dir(dir.path().join(SIGNING_KEY_FILE)).unwrap();
        assert!(matches!(signing_key(dir.path()), Err(DataDirError::NoFile { .. })));
    }

    #[test]
    fn an_admin_token_is_made_for_this_user_alone_and_none_that_others_know_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert!(existing_admin_token(dir.path()).unwrap().is_none());
        let first = admin_token(dir.path()).unwrap();
        assert!(first.len() >= 43 && first.expose().iter().all(u8::is_ascii_graphic));
        assert_eq!(admin_token(dir.path()).unwrap(), first);
        let file = dir.path().join(ADMIN_TOKEN_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o604, 0o602, 0o666] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(admin_token(dir.path()), Err(DataDirError::Open { .. })), "{mode:o}");
        }
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        for (written, good) in [
            ("", false),
            ("admin", false),
            ("q7Zp0Xw3sV9aB2nM 5kL8jH1gF4dS6tRuY", false),
            ("q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRuY\n", true),
        ] {
            fs::write(&file, written).unwrap();
            assert_eq!(admin_token(dir.path()).is_ok(), good, "{written:?}");
            assert_eq!(fs::read(&file).unwrap(), written.as_bytes(), "left as it is");
        }
    }

    #[test]
    fn a_server_key_is_generated_once_too() {
        let dir = tempfile::tempdir().unwrap();
        assert!(existing_server_key(dir.path()).unwrap().is_none());
        let first = server_key(dir.path()).unwrap();
        assert!(first.len() >= 43, "32 bytes as text");
        assert_eq!(server_key(dir.path()).unwrap(), first);
        let file = dir.path().join(SERVER_KEY_FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for written in ["", "short"] {
            fs::write(&file, written).unwrap();
            assert!(
                matches!(server_key(dir.path()), Err(DataDirError::Key { .. })),
                "no key at all would be anybody's"
            );
            assert_eq!(fs::read(&file).unwrap(), written.as_bytes(), "left as it is");
        }
    }
}
