//! The running doorward that a configuration belongs to, asked through its admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
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
use crate::endpoints::Operators;

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
    /// 404: there was nothing to be done, in a sentence; or 409: not as things are.
    Nothing(String),
}

/// Why there is no answer.
pub(in crate::cli) enum Unanswered {
    /// Nobody listens there.
    NotThere(String),
    /// Anything else.
    Failed(Failure),
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::NotThere(name) => {
                Self::Internal(format!("`{name}` cannot be asked; is doorward running, with this configuration?"))
            }
            Unanswered::Failed(failure) => failure,
        }
    }
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
    pub(in crate::cli) fn post(&self, path: &str, order: &Value) -> Result<Answer, Unanswered> {
        self.post_for(path, order, Duration::ZERO)
    }

    /// What it makes of one that may take it as long as `patience` to have confirmed.
    pub(in crate::cli) fn post_for(&self, path: &str, order: &Value, patience: Duration) -> Result<Answer, Unanswered> {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header(CONTENT_TYPE, "application/json").body(order.to_string());
        self.ask(request.timeout(ANSWER_TIME + patience), ": it is unknown whether it was done")
    }

    pub(in crate::cli) fn get(&self, path: &str, query: &str) -> Result<Answer, Unanswered> {
        self.ask(self.client.get(format!("{}{path}?{query}", self.url)).timeout(ANSWER_TIME), "")
    }

    /// For an answer that no doorward gives. Whatever it meant, nothing may be taken as done by it.
    pub(in crate::cli) fn stranger(&self) -> Failure {
        Failure::Internal(format!(
            "what answers at `{}` is no doorward admin listener of this version, and nothing is confirmed: is `admin.listen` the one it was started with?",
            self.name
        ))
    }

    fn ask(&self, mut request: RequestBuilder, unknown: &str) -> Result<Answer, Unanswered> {
        if let Some(token) = &self.token {
            let value = HeaderValue::from_bytes(&[b"Bearer ", token.expose()].concat());
            let value = value.map_err(|_| Failure::usage("the admin token cannot be sent in a header"));
            let mut value = value.map_err(Unanswered::Failed)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let exchange = async {
            let response = request.send().await?;
            let status = response.status();
            // The public listener refuses tokens too, and means the API's.
            let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
            let of_admin = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains(Operators::REALM));
            let is_ours = status != StatusCode::UNAUTHORIZED || challenges.into_iter().any(of_admin);
            Ok::<_, reqwest::Error>((status, is_ours, response.bytes().await?))
        };
        let (status, is_ours, body) =
            self.runtime.block_on(exchange).map_err(|error| self.unanswered(&error, unknown))?;
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        if let (StatusCode::OK, Some(body @ Value::Object(_))) = (status, &body) {
            return Ok(Answer::Done(body.clone()));
        }
        // Each refusal has both. Whoever else listens there has neither, and its refusal says nothing of what was asked.
        let word = |name| body.as_ref()?.get(name)?.as_str();
        let sentence = match (word("error"), word("error_description")) {
            (Some(_), Some(sentence)) if status != StatusCode::OK && is_ours => sentence.to_owned(),
            _ => return Err(Unanswered::Failed(self.stranger())),
        };
        match status {
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(Answer::Nothing(sentence)),
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
                Err(Unanswered::Failed(Failure::Usage(sentence)))
            }
            _ => Err(Unanswered::Failed(Failure::Internal(sentence))),
        }
    }

    /// Only what was never sent was surely not done.
    fn unanswered(&self, error: &reqwest::Error, unknown: &str) -> Unanswered {
        if error.is_connect() {
            return Unanswered::NotThere(self.name.clone());
        }
        let how = if error.is_timeout() { "does not answer in time" } else { "hung up before it answered" };
        let text = format!("`{}` {how}{unknown}; ask again, which is harmless", self.name);
        Unanswered::Failed(Failure::Internal(text))
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
