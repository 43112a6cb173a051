//! `plimsoll explain`: why an image has a vulnerability, or why it has not, from the evidence to the verdict.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::cli::{ExplainArgs, OutputArgs, ScanArgs};
use crate::context::Environment;
use crate::exit::Exit;
use crate::matching::{self, Case, Consulted, Explanation, Lookup, Matched, Said, Verdict};
use crate::model::{
    Code, CveFacts, DatabaseInfo, Diagnosis, Finding, FixState, GapKind, Inventory, Package, Platforms,
    SuppressionReason,
};

use super::{database, gate, scan, terminal};

pub(super) fn run(args: &ExplainArgs, output: &OutputArgs, environment: &Environment) -> Result<Exit, Diagnosis> {
    let id = identifier(&args.id)?;
    let wanted = ScanArgs {
        sources: args.image.iter().cloned().collect(),
        db: args.db.clone(),
        platform: args.platform.clone().map(|platform| Platforms::Each(vec![platform])),
        offline: args.offline,
        trust: args.trust.clone(),
        ..ScanArgs::default()
    };
    let mut images = match &args.image {
        Some(name) => vec![scan::inventory_of(name, &wanted, environment, output)?],
        None => gate::read_document(&args.report)?.images,
    };
    let opened = database::open(&wanted, environment, images.iter().filter_map(|image| image.inventory.as_ref()))?;
    let database::Opened { database, gaps: stale } = opened;
    let mut text = String::new();
    for image in &mut images {
        let Some(inventory) = image.inventory.take() else {
            let _ = writeln!(text, "{}: its packages could not be read", image.name);
            continue;
        };
        // A report has what rules and VEX statements set aside, too.
        let matched = if args.image.is_some() {
            matching::match_inventory(&inventory, &database).map_err(|error| database::unreadable(&error))?
        } else {
            Matched {
                findings: std::mem::take(&mut image.findings),
                suppressed: std::mem::take(&mut image.suppressed),
                ..Matched::default()
            }
        };
        let explanation =
            matching::explain(&id, &inventory, &matched, &database).map_err(|error| database::unreadable(&error))?;
        if !text.is_empty() {
            text.push('\n');
        }
        Page { text: &mut text, inventory: &inventory, database: database.info() }
            .explanation(&image.name, &explanation);
        if let Some(all) = image.packages {
            let listed = inventory.packages.len();
            let what =
                format!("only {listed} of its {} were asked for: a retest lists those with findings", packages(all));
            line(&mut text, "unsure", &what);
        }
        gaps(&matched, &inventory, &mut text);
    }
    if text.is_empty() {
        text.push_str("there is no image to look into\n");
    }
    for gap in stale {
        line(&mut text, "unsure", &gap.to_string());
    }
    terminal::print(terminal::neutralised(&text).as_bytes());
    Ok(Exit::Done)
}

/// An id as the feeds write it: `cve-2024-1` is `CVE-2024-1`, `ghsa-…` is `GHSA-…`.
fn identifier(text: &str) -> Result<String, Diagnosis> {
    let text = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '_');
    if text.is_empty() || text.len() > 100 || !text.chars().all(allowed) {
        return Err(Diagnosis::new(
            Code::InvalidInput,
            format!("`{text}` is not the id of a vulnerability or advisory"),
            "ids are letters, digits and the signs - : . _",
            "write for example CVE-2024-3094, GHSA-29mw-wpgm-hmr9 or DSA-5532-1",
        ));
    }
    let (prefix, rest) = text.split_once('-').unwrap_or(("", text));
    Ok(match prefix.to_ascii_uppercase().as_str() {
        "" => text.to_owned(),
        // What follows is in lower case.
        "GHSA" => format!("GHSA-{}", rest.to_ascii_lowercase()),
        prefix if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("{prefix}-{rest}"),
        "CVE" | "UBUNTU" | "DEBIAN" | "ALPINE" => text.to_ascii_uppercase(),
        _ => text.to_owned(),
    })
}

