//! The running doorward that a configuration belongs to, asked through its admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, redirect};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::app::data_dir;
use crate::base::Secret;
use crate::cli::environment;
use crate::cli::exit::Failure;
use crate::cli::serve::runtime;
use crate::config::{self, Listen, Settings};

/// Where it is, and what it wants to be shown.
pub(in crate::cli) struct Instance {
    client: Client,
    /// As the configuration has it.
    name: String,
    url: String,
    token: Option<Secret>,
    runtime: Runtime,
}

/// What it said, if it could be asked.
pub(in crate::cli) enum Answer {
    /// 200.
    Done(Value),
    /// 404: there was nothing to be done, in a sentence.
    Nothing(String),
}

impl Instance {
    pub(in crate::cli) fn find(path: &Path) -> Result<Self, Failure> {
        let settings = config::load(path, &environment).map_err(Failure::Configuration)?.settings;
        let listen = &settings.admin.listen;
        let (url, socket) = match listen {
            Listen::Tcp(address) if address.port() == 0 => {
                let text =
                    "`admin.listen` has port 0, which is another at each start: give it a port, or a Unix socket";
                return Err(Failure::usage(text));
            }
            Listen::Tcp(address) => (format!("http://{}", reachable(*address)), None),
            Listen::Unix(path) => ("http://localhost".to_owned(), Some(path.clone())),
        };
        let token = if socket.is_some() { None } else { Some(token(&settings)?) };
        let tls = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        // The token is for this machine alone: no proxy sees it, and no redirect takes it anywhere.
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIME)
            .http1_only();
        let builder = match socket {
            Some(path) => builder.unix_socket(path),
            None => builder,
        };
        let client = builder.build().map_err(Failure::internal)?;
        Ok(Self { client, name: listen.to_string(), url, token, runtime: runtime(NonZeroUsize::new(1))? })
    }

    /// What it makes of an order.
    pub(in crate::cli) fn post(&self, path: &str, order: &Value) -> Result<Answer, Failure> {
        self.post_for(path, order, Duration::ZERO)
    }

    /// What it makes of one that may take it as long as `patience` to have confirmed.
    pub(in crate::cli) fn post_for(&self, path: &str, order: &Value, patience: Duration) -> Result<Answer, Failure> {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header(CONTENT_TYPE, "application/json").body(order.to_string());
        self.ask(request.timeout(ANSWER_TIME + patience))
    }

    pub(in crate::cli) fn get(&self, path: &str, query: &str) -> Result<Answer, Failure> {
        self.ask(self.client.get(format!("{}{path}?{query}", self.url)).timeout(ANSWER_TIME))
    }

    fn ask(&self, mut request: RequestBuilder) -> Result<Answer, Failure> {
        if let Some(token) = &self.token {
            let value = http::HeaderValue::from_bytes(&[b"Bearer ", token.expose()].concat());
            let mut value = value.map_err(|_| Failure::usage("the admin token cannot be sent in a header"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let exchange = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let (status, body) = self.runtime.block_on(exchange).map_err(|error| self.unanswered(&error))?;
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        let said = |body: &Option<Value>| Some(body.as_ref()?.get("error_description")?.as_str()?.to_owned());
        let sentence = said(&body).unwrap_or_else(|| format!("`{}` answered with status {status}", self.name));
        match (status, body) {
            (StatusCode::OK, Some(body)) if body.is_object() => Ok(Answer::Done(body)),
            // Of something else that listens there, or of a doorward without this.
            (StatusCode::NOT_FOUND, Some(_)) => Ok(Answer::Nothing(sentence)),
            (status, Some(_)) if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
                Err(Failure::Usage(sentence))
            }
            _ => Err(Failure::Internal(sentence)),
        }
    }

    fn unanswered(&self, error: &reqwest::Error) -> Failure {
        let how = if error.is_timeout() {
            "does not answer in time: it is unknown whether it was done"
        } else {
            "cannot be asked"
        };
        Failure::Internal(format!("`{}` {how}; is doorward running, with this configuration?", self.name))
    }
}

/// Where a socket that listens everywhere can be reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The configured one, or that which the running doorward has made. It is not made here: nobody would know of it.
fn token(settings: &Settings) -> Result<Secret, Failure> {
    if let Some(token) = &settings.admin.token {
        return Ok(token.clone());
    }
    let made = data_dir::existing_admin_token(&settings.data_dir).map_err(Failure::usage)?;
    made.ok_or_else(|| {
        let folder = settings.data_dir.display();
        Failure::Usage(format!("there is no `admin.token` in `{folder}`: start doorward with this configuration first"))
    })
}

const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Twice what a store has for an answer, and what a queue before it takes.
const ANSWER_TIME: Duration = Duration::from_secs(10);
