//! What a whole decision costs, without the network: path, route, token (remembered), revocation, scopes.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot begin says so")]

mod fixture;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::base::{Clock, Secret, SystemClock};
use doorward::gate::credential::Credential;
use doorward::gate::{Gate, RequestFacts};
use doorward::keys::{KeyRing, SigningKey};
use doorward::policy::{Access, CanonicalPath, PathPattern, RouteSpec, Table};
use doorward::revocation::{CacheSettings, MemoryStore, Revocations};
use doorward::telemetry::{Settings, Sink, Telemetry};
use doorward::tokens::{ScopeSet, Verifier};

fn routes(count: usize) -> Vec<RouteSpec> {
    let route = |index: usize| {
        let path = PathPattern::parse(&match index % 3 {
            0 => format!("/exact/{index}"),
            1 => format!("/items{index}/{{item_id}}"),
            _ => format!("/prefix{index}/**"),
        })
        .unwrap();
        RouteSpec { scopes: ScopeSet::parse("items").unwrap(), ..RouteSpec::new(path, Access::Authenticated) }
    };
    (0..count).map(route).collect()
}

fn decide(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ring =
        KeyRing::of(Arc::new(SigningKey::from_secret(&Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja")).unwrap()));
    let now = SystemClock.now();
    let token = fixture::token(&ring);
    for count in [10, 1000] {
        let cache = CacheSettings { capacity: 100_000, ttl: Duration::from_secs(30) };
        let store = Arc::new(MemoryStore::new(None));
        let revocations = runtime.block_on(Revocations::open(store, Arc::new(SystemClock), cache)).unwrap();
        let gate = Gate::new(
            Table::compile(routes(count), Access::Authenticated, false).unwrap(),
            (Arc::new(Verifier::of(fixture::rules(), &ring)), Arc::default()),
            Arc::new(revocations),
            Arc::new(Telemetry::new(Sink::memory(), &Settings::default())),
        );
        let (template, prefix) = (1 + (count / 2) / 3 * 3, 2 + (count / 2) / 3 * 3);
        for (name, path) in [
            ("exact", "/exact/3".to_owned()),
            ("template", format!("/items{template}/42")),
            ("prefix", format!("/prefix{prefix}/a/b/c")),
            ("none", "/somewhere/else".to_owned()),
        ] {
            criterion.bench_function(&format!("decide/{count} routes/{name}"), |bencher| {
                bencher.iter(|| {
                    let path = CanonicalPath::parse(black_box(path.as_bytes())).unwrap();
                    let credential = Credential::Bearer(black_box(&token));
                    gate.decide(&RequestFacts::new("GET", &path, credential), now).outcome.unwrap()
                });
            });
        }
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);
