//! The claims of an access token, each of the type it must have.

use serde_json::{Map, Value};

use super::rules::FIXED;
use super::{IssuerRules, Malformed, Members, Scope, ScopeSet, weight};
use crate::base::Timestamp;

/// The claims of a JWT access token (RFC 7519 §4.1, RFC 9068 §2.2). A claim of the wrong type is an error, never "absent":
/// an `exp` that is a string would otherwise never expire.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `iss`.
    pub issuer: Box<str>,
    /// `sub`, not empty: of this issuer. Marks name it so.
    pub subject: Box<str>,
    /// `aud`, a string or an array of strings; empty if absent.
    pub audience: Vec<Box<str>>,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `jti`.
    pub token_id: Option<Box<str>>,
    /// `sid`: the login session.
    pub session: Option<Box<str>>,
    /// `client_id`.
    pub client: Option<Box<str>>,
    /// What was granted, as far as the issuer may grant it.
    pub scopes: ScopeSet,
    /// `azp`, if it is text: the client, for issuers who name it so.
    pub authorized_party: Option<Box<str>>,
    /// All of them, in the order they came in, as the upstream is to see them: ours by our names, `sub` with the issuer's prefix, and
    /// in `scope` what was granted, wherever the issuer has it. So whichever of its headers an upstream reads, it sees one user.
    pub all: Members,
    roles: Roles,
    /// With the issuer's prefix, where it has one.
    prefixed: Option<Box<str>>,
}

impl Claims {
    /// Reads claims as `rules` say.
    ///
    /// # Errors
    /// [`Malformed`] if one that is needed is missing, or one that is known has the wrong type.
    pub fn read(all: Map<String, Value>, rules: &IssuerRules) -> Result<Self, Malformed> {
        let granted = scopes(rules.scope_claim.find(&all));
        let scopes = match &rules.scopes {
            Some(limit) => granted.intersection(limit),
            None => granted,
        };
        let all = renamed(all, rules);
        let subject = text(&all, "sub")?.filter(|subject| !subject.is_empty()).ok_or(Malformed)?;
        let prefix = &rules.subject_prefix;
        let user: Box<str> = format!("{prefix}{subject}").into();
        Ok(Self {
            issuer: text(&all, "iss")?.ok_or(Malformed)?,
            subject,
            audience: audience(&all)?,
            expires_at: date(&all, "exp")?.ok_or(Malformed)?,
            not_before: date(&all, "nbf")?,
            issued_at: date(&all, "iat")?,
            // An empty one names nothing, and would be shared by all tokens that have it.
            token_id: text(&all, "jti")?.filter(|token_id| !token_id.is_empty()),
            session: text(&all, "sid")?,
            client: text(&all, "client_id")?,
            authorized_party: all.get("azp").and_then(Value::as_str).map(Box::from),
            roles: Roles::of(&all),
            all: shown(all, &user, &scopes),
            scopes,
            prefixed: (!prefix.is_empty()).then_some(user),
        })
    }

    /// Who it is here: `sub` behind the issuer's prefix. Two issuers may both have an `admin`.
    #[must_use]
    pub fn user(&self) -> &str {
        self.prefixed.as_ref().unwrap_or(&self.subject)
    }

    /// The same with no other scopes than those of `limit`.
    pub(super) fn limited(&self, limit: &ScopeSet) -> Self {
        self.with(self.all.read(), self.scopes.intersection(limit))
    }

    /// Own claims with no other scopes and roles than these, wherever the token names them.
    pub(super) fn held(&self, held: Held<'_>) -> Self {
        let scopes = self.scopes.intersection(held.scopes);
        let mut all = self.all.read();
        if let Some(list) = all.get_mut(OWN_LIST) {
            *list = scopes.iter().map(|scope| Value::from(scope.as_str())).collect();
        }
        match kept_roles(&all, held) {
            Some(roles) if !roles.is_empty() => drop(all.insert(ROLES.to_owned(), roles.into())),
            Some(_) => drop(all.shift_remove(ROLES)),
            None => {}
        }
        self.with(all, scopes)
    }

    fn with(&self, all: Map<String, Value>, scopes: ScopeSet) -> Self {
        Self { roles: Roles::of(&all), all: shown(all, self.user(), &scopes), scopes, ..self.clone() }
    }

    /// Whether own claims name no other scopes and roles than these.
    pub(super) fn within(&self, held: Held<'_>) -> bool {
        held.scopes.contains_all(&self.scopes) && self.roles.are_within(held)
    }

