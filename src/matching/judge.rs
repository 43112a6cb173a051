//! One record against one package: constraints first, then the version.

use crate::model::{Advisory, Constraint, Event, FeedId, FixState, KnownBy, Package};
use crate::version::{self, Verdict};

use super::amazon;
use super::content_sets::System;
use super::distribution::{self, Concern, Subject};

/// What a record says about a package.
#[derive(Debug)]
pub(super) struct Judgement<'a> {
    pub(super) record: &'a Advisory,
    /// What was looked up.
    pub(super) subject: Subject<'a>,
    pub(super) opinion: Opinion,
    pub(super) precedence: Precedence,
}

/// How closely a statement is about the package: among statements of one feed the closest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precedence {
    /// About the line that the package comes from (ESM, FIPS, extended support).
    OwnLine,
    /// About the package.
    General,
    /// About all that its source is built to; a known fix of the binary overrules it.
    WholeSource,
}

/// Whether a package is affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opinion {
    Affected {
        /// The comparison in words.
        comparison: String,
        /// The version that ends the range in which the installed one lies.
        fixed: Option<String>,
    },
    NotAffected,
    /// The versions have no common order.
    NotComparable {
        reason: String,
    },
    /// The record is about other packages of this name.
    NotConcerned {
        reason: String,
    },
}

impl Opinion {
    /// Whether it may come to a finding, or to what would be one.
    pub(super) fn is_of_interest(&self) -> bool {
        matches!(self, Self::Affected { .. } | Self::NotComparable { .. })
    }
}

/// Judges a record. `siblings` are all records that were found with it.
pub(super) fn judge<'a>(
    record: &'a Advisory,
    siblings: &[Advisory],
    package: &Package,
    subject: Subject<'a>,
    system: &System<'_>,
) -> Judgement<'a> {
    let judgement = |opinion| Judgement { record, subject, opinion, precedence: precedence(record, &subject, system) };
    if let Some(reason) = unconcerned(record, siblings, package, system) {
        return judgement(Opinion::NotConcerned { reason });
    }
    // Red Hat's fixed builds are binaries; that one has the name of this package's source does not matter.
    if record.feed == FeedId::RedHat && subject.is_source && record.fix == FixState::Fixed {
        let reason = format!("its fix is one of the binary package {}, not of all of this source", subject.name);
        return judgement(Opinion::NotConcerned { reason });
    }
    if record.fix == FixState::NotAffected {
        return judgement(Opinion::NotAffected);
    }
    if package.known_by == Some(KnownBy::Commit) && !speaks_of_commits(record) {
        let reason = format!(
            "`{}` is made of the commit that it was built from, which has no place among releases",
            subject.version
        );
        return judgement(Opinion::NotComparable { reason });
    }
    if let Some(opinion) = other_line(record, package, &subject) {
        return judgement(opinion);
    }
    // Words are made only for what is told.
    if version::is_affected(subject.scheme, &record.ranges, &record.versions, subject.version) == Some(false) {
        return judgement(Opinion::NotAffected);
    }
    let reservation = || match record.feed {
        FeedId::Amazon => amazon::reservation(package, record),
        _ => record.constraints.iter().find_map(|constraint| match constraint {
            Constraint::Cpe(cpes) => distribution::reservation(system, cpes),
            _ => None,
        }),
    };
    judgement(match version::evaluate(subject.scheme, &record.ranges, &record.versions, subject.version) {
        Verdict::Affected { comparison, .. } if subject.is_guess => Opinion::NotComparable {
            reason: format!(
                "the archive does not say its group, and nothing in it tells whether it is {}: {comparison}",
                subject.name
            ),
        },
        Verdict::Affected { comparison, fixed } => {
            let comparison = match reservation() {
                Some(reservation) => format!("{comparison}; {reservation}"),
                None => comparison,
            };
            Opinion::Affected { comparison, fixed }
        }
        Verdict::NotAffected { .. } => Opinion::NotAffected,
        Verdict::NotComparable { reason } => Opinion::NotComparable { reason },
    })
}

/// What was compared, in words.
pub(super) fn comparison(judgement: &Judgement<'_>) -> String {
    let Judgement { record, subject, .. } = judgement;
    match &judgement.opinion {
        Opinion::Affected { comparison, .. } => comparison.clone(),
        Opinion::NotComparable { reason } | Opinion::NotConcerned { reason } => reason.clone(),
        Opinion::NotAffected if record.fix == FixState::NotAffected => format!("{} says not affected", record.feed),
        Opinion::NotAffected => {
            match version::evaluate(subject.scheme, &record.ranges, &record.versions, subject.version) {
                Verdict::NotAffected { comparison } | Verdict::Affected { comparison, .. } => comparison,
                Verdict::NotComparable { reason } => reason,
            }
        }
    }
}

