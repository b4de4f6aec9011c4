//! Pure; may speak of async, of `tokio` and of pingora.
pub mod types;

/// Not async.
pub async fn sign() { // forbidden
    crate::users::find().await; // forbidden
    tokio::spawn(()); // forbidden
    tracing::info!("async tokio pingora"); // forbidden
}

pub fn now(clock: &dyn crate::base::Clock) {} // forbidden

#[cfg(test)]
mod tests {
    fn waits() {
        tokio::spawn(ManualClock::new());
    }
}
