//! Exit codes: 0 fine, 1 a negative answer, 2 bad usage or configuration, 70 internal.

use std::fmt::Display;
use std::process::ExitCode;

use super::output;
use crate::config::Problems;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was asked wrongly, or with a configuration that has problems.
    Usage(String),
    /// The configuration has problems, each already with its file and line.
    Configuration(Problems),
    /// It was asked rightly and could not.
    Internal(String),
}

impl Failure {
    pub(super) fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    pub(super) fn internal(error: impl Display) -> Self {
        Self::Internal(error.to_string())
    }

    pub(super) fn report(self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                output::note(format_args!("doorward: {text}"));
                ExitCode::from(2)
            }
            Self::Configuration(problems) => {
                output::note(problems);
                ExitCode::from(2)
            }
            Self::Internal(text) => {
                output::note(format_args!("doorward: {text}"));
                ExitCode::from(70)
            }
        }
    }
}
