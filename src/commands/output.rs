//! Which reports go where, and writing them: whole files or none.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tracing::{debug, info};

use crate::cli::{OutputArgs, ScanArgs};
use crate::context::Environment;
use crate::model::{Code, Diagnosis, ScanDocument};
use crate::report::table::{self, TableOptions};
use crate::report::{RENDERERS, Renderer};

use super::terminal;

/// The reports of one scan.
pub(super) struct Reports {
    chosen: Vec<(Chosen, Destination)>,
    table: Option<TableOptions>,
}

enum Chosen {
    Report(&'static dyn Renderer),
    Table,
}

enum Destination {
    StandardOutput,
    /// A file; a directory for reports of several files.
    Path(PathBuf),
    /// Under the report's own names in this directory.
    Directory(PathBuf),
}

impl Reports {
    /// All reports into `--out`, or only those that `--format` names.
    pub(super) fn chosen(args: &ScanArgs, output: &OutputArgs, environment: &Environment) -> Result<Self, Diagnosis> {
        let colored = terminal::colored(output.color, environment, terminal::is_stdout_terminal());
        let table = TableOptions {
            width: terminal::width(),
            color: colored,
            suppressed: args.show_suppressed,
            ..TableOptions::default()
        };
        let out = args.out.clone().unwrap_or_else(|| PathBuf::from("."));
        if args.formats.is_empty() {
            if !args.outputs.is_empty() {
                let fix = "put --format before each --output, for example --format sarif --output result.sarif";
                return Err(Diagnosis::new(
                    Code::InvalidInput,
                    "--output without --format",
                    "it is not said what to write there",
                    fix,
                ));
            }
            let chosen = RENDERERS
                .iter()
                .map(|&renderer| (Chosen::Report(renderer), Destination::Directory(out.clone())))
                .collect();
            return Ok(Self { chosen, table: (!output.quiet).then_some(table) });
        }
        let mut chosen = Vec::new();
        let mut to_stdout = 0;
        for (index, name) in args.formats.iter().enumerate() {
            let report = find(name)?;
            let destination = match args.outputs.get(index).map(String::as_str) {
                Some("-") => Destination::StandardOutput,
                None if args.out.is_some() && !matches!(report, Chosen::Table) => Destination::Directory(out.clone()),
                None => Destination::StandardOutput,
                Some(path) => Destination::Path(path.into()),
            };
            to_stdout += usize::from(matches!(destination, Destination::StandardOutput));
            chosen.push((report, destination));
        }
        if to_stdout > 1 {
            let why = "two reports on standard output could not be told apart";
            return Err(Diagnosis::new(
                Code::InvalidInput,
                "several reports go to standard output",
                why,
                "give each --format its own --output PATH",
            ));
        }
        let table = (to_stdout == 0 && !output.quiet).then_some(table);
        Ok(Self { chosen, table })
    }

    /// Writes them all. What can be written is written, even if another cannot.
    pub(super) fn write(&self, document: &ScanDocument) -> Result<(), Diagnosis> {
        let mut failure = None;
        for (report, destination) in &self.chosen {
            if let Err(diagnosis) = self.write_one(report, destination, document) {
                failure.get_or_insert(diagnosis);
            }
        }
        if failure.is_none()
            && let Some((_, Destination::Directory(directory))) = self.chosen.first()
        {
            info!("wrote {} reports to {}", self.chosen.len(), directory.display());
        }
        if let Some(options) = &self.table {
            let mut text = Vec::new();
            // Writing into memory cannot fail.
            let _ = table::render(document, options, &mut text);
            terminal::print(&text);
        }
        failure.map_or(Ok(()), Err)
    }

    fn write_one(&self, report: &Chosen, destination: &Destination, document: &ScanDocument) -> Result<(), Diagnosis> {
        let renderer = match report {
            Chosen::Report(renderer) => *renderer,
            Chosen::Table => {
                let options = self.table.clone().unwrap_or_default();
                return write(destination, "table.txt", |out| table::render(document, &options, out));
            }
        };
        let names = renderer.files(document);
        for (part, name) in names.iter().enumerate() {
            match destination {
                Destination::Path(path) if names.len() > 1 => {
                    let directory = Destination::Directory(path.clone());
                    write(&directory, name, |out| renderer.render(document, part, out))?;
                }
                _ => write(destination, name, |out| renderer.render(document, part, out))?,
            }
        }
        Ok(())
    }
}

fn find(name: &str) -> Result<Chosen, Diagnosis> {
    if name == "table" {
        return Ok(Chosen::Table);
    }
    RENDERERS.iter().find(|renderer| renderer.format() == name).map(|&renderer| Chosen::Report(renderer)).ok_or_else(
        || {
            let known = RENDERERS.iter().map(|renderer| renderer.format()).collect::<Vec<_>>().join(", ");
            Diagnosis::new(
                Code::InvalidInput,
                format!("`{name}` is not a report format"),
                "--format takes the name of a report",
                format!("use table, {known}"),
            )
        },
    )
}

fn write(
    destination: &Destination,
    name: &str,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Diagnosis> {
    let path = match destination {
        Destination::StandardOutput => {
            let mut bytes = Vec::new();
            let _ = render(&mut bytes);
            terminal::print(&bytes);
            return Ok(());
        }
        Destination::Path(path) => path.clone(),
        Destination::Directory(directory) => directory.join(name),
    };
    write_file(&path, render).map_err(|error| not_written(&path, &error))?;
    debug!("wrote {}", path.display());
    Ok(())
}

/// The diagnosis of a report that could not be written.
pub(super) fn not_written(path: &Path, error: &io::Error) -> Diagnosis {
    let what = format!("cannot write the report `{}`", path.display());
    let fix = "give a directory that can be written with --out";
    Diagnosis::new(Code::ReportNotWritten, what, error.to_string(), fix)
}

/// Writes beside the target and renames, so that a reader never meets half a report.
pub(super) fn write_file(path: &Path, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        fs::create_dir_all(directory)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&temporary)?);
        render(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
