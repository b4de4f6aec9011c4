//! All routes, compiled.
//!
//! A route matches a request if its path and its method do; of those that match, the first in the order of precedence decides:
//! exact before template before prefix, longer (more segments, then more literal ones) before shorter, a named method before any.
//! Where a path is named but none of its routes has the method, the answer is 405; where no route names the path, the default
//! decides. `HEAD` is looked up as `GET`. A path with `%2F` is for routes that take one, in both of its readings.
//!
//! # Why precedence and not the order of the file
//! A route that is moved, or added at the end, changes nothing but what it says. The price is that two routes could tie; those, and
//! the ones that could never match, are refused by [`Table::compile`].

mod conflict;
mod index;
#[cfg(test)]
mod tests;

pub use conflict::{Conflict, ConflictKind};

use std::borrow::Cow;

use super::route::Route;
use super::{Access, AuthorizationMode, CanonicalPath, RouteSpec};
use crate::tokens::ScopeSet;
use index::Index;

/// The compiled routes and the default for paths none of them names.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Route>,
    index: Index,
    default: Access,
    ignore_case: bool,
}

/// What a request's path and method lead to. Where there are two, the path has two readings and both must pass.
#[derive(Clone, Debug)]
pub struct Found<'t> {
    /// For the path as it is.
    pub first: Match<'t>,
    /// For the second reading, where there is one.
    pub second: Option<Match<'t>>,
}

/// What one reading of a path leads to.
#[derive(Clone, Debug)]
pub enum Match<'t> {
    /// This route decides.
    Route(&'t Route),
    /// No route names the path.
    Default,
    /// Routes name the path, none the method: the value of `Allow` (RFC 9110 §10.2.1).
    MethodNotAllowed(String),
    /// The path has `%2F`, and what decides about it here is no route that takes one.
    EncodedSlash,
}

impl Table {
    /// Compiles routes. With `ignore_case`, paths are compared without regard to the case of ASCII letters, as the routers of some
    /// upstreams do; other letters are never folded.
    ///
    /// # Errors
    /// Every conflict there is, in the order of the routes.
    pub fn compile(routes: Vec<RouteSpec>, default: Access, ignore_case: bool) -> Result<Self, Vec<Conflict>> {
        let compared = if ignore_case { Cow::Owned(folded(&routes)) } else { Cow::Borrowed(routes.as_slice()) };
        let index = Index::of(&compared);
        let conflicts = conflict::all(&compared, &index);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let routes = routes.into_iter().enumerate().map(|(index, spec)| Route::new(spec, index)).collect();
        Ok(Self { routes, index, default, ignore_case })
    }

    /// What decides about a request. The work is bounded by the length of the path and the routes that share its beginning.
    #[must_use]
    pub fn find(&self, path: &CanonicalPath<'_>, method: &str) -> Found<'_> {
        let find = |reading| match self.find_reading(&self.compared(reading), method) {
            Match::Route(route) if route.spec().encoded_slash => Match::Route(route),
            _ if path.has_encoded_slash() => Match::EncodedSlash,
            other => other,
        };
        Found { first: find(path.reading()), second: path.second_reading().map(find) }
    }

    fn find_reading(&self, reading: &str, method: &str) -> Match<'_> {
        let best = self.index.best(reading, method).and_then(|best| self.routes.get(best.route));
        match best {
            Some(route) => Match::Route(route),
            None => self.index.allow(reading).map_or(Match::Default, Match::MethodNotAllowed),
        }
    }

    /// Whether some route takes a token in the query.
    #[must_use]
    pub fn takes_query_tokens(&self) -> bool {
        self.routes.iter().any(|route| route.spec().query_token)
    }

    /// What becomes of the client's `Authorization` of a request, where that may pass. A path with two readings shows the upstream
    /// no more than either of them allows: it takes one of the two, and nobody knows which.
    #[must_use]
    pub fn authorization(
        &self,
        path: &CanonicalPath<'_>,
        method: &str,
        unless: AuthorizationMode,
    ) -> AuthorizationMode {
        if self.routes.iter().all(|route| route.spec().authorization.is_none_or(|mode| mode == unless)) {
            return unless;
        }
        let Found { first, second } = self.find(path, method);
        let mode = |found: Match<'_>| found.route().and_then(|route| route.spec().authorization).unwrap_or(unless);
        second.map(mode).into_iter().fold(mode(first), AuthorizationMode::max)
    }

    fn compared<'r>(&self, reading: &'r str) -> Cow<'r, str> {
        if self.ignore_case && reading.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(reading.to_ascii_lowercase())
        } else {
            Cow::Borrowed(reading)
        }
    }

    /// The methods that routes of this path name, as `Allow` lists them; empty where they name none.
    #[must_use]
    pub fn methods(&self, path: &CanonicalPath<'_>) -> String {
        self.index.allow(&self.compared(path.reading())).unwrap_or_default()
    }

    /// What routes for paths at or below this one ask for; empty stands for all paths.
    #[must_use]
    pub fn scopes(&self, below: &str) -> ScopeSet {
        let there = self.routes.iter().map(Route::spec).filter(|route| route.path.reaches(below, self.ignore_case));
        there.flat_map(|route| route.scopes.iter().chain(&route.any_scope)).cloned().collect()
    }

    /// For paths no route names.
    #[must_use]
    pub const fn default_access(&self) -> Access {
        self.default
    }

    /// All routes, in the order they were given.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}

impl<'t> Match<'t> {
    /// The route, if one decides.
    #[must_use]
    pub const fn route(&self) -> Option<&'t Route> {
        match self {
            Self::Route(route) => Some(route),
            Self::Default | Self::MethodNotAllowed(_) | Self::EncodedSlash => None,
        }
    }
}

fn folded(routes: &[RouteSpec]) -> Vec<RouteSpec> {
    routes.iter().map(|route| RouteSpec { path: route.path.folded(), ..route.clone() }).collect()
}
