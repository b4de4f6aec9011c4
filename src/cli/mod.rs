//! The command line: parses, prints, and chooses exit codes.

mod check;
mod demo;
mod exit;
mod hash_password;
mod input;
mod inspect;
mod keygen;
mod output;
mod progress;
mod revoke;
mod serve;
mod store;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use exit::Failure;

/// OAuth 2 in front of an API that has none.
#[derive(Debug, Parser)]
#[command(name = "doorward", version, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: issue tokens, check requests, forward what may pass.
    ///
    /// SIGHUP, and a change of the files, reloads the configuration; SIGTERM drains; SIGINT stops.
    Serve(Configuration),
    /// Check a configuration, with all that a start would read, and bind nothing.
    ///
    /// Every problem at once as `FILE:LINE:COLUMN: code: message`. Exit code 0 if there is none, 1 if there is. With --connect, also
    /// what `store.redis` is like, and what that costs.
    Check(check::Check),
    /// Hash a password for the users file: from stdin, or typed at a hidden prompt.
    HashPassword(hash_password::HashPassword),
    /// Make a private key, in PEM; for HS256 a random secret; or the secret of a client.
    Keygen(keygen::Keygen),
    /// Look at tokens.
    #[command(subcommand)]
    Token(Token),
    /// Add, change and list the users of the users file.
    #[command(subcommand)]
    User(user::User),
    /// Revoke a token, a session, or all that somebody was issued, at a running doorward.
    ///
    /// It is asked through its admin listener, as the configuration has it. Exit code 0 once it is durable and in effect, 1 if there
    /// was no such token or, with --wait, an instance has not confirmed it.
    Revoke(revoke::Revoke),
    /// Carry sessions and revocations from the embedded store to another, without logging anybody out.
    #[command(subcommand)]
    Store(store::Store),
    /// See all of it at work without any configuration: a small API, a user, and the curl lines to try.
    Demo(demo::Demo),
}

#[derive(Debug, Subcommand)]
enum Token {
    /// Decode a token from stdin. Verified only if a configuration is given; the answer says which.
    Inspect(inspect::Inspect),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct Configuration {
    /// The configuration, in YAML.
    #[arg(long, short, value_name = "FILE", default_value = "doorward.yaml")]
    config: PathBuf,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    install_crypto();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to tell it to if this fails.
            let _ = error.print();
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    let done = match arguments.command {
        Command::Serve(configuration) => serve::run(&configuration.config),
        Command::Check(check) => check.run(),
        Command::HashPassword(command) => command.run(),
        Command::Keygen(keygen) => keygen.run(),
        Command::Token(Token::Inspect(inspect)) => inspect.run(),
        Command::User(user) => user.run(),
        Command::Revoke(revoke) => revoke.run(),
        Command::Store(store) => store.run(),
        Command::Demo(demo) => demo.run(),
    };
    done.unwrap_or_else(Failure::report)
}

/// Before anything of Pingora runs: it installs its own provider, unless there is one.
fn install_crypto() {
    // An error says that one is installed, which is all that is wanted.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A variable of the environment, for `${NAME}` and `{ env: NAME }`.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
