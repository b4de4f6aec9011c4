//! What a token takes of memory, in bytes: counted, or a cache that believed its length could be filled far beyond its bound.

/// On the heap, rounded as allocators do.
pub(super) fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}
