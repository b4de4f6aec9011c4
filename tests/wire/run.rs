//! Running a case, step by step.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use doorward::base::Clock;
use doorward::config;
use tempfile::TempDir;

use crate::case::{Case, Expect, Step};
use crate::door::{self, Door, Setup};
use crate::scenarios;
use crate::text::{self, Words};
use crate::wire::{self, Connection, Response};

/// A failure tells the step and the exchange; the secrets in it are the tests' own.
pub(crate) async fn case(case: Case) -> Result<(), String> {
    if let Some(name) = &case.scenario {
        return scenarios::run(name).await;
    }
    if !case.refused.is_empty() {
        return refused(&case);
    }
    let setup = Setup { config: case.config, users: case.users, embedded: case.embedded, log_everything: false };
    let mut run = Run { door: Door::start(setup).await, words: Words::default(), kept: BTreeMap::new() };
    for (index, step) in case.steps.iter().enumerate() {
        for row in if step.each.is_empty() { vec![BTreeMap::new()] } else { step.each.clone() } {
            let done = run.step(step, &row).await;
            done.map_err(|problem| format!("step {}, {row:?}: {problem}", index + 1))?;
        }
    }
    run.door.stop().await;
    Ok(())
}

/// Configurations that doorward does not start with.
fn refused(case: &Case) -> Result<(), String> {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    for refused in &case.refused {
        let folder = TempDir::new().unwrap();
        let setup = Setup { config: refused.config.clone(), ..Setup::default() };
        fs::write(folder.path().join("doorward.yaml"), door::config_text(&setup, [nowhere, nowhere])).unwrap();
        fs::write(folder.path().join("users.yaml"), serde_yaml::to_string(&refused.users).unwrap()).unwrap();
        let problems = match config::load(&folder.path().join("doorward.yaml"), &|_| None) {
            Ok(_) => return Err(format!("loads: {:?} {:?}", refused.config, refused.users)),
            Err(problems) => problems.to_string(),
        };
        if !problems.contains(&refused.problem) {
            return Err(format!("not `{}`: {problems}", refused.problem));
        }
    }
    Ok(())
}

struct Run {
    door: Door,
    words: Words,
    /// Responses that later ones are compared with.
    kept: BTreeMap<String, String>,
}

impl Run {
    async fn step(&mut self, step: &Step, row: &BTreeMap<String, String>) -> Result<(), String> {
        self.act(step).await?;
        self.look_around();
        for (name, mint) in &step.mint {
            let token = mint.write(&self.words);
            self.words.saved.insert(name.clone(), token);
        }
        for (name, value) in row {
            let value = self.words.fill(value);
            self.words.saved.insert(name.clone(), value);
        }
        for mint in &step.present {
            let token = mint.write(&self.words);
            let request = self.request(step, &[format!("Authorization: Bearer {token}")]).unwrap();
            let told = self.exchange(step, request).await;
            told.map_err(|problem| format!("{mint:?}: {problem}"))?;
        }
        if step.present.is_empty()
            && let Some(request) = self.request(step, &[])
        {
            self.exchange(step, request).await?;
        }
        Ok(())
    }

    async fn act(&mut self, step: &Step) -> Result<(), String> {
        if let Some(time) = &step.advance {
            self.door.clock.advance(text::duration(time));
        }
        if let Some(health) = step.store {
            self.door.set_store(health);
        }
        if let Some(answer) = &step.answer {
            self.door.upstream.answer(text::bytes(&text::joined(answer)));
        }
        if step.restart {
            self.door.restart().await;
        }
        if let Some(reload) = &step.reload {
            let setup = Setup { config: reload.config.clone(), users: reload.users.clone(), ..Setup::default() };
            self.door.reload(setup, reload.raw.as_deref()).await;
        }
        if let Some(form) = &step.log_in {
            self.look_around();
            let login = Step { form: Some(form.clone()), ..Step::default() };
            let request = self.request(&login, &[]).unwrap();
            let (response, _) = self.send(&request, false).await?;
            let body = response.json().filter(|_| response.status == 200);
            let body = body.ok_or_else(|| format!("no login: {}{}", response.head, response.text()))?;
            for (name, member) in [("access", "access_token"), ("refresh", "refresh_token")] {
                self.words.saved.insert(name.to_owned(), body[member].as_str().unwrap_or_default().to_owned());
            }
        }
        Ok(())
    }

    /// What placeholders can stand for besides what was saved.
    fn look_around(&mut self) {
        self.words.now = self.door.clock.now().seconds();
        self.words.saved.insert("address".to_owned(), self.door.address.to_string());
        self.words.saved.insert("other".to_owned(), format!("http://{}", self.door.issuer.address));
        self.words.saved.insert("upstream".to_owned(), self.door.upstream.address.to_string());
    }

    /// The request of a step, if it makes one.
    fn request(&self, step: &Step, more: &[String]) -> Option<Vec<u8>> {
        let whole = if let Some(send) = &step.send {
            let text = text::joined(send);
            if text.contains("\r\n\r\n") { text } else { text + "\r\n\r\n" }
        } else {
            let default = match (&step.form, step.present.is_empty()) {
                (Some(_), _) => Some("POST /token"),
                (None, false) => Some("GET /x"),
                (None, true) => None,
            };
            let ask = step.ask.as_deref().or(default)?;
            let mut head = format!("{ask} HTTP/1.1\r\nHost: {{{{address}}}}\r\n");
            for line in step.head.iter().chain(more) {
                head.push_str(line);
                head.push_str("\r\n");
            }
            let body = step.form.as_ref().or(step.body.as_ref());
            if step.form.is_some() {
                head += "Content-Type: application/x-www-form-urlencoded\r\n";
            }
            if body.is_some() {
                head += "Content-Length: <length>\r\n";
            }
            format!("{head}\r\n{}", body.map_or("", String::as_str))
        };
        let bytes = text::bytes(&self.words.fill(&whole));
        let end = wire::find_end(&bytes).expect("an end of the head");
        let (head, body) = bytes.split_at(end);
        Some(match head.windows(8).position(|word| word == b"<length>") {
            Some(at) => [&head[..at], body.len().to_string().as_bytes(), &head[at + 8..], body].concat(),
            None => bytes,
        })
    }

