//! From settings to what answers requests.

use std::sync::Arc;

use super::{Core, publish, stores};
use crate::base::Clock;
use crate::config::{LoadedUsers, Settings};
use crate::connection::tls::TlsError;
use crate::endpoints::Endpoints;
use crate::gate::Gate;
use crate::grants::{self, Clients, Grants, ScopeClaim, TokenEnds};
use crate::issuers::{Issuers, LastGood, Surroundings};
use crate::keys::{KeyRing, LiveKeys, ServerKeys, SigningKey};
use crate::policy::{HeaderPlan, HeaderSettings, Table};
use crate::proxy::labels::Labels;
use crate::proxy::{ConnectSettings, Site, Upstream};
use crate::revocation::StoreClock;
use crate::tokens::verify::LONGEST_OWN_LIFE;
use crate::tokens::{ClaimPath, Issuer, IssuerRules, Mint, MintTerms, Verifier};
use crate::users::{FileUsers, Hasher, HashingSettings, PostgresUsers, Recheck, Throttles};

/// A site, and the gauges' sources that belong to it.
#[derive(Debug)]
pub struct Built {
    /// What answers requests.
    pub site: Arc<Site>,
    /// Checks its passwords.
    pub hasher: Arc<Hasher>,
    /// As it was made.
    pub hashing: HashingSettings,
    /// Counts its failed logins.
    pub throttle: Throttles,
    /// The issuers whose tokens are taken beside our own.
    pub issuers: Arc<Issuers>,
    /// Who may log in, if they are in a database.
    pub postgres: Option<Arc<PostgresUsers>>,
    /// Who may, if they are in a file.
    pub file: Option<Arc<FileUsers>>,
    /// Whose tokens of before must not be good any more: of those with another password, and of those disabled or gone.
    pub ended: Vec<String>,
    /// Ends the tokens of those.
    pub token_ends: Arc<TokenEnds>,
    /// What is issued.
    pub grants: Arc<Grants>,
}

/// What settings that were read without a problem may still lack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// `tokens.keys` is empty now, and none was generated at the start.
    #[error("`tokens.keys` names no key, and there is none in `data_dir`: restart, or name one")]
    NoKey,
    /// `tokens` is `null` now, and no server key was generated at the start.
    #[error("`server_keys` names no key, and there is none in `data_dir`: restart, or name one")]
    NoServerKey,
    /// The port that was bound makes our issuer one of `trusted_issuers`.
    #[error("`trusted_issuers` names doorward's own issuer: take it out, or give another `tokens.issuer`")]
    OwnIssuer,
    /// `upstream.mint.key_file` is the key that was generated to sign own tokens.
    #[error("`upstream.mint` holds the key that signs doorward's own tokens: give it another")]
    MintKey,
    /// The routes collide; the configuration would have said so.
    #[error("the routes collide")]
    Routes,
    /// An identity header, or one to be kept, cannot be one; the configuration would have said so.
    #[error("an identity header cannot be sent, or one cannot be kept")]
    Headers,
    /// `upstream.tls` cannot be used; the configuration would have said so.
    #[error("`upstream.tls`: {0}")]
    Upstream(TlsError),
    /// `sslmode` asks for a certificate, and nobody's could be taken.
    #[error("`users.postgres`: the operating system trusts nobody, so no certificate could be: name a `ca_file`")]
    NobodyTrusted,
}

