//! Whether a file has changed, by looking now and again.
//!
//! Polled and not notified: Kubernetes swaps a link far above the file, editors replace files, and neither tells a watch on
//! the file itself. Links are followed, so a swapped one shows as another file.

use std::path::PathBuf;

use crate::config::look::Look;

/// Files and what they looked like.
#[derive(Debug)]
pub struct Watched {
    files: Vec<(PathBuf, Option<Look>)>,
}

impl Watched {
    /// Files as they looked before they were read, so that a change since then shows; one that was not there may come.
    #[must_use]
    pub fn new(files: Vec<(PathBuf, Option<Look>)>) -> Self {
        Self { files }
    }

    /// Whether any of them looks other than when this was asked last.
    pub fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, known) in &mut self.files {
            let now = Look::at(path);
            changed |= *known != now;
            *known = now;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn writing_replacing_removing_and_swapping_a_link_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("one")).unwrap();
        fs::create_dir(at("two")).unwrap();
        fs::write(at("one/file"), "1").unwrap();
        fs::write(at("two/file"), "1").unwrap();
        symlink(at("one"), at("data")).unwrap();
        let mut watched =
            Watched::new([at("data/file"), at("other")].map(|path| (path.clone(), Look::at(&path))).into());
        assert!(!watched.changed());
        fs::write(at("one/file"), "22").unwrap();
        assert!(watched.changed());
        assert!(!watched.changed());
        symlink(at("two"), at("next")).unwrap();
        fs::rename(at("next"), at("data")).unwrap();
        assert!(watched.changed(), "the link leads to another file");
        fs::write(at("other"), "").unwrap();
        assert!(watched.changed(), "it came");
        fs::remove_file(at("other")).unwrap();
        assert!(watched.changed(), "it went");
        assert!(!watched.changed());
    }
}
