//! Pure by its file.
pub async fn step() {} // forbidden
