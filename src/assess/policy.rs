//! The gate's language: an expression over one finding.
//!
//! ```text
//! expression = all { "||" all }            alternatives may also be separated by commas
//! all        = term { "&&" term }
//! term       = "!" term | "(" expression ")" | flag | severity | field operator value
//! operator   = "==" | "!=" | ">=" | "<=" | ">" | "<"
//! ```
//! A bare severity means "at least": `high` is `severity>=high`. `none` and `never` match nothing. `new` is what the baseline does
//! not have, or everything where there is no baseline; `introduced`, `disclosed` and `existing` need one. Names that are not known
//! are errors that name the nearest known one, before any finding is read.

use std::cmp::Ordering;
use std::fmt;

use crate::context::nearest;
use crate::model::{Change, Finding, FixState, PackageKind, Severity};

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberField {
    Cvss,
    Epss,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextField {
    Id,
    Package,
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
        let mut parser = Parser { text, position: 0, depth: 0 };
        let root = parser.expression()?;
        parser.skip_space();
        if parser.position < text.len() {
            return Err(parser.error("expected `&&`, `||` or the end"));
        }
        Ok(Self { text: text.to_owned(), root })
    }

    /// Whether the verdict depends on a baseline.
    #[must_use]
    pub fn needs_baseline(&self) -> bool {
        self.root.needs_baseline()
    }

    /// Whether the policy concerns a finding.
    #[must_use]
    pub fn matches(&self, finding: &Finding) -> bool {
        self.root.matches(finding)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn needs_baseline(&self) -> bool {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().any(Self::needs_baseline),
            Self::Not(node) => node.needs_baseline(),
            Self::Flag(flag) => matches!(flag, Flag::New | Flag::Introduced | Flag::Disclosed | Flag::Existing),
            Self::Never | Self::Severity(..) | Self::Number(..) | Self::Text(..) => false,
        }
    }

    fn matches(&self, finding: &Finding) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(finding)),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(finding)),
            Self::Not(node) => !node.matches(finding),
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
            Self::Severity(operator, severity) => operator.holds(finding.severity.cmp(severity)),
            Self::Number(field, operator, wanted) => {
                let value = match field {
                    NumberField::Cvss => finding.cvss.iter().map(|cvss| cvss.score).reduce(f64::max),
                    NumberField::Epss => finding.epss.as_ref().map(|epss| epss.score),
                };
                // A number that nobody has given satisfies no comparison.
                value.and_then(|value| value.partial_cmp(wanted)).is_some_and(|order| operator.holds(order))
            }
            Self::Text(field, operator, wanted) => {
                let equal = match field {
                    TextField::Id => finding.identifiers.iter().any(|id| id.eq_ignore_ascii_case(wanted)),
                    TextField::Package => finding.package.name == *wanted,
                    TextField::Kind => finding.package.kind.purl_type() == wanted,
                    TextField::Fix => fix_name(finding.fix.state) == wanted,
                };
                equal == (*operator == Operator::Equal)
            }
        }
    }
}