    async fn exchange(&mut self, step: &Step, request: Vec<u8>) -> Result<(), String> {
        let expect = &step.expect;
        if !expect.is_about_response() {
            return Err("nothing is expected".to_owned());
        }
        let before = self.door.series();
        drop(self.door.upstream.take());
        let responses = match step.parallel {
            None => vec![self.send(&request, step.admin).await?],
            Some(times) => self.send_at_once(&request, times).await?,
        };
        let mut problems = self.elsewhere(expect, &before, responses.len()).await;
        for (member, expected) in &expect.different {
            let found = wire::different(responses.iter().map(|(response, _)| response), member);
            if found != *expected {
                problems.push(format!("{found} different values of {member}"));
            }
        }
        for (response, connection) in responses {
            problems.extend(expect.problems(&response, &self.words, &self.kept));
            for name in &expect.unseen {
                if (response.head.clone() + &response.text()).contains(&self.words.fill(name)) {
                    problems.push(format!("the response has `{name}`"));
                }
            }
            if !problems.is_empty() {
                let sent = String::from_utf8_lossy(&request[..request.len().min(4000)]).into_owned();
                let (head, body) = (&response.head, response.text());
                return Err(format!("{}\n--- sent\n{sent}\n--- got\n{head}{body}\n", problems.join("\n    ")));
            }
            self.remember(step, &response)?;
            if expect.closed && !{ connection }.is_closed().await {
                return Err("the connection is still open".to_owned());
            }
        }
        Ok(())
    }

    async fn send(&self, request: &[u8], to_admin: bool) -> Result<(Response, Connection), String> {
        let address = if to_admin { self.door.admin } else { self.door.address };
        let mut connection = Connection::open(address).await;
        let response = connection.exchange(request).await;
        let response = response.map_err(|problem| {
            format!("{problem}\n--- sent\n{}", String::from_utf8_lossy(&request[..request.len().min(4000)]))
        })?;
        Ok((response, connection))
    }

    async fn send_at_once(&self, request: &[u8], times: usize) -> Result<Vec<(Response, Connection)>, String> {
        let mut connections = Vec::new();
        for _ in 0..times {
            connections.push(Connection::open(self.door.address).await);
        }
        let tasks = connections.into_iter().map(|mut connection| {
            let request = request.to_vec();
            tokio::spawn(async move { connection.exchange(&request).await.map(|response| (response, connection)) })
        });
        let mut responses = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            responses.push(task.await.map_err(|error| error.to_string())??);
        }
        Ok(responses)
    }

    /// What happened upstream, in the metrics and in the log.
    async fn elsewhere(&self, expect: &Expect, before: &BTreeMap<String, f64>, times: usize) -> Vec<String> {
        let mut problems = Vec::new();
        let arrived = self.door.upstream.take();
        if arrived.len() != expect.upstream_count() * times {
            problems.push(format!("{} requests upstream: {arrived:?}", arrived.len()));
        } else if let (Some(expected), Some(arrived)) = (&expect.arrived, arrived.last()) {
            let found = expected.problems(arrived, &self.words);
            if !found.is_empty() {
                problems.extend(found);
                problems.push(format!("upstream got:\n{}", arrived.head));
            }
        }
        for (name, expected) in &expect.metrics {
            let name = self.words.fill(name);
            let grown = |series: BTreeMap<String, f64>| {
                series.get(&name).copied().unwrap_or_default() - before.get(&name).copied().unwrap_or_default()
            };
            // Requests are counted when they have ended, which is after their answer.
            let deadline = Instant::now() + Duration::from_secs(5);
            let fits = |grown: f64| (grown - expected).abs() < 1e-9;
            while !fits(grown(self.door.series())) && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            let found = grown(self.door.series());
            if !fits(found) {
                problems.push(format!("{name} grew by {found} and not by {expected}"));
            }
        }
        for text in &expect.logged {
            let text = self.words.fill(text);
            if !self.door.sink.lines().iter().any(|line| line.contains(&text)) {
                problems.push(format!("no line of the log has `{text}`"));
            }
        }
        for text in &expect.unseen {
            let text = self.words.fill(text);
            let lines = self.door.sink.lines();
            if lines.iter().any(|line| line.contains(&text)) || self.door.telemetry.metrics.render().contains(&text) {
                problems.push(format!("`{text}` is in the log or in a metric"));
            }
        }
        problems
    }

    fn remember(&mut self, step: &Step, response: &Response) -> Result<(), String> {
        for (name, member) in &step.save {
            let value = response.json().and_then(|body| body[member].as_str().map(str::to_owned));
            let field = || response.values(member).first().map(|value| (*value).to_owned());
            let value = value.or_else(field).ok_or_else(|| format!("no `{member}` to save"))?;
            self.words.saved.insert(name.clone(), value);
        }
        if let Some(name) = &step.keep {
            self.kept.insert(name.clone(), response.without_date());
        }
        Ok(())
    }
}
