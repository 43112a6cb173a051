//! The grammar of policies: a recursive descent that refuses what it does not know, with the place and the nearest name.

use crate::context::nearest;
use crate::model::{FixState, PackageKind};

use super::{Flag, Node, NumberField, Operator, PolicyError, TextField, fix_name};

pub(super) struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// The whole of a text as one expression.
    pub(super) fn parse(text: &'a str) -> Result<Node, PolicyError> {
        let mut parser = Self { text, position: 0, depth: 0 };
        let root = parser.expression()?;
        parser.skip_space();
        if parser.position < text.len() {
            return Err(parser.error("expected `&&`, `||` or the end"));
        }
        Ok(root)
    }

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
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | ':' | '+' | '*' | '?')))
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

#[derive(Clone, Copy)]
enum Field {
    Severity,
    Number(NumberField),
    Text(TextField),
}

const MAX_DEPTH: usize = 32;

const FLAGS: [(&str, Flag); 11] = [
    ("fixable", Flag::Fixable),
    ("kev", Flag::Kev),
    ("os", Flag::Os),
    ("language", Flag::Language),
    ("new", Flag::New),
    ("introduced", Flag::Introduced),
    ("disclosed", Flag::Disclosed),
    ("existing", Flag::Existing),
    ("base", Flag::Base),
    ("own", Flag::Own),
    ("coverage_gap", Flag::CoverageGap),
];

const FIELDS: [(&str, Field); 11] = [
    ("severity", Field::Severity),
    ("cvss", Field::Number(NumberField::Cvss)),
    ("epss", Field::Number(NumberField::Epss)),
    ("age", Field::Number(NumberField::Age)),
    ("id", Field::Text(TextField::Id)),
    ("package", Field::Text(TextField::Package)),
    ("path", Field::Text(TextField::Path)),
    ("image", Field::Text(TextField::Image)),
    ("owner", Field::Text(TextField::Owner)),
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