/// Builds a site; what did not change is taken over from the one `before`. Nothing is read from disk and nothing is waited
/// for.
///
/// # Errors
/// [`BuildError`].
pub fn build(
    settings: &Settings,
    users: LoadedUsers,
    core: &Core,
    before: Option<&Built>,
) -> Result<Built, BuildError> {
    let mut terms = settings.grants.clone();
    if settings.issuer_from_listen {
        terms.issuer.clone_from(&core.issuer_from_listen);
    }
    terms.resources = publish::resources(settings, public_url(settings, core));
    if settings.issues && settings.trusted.iter().any(|trusted| trusted.rules.issuer == terms.issuer) {
        return Err(BuildError::OwnIssuer);
    }
    let ring = settings.issues.then(|| own_keys(settings, core).ok_or(BuildError::NoKey)).transpose()?;
    let server_keys = Arc::new(server_keys(settings, core)?);
    let issuers = Arc::new(issuers(settings, core, &server_keys, before));
    let verifier = Arc::new(verifier(&terms, ring.as_ref(), settings, &issuers));
    // Kept where nothing about them changed: addresses that were resolved, and the bound on what is hashed at once.
    let hasher = before
        .filter(|before| before.hashing == settings.hashing)
        .map_or_else(|| Arc::new(Hasher::new(settings.hashing, core.cores)), |before| Arc::clone(&before.hasher));
    // Kept with its counts, or saving the file would be a way to guess anew.
    let throttle = before
        .map(|before| &before.throttle)
        .filter(|throttle| throttle.settings() == settings.throttle)
        .map_or_else(|| Throttles::new(settings.throttle), Throttles::clone);
    let throttle = match &core.failures {
        Some(failures) => throttle.sharing(failures, &server_keys),
        None => throttle,
    };
    let stores::Stores { users, postgres, file, ended } = stores::open(settings, users, before)?;
    let clock: Arc<dyn Clock> = Arc::<StoreClock>::clone(core.revocations.clock());
    let (revocations, telemetry) = (&core.revocations, &core.telemetry);
    let token_ends =
        Arc::new(TokenEnds::new(&terms, Arc::clone(revocations), Arc::clone(&clock), Arc::clone(telemetry)));
    let recheck = Recheck::new(Arc::clone(&users), settings.recheck, Arc::clone(&clock))
        .ending(Arc::<TokenEnds>::clone(&token_ends), Arc::clone(&server_keys))
        .counting(Arc::clone(telemetry));
    let recheck = Arc::new(match before {
        Some(before) => recheck.after(&before.grants.recheck),
        None => recheck,
    });
    let upstream = upstream(&settings.upstream.connect, before.map(|before| &before.site.upstream))?;
    let policy = &settings.policy;
    let table = Table::compile(policy.routes.clone(), policy.default, policy.ignore_case);
    let table = table.map_err(|_| BuildError::Routes)?;
    let own = ring.as_ref().map(|ring| (terms.issuer.as_str(), ring));
    let clients = Clients::new(settings.clients.clone(), settings.client_rules.clone());
    let documents = publish::documents(settings, public_url(settings, core), (own, &clients), &table);
    let may_act = clients.acting_for_themselves().map(str::to_owned).collect();
    let with_list = terms.scope_claim == ScopeClaim::Scopes;
    let mint = mint(settings, &terms, ring.as_ref())?;
    let issuer =
        ring.map(|ring| Issuer::new(terms.issuer.clone(), terms.audience.clone(), &terms.typ, with_list, ring));
    let grants = Arc::new(Grants {
        settings: terms,
        issuer,
        server_keys,
        verifier: Arc::clone(&verifier),
        issuers: Arc::clone(&issuers),
        clients,
        users: Arc::clone(&users),
        recheck: Arc::clone(&recheck),
        hasher: Arc::clone(&hasher),
        throttle: throttle.clone(),
        revocations: Arc::clone(&core.revocations),
        clock,
        telemetry: Arc::clone(&core.telemetry),
    });
    let headers = HeaderPlan::new(&header_settings(settings)).map_err(|_| BuildError::Headers)?;
    let gate =
        Gate::new(table, (verifier, Arc::clone(&issuers)), Arc::clone(&core.revocations), Arc::clone(&core.telemetry))
            .with_users(recheck, may_act);
    let gate = Arc::new(gate);
    let endpoints = Endpoints::new(settings.endpoints.clone(), documents, Arc::clone(&grants), Arc::clone(&gate));
    let labels = Labels::new(&core.telemetry.metrics, gate.table(), &endpoints);
    core.revocations.set_cache(settings.cache);
    core.revocations.set_staleness(settings.staleness);
    let site = Site {
        gate,
        endpoints,
        upstream,
        headers,
        identity_headers: settings.upstream.identity_headers.clone(),
        authorization: settings.upstream.authorization,
        mint,
        wording: settings.wording.clone(),
        scheme: scheme(settings, core.with_tls),
        head_limits: settings.server.limits.head,
        limits: settings.server.request_limits,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        cors: settings.server.cors.clone(),
        preflights: settings.policy.cors,
        streams: settings.policy.streams,
        labels,
    };
    let site = Arc::new(site);
    let hashing = settings.hashing;
    Ok(Built { site, hasher, hashing, throttle, issuers, postgres, file, ended, token_ends, grants })
}

/// A verifier as `settings` would have it, with what is known of the `issuers`' keys. Own tokens are not taken if there is no key.
#[must_use]
pub fn verifier_of(settings: &Settings, issuers: &Issuers) -> Verifier {
    let ring = if settings.issues { KeyRing::new(settings.keys.iter().cloned()) } else { None };
    verifier(&settings.grants, ring.as_ref(), settings, issuers)
}

fn verifier(terms: &grants::Settings, ring: Option<&KeyRing>, settings: &Settings, issuers: &Issuers) -> Verifier {
    let own = ring.map(|ring| (rules(terms), Arc::new(LiveKeys::new(ring.into()))));
    let trusted = settings.trusted.iter().filter_map(|trusted| {
        let keys = issuers.get(&trusted.rules.issuer)?;
        Some((trusted.rules.clone(), Arc::clone(keys.live())))
    });
    Verifier::new(own.into_iter().chain(trusted))
}

