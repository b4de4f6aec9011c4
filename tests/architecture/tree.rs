//! The sources as modules: which files, which modules inside them, which names each module brings in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use syn::{Item, UseTree};

/// Where a module stands: `["policy", "table"]`; empty for the crate root.
pub type ModulePath = Vec<String>;

/// All modules of one crate.
pub struct Tree {
    modules: BTreeMap<ModulePath, Module>,
    files: Vec<File>,
}

/// One source file.
pub struct File {
    /// Relative to the source folder.
    pub name: String,
    pub module: ModulePath,
    pub text: String,
    pub syntax: syn::File,
    /// `main.rs`: a crate of its own, for which the library is `doorward::`.
    pub is_main: bool,
}

/// What a path may go through in one module.
#[derive(Debug, Default)]
pub struct Module {
    /// Modules inside it.
    pub children: BTreeSet<String>,
    /// Names its `use` items bring in, private ones too: its own children see those.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// What its `use …::*` items open.
    pub globs: Vec<Vec<String>>,
    /// Names defined in it.
    pub items: BTreeSet<String>,
    /// `macro_rules!` defined in it.
    pub macros: BTreeSet<String>,
}

impl Tree {
    pub fn read(src: &Path) -> Self {
        let mut tree = Self { modules: BTreeMap::new(), files: Vec::new() };
        for path in sources(src) {
            let name = path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let is_main = name == "main.rs";
            let module = if is_main { vec!["(main)".to_owned()] } else { module_of(&name) };
            tree.enter(&module, &syntax.items);
            tree.files.push(File { name, module, text, syntax, is_main });
        }
        tree.export_macros();
        tree
    }

    pub fn root(&self) -> &Module {
        &self.modules[&Vec::new()]
    }

    pub fn module(&self, path: &[String]) -> Option<&Module> {
        self.modules.get(path)
    }

    /// The modules in which a macro of this name is defined.
    pub fn macro_homes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ModulePath> {
        self.modules.iter().filter(move |(_, module)| module.macros.contains(name)).map(|(path, _)| path)
    }

    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    fn enter(&mut self, path: &ModulePath, items: &[Item]) {
        let mut module = Module::default();
        for item in items {
            match item {
                Item::Mod(inner) => {
                    let name = plain(&inner.ident);
                    if let Some((_, items)) = &inner.content {
                        self.enter(&[path.as_slice(), std::slice::from_ref(&name)].concat(), items);
                    }
                    module.children.insert(name);
                }
                Item::Use(item) => module.bring_in(&mut Vec::new(), &item.tree),
                Item::ExternCrate(item) if item.ident == "self" => {
                    if let Some((_, name)) = &item.rename {
                        module.aliases.insert(plain(name), vec!["crate".to_owned()]);
                    }
                }
                Item::Macro(item) => {
                    if let Some(name) = &item.ident {
                        module.macros.insert(plain(name));
                    }
                }
                other => module.items.extend(name_of(other)),
            }
        }
        self.modules.insert(path.clone(), module);
    }

    /// `#[macro_export]` puts a macro into the crate root, wherever it is written. Those without it are reached by
    /// their bare name only, so all can be treated alike.
    fn export_macros(&mut self) {
        let homes: Vec<_> = self
            .modules
            .iter()
            .flat_map(|(path, module)| module.macros.iter().map(move |name| (name.clone(), path.clone())))
            .collect();
        let root = self.modules.entry(Vec::new()).or_default();
        for (name, mut path) in homes {
            path.insert(0, "crate".to_owned());
            path.push(name.clone());
            root.aliases.entry(name).or_insert(path);
        }
    }
}

impl Module {
    fn bring_in(&mut self, before: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(plain(&path.ident));
                self.bring_in(before, &path.tree);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.bring_in(before, tree)),
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Name(name) => self.alias(before, &plain(&name.ident), None),
            UseTree::Rename(rename) => self.alias(before, &plain(&rename.ident), Some(plain(&rename.rename))),
        }
    }

    fn alias(&mut self, before: &[String], name: &str, rename: Option<String>) {
        let mut target = before.to_vec();
        // `use a::{self}` brings in `a`; a leading `self` is a path's own beginning.
        if name != "self" || before.is_empty() {
            target.push(name.to_owned());
        }
        let alias = rename.or_else(|| target.last().cloned()).unwrap_or_default();
        // `use anyhow;` says nothing new, and would send a search for it in circles.
        if target != [alias.as_str()] {
            self.aliases.insert(alias, target);
        }
    }
}

impl File {
    /// The tokens of the whole file, comments gone.
    pub fn tokens(&self) -> TokenStream {
        self.text.parse().expect("what syn could read is tokens")
    }

    /// Lines of a fixture that end in `// forbidden`, as findings name them.
    pub fn forbidden_lines(&self) -> Vec<String> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| line.ends_with("// forbidden"));
        lines.map(|(index, _)| format!("{}:{}", self.name, index + 1)).collect()
    }
}

/// A name without its raw prefix: `r#app` and `app` are one module.
pub fn plain(name: &proc_macro2::Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn module_of(file: &str) -> ModulePath {
    let mut path: Vec<_> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod" || last == "lib") {
        path.pop();
    }
    path
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(plain(name))
}
