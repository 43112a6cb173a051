//! One file per verb: the only place where the stages meet, and the only one that talks to people.

mod alert;
mod base;
mod baseline;
mod bill_of_materials;
mod built;
mod compare_versions;
mod completions;
mod connection;
mod database;
mod db;
mod doctor;
mod explain;
mod gate;
mod ignore;
mod images;
mod import_log;
mod judgement;
mod limits;
mod log;
mod manual;
mod notification;
mod output;
mod overview;
mod page;
mod parallel;
mod plan;
mod platforms;
mod preflight;
mod progress;
mod publish;
mod pushed;
mod report;
mod repository;
mod retest;
mod scan;
mod section;
mod settings;
mod sources;
mod terminal;

use std::process::ExitCode;

pub use output::write_reports;

use crate::cli::{Cli, Command, DbCommand};
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::Diagnosis;

/// Runs the command line.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    execute(cli, &Environment::of_process()).unwrap_or_else(|diagnosis| fail(&diagnosis)).into()
}

fn execute(cli: &Cli, environment: &Environment) -> Result<Exit, Diagnosis> {
    let settings = settings::settle(cli, environment)?;
    let environment = settings.entered_into(environment);
    let output = settings::output(&cli.output, &environment);
    log::start(&output, &environment)?;
    settings::log(&settings);
    match &cli.command {
        Command::Scan(args) => scan::run(&settings::scan(args, &environment), &output, &environment, &settings),
        Command::Report(args) => report::run(args, &output, &environment),
        Command::Gate(args) => gate::run(args, &environment),
        Command::Ignore(args) => {
            let (file, _) = crate::settings::location(cli.config.as_deref(), &environment);
            ignore::run(args, &file, &environment, &settings)
        }
        Command::Publish(args) => publish::run(args, &environment),
        Command::Doctor(args) => doctor::run(args, &environment),
        Command::Db(DbCommand::Build(args)) => db::build(args, &environment),
        Command::Db(DbCommand::Status(args)) => db::status(args, &environment),
        Command::Db(DbCommand::Update(args)) => db::update(args, &environment),
        Command::Db(DbCommand::Push(args)) => db::push(args, &environment),
        Command::Db(DbCommand::Mirror(args)) => db::mirror(args, &environment),
        Command::Db(DbCommand::Export(args)) => db::export(args, &environment),
        Command::Db(DbCommand::Import(args)) => db::import(args, &environment),
        Command::Explain(args) => explain::run(args, &output, &environment),
        Command::CompareVersions(args) => compare_versions::run(args),
        Command::Images(args) => images::run(args, &environment, &settings),
        Command::Retest(args) => retest::run(&settings::retest(args, &environment), &output, &environment, &settings),
        Command::Plan(args) => plan::run(args, &environment, &settings),
        Command::Alert(args) => alert::run(args, &environment),
        Command::Overview(args) => overview::run(args, &environment),
        Command::Completions(args) => Ok(completions::run(args)),
        Command::Manual(args) => manual::run(args),
    }
}

/// Tells people, once, why a command could not do its work.
fn fail(diagnosis: &Diagnosis) -> Exit {
    terminal::error(&diagnosis.to_string());
    Exit::Incomplete
}
