//! From a path to settings.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::code::Code;
use super::document::Value;
use super::endpoints::OwnPaths;
use super::input_file::FileError;
use super::look::Watched;
use super::problem::{Position, Problem, Problems, in_order};
use super::profile::Profile;
use super::reader::{Found, Reader};
use super::section::Section;
use super::settings::Settings;
use super::users::{UsersFile, UsersSource};
use super::users_document::Users;
use super::{
    clients, defaults, endpoints, insecure, keys, mint, policy, revocation, server, telemetry, tokens, trusted_issuers,
    upstream, users, users_document, wire,
};
use crate::users::User;

/// A valid configuration, and what came to light on the way.
#[derive(Debug)]
pub struct Loaded {
    /// What the configuration says.
    pub settings: Settings,
    /// Who may log in, of a file.
    pub users: LoadedUsers,
    /// What is allowed and hardly meant.
    pub warnings: Vec<Problem>,
    /// Every file that was looked at, there or not: a change to one of them changes the answer.
    pub watched: Vec<Watched>,
    /// Every key that was asked for, as `server.shutdown.drain` or `policy.routes[].path`; keys of a list's items only
    /// where it has some. Documentation is held against it.
    pub keys: BTreeSet<String>,
}

/// What a users file says.
#[derive(Debug, Default)]
pub struct LoadedUsers {
    /// Those who may log in, unless they are disabled. `None` if the file is not there, or has no list in it: fine for a first start, an
    /// accident later.
    pub usable: Option<Vec<User>>,
    /// The names of those whose hash cannot be checked.
    pub unusable: Vec<String>,
}

/// Reads a configuration and the files it names. Nothing is written, bound or connected to.
///
/// `environment` gives a variable's value.
///
/// # Errors
/// All problems at once, in all files.
pub fn load(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let reader = Reader::new(path, Some(environment));
    let node = reader.document().unwrap_or_else(|error| {
        reader.problem(Position::START, error.code(), &error.to_string(), error.help());
        None
    });
    let (settings, users) = match node.and_then(|node| reader.root(&node, document)) {
        // Nobody can log in where no tokens are issued.
        Some((settings, _)) if settings.as_ref().is_some_and(|settings| !settings.issues) => {
            (settings, LoadedUsers::nobody())
        }
        Some((settings, Some(file))) => (settings, read_users(&reader, &file)),
        Some((settings, None)) => (settings, LoadedUsers::nobody()),
        None => (None, LoadedUsers::default()),
    };
    let Found { problems, warnings, watched, keys, .. } = reader.finish();
    match settings {
        Some(settings) if problems.is_empty() => {
            Ok(Loaded { settings, users, warnings: in_order(path, warnings), watched, keys })
        }
        _ => Err(Problems::new(in_order(path, problems), watched)),
    }
}

impl LoadedUsers {
    /// Where there is no file, and is to be none.
    fn nobody() -> Self {
        Self { usable: Some(Vec::new()), unusable: Vec::new() }
    }
}

