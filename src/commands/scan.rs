//! `plimsoll scan`: resolve → inventory → match → reports.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tracing::{info, warn};

use crate::advisories::Database;
use crate::cli::{OutputArgs, ScanArgs};
use crate::context::{Environment, Job};
use crate::exit::Exit;
use crate::image::{self, InvalidSource, Source};
use crate::inventory;
use crate::matching::{self, Memo};
use crate::model::{
    Code, CoverageStatus, Diagnosis, Digest, Gap, GapKind, ImageReference, ImageScan, Inventory, Outcome, PackageKind,
    Platform, ScanDocument, Tool,
};
use crate::registry::Registry;
use crate::report;
use crate::settings::Settings;

use super::baseline::{Baseline, Wanted};
use super::connection::Connection;
use super::import_log::{Entry, ImportLog};
use super::judgement::Judgement;
use super::output::Reports;
use super::progress::Reading;
use super::section::Section;
use super::{
    base, bill_of_materials, built, database, doctor, gate, images, limits, page, platforms, preflight, sources,
    terminal,
};

pub(super) fn run(
    args: &ScanArgs,
    output: &OutputArgs,
    environment: &Environment,
    settings: &Settings,
) -> Result<Exit, Diagnosis> {
    gate::Policies::of(None, None, environment)?;
    gate::check_inputs(environment)?;
    let judgement = Judgement::of(settings, environment)?;
    let reports = Reports::chosen(args, output, environment)?;
    let platforms = platforms::Wanted::of(args, environment)?;
    let wanted = Wanted::of(args, environment)?;
    let limits = limits::of(environment)?;
    let built = if args.sources.is_empty() { built::images(environment)? } else { Vec::new() };
    let started = Timestamp::now();
    let images::Expanded { names, diagnoses } =
        images::expand(sources::named(args, environment)?, settings, environment);
    let mut document = empty_document(started);
    document.project = judgement.project.clone();
    for diagnosis in &diagnoses {
        terminal::error(&diagnosis.to_string());
    }
    document.diagnoses = diagnoses;
    if names.is_empty() && document.diagnoses.is_empty() {
        document.diagnoses.push(nothing_to_scan(environment));
    }
    let (names, refused) = page::images(names, environment);
    let mut connection = Connection::new(environment, &names, args.cache_dir.as_deref());
    connection.set_limits(limits);
    connection.hints = base::Hints::of(environment, judgement.project.dockerfile.as_ref());
    let (names, missed) = sources::settled(names, args, &built, environment, &mut connection);
    for missed in missed {
        terminal::error(&missed.to_string());
        document.diagnoses.push(missed);
    }
    let (names, out_of_reach) = preflight::images(names, &mut connection);
    let mut read_in = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let begun = Instant::now();
        let title = format!("{name} ({} of {})", index + 1, names.len());
        let section = (names.len() > 1).then(|| Section::open(environment, &format!("image_{}", index + 1), &title));
        let read = take_inventories(name, &platforms, &mut connection, output);
        drop(section);
        read_in.extend(read.iter().map(|image| (image.name.clone(), begun.elapsed())));
        document.images.extend(read);
    }
    document.images.extend(refused.into_iter().chain(out_of_reach));
    let inventories = document.images.iter().filter_map(|image| image.inventory.as_ref());
    let mut too_late = None;
    let baseline = match inventories.clone().next() {
        Some(_) => wanted.fetch(environment, args.out.as_deref(), &names, |name| {
            let read = platforms.read(name, &mut connection, output);
            if !read.as_ref().is_ok_and(|images| images.iter().all(|image| image.diagnosis.is_none())) {
                too_late = connection.out_of_time(name);
            }
            read
        }),
        None => None,
    };
    document.diagnoses.extend(too_late);
    let inventories = inventories.chain(baseline.iter().flat_map(Baseline::inventories));
    match database::open(args, environment, inventories) {
        Ok(database::Opened { database, gaps }) => {
            document.database = Some(database.info().clone());
            let today = started.to_zoned(TimeZone::UTC).date();
            for image in &mut document.images {
                match_image(image, &database, today);
                judgement.report_end_of_life(image, &database);
                if let Some(inventory) = &mut image.inventory {
                    inventory.gaps.extend_from_slice(&gaps);
                }
            }
            document.comparison =
                baseline.map(|baseline| baseline.compare(&mut document.images, &database, environment, &judgement));
            judgement.apply(&mut document);
        }
        Err(diagnosis) if document.images.iter().any(|image| image.inventory.is_some()) => {
            terminal::error(&diagnosis.to_string());
            document.diagnoses.push(diagnosis);
        }
        Err(_) => {}
    }
    // Releases have versions for tags, and each is a thing of its own.
    if Job::from_environment(environment).is_some_and(|job| !job.is_tag) {
        for (image, tag) in document.images.iter().filter_map(|image| Some((image, report::version_tag(image)?))) {
            warn!(
                "{}: GitLab takes the tag `{tag}` for a version and for a part of what a finding is: with every new tag \
                 all findings are new. Tag with the branch or commit, or with a letter in front",
                image.name
            );
        }
    }
    let failed =
        !document.diagnoses.is_empty() || document.images.iter().any(|image| image.outcome == Outcome::Failure);
    document.outcome = if failed { Outcome::Failure } else { Outcome::Success };
    document.finished = Timestamp::now();
    if document.images.iter().filter_map(|image| image.diagnosis.as_ref()).any(is_about_the_way) {
        info!("what surrounds the registry:\n{}", doctor::after_failure(environment).trim_end());
    }
    reports.write(&document)?;
    if let Some(out) = args.out.as_deref().filter(|_| args.formats.is_empty()) {
        super::settings::keep_copy(settings, out).map_err(|error| super::output::not_written(out, &error))?;
        import_log(&document, &read_in).write(out)?;
    }
    Ok(exit(&document))
}

