//! What claims take of memory, in bytes: counted, because a short token can be large (`[0,0,0,…]` is forty times its text), and a
//! cache that believed its length could be filled far beyond its bound.

use serde_json::{Map, Value};

/// On the heap, rounded as allocators do.
pub(super) fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

/// Of claims that are kept in a map that is as large as they need.
pub(super) fn members(all: &Map<String, Value>) -> usize {
    with_room(all, all.len())
}

fn with_room(all: &Map<String, Value>, room: usize) -> usize {
    if all.is_empty() {
        return 0;
    }
    // The list of members and the table of their places.
    let list = block(room * (size_of::<(u64, String)>() + size_of::<Value>()));
    let table = block((all.len() * 8 / 7 + 1).next_power_of_two().max(4) * (size_of::<usize>() + 1) + 16);
    list + table + all.iter().map(|(name, value)| block(name.len()) + heap(value)).sum::<usize>()
}

fn heap(value: &Value) -> usize {
    match value {
        Value::String(text) => block(text.capacity()),
        Value::Array(items) => block(items.capacity() * size_of::<Value>()) + items.iter().map(heap).sum::<usize>(),
        // As it has grown while it was read.
        Value::Object(inner) => with_room(inner, inner.len().next_power_of_two().max(4)),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
