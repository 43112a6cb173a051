//! The gate's language: an expression over one finding.
//!
//! ```text
//! expression = all { "||" all }            alternatives may also be separated by commas
//! all        = term { "&&" term }
//! term       = "!" term | "(" expression ")" | flag | severity | field operator value
//! operator   = "==" | "!=" | ">=" | "<=" | ">" | "<"
//! ```
//! A bare severity means "at least": `high` is `severity>=high`. `none` and `never` match nothing. `new` is what the
//! baseline does not have, or everything where there is no baseline; `introduced`, `disclosed` and `existing` need one.
//! `base` is what the base image is known to bring, `own` everything else. `coverage_gap` is no finding but an image
//! that could not be judged whole. Texts after `==` may have the wildcards of ignore rules. Names that are not known
//! are errors that name the nearest known one, before any finding is read.

mod coverage;
mod parse;

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;

use super::glob;
use crate::model::{Change, Finding, FixState, ImageScan, ScanDocument, Severity};

/// A parsed policy expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    text: String,
    root: Node,
}

/// The expression is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {problem} (at character {position})")]
pub struct PolicyError {
    /// The whole expression.
    pub text: String,
    /// What is wrong, and what would be right.
    pub problem: String,
    /// Where, counted from 1.
    pub position: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Never,
    Flag(Flag),
    Severity(Operator, Severity),
    Number(NumberField, Operator, f64),
    Text(TextField, Operator, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Fixable,
    Kev,
    Os,
    Language,
    New,
    Introduced,
    Disclosed,
    Existing,
    Base,
    Own,
    /// Of an image, never of a finding.
    CoverageGap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberField {
    Cvss,
    Epss,
    /// Days since the vulnerability was published.
    Age,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextField {
    Id,
    Package,
    Path,
    Image,
    Owner,
    Kind,
    Fix,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Policy {
    /// Parses an expression.
    ///
    /// # Errors
    /// The expression does not follow the grammar or uses an unknown name or value.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let root = parse::Parser::parse(text)?;
        if root.misuses_coverage() {
            let before = text.find("coverage_gap").and_then(|at| text.get(..at)).unwrap_or_default();
            let problem =
                "`coverage_gap` is about images: it goes with `image` and `owner` only, and without `!`".to_owned();
            return Err(PolicyError { text: text.to_owned(), problem, position: before.chars().count() + 1 });
        }
        Ok(Self { text: text.to_owned(), root })
    }

    /// Whether the verdict depends on a baseline.
    #[must_use]
    pub fn needs_baseline(&self) -> bool {
        self.root.has_flag(&[Flag::New, Flag::Introduced, Flag::Disclosed, Flag::Existing])
    }

    /// Whether the verdict depends on which layers are the base image's.
    #[must_use]
    pub fn needs_base(&self) -> bool {
        self.root.has_flag(&[Flag::Base, Flag::Own])
    }

    /// The findings of a scan that the policy concerns, with their images.
    #[must_use]
    pub fn concerned<'a>(&self, document: &'a ScanDocument) -> Vec<(&'a ImageScan, &'a Finding)> {
        let mut found = Vec::new();
        for image in &document.images {
            let around = Around::of(document, image);
            let matching =
                image.findings.iter().filter(|finding| self.root.matches(&Case { finding, around: &around }));
            found.extend(matching.map(|finding| (image, finding)));
        }
        found
    }

    /// Whether the policy concerns a finding of which, besides itself, nothing is known but what `image` says: no age, and
    /// not what the base image brings.
    #[must_use]
    pub fn matches(&self, finding: &Finding, image: Option<&ImageScan>) -> bool {
        self.root.matches(&Case { finding, around: &Around { image, ..Around::default() } })
    }

    /// The first of its names that only a scan can answer: scores, ages and the base image are not remembered.
    #[must_use]
    pub fn needs_scan(&self) -> Option<&'static str> {
        self.root.needs_scan()
    }
}

/// What is the same for all findings of an image.
#[derive(Default)]
struct Around<'a> {
    image: Option<&'a ImageScan>,
    /// For each layer whether the base image brings it; `None` where nobody knows.
    base: Option<Vec<bool>>,
    /// When the image was judged.
    now: Option<Timestamp>,
}

