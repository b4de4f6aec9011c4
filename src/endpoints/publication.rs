//! What doorward tells everybody about itself: its keys (RFC 7517), its metadata as an issuer (RFC 8414) and that of the API
//! behind it (RFC 9728).

use serde_json::{Map, Value};

use super::address::Address;
use super::document::Document;
use super::{Endpoint, Settings, jwks, metadata, resource};
use crate::grants::Clients;
use crate::tokens::{Scope, ScopeSet};

/// What of a configuration is published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// What clients call this server; metadata is never made from `Host`, which anybody can send.
    pub public_url: &'a str,
    /// `iss` of own tokens, byte for byte; `None` = none are issued.
    pub issuer: Option<&'a str>,
    /// The public halves of own keys, as JWKs.
    pub keys: &'a [Map<String, Value>],
    /// The scopes of own tokens that are no secret: those that routes ask for, and those granted to whoever asks for none.
    pub scopes: &'a ScopeSet,
    /// Who may ask for tokens, and how.
    pub clients: &'a Clients,
    /// Other issuers whose tokens are taken.
    pub trusted: &'a [&'a str],
    /// The whole API first, with an empty path, then its parts.
    pub resources: &'a [Resource],
    /// Whether paths are compared without regard to the case of ASCII letters.
    pub ignore_case: bool,
}

/// A protected resource (RFC 9728 §1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What all its paths begin with; empty = the whole API.
    pub path: String,
    /// What the routes there ask for.
    pub scopes: ScopeSet,
}

/// Scopes as a document lists them.
pub(super) fn listed(scopes: &ScopeSet) -> Value {
    scopes.iter().map(Scope::as_str).collect()
}

/// The documents of one configuration, each rendered once.
#[derive(Debug, Default)]
pub struct Documents {
    rendered: Vec<(String, Endpoint, Document)>,
    /// Paths of resources and the addresses of their metadata, the longest first.
    resources: Vec<(String, String)>,
    ignore_case: bool,
}

impl Documents {
    /// Renders them.
    #[must_use]
    pub fn render(settings: &Settings, publication: &Publication<'_>) -> Self {
        let Some(public) = Address::parse(publication.public_url) else { return Self::default() };
        let mut documents = Vec::new();
        if let Some(path) = &settings.jwks {
            documents.push((path.clone(), Endpoint::Jwks, jwks::document(publication.keys)));
        }
        documents.extend(metadata::documents(settings, publication, &public));
        let mut resources = Vec::new();
        if let Some(configured) = &settings.resource_metadata {
            for resource in publication.resources {
                // Between the host and the path of the resource (RFC 9728 §3.1).
                let path = format!("{configured}{}{}", public.path(), resource.path);
                resources.push((resource.path.clone(), public.at(&path)));
                documents.push((path, Endpoint::ResourceMetadata, resource::document(publication, &public, resource)));
            }
        }
        // The longest first: it says the most about what is asked for.
        resources.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { rendered: documents, resources, ignore_case: publication.ignore_case }
    }

    /// The document at exactly this path.
    #[must_use]
    pub fn at(&self, path: &[u8]) -> Option<(Endpoint, &Document)> {
        let found = self.rendered.iter().find(|(own, ..)| own.as_bytes() == path);
        found.map(|(_, endpoint, document)| (*endpoint, document))
    }

    /// The address of the metadata of the resource that a path is part of, for the challenge (RFC 9728 §5.1).
    #[must_use]
    pub fn resource_metadata(&self, path: &str) -> Option<&str> {
        let covers = |resource: &str| {
            let (Some(begin), Some(rest)) = (path.get(..resource.len()), path.get(resource.len()..)) else {
                return false;
            };
            let same = begin == resource || (self.ignore_case && begin.eq_ignore_ascii_case(resource));
            same && (rest.is_empty() || rest.starts_with('/'))
        };
        self.resources.iter().find(|(resource, _)| covers(resource)).map(|(_, url)| url.as_str())
    }
}

#[cfg(test)]
mod tests;