fn precedence(record: &Advisory, subject: &Subject<'_>, system: &System<'_>) -> Precedence {
    let is_of_own_line = record.constraints.iter().any(|constraint| match constraint {
        Constraint::Repository(name) => !distribution::is_of_every_image(name),
        Constraint::Cpe(products) => {
            products.iter().any(|cpe| distribution::has_product(system, cpe) == Some(Concern::Own))
        }
        _ => false,
    });
    match (is_of_own_line, record.feed) {
        (true, _) => Precedence::OwnLine,
        (false, FeedId::RedHat) if subject.is_source => Precedence::WholeSource,
        _ => Precedence::General,
    }
}

/// Why a record does not concern a package. A constraint that cannot be decided from the inventory does not hold: such
/// a record speaks about other packages than the distribution's plain ones.
fn unconcerned(record: &Advisory, siblings: &[Advisory], package: &Package, system: &System<'_>) -> Option<String> {
    for constraint in &record.constraints {
        let reason = match constraint {
            Constraint::Arch(allowed) => match &package.arch {
                Some(arch) if arch != "noarch" && arch != "all" && !allowed.contains(arch) => {
                    Some(format!("it is about {}, the package is {arch}", allowed.join(", ")))
                }
                _ => None,
            },
            Constraint::Module(wanted) => match package.module.as_deref().map(name_and_stream) {
                Some(module) if module == *wanted => None,
                Some(module) => Some(format!("it is about the module {wanted}, the package is of {module}")),
                None => Some(format!("it is about the module {wanted}, the package is of none")),
            },
            Constraint::Cpe(products) => (!products.iter().any(|cpe| distribution::has_product(system, cpe).is_some()))
                .then(|| {
                    let first = products.first().map_or("", String::as_str);
                    format!("it is about another product ({first})")
                }),
            Constraint::Repository(name) => match distribution::comes_from(package, name, record, siblings) {
                Some(true) => None,
                Some(false) => Some(format!("it is about packages from `{name}`, which this one is not")),
                None => Some(format!("it is about packages from `{name}`, which the image does not show to have")),
            },
        };
        if reason.is_some() {
            return reason;
        }
    }
    // Packages inside and outside of modules have the same names and other version lines.
    let names_module = record.constraints.iter().any(|constraint| matches!(constraint, Constraint::Module(_)));
    if names_module {
        return None;
    }
    let modular_fix = fixed_versions(record).any(|version| version.contains(".module"));
    match (&package.module, modular_fix) {
        (Some(module), false) => {
            Some(format!("it is about packages outside of modules, the package is of {}", name_and_stream(module)))
        }
        (None, true) if !package.version.contains(".module") => {
            Some("it is about a module's packages, the package is of none".to_owned())
        }
        _ => None,
    }
}

/// `nodejs:18` of `nodejs:18:8090020231019:abc`.
fn name_and_stream(label: &str) -> String {
    let mut parts = label.split(':');
    [parts.next().unwrap_or(""), parts.next().unwrap_or("")].join(":")
}

/// The answer where all fixed versions are of another line of builds than the installed one.
fn other_line(record: &Advisory, package: &Package, subject: &Subject<'_>) -> Option<Opinion> {
    if !package.kind.is_os() {
        return None;
    }
    let installed = distribution::line(subject.version);
    let mut lines = fixed_versions(record).map(distribution::line).peekable();
    lines.peek()?;
    if lines.any(|line| line == installed) {
        return None;
    }
    let fixed = fixed_versions(record).next().unwrap_or_default();
    Some(match installed {
        None => Opinion::NotConcerned { reason: format!("its fix {fixed} is of a line of builds of its own") },
        // Nothing may be concluded unless a statement about this line says more.
        Some(line) => Opinion::NotComparable {
            reason: format!("`{}` is a {line} build, which the fix {fixed} says nothing about", subject.version),
        },
    })
}

/// Whether all versions that a record names are those of commits without a release before them, which have an order.
fn speaks_of_commits(record: &Advisory) -> bool {
    let bounds = record.ranges.iter().flat_map(|range| &range.events).map(|event| match event {
        Event::Introduced(version) | Event::Fixed(version) | Event::LastAffected(version) | Event::Limit(version) => {
            version
        }
    });
    bounds.chain(&record.versions).all(|version| version == "0" || is_of_commit(version))
}

