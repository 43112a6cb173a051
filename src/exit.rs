//! The exit codes, the same for all commands.

use std::process::ExitCode;

/// How a command ended. Scripts and pipelines rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: done, findings or not.
    Done = 0,
    /// 1: the policy failed (`gate` only).
    PolicyFailed = 1,
    /// 2: could not complete; the reports say what is missing and why.
    Incomplete = 2,
    /// 3: there was nothing to scan.
    NothingToScan = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
