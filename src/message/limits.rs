//! How large the head of a request may be.

/// What of `server.limits` concerns the head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// All header fields together, in bytes, the request line not counted.
    pub header_bytes: usize,
    /// How many header fields.
    pub header_count: usize,
    /// The request target, in bytes.
    pub uri_bytes: usize,
}