impl<'a> Around<'a> {
    fn of(document: &ScanDocument, image: &'a ImageScan) -> Self {
        let dockerfile = document.project.dockerfile.as_ref();
        let base = image.inventory.as_ref().and_then(|inventory| inventory.base_layers(dockerfile));
        Self { image: Some(image), base, now: Some(document.started) }
    }

    /// Whether the image, or its owner, bears a name.
    fn is_called(&self, field: TextField, wanted: &str) -> bool {
        match (field, self.image) {
            (TextField::Image, Some(image)) => {
                [&image.name, image.source_name()].iter().any(|name| glob::matches(wanted, name))
            }
            (TextField::Owner, _) => self.owner().is_some_and(|owner| glob::matches(wanted, owner)),
            _ => false,
        }
    }

    /// Whom the image's labels name.
    fn owner(&self) -> Option<&'a str> {
        let labels = &self.image?.inventory.as_ref()?.image.config.labels;
        OWNER_LABELS.iter().find_map(|label| labels.get(*label)).map(|owner| owner.trim()).filter(|o| !o.is_empty())
    }
}

struct Case<'a> {
    finding: &'a Finding,
    around: &'a Around<'a>,
}

impl<'a> Case<'a> {
    fn locations(&self) -> &'a [crate::model::Location] {
        let own = &self.finding.package;
        let inventory = self.around.image.and_then(|image| image.inventory.as_ref());
        let package = inventory.and_then(|inventory| inventory.packages.get(own.index));
        package.filter(|package| package.name == own.name).map_or(&[], |package| package.locations.as_slice())
    }

    /// Whether the base image brings all of it.
    fn is_base(&self) -> bool {
        let is_base = |layer: usize| self.around.base.as_ref().is_some_and(|base| base.get(layer) == Some(&true));
        let locations = self.locations();
        !locations.is_empty() && locations.iter().all(|location| is_base(location.layer))
    }

    fn days(&self) -> Option<f64> {
        let age = self.around.now?.duration_since(self.finding.published?);
        Some(age.as_secs_f64() / 86_400.0)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn has_flag(&self, flags: &[Flag]) -> bool {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().any(|node| node.has_flag(flags)),
            Self::Not(node) => node.has_flag(flags),
            Self::Flag(flag) => flags.contains(flag),
            Self::Never | Self::Severity(..) | Self::Number(..) | Self::Text(..) => false,
        }
    }

    fn needs_scan(&self) -> Option<&'static str> {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().find_map(Self::needs_scan),
            Self::Not(node) => node.needs_scan(),
            Self::Flag(Flag::Base) => Some("base"),
            Self::Flag(Flag::Own) => Some("own"),
            Self::Flag(Flag::CoverageGap) => Some("coverage_gap"),
            Self::Number(NumberField::Cvss, ..) => Some("cvss"),
            Self::Number(NumberField::Epss, ..) => Some("epss"),
            Self::Number(NumberField::Age, ..) => Some("age"),
            Self::Never | Self::Flag(_) | Self::Severity(..) | Self::Text(..) => None,
        }
    }

    fn matches(&self, case: &Case<'_>) -> bool {
        let finding = case.finding;
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(case)),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(case)),
            Self::Not(node) => !node.matches(case),
            Self::Never => false,
            Self::Flag(Flag::Fixable) => finding.fix.is_available(),
            Self::Flag(Flag::Kev) => finding.kev.is_some(),
            Self::Flag(Flag::Os) => finding.package.kind.is_os(),
            Self::Flag(Flag::Language) => !finding.package.kind.is_os(),
            // Without a baseline nobody knows what is new, so everything may be.
            Self::Flag(Flag::New) => matches!(finding.change, None | Some(Change::Introduced)),
            Self::Flag(Flag::Introduced) => finding.change == Some(Change::Introduced),
            Self::Flag(Flag::Disclosed) => finding.change == Some(Change::Disclosed),
            Self::Flag(Flag::Existing) => finding.change == Some(Change::Existing),
            Self::Flag(Flag::Base) => case.is_base(),
            // What nobody knows to be the base image's is ours to answer for.
            Self::Flag(Flag::Own) => !case.is_base(),
            Self::Flag(Flag::CoverageGap) => false,
            Self::Severity(operator, severity) => operator.holds(finding.severity.cmp(severity)),
            Self::Number(field, operator, wanted) => {
                let value = match field {
                    NumberField::Cvss => finding.cvss.iter().map(|cvss| cvss.score).reduce(f64::max),
                    NumberField::Epss => finding.epss.as_ref().map(|epss| epss.score),
                    NumberField::Age => case.days(),
                };
                // A number that nobody has given satisfies no comparison.
                value.and_then(|value| value.partial_cmp(wanted)).is_some_and(|order| operator.holds(order))
            }
            Self::Text(field, operator, wanted) => {
                let equal = match field {
                    TextField::Id => finding.identifiers.iter().any(|id| id.eq_ignore_ascii_case(wanted)),
                    TextField::Package => glob::matches(wanted, &finding.package.name),
                    TextField::Path => case.locations().iter().any(|location| glob::matches(wanted, &location.path)),
                    TextField::Image | TextField::Owner => case.around.is_called(*field, wanted),
                    TextField::Kind => finding.package.kind.purl_type() == wanted,
                    TextField::Fix => fix_name(finding.fix.state) == wanted,
                };
                operator.is_met(equal)
            }
        }
    }
}

