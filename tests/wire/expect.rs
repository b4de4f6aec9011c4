//! Holding a response against what a step expects.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::{Arrived, Expect};
use crate::text::{self, Words};
use crate::wire::Response;
use crate::{macros, mint, upstream};

impl Expect {
    /// Whether anything is said about the response.
    pub(crate) fn is_about_response(&self) -> bool {
        self.granted.is_some()
            || self.error.is_some()
            || self.refused.is_some()
            || self.revoked
            || self.inactive
            || self.passes
            || self.status.is_some()
            || self.same_as.is_some()
    }

    /// How many requests go upstream because of one; none, unless said so.
    pub(crate) fn upstream_count(&self) -> usize {
        self.upstream.unwrap_or_else(|| usize::from(self.passes || self.arrived.is_some()))
    }

    /// Everything about one response.
    pub(crate) fn problems(&self, response: &Response, words: &Words, kept: &BTreeMap<String, String>) -> Vec<String> {
        let mut problems = Vec::new();
        self.whole_replies(response, &mut problems);
        if let Some(status) = self.status.filter(|_| self.error.is_none()) {
            macros::status(response, status, &mut problems);
        }
        if response.values("WWW-Authenticate").len() > 1 {
            problems.push("more than one WWW-Authenticate".to_owned());
        }
        let fields = |name: &str| response.values(name).into_iter().map(str::to_owned).collect();
        headers(&self.headers, fields, words, &mut problems);
        let body = response.json();
        if let Some(expected) = &self.json {
            subset("body", body.as_ref().unwrap_or(&Value::Null), &words.fill_json(expected), &mut problems);
        }
        if let Some(expected) = &self.exactly {
            macros::equal("body", &body, &Some(words.fill_json(expected)), &mut problems);
        }
        if let Some(expected) = &self.body {
            let expected = String::from_utf8_lossy(&text::bytes(&words.fill(expected))).into_owned();
            macros::equal("body", &response.text(), &expected, &mut problems);
        }
        for part in &self.has {
            if !response.text().contains(&words.fill(part)) {
                problems.push(format!("the body has no `{part}`"));
            }
        }
        for (member, value) in &self.differs {
            if body.as_ref().and_then(|body| body[member].as_str()) == Some(&words.fill(value)) {
                problems.push(format!("{member} is the same"));
            }
        }
        if let Some(expected) = &self.claims {
            let token = body.as_ref().and_then(|body| body["access_token"].as_str());
            let claims = token.and_then(mint::claims_of).unwrap_or_default();
            subset("claims", &claims, &words.fill_json(expected), &mut problems);
        }
        if let Some(expected) = &self.jose {
            let token = body.as_ref().and_then(|body| body["access_token"].as_str());
            let header = token.and_then(mint::header_of).unwrap_or_default();
            subset("the token's header", &header, expected, &mut problems);
        }
        if let Some(name) = &self.same_as {
            macros::equal("the response", &response.without_date(), &kept[name], &mut problems);
        }
        problems
    }

    fn whole_replies(&self, response: &Response, problems: &mut Vec<String>) {
        if let Some(scope) = &self.granted {
            macros::granted(response, scope, problems);
            let asked_for_audience = self.claims.as_ref().is_some_and(|claims| !claims["aud"].is_null());
            if !asked_for_audience {
                macros::without_audience(response, problems);
            }
        }
        if let Some(error) = &self.error {
            macros::oauth_error(response, self.status.unwrap_or(400), error, problems);
        }
        if let Some(reason) = &self.refused {
            macros::refused(response, reason, problems);
        }
        if self.revoked {
            macros::revoked(response, problems);
        }
        if self.inactive {
            macros::inactive(response, problems);
        }
        if self.passes {
            macros::status(response, 200, problems);
            macros::equal("body", &response.text().as_str(), &r#"{"from":"app"}"#, problems);
            macros::equal("challenges", &response.values("WWW-Authenticate"), &Vec::new(), problems);
        }
    }
}

impl Arrived {
    /// Everything about what the upstream got.
    pub(crate) fn problems(&self, arrived: &upstream::Arrived, words: &Words) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(line) = &self.line {
            macros::equal("request line upstream", &arrived.line(), &words.fill(line).as_str(), &mut problems);
        }
        let fields = |name: &str| arrived.values(name).into_iter().map(str::to_owned).collect();
        headers(&self.headers, fields, words, &mut problems);
        for line in self.lines.iter().map(|line| words.fill(line)) {
            if !arrived.head.split("\r\n").any(|own| own == line) {
                problems.push(format!("`{line}` is not in `{}`", arrived.head));
            }
        }
        if let Some(body) = &self.body {
            macros::equal("body upstream", &arrived.body, &text::bytes(&words.fill(body)), &mut problems);
        }
        problems
    }
}

fn headers(
    expected: &BTreeMap<String, Option<String>>,
    fields: impl Fn(&str) -> Vec<String>,
    words: &Words,
    problems: &mut Vec<String>,
) {
    for (name, expected) in expected {
        let found = fields(&words.fill(name));
        let fits = match (expected, found.as_slice()) {
            (None, []) => true,
            (Some(pattern), [value]) => is_like(value, &words.fill(pattern)),
            _ => false,
        };
        if !fits {
            problems.push(format!("{name} is {found:?} and not {expected:?}"));
        }
    }
}

/// Whether `text` is `pattern`, in which `*` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((before, after)) => text
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).filter_map(|at| rest.get(at..)).any(|rest| is_like(rest, after))),
    }
}

/// Whether every member of `expected` is in `found`; null = there is no such member.
fn subset(place: &str, found: &Value, expected: &Value, problems: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                let place = format!("{place}.{name}");
                match found.get(name) {
                    Some(found) => subset(&place, found, expected, problems),
                    None if expected.is_null() => {}
                    None => problems.push(format!("{place} is missing")),
                }
            }
        }
        _ => macros::equal(place, found, expected, problems),
    }
}

#[test]
fn stars_stand_for_anything() {
    for (text, pattern, like) in [
        ("a b c", "a*c", true),
        ("a b c", "*b*", true),
        ("a", "a*", true),
        ("é", "*", true),
        ("a b", "a*c", false),
        ("ab", "a", false),
    ] {
        assert_eq!(is_like(text, pattern), like, "{text} {pattern}");
    }
}
