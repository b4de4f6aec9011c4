//! Whether the process may have as many connections as it is to take.

use crate::connection::Limits;

/// Takes as many file descriptors as the system lets this process have: what it has without asking, 1024 mostly, is made for
/// programs that wait with `select`.
pub fn take_all() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// Warns if `limits` allow more connections than there can be.
pub fn check(limits: &Limits) {
    let Ok((allowed, _)) = rlimit::Resource::NOFILE.get() else { return };
    let connections = u64::try_from(limits.connections).unwrap_or(u64::MAX);
    // Each may have one to the upstream.
    let needed = connections.saturating_mul(2).saturating_add(OTHERS);
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "too few open files are allowed for `server.limits.connections`: raise the limit (`ulimit -n`, `LimitNOFILE=`), \
             or lower that one"
        );
    }
}

/// Listeners, the store, logs, and some in reserve.
const OTHERS: u64 = 100;