impl Operator {
    /// Whether a text that is, or is not, the wanted one is what was asked for.
    fn is_met(self, equal: bool) -> bool {
        equal == (self == Self::Equal)
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::AtLeast => order.is_ge(),
            Self::AtMost => order.is_le(),
            Self::Above => order.is_gt(),
            Self::Below => order.is_lt(),
        }
    }
}

/// The name of a fix state, as in the scan document.
#[must_use]
pub fn fix_name(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::NotFixed => "not-fixed",
        FixState::WillNotFix => "will-not-fix",
        FixState::Deferred => "deferred",
        FixState::UnderInvestigation => "under-investigation",
        FixState::NotAffected => "not-affected",
        FixState::EndOfLife => "end-of-life",
        FixState::Unknown => "unknown",
    }
}

/// Labels that say whose an image is, the first that is there.
const OWNER_LABELS: [&str; 3] = ["org.opencontainers.image.vendor", "org.opencontainers.image.authors", "maintainer"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cvss, Epss, Fix, PackageKind, PackageRef, Purl};

    fn finding() -> Finding {
        Finding {
            id: "CVE-2024-1".into(),
            identifiers: vec!["CVE-2024-1".into(), "GHSA-x".into()],
            package: PackageRef {
                index: 0,
                kind: PackageKind::Npm,
                name: "@a/b".into(),
                version: "1".into(),
                purl: Purl::new("npm", "@a", "b", "1", &[]),
            },
            fix: Fix { state: FixState::Fixed, version: Some("2".into()), source: None },
            severity: Severity::High,
            severity_source: "osv".into(),
            cvss: vec![Cvss { vector: String::new(), score: 7.5, source: "nvd".into() }],
            title: String::new(),
            description: String::new(),
            references: vec![],
            cwes: vec![],
            published: None,
            modified: None,
            kev: None,
            epss: Some(Epss { score: 0.2, percentile: 0.9, date: None }),
            statements: vec![],
            change: None,
            original_severity: None,
            factors: Vec::new(),
            score: 0,
        }
    }

    #[test]
    fn only_changes_need_a_baseline() {
        assert!(!Policy::parse("critical && (fixable || !kev)").unwrap().needs_baseline());
    }

    #[test]
    fn changes_judge_a_finding() {
        let matches = |expression: &str, change| {
            Policy::parse(expression).unwrap().matches(&Finding { change, ..finding() }, None)
        };
        for (expression, introduced, disclosed, existing, without) in [
            ("new", true, false, false, true),
            ("introduced", true, false, false, false),
            ("disclosed", false, true, false, false),
            ("existing", false, false, true, false),
            ("new && high", true, false, false, true),
            ("new && critical", false, false, false, false),
            ("!existing", true, true, false, true),
        ] {
            let found = [Some(Change::Introduced), Some(Change::Disclosed), Some(Change::Existing), None]
                .map(|change| matches(expression, change));
            assert_eq!(found, [introduced, disclosed, existing, without], "{expression}");
            assert!(Policy::parse(expression).unwrap().needs_baseline(), "{expression}");
        }
    }

    #[test]
    fn expressions_judge_a_finding() {
        let finding = finding();
        for (expression, expected) in [
            ("high", true),
            ("critical", false),
            ("severity>=high", true),
            ("severity == high && fixable", true),
            ("severity<medium", false),
            ("fixable && !kev", true),
            ("kev || epss>0.1", true),
            ("kev, critical", false),
            ("cvss >= 7.5 && cvss < 8", true),
            ("!(high && fixable)", false),
            ("!!high", true),
            ("package==@a/b", true),
            ("package!=\"@a/b\"", false),
            ("id==ghsa-x", true),
            ("kind==npm && language && !os", true),
            ("fix==will-not-fix", false),
            ("none", false),
            ("never", false),
        ] {
            let policy = Policy::parse(expression).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(policy.matches(&finding, None), expected, "{expression}");
        }
    }

    #[test]
    fn what_lies_around_a_finding_counts() {
        let mut document = crate::assess::ignore::tests::document();
        document.started = "2026-03-01T00:00:00Z".parse().unwrap();
        let layer = |created_by: &str| crate::model::Layer {
            digest: None,
            diff_id: None,
            size: 0,
            created_by: Some(created_by.into()),
        };
        let image = &mut document.images[0];
        image.name = "reg.example.com/group/app:main".into();
        for finding in &mut image.findings {
            finding.published = Some("2026-02-01T00:00:00Z".parse().unwrap());
        }
        let inventory = image.inventory.as_mut().unwrap();
        inventory.layers = vec![layer("ADD rootfs / # buildkit"), layer("RUN /bin/sh -c npm ci # buildkit")];
        inventory.image.config.labels.insert("maintainer".into(), "team-a".into());
        for package in &mut inventory.packages {
            for location in &mut package.locations {
                location.layer = usize::from(!package.kind.is_os());
            }
        }
        let matching = |document: &ScanDocument, expression: &str| {
            let policy = Policy::parse(expression).unwrap_or_else(|error| panic!("{error}"));
            policy.concerned(document).iter().map(|(_, found)| found.id.clone()).collect::<Vec<_>>()
        };
        let (os, language) = ("CVE-2023-45853", "CVE-2021-23337");
        for (expression, expected) in [
            ("age > 27 && age < 29", vec![os, language]),
            ("age >= 30", vec![]),
            ("owner==team-a && os", vec![os]),
            ("owner==team-b", vec![]),
            ("image==reg.example.com/group/*", vec![os, language]),
            ("path==**/node_modules/**", vec![language]),
            ("package==l*", vec![language]),
            // Without a Dockerfile nobody knows the base image, and everything is ours.
            ("own", vec![os, language]),
            ("base", vec![]),
        ] {
            assert_eq!(matching(&document, expression), expected, "{expression}");
        }
        let text = "FROM debian:12\nRUN npm ci\n".to_owned();
        document.project.dockerfile = Some(crate::model::Dockerfile { path: "Dockerfile".into(), text });
        assert_eq!(matching(&document, "base"), [os]);
        assert_eq!(matching(&document, "own"), [language]);
        assert!(Policy::parse("low && !own").unwrap().needs_base());
        // Alone, a finding has no age.
        let finding = &document.images[0].findings[0];
        assert!(!Policy::parse("age > 1").unwrap().matches(finding, None));
        for (expression, name) in [("high || (kev && !age>3)", "age"), ("own", "own"), ("epss>0.1", "epss")] {
            assert_eq!(Policy::parse(expression).unwrap().needs_scan(), Some(name), "{expression}");
        }
        assert_eq!(Policy::parse("high && image==a* && owner==b && path==c").unwrap().needs_scan(), None);
    }

    #[test]
    fn errors_name_the_place_and_the_right_form() {
        for (expression, expected) in [
            ("", "expected a name"),
            ("sevrity>=high", "did you mean `severity`"),
            ("severity>=hgih", "expected critical"),
            ("severity", "expected an operator"),
            ("epss>lots", "a number"),
            ("epss>nan", "a number"),
            ("package>x", "no order"),
            ("kind==debian", "purl type"),
            ("high &&", "expected a name"),
            ("(high", "expected `)`"),
            ("high low", "expected `&&`"),
            ("package==\"x", "does not end"),
        ] {
            let error = Policy::parse(expression).expect_err(expression).to_string();
            assert!(error.contains(expected), "{expression}: {error}");
        }
        let deep = "(".repeat(10_000);
        assert!(Policy::parse(&deep).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
            let _ = Policy::parse(&text);
        }
    }
}
