//! `doorward revoke`.

pub(super) mod instance;
mod list;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::instance::{Answer, Instance};
use super::exit::Failure;
use super::{Configuration, input, output};
use crate::endpoints::Operators;
use crate::grants::OrderKind;

/// What is to be revoked, or listed.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(group = ArgGroup::new("what").required(true))]
pub(super) struct Revoke {
    #[command(subcommand)]
    command: Option<Command>,
    /// An access token, or a refresh token with its session: `-` for stdin or a hidden prompt, or `@FILE`.
    ///
    /// Of doorward, or of a trusted issuer. It is never an argument: those are public.
    #[arg(long, group = "what", value_name = "-|@FILE")]
    token: Option<String>,
    // Names are random letters, the hyphen among them, and one in 64 begins with it.
    /// One access token, by its `jti`; where it has none, by the SHA-256 of its `header.payload`, in base64url.
    #[arg(long, group = "what", value_name = "JTI", allow_hyphen_values = true)]
    jti: Option<String>,
    /// A login session, by the `sid` of its tokens.
    #[arg(long, group = "what", value_name = "SID", allow_hyphen_values = true)]
    session: Option<String>,
    /// All that somebody was issued up to now, by the `sub` of the tokens. New logins work.
    #[arg(long, group = "what", value_name = "SUB", allow_hyphen_values = true)]
    subject: Option<String>,
    /// All that was issued to a client up to now, by its id. New logins through it work.
    #[arg(long, group = "what", value_name = "ID", allow_hyphen_values = true)]
    client: Option<String>,
    /// Whose tokens, by their `iss`, if not doorward's own.
    #[arg(long, value_name = "ISS")]
    issuer: Option<String>,
    /// What for; it goes into the audit log.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Wait this long for all instances to confirm it: at most 60. Names those that have, and those that have not.
    ///
    /// One that was not heard of for 5 s is named as missing and not waited for. Without it, only the instance that is asked answers.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: Option<u64>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is revoked; never a token.
    List(list::List),
}

impl Revoke {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        if let Some(Command::List(list)) = self.command {
            return list.run();
        }
        let (kind, value) = self.what()?;
        // Looked for before a secret is asked for: whoever types one should not do so in vain.
        let instance = Instance::find(&self.configuration.config)?;
        let value = if kind == OrderKind::Token { token(&value)? } else { value };
        let mut order = Map::new();
        order.insert("kind".to_owned(), json!(kind.as_str()));
        order.insert("value".to_owned(), Value::String(value));
        for (name, given) in [("issuer", &self.issuer), ("reason", &self.reason)] {
            order.extend(given.as_ref().map(|given| (name.to_owned(), json!(given))));
        }
        order.extend(self.wait.map(|wait| ("wait".to_owned(), json!(wait))));
        let patience = Duration::from_secs(self.wait.unwrap_or_default());
        let asked = instance.post_for(Operators::PATH, &Value::Object(order), patience);
        match asked.map_err(|unanswered| in_options(unanswered.into(), kind))? {
            Answer::Done(answer) => match Done::read(&answer) {
                Some(done) => Ok(self.tell(&answer, &done)),
                None => Err(instance.stranger()),
            },
            Answer::Nothing(why) => {
                output::note(format_args!("doorward: {}", options(&why, kind)));
                Ok(ExitCode::from(1))
            }
        }
    }

    /// Clap sees to it that there is one.
    fn what(&self) -> Result<(OrderKind, String), Failure> {
        let given = [
            (OrderKind::Token, &self.token),
            (OrderKind::Jti, &self.jti),
            (OrderKind::Session, &self.session),
            (OrderKind::Subject, &self.subject),
            (OrderKind::Client, &self.client),
        ];
        let one = given.into_iter().find_map(|(kind, value)| Some((kind, value.clone()?)));
        one.ok_or_else(|| Failure::usage("say what to revoke: one of --token, --jti, --session, --subject, --client"))
    }

    fn tell(&self, answer: &Value, done: &Done) -> ExitCode {
        let missing = done.missing.join(", ");
        if self.json {
            output::line(answer);
        } else {
            let (until, by) = (time(done.expires_at), done.confirmed_by.join(", "));
            output::line(format_args!("revoked: durable, remembered until {until}, in effect at {by}"));
            if !missing.is_empty() {
                output::line(format_args!("not confirmed by {missing}"));
            }
        }
        // Who does not wait does not ask whether all have it.
        if self.wait.is_some() && !missing.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}

/// What doorward says of a revocation that is done.
#[derive(Deserialize)]
struct Done {
    durable: bool,
    expires_at: i64,
    confirmed_by: Vec<String>,
    missing: Vec<String>,
}

impl Done {
    /// `None` for an answer that confirms nothing: an API may answer 200 to anything, and a token that was taken for revoked would live on.
    fn read(answer: &Value) -> Option<Self> {
        let done = Self::deserialize(answer).ok()?;
        (done.durable && !done.confirmed_by.is_empty()).then_some(done)
    }
}

/// The API's sentence in the words of whoever types a command.
fn options(sentence: &str, kind: OrderKind) -> String {
    let option = match kind {
        OrderKind::Token => "`--token`",
        OrderKind::Jti => "`--jti`",
        OrderKind::Session => "`--session`",
        OrderKind::Subject => "`--subject`",
        OrderKind::Client => "`--client`",
    };
    let words = [("`value`", option), ("`issuer`", "`--issuer`"), ("`reason`", "`--reason`"), ("`wait`", "`--wait`")];
    words.iter().fold(sentence.to_owned(), |sentence, (member, option)| sentence.replace(member, option))
}

fn in_options(failure: Failure, kind: OrderKind) -> Failure {
    match failure {
        Failure::Usage(sentence) => Failure::Usage(options(&sentence, kind)),
        failure => failure,
    }
}

fn token(place: &str) -> Result<String, Failure> {
    let token = input::named(place, "Token: ", LONGEST_TOKEN).map_err(Failure::usage)?;
    String::from_utf8(token.expose().to_vec()).map_err(|_| Failure::usage("the token is not UTF-8"))
}

/// A `NumericDate` as people read it.
fn time(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "-".to_owned())
}

/// The most that the admin listener reads, less what stands around it.
const LONGEST_TOKEN: usize = 60 * 1024;
