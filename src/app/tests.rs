use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::Running;
use super::serve::Parts;
use crate::config::{self, Listen};
use crate::telemetry::{Settings, Sink, Telemetry};

/// What a connection answers to `request`, until it is closed.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Writes a configuration with something more in `server`.
fn write(directory: &TempDir, more: &str) -> PathBuf {
    let path = directory.path().join("doorward.yaml");
    let text = format!(
        "server: {{ listen: \"127.0.0.1:0\"{more} }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n\
         upstream: {{ url: \"http://127.0.0.1:1\" }}\nstore: memory\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Starts with such a configuration; what runs, and where.
async fn start(directory: &TempDir, more: &str, sink: &Sink) -> (Running, String, Arc<Telemetry>) {
    let path = write(directory, more);
    let loaded = config::load(&path, &|_| None).unwrap();
    let telemetry = Arc::new(Telemetry::new(sink.clone(), &Settings::default()));
    let parts = Parts::new(path, Box::new(|_| None), Arc::clone(&telemetry));
    let running = Running::start(loaded, parts).await.unwrap();
    let Some(Listen::Tcp(address)) = running.bound.public.first() else { panic!("a port was asked for") };
    let address = address.to_string();
    (running, address, telemetry)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_request_ends_that_request_only() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::memory();
    let (mut running, address, telemetry) = start(&directory, "", &sink).await;
    let answers = tokio::task::spawn_blocking(move || {
        let request = |more: &str| format!("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n");
        ["", "X-Test-Panic: 1\r\n", ""].map(|more| exchange(&address, &request(more)))
    });
    let [before, panicked, after] = answers.await.unwrap();
    assert!(before.starts_with("HTTP/1.1 401 "), "{before}");
    assert!(
        panicked.starts_with("HTTP/1.1 500 ") && panicked.ends_with("{\"detail\":\"Internal Server Error\"}"),
        "{panicked}"
    );
    assert!(after.starts_with("HTTP/1.1 401 "), "{after}");
    // A client has its answer, or the end of its connection, a moment before that is counted.
    let panicked = || telemetry.metrics.render().contains("\ndoorward_panics_total 1\n");
    let counted = || panicked() && telemetry.metrics.in_flight() == 0;
    tokio::time::timeout(Duration::from_secs(10), async {
        while !counted() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the panic is counted, and its request not in flight");
    let told = |status: &str| sink.lines().iter().filter(|line| line.contains(status)).count();
    assert_eq!((told("status=401"), told("status=0")), (2, 1), "{:?}", sink.lines());
    running.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_the_limits_of_new_connections() {
    let directory = tempfile::tempdir().unwrap();
    let (mut running, address, _) = start(&directory, "", &Sink::memory()).await;
    let ask = move |length: usize| {
        let (address, fields) = (address.clone(), "x".repeat(length));
        let request = format!("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {fields}\r\n\r\n");
        tokio::task::spawn_blocking(move || exchange(&address, &request))
    };
    for (more, answer) in [
        ("", "HTTP/1.1 401 "),
        (", limits: { header_bytes: 4KiB }", "HTTP/1.1 431 "),
        (", limits: { header_bytes: 16KiB }", "HTTP/1.1 401 "),
    ] {
        write(&directory, more);
        let reloader = Arc::clone(&running.reloader);
        tokio::task::spawn_blocking(move || reloader.reload()).await.unwrap();
        let got = ask(8_000).await.unwrap();
        assert!(got.starts_with(answer), "{more}: {got}");
    }
    running.close().await;
}
