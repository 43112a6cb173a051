//! Which reports go where, and writing them: whole files or none.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use tracing::{debug, info};

use crate::cli::{OutputArgs, ScanArgs};
use crate::context::Environment;
use crate::model::{Code, Diagnosis, ScanDocument};
use crate::report::table::{self, TableOptions};
use crate::report::{RENDERERS, Renderer};

use super::{parallel, terminal};

/// Writes every report that goes to a file into a directory, as a scan does.
///
/// # Errors
///
/// The first report, in the order of [`RENDERERS`], that could not be written; the others are.
pub fn write_reports(document: &ScanDocument, directory: &Path) -> Result<(), Diagnosis> {
    Reports { chosen: all_into(directory), table: None }.write(document)
}

/// The reports of one scan.
pub(super) struct Reports {
    chosen: Vec<(Chosen, Destination)>,
    table: Option<TableOptions>,
}

#[derive(Clone, Copy)]
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
            return Ok(Self { chosen: all_into(&out), table: (!output.quiet).then_some(table) });
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
        if let Some(path) = twice(&chosen) {
            return Err(Diagnosis::new(
                Code::InvalidInput,
                format!("several reports go to `{}`", path.display()),
                "each would replace the one before",
                "give each --format its own --output PATH",
            ));
        }
        let table = (to_stdout == 0 && !output.quiet).then_some(table);
        Ok(Self { chosen, table })
    }

    /// Writes them all, two at a time. What can be written is written, even if another cannot.
    pub(super) fn write(&self, document: &ScanDocument) -> Result<(), Diagnosis> {
        let mut jobs: Vec<Job> = Vec::new();
        for (report, destination) in &self.chosen {
            jobs.extend(jobs_of(*report, destination, document));
        }
        if self.table.is_some() {
            jobs.push(Job { report: Chosen::Table, part: 0, path: None });
        }
        let options = self.table.clone().unwrap_or_default();
        let mut failure = None;
        let mut shown = Vec::new();
        let mut order: Vec<(usize, &Job)> = jobs.iter().enumerate().collect();
        order.sort_by_key(|(_, job)| job.turn());
        let mut results = parallel::map(order, AT_ONCE, |(index, job)| (index, job.run(document, &options)));
        results.sort_by_key(|(index, _)| *index);
        for (_, result) in results {
            match result {
                Ok(text) => shown.push(text),
                Err(diagnosis) => _ = failure.get_or_insert(diagnosis),
            }
        }
        if failure.is_none()
            && let Some((_, Destination::Directory(directory))) = self.chosen.first()
        {
            info!("wrote {} reports to {}", self.chosen.len(), directory.display());
        }
        shown.iter().filter(|text| !text.is_empty()).for_each(|text| terminal::print(text));
        failure.map_or(Ok(()), Err)
    }
}

/// All reports under their own names.
fn all_into(directory: &Path) -> Vec<(Chosen, Destination)> {
    RENDERERS.iter().map(|&renderer| (Chosen::Report(renderer), Destination::Directory(directory.to_owned()))).collect()
}

/// A path that is given for two reports.
fn twice(chosen: &[(Chosen, Destination)]) -> Option<&Path> {
    let mut known = HashSet::new();
    chosen.iter().find_map(|(_, destination)| match destination {
        Destination::Path(path) => (!known.insert(path)).then_some(path.as_path()),
        Destination::StandardOutput | Destination::Directory(_) => None,
    })
}

/// One file to write, or what goes to standard output.
struct Job {
    report: Chosen,
    part: usize,
    path: Option<PathBuf>,
}

fn jobs_of(report: Chosen, destination: &Destination, document: &ScanDocument) -> Vec<Job> {
    let names = match report {
        Chosen::Report(renderer) => renderer.files(document),
        Chosen::Table => vec!["table.txt".to_owned()],
    };
    let are_several = names.len() > 1;
    let path = |name: &String| match destination {
        Destination::StandardOutput => None,
        Destination::Path(path) if !are_several => Some(path.clone()),
        Destination::Path(directory) | Destination::Directory(directory) => Some(directory.join(name)),
    };
    names.iter().enumerate().map(|(part, name)| Job { report, part, path: path(name) }).collect()
}

