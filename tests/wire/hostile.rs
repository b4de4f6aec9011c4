//! What no number of hostile requests may do: make metrics grow, or bring a secret to light.

use std::collections::BTreeSet;

use doorward::telemetry::{Format, Level, Settings, logging};
use serde_json::json;

use crate::door::{Door, Setup};
use crate::mint::{self, Mint};
use crate::scenarios::{ask, form, told};
use crate::text::Words;
use crate::wire::Connection;

/// 10,000 paths, methods, grants, key ids, subjects and issuers that no two requests share, and not one series more.
pub(crate) async fn labels() -> Result<(), String> {
    // Logins that are throttled would not get as far as those before them.
    let config = serde_yaml::from_str("users: { throttle: null }").unwrap();
    let mut door = Door::start(Setup { config, ..Setup::default() }).await;
    // Everything that a request of each kind can make appear, with words of no meaning and no two alike.
    for number in 0..KINDS {
        send(&door, number, 1).await?;
    }
    let before = names(&door).await;
    let mut senders = tokio::task::JoinSet::new();
    for worker in 0..CONNECTIONS {
        let address = door.address;
        senders.spawn(async move {
            let mut connection = Connection::open(address).await;
            for number in 0..REQUESTS / CONNECTIONS {
                let request = request(KINDS + worker * REQUESTS + number);
                if connection.exchange(&request).await.is_err() {
                    connection = Connection::open(address).await;
                }
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.map_err(|error| error.to_string())?;
    }
    let after = names(&door).await;
    let counted = door.series().into_iter().filter(|(name, _)| name.starts_with("doorward_http_requests_total"));
    let counted: f64 = counted.map(|(_, count)| count).sum();
    // Those that are no HTTP are answered before there is a request to count.
    if counted < 8_000.0 {
        return Err(format!("only {counted} requests were counted"));
    }
    door.stop().await;
    let more: Vec<&String> = after.difference(&before).take(10).collect();
    if more.is_empty() && after.len() == before.len() {
        Ok(())
    } else {
        Err(format!("{} series before, {} after, such as {more:?}", before.len(), after.len()))
    }
}

async fn send(door: &Door, kind: usize, times: usize) -> Result<(), String> {
    for time in 0..times {
        Connection::open(door.address).await.exchange(&request(kind + time * KINDS)).await?;
    }
    Ok(())
}

/// A request of the kind that `number` says, and with words that only it has.
fn request(number: usize) -> Vec<u8> {
    let word = format!("w{number}x{}", number.wrapping_mul(2_654_435_761) % 100_003);
    let words = Words { saved: [].into(), now: 1_700_000_000 };
    let bearer = |described: serde_json::Value| {
        let mint: Mint = serde_json::from_value(described).unwrap();
        ask("GET /x", &[&format!("Authorization: Bearer {}", mint.write(&words))], "")
    };
    match number % KINDS {
        0 => ask(&format!("GET /{word}"), &[], ""),
        1 => ask(&format!("GET /public/{word}?{word}={word}"), &[&format!("User-Agent: {word}")], ""),
        2 => ask(&format!("GET /items/{word}"), &[&format!("{word}: {word}")], ""),
        3 => ask(&format!("{} /x", word.to_uppercase().replace(|letter: char| letter.is_ascii_digit(), "Q")), &[], ""),
        4 => ask(&format!("{word} /x"), &[], ""),
        5 => form("/token", &format!("grant_type={word}&username={word}&password={word}")),
        6 => form(
            "/token",
            &format!("grant_type=password&username={word}&password={word}&client_id={word}&scope={word}"),
        ),
        7 => form("/refresh-token", &format!("refresh_token=dwr_{word}")),
        8 => form("/revoke-token", &format!("token={word}&token_type_hint={word}")),
        9 => form(&format!("/refresh-token?refresh_token={word}"), ""),
        10 => bearer(json!({ "header": { "kid": word, "alg": word, "typ": word } })),
        11 => bearer(json!({ "header": { "kid": word } })),
        12 => bearer(json!({ "claims": { "iss": word } })),
        13 => bearer(json!({ "claims": { "sub": word, "client_id": word, "scope": word } })),
        14 => ask("GET /x", &[&format!("Authorization: {word} {word}")], ""),
        15 => ask(&format!("GET /public/../{word}"), &[&format!("Host: {word}")], ""),
        _ => ask(&format!("GET /%{word}"), &[], ""),
    }
}

async fn names(door: &Door) -> BTreeSet<String> {
    // A request is counted when it has ended: when none is in flight, all are.
    while door.telemetry.metrics.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    let mut admin = Connection::open(door.admin).await;
    let metrics = admin.exchange(&ask("GET /metrics", &[], "")).await.unwrap().text();
    let samples = metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    samples.map(|(name, _)| name.to_owned()).collect()
}

/// A canary in every place where a secret can stand, at trace level; none of them is ever seen again.
pub(crate) async fn canaries() -> Result<(), String> {
    let mut door = Door::start(Setup { log_everything: true, ..Setup::default() }).await;
    let settings = Settings { log: Level::Trace, format: Format::Text, access_log: true };
    logging::install_to(door.sink.clone(), &settings).map_err(|error| error.to_string())?;
    let token = serde_json::from_value::<Mint>(json!({ "header": { "kid": CANARY } })).unwrap();
    let token = token.write(&Words { saved: [].into(), now: 1_700_000_000 });
    let json = ["Content-Type: application/json"];
    let requests = [
        form("/token", &format!("username=johndoe&password={CANARY}")),
        form("/token", &format!("username={CANARY}&password=secret")),
        form("/token", &format!("grant_type={CANARY}&scope={CANARY}&client_secret={CANARY}")),
        form("/token", &format!("username=johndoe&password=secret&scope={CANARY}")),
        form("/token", &format!("username=johndoe&password=%zz{CANARY}")),
        form(&format!("/token?password={CANARY}"), "username=johndoe"),
        form("/refresh-token", &format!("refresh_token=dwr_{CANARY}")),
        form(&format!("/refresh-token?refresh_token={CANARY}"), ""),
        ask("POST /refresh-token", &json, &format!("{{\"refresh_token\":\"{CANARY}\",\"{CANARY}\":5}}")),
        ask("POST /refresh-token", &json, &format!("{{{CANARY}")),
        form("/revoke-token", &format!("token={CANARY}")),
        form(&format!("/revoke-token?token={CANARY}"), ""),
        ask("POST /token", &[&format!("Content-Type: {CANARY}/{CANARY}")], CANARY),
        ask("POST /token", &[&format!("Authorization: Basic {CANARY}"), &format!("Cookie: session={CANARY}")], CANARY),
        ask("GET /x", &[&format!("Authorization: Bearer {CANARY}")], ""),
        ask("GET /x", &[&format!("Authorization: Bearer {token}")], ""),
        ask("GET /x", &[&format!("Authorization: Bearer {CANARY} {CANARY}")], ""),
        ask("GET /x", &[&format!("Authorization: {CANARY}")], ""),
        ask(&format!("GET /x?access_token={CANARY}"), &[&format!("Cookie: session={CANARY}")], ""),
        ask(&format!("GET /public/a?access_token={CANARY}"), &[&format!("X-Api-Key: {CANARY}")], CANARY),
        ask(&format!("GET /public/../a?q={CANARY}"), &[], ""),
        ask(&format!("GET /a b?q={CANARY}"), &[], ""),
        ask("GET /x", &[&format!("Broken {CANARY}")], ""),
        ask("GET /x", &[&format!("Transfer-Encoding: {CANARY}")], ""),
        format!("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {CANARY}\r\n\x01\r\n\r\n").into_bytes(),
        format!("POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: {CANARY}\r\n\r\n").into_bytes(),
    ];
    let mut problems = Vec::new();
    for request in &requests {
        // Some are no HTTP, and the connection is closed without an answer.
        let answer = Connection::open(door.address).await.exchange(request).await;
        let shown = answer.map_or_else(|_| String::new(), |answer| answer.head.clone() + &answer.text());
        if shown.contains(CANARY) {
            problems.push(format!("an answer shows it: {shown}"));
        }
    }
    // Refused for what the upstream does, too: with the canary in what it answers.
    door.upstream.answer(format!("{CANARY} nonsense\r\n\r\n").into_bytes());
    let broken =
        Connection::open(door.address).await.exchange(&ask(&format!("GET /public/a?{CANARY}"), &[], "")).await?;
    if broken.status != 502 || broken.text().contains(CANARY) {
        problems.push(format!("a broken upstream: {}{}", broken.head, broken.text()));
    }
    while door.telemetry.metrics.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    // The words of a session that exists are secrets as well.
    let good =
        Connection::open(door.address).await.exchange(&form("/token", "username=johndoe&password=secret")).await?;
    let body = good.json().unwrap_or_default();
    let access = body["access_token"].as_str().ok_or("no login")?.to_owned();
    let refresh = body["refresh_token"].as_str().ok_or("no login")?.to_owned();
    Connection::open(door.address).await.exchange(&form("/refresh-token", &format!("refresh_token={refresh}"))).await?;
    door.stop().await;
    let lines = door.sink.lines();
    if lines.len() < requests.len() {
        problems.push(format!("only {} lines: nothing is logged, so nothing is shown", lines.len()));
    }
    for secret in [CANARY, mint::SECRET, &access, &refresh] {
        problems.extend(lines.iter().filter(|line| line.contains(secret)).map(|line| format!("logged: {line}")));
        if door.telemetry.metrics.render().contains(secret) {
            problems.push("it is in a metric".to_owned());
        }
    }
    told(&problems)
}

const CANARY: &str = "c4nary-Qz7";

/// How many kinds of requests there are.
const KINDS: usize = 17;
const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 4;
