//! Where in the text of a users document its list, its users and their keys stand, in bytes.

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

/// The list of users.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// `None` = nothing is written, or no list.
    pub(super) list: Option<List>,
    /// Where `...` ends the document.
    pub(super) end_mark: Option<usize>,
    /// Whether something else than a list is written.
    pub(super) other: bool,
}

/// A list or a user: a mapping in it.
#[derive(Debug)]
pub(super) struct List {
    pub(super) span: Range<usize>,
    pub(super) flow: bool,
    /// Characters in front of its first one, on that line.
    pub(super) column: usize,
    pub(super) items: Vec<Item>,
}

/// What stands in the list. Without entries if it is no mapping, or an alias.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) span: Range<usize>,
    pub(super) flow: bool,
    pub(super) entries: Vec<Entry>,
}

/// A key of a user and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Characters in front of the key, on its line.
    pub(super) column: usize,
    pub(super) value: Range<usize>,
    pub(super) kind: Kind,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Alias,
    /// A block of lines, a list, a mapping.
    Other,
}

/// Reads `text`; `None` if it is no YAML.
pub(super) fn outline(text: &str) -> Option<Outline> {
    let mut pass = Pass { text, lines: line_starts(text), depth: 0, key: None, outline: Outline::default() };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.ok()?;
        pass.take(&event, span);
    }
    Some(Outline { end_mark: pass.end_mark(), ..pass.outline })
}

struct Pass<'t> {
    text: &'t str,
    lines: Vec<usize>,
    depth: usize,
    /// A key whose value comes next: its text and column.
    key: Option<(String, usize)>,
    outline: Outline,
}

impl Pass<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) {
        let range = self.offset(&span.start)..self.offset(&span.end);
        match event {
            Event::Scalar(text, style, ..) => {
                let kind = kind_of(*style);
                let range = self.written(range, kind);
                self.leaf(text, kind, range, span.start.col());
            }
            Event::Alias(_) => {
                let range = self.written(range, Kind::Alias);
                self.leaf("", Kind::Alias, range, span.start.col());
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                self.begin(range.start, span.start.col(), matches!(event, Event::SequenceStart(..)));
                self.depth += 1;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.depth = self.depth.saturating_sub(1);
                self.end(range.end);
            }
            _ => {}
        }
    }

    fn begin(&mut self, at: usize, column: usize, is_list: bool) {
        let flow = self.text.get(at..).is_some_and(|rest| rest.starts_with(['[', '{']));
        match (self.depth, is_list) {
            (0, true) => self.outline.list = Some(List { span: at..at, flow, column, items: Vec::new() }),
            (0, false) => self.outline.other = true,
            (1, _) => self.push(Item { span: at..at, flow, entries: Vec::new() }),
            (2, _) => self.value(Kind::Other, at..at),
            _ => {}
        }
    }

    fn end(&mut self, at: usize) {
        let Some(list) = &mut self.outline.list else { return };
        match self.depth {
            0 => list.span.end = at,
            1 => {
                if let Some(item) = list.items.last_mut() {
                    item.span.end = at;
                }
            }
            2 => {
                if let Some(entry) = list.items.last_mut().and_then(|item| item.entries.last_mut()) {
                    entry.value.end = at;
                }
            }
            _ => {}
        }
    }

    fn leaf(&mut self, text: &str, kind: Kind, range: Range<usize>, column: usize) {
        match self.depth {
            0 => self.outline.other |= !range.is_empty(),
            1 => self.push(Item { span: range, flow: false, entries: Vec::new() }),
            2 if self.key.is_none() => self.key = Some((text.to_owned(), column)),
            2 => self.value(kind, range),
            _ => {}
        }
    }

    fn push(&mut self, item: Item) {
        if let Some(list) = &mut self.outline.list {
            list.items.push(item);
        }
    }

    fn value(&mut self, kind: Kind, value: Range<usize>) {
        let Some(item) = self.outline.list.as_mut().and_then(|list| list.items.last_mut()) else { return };
        match self.key.take() {
            Some((key, column)) => item.entries.push(Entry { key, column, value, kind }),
            // A list or mapping as key.
            None => self.key = Some((String::new(), 0)),
        }
    }

    /// A scalar alone: the parser's end of it can be behind a comment, which is not to be lost with it.
    fn written(&self, range: Range<usize>, kind: Kind) -> Range<usize> {
        let Some(text) = self.text.get(range.clone()) else { return range };
        let length = match kind {
            Kind::Plain => {
                let comment = text
                    .match_indices('#')
                    .find(|(at, _)| text.get(..*at).is_some_and(|before| before.ends_with(char::is_whitespace)));
                text.get(..comment.map_or(text.len(), |(at, _)| at)).unwrap_or_default().trim_end().len()
            }
            Kind::SingleQuoted => quoted_length(text, '\'', None),
            Kind::DoubleQuoted => quoted_length(text, '"', Some('\\')),
            Kind::Alias => text.find(|end: char| end.is_whitespace() || ",]}".contains(end)).unwrap_or(text.len()),
            Kind::Other => text.len(),
        };
        range.start..range.start + length
    }

    /// Behind the last value there are only comments, and maybe this.
    fn end_mark(&self) -> Option<usize> {
        let end = self.outline.list.as_ref().map_or(0, |list| list.span.end);
        let from = self.text.get(..end)?.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = self.lines.iter().copied().filter(|line| *line >= from);
        lines.find(|line| self.text.get(*line..).is_some_and(|rest| rest.starts_with("...")))
    }

    /// By line and column: the parser's index counts bytes here and characters there.
    fn offset(&self, mark: &Marker) -> usize {
        let start = self.lines.get(mark.line().saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        rest.char_indices().nth(mark.col()).map_or(self.text.len(), |(at, _)| start + at)
    }
}

/// Up to the closing quote. In single quotes a quote is written twice, in double ones behind a backslash.
fn quoted_length(text: &str, quote: char, escape: Option<char>) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        let doubled = escape.is_none() && characters.peek().is_some_and(|(_, next)| *next == quote);
        if Some(character) == escape || (character == quote && doubled) {
            characters.next();
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}

/// CR, LF and CRLF end a line, as the parser has it.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
}

fn kind_of(style: ScalarStyle) -> Kind {
    match style {
        ScalarStyle::Plain => Kind::Plain,
        ScalarStyle::SingleQuoted => Kind::SingleQuoted,
        ScalarStyle::DoubleQuoted => Kind::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Kind::Other,
    }
}