/// `tokens.keys`, or the one that was generated.
fn own_keys(settings: &Settings, core: &Core) -> Option<KeyRing> {
    let generated = core.generated_key.iter().filter(|_| settings.keys.is_empty());
    KeyRing::new(settings.keys.iter().chain(generated).cloned())
}

/// `server_keys`, or what is derived from the signing keys, or the one that was generated.
fn server_keys(settings: &Settings, core: &Core) -> Result<ServerKeys, BuildError> {
    if !settings.server_keys.is_empty() {
        ServerKeys::new(&settings.server_keys).ok_or(BuildError::NoServerKey)
    } else if settings.issues {
        let generated = core.generated_key.iter().filter(|_| settings.keys.is_empty());
        let signing = settings.keys.iter().chain(generated);
        ServerKeys::new(signing.map(|key| SigningKey::server_secret(key))).ok_or(BuildError::NoKey)
    } else {
        ServerKeys::new(&core.generated_server_key).ok_or(BuildError::NoServerKey)
    }
}

/// What is known of an issuer that did not change is taken over from the ones `before`.
fn issuers(settings: &Settings, core: &Core, server_keys: &Arc<ServerKeys>, before: Option<&Built>) -> Issuers {
    let around = Surroundings {
        clock: Arc::clone(&core.clock),
        telemetry: Arc::clone(&core.telemetry),
        fetch: Arc::clone(&core.fetch),
        last_good: Some(Arc::new(LastGood::new(&core.data_dir, Arc::clone(server_keys)))),
    };
    let sources = settings.trusted.iter().map(|trusted| trusted.keys.clone()).collect();
    Issuers::new(sources, before.map(|before| &*before.issuers), around)
}

/// The one `before`, with its connections, unless it is to be reached in another way; where only that differs, what is known of
/// its addresses is taken over: nobody may be able to tell them at the moment.
fn upstream(connect: &ConnectSettings, before: Option<&Arc<Upstream>>) -> Result<Arc<Upstream>, BuildError> {
    if let Some(before) = before.filter(|before| before.settings() == connect) {
        return Ok(Arc::clone(before));
    }
    let upstream = Upstream::new(connect.clone()).map_err(BuildError::Upstream)?;
    if let Some(before) = before {
        upstream.take_over(before);
    }
    Ok(Arc::new(upstream))
}

fn header_settings(settings: &Settings) -> HeaderSettings<'_> {
    let upstream = &settings.upstream;
    let identity = upstream.identity_headers.iter().map(|header| (&*header.name, &*header.claim)).collect();
    HeaderSettings { identity, keep: &upstream.keep_headers, budget: upstream.identity_header_bytes }
}

/// What makes the upstream's tokens. That their key is none of ours the configuration has said, but for a key that was generated.
fn mint(settings: &Settings, terms: &grants::Settings, own: Option<&KeyRing>) -> Result<Option<Mint>, BuildError> {
    let Some(mint) = &settings.mint else { return Ok(None) };
    if own.is_some_and(|own| own.verifying().any(|key| key.kid() == mint.key.kid())) {
        return Err(BuildError::MintKey);
    }
    let scopes_as_array = terms.scope_claim == ScopeClaim::Scopes;
    let terms = MintTerms { issuer: &terms.issuer, scopes_as_array, claims: &terms.claims };
    Ok(Some(Mint::new(&terms, mint.clone())))
}

/// What clients call this server.
fn public_url<'a>(settings: &'a Settings, core: &'a Core) -> &'a str {
    settings.server.public_url.as_deref().unwrap_or(&core.issuer_from_listen)
}

/// What clients use: of a TLS terminator in front nobody but the configuration knows. Whether there is TLS here is not for it to
/// say, since it may have changed after the listeners were bound.
fn scheme(settings: &Settings, with_tls: bool) -> &'static str {
    let public = settings.server.public_url.as_deref().unwrap_or_default();
    if with_tls || public.starts_with("https:") { "https" } else { "http" }
}

fn rules(terms: &grants::Settings) -> IssuerRules {
    IssuerRules {
        audience: terms.audience.clone(),
        token_types: terms.token_types.clone(),
        scope_claim: ClaimPath::new(match terms.scope_claim {
            ScopeClaim::Scope => "scope",
            ScopeClaim::Scopes => "scopes",
        }),
        leeway: terms.leeway,
        max_lifetime: LONGEST_OWN_LIFE,
        ..IssuerRules::own(terms.issuer.clone())
    }
}
