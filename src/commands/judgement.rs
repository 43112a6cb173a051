//! What does not count in a scan: VEX documents, ignore rules and filters, read before any work and applied after
//! matching.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tracing::{debug, info, warn};

use crate::assess::filter::Filter;
use crate::assess::ignore::Rules;
use crate::assess::vex::Vex;
use crate::context::Environment;
use crate::model::{Code, Diagnosis, RuleState, RuleUse, ScanDocument, Severity};
use crate::settings::{self, Settings};

/// Everything that suppresses.
pub(super) struct Judgement {
    vex: Vex,
    rules: Rules,
    filter: Filter,
    today: Date,
}

impl Judgement {
    /// Reads the files that the settings name, and those of other tools that lie in the working directory.
    pub(super) fn of(settings: &Settings, environment: &Environment) -> Result<Self, Diagnosis> {
        let mut rules = Rules::default();
        if let Some(file) = settings.file()
            && let Some(list) = &file.ignore
        {
            let name = file.path.display().to_string();
            rules.extend(Rules::of_settings(&name, list).map_err(|error| wrong("an ignore rule", &error.to_string()))?);
        }
        let named = settings.get("ignore_files").map(|chosen| chosen.texts.as_slice());
        for name in named.unwrap_or(&FOUND_BY_THEMSELVES.map(str::to_owned)) {
            match read(name, MAX_IGNORE_FILE) {
                Ok(text) => {
                    info!("ignore rules from {name}");
                    let read = Rules::of_file(name, &text);
                    rules.extend(read.map_err(|error| wrong("an ignore file", &error.to_string()))?);
                }
                Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
                Err(error) => return Err(wrong("an ignore file", &format!("`{name}` cannot be read: {error}"))),
            }
        }
        let mut vex = Vex::default();
        for name in settings.get("vex").map(|chosen| chosen.texts.as_slice()).unwrap_or_default() {
            let text = read(name, MAX_VEX_FILE)
                .map_err(|error| wrong("a VEX document", &format!("`{name}` cannot be read: {error}")))?;
            let read = Vex::read(name, &text).map_err(|error| wrong("a VEX document", &error.to_string()))?;
            info!("{} VEX statements from {name}", read.len());
            vex.extend(read);
        }
        if environment.get("GIT_STRATEGY") == Some("none") && settings.file().is_none() {
            info!("GIT_STRATEGY is none: .plimsoll.yml and ignore files of the repository are not there to be read");
        }
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        Ok(Self { vex, rules, filter: filter(settings), today })
    }

    /// Suppresses, and says what each rule did.
    pub(super) fn apply(&self, document: &mut ScanDocument) {
        let before = document.findings().count();
        self.judge(document);
        let suppressed = before - document.findings().count();
        if suppressed > 0 {
            info!("{suppressed} of {before} findings do not count because of VEX, ignore rules or settings");
        }
        self.tell(&document.rules);
    }

    /// Suppresses without a word.
    pub(super) fn judge(&self, document: &mut ScanDocument) {
        self.vex.apply(document);
        self.rules.apply(document, self.today);
        self.filter.apply(document);
    }

    /// Says what each rule did.
    pub(super) fn tell(&self, rules: &[RuleUse]) {
        for rule in rules {
            tell(rule, self.today);
        }
    }
}

fn tell(rule: &RuleUse, today: Date) {
    let RuleUse { origin, rule: text, state, findings, expires } = rule;
    match state {
        RuleState::Applied => {
            debug!("{origin}: {text}: concerns {findings} findings");
            if let Some(last) = expires
                && let Ok(left) = today.until(*last)
                && left.get_days() <= SOON
            {
                warn!("{origin}: {text}: expires on {last}");
            }
        }
        RuleState::Unused => warn!("{origin}: {text}: matches no finding"),
        RuleState::Expired => {
            let last = expires.map(|last| last.to_string()).unwrap_or_default();
            warn!("{origin}: {text}: expired on {last} and suppresses nothing; {findings} findings");
        }
        RuleState::NotUnderstood => warn!("{origin}: {text}: cannot be followed here and suppresses nothing"),
    }
}

fn filter(settings: &Settings) -> Filter {
    let origin = |key: &str| {
        let chosen = settings.get(key)?;
        Some((chosen, format!("{key}, from {}", chosen.origin)))
    };
    let switch = |key: &str| origin(key).filter(|(chosen, _)| chosen.is_true()).map(|(_, origin)| origin);
    Filter {
        threshold: origin("severity_threshold")
            .and_then(|(chosen, origin)| Some((chosen.text().parse::<Severity>().ok()?, origin))),
        unfixed: switch("ignore_unfixed"),
        states: origin("ignore_statuses")
            .map(|(chosen, origin)| (chosen.texts.iter().filter_map(|name| settings::status(name)).collect(), origin)),
        language: switch("exclude_app_vulns"),
    }
}

fn read(name: &str, limit: u64) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(Path::new(name))?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("larger than {} MiB", limit >> 20)));
    }
    Ok(text)
}

fn wrong(what: &str, why: &str) -> Diagnosis {
    Diagnosis::new(
        Code::InvalidInput,
        format!("{what} is wrong"),
        why,
        "see docs/settings.md for the forms that are read",
    )
}

/// Files of other tools that are read if they are there.
const FOUND_BY_THEMSELVES: [&str; 4] = ["vulnerability-allowlist.yml", ".trivyignore", ".trivyignore.yaml", ".snyk"];

const MAX_IGNORE_FILE: u64 = 4 << 20;
const MAX_VEX_FILE: u64 = 64 << 20;

/// Days before a rule's last day from which it is spoken of.
const SOON: i32 = 14;
