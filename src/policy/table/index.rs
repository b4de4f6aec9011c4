//! Finds the routes of a path.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::policy::RouteSpec;
use crate::policy::pattern::{Kind, PathPattern, Rank, Segment};

/// Exact paths by their whole text; templates and prefixes in a tree of segments, of which a path reaches at most as many nodes as
/// there are routes that share its beginning.
///
/// Hashed by what is quick and not by what withstands an attacker: only the configuration puts anything in, so a request cannot make
/// two paths meet.
#[derive(Debug, Default)]
pub(super) struct Index {
    exact: HashMap<Box<str>, Leaf, RandomState>,
    root: Node,
}

/// The place of a route in the order of precedence: the smaller is asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Precedence {
    rank: Rank,
    any_method: bool,
}

/// The route that serves a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Best {
    pub(super) precedence: Precedence,
    pub(super) route: usize,
}

/// Routes with the same pattern, but for the names of its parameters.
#[derive(Debug)]
struct Leaf {
    rank: Rank,
    named: Vec<(Box<str>, usize)>,
    any: Option<usize>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Self, RandomState>,
    parameter: Option<Box<Self>>,
    template: Option<Leaf>,
    prefix: Option<Leaf>,
}

impl Precedence {
    pub(super) fn of(route: &RouteSpec) -> Self {
        Self { rank: route.path.rank(), any_method: route.methods.is_empty() }
    }

    pub(super) const fn kind(self) -> Kind {
        self.rank.kind
    }
}

impl Index {
    pub(super) fn of(routes: &[RouteSpec]) -> Self {
        let mut index = Self::default();
        for (number, route) in routes.iter().enumerate() {
            index.leaf(&route.path).add(route, number);
        }
        index
    }

    fn leaf(&mut self, pattern: &PathPattern) -> &mut Leaf {
        let rank = pattern.rank();
        if rank.kind == Kind::Exact {
            return self.exact.entry(text(pattern.segments())).or_insert_with(|| Leaf::new(rank));
        }
        let mut node = &mut self.root;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
            };
        }
        let leaf = if rank.kind == Kind::Prefix { &mut node.prefix } else { &mut node.template };
        leaf.get_or_insert_with(|| Leaf::new(rank))
    }

    /// The route that serves `method` on `reading`.
    pub(super) fn best(&self, reading: &str, method: &str) -> Option<Best> {
        let method = if method == "HEAD" { "GET" } else { method };
        // Nothing comes before an exact path, so the tree is not asked.
        if let Some(best) = self.exact.get(reading).and_then(|leaf| leaf.serving(method)) {
            return Some(best);
        }
        let mut best: Option<Best> = None;
        self.root.visit(first_segment(reading), &mut |leaf| {
            if let Some(found) = leaf.serving(method)
                && best.is_none_or(|best| found.precedence < best.precedence)
            {
                best = Some(found);
            }
        });
        best
    }

    /// The methods of a path, sorted, as `Allow` lists them; `None` if no route names it.
    pub(super) fn allow(&self, reading: &str) -> Option<String> {
        let mut named = false;
        let mut methods = BTreeSet::new();
        let mut collect = |leaf: &Leaf| {
            named = true;
            for (method, _) in &leaf.named {
                methods.insert(method.to_string());
                if &**method == "GET" {
                    methods.insert("HEAD".to_owned());
                }
            }
        };
        if let Some(leaf) = self.exact.get(reading) {
            collect(leaf);
        }
        self.root.visit(first_segment(reading), &mut collect);
        named.then(|| methods.into_iter().collect::<Vec<_>>().join(", "))
    }
}

impl Leaf {
    const fn new(rank: Rank) -> Self {
        Self { rank, named: Vec::new(), any: None }
    }

    /// Of two that tie the first stays; the tie is reported by whoever compiles.
    fn add(&mut self, route: &RouteSpec, number: usize) {
        if route.methods.is_empty() {
            self.any.get_or_insert(number);
        }
        for method in &route.methods {
            if !self.named.iter().any(|(known, _)| **known == **method) {
                self.named.push((method.as_str().into(), number));
            }
        }
    }

    fn serving(&self, method: &str) -> Option<Best> {
        let named = self.named.iter().find(|(name, _)| **name == *method).map(|(_, route)| *route);
        let best = |route, any_method| Best { precedence: Precedence { rank: self.rank, any_method }, route };
        named.map(|route| best(route, false)).or_else(|| self.any.map(|route| best(route, true)))
    }
}

impl Node {
    /// Shows every leaf that matches `rest`: what follows the slash after this node, `None` at the end of the path.
    fn visit<'n>(&'n self, rest: Option<&str>, show: &mut impl FnMut(&'n Leaf)) {
        if let Some(leaf) = &self.prefix {
            show(leaf);
        }
        let Some(rest) = rest else {
            if let Some(leaf) = &self.template {
                show(leaf);
            }
            return;
        };
        if self.literals.is_empty() && self.parameter.is_none() {
            return;
        }
        // By bytes: segments are short, and what searches for a character is made for long texts.
        let slash = rest.bytes().position(|byte| byte == b'/');
        let (segment, rest) = match slash.and_then(|at| rest.split_at_checked(at)) {
            Some((segment, rest)) => (segment, rest.get(1..)),
            None => (rest, None),
        };
        if let Some(node) = self.literals.get(segment) {
            node.visit(rest, show);
        }
        if let Some(node) = &self.parameter {
            node.visit(rest, show);
        }
    }
}

fn first_segment(reading: &str) -> Option<&str> {
    reading.strip_prefix('/').filter(|rest| !rest.is_empty())
}

fn text(segments: &[Segment]) -> Box<str> {
    if segments.is_empty() {
        return "/".into();
    }
    let mut text = String::new();
    for segment in segments {
        text.push('/');
        match segment {
            Segment::Literal(name) | Segment::Parameter(name) => text.push_str(name),
        }
    }
    text.into()
}
