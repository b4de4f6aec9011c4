//! Follows every path to the modules it leads through, and asks the map.

use std::collections::BTreeSet;

use crate::map::Map;
use crate::paths::{self, Named, Reference};
use crate::rules::Finding;
use crate::tree::{File, Module, ModulePath, Tree};

/// Every import the map does not allow.
pub fn check(map: &Map, tree: &Tree) -> Vec<Finding> {
    tree.files().flat_map(|file| check_file(map, tree, file)).collect()
}

fn check_file(map: &Map, tree: &Tree, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The crate root may name all modules; what it re-exports is followed from where it is used.
    let Some(own) = file.module.first() else { return findings };
    for reference in paths::references(file) {
        let mut trail = Trail::default();
        let shown = match &reference.what {
            Named::Path { segments, .. } => {
                trail.follow(tree, &reference.module, segments, DEPTH);
                segments.join("::")
            }
            Named::Macro(name) => {
                trail.bare_macro(tree, own, name);
                format!("{name}!")
            }
            Named::Elsewhere => {
                findings.push(Finding::new(
                    file,
                    reference.line,
                    "takes in code of another place, unseen by this test",
                ));
                continue;
            }
        };
        findings.extend(trail.hides_names(&reference).then(|| {
            Finding::new(file, reference.line, format!("`{shown}` brings in the crate root, which hides what is used"))
        }));
        for module in trail.modules.iter().filter(|module| *module != own) {
            let allowed = if file.is_main { map.is_top(module) } else { map.allows(own, module) };
            if !allowed {
                let (from, to) = (map.describe(own), map.describe(module));
                findings.push(Finding::new(file, reference.line, format!("{from} names {to} by `{shown}`")));
            }
        }
    }
    findings
}

/// Where a path leads.
#[derive(Debug, Default)]
struct Trail {
    /// The top-level modules it goes through and ends in: a re-export counts for both ends.
    modules: BTreeSet<String>,
    ends_at_root: bool,
}

impl Trail {
    /// Resolves `segments` as they stand in `module`.
    fn follow(&mut self, tree: &Tree, module: &[String], segments: &[String], depth: usize) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let Some((first, rest)) = segments.split_first() else { return };
        match first.as_str() {
            "crate" | "doorward" => self.walk(tree, Vec::new(), rest, depth),
            "self" => self.walk(tree, module.to_vec(), rest, depth),
            "super" => self.walk(tree, module.to_vec(), segments, depth),
            // Any other first name is looked for in the scope. If it is not there, it is an extern crate's or a type's.
            _ if tree.module(module).is_some_and(|scope| knows(tree, module, scope, first, depth)) => {
                self.walk(tree, module.to_vec(), segments, depth);
            }
            _ => {}
        }
    }

    fn walk(&mut self, tree: &Tree, mut at: ModulePath, mut rest: &[String], depth: usize) {
        loop {
            self.modules.extend(at.first().cloned());
            let Some((name, after)) = rest.split_first() else {
                self.ends_at_root |= at.is_empty();
                return;
            };
            let Some(module) = tree.module(&at) else { return };
            match name.as_str() {
                "self" => {}
                "super" => drop(at.pop()),
                name if module.children.contains(name) => at.push(name.to_owned()),
                name => {
                    if let Some(target) = module.aliases.get(name) {
                        return self.follow(tree, &at, &[target, after].concat(), depth);
                    }
                    if !module.items.contains(name) {
                        for glob in &module.globs {
                            self.through_glob(tree, &at, glob, rest, depth);
                        }
                    }
                    return;
                }
            }
            rest = after;
        }
    }

    fn through_glob(&mut self, tree: &Tree, at: &[String], glob: &[String], rest: &[String], depth: usize) {
        let Some(target) = opened(tree, at, glob, depth) else { return };
        if tree.module(&target).is_some_and(|module| knows(tree, &target, module, &rest[0], depth)) {
            self.follow(tree, at, &[glob, rest].concat(), depth);
        }
    }

    /// A bare name reaches macros of any module written above it.
    fn bare_macro(&mut self, tree: &Tree, own: &String, name: &str) {
        let homes: BTreeSet<_> = tree.macro_homes(name).filter_map(|path| path.first()).collect();
        if !homes.contains(own) {
            self.modules.extend(homes.into_iter().cloned());
        }
    }

    fn hides_names(&self, reference: &Reference) -> bool {
        self.ends_at_root && matches!(reference.what, Named::Path { brings_in: true, .. })
    }
}

fn knows(tree: &Tree, at: &[String], module: &Module, name: &str, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    module.children.contains(name)
        || module.aliases.contains_key(name)
        || module.items.contains(name)
        || module.globs.iter().any(|glob| {
            opened(tree, at, glob, depth).is_some_and(|target| {
                tree.module(&target).is_some_and(|module| knows(tree, &target, module, name, depth))
            })
        })
}

/// The module a glob opens; `None` for enums and extern crates.
fn opened(tree: &Tree, at: &[String], glob: &[String], depth: usize) -> Option<ModulePath> {
    let depth = depth.checked_sub(1)?;
    let (first, _) = glob.split_first()?;
    let mut path = match first.as_str() {
        "crate" | "doorward" => Vec::new(),
        _ => at.to_vec(),
    };
    for (index, name) in glob.iter().enumerate() {
        match name.as_str() {
            "crate" | "doorward" if index == 0 => {}
            "self" => {}
            "super" => drop(path.pop()?),
            name => {
                let module = tree.module(&path)?;
                if module.children.contains(name) {
                    path.push(name.to_owned());
                } else {
                    let target = module.aliases.get(name)?;
                    path = opened(tree, &path, target, depth)?;
                }
            }
        }
    }
    Some(path)
}

/// How many re-exports a path is followed through; nobody chains that many, and a circle ends.
const DEPTH: usize = 16;
