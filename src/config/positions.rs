//! Where everything stands: the second pass over the text, by `saphyr-parser` events.
//!
//! `serde_yaml` reads the values, stops at its first error and forgets where it was. This pass keeps line and column
//! of every node, and finds what can be told from the text alone: bad syntax, a key that stands twice, a second
//! document, tags, and aliases that would blow up.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScanError, Span};

use super::code::Code;
use super::problem::Position;

/// A node's place, and those of its children.
#[derive(Clone)]
pub(super) struct Spot {
    pub(super) at: Position,
    pub(super) children: Rc<Children>,
    /// How many nodes it stands for, aliases followed.
    size: usize,
}

/// What a node is made of.
pub(super) enum Children {
    None,
    List(Vec<Spot>),
    /// Place of each key, and its value.
    Map(Vec<(Position, Spot)>),
}

/// Something wrong with the text itself.
pub(super) struct Finding {
    pub(super) at: Position,
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// Places of all nodes of `text`; `None` if it holds none. Also what is wrong with it, in order.
pub(super) fn locate(text: &str) -> (Option<Spot>, Vec<Finding>) {
    let mut pass = Pass::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, span)) => pass.take(&event, span),
            Err(error) => Err(Finding::syntax(&error)),
        };
        if let Err(finding) = step {
            pass.findings.push(finding);
            return (None, pass.findings);
        }
    }
    (pass.root, pass.findings)
}

#[derive(Default)]
struct Pass {
    open: Vec<Open>,
    anchors: HashMap<usize, Spot>,
    documents: usize,
    root: Option<Spot>,
    findings: Vec<Finding>,
}

/// A list or mapping whose end is not reached yet.
struct Open {
    at: Position,
    anchor: usize,
    size: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Spot>),
    Map { entries: Vec<(Position, Spot)>, key: Option<Position>, seen: HashMap<String, Position> },
}

impl Pass {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), Finding> {
        let at = position(&span.start);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Finding {
                        at,
                        code: Code::SeveralDocuments,
                        message: "a second document begins here".to_owned(),
                        help: "one file holds one document: take the `---` out",
                    });
                }
            }
            Event::Alias(anchor) => {
                let Some(named) = self.anchors.get(anchor) else { return Err(Finding::own_alias(at)) };
                let spot = Spot { at, children: Rc::clone(&named.children), size: named.size };
                self.add(spot, None)?;
            }
            Event::Scalar(text, _, anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                // A value that is not written at all has no place of its own: its key's is the better one to show.
                let at = if span.start.index() == span.end.index() { self.key_in_hand().unwrap_or(at) } else { at };
                let spot = Spot { at, children: Rc::new(Children::None), size: 1 };
                self.anchors.insert(*anchor, spot.clone());
                self.add(spot, Some(text))?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.open(at, *anchor, Inside::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), at);
                self.open(at, *anchor, Inside::Map { entries: Vec::new(), key: None, seen: HashMap::new() })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn key_in_hand(&self) -> Option<Position> {
        match &self.open.last()?.inside {
            Inside::Map { key, .. } => *key,
            Inside::List(_) => None,
        }
    }

    fn refuse_tag(&mut self, tagged: bool, at: Position) {
        if tagged {
            self.findings.push(Finding {
                at,
                code: Code::Tag,
                message: "tags mean nothing here".to_owned(),
                help: "take the `!` word out; put quotes around a text that begins with `!`",
            });
        }
    }

    fn open(&mut self, at: Position, anchor: usize, inside: Inside) -> Result<(), Finding> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Finding::too_complex(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.open.push(Open { at, anchor, size: 1, inside });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Finding> {
        let Some(Open { at, anchor, size, inside }) = self.open.pop() else { return Ok(()) };
        let children = match inside {
            Inside::List(items) => Children::List(items),
            Inside::Map { entries, .. } => Children::Map(entries),
        };
        let spot = Spot { at, children: Rc::new(children), size };
        self.anchors.insert(anchor, spot.clone());
        self.add(spot, None)
    }

    /// Gives a finished node to what it stands in. `text` is what it says if it is a scalar.
    fn add(&mut self, spot: Spot, text: Option<&str>) -> Result<(), Finding> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(spot);
            return Ok(());
        };
        open.size = open.size.saturating_add(spot.size);
        if open.size > MAX_NODES {
            return Err(Finding::too_complex(
                spot.at,
                format!("more than {MAX_NODES} values, aliases counted in full"),
            ));
        }
        match &mut open.inside {
            Inside::List(items) => items.push(spot),
            Inside::Map { entries, key, seen } => {
                if let Some(key) = key.take() {
                    entries.push((key, spot));
                    return Ok(());
                }
                *key = Some(spot.at);
                if let Some(first) = text.and_then(|text| seen.insert(text.to_owned(), spot.at)) {
                    self.findings.push(Finding {
                        at: spot.at,
                        code: Code::DuplicateKey,
                        message: format!("this key stands in line {}, column {} already", first.line, first.column),
                        help: "keep one of the two",
                    });
                }
            }
        }
        Ok(())
    }
}

impl Finding {
    fn syntax(error: &ScanError) -> Self {
        // INVARIANT: this parser's texts are fixed but for the one that names a character, which can be a secret's.
        let message = match error.info() {
            info if info.starts_with("unexpected character") => "a character that cannot stand here",
            info => info,
        };
        Self::not_yaml(position(error.marker()), message)
    }

    pub(super) fn not_yaml(at: Position, message: &str) -> Self {
        Self {
            at,
            code: Code::Syntax,
            message: message.to_owned(),
            help: "look at indentation, quotes and brackets up to here; text with `: ` or ` #` in it needs quotes",
        }
    }

    fn own_alias(at: Position) -> Self {
        Self::not_yaml(at, "an alias inside what it stands for")
    }

    fn too_complex(at: Position, message: String) -> Self {
        Self { at, code: Code::TooComplex, message, help: "write it flatter, or with fewer aliases" }
    }
}

/// The parser counts lines from 1 and columns from 0.
fn position(mark: &Marker) -> Position {
    Position { line: mark.line(), column: mark.col() + 1 }
}

/// Levels of nesting. The deepest key of doorward's own is at 6; users' claims may be deeper.
const MAX_DEPTH: usize = 32;

/// Nodes with all aliases written out. A thousand users with ten claims each are 30,000.
const MAX_NODES: usize = 500_000;
