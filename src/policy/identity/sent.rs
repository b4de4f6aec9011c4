//! The names of identity headers as requests have them.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// `name`, for good, and once for all who ask for it.
///
/// Each request puts it into the upstream's head, and a text with a count of who uses it would be written to by all threads. There are
/// as many as configurations have named since the process began.
pub(super) fn name(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into());
    names.insert(name);
    name
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_is_kept_once() {
        let [one, other, again] = ["x-one", "x-other", "x-one"].map(super::name);
        assert_eq!((one, other), ("x-one", "x-other"));
        assert!(std::ptr::eq(one, again));
    }
}
