//! A file's new text in place of the old one, whole and in one step.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use super::super::look::Look;
use super::{UsersFileError, attributes};

/// Puts `text` in the place of the file at `target`, in `folder`, as it was when it was `looked` at. Whoever calls has the lock on the
/// folder.
///
/// # Errors
/// [`UsersFileError`]; the file is as it was then.
pub(super) fn put(target: &Path, folder: &Path, text: &[u8], looked: Option<Look>) -> Result<(), UsersFileError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => UsersFileError::ReadOnly(target.into()),
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => UsersFileError::Mounted(target.into()),
        _ => UsersFileError::Io { path: target.into(), error },
    };
    let old = looked.map(|_| fs::metadata(target)).transpose().map_err(failed)?;
    let mode = old.as_ref().map_or(NEW_MODE, |old| old.mode() & 0o7777);
    if mode & ANY_WRITE == 0 {
        return Err(UsersFileError::NoWriter(target.into()));
    }
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.doorward");
    // What a command left that was killed: hashes that nobody would look after. By the lock, nobody is writing it.
    match fs::remove_file(folder.join(&prefix)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .rand_bytes(0)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(failed)?;
    if let Some(old) = &old {
        let ours = file.as_file().metadata().map_err(failed)?;
        if (ours.uid(), ours.gid()) != (old.uid(), old.gid()) {
            fchown(file.as_file(), Some(old.uid()), Some(old.gid()))
                .map_err(|_| UsersFileError::Owner(target.into()))?;
        }
        attributes::carry(target, file.as_file())?;
    }
    // Behind the access list, whose mask is a part of the mode.
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    file.write_all(text).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    // An editor asks for no lock: what it has saved meanwhile must not be lost.
    if Look::at(target) != looked {
        return Err(UsersFileError::Changed(target.into()));
    }
    file.persist(target).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Of a file that was not there: hashes are nobody else's business.
const NEW_MODE: u32 = 0o600;

const ANY_WRITE: u32 = 0o222;
