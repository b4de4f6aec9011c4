//! Looking at servers as they are, for `doorward check --connect`. Nothing is written.

use std::collections::HashMap;
use std::sync::Arc;

use redis::{Value, cmd};
use tokio::time::{Duration, Instant, timeout};

use super::failure::Failure;
use super::findings::{Expected, Facts, Finding, SETTINGS, State, fine, judge, reachable, unreachable};
use super::keys::{SLOTS, slot};
use super::layout::LAYOUT;
use super::link::{Link, Request, unexpected};
use super::places;
use super::script;
use super::settings::{Mode, RedisSettings};
use super::store::RedisStore;
use crate::base::{Clock, Stopwatch};

impl RedisStore {
    /// What the servers say of themselves, and what of it should be otherwise. `clock` is this machine's.
    pub async fn examine(&self, clock: &dyn Clock) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Mode::Sentinel { master, .. } = &self.settings.mode {
            findings.push(self.sentinels(master).await);
        }
        let servers = match timeout(PATIENCE, self.connections.masters()).await {
            Ok(Ok(servers)) => servers,
            Ok(Err(failure)) => {
                findings.push(unreachable(all(&self.settings), &failure));
                return findings;
            }
            Err(_) => {
                findings.push(unreachable(all(&self.settings), &Failure::NotServing("nobody answers")));
                return findings;
            }
        };
        if self.settings.mode == Mode::Cluster {
            findings.push(self.coverage());
        }
        let mut is_there = false;
        for server in servers {
            let name = server.address().to_string();
            match timeout(PATIENCE, self.server(&server, clock)).await {
                Ok(Ok(of_server)) => {
                    is_there = true;
                    findings.extend(of_server);
                }
                Ok(Err(failure)) => findings.push(unreachable(name, &failure)),
                Err(_) => findings.push(unreachable(name, &Failure::Slow(server.address().clone()))),
            }
        }
        if is_there {
            findings.push(self.layout().await);
        }
        findings
    }

    async fn server(&self, server: &Arc<Link>, clock: &dyn Clock) -> Result<Vec<Finding>, Failure> {
        let name = server.address().to_string();
        // Not PING first, which a server with a full disk refuses: it is to be told what is wrong there.
        let (watch, sent) = (Stopwatch::start(), clock.now());
        let time = ask(server, &["TIME"]).await?;
        let (took, received) = (watch.elapsed(), clock.now());
        let here = i64::midpoint(sent.millis(), received.millis());
        let ahead = millis(&time).ok_or_else(unexpected)?.saturating_sub(here);
        let mut facts = Facts { ahead, refused: self.refused(server).await?, ..Facts::default() };
        for section in ["server", "memory", "persistence", "replication"] {
            // A server that shows nothing of it leaves all of it unseen.
            if let Ok(Value::BulkString(text)) = ask(server, &["INFO", section]).await {
                facts.info.extend(lines(&String::from_utf8_lossy(&text)));
            }
        }
        for setting in SETTINGS {
            match ask(server, &["CONFIG", "GET", setting]).await {
                Ok(Value::Array(answer)) => {
                    if let [_, Value::BulkString(value)] = answer.as_slice() {
                        facts.config.insert(setting, String::from_utf8_lossy(value).into_owned());
                    }
                }
                Err(failure) => facts.config_forbidden |= failure.is_forbidden(),
                Ok(_) => {}
            }
        }
        let wait = self.settings.wait.map_or(0, |wait| wait.replicas);
        let expected = Expected { wait, fails_over: self.settings.mode != Mode::Single };
        let mut findings = vec![reachable(&name, took)];
        findings.extend(judge(&name, &facts, expected));
        Ok(findings)
    }

    /// What the ACL user may not do; `None` if that cannot be asked, nor why.
    async fn refused(&self, server: &Arc<Link>) -> Result<Option<Vec<String>>, Failure> {
        let mode = if self.settings.mode == Mode::Cluster { "cluster" } else { "-" };
        let arguments: [&[u8]; 2] = [self.settings.prefix.as_bytes(), mode.as_bytes()];
        let request = Request::Script { script: &script::PERMISSIONS, keys: &[], arguments: &arguments };
        match server.ask(request, false, None, Instant::now() + PATIENCE).await {
            Ok(Value::Array(names)) => {
                let name = |name| match name {
                    Value::BulkString(name) => String::from_utf8(name).ok(),
                    _ => None,
                };
                Ok(Some(names.into_iter().filter_map(name).collect()))
            }
            Ok(_) => Err(unexpected()),
            Err(Failure::Refused(_)) => Ok(may_not_call(server).await),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the Sentinels agree.
    async fn sentinels(&self, master: &str) -> Finding {
        let mut named: HashMap<String, Vec<String>> = HashMap::new();
        let mut silent = Vec::new();
        let guides = self.connections.guides();
        for guide in guides {
            match places::master_named_by(guide, master).await {
                Ok(address) => named.entry(address.to_string()).or_default().push(guide.address().to_string()),
                Err(failure) => silent.push(format!("{}: {failure}", guide.address())),
            }
        }
        let masters: Vec<_> = named.keys().cloned().collect();
        let found = match (masters.as_slice(), silent.as_slice()) {
            ([], _) => silent.join("; "),
            ([one], []) => {
                return Finding { server: all(&self.settings), ..fine("sentinels", format!("all name {one}")) };
            }
            (some, []) => format!("they name different masters: {}", some.join(", ")),
            (some, silent) => format!("{}; master {}", silent.join("; "), some.join(", ")),
        };
        let state = if masters.is_empty() { State::Problem } else { State::Warning };
        let cost = "without more than half of them nobody takes over when the master fails";
        let cure = "start them, or take those that are gone out of `store.redis.url`";
        Finding { server: all(&self.settings), state, cost, cure, ..fine("sentinels", found) }
    }

    /// Whether somebody has each slot.
    fn coverage(&self) -> Finding {
        let covered = self.connections.covered();
        let finding = Finding { server: all(&self.settings), ..fine("slots", format!("{covered} of {SLOTS} covered")) };
        if covered == SLOTS {
            return finding;
        }
        let cost =
            "what is in the others can be neither read nor written: 503 for those users, and views that grow old";
        Finding { state: State::Problem, cost, cure: "`redis-cli --cluster fix`", ..finding }
    }

    async fn layout(&self) -> Finding {
        let key = self.keys.layout();
        let mut command = cmd("GET");
        command.arg(&key);
        let answer =
            self.connections.ask(slot(&key), Request::Command(&command), None, super::connections::Deadline::begin());
        let check = fine("layout", "");
        let finding = match answer.await {
            Ok(Value::Nil) => Finding { found: "nothing is there yet".to_owned(), ..check },
            Ok(Value::BulkString(found)) if found == LAYOUT.as_bytes() => {
                Finding { found: format!("version {LAYOUT}"), ..check }
            }
            Ok(Value::BulkString(found)) => Finding {
                state: State::Problem,
                found: format!("version {}, of another doorward", String::from_utf8_lossy(&found)),
                cost: "doorward does not start",
                cure: "use the doorward that wrote it, or another `store.redis.prefix`",
                ..check
            },
            Ok(_) => unreachable(String::new(), &unexpected()),
            Err(failure) => unreachable(String::new(), &failure),
        };
        Finding { server: all(&self.settings), ..finding }
    }
}

/// Which of the two ways to run a script are forbidden; `None` if neither is.
async fn may_not_call(server: &Arc<Link>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    // Of a script that nobody has loaded, and of one that does nothing.
    for words in [["EVALSHA", "0000000000000000000000000000000000000000", "0"], ["EVAL", "return 1", "0"]] {
        if ask(server, &words).await.is_err_and(|failure| failure.is_forbidden()) {
            names.extend(words.first().map(|name| (*name).to_owned()));
        }
    }
    Some(names).filter(|names| !names.is_empty())
}

async fn ask(server: &Arc<Link>, words: &[&str]) -> Result<Value, Failure> {
    let mut words = words.iter();
    let mut command = cmd(words.next().copied().unwrap_or_default());
    for word in words {
        command.arg(word);
    }
    server.ask(Request::Command(&command), false, None, Instant::now() + PATIENCE).await
}

fn lines(text: &str) -> impl Iterator<Item = (String, String)> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// The answer to TIME: seconds and microseconds.
fn millis(answer: &Value) -> Option<i64> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(seconds), Value::BulkString(micros)] = parts.as_slice() else { return None };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    number(seconds)?.checked_mul(1000)?.checked_add(number(micros)? / 1000)
}

/// As it was configured.
fn all(settings: &RedisSettings) -> String {
    settings.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// For each server; people wait for it.
const PATIENCE: Duration = Duration::from_secs(3);