/// What became of each image, with what reading it took.
fn import_log(document: &ScanDocument, read_in: &HashMap<String, Duration>) -> ImportLog {
    let took = |image: &ImageScan| read_in.get(&image.name).copied().unwrap_or_default();
    let images = document.images.iter().map(|image| Entry::scanned(image, took(image))).collect();
    let notices = document.diagnoses.iter().map(ToString::to_string).collect();
    ImportLog { finished: document.finished, images, notices, ..ImportLog::new(document.started) }
}

/// A document without images.
pub(super) fn empty_document(started: Timestamp) -> ScanDocument {
    ScanDocument {
        format: ScanDocument::FORMAT.into(),
        tool: Tool { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() },
        started,
        finished: started,
        outcome: Outcome::Success,
        database: None,
        images: Vec::new(),
        comparison: None,
        diagnoses: Vec::new(),
        rules: Vec::new(),
        project: crate::model::Project::default(),
    }
}

/// The inventory of one image, for commands that ask something else about it than a scan.
pub(super) fn inventory_of(
    name: &str,
    args: &ScanArgs,
    environment: &Environment,
    output: &OutputArgs,
) -> Result<ImageScan, Diagnosis> {
    let names = [page::image(name, environment)?];
    let [name] = &names;
    let mut connection = Connection::new(environment, &names, args.cache_dir.as_deref());
    connection.set_limits(limits::of(environment)?);
    let platform = platforms::Wanted::of(args, environment)?.only();
    let mut image = read_image(name, &platform, &mut connection, output)?.0;
    match image.diagnosis.take() {
        Some(diagnosis) if image.inventory.is_none() => Err(diagnosis),
        _ => Ok(image),
    }
}

/// Opens an image, for each platform that is wanted, and reads what it holds; a failure is told, and is part of the result.
fn take_inventories(
    name: &str,
    platforms: &platforms::Wanted,
    connection: &mut Connection<'_>,
    output: &OutputArgs,
) -> Vec<ImageScan> {
    platforms.read(name, connection, output).unwrap_or_else(|diagnosis| {
        terminal::error(&diagnosis.to_string());
        vec![failure(name.to_owned(), diagnosis, None)]
    })
}

