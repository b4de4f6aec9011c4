//! Having the store forget what is over.

use std::time::Duration;

use super::Core;

/// Every minute, for ever.
pub(super) async fn sweep(core: Core) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        match core.revocations.sweep().await {
            Ok(swept) => {
                core.telemetry.metrics.set_store_up(true);
                tracing::debug!(marks = swept.marks, families = swept.families, "swept");
            }
            Err(error) => {
                core.telemetry.metrics.set_store_up(false);
                core.telemetry.metrics.store_error("sweep");
                tracing::error!(%error, "the store cannot be swept");
            }
        }
    }
}

const SWEEP_EVERY: Duration = Duration::from_mins(1);
