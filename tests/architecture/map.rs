//! The floor table of `src/README.md`, read.

use std::collections::BTreeMap;
use std::path::Path;

/// Which module stands where, and what is said of some of them.
#[derive(Debug, Default)]
pub struct Map {
    places: BTreeMap<String, Place>,
    /// Modules, or files (`revocation/family.rs`), that only compute.
    pub pure: Vec<String>,
    /// Modules that may name Pingora.
    pub pingora: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    floor: u32,
    /// Which of the floor's chains (`a` ← `b`; `c`) it is in, and how far along its arrows.
    chain: usize,
    position: usize,
}

impl Map {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut map = Self::default();
        for line in text.lines() {
            if let Some(row) = line.strip_prefix('|') {
                map.row(row);
            } else if line.starts_with("Pure") {
                map.pure = quoted(line.split_once(':').expect("`Pure…: ` lists modules").1);
            } else if line.starts_with("Pingora is named in") {
                map.pingora = quoted(line);
            }
        }
        assert!(!map.places.is_empty(), "{} has no floor table", path.display());
        map
    }

    fn row(&mut self, row: &str) {
        let mut cells = row.split('|').map(str::trim);
        let (Some(floor), Some(modules)) = (cells.next(), cells.next()) else { return };
        let Ok(floor) = floor.parse() else { return }; // the heading and the rule below it
        for (chain, names) in modules.split(';').enumerate() {
            for (position, name) in names.split('←').flat_map(quoted).enumerate() {
                let former = self.places.insert(name.clone(), Place { floor, chain, position });
                assert!(former.is_none(), "`{name}` stands twice in the floor table");
            }
        }
    }

    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Whether the module `from` may import the module `to`. What is not in the table may import nothing and be imported
    /// by nobody, so a new module cannot be forgotten.
    pub fn allows(&self, from: &str, to: &str) -> bool {
        if from == to {
            return true;
        }
        let (Some(from), Some(to)) = (self.places.get(from), self.places.get(to)) else { return false };
        from.floor > to.floor || (from.floor == to.floor && from.chain == to.chain && from.position > to.position)
    }

    /// For messages: `app (floor 6)`.
    pub fn describe(&self, module: &str) -> String {
        match self.places.get(module) {
            Some(place) => format!("`{module}` (floor {})", place.floor),
            None => format!("`{module}` (not in the floor table)"),
        }
    }

    /// Modules nobody stands above: all that `main.rs` may name.
    pub fn is_top(&self, module: &str) -> bool {
        let top = self.places.values().map(|place| place.floor).max();
        self.places.get(module).map(|place| place.floor) == top
    }
}

/// The words in back-ticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