/// Reads what an image holds for one platform, of those that are returned beside it.
pub(super) fn read_image(
    name: &str,
    platform: &Platform,
    connection: &mut Connection<'_>,
    output: &OutputArgs,
) -> Result<(ImageScan, Vec<Platform>), Diagnosis> {
    if let Some(diagnosis) = connection.out_of_time(name) {
        return Err(diagnosis);
    }
    if let Ok(Source::Sbom { path }) = name.parse() {
        let inventory = bill_of_materials::read(name, &path, &connection.limits)?;
        return Ok((judge_inventory(name.to_owned(), inventory, None), Vec::new()));
    }
    let (source, image) = open_image(name, platform, connection)?;
    info!("{name}: {}, {}", report::count(image.layers.len(), "layer"), describe(&image));
    if let Some((first, known)) = connection.known(&image) {
        info!("{name}: the same image as {first}, which has been read");
        return Ok((whether_complete(source.to_string(), known.clone()), image.offered));
    }
    let progress = Reading::start(&image.layers, output);
    let mut inventory = inventory::take_cached(&image, &connection.limits, &progress, connection.layers.as_ref());
    progress.finish();
    let (hints, limits) = (connection.hints.clone(), connection.limits.clone());
    let mut clients = |image: &ImageReference| connection.registry(image);
    inventory.base = hints.base(&source, &image, platform, &mut clients, &limits);
    let read = judge_inventory(source.to_string(), inventory, connection.out_of_time(name));
    if let (Outcome::Success, Some(inventory)) = (read.outcome, &read.inventory) {
        connection.read.push((name.to_owned(), inventory.clone()));
    }
    Ok((read, image.offered))
}

/// The platforms that an image can be had for; none where there is nothing to choose from.
pub(super) fn platforms_of(name: &str, connection: &mut Connection<'_>) -> Result<Vec<Platform>, Diagnosis> {
    let (source, registry) = source_of(name, connection)?;
    if matches!(source, Source::Sbom { .. }) {
        return Ok(Vec::new());
    }
    image::platforms(&source, &connection.limits, registry.as_ref()).map_err(|error| error.diagnosis())
}

fn open_image(
    name: &str,
    platform: &Platform,
    connection: &mut Connection<'_>,
) -> Result<(Source, image::Image), Diagnosis> {
    let (source, registry) = source_of(name, connection)?;
    let image =
        image::open(&source, platform, &connection.limits, registry.as_ref()).map_err(|error| error.diagnosis())?;
    Ok((source, image))
}

fn source_of(name: &str, connection: &mut Connection<'_>) -> Result<(Source, Option<Arc<Registry>>), Diagnosis> {
    let source: Source = name.parse().map_err(|error: InvalidSource| {
        let fix = "see plimsoll scan --help for the forms of a source";
        Diagnosis::new(Code::InvalidInput, "this is no source of an image", error.to_string(), fix)
    })?;
    let registry = match &source {
        Source::Registry(reference) => Some(connection.registry(reference)?),
        _ => None,
    };
    Ok((source, registry))
}

