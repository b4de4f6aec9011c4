//! Fetching over HTTP: no redirects, no credentials, no cookies, no compression, not more than so much.
//!
//! Each document has a connection of its own, made from what the files and the environment say at that moment: it is a few of them
//! an hour, CAs that were renewed are seen, and no connection outlives the judgement on its address. `HTTP_PROXY`,
//! `HTTPS_PROXY` and `NO_PROXY` hold as everywhere, but not for this machine.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT, AGE, CACHE_CONTROL, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue};
use reqwest::{Client, Response, redirect};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::KeySource;
use super::address::{NotAdmitted, Places, Resolver, is_this_machine, literal, may_be_fetched};
use super::discovery;
use super::fetch::{Document, Fetch, FetchError, Fetched};

/// Fetches as a real process does.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpFetch;

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self, source: &KeySource) -> Result<Fetched, FetchError> {
        let roots = source.roots.clone();
        // Reads the operating system's CAs: a hundred files, perhaps.
        let tls = tokio::task::spawn_blocking(move || tls(&roots)).await.map_err(|_| FetchError::Panicked)??;
        match &source.jwks_url {
            Some(url) if may_be_fetched(url, source.allow_http) => {
                Ok(get(&tls, Document::Keys, url, None).await?.fetched)
            }
            Some(_) => Err(FetchError::Forbidden(Document::Keys)),
            None => {
                let metadata = metadata(&tls, source).await?;
                let url = discovery::jwks_uri(&metadata.fetched.text, source)?;
                Ok(get(&tls, Document::Keys, &url, Some(metadata.places)).await?.fetched)
            }
        }
    }
}

/// A document, and where it was.
struct Found {
    fetched: Fetched,
    places: Places,
}

async fn metadata(tls: &ClientConfig, source: &KeySource) -> Result<Found, FetchError> {
    let addresses = discovery::addresses(&source.issuer);
    let [openid, oauth] = addresses
        .filter(|[url, _]| may_be_fetched(url, source.allow_http))
        .ok_or(FetchError::Forbidden(Document::Metadata))?;
    match get(tls, Document::Metadata, &openid, None).await {
        Err(FetchError::Status(_, 404)) => get(tls, Document::Metadata, &oauth, None).await,
        found => found,
    }
}

/// `within` is where the host may be; `None` = anywhere, for the operator wrote it.
async fn get(tls: &ClientConfig, document: Document, url: &Url, within: Option<Places>) -> Result<Found, FetchError> {
    let mut places = Places::default();
    if let Some(address) = literal(url) {
        if within.as_ref().is_some_and(|within| !within.admit(address)) {
            return Err(FetchError::Forbidden(document));
        }
        places.add(address);
    }
    let resolver = Resolver { host: url.host_str().unwrap_or_default().to_owned(), within, found: Arc::default() };
    let found = Arc::clone(&resolver.found);
    let failed = |error: reqwest::Error| failure(document, &error);
    let client = client(tls, url, resolver).map_err(failed)?;
    let response = client.get(url.clone()).header(ACCEPT, "application/json").send().await.map_err(failed)?;
    match response.status().as_u16() {
        200 => {}
        status @ 300..400 => return Err(FetchError::Redirect(document, status)),
        status => return Err(FetchError::Status(document, status)),
    }
    // Nobody asked for it, and a few KiB can be made to unpack to gigabytes.
    if response.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(FetchError::Malformed(document));
    }
    let fresh_for = fresh_for(response.headers());
    let text = body(response, document).await?;
    if literal(url).is_none() {
        places = found.lock().clone();
    }
    Ok(Found { fetched: Fetched { text, fresh_for }, places })
}

fn client(tls: &ClientConfig, url: &Url, resolver: Resolver) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(resolver)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_only()
        .pool_max_idle_per_host(0)
        .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")));
    // The proxy's loopback is another machine's, and plain HTTP is fine only if it does not leave this one.
    if is_this_machine(url) { builder.no_proxy() } else { builder }.build()
}

/// The body, counted as it comes: a length that is announced may be a lie, and a chunked one has no end.
async fn body(mut response: Response, document: Document) -> Result<Vec<u8>, FetchError> {
    if response.content_length().is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(FetchError::TooLong(document));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(document, &error))? {
        if text.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLong(document));
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn tls(roots: &[rustls::pki_types::CertificateDer<'static>]) -> Result<ClientConfig, FetchError> {
    let mut trusted = RootCertStore::empty();
    if roots.is_empty() {
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    } else {
        trusted.add_parsable_certificates(roots.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| FetchError::Connection(Document::Keys, error.to_string()))?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth())
}

/// The innermost cause: what is around it only repeats where it happened, the URL too.
fn failure(document: Document, error: &reqwest::Error) -> FetchError {
    let mut cause: &(dyn Error + 'static) = error;
    loop {
        if cause.is::<NotAdmitted>() {
            return FetchError::Forbidden(document);
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    // A certificate's names are in some of these.
    let visible = |character: char| if character.is_ascii_graphic() { character } else { ' ' };
    let text = if cause.is::<reqwest::Error>() { "no connection".to_owned() } else { cause.to_string() };
    FetchError::Connection(document, text.chars().map(visible).take(LONGEST_CAUSE).collect())
}

/// How long an answer is current (RFC 9111 §4.2.1, §4.2.3), as far as its server says.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: &HeaderValue| value.to_str().map(str::to_ascii_lowercase).unwrap_or_default();
    let fields: Vec<String> = headers.get_all(CACHE_CONTROL).iter().map(text).collect();
    let directives = || fields.iter().flat_map(|field| field.split(',')).map(str::trim);
    if directives().any(|directive| matches!(directive, "no-store" | "no-cache")) {
        return Some(Duration::ZERO);
    }
    let seconds =
        directives().find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok())?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
    Some(Duration::from_secs(u64::saturating_sub(seconds, age)))
}

/// Of a document. The largest known sets have a tenth of it.
pub(super) const MAX_BYTES: usize = 512 * 1024;

const LONGEST_CAUSE: usize = 200;

#[cfg(test)]
mod tests;
