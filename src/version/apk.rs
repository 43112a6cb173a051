//! Alpine's version order (apk-tools `version.c`): numbers, a letter, `_suffix`es, `~hash`, `-rN`.

use std::cmp::Ordering;

/// Compares two versions; `None` where one is malformed.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (tokens(a)?, tokens(b)?);
    for index in 0..a.len().max(b.len()) {
        let order = match (a.get(index), b.get(index)) {
            (Some(x), Some(y)) => token(x, y),
            (Some(x), None) => after_end(x),
            (None, Some(y)) => after_end(y).reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// The first number, and any that follows a dot; later ones with a leading zero compare as fractions.
    First(&'a str),
    Number(&'a str),
    Letter(char),
    /// Rank below zero sorts before the plain version; with an optional number.
    Suffix(i8, &'a str),
    Hash(&'a str),
    Revision(&'a str),
}

const SUFFIXES: [(&str, i8); 9] =
    [("alpha", -4), ("beta", -3), ("pre", -2), ("rc", -1), ("cvs", 1), ("svn", 2), ("git", 3), ("hg", 4), ("p", 5)];

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut rest = text.trim();
    let mut tokens = vec![Token::First(digits(&mut rest)?)];
    while let Some(tail) = rest.strip_prefix('.') {
        rest = tail;
        tokens.push(Token::Number(digits(&mut rest)?));
    }
    if let Some(letter) = rest.chars().next().filter(char::is_ascii_lowercase) {
        tokens.push(Token::Letter(letter));
        rest = rest.get(1..)?;
    }
    while let Some(tail) = rest.strip_prefix('_') {
        let end = tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len());
        let (name, tail) = tail.split_at(end);
        let (_, rank) = SUFFIXES.iter().find(|(known, _)| *known == name)?;
        rest = tail;
        tokens.push(Token::Suffix(*rank, digits(&mut rest).unwrap_or("")));
    }
    if let Some(tail) = rest.strip_prefix('~') {
        let end = tail.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(tail.len());
        let (hash, tail) = tail.split_at(end);
        tokens.push(Token::Hash(hash));
        rest = tail;
    }
    if let Some(tail) = rest.strip_prefix("-r") {
        rest = tail;
        tokens.push(Token::Revision(digits(&mut rest)?));
    }
    rest.is_empty().then_some(tokens)
}

fn digits<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (run, tail) = rest.split_at(end);
    *rest = tail;
    (!run.is_empty()).then_some(run)
}

fn token(a: &Token<'_>, b: &Token<'_>) -> Ordering {
    match (a, b) {
        (Token::Number(x), Token::Number(y)) if x.starts_with('0') || y.starts_with('0') => x.cmp(y),
        (Token::First(x) | Token::Number(x), Token::First(y) | Token::Number(y))
        | (Token::Revision(x), Token::Revision(y)) => number(x, y),
        (Token::Letter(x), Token::Letter(y)) => x.cmp(y),
        (Token::Suffix(x, m), Token::Suffix(y, n)) => x.cmp(y).then_with(|| number(m, n)),
        (Token::Hash(x), Token::Hash(y)) => x.cmp(y),
        (x, y) => different(x, y),
    }
}

/// Tokens of different sorts: a pre-release suffix is below everything, else the sort that comes earlier in a version wins.
fn different(a: &Token<'_>, b: &Token<'_>) -> Ordering {
    match (a, b) {
        (Token::Suffix(rank, _), _) if *rank < 0 => Ordering::Less,
        (_, Token::Suffix(rank, _)) if *rank < 0 => Ordering::Greater,
        (a, b) => sort(b).cmp(&sort(a)),
    }
}

fn sort(token: &Token<'_>) -> u8 {
    match token {
        Token::First(_) => 0,
        Token::Number(_) => 1,
        Token::Letter(_) => 2,
        Token::Suffix(..) => 3,
        Token::Hash(_) => 4,
        Token::Revision(_) => 5,
    }
}

/// A version that goes on where the other has ended is newer, unless it goes on with a pre-release suffix.
fn after_end(token: &Token<'_>) -> Ordering {
    match token {
        Token::Suffix(rank, _) if *rank < 0 => Ordering::Less,
        _ => Ordering::Greater,
    }
}

fn number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
