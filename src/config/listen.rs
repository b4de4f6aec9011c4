//! `server.listen` and `admin.listen`.

use std::net::IpAddr;
use std::path::PathBuf;

use super::code::Code;
use super::field::Field;
use super::settings::Listen;

/// One address or a list of them.
pub(super) fn listeners(field: &Field<'_>) -> Option<Vec<Listen>> {
    if field.is_text() || field.is_number() {
        return Some(vec![listener(field)?]);
    }
    let mut listeners = Vec::new();
    for item in field.filled_list("name an address, or leave the key out")? {
        let Some(listen) = listener(&item) else { continue };
        if listeners.iter().any(|known| same(known, &listen)) {
            item.refuse::<()>(
                Code::Duplicate,
                "is an address that stands in the list already",
                "take one of the two out",
            );
        } else {
            listeners.push(listen);
        }
    }
    Some(listeners).filter(|listeners| !listeners.is_empty())
}

/// One address.
pub(super) fn listener(field: &Field<'_>) -> Option<Listen> {
    if field.is_number() {
        return field.wrong_type("an address", "write the address in front of the port: `127.0.0.1:8080`");
    }
    let text = field.text()?;
    if let Some(path) = text.strip_prefix("unix:") {
        return socket_path(field, path).map(Listen::Unix);
    }
    match text.parse() {
        Ok(address) => Some(Listen::Tcp(address)),
        Err(_) => field.refuse(
            Code::BadAddress,
            "is no address to listen on",
            "write `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080` for all, or `unix:/run/doorward.sock`",
        ),
    }
}

/// The path behind `unix:`, from the folder of the configuration.
pub(super) fn socket_path(field: &Field<'_>, path: &str) -> Option<PathBuf> {
    let resolved = field.reader().resolve(path);
    if path.is_empty() || path.contains('\0') || resolved.as_os_str().len() > SOCKET_PATH_LIMIT {
        let help =
            format!("name a path of at most {SOCKET_PATH_LIMIT} bytes, the folder of the configuration included");
        return field.refuse(Code::BadPath, "is no path of a Unix socket", &help);
    }
    Some(resolved)
}

/// `server.socket_mode`: permissions in octal digits. Text, because YAML takes `0660` for one number, and `660` for another.
pub(super) fn socket_mode(field: &Field<'_>) -> Option<u32> {
    let help = "write octal digits in quotes: `\"0660\"` for user and group, `\"0600\"` for the user alone";
    if !field.is_text() {
        return field.wrong_type("a mode in quotes", help);
    }
    let text = field.text()?;
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| digits && (OWNER..=ALL).contains(mode));
    match mode {
        None => field.refuse(Code::BadMode, "is no mode of a socket that its own user may use", help),
        Some(mode) => {
            if mode & OTHERS_WRITE != 0 {
                let help = "use `\"0660\"`, and run the front proxy in the same group";
                field.warn(Code::OpenSocket, "lets every user of this machine connect", help);
            }
            Some(mode)
        }
    }
}

/// Whether two listeners cannot both be bound, or are one. Port 0 is another port each time.
pub(super) fn same(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) => {
            let overlap = one.ip() == other.ip() || covers(one.ip(), other.ip()) || covers(other.ip(), one.ip());
            one.port() != 0 && one.port() == other.port() && overlap
        }
        _ => one == other,
    }
}

/// Whether listening on `all` takes `one` too; `::` takes IPv4 as well.
fn covers(all: IpAddr, one: IpAddr) -> bool {
    all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
}

pub(super) fn is_loopback(listen: &Listen) -> bool {
    matches!(listen, Listen::Tcp(address) if address.ip().is_loopback())
}

/// `sun_path` has 108 bytes, the last a NUL.
const SOCKET_PATH_LIMIT: usize = 107;

/// Reading and writing for the user: without, not even a front proxy of the same user gets in.
const OWNER: u32 = 0o600;
const ALL: u32 = 0o777;

/// Connecting needs the right to write (unix(7)).
const OTHERS_WRITE: u32 = 0o002;
