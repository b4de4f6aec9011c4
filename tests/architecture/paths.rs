//! Finds every path a file names, wherever it stands: `use` trees, expressions, types, attributes, macro bodies.
//!
//! It reads tokens rather than the syntax tree, because what stands inside a macro call has no tree.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::tree::{File, ModulePath, plain};

/// One thing a file names.
#[derive(Debug)]
pub struct Reference {
    /// The module it is named in: inline modules have scopes of their own.
    pub module: ModulePath,
    pub line: usize,
    pub what: Named,
}

#[derive(Debug)]
pub enum Named {
    /// A path of two segments or more, or any path of a `use`.
    Path { segments: Vec<String>, brings_in: bool },
    /// A macro called by its bare name.
    Macro(String),
    /// `include!` or `#[path]`: code of another place, which no path shows.
    Elsewhere,
}

/// All that `file` names.
pub fn references(file: &File) -> Vec<Reference> {
    let mut scan = Scan { found: Vec::new(), module: file.module.clone(), literal_line: None };
    scan.tokens(file.tokens(), false);
    scan.found
}

struct Scan {
    found: Vec<Reference>,
    module: ModulePath,
    /// Inside the string of an attribute, whose tokens have no lines of their own.
    literal_line: Option<usize>,
}

impl Scan {
    fn tokens(&mut self, stream: TokenStream, in_attribute: bool) {
        let tokens: Vec<_> = stream.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let [first, after @ ..] = rest {
            rest = match (first, after) {
                (TokenTree::Punct(hash), _) if hash.as_char() == '#' => self.attribute(after),
                (TokenTree::Ident(word), [TokenTree::Ident(name), TokenTree::Group(body), after @ ..])
                    if word == "mod" && body.delimiter() == Delimiter::Brace =>
                {
                    self.module.push(plain(name));
                    self.tokens(body.stream(), false);
                    self.module.pop();
                    after
                }
                (TokenTree::Ident(word), [TokenTree::Punct(next), ..]) if word == "use" && next.as_char() == '<' => {
                    after
                }
                (TokenTree::Ident(word), _) if word == "use" => self.path(after, Vec::new(), true),
                (TokenTree::Ident(word), [TokenTree::Ident(krate), own @ TokenTree::Ident(name), after @ ..])
                    if word == "extern" && krate == "crate" && name == "self" =>
                {
                    self.name(vec!["crate".to_owned()], own, true);
                    after
                }
                (TokenTree::Ident(_), _) => self.path(rest, Vec::new(), false),
                // `::name` begins at the extern crates; after `>` it is an associated item. Neither is a local name.
                (TokenTree::Punct(_), [TokenTree::Punct(_), path @ ..]) if separator(rest) => match path {
                    [TokenTree::Ident(name), ..] if name == "doorward" => self.path(path, Vec::new(), false),
                    _ => skip_path(path),
                },
                (TokenTree::Group(group), _) => {
                    self.tokens(group.stream(), in_attribute);
                    after
                }
                (TokenTree::Literal(literal), _) if in_attribute => {
                    self.literal(literal);
                    after
                }
                _ => after,
            };
        }
    }

    /// After a `#`. Documentation may name what it likes.
    fn attribute<'a>(&mut self, after: &'a [TokenTree]) -> &'a [TokenTree] {
        let after = match after {
            [TokenTree::Punct(bang), rest @ ..] if bang.as_char() == '!' => rest,
            other => other,
        };
        let [TokenTree::Group(group), rest @ ..] = after else { return after };
        let inside: Vec<_> = group.stream().into_iter().collect();
        match inside.as_slice() {
            [TokenTree::Ident(name), ..] if name == "doc" => {}
            [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Literal(_)] if name == "path" => {
                self.push(&inside[0], Named::Elsewhere);
            }
            _ => self.tokens(group.stream(), true),
        }
        rest
    }

    /// `#[serde(with = "crate::app::text")]` is a path too.
    fn literal(&mut self, literal: &proc_macro2::Literal) {
        let token = TokenTree::Literal(literal.clone());
        let Ok(text) = syn::parse2::<syn::LitStr>(token.into()) else { return };
        let Ok(tokens) = text.value().parse::<TokenStream>() else { return };
        self.literal_line = Some(literal.span().start().line);
        self.tokens(tokens, false);
        self.literal_line = None;
    }

    /// One path, with the tree that may end it. Gives back what follows.
    fn path<'a>(&mut self, tokens: &'a [TokenTree], before: Vec<String>, brings_in: bool) -> &'a [TokenTree] {
        let mut rest = tokens;
        let mut segments = before;
        if brings_in && segments.is_empty() && separator(rest) {
            rest = &rest[2..];
            if !matches!(rest.first(), Some(TokenTree::Ident(name)) if name == "doorward") {
                return skip_path(rest);
            }
        }
        loop {
            match rest {
                [TokenTree::Ident(name), after @ ..] => {
                    segments.push(plain(name));
                    if separator(after) && matches!(after.get(2), Some(next) if continues(next, brings_in)) {
                        rest = &after[2..];
                        continue;
                    }
                    let is_call = matches!(after, [TokenTree::Punct(bang), TokenTree::Group(_) | TokenTree::Ident(_), ..] if bang.as_char() == '!');
                    if segments.len() == 1 && is_call {
                        let what = if name == "include" { Named::Elsewhere } else { Named::Macro(plain(name)) };
                        self.push(&rest[0], what);
                    } else {
                        self.name(segments, &rest[0], brings_in);
                    }
                    return if brings_in { skip_rename(after) } else { after };
                }
                [TokenTree::Punct(star), after @ ..] if star.as_char() == '*' => {
                    self.name(segments, &rest[0], true);
                    return after;
                }
                [TokenTree::Group(group), after @ ..] if group.delimiter() == Delimiter::Brace => {
                    self.group(group, &segments);
                    return after;
                }
                _ => return rest,
            }
        }
    }

    fn group(&mut self, group: &Group, before: &[String]) {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
        for part in tokens.split(comma) {
            self.path(part, before.to_vec(), true);
        }
    }

    fn name(&mut self, segments: Vec<String>, at: &TokenTree, brings_in: bool) {
        if brings_in || segments.len() > 1 {
            self.push(at, Named::Path { segments, brings_in });
        }
    }

    fn push(&mut self, at: &TokenTree, what: Named) {
        let line = self.literal_line.unwrap_or_else(|| at.span().start().line);
        self.found.push(Reference { module: self.module.clone(), line, what });
    }
}

/// Whether a path goes on here: `a::b`, and where trees may stand `a::{…}` and `a::*`. `a::<T>` ends it, and so does
/// `a::*` in a macro's pattern, which is no path.
fn continues(token: &TokenTree, in_use: bool) -> bool {
    match token {
        TokenTree::Ident(_) => true,
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == '*' && in_use,
        TokenTree::Literal(_) => false,
    }
}

fn separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(one), TokenTree::Punct(two), ..] if one.as_char() == ':' && two.as_char() == ':')
}

fn skip_path(mut tokens: &[TokenTree]) -> &[TokenTree] {
    while let [TokenTree::Ident(_), after @ ..] = tokens {
        if !separator(after) {
            return after;
        }
        tokens = &after[2..];
    }
    tokens
}

fn skip_rename(tokens: &[TokenTree]) -> &[TokenTree] {
    match tokens {
        [TokenTree::Ident(word), TokenTree::Ident(_), after @ ..] if word == "as" => after,
        other => other,
    }
}
