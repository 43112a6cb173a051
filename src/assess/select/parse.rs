//! The expression of a selection, as text and as a tree.

use std::fmt;

use jiff::SignedDuration;
use regex_lite::{Regex, RegexBuilder};

use super::super::glob;
use crate::context::nearest;

/// A selection is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {problem} (at character {position})")]
pub struct SelectError {
    /// The whole text.
    pub text: String,
    /// What is wrong, and what would be right.
    pub problem: String,
    /// Where, counted from 1.
    pub position: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Constant(bool),
    New,
    Known,
    Changed,
    Newest(usize),
    Matches { field: Text, pattern: Matcher, text: String },
    Age(Operator, SignedDuration),
    Scanned(Operator, SignedDuration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Repository,
    Tag,
}

impl Text {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Tag => "tag",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Below,
    AtMost,
    Above,
    AtLeast,
}

#[derive(Debug, Clone)]
pub(super) enum Matcher {
    Glob(String),
    Regex(Regex),
}

impl Matcher {
    /// A repository is matched with and without its host, where the whole name counts.
    pub(super) fn is_match(&self, subject: &str, field: Text) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(subject),
            Self::Glob(pattern) => {
                let path = subject.split_once('/').map_or(subject, |(_, path)| path);
                glob::matches(pattern, subject) || (field == Text::Repository && glob::matches(pattern, path))
            }
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Node, SelectError> {
    let mut parser = Parser { text, position: 0, depth: 0 };
    if text.len() > LONGEST {
        return Err(parser.error(&format!("it is longer than {LONGEST} characters")));
    }
    let root = parser.expression()?;
    parser.skip_space();
    if parser.rest().is_empty() { Ok(root) } else { Err(parser.error("expected `&&`, `||` or the end")) }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Node, SelectError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("too many nested parentheses"));
        }
        let mut alternatives = vec![self.all()?];
        while self.take("||") || self.take(",") {
            alternatives.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if alternatives.len() == 1 { alternatives.swap_remove(0) } else { Node::Any(alternatives) })
    }

    fn all(&mut self) -> Result<Node, SelectError> {
        let mut terms = vec![self.term()?];
        while self.take("&&") {
            terms.push(self.term()?);
        }
        Ok(if terms.len() == 1 { terms.swap_remove(0) } else { Node::All(terms) })
    }

    fn term(&mut self) -> Result<Node, SelectError> {
        let mut negated = false;
        while self.take("!") {
            negated = !negated;
        }
        let node = if self.take("(") {
            let inner = self.expression()?;
            if !self.take(")") {
                return Err(self.error("expected `)`"));
            }
            inner
        } else {
            self.fact()?
        };
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    fn fact(&mut self) -> Result<Node, SelectError> {
        self.skip_space();
        let start = self.position;
        let word = self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        match word.as_str() {
            "all" => Ok(Node::Constant(true)),
            "none" => Ok(Node::Constant(false)),
            "new" => Ok(Node::New),
            "known" => Ok(Node::Known),
            "changed" => Ok(Node::Changed),
            "stale" => Ok(Node::Scanned(Operator::AtLeast, STALE)),
            "repository" => self.matches(Text::Repository),
            "tag" => self.matches(Text::Tag),
            "age" => self.time(Node::Age),
            "scanned" => self.time(Node::Scanned),
            "newest" => self.newest(),
            _ => {
                self.position = start;
                let nearest = nearest(&word, WORDS).map_or("all", |(name, _)| name);
                Err(self.error(&match word.as_str() {
                    "" => "expected a word such as `all`, `new`, `tag` or `age`".to_owned(),
                    word => format!("`{word}` is not known; did you mean `{nearest}`?"),
                }))
            }
        }
    }

    fn matches(&mut self, field: Text) -> Result<Node, SelectError> {
        let operators = [("==", false, false), ("!=", false, true), ("=~", true, false), ("!~", true, true)];
        let Some((_, is_regex, negated)) = operators.into_iter().find(|(text, ..)| self.take(text)) else {
            return Err(self.error(&format!("expected an operator after `{}`: == != =~ !~", field.name())));
        };
        self.skip_space();
        let start = self.position;
        let text = self.literal()?;
        let pattern = if is_regex {
            // Names are ASCII, so an engine without the tables of Unicode is enough.
            let built = RegexBuilder::new(&text).size_limit(MOST_MEMORY).nest_limit(50).build();
            match built {
                Ok(regex) => Matcher::Regex(regex),
                Err(error) => {
                    self.position = start;
                    let last = error.to_string();
                    let last = last.lines().last().unwrap_or_default().trim().to_owned();
                    return Err(self.error(&format!("`{text}` is no regular expression: {last}")));
                }
            }
        } else {
            Matcher::Glob(text.clone())
        };
        let node = Node::Matches { field, pattern, text };
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    fn time(&mut self, node: fn(Operator, SignedDuration) -> Node) -> Result<Node, SelectError> {
        let operators =
            [("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Below), (">", Operator::Above)];
        let Some((_, operator)) = operators.into_iter().find(|(text, _)| self.take(text)) else {
            return Err(self.error("expected an operator: < <= > >="));
        };
        self.skip_space();
        let start = self.position;
        let text = self.word(|c| c.is_ascii_alphanumeric());
        match span(&text) {
            Some(span) => Ok(node(operator, span)),
            None => {
                self.position = start;
                Err(self.error(&format!("`{text}` is no span of time: expected for example 12h, 30d or 8w")))
            }
        }
    }

    fn newest(&mut self) -> Result<Node, SelectError> {
        let bracket = self.take("(");
        self.skip_space();
        let start = self.position;
        let text = self.word(|c| c.is_ascii_digit());
        match text.parse() {
            Ok(count) if count > 0 && (!bracket || self.take(")")) => Ok(Node::Newest(count)),
            _ => {
                self.position = start;
                Err(self.error("expected a number, as in `newest(5)`"))
            }
        }
    }

    /// A pattern up to the next space, comma or bracket that it did not open, or any text in quotes, where `\\` and `\"`
    /// stand for themselves.
    fn literal(&mut self) -> Result<String, SelectError> {
        let Some(quote) = ['"', '\''].into_iter().find(|quote| self.rest().starts_with(*quote)) else {
            let mut open = 0;
            let word = self.word(|c| {
                open += i32::from(matches!(c, '(' | '[' | '{')) - i32::from(matches!(c, ')' | ']' | '}'));
                open >= 0 && !c.is_whitespace() && (open > 0 || (c != ',' && c != '&'))
            });
            return if word.is_empty() { Err(self.error("expected a value")) } else { Ok(word) };
        };
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if self.rest().get(at + 1..).is_some_and(|rest| rest.starts_with(['\\', quote])) => {
                    value.extend(chars.next().map(|(_, c)| c));
                }
                c if c == quote => {
                    self.position += at + 1;
                    return Ok(value);
                }
                c => value.push(c),
            }
        }
        Err(self.error("the quoted text does not end"))
    }

    fn word(&mut self, mut belongs: impl FnMut(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
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

    fn error(&self, problem: &str) -> SelectError {
        let before = self.text.get(..self.position).unwrap_or_default();
        SelectError {
            text: self.text.chars().take(LONGEST).collect(),
            problem: problem.to_owned(),
            position: before.chars().count() + 1,
        }
    }
}

/// `12h`, `30d`, `8w`.
fn span(text: &str) -> Option<SignedDuration> {
    let (number, hours) = match text.char_indices().last()? {
        (at, 'h') => (text.get(..at)?, 1),
        (at, 'd') => (text.get(..at)?, 24),
        (at, 'w') => (text.get(..at)?, 24 * 7),
        _ => return None,
    };
    let number: i64 = number.parse::<u32>().ok()?.into();
    Some(SignedDuration::from_hours(number * hours))
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const WORDS: [&str; 11] =
    ["all", "none", "new", "known", "changed", "stale", "repository", "tag", "age", "scanned", "newest"];
/// What was not scanned for so long.
const STALE: SignedDuration = SignedDuration::from_hours(24 * 7);
const LONGEST: usize = 2000;
const DEEPEST: usize = 50;
const MOST_MEMORY: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrong_expressions_say_where_and_what_is_right() {
        for (text, expected) in [
            ("", "expected a word"),
            ("al", "`al` is not known; did you mean `all`? (at character 1)"),
            ("tag", "expected an operator after `tag`"),
            ("tag =~ \"(\"", "is no regular expression"),
            ("tag =~ \"a", "does not end"),
            ("age < 3", "`3` is no span of time: expected for example 12h, 30d or 8w (at character 7)"),
            ("age 3d", "expected an operator: <"),
            ("newest(x)", "as in `newest(5)`"),
            ("newest(0)", "as in `newest(5)`"),
            ("(all", "expected `)`"),
            ("all all", "expected `&&`, `||` or the end (at character 5)"),
        ] {
            let error = parse(text).map(|_| ()).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(parse(&"(".repeat(1000)).is_err());
        assert!(parse(&"tag == a || ".repeat(1000)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(tag|age|newest|all|=~|==|<|3d|\\(|\\)|!|&&|\\|\\||,| |\"|\\\\|[a-zäß*]){0,30}") {
            let _ = parse(&text);
        }
    }
}
