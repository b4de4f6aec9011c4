//! Where WebSocket frames begin and end (RFC 6455 §5.2).

/// Follows the frames of one direction, so that a frame of ours can be put between two of them.
#[derive(Clone, Debug, Default)]
pub struct Frames {}
