//! The program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use plimsoll::cli::Cli;
use plimsoll::commands;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => commands::run(&cli),
        Err(error) => {
            let _ = error.print();
            // clap's own code for a wrong command line is 2, which is ours for "could not complete" as well.
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
