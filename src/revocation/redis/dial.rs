//! New connections: TCP, TLS, and who we are.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::settings::{Address, Authorities, Login};

/// Connects to servers of one deployment.
pub(super) struct Dialer {
    tls: Option<TlsConnector>,
    login: Option<Login>,
    database: u16,
}

impl Dialer {
    /// `None` if there is nobody whose certificates could be taken.
    pub(super) fn new(tls: Option<&Authorities>, login: Option<Login>, database: u16) -> Option<Self> {
        let tls = match tls {
            Some(authorities) => Some(connector(authorities)?),
            None => None,
        };
        Some(Self { tls, login, database })
    }

    /// A connection that is logged in. What is sent over it is answered in order, however many send.
    pub(super) async fn dial(&self, address: &Address) -> Result<MultiplexedConnection, Failure> {
        let broken = |error: std::io::Error| Failure::Broken(format!("no connection to {address}: {error}"));
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        // A firewall that forgot an idle connection should not cost somebody a timeout hours later.
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE)).map_err(broken)?;
        // Where packets vanish, what waits to be sent would be held for a quarter of an hour.
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)).map_err(broken)?;
        let Some(tls) = &self.tls else { return self.greet(stream, address).await };
        let Ok(name) = ServerName::try_from(address.host.clone()) else {
            return Err(Failure::Refused(format!("{address} has no name that a certificate could have")));
        };
        let stream = tls
            .connect(name, stream)
            .await
            .map_err(|error| Failure::NoTls(format!("no TLS with {address}: {error}")))?;
        self.greet(stream, address).await
    }

    async fn greet(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: &Address,
    ) -> Result<MultiplexedConnection, Failure> {
        let mut info = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP2)
            .set_lib_name("doorward", env!("CARGO_PKG_VERSION"))
            .set_db(self.database.into());
        if let Some(login) = &self.login {
            let Ok(password) = std::str::from_utf8(login.password.expose()) else {
                return Err(Failure::Refused("the password is not UTF-8".to_owned()));
            };
            info = info.set_password(password);
            if let Some(username) = &login.username {
                info = info.set_username(username);
            }
        }
        // How long to wait is decided by whoever asks.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(IN_LINE);
        let greeted = MultiplexedConnection::new_with_config(&info, stream, config).await;
        let (connection, driver) = greeted.map_err(|error| Failure::of(&error, address))?;
        // It ends when the last who can send is gone, or the connection is.
        tokio::spawn(driver);
        Ok(connection)
    }
}

fn connector(authorities: &Authorities) -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    if authorities.0.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    } else {
        roots.add_parsable_certificates(authorities.0.iter().map(|root| CertificateDer::from(root.as_slice())));
    }
    if roots.is_empty() {
        return None;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

const KEEPALIVE: Duration = Duration::from_secs(30);

/// Commands that may wait to be written; more wait before that.
const IN_LINE: usize = 1024;
