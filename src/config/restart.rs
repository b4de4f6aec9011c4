//! What a running process cannot take over.

use super::settings::Settings;

/// The keys whose change needs a restart, as they are written; a reload goes on with their old values. Empty = none.
#[must_use]
pub fn restart_needed(old: &Settings, new: &Settings) -> Vec<&'static str> {
    [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.h2c", old.server.h2c != new.server.h2c),
        ("server.socket_mode", old.server.socket_mode != new.server.socket_mode),
        ("server.threads", old.server.threads != new.server.threads),
        // Switched on or off; other files are taken over.
        ("server.tls", old.server.tls.is_some() != new.server.tls.is_some()),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("data_dir", old.data_dir != new.data_dir),
        ("store", old.store != new.store),
        ("telemetry.log", old.telemetry.log != new.telemetry.log),
        ("telemetry.format", old.telemetry.format != new.telemetry.format),
        ("telemetry.access_log", old.telemetry.access_log != new.telemetry.access_log),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
}