impl Job {
    /// What takes longest comes first, so that all threads end at about the same time.
    fn turn(&self) -> usize {
        let format = match self.report {
            Chosen::Report(renderer) => renderer.format(),
            Chosen::Table => "table",
        };
        LONGEST_FIRST.iter().position(|known| *known == format).unwrap_or(LONGEST_FIRST.len())
    }

    /// What is to be shown; nothing where it went to a file.
    fn run(&self, document: &ScanDocument, options: &TableOptions) -> Result<Vec<u8>, Diagnosis> {
        let render = |out: &mut dyn Write| match self.report {
            Chosen::Report(renderer) => renderer.render(document, self.part, out),
            Chosen::Table => table::render(document, options, out),
        };
        let mut shown = Vec::new();
        match &self.path {
            // Writing into memory cannot fail.
            None => _ = render(&mut shown),
            Some(path) => {
                write_report(path, render).map_err(|error| not_written(path, &error))?;
                debug!("wrote {}", path.display());
            }
        }
        Ok(shown)
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

/// The diagnosis of a report that could not be written.
pub(super) fn not_written(path: &Path, error: &io::Error) -> Diagnosis {
    let what = format!("cannot write the report `{}`", path.display());
    let fix = "give a directory that can be written with --out";
    Diagnosis::new(Code::ReportNotWritten, what, error.to_string(), fix)
}

/// Writes beside the target and renames, so that a reader never meets half a file; and waits for the disk.
pub(super) fn write_file(path: &Path, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    replace(path, |out| {
        render(out)?;
        out.flush()?;
        out.get_ref().sync_all()
    })
}

/// The same without waiting for the disk, which for large reports takes longer than writing them. Who reads a report does
/// so on this machine, and after a loss of power there is no job that wants it.
fn write_report(path: &Path, render: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    replace(path, |out| render(out))
}

/// Writes a document of ours as JSON, in the same way.
pub(super) fn write_json(path: &Path, document: &impl Serialize) -> Result<(), Diagnosis> {
    replace(path, |out| serde_json::to_writer(out as &mut dyn Write, document).map_err(io::Error::from))
        .map_err(|error| not_written(path, &error))
}

/// Writes beside the target and renames.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        fs::create_dir_all(directory)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}-{number}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&temporary)?);
        write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// By what `cargo bench --bench reports` measures.
const LONGEST_FIRST: [&str; 7] = ["gitlab", "cyclonedx", "json", "junit", "sarif", "html", "code-quality"];

/// Reports that are written at the same time. More would take more memory, and most jobs have no more cores.
const AT_ONCE: usize = 2;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::commands::scan::empty_document;

    #[test]
    fn a_report_that_cannot_be_written_costs_no_other() {
        let place = tempfile::tempdir().unwrap();
        let document = empty_document(Timestamp::UNIX_EPOCH);
        // Files cannot take the place of directories that are not empty.
        for name in ["summary.md", "plimsoll.sarif"] {
            fs::create_dir_all(place.path().join(name).join("x")).unwrap();
        }
        for _ in 0..5 {
            let diagnosis = write_reports(&document, place.path()).unwrap_err();
            assert!(diagnosis.what.contains("plimsoll.sarif"), "always the first one: {}", diagnosis.what);
            let names = fs::read_dir(place.path()).unwrap().map(|file| file.unwrap().file_name());
            let names: HashSet<String> = names.map(|name| name.into_string().unwrap()).collect();
            for renderer in RENDERERS {
                assert!(renderer.files(&document).iter().all(|name| names.contains(name)), "{}", renderer.format());
            }
            assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
        }
    }

    #[test]
    fn no_path_is_written_twice() {
        let to = |path: &str| (Chosen::Table, Destination::Path(path.into()));
        let into = |path: &str| (Chosen::Table, Destination::Directory(path.into()));
        assert_eq!(twice(&[to("a"), to("b"), into("a"), into("a")]), None);
        assert_eq!(twice(&[to("a"), to("b"), to("a")]), Some(Path::new("a")));
    }
}
