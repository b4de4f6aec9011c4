//! What it costs to check a token, per algorithm: the first time, and remembered.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot begin says so")]

mod fixture;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::base::{Clock, Secret, SystemClock};
use doorward::keys::{Algorithm, KeyKind, KeyRing, SigningKey, pem};
use doorward::tokens::Verifier;

fn key(algorithm: Algorithm) -> SigningKey {
    let text = pem::generate(algorithm).unwrap();
    match algorithm.kind() {
        KeyKind::Secret => SigningKey::hmac(&Secret::new(text.expose().trim_ascii_end()), algorithm).unwrap(),
        _ => SigningKey::from_pem(text.expose(), Some(algorithm)).unwrap(),
    }
}

fn verify(criterion: &mut Criterion) {
    for algorithm in Algorithm::ALL {
        let ring = KeyRing::of(Arc::new(key(algorithm)));
        let token = fixture::token(&ring);
        let verifier = Verifier::of(fixture::rules(), &ring);
        let name = algorithm.name();
        criterion.bench_function(&format!("verify/{name}/cold"), |bencher| {
            bencher.iter(|| verifier.verify_uncached(black_box(&token)).unwrap());
        });
        let now = SystemClock.now();
        criterion.bench_function(&format!("verify/{name}/cached"), |bencher| {
            bencher.iter(|| verifier.verify(black_box(&token), now).0.unwrap());
        });
    }
}

criterion_group!(benches, verify);
criterion_main!(benches);
