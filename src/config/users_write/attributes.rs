//! What a file has beside its mode and owner: access lists and other extended attributes. One that is put in its place has none of
//! them, or those that its folder gives to new files.

use std::fs::File;
use std::path::Path;

use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr, listxattr};
use rustix::io::Errno;

use super::UsersFileError;

/// Gives `to` the attributes of the file at `from`.
///
/// # Errors
/// [`UsersFileError::Attributes`] for one that cannot be given, unless it is the system's own business.
pub(super) fn carry(from: &Path, to: &File) -> Result<(), UsersFileError> {
    let failed = |what: &str, error: Errno| UsersFileError::Attributes {
        path: from.into(),
        what: what.to_owned(),
        error: error.into(),
    };
    let mut buffer = vec![0; MOST];
    let names = match listxattr(from, &mut *buffer) {
        Ok(length) => buffer.get(..length).unwrap_or_default().to_vec(),
        // Where there are none at all.
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(()),
        Err(error) => return Err(failed("attributes", error)),
    };
    let names: Vec<_> = names.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()).collect();
    for &name in names.iter().filter(|name| !name.is_empty()) {
        let given = getxattr(from, name, &mut *buffer)
            .and_then(|length| fsetxattr(to, name, buffer.get(..length).unwrap_or_default(), XattrFlags::empty()));
        match given {
            // Labels and signatures of the system: it gives its own to new files.
            Err(_) if name.starts_with("security.") => {}
            given => given.map_err(|error| failed(name, error))?,
        }
    }
    // From the folder's default list: it would let in whom the file does not.
    if !names.contains(&ACCESS_LIST) {
        let _none = fremovexattr(to, ACCESS_LIST);
    }
    Ok(())
}

const ACCESS_LIST: &str = "system.posix_acl_access";

/// Bytes of all names, and of one value: what Linux has at most.
const MOST: usize = 64 << 10;