/// The whole document, and the users' file if they are in one. Settings are whole only if no problem was noted.
fn document(root: &Section<'_>) -> (Option<Settings>, Option<UsersFile>) {
    let (insecure, query_tokens) = root.section("insecure", insecure::insecure);
    if insecure.readable_key_files {
        root.reader().allow_readable_keys();
    }
    let profile = root.word("profile", Profile::Compat, &Profile::ALL.map(|profile| (profile.as_str(), profile)));
    let rules = profile.rules();
    let server = root.section("server", server::server);
    let admin = root.section("admin", |section| server::admin(section, &server));
    let server_keys = root.field("server_keys").map(|field| keys::server_keys(&field)).unwrap_or_default();
    let (upstream, minting) = root.section("upstream", |section| {
        let minting = mint::mint(section);
        (upstream::upstream(section, &server, &admin, &minting), minting)
    });
    let revocation = root.section("revocation", revocation::revocation);
    let (tokens, off) =
        root.switched("tokens", |section| tokens::tokens(section, &server, (revocation.cascade, &rules)));
    let issues = off.is_none();
    if issues {
        tokens.ask_for_audience(root.reader(), &rules);
    }
    let clients = clients::clients(root, off, &rules);
    let own = off.map_or(Ok(tokens.grants.issuer.as_str()), Err);
    let around = trusted_issuers::Around { own, leeway: tokens.grants.leeway, insecure };
    let trusted = trusted_issuers::trusted_issuers(root, around);
    let (source, hashing, throttle, recheck) = root.section("users", users::users);
    let (users_file, postgres) = match source {
        UsersSource::File(file) => (Some(file), None),
        UsersSource::Postgres(postgres) => (None, postgres.map(|postgres| *postgres)),
    };
    let wire = root.section("wire", |section| wire::wire(section, &rules));
    let endpoints = root.section("endpoints", |section| endpoints::endpoints(section, wire.endpoints, issues));
    let own = OwnPaths::new(&endpoints, &tokens.grants.issuer, server.public_url.as_deref());
    let data_dir = root.field("data_dir").and_then(|field| field.file_path());
    let store = revocation::store(root, !issues || tokens.keys_named);
    let http2 = upstream.as_ref().is_some_and(|upstream| upstream.connect.http2);
    let issuers = trusted.iter().map(|trusted| trusted.rules.issuer.clone());
    let issuers: Vec<String> = issuers.chain(issues.then(|| tokens.grants.issuer.clone())).collect();
    let origins = &server.cors.allow_origins;
    let mut policy =
        root.section("policy", |section| policy::policy(section, (&own, &issuers), origins, http2, &minting));
    insecure::take_query_tokens(root.reader(), &mut policy.routes, &query_tokens);
    let telemetry = root.section("telemetry", telemetry::telemetry);
    let mint = minting.finish(root.reader(), &tokens.keys);
    let settings = upstream.map(|upstream| Settings {
        profile,
        server,
        admin,
        server_keys,
        data_dir: data_dir.unwrap_or_else(|| root.reader().resolve(defaults::DATA_DIR)),
        upstream,
        mint,
        keys: tokens.keys.into_iter().map(Arc::new).collect(),
        grants: tokens.grants,
        issuer_from_listen: tokens.issuer_from_listen,
        issues,
        clients: clients.registered,
        client_rules: clients.rules,
        unasked_password_grant: clients.unasked_password_grant,
        trusted,
        postgres,
        hashing,
        recheck,
        throttle,
        store,
        cache: revocation.cache,
        staleness: revocation.staleness,
        policy,
        wording: wire.wording,
        endpoints,
        telemetry,
        insecure,
    });
    (settings, users_file)
}

/// The users, from a document of their own; what is found there is added to what `reader` found.
/// `None` if there is no list at all, not even an empty one.
fn read_users(reader: &Reader<'_>, file: &UsersFile) -> LoadedUsers {
    let own = Reader::new(&file.path, None);
    let nobody = |message| {
        let help = "add a user: `- { username: …, password_hash: … }`, with a hash from `doorward hash-password`";
        own.warning(Position::START, Code::NoUsers, message, help);
    };
    let (usable, unusable) = match own.document() {
        Ok(Some(node)) => {
            let Users { usable, unusable } = users_document::users(&own, &node);
            (matches!(node.value, Value::List(_)).then_some(usable), unusable)
        }
        Ok(None) => (None, Vec::new()),
        Err(FileError::Missing) if !file.named => {
            nobody("there is no such file, so nobody can log in");
            (None, Vec::new())
        }
        Err(error) => {
            reader.problem(file.at, error.code(), &format!("`users.file` cannot be used: {error}"), error.help());
            (None, Vec::new())
        }
    };
    if usable.as_ref().is_none_or(Vec::is_empty) && own.is_content() {
        nobody("nobody is in here, so nobody can log in");
    }
    reader.add(own.finish());
    LoadedUsers { usable, unusable }
}
