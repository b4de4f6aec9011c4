//! `server.limits`.

use std::time::Duration;

use super::code::Code;
use super::defaults::{LIMITS, REQUEST_LIMITS};
use super::section::Section;
use crate::connection::Limits;
use crate::message::HeadLimits;
use crate::proxy::RequestLimits;

/// What holds for connections, and what for requests.
pub(super) fn limits(section: &Section<'_>) -> (Limits, RequestLimits) {
    let limits = Limits {
        connections: count(section.integer("connections", number(LIMITS.connections), 1..=MOST_CONNECTIONS)),
        connections_per_address: section
            .nullable("connections_per_address")
            .and_then(|field| field.integer(1..=MOST_CONNECTIONS))
            .map(count),
        header_timeout: section.duration("header_timeout", LIMITS.header_timeout, SHORTEST..=LONGEST_HEADER),
        idle_timeout: section.duration("idle_timeout", LIMITS.idle_timeout, SHORTEST..=LONGEST_IDLE),
        head: HeadLimits {
            header_bytes: section.size("header_bytes", LIMITS.head.header_bytes, 1024..=MOST_HEADER_BYTES),
            header_count: count(section.integer("header_count", number(LIMITS.head.header_count), 8..=MOST_HEADERS)),
            uri_bytes: section.size("uri_bytes", LIMITS.head.uri_bytes, 128..=LONGEST_URI),
        },
    };
    let body_bytes = section.nullable("body_bytes").and_then(|field| field.size(1..=LONGEST_BODY));
    (limits, RequestLimits { token_bytes: token_bytes(section, limits.head.header_bytes), body_bytes })
}

/// A token is part of a header, so the smaller of the two holds; only a token's that was written is a mistake.
fn token_bytes(section: &Section<'_>, header_bytes: usize) -> usize {
    let Some(field) = section.field("token_bytes") else { return REQUEST_LIMITS.token_bytes.min(header_bytes) };
    let Some(bytes) = field.size(256..=MOST_HEADER_BYTES).map(count) else { return REQUEST_LIMITS.token_bytes };
    if bytes > header_bytes {
        let help = "raise `header_bytes`, or lower this: a token comes in a header";
        field.refuse::<()>(Code::Contradiction, "is more than `server.limits.header_bytes`", help);
    }
    bytes
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Each needs a file descriptor, and most need a second one to the upstream; systems allow about so many.
const MOST_CONNECTIONS: u64 = 1_000_000;

/// Zero would refuse every request.
const SHORTEST: Duration = Duration::from_millis(1);

/// Whoever takes longer for a head does not mean to end it.
const LONGEST_HEADER: Duration = Duration::from_mins(10);

/// Load balancers keep idle connections for hours at the most.
const LONGEST_IDLE: Duration = Duration::from_hours(24);

/// With the longest target it stays below the 1 MiB that Pingora reads.
const MOST_HEADER_BYTES: u64 = 512 * 1024;

/// Pingora reads 256, and ours and the forwarded ones come on top.
const MOST_HEADERS: u64 = 200;

/// The `http` crate takes targets below 64 KiB.
const LONGEST_URI: u64 = 32 * 1024;

/// Beyond a tebibyte nobody counts.
const LONGEST_BODY: u64 = 1 << 40;
