//! What a decision costs by itself, without a network: each phase of it called again and again, for callgrind to count its
//! instructions, or timed by the processor time of the threads that call it. `benches/decision/__main__.py` runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement that cannot begin says so, and prints what it found"
)]

#[path = "../fixture/mod.rs"]
mod fixture;
mod timing;
mod world;

use std::hint::black_box;

use tikv_jemallocator::Jemalloc;

use timing::{nanoseconds, per_decision};
use world::{Setting, World};

/// That of the binary: what allocating costs is part of the figure.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// One call of it, with one of the tokens.
type Phase = fn(&World, usize);

/// What is measured, in this order: the phases of a decision, the whole of it, what is told of the request after it, and refusals.
const PHASES: [(&str, Phase); 12] = [
    ("path", |world, _| seen(&world.path())),
    ("route", |world, _| seen(&world.route())),
    ("token", |world, at| seen(&world.token(at))),
    ("revocation", |world, at| seen(&world.revocation(at))),
    ("users", |world, at| seen(&world.user(at))),
    ("decide", |world, at| seen(&world.decide(at))),
    ("metrics", |world, at| world.tell(at)),
    ("text line", |world, at| world.write_text(at)),
    ("JSON line", |world, at| world.write_json(at)),
    ("no token", |world, _| seen(&world.refuse_without_token())),
    ("revoked", |world, _| seen(&world.refuse_revoked())),
    ("refusal told", |world, _| world.tell_refusal()),
];

/// Keeps the work from being left out.
fn seen<T>(found: &T) {
    black_box(found);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let word = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments[at + 1].as_str())
    };
    let number = |name: &str, otherwise| word(name).map_or(otherwise, |word| word.parse().unwrap());
    let setting =
        Setting { routes: number("--routes", 10), marks: number("--marks", 0), tokens: number("--tokens", 1) };
    let (calls, rounds) = (number("--calls", 200), number("--rounds", 5));
    let world = World::new(setting);
    if let Some(name) = word("--phase") {
        let phase = PHASES.iter().find(|(known, _)| *known == name).map(|(_, phase)| *phase).unwrap();
        // Whatever is made at the first look is there: every token was seen, every series counted.
        (0..2 * world.tokens()).for_each(|at| phase(&world, at));
        return measured(&world, calls, phase);
    }
    for (name, phase) in PHASES {
        println!("{name}: {:.0} ns", nanoseconds(&world, rounds, phase));
    }
    let decide = |world: &World, at: usize| seen(&world.decide(at));
    for threads in [1, 2] {
        println!("{threads} threads: {:.0} ns", per_decision(&world, rounds, threads, decide));
    }
    let whole = |world: &World, at: usize| {
        decide(world, at);
        world.tell(at);
    };
    for threads in [1, 2] {
        println!("{threads} threads, told: {:.0} ns", per_decision(&world, rounds, threads, whole));
    }
}

/// Callgrind counts what happens in here.
#[inline(never)]
fn measured(world: &World, calls: usize, phase: Phase) {
    for at in 0..calls {
        phase(black_box(world), at);
    }
}
