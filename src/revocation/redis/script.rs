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

pub(super) static CREATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/create.lua")));
pub(super) static MARK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/mark.lua")));
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/look.lua")));
pub(super) static ADMIT: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("scripts/failures.lua"), include_str!("scripts/admit.lua"))));
pub(super) static SETTLE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("scripts/failures.lua"), include_str!("scripts/settle.lua"))));
pub(super) static PERMISSIONS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("scripts/permissions.lua")));
pub(super) static PAGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/page.lua")));
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/sweep.lua")));
pub(super) static SWAP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/swap.lua")));
pub(super) static ANNOUNCE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/announce.lua")));
pub(super) static ROLL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/roll.lua")));
pub(super) static RAISE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/raise.lua")));

#[cfg(test)]
mod tests {
    use super::*;

    /// What `doorward check --connect` asks for and the README's ACL grants.
    #[test]
    fn every_command_of_a_script_is_among_those_that_are_asked_for() {
        let asked = PERMISSIONS.text;
        let scripts = [&CREATE, &MARK, &LOOK, &PAGE, &SWEEP, &SWAP, &RAISE, &ADMIT, &SETTLE, &ANNOUNCE, &ROLL];
        for call in scripts.iter().flat_map(|script| script.text.split("redis.").skip(1)) {
            let Some(name) = call.strip_prefix("call('").or_else(|| call.strip_prefix("pcall('")) else { continue };
            let name = name.split('\'').next().unwrap_or_default();
            assert!(asked.contains(&format!("{{ '{name}'")), "{name}");
        }
    }
}