    /// Bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        let texts = [Some(&self.issuer), Some(&self.subject), self.token_id.as_ref(), self.session.as_ref()];
        let texts = texts
            .into_iter()
            .chain([&self.client, &self.authorized_party, &self.prefixed].map(Option::as_ref))
            .flatten();
        let texts = texts.chain(&self.audience).chain(self.roles.names()).map(|text| text.len());
        let texts = texts.chain(self.scopes.iter().map(|scope| scope.as_str().len())).map(weight::block);
        let lists = [self.audience.len(), self.scopes.len(), self.roles.names().len()];
        texts.chain(lists.map(|items| weight::block(items * size_of::<Box<str>>()))).sum::<usize>() + self.all.weight()
    }
}

/// What a user has now, whatever the user's tokens say.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// At most these are granted.
    pub scopes: &'a ScopeSet,
    /// At most these are shown.
    pub roles: &'a [String],
}

impl Held<'_> {
    fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| role == name)
    }
}

/// `roles` of own claims.
#[derive(Clone, Debug, PartialEq)]
enum Roles {
    None,
    Named(Box<[Box<str>]>),
    /// Not as doorward writes them.
    Odd,
}

impl Roles {
    fn of(all: &Map<String, Value>) -> Self {
        let Some(roles) = all.get(ROLES) else { return Self::None };
        let names = roles.as_array().filter(|names| !names.is_empty());
        let names = names.and_then(|names| names.iter().map(|name| name.as_str().map(Box::from)).collect());
        names.map_or(Self::Odd, Self::Named)
    }

    fn names(&self) -> &[Box<str>] {
        if let Self::Named(names) = self { names } else { &[] }
    }

    fn are_within(&self, held: Held<'_>) -> bool {
        !matches!(self, Self::Odd) && self.names().iter().all(|name| held.has_role(name))
    }
}

/// `all` as the upstream is to see them.
fn shown(mut all: Map<String, Value>, user: &str, scopes: &ScopeSet) -> Members {
    if all.get("sub").and_then(Value::as_str) != Some(user) {
        all.insert("sub".to_owned(), user.into());
    }
    let granted = scopes.to_string();
    if granted.is_empty() {
        all.shift_remove("scope");
    } else if all.get("scope").and_then(Value::as_str) != Some(&granted) {
        all.insert("scope".to_owned(), granted.into());
    }
    Members::new(all)
}

/// Those of the token's roles that the user still has; `None` if it names none.
fn kept_roles(all: &Map<String, Value>, held: Held<'_>) -> Option<Vec<Value>> {
    let named = all.get(ROLES)?.as_array().map_or(&[][..], Vec::as_slice);
    let has = |role: &&Value| role.as_str().is_some_and(|role| held.has_role(role));
    Some(named.iter().filter(has).cloned().collect())
}

/// All are looked up before any is put in: two may change places.
fn renamed(mut all: Map<String, Value>, rules: &IssuerRules) -> Map<String, Value> {
    // Refused by the configuration; if not there, a claim of the sender's choice must not become who it is.
    let ours = rules.claims.iter().filter(|(ours, _)| !FIXED.contains(&ours.as_str()));
    let found: Vec<_> = ours.map(|(ours, theirs)| (ours, theirs.find(&all).cloned())).collect();
    for (ours, value) in found {
        match value {
            Some(value) => drop(all.insert(ours.clone(), value)),
            None => drop(all.shift_remove(ours)),
        }
    }
    all
}

fn text(all: &Map<String, Value>, name: &str) -> Result<Option<Box<str>>, Malformed> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(_) => Err(Malformed),
    }
}

/// A NumericDate (RFC 7519 §2): a number of seconds, which may have a fraction.
fn date(all: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Malformed> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().ok_or(Malformed)?;
            // Beyond the year 9999 it is a mistake (milliseconds) or an attack on a conversion.
            if !(0.0..253_402_300_800.0).contains(&seconds) {
                return Err(Malformed);
            }
            #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
            Ok(Some(Timestamp::from_millis((seconds * 1000.0) as i64)))
        }
        Some(_) => Err(Malformed),
    }
}

fn audience(all: &Map<String, Value>) -> Result<Vec<Box<str>>, Malformed> {
    match all.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.as_str().into()]),
        Some(Value::Array(several)) => {
            several.iter().map(|item| item.as_str().map(Box::from).ok_or(Malformed)).collect()
        }
        Some(_) => Err(Malformed),
    }
}

/// One source and never a union of several; what is no scope grants nothing.
fn scopes(claim: Option<&Value>) -> ScopeSet {
    match claim {
        Some(Value::String(words)) => words.split(' ').filter_map(|word| Scope::parse(word).ok()).collect(),
        Some(Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).filter_map(|word| Scope::parse(word).ok()).collect()
        }
        _ => ScopeSet::default(),
    }
}

/// Where own tokens have their scopes as a list.
const OWN_LIST: &str = "scopes";

/// Where they have what applications let people do, beside scopes.
const ROLES: &str = "roles";

#[cfg(test)]
mod tests;
