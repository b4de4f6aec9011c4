//! The scripts that run on the server, each as one step.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use redis::{Cmd, cmd};

/// A script, called by its hash: the server keeps its text.
pub(super) struct Script {
    text: &'static str,
    name: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        Self { text, name: digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    /// Calls it by its name, which a server that was restarted does not know.
    pub(super) fn by_name(&self, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.name, keys, arguments)
    }

    /// Calls it by its text, and the server knows its name from then on.
    pub(super) fn by_text(&self, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", self.text, keys, arguments)
    }
}

fn call(command: &str, script: &str, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
    let mut command = cmd(command);
    command.arg(script).arg(keys.len());
    for key in keys {
        command.arg(key);
    }
    for argument in arguments {
        command.arg(argument);
    }
    command
}

pub(super) static MARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/mark.lua")));
pub(super) static PAGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/page.lua")));
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/sweep.lua")));
pub(super) static SWAP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/swap.lua")));
pub(super) static ANNOUNCE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/announce.lua")));
pub(super) static ROLL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/roll.lua")));
pub(super) static RAISE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/raise.lua")));