/// Packages that no order of versions could be found for are no packages without vulnerabilities.
fn gaps(matched: &Matched, inventory: &Inventory, text: &mut String) {
    let all = matched.gaps.iter().chain(&inventory.gaps);
    for gap in all.filter(|gap| gap.kind == GapKind::NotComparable).take(MOST) {
        line(text, "unsure", &format!("{}: {}", gap.subject, gap.reason));
    }
}

/// Where the explanation of one image goes.
struct Page<'a> {
    text: &'a mut String,
    inventory: &'a Inventory,
    database: &'a DatabaseInfo,
}

impl Page<'_> {
    fn explanation(&mut self, image: &str, explanation: &Explanation) {
        let found = |verdict: &Verdict| matches!(verdict, Verdict::Found(_));
        let affected = explanation.cases.iter().filter(|case| found(&case.verdict)).count();
        let suppressed = explanation.cases.iter().filter(|case| matches!(case.verdict, Verdict::Suppressed(_))).count();
        let verdict = match (affected, suppressed) {
            (0, 0) => "not found".to_owned(),
            (0, number) => format!("suppressed in {}", packages(number)),
            (number, 0) => format!("found in {}", packages(number)),
            (number, more) => format!("found in {}, suppressed in {more}", packages(number)),
        };
        let _ = writeln!(self.text, "{} in {image}: {verdict}", explanation.id);
        self.about(explanation);
        for case in &explanation.cases {
            self.case(case);
        }
        self.lookups(explanation);
    }

    /// What is known of the vulnerability whatever the package.
    fn about(&mut self, explanation: &Explanation) {
        if !explanation.aliases.is_empty() {
            self.line("also", &explanation.aliases.join(", "));
        }
        if let Some(details) = &explanation.details {
            let text = if details.summary.is_empty() { &details.description } else { &details.summary };
            let text: String = text.lines().next().unwrap_or_default().chars().take(LONGEST).collect();
            if !text.is_empty() {
                self.line("about", &text);
            }
        }
        let CveFacts { kev, epss, cvss, .. } = &explanation.facts;
        if let Some(kev) = kev {
            self.line("exploited", &format!("known to be, since {} (CISA)", kev.added));
        }
        if let Some(epss) = epss {
            self.line("likelihood", &format!("{:.1} % within 30 days (EPSS)", epss.score * 100.0));
        }
        for cvss in cvss.iter().take(2) {
            self.line("CVSS", &format!("{:.1} {} ({})", cvss.score, cvss.vector, cvss.source));
        }
        let system = self.inventory.distribution.as_ref().map_or("none recognised", |d| d.name.as_str());
        self.line("system", system);
        for (index, set) in explanation.content_sets.iter().take(MOST).enumerate() {
            let listed: Vec<String> = set.listed.iter().map(ToString::to_string).collect();
            let listed = (!listed.is_empty()).then(|| format!("is {} (Red Hat's list)", listed.join(", ")));
            let named = set.named.as_ref().map(|product| format!("is taken for {product} by its name"));
            let told = match (listed, named) {
                (Some(listed), Some(named)) => format!("{listed}, and {named}"),
                (Some(told), None) | (None, Some(told)) => told,
                (None, None) => "stands for no product that is known".to_owned(),
            };
            self.line(if index == 0 { "repository" } else { "" }, &format!("{} {told}", set.name));
        }
        if let Some(more @ 1..) = explanation.content_sets.len().checked_sub(MOST) {
            self.line("", &format!("… and {more} more"));
        }
    }

    fn case(&mut self, case: &Case) {
        let verdict = match &case.verdict {
            Verdict::Found(_) => "AFFECTED",
            Verdict::Suppressed(_) => "SUPPRESSED",
            Verdict::NotFound => "not affected",
        };
        let package = &case.package;
        let _ = writeln!(self.text, "\n{} {} ({}): {verdict}", package.name, package.version, package.kind.purl_type());
        if let Some(package) = self.inventory.packages.get(package.index) {
            self.evidence(package);
        }
        let mut names: Vec<String> = Vec::new();
        for record in &case.records {
            let name = format!("{} {}", record.name, record.version);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let is_source = names.iter().all(|name| !name.starts_with(&format!("{} ", package.name)));
        let what = if is_source { "source package " } else { "" };
        self.line("looked up", &format!("{what}{} in {}", names.join(", "), case.shard));
        for (index, record) in case.records.iter().take(MOST).enumerate() {
            self.line(if index == 0 { "records" } else { "" }, &said(record));
        }
        if let Some(more @ 1..) = case.records.len().checked_sub(MOST) {
            self.line("", &format!("… and {more} more"));
        }
        match &case.verdict {
            Verdict::Found(findings) => findings.iter().for_each(|finding| self.finding(finding)),
            Verdict::Suppressed(all) => {
                for suppressed in all {
                    self.finding(&suppressed.finding);
                    let why = suppression(suppressed.reason);
                    self.line("suppressed", &format!("{why}: {}", suppressed.explanation));
                }
            }
            Verdict::NotFound => self.line("verdict", why_not(&case.records)),
        }
    }

    /// Where the package was found and what put it there.
    fn evidence(&mut self, package: &Package) {
        for (index, location) in package.locations.iter().take(MOST).enumerate() {
            let layer = match self.inventory.layers.get(location.layer) {
                None => String::new(),
                Some(layer) => {
                    let digest = layer.diff_id.as_ref().or(layer.digest.as_ref());
                    let digest = digest.map(|digest| format!(" sha256:{}", digest.short())).unwrap_or_default();
                    let command = layer.created_by.as_deref().unwrap_or_default().replace(['\n', '\t'], " ");
                    let command: String = command.chars().take(LONGEST).collect();
                    let command = if command.is_empty() { command } else { format!(": {command}") };
                    format!(", layer {}{digest}{command}", location.layer)
                }
            };
            self.line(if index == 0 { "evidence" } else { "" }, &format!("{}{layer}", location.path));
        }
        if let Some(owner) = &package.owned_by {
            self.line("owned by", owner);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let fix = match finding.fix.version_in_words() {
            Some(version) => format!("upgrade to {version}"),
            None => fix_state(finding.fix.state).to_owned(),
        };
        self.line("finding", &finding.identifiers.join(", "));
        self.line("fix", &fix);
        self.line("severity", &format!("{} (from {})", finding.severity, finding.severity_source));
        for (index, factor) in finding.factors.iter().enumerate() {
            let text = format!("{} ({}): {}", factor.id.reason(), factor.effect.in_words(), factor.evidence);
            self.line(if index == 0 { "factors" } else { "" }, &text);
        }
        if let Some(original) = finding.original_severity {
            self.line("", &format!("which make {} of {original}", finding.severity));
        } else if !finding.factors.is_empty() {
            self.line("", &format!("with which it would be {}", finding.weighed()));
        }
    }

    /// What was asked, and what that is worth.
    fn lookups(&mut self, explanation: &Explanation) {
        self.text.push('\n');
        let mut label = "asked";
        for Lookup { shard, packages: number, has_data, describes_it } in &explanation.lookups {
            let named = explanation.cases.iter().filter(|case| case.shard == *shard).count();
            let packages = packages(*number);
            let text = match (has_data, describes_it, named) {
                (false, ..) => format!("{shard}: NO DATA; nothing can be said about its {packages}"),
                (true, _, 1..) => format!("{shard}: names {named} of its {packages}"),
                (true, true, 0) => format!("{shard}: describes it, but for none of the {packages} installed"),
                (true, false, 0) => format!("{shard}: has nothing about it for the {packages} installed"),
            };
            self.line(std::mem::take(&mut label), &text);
        }
        if explanation.lookups.is_empty() {
            self.line(label, "nothing: no packages were recognised");
        }
        let known = explanation.details.is_some() || !explanation.cases.is_empty();
        if !known && explanation.facts == CveFacts::default() {
            self.line("", "no feed of this database describes it: check the spelling, and the database's age");
        }
        let days = match Timestamp::now().duration_since(self.database.built).as_hours() / 24 {
            ..=0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            days => format!("{days} days ago"),
        };
        let example = if self.database.example { "EXAMPLE DATA, not real advisories: " } else { "" };
        self.line("database", &format!("{example}{}, built {days}", self.database.origin));
    }

    fn line(&mut self, label: &str, text: &str) {
        line(self.text, label, text);
    }
}

/// A line with its label, wrapped under the text.
fn line(out: &mut String, label: &str, text: &str) {
    let width = terminal::width().saturating_sub(INDENT).max(40);
    let mut column = 0;
    let _ = write!(out, "  {label:<0$}", INDENT - 2);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            let _ = write!(out, "\n{:1$}", "", INDENT + 2);
            column = 2;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

fn said(record: &Consulted) -> String {
    let mark = if record.decides { "*" } else { "-" };
    let head = format!("{mark} {} {}: {}", record.feed, record.advisory, record.comparison);
    let tail = match record.said {
        Said::Affected => match &record.fixed {
            Some(fixed) => format!("affected, fixed in {fixed}"),
            None => format!("affected, {}", fix_state(record.fix)),
        },
        Said::NotAffected => "not affected".to_owned(),
        Said::NotComparable => "not comparable".to_owned(),
        Said::NotConcerned => "not about this package".to_owned(),
    };
    format!("{head} → {tail}{}", if record.decides { " (decides)" } else { "" })
}

fn why_not(records: &[Consulted]) -> &'static str {
    let decides = |said| records.iter().any(|record| record.decides && record.said == said);
    if decides(Said::NotAffected) {
        "no finding: by the record that decides, the installed version is not affected"
    } else if records.iter().all(|record| record.said == Said::NotConcerned) {
        "no finding: all records are about other packages of this name"
    } else {
        "no finding: the scan that made the report did not have these records, or left the package out"
    }
}

fn fix_state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::NotFixed => "no fix yet",
        FixState::WillNotFix => "will not be fixed in this release",
        FixState::Deferred => "fix deferred",
        FixState::UnderInvestigation => "under investigation",
        FixState::NotAffected => "not affected",
        FixState::EndOfLife => "the release gets no fixes any more",
        FixState::Unknown => "nothing is said about a fix",
    }
}

