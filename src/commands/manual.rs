//! `plimsoll manual`: the manual pages, made of the same texts as `--help`.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::{Cli, ManualArgs};
use crate::exit::Exit;
use crate::model::{Code, Diagnosis};

use super::terminal;

pub(super) fn run(args: &ManualArgs) -> Result<Exit, Diagnosis> {
    let written = match &args.to {
        Some(directory) => pages(directory),
        None => page(),
    };
    written.map(|()| Exit::Done).map_err(|error| {
        let place = args.to.as_deref().unwrap_or(Path::new("-")).display();
        Diagnosis::new(
            Code::ReportNotWritten,
            format!("cannot write the manual to `{place}`"),
            error.to_string(),
            "name a directory that can be written",
        )
    })
}

fn page() -> io::Result<()> {
    let mut page = Vec::new();
    Man::new(Cli::command()).render(&mut page)?;
    terminal::print(&page);
    Ok(())
}

fn pages(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)
}
