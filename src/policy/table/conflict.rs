//! Routes that cannot stand beside each other, found when the table is compiled.
//!
//! # How it is decided
//! A segment that no pattern spells out is matched by a parameter or by nothing. So the path of a pattern whose parameters are
//! filled with such a segment shows the route that serves nearly all of its paths: whatever serves this one serves every one. A
//! prefix has such a path for each depth; beyond the longest pattern all depths are alike. A method that no route names shows the
//! same of methods. Both questions (could this route serve anything, could these two tie anywhere) are a few look-ups then, and
//! the answers are exact.

use std::collections::HashMap;

use super::index::{Index, Precedence};
use crate::policy::RouteSpec;
use crate::policy::pattern::{Kind, Segment};

/// Two routes that cannot stand beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// Index of the route to mend: the later one of a tie, the one that is never reached.
    pub route: usize,
    /// Index of the route it collides with.
    pub other: usize,
    /// What is wrong.
    pub kind: ConflictKind,
}

/// How two routes collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Some request matches both with equal precedence, and none with a better one.
    Tie,
    /// Every request the route could serve is served by routes with a better precedence; `other` is the first of them, or the
    /// route itself if it names `HEAD` alone, which is always looked up as `GET`.
    Unreachable,
}

/// All conflicts, in the order of the routes.
pub(super) fn all(routes: &[RouteSpec], index: &Index) -> Vec<Conflict> {
    let depth = routes.iter().map(|route| route.path.segments().len()).max().unwrap_or_default() + 1;
    let mut conflicts: Vec<Conflict> = routes
        .iter()
        .enumerate()
        .filter_map(|(number, route)| {
            let other = shadow(number, route, index, depth)?;
            Some(Conflict { route: number, other, kind: ConflictKind::Unreachable })
        })
        .collect();
    let mut equals: HashMap<Precedence, Vec<usize>> = HashMap::new();
    for (route, spec) in routes.iter().enumerate() {
        let earlier = equals.entry(Precedence::of(spec)).or_default();
        for &other in earlier.iter() {
            if routes.get(other).is_some_and(|other| tie(spec, other, index, depth)) {
                conflicts.push(Conflict { route, other, kind: ConflictKind::Tie });
            }
        }
        earlier.push(route);
    }
    conflicts.sort_unstable();
    conflicts
}

/// Who serves all that a route could serve, if others do.
fn shadow(number: usize, route: &RouteSpec, index: &Index, depth: usize) -> Option<usize> {
    let own = Precedence::of(route);
    let segments: Vec<&Segment> = route.path.segments().iter().collect();
    let mut first = None;
    for path in paths(&segments, own.kind(), depth) {
        for method in methods(route) {
            let best = index.best(&path, method)?;
            if best.precedence >= own {
                return None;
            }
            first.get_or_insert(best.route);
        }
    }
    Some(first.unwrap_or(number))
}

/// Whether two routes of equal precedence are the best for some request. A better route for all that both match settles it.
fn tie(one: &RouteSpec, other: &RouteSpec, index: &Index, depth: usize) -> bool {
    let pairs = || one.path.segments().iter().zip(other.path.segments());
    if !pairs().all(|(one, other)| one.meets(other)) {
        return false;
    }
    let precedence = Precedence::of(one);
    let common: Vec<&str> = methods(one).filter(|method| methods(other).any(|known| known == *method)).collect();
    let merged: Vec<&Segment> =
        pairs().map(|(one, other)| if matches!(one, Segment::Literal(_)) { one } else { other }).collect();
    !common.is_empty()
        && paths(&merged, precedence.kind(), depth).any(|path| {
            common.iter().any(|method| index.best(&path, method).is_none_or(|best| best.precedence >= precedence))
        })
}

/// One path for each kind of path that the segments match.
fn paths(segments: &[&Segment], kind: Kind, depth: usize) -> impl Iterator<Item = String> {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        path.push_str(match segment {
            Segment::Literal(literal) => literal,
            Segment::Parameter(_) => UNNAMED,
        });
    }
    let deepest = if kind == Kind::Prefix { depth.max(segments.len()) } else { segments.len() };
    (segments.len()..=deepest).scan(path, |path, _| {
        let current = if path.is_empty() { "/".to_owned() } else { path.clone() };
        path.push('/');
        path.push_str(UNNAMED);
        Some(current)
    })
}

fn methods(route: &RouteSpec) -> impl Iterator<Item = &str> {
    let any = route.methods.is_empty().then_some(UNNAMED);
    route.methods.iter().map(String::as_str).filter(|method| *method != "HEAD").chain(any)
}

/// No pattern and no method has a control character.
const UNNAMED: &str = "\u{1}";