fn suppression(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::OwnedByOsPackage => "owned by an OS package",
        SuppressionReason::ThirdPartyPackage => "package of a third party",
        SuppressionReason::KernelHeaders => "headers of the kernel",
        SuppressionReason::NotComparable => "version that cannot be compared",
        SuppressionReason::Vex => "VEX statement",
        SuppressionReason::IgnoreRule => "ignore rule",
        SuppressionReason::Setting => "setting",
        SuppressionReason::Filter => "filter of the report",
    }
}

fn packages(number: usize) -> String {
    if number == 1 { "1 package".to_owned() } else { format!("{number} packages") }
}

/// Where the text of a line begins.
const INDENT: usize = 14;

/// Records and places shown for a package.
const MOST: usize = 12;

const LONGEST: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_feeds_write_them() {
        for (text, expected) in [
            ("cve-2024-1", Some("CVE-2024-1")),
            ("CVE-2024-1", Some("CVE-2024-1")),
            ("ghsa-29MW-wpgm-hmr9", Some("GHSA-29mw-wpgm-hmr9")),
            ("dsa-5532-1", Some("DSA-5532-1")),
            ("GO-2024-1", Some("GO-2024-1")),
            ("CGA-a-b", Some("CGA-a-b")),
            ("ALSA-2024:3339", Some("ALSA-2024:3339")),
            ("", None),
            ("CVE 2024", None),
            ("$(x)", None),
        ] {
            assert_eq!(identifier(text).ok().as_deref(), expected, "{text}");
        }
    }
}
