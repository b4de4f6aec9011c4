//! What a source file must be like, apart from its imports.

use std::fmt;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::map::Map;
use crate::tree::{File, Tree, plain};

/// One breach, with its place.
#[derive(Debug)]
pub struct Finding {
    file: String,
    line: usize,
    text: String,
}

impl Finding {
    pub fn new(file: &File, line: usize, text: impl Into<String>) -> Self {
        Self { file: file.name.clone(), line, text: text.into() }
    }

    /// `file:line`, as the fixtures mark it.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "src/{}:{}: {}", self.file, self.line, self.text)
    }
}

pub fn root_only_lists_modules(tree: &Tree) -> Vec<Finding> {
    let root = tree.files().filter(|file| file.name == "lib.rs");
    root.flat_map(|file| {
        let others =
            file.syntax.items.iter().filter(|item| !matches!(item, syn::Item::Mod(syn::ItemMod { content: None, .. })));
        others.map(|item| Finding::new(file, item.span().start().line, "the crate root lists modules and nothing else"))
    })
    .collect()
}

/// The words a pure module does not use, tests apart: those hold the clock they move.
pub fn pure(map: &Map, tree: &Tree) -> Vec<Finding> {
    let is_pure = |file: &&File| {
        map.pure.iter().any(|name| *name == file.name || file.module.first() == Some(name)) && !is_tests(file)
    };
    tree.files()
        .filter(is_pure)
        .flat_map(|file| words(file, |word| IMPURE.contains(&word), "in a pure module"))
        .collect()
}

pub fn pingora(map: &Map, tree: &Tree) -> Vec<Finding> {
    let is_barred = |file: &&File| file.module.first().is_none_or(|module| !map.pingora.contains(module));
    let is_pingora = |word: &str| word == "pingora" || word.starts_with("pingora_");
    tree.files().filter(is_barred).flat_map(|file| words(file, is_pingora, "outside the modules that may")).collect()
}

/// Tests are apart: they grow with the cases, and a file of nothing else is easy to find one's way in.
pub fn budget(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| !is_tests(file)) {
        let tests = inline_tests(file).map_or(0, |span| span.end().line - span.start().line + 1);
        if let Some(span) = inline_tests(file).filter(|_| tests > TESTS_LIMIT) {
            let text = format!("{tests} lines of tests belong into a file `tests.rs` of their own");
            findings.push(Finding::new(file, span.start().line, text));
        }
        let lines = file.text.lines().count() - tests;
        let limit = if LONG.iter().any(|(name, _)| *name == file.name) { HARD_LIMIT } else { LIMIT };
        if lines > limit {
            findings.push(Finding::new(file, 1, format!("{lines} lines, and {limit} is the limit: find the seam")));
        }
    }
    findings
}

fn inline_tests(file: &File) -> Option<Span> {
    file.syntax.items.iter().find_map(|item| match item {
        syn::Item::Mod(module) if module.ident == "tests" && module.content.is_some() => Some(module.span()),
        _ => None,
    })
}

pub fn names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files() {
        for name in &file.module {
            if EMPTY_NAMES.contains(&name.as_str()) {
                findings.push(Finding::new(file, 1, format!("`{name}` says nothing of what is in it")));
            }
        }
        let mut visitor = Names { file, findings: Vec::new() };
        visitor.visit_file(&file.syntax);
        findings.extend(visitor.findings);
    }
    findings
}

pub fn openings(tree: &Tree) -> Vec<Finding> {
    let silent = |file: &&File| {
        let first = file.text.lines().next().unwrap_or_default();
        let includes_the_map = file.name == "lib.rs" && first.starts_with("#![doc = include_str!");
        !(is_tests(file) || first.starts_with("//! ") || includes_the_map)
    };
    tree.files().filter(silent).map(|file| Finding::new(file, 1, "the first line says what is here: `//! …`")).collect()
}

struct Names<'a> {
    file: &'a File,
    findings: Vec<Finding>,
}

impl Names<'_> {
    fn function(&mut self, signature: &syn::Signature) {
        if signature.ident.to_string().starts_with("get_") {
            let text = format!("`{}`: a getter is named for what it gives", signature.ident);
            self.findings.push(Finding::new(self.file, signature.span().start().line, text));
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() && EMPTY_NAMES.contains(&plain(&item.ident).as_str()) {
            let text = format!("`{}` says nothing of what is in it", item.ident);
            self.findings.push(Finding::new(self.file, item.span().start().line, text));
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig);
        visit::visit_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig);
        visit::visit_trait_item_fn(self, item);
    }

    /// The names in an `impl Trait` are the trait's.
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.trait_.is_none() {
            item.items.iter().for_each(|inner| {
                if let syn::ImplItem::Fn(inner) = inner {
                    self.function(&inner.sig);
                }
            });
        }
        visit::visit_item_impl(self, item);
    }
}

fn is_tests(file: &File) -> bool {
    file.module.last().is_some_and(|name| name == "tests")
}

/// Where `file` uses a word, outside of comments, strings and its inline tests.
fn words(file: &File, wanted: impl Fn(&str) -> bool, why: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    collect(file.tokens(), &mut |word, line| {
        if wanted(word) {
            findings.push(Finding::new(file, line, format!("`{word}` {why}")));
        }
    });
    findings
}

fn collect(tokens: TokenStream, found: &mut impl FnMut(&str, usize)) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(name) => found(&plain(name), name.span().start().line),
            TokenTree::Group(group) => {
                let words: Vec<_> = tokens[..index].iter().rev().take(2).map(ToString::to_string).collect();
                if words != ["tests", "mod"] {
                    collect(group.stream(), found);
                }
            }
            _ => {}
        }
    }
}

/// Lines of a source file, without its tests.
const LIMIT: usize = 300;

/// Lines of the files in [`LONG`].
const HARD_LIMIT: usize = 450;

/// Lines of tests that may stand below the code they test, in its file.
const TESTS_LIMIT: usize = 100;

/// Files that are longer than [`LIMIT`], each with the reason why no seam was found.
const LONG: [(&str, &str); 0] = [];

const EMPTY_NAMES: [&str; 9] = ["util", "utils", "common", "helper", "helpers", "manager", "managers", "types", "misc"];

const IMPURE: [&str; 14] = [
    "async",
    "await",
    "tokio",
    "async_trait",
    "futures",
    "tracing",
    "log",
    "Clock",
    "SystemClock",
    "ManualClock",
    "Stopwatch",
    "SystemTime",
    "Instant",
    "fs",
];