/// `0.0.0-20240826044107-ecd7e2d0e986`: what Go makes of a commit, the time first.
fn is_of_commit(version: &str) -> bool {
    let rest = version.strip_prefix('v').unwrap_or(version).strip_prefix("0.0.0-");
    let time = rest.and_then(|rest| rest.split_once('-')).map_or("", |(time, _)| time);
    time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit())
}

/// The fixed versions that a record names.
pub(super) fn fixed_versions(record: &Advisory) -> impl Iterator<Item = &str> {
    record.ranges.iter().flat_map(|range| &range.events).filter_map(|event| match event {
        Event::Fixed(version) => Some(version.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FeedId, PackageKind, Range};
    use crate::version::Scheme;

    fn record(constraints: Vec<Constraint>, fixed: Option<&str>) -> Advisory {
        let mut events = vec![Event::Introduced("0".into())];
        events.extend(fixed.map(|version| Event::Fixed(version.into())));
        Advisory {
            id: "X-1".into(),
            aliases: vec![],
            covers: vec![],
            ranges: vec![Range { events }],
            versions: vec![],
            fix: if fixed.is_some() { FixState::Fixed } else { FixState::NotFixed },
            severity: None,
            constraints,
            feed: FeedId::Osv,
        }
    }

    /// One word for the opinion.
    fn opinion(package: &Package, record: &Advisory, scheme: Scheme) -> &'static str {
        let subject =
            Subject { name: &package.name, version: &package.version, scheme, is_source: false, is_guess: false };
        match judge(record, std::slice::from_ref(record), package, subject, &System::default()).opinion {
            Opinion::Affected { .. } => "affected",
            Opinion::NotAffected => "not affected",
            Opinion::NotComparable { .. } => "not comparable",
            Opinion::NotConcerned { .. } => "not concerned",
        }
    }

    #[test]
    fn architectures_and_modules_are_honoured() {
        let plain = Package { arch: Some("x86_64".into()), ..Package::new(PackageKind::Rpm, "npm", "1-1.el8") };
        let modular = Package { module: Some("nodejs:18:8090020231019:abc".into()), ..plain.clone() };
        let arch = |name: &str| vec![Constraint::Arch(vec![name.into()])];
        let module = |name: &str| vec![Constraint::Module(name.into())];
        for (what, package, constraints, fixed, expected) in [
            ("its architecture", &plain, arch("x86_64"), Some("2-1.el8"), "affected"),
            ("another architecture", &plain, arch("s390x"), Some("2-1.el8"), "not concerned"),
            ("its module", &modular, module("nodejs:18"), Some("2-1.module+el8"), "affected"),
            ("its module, fixed before", &modular, module("nodejs:18"), Some("0-1.module+el8"), "not affected"),
            ("another stream", &modular, module("nodejs:20"), Some("2-1.module+el8"), "not concerned"),
            ("a module, package of none", &plain, module("nodejs:18"), Some("2-1.module+el8"), "not concerned"),
            ("a module's fix, package of none", &plain, vec![], Some("2-1.module+el8"), "not concerned"),
            ("a module's fix without a name", &modular, vec![], Some("2-1.module+el8"), "affected"),
            ("no module, package of one", &modular, vec![], Some("2-1.el8"), "not concerned"),
            ("no module, no fix, package of one", &modular, vec![], None, "not concerned"),
            ("no module, no fix", &plain, vec![], None, "affected"),
        ] {
            assert_eq!(opinion(package, &record(constraints, fixed), Scheme::Rpm), expected, "{what}");
        }
    }

    #[test]
    fn a_commit_has_its_place_among_commits_only() {
        let version = "v0.0.0-20230101000000-0123456789ab";
        let package = Package {
            known_by: Some(KnownBy::Commit),
            ..Package::new(PackageKind::Golang, "github.com/juju/juju", version)
        };
        let from = |introduced: &str, fixed| {
            let mut record = record(vec![], fixed);
            record.ranges[0].events[0] = Event::Introduced(introduced.into());
            record
        };
        let mut listed = record(vec![], None);
        listed.versions.push("1.0.0".into());
        for (what, record, expected) in [
            ("fixed by a later commit", from("0", Some("0.0.0-20240826044107-ecd7e2d0e986")), "affected"),
            ("fixed by an earlier commit", from("0", Some("v0.0.0-20220826044107-ecd7e2d0e986")), "not affected"),
            ("since a later commit", from("0.0.0-20240826044107-ecd7e2d0e986", None), "not affected"),
            ("not fixed", from("0", None), "affected"),
            ("fixed by a release", from("0", Some("1.2.3")), "not comparable"),
            ("since a release", from("1.2.3", Some("0.0.0-20240826044107-ecd7e2d0e986")), "not comparable"),
            ("fixed before a release", from("0", Some("0.0.0-rc.1")), "not comparable"),
            ("some releases", listed, "not comparable"),
        ] {
            assert_eq!(opinion(&package, &record, Scheme::Go), expected, "{what}");
        }
    }

    #[test]
    fn lines_of_builds_and_repositories_do_not_mix() {
        let repository = |name: &str| vec![Constraint::Repository(name.into())];
        for (kind, installed, constraints, fixed, expected) in [
            // Oracle: plain, Ksplice and FIPS.
            (PackageKind::Rpm, "2:2.34-60.el9", vec![], "2:2.34-60.ksplice1.el9_2.7", "not concerned"),
            (PackageKind::Rpm, "2:2.34-60.ksplice1.el9", vec![], "2:2.34-60.ksplice1.el9_2.7", "affected"),
            (PackageKind::Rpm, "2:2.34-60.ksplice1.el9", vec![], "2.34-60.el9_2.7", "not comparable"),
            (PackageKind::Rpm, "10:3.6.16-4.el8_fips", vec![], "10:3.6.16-5.el8_fips", "affected"),
            (PackageKind::Rpm, "3.6.16-4.el8", vec![], "10:3.6.16-5.el8_fips", "not concerned"),
            // Ubuntu: base, ESM, FIPS.
            (PackageKind::Deb, "1.0-1ubuntu1", repository("esm"), "1.0-1ubuntu1+esm1", "not concerned"),
            (PackageKind::Deb, "1.0-1ubuntu1+esm1", repository("esm-apps"), "1.0-1ubuntu1+esm2", "affected"),
            (PackageKind::Deb, "1.0-1ubuntu1+esm2", repository("esm"), "1.0-1ubuntu1+esm2", "not affected"),
            (PackageKind::Deb, "1.0-1ubuntu1~esm1", vec![], "1.0-1ubuntu2", "affected"),
            (PackageKind::Deb, "1.1.1f-1ubuntu2.16", repository("fips"), "1.1.1f-1ubuntu2.fips.2.9", "not concerned"),
            (PackageKind::Deb, "1.1.1f-1ubuntu2.fips.2.8", repository("fips"), "1.1.1f-1ubuntu2.fips.2.9", "affected"),
            (PackageKind::Deb, "1.1.1f-1ubuntu2.fips.2.8", vec![], "1.1.1f-1ubuntu2.17", "not comparable"),
            // The core repository is everybody's; that a package is from another must be shown.
            (PackageKind::Rpm, "1-1.amzn2", repository("amzn2-core"), "1-2.amzn2", "affected"),
            (PackageKind::Rpm, "1-1.amzn2", repository("amzn2extra-docker"), "1-2.amzn2", "not concerned"),
        ] {
            let package = Package::new(kind, "p", installed);
            let scheme = Scheme::of(kind).expect("a scheme");
            assert_eq!(opinion(&package, &record(constraints, Some(fixed)), scheme), expected, "{installed} {fixed}");
        }
    }

    #[test]
    fn epochs_count_where_they_are_stated_and_a_missing_one_of_a_source_is_no_difference() {
        for (scheme, installed, fixed, expected) in [
            (Scheme::Deb, "1:1.2.13-1", "1.2.14-1", "not affected"),
            (Scheme::Deb, "1.2.13-1", "1:1.2.12-1", "affected"),
            (Scheme::Rpm, "1:1.1.1-1", "1.1.2-1", "not affected"),
            (Scheme::Rpm, "1.1.1-1", "1:1.1.0-1", "affected"),
            (Scheme::RpmSource, "5.26.1-1", "4:5.26.0-1", "not affected"),
            (Scheme::RpmSource, "5.26.1-1", "4:5.26.2-1", "affected"),
        ] {
            let package = Package::new(PackageKind::Rpm, "p", installed);
            assert_eq!(
                opinion(&package, &record(vec![], Some(fixed)), scheme),
                expected,
                "{installed} {fixed} {scheme}"
            );
        }
    }
}
