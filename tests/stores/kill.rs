//! `kill -9`, in a process of its own: this test binary, started once more for its one ignored test.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use doorward::revocation::{EmbeddedStore, OpenError, Store, Swap};

use crate::fixtures::{all_marks, at, family, jti, rotated, sid};

#[test]
#[ignore = "not a test: the process that the tests below kill"]
fn victim() {
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = EmbeddedStore::open(Path::new(path.trim_end())).unwrap();
        let mut session = if let Some(session) = store.family(sid(1)).await.unwrap() {
            session
        } else {
            store.create(sid(1), family()).await.unwrap();
            family()
        };
        let marks = all_marks(&store, 1000).await;
        let mut number = marks.len() as u64;
        assert!((0..number).all(|number| marks.contains(&jti(number))));
        println!("\nfound {number} {}", session.generation);
        // Until it is killed.
        loop {
            store.mark(jti(number)).await.unwrap();
            number += 1;
            println!("acknowledged {number} {}", session.generation);
            let next = rotated(&session, at(1));
            assert_eq!(store.swap(sid(1), &session, next.clone()).await, Ok(Swap::Done));
            session = next;
            println!("acknowledged {number} {}", session.generation);
        }
    });
}

/// The process, and what it says: a word, the number of marks and the generation.
struct Victim {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Victim {
    fn start(path: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::victim", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(process.stdin.take().unwrap(), "{}", path.display()).unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn next(&mut self, word: &str) -> (u64, u32) {
        loop {
            let line = self.lines.next().expect("the process goes on until it is killed").unwrap();
            if let Some(rest) = line.strip_prefix(word) {
                let (marks, generation) = rest.trim().split_once(' ').unwrap();
                return (marks.parse().unwrap(), generation.parse().unwrap());
            }
        }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn after_each_of_200_kills_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut acknowledged = (0, 0);
    for number in 0..200 {
        let mut victim = Victim::start(&path);
        let found = victim.next("found");
        assert!(
            found.0 >= acknowledged.0 && found.1 >= acknowledged.1,
            "kill {number}: {acknowledged:?} was acknowledged, {found:?} is there"
        );
        // After a revocation one time, after a rotation the next.
        for _ in 0..=number % 2 {
            acknowledged = victim.next("acknowledged");
        }
        victim.kill();
    }
    assert!(acknowledged.0 >= 200 && acknowledged.1 >= 100, "{acknowledged:?}");
}

#[test]
fn another_process_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut victim = Victim::start(&path);
    victim.next("found");
    let error = EmbeddedStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    victim.next("acknowledged");
    victim.kill();
    drop(EmbeddedStore::open(&path).unwrap());
}
