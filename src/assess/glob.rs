//! Patterns with wildcards: `?` one character, `*` any but `/`, `**` any at all.

/// Whether the whole text has the pattern's form. Cost is bounded by the product of the lengths.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let tokens = tokens(pattern);
    // The set of tokens that may come next, as in a non-deterministic automaton; the last means the end.
    let mut states = vec![false; tokens.len() + 1];
    reach(&tokens, &mut states, 0);
    for c in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens.iter().enumerate().filter(|(index, _)| states.get(*index) == Some(&true)) {
            match token {
                Token::Char(wanted) if *wanted == c => reach(&tokens, &mut next, index + 1),
                Token::One if c != '/' => reach(&tokens, &mut next, index + 1),
                Token::Any => reach(&tokens, &mut next, index),
                Token::Part if c != '/' => reach(&tokens, &mut next, index),
                _ => {}
            }
        }
        states = next;
        if !states.contains(&true) {
            return false;
        }
    }
    states.last() == Some(&true)
}

/// Marks a state and those that follow from it without a character.
fn reach(tokens: &[Token], states: &mut [bool], from: usize) {
    for index in from..=tokens.len() {
        if let Some(state) = states.get_mut(index) {
            *state = true;
        }
        if !matches!(tokens.get(index), Some(Token::Any | Token::Part)) {
            break;
        }
    }
}

enum Token {
    Char(char),
    One,
    Part,
    Any,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().take(LONGEST).peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '?' => Token::One,
            '*' => {
                let mut any = false;
                while chars.next_if_eq(&'*').is_some() {
                    any = true;
                }
                if any { Token::Any } else { Token::Part }
            }
            c => Token::Char(c),
        });
    }
    tokens
}

const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("zlib1g", "zlib1g", true),
            ("zlib1g", "zlib1g-dev", false),
            ("zlib*", "zlib1g-dev", true),
            ("@babel/*", "@babel/core", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("usr/lib/**", "usr/lib/a/b", true),
            ("usr/*/x", "usr/lib/x", true),
            ("usr/*/x", "usr/lib/a/x", false),
            ("**/node_modules/**", "app/node_modules/x/package.json", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("", "", true),
            ("", "a", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        let hostile = "*a".repeat(500);
        assert!(!matches(&hostile, &"a".repeat(400)));
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_any_any(text in "[a-z/.]{0,40}", other in "[a-z*?/]{0,40}") {
            prop_assert!(matches(&text, &text));
            prop_assert!(matches("**", &text));
            let _ = matches(&other, &text);
        }
    }
}
