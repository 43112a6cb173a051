//! Standard output and standard error: the only writers to them, deaf to a closed pipe.

use std::io::{self, IsTerminal, Write};

use crate::cli::Color;
use crate::context::Environment;

/// Writes to standard output. A reader that has gone away is not a failure of ours.
pub(super) fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes a line to standard error.
pub(super) fn error(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", neutralised(line));
}

/// Writes to standard error what is ours, steering characters included.
pub(super) fn raw_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Text without control characters, so that nothing from an image or a server moves the cursor.
pub(super) fn neutralised(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Whether standard output is to be coloured.
pub(super) fn colored(color: Color, environment: &Environment, terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && environment.get("NO_COLOR").is_none() && environment.get("TERM") != Some("dumb"),
    }
}

/// Whether standard output is a terminal.
pub(super) fn is_stdout_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard error is a terminal.
pub(super) fn is_stderr_terminal() -> bool {
    io::stderr().is_terminal()
}

/// The width to write for: the terminal's, else what a job log shows without scrolling.
pub(super) fn width() -> usize {
    terminal_size::terminal_size().map_or(JOB_LOG_WIDTH, |(width, _)| usize::from(width.0).max(40))
}

const JOB_LOG_WIDTH: usize = 120;
