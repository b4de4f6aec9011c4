//! What the pure part of a request costs: reading its path, finding its route, its headers.

#![expect(clippy::unwrap_used, reason = "what a measurement needs is there, or it fails")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::policy::{Access, CanonicalPath, HeaderPlan, HeaderSettings, PathPattern, RouteSpec, Table};
use doorward::tokens::ScopeSet;
use serde_json::json;

/// A third each of exact paths, templates and prefixes, all below `/api`, so that they share their beginning.
fn routes(count: usize) -> Vec<RouteSpec> {
    let route = |index: usize| {
        let path = PathPattern::parse(&match index % 3 {
            0 => format!("/api/exact/{index}"),
            1 => format!("/api/items{index}/{{item_id}}/tags/{{tag}}"),
            _ => format!("/api/prefix{index}/**"),
        })
        .unwrap();
        RouteSpec {
            methods: if index.is_multiple_of(2) { vec!["GET".to_owned(), "POST".to_owned()] } else { Vec::new() },
            scopes: ScopeSet::default(),
            ..RouteSpec::new(path, Access::Authenticated)
        }
    };
    (0..count).map(route).collect()
}

fn path(criterion: &mut Criterion) {
    let long = format!("/{}", "segment/".repeat(1_000));
    let escapes = format!("/{}", "%25".repeat(2_700));
    for (name, path) in [
        ("plain", "/api/items/42/tags/red"),
        ("escaped", "/api/items/caf%C3%A9/tags/red"),
        ("parameters", "/api/items/42;v=1/tags/red"),
        ("8 KiB", &long),
        ("8 KiB of escapes", &escapes),
    ] {
        criterion.bench_function(&format!("path/{name}"), |bencher| {
            bencher.iter(|| CanonicalPath::parse(black_box(path.as_bytes())).is_ok());
        });
    }
}

fn find(criterion: &mut Criterion) {
    for count in [10, 1_000] {
        let table = Table::compile(routes(count), Access::Authenticated, false).unwrap();
        let (exact, template, prefix) = (count / 2 / 3 * 3, count / 2 / 3 * 3 + 1, count / 2 / 3 * 3 + 2);
        for (name, path) in [
            ("exact", format!("/api/exact/{exact}")),
            ("template", format!("/api/items{template}/42/tags/red")),
            ("prefix", format!("/api/prefix{prefix}/a/b/c")),
            ("default", "/somewhere/else".to_owned()),
            ("two readings", format!("/api/items{template}/42;v=1/tags/red")),
        ] {
            let path = CanonicalPath::parse(path.as_bytes()).unwrap();
            criterion.bench_function(&format!("find/{count} routes/{name}"), |bencher| {
                bencher.iter(|| table.find(black_box(&path), black_box("GET")).first.route().is_some());
            });
        }
        criterion.bench_function(&format!("compile/{count} routes"), |bencher| {
            bencher.iter_with_setup(|| routes(count), |routes| Table::compile(routes, Access::Deny, false).is_ok());
        });
    }
}

fn headers(criterion: &mut Criterion) {
    let identity = vec![
        ("X-Forwarded-User", "sub"),
        ("X-Forwarded-Email", "email"),
        ("X-Forwarded-Groups", "roles"),
        ("X-Forwarded-Preferred-Username", "preferred_username"),
        ("X-Doorward-Scopes", "scope"),
        ("X-Doorward-Issuer", "iss"),
    ];
    let plan = HeaderPlan::new(&HeaderSettings { identity, keep: &[], budget: 8 * 1024 }).unwrap();
    let browser: Vec<&str> =
        "host connection authorization accept accept-encoding accept-language user-agent origin referer \
        cookie content-type content-length sec-ch-ua sec-fetch-dest sec-fetch-mode sec-fetch-site"
            .split(' ')
            .collect();
    criterion.bench_function("headers/strip 16", |bencher| {
        bencher.iter(|| browser.iter().filter(|name| plan.strips(black_box(name))).count());
    });
    let claims = json!({
        "sub": "johndoe", "email": "john@example.com", "roles": ["ops", "admin"], "scope": "me items", "iss": "https://api.example.com",
    });
    let claims = claims.as_object().unwrap();
    criterion.bench_function("headers/values", |bencher| {
        bencher.iter(|| plan.values(black_box(claims)).unwrap().len());
    });
}

criterion_group!(benches, path, find, headers);
criterion_main!(benches);