impl Operator {
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

struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Node, PolicyError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("too many nested parentheses"));
        }
        let mut alternatives = vec![self.all()?];
        while self.take("||") || self.take(",") {
            alternatives.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if alternatives.len() == 1 { alternatives.swap_remove(0) } else { Node::Any(alternatives) })
    }

    fn all(&mut self) -> Result<Node, PolicyError> {
        let mut terms = vec![self.term()?];
        while self.take("&&") {
            terms.push(self.term()?);
        }
        Ok(if terms.len() == 1 { terms.swap_remove(0) } else { Node::All(terms) })
    }

    fn term(&mut self) -> Result<Node, PolicyError> {
        let mut negated = false;
        while !self.rest().trim_start().starts_with("!=") && self.take("!") {
            negated = !negated;
        }
        let node = if self.take("(") {
            let inner = self.expression()?;
            if !self.take(")") {
                return Err(self.error("expected `)`"));
            }
            inner
        } else {
            self.comparison()?
        };
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    fn comparison(&mut self) -> Result<Node, PolicyError> {
        self.skip_space();
        let start = self.position;
        let name = self.word();
        if name.is_empty() {
            return Err(self.error("expected a name such as `severity`, `fixable` or `high`"));
        }
        if name == "none" || name == "never" {
            return Ok(Node::Never);
        }
        if let Some(flag) = FLAGS.iter().find(|(known, _)| *known == name) {
            return Ok(Node::Flag(flag.1));
        }
        if let Some(&(_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
            let Some(operator) = self.operator() else {
                return Err(self.error(&format!("expected an operator after `{name}`: == != >= <= > <")));
            };
            return self.value(field, &name, operator);
        }
        if let Ok(severity) = name.parse() {
            return Ok(Node::Severity(Operator::AtLeast, severity));
        }
        self.position = start;
        let known = FLAGS.iter().map(|(name, _)| *name).chain(FIELDS.iter().map(|(name, _)| *name));
        let known = known.chain(["critical", "high", "medium", "low", "unknown", "none", "never"]);
        let nearest = nearest(&name, known).map_or("severity", |(name, _)| name);
        Err(self.error(&format!("`{name}` is not known; did you mean `{nearest}`?")))
    }

    fn value(&mut self, field: Field, name: &str, operator: Operator) -> Result<Node, PolicyError> {
        self.skip_space();
        let start = self.position;
        let value = self.literal()?;
        let wrong = |parser: &mut Self, expected: &str| {
            parser.position = start;
            Err(parser.error(&format!("`{value}` is not a value of `{name}`: expected {expected}")))
        };
        match field {
            Field::Severity => match value.parse() {
                Ok(severity) => Ok(Node::Severity(operator, severity)),
                Err(()) => wrong(self, "critical, high, medium, low, info or unknown"),
            },
            Field::Number(field) => match value.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Node::Number(field, operator, number)),
                _ => wrong(self, "a number"),
            },
            Field::Text(_) if !matches!(operator, Operator::Equal | Operator::NotEqual) => {
                wrong(self, "a name after == or !=, as names have no order")
            }
            Field::Text(TextField::Kind) if !PackageKind::ALL.iter().any(|kind| kind.purl_type() == value) => {
                wrong(self, "a purl type such as deb, apk, rpm, npm or pypi")
            }
            Field::Text(TextField::Fix) if !FIX_STATES.iter().any(|&state| fix_name(state) == value) => {
                wrong(self, "fixed, not-fixed, will-not-fix, deferred, under-investigation, end-of-life or unknown")
            }
            Field::Text(field) => Ok(Node::Text(field, operator, value)),
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        OPERATORS.iter().find(|(text, _)| self.take(text)).map(|(_, operator)| *operator)
    }

    /// A word, or any text in double quotes.
    fn literal(&mut self) -> Result<String, PolicyError> {
        if !self.take("\"") {
            let word = self.word();
            return if word.is_empty() { Err(self.error("expected a value")) } else { Ok(word) };
        }
        let rest = self.rest();
        let Some(end) = rest.find('"') else { return Err(self.error("the quoted text does not end")) };
        let value = rest.get(..end).unwrap_or_default().to_owned();
        self.position += end + 1;
        Ok(value)
    }

    fn word(&mut self) -> String {
        self.skip_space();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | ':' | '+')))
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().to_owned();
        self.position += end;
        word
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn error(&self, problem: &str) -> PolicyError {
        let position = self.text.get(..self.position).map_or(0, |before| before.chars().count()) + 1;
        PolicyError { text: self.text.to_owned(), problem: problem.to_owned(), position }
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

#[derive(Clone, Copy)]
enum Field {
    Severity,
    Number(NumberField),
    Text(TextField),
}

const MAX_DEPTH: usize = 32;

const FLAGS: [(&str, Flag); 8] = [
    ("fixable", Flag::Fixable),
    ("kev", Flag::Kev),
    ("os", Flag::Os),
    ("language", Flag::Language),
    ("new", Flag::New),
    ("introduced", Flag::Introduced),
    ("disclosed", Flag::Disclosed),
    ("existing", Flag::Existing),
];

const FIELDS: [(&str, Field); 7] = [
    ("severity", Field::Severity),
    ("cvss", Field::Number(NumberField::Cvss)),
    ("epss", Field::Number(NumberField::Epss)),
    ("id", Field::Text(TextField::Id)),
    ("package", Field::Text(TextField::Package)),
    ("kind", Field::Text(TextField::Kind)),
    ("fix", Field::Text(TextField::Fix)),
];

/// Longer operators first, as they begin with the shorter ones.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
];

const FIX_STATES: [FixState; 7] = [
    FixState::Fixed,
    FixState::NotFixed,
    FixState::WillNotFix,
    FixState::Deferred,
    FixState::UnderInvestigation,
    FixState::EndOfLife,
    FixState::Unknown,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cvss, Epss, Fix, PackageRef, Purl};

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
        }
    }

    #[test]
    fn only_changes_need_a_baseline() {
        assert!(!Policy::parse("critical && (fixable || !kev)").unwrap().needs_baseline());
    }

    #[test]
    fn changes_judge_a_finding() {
        let matches =
            |expression: &str, change| Policy::parse(expression).unwrap().matches(&Finding { change, ..finding() });
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
            assert_eq!(policy.matches(&finding), expected, "{expression}");
        }
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
