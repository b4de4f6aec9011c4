//! What remembering verified tokens brings, and what it costs: one token again and again, ten thousand in turn, and the memory
//! that each of those takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench that cannot begin says so, and a figure that criterion does not know is printed"
)]

mod fixture;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use doorward::base::{Clock, SystemClock};
use doorward::keys::{Algorithm, KeyRing, SigningKey, pem};
use doorward::tokens::Verifier;

/// As many as have a token at once in a large installation.
const TOKENS: u64 = 10_000;

fn cache(criterion: &mut Criterion) {
    let text = pem::generate(Algorithm::Es256).unwrap();
    let ring = KeyRing::of(Arc::new(SigningKey::from_pem(text.expose(), Some(Algorithm::Es256)).unwrap()));
    let tokens: Vec<String> = (0..TOKENS).map(|number| fixture::token_of(&ring, number)).collect();
    let verifier = Verifier::of(fixture::rules(), &ring);
    let now = SystemClock.now();
    let verify_all = || {
        for token in &tokens {
            black_box(verifier.verify(black_box(token), now).0.unwrap());
        }
    };

    // What the verifier needs once for all is there before it is weighed.
    verifier.verify(&fixture::token(&ring), now).0.unwrap();
    let before = resident_bytes();
    verify_all();
    let taken = resident_bytes() - before;
    println!("memory per cached token: {:.0} bytes of {} of text", taken as f64 / TOKENS as f64, tokens[0].len());

    let one = &tokens[0];
    criterion.bench_function("cache/one token", |bencher| {
        bencher.iter(|| verifier.verify(black_box(one), now).0.unwrap());
    });
    let mut group = criterion.benchmark_group("cache");
    group.throughput(Throughput::Elements(TOKENS)).sample_size(20);
    group.bench_function("10,000 tokens", |bencher| bencher.iter(verify_all));
    group.finish();
}

/// What the process has in memory, as the kernel counts it.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

criterion_group!(benches, cache);
criterion_main!(benches);