fn describe(image: &image::Image) -> String {
    let digest = image.identity.manifest_digest.as_ref().map(ToString::to_string);
    let platform = image.identity.platform.as_ref().map(ToString::to_string);
    [digest, platform].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub(super) fn failure(name: String, diagnosis: Diagnosis, inventory: Option<Inventory>) -> ImageScan {
    ImageScan {
        name,
        outcome: Outcome::Failure,
        diagnosis: Some(diagnosis),
        inventory,
        findings: Vec::new(),
        suppressed: Vec::new(),
        coverage: Vec::new(),
        packages: None,
        summary: None,
    }
}

/// Tells a complete inventory from one that hides something essential: a layer or package database that could not be
/// read, or nothing recognised at all.
fn judge_inventory(name: String, inventory: Inventory, out_of_time: Option<Diagnosis>) -> ImageScan {
    let mut image = whether_complete(name, inventory);
    // What was read until then is judged all the same.
    if let Some(diagnosis) = &mut image.diagnosis
        && diagnosis.code == Code::LimitExceeded
    {
        *diagnosis = out_of_time.unwrap_or_else(|| diagnosis.clone());
    }
    for gap in image.inventory.iter().flat_map(|inventory| &inventory.gaps) {
        warn!("{gap}");
    }
    if let Some(diagnosis) = &image.diagnosis {
        terminal::error(&diagnosis.to_string());
    }
    image
}

/// The same without a word.
pub(super) fn whether_complete(name: String, inventory: Inventory) -> ImageScan {
    let essential = inventory.gaps.iter().find(|gap| match gap.kind {
        GapKind::IncompleteLayer | GapKind::UnsupportedLayer => true,
        // A limit that a whole layer meets hides anything; one that a file meets hides that file.
        GapKind::LimitMet => {
            gap.subject.starts_with("layer ")
                || gap.subject.parse::<Digest>().is_ok()
                || inventory::is_package_database(&gap.subject)
        }
        GapKind::UnreadableFile => inventory::is_package_database(&gap.subject),
        _ => false,
    });
    let diagnosis = if let Some(gap) = essential {
        let code = match gap.kind {
            GapKind::LimitMet => Code::LimitExceeded,
            _ => Code::CorruptLayer,
        };
        let what = format!("{name} could be read in part only");
        let remedy = match gap.kind {
            GapKind::LimitMet => "if the image is trusted, raise the limit by the setting `limits`",
            _ => "push the image again",
        };
        let fix = format!("{remedy}; what could be read is in the reports, and nothing is said about the rest");
        Some(Diagnosis::new(code, what, gap.to_string(), fix))
    } else if !inventory.packages.iter().any(|package| can_be_judged(package.kind)) {
        let what = format!("{name} holds nothing that can be judged");
        let os = inventory.distribution.as_ref().map_or("no distribution", |distribution| distribution.name.as_str());
        let why = format!(
            "{os}, no package database and no language packages were recognised in its {}",
            report::count(inventory.layers.len(), "layer")
        );
        let fix = "this is not a clean bill: scan an image that has package metadata, or give its SBOM";
        Some(Diagnosis::new(Code::NothingToScan, what, why, fix))
    } else {
        None
    };
    match diagnosis {
        Some(diagnosis) => failure(name, diagnosis, Some(inventory)),
        None => ImageScan::of(name, inventory),
    }
}

/// Whether somebody publishes advisories for packages of this kind; for programs without a package Bitnami does.
fn can_be_judged(kind: PackageKind) -> bool {
    kind.is_os() || kind.shard().is_some() || kind == PackageKind::Generic
}

/// Matches one image; an index that cannot be read fails the image, as nothing may be concluded from it.
fn match_image(image: &mut ImageScan, database: &Database, today: Date) {
    let known = image.inventory.as_ref().map_or(0, |inventory| inventory.gaps.len());
    let before = image.diagnosis.clone();
    judge(image, database, None, today);
    for gap in image.inventory.iter().flat_map(|inventory| inventory.gaps.iter().skip(known)) {
        warn!("{gap}");
    }
    if let Some(diagnosis) = image.diagnosis.as_ref().filter(|diagnosis| before.as_ref() != Some(diagnosis)) {
        terminal::error(&diagnosis.to_string());
    }
}

/// The same without a word.
pub(super) fn judge(image: &mut ImageScan, database: &Database, memo: Option<&Memo>, today: Date) {
    let Some(inventory) = &mut image.inventory else { return };
    let matched = match matching::match_with(inventory, database, memo) {
        Ok(matched) => matched,
        Err(error) => {
            image.outcome = Outcome::Failure;
            image.diagnosis.get_or_insert(database::unreadable(&error));
            return;
        }
    };
    inventory
        .gaps
        .extend(matched.gaps.into_iter().chain(end_of_life(inventory, database, today)).collect::<Vec<Gap>>());
    image.findings = matched.findings;
    image.suppressed = matched.suppressed;
    image.coverage = matched.coverage;
    let of_others = |kind| can_be_judged(kind) && kind != PackageKind::Generic;
    let is_judged = inventory.packages.iter().any(|package| of_others(package.kind))
        || image.coverage.iter().any(|coverage| coverage.status == CoverageStatus::Covered);
    if !is_judged && image.outcome == Outcome::Success {
        let programs: Vec<&str> = inventory.packages.iter().map(|package| package.name.as_str()).collect();
        let diagnosis = Diagnosis::new(
            Code::NothingToScan,
            format!("{} holds nothing that can be judged", image.name),
            format!(
                "no advisory of the database speaks of its programs ({}), and it has no packages",
                programs.join(", ")
            ),
            "this is not a clean bill: scan an image that has package metadata, or give its SBOM",
        );
        image.outcome = Outcome::Failure;
        image.diagnosis = Some(diagnosis);
    }
    let unjudged =
        image.coverage.iter().find(|coverage| coverage.kind.is_os() && coverage.status == CoverageStatus::NoData);
    if let (Some(coverage), Outcome::Success) = (unjudged, image.outcome) {
        let system =
            inventory.distribution.as_ref().map_or("this distribution", |distribution| distribution.name.as_str());
        let diagnosis = Diagnosis::new(
            Code::DatabaseUnavailable,
            format!("no advisories for {system}"),
            format!(
                "the database has no shard `{}`; {} of {} could not be judged",
                coverage.shard,
                report::count(coverage.packages, "package"),
                image.name
            ),
            "build the database with a feed for this distribution; this is not zero vulnerabilities",
        );
        image.outcome = Outcome::Failure;
        image.diagnosis = Some(diagnosis);
    }
}

/// A release whose support is over is not clean because nothing is said about it any more.
fn end_of_life(inventory: &Inventory, database: &Database, today: Date) -> Option<Gap> {
    let distribution = inventory.distribution.as_ref()?;
    // A damaged database has been told of by the matching.
    let known = database.end_of_life(distribution).ok().flatten().filter(|known| known.is_over_on(today))?;
    let since = known.ends.map_or_else(String::new, |day| format!(" since {day}"));
    let extended = known.extended_ends.filter(|day| *day >= today);
    let extended = extended.map_or_else(String::new, |day| format!(" (until {day} for subscribers)"));
    let reason =
        format!("no security updates{since}{extended}: flaws found later are in no advisory; move to a newer release");
    Some(Gap::new(GapKind::EndOfLife, &distribution.name, reason))
}

/// Says why there is nothing.
fn nothing_to_scan(environment: &Environment) -> Diagnosis {
    let in_pipeline = environment.is_true("GITLAB_CI") || environment.get("CI_PIPELINE_ID").is_some();
    let diagnosis = if in_pipeline && environment.get("CI_REGISTRY_IMAGE").is_none() {
        let why = "CI_REGISTRY_IMAGE is not set and neither CS_IMAGE nor CI_APPLICATION_REPOSITORY names an image";
        let fix = "turn it on in Settings › General › Visibility › Container registry, or set CS_IMAGE";
        Diagnosis::new(Code::RegistryDisabled, "this project has no container registry", why, fix)
    } else {
        let why = "no SOURCE was given and no variable of a pipeline names an image";
        Diagnosis::new(
            Code::NothingToScan,
            "there is nothing to scan",
            why,
            "name an image, or set CS_IMAGE; see plimsoll scan --help",
        )
    };
    terminal::error(&diagnosis.to_string());
    diagnosis
}

/// Whether a failure lies between this machine and the image: then it helps to know what else works.
fn is_about_the_way(diagnosis: &Diagnosis) -> bool {
    use Code::{
        ClockSkew, ConnectionRefused, HostUnknown, InsufficientScope, InvalidCertificate, JobTokenNotAllowed,
        ProjectInvisible, ProxyFailed, TokenExpired, TokenServiceUnreachable, UntrustedCertificate, WrongCredentials,
    };
    matches!(
        diagnosis.code,
        HostUnknown
            | ConnectionRefused
            | UntrustedCertificate
            | InvalidCertificate
            | TokenServiceUnreachable
            | WrongCredentials
            | InsufficientScope
            | TokenExpired
            | ProjectInvisible
            | JobTokenNotAllowed
            | ClockSkew
            | ProxyFailed
    )
}

/// 3 where there was nothing to scan at all, 2 where something could not be completed, else 0.
pub(super) fn exit(document: &ScanDocument) -> Exit {
    if document.outcome == Outcome::Success {
        return Exit::Done;
    }
    let of_images = document.images.iter().filter_map(|image| image.diagnosis.as_ref());
    let mut all = document.diagnoses.iter().chain(of_images).peekable();
    let nothing = all.peek().is_some()
        && all.all(|diagnosis| matches!(diagnosis.code, Code::NothingToScan | Code::RegistryDisabled));
    let some_scanned = document.images.iter().any(|image| image.outcome == Outcome::Success);
    if nothing && !some_scanned { Exit::NothingToScan } else { Exit::Incomplete }
}
