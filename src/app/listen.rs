//! Binding before anything is served, so that a taken port is an error and a free one is known.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::config::Listen;
use crate::connection::Listener;

/// A socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{listen}`: {error}; end what listens there, or change `server.listen` or `admin.listen`")]
pub struct BindError {
    listen: Listen,
    error: io::Error,
}

/// Binds a socket; `mode` is that of a Unix socket's file. Where it is, and the socket.
///
/// # Errors
/// [`BindError`] if the address is taken or not ours.
pub fn bind(listen: &Listen, mode: u32) -> Result<(Listen, Listener), BindError> {
    let bound = match listen {
        Listen::Tcp(address) => bind_tcp(*address),
        Listen::Unix(path) => bind_unix(path, mode).map(|listener| (listen.clone(), listener)),
    };
    bound.map_err(|error| BindError { listen: listen.clone(), error })
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    remove_abandoned(path)?;
    // Made where nobody else can reach it, so that nobody is in the queue who may not be.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let hidden = tempfile::Builder::new().prefix(".d").rand_bytes(6).tempdir_in(folder)?;
    let made = hidden.path().join("s");
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(mode))?;
    fs::rename(&made, path)?;
    listener.set_nonblocking(true)?;
    Ok(Listener::Unix(tokio::net::UnixListener::from_std(listener)?))
}

fn bind_tcp(address: SocketAddr) -> io::Result<(Listen, Listener)> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    Ok((Listen::Tcp(listener.local_addr()?), Listener::Tcp(listener)))
}

/// Takes away a socket that a process left behind when it ended; nothing else, and none that somebody answers on.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => match try_to_connect(path) {
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(io::ErrorKind::AddrInUse.into()),
        },
    }
}

/// `None` if nobody answers in time: somebody listens, and is too busy or stands still. Connecting waits for as long.
fn try_to_connect(path: &Path) -> Option<io::Result<UnixStream>> {
    let (answer, answered) = mpsc::channel();
    let path = path.to_owned();
    std::thread::spawn(move || answer.send(UnixStream::connect(path)));
    answered.recv_timeout(Duration::from_millis(500)).ok()
}

/// Connections that wait to be accepted; the kernel cuts it to its own limit.
const BACKLOG: u32 = 65_535;

/// Metrics and probes are for this user alone.
pub const ADMIN_MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_replaces_an_abandoned_one_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("doorward.sock");
        let listen = Listen::Unix(path.clone());
        let again = || bind(&listen, 0o660).map(drop);
        drop(UnixListener::bind(&path).unwrap());
        again().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        fs::remove_file(&path).unwrap();
        let taken = UnixListener::bind(&path).unwrap();
        assert_eq!(again().unwrap_err().error.kind(), io::ErrorKind::AddrInUse);
        drop(taken);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert_eq!(again().unwrap_err().error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let nowhere = Listen::Unix(directory.path().join("none/doorward.sock"));
        assert!(bind(&nowhere, 0o660).is_err());
    }
}
