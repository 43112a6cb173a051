//! Collapsible sections of GitLab's job log (docs.gitlab.com/ci/jobs/job_logs, "custom collapsible sections").
//!
//! Their marks are written inside jobs of GitLab only: elsewhere they would be noise. They hold no colour and need no terminal.

use jiff::Timestamp;

use super::terminal;
use crate::context::Environment;

/// A section that ends when it is dropped.
pub(super) struct Section {
    name: Option<String>,
}

impl Section {
    /// Opens a section; `name` is letters, digits and `_`, and its own in the job.
    pub(super) fn open(environment: &Environment, name: &str, title: &str) -> Self {
        let name = environment.is_true("GITLAB_CI").then(|| format!("plimsoll_{name}"));
        if let Some(name) = &name {
            let title = terminal::neutralised(title).replace('\n', " ");
            mark(&format!("section_start:{}:{name}[collapsed=true]\r{CLEAR}{title}", now()));
        }
        Self { name }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            mark(&format!("section_end:{}:{name}\r{CLEAR}", now()));
        }
    }
}

fn mark(text: &str) {
    terminal::raw_error(&format!("{CLEAR}{text}\n"));
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

const CLEAR: &str = "\x1b[0K";
