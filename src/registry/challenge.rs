//! `WWW-Authenticate`: how a registry wants to be asked (RFC 9110, 11.6.1; Docker's token specification).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from a token service.
    Bearer {
        /// Address of the token service.
        realm: String,
        /// The name under which the registry is known there.
        service: Option<String>,
        /// `invalid_token` or `insufficient_scope`.
        error: Option<String>,
    },
    /// User name and password with every request.
    Basic,
}

/// The strongest challenge that is understood.
pub(super) fn parse(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges: Vec<_> = values.flat_map(split).collect();
    let bearer = challenges.iter().find_map(|(scheme, parameters)| {
        let parameter = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        scheme.eq_ignore_ascii_case("bearer").then_some(())?;
        Some(Challenge::Bearer {
            realm: parameter("realm")?.1.clone(),
            service: parameter("service").map(|(_, value)| value.clone()),
            error: parameter("error").map(|(_, value)| value.clone()),
        })
    });
    let basic = || challenges.iter().any(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    bearer.or_else(|| basic().then_some(Challenge::Basic))
}

type Parameters = Vec<(String, String)>;

/// A header's challenges: scheme and parameters.
fn split(text: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    for element in elements(text) {
        let parameter = match element.split_once(char::is_whitespace) {
            Some((scheme, rest)) if !scheme.contains('=') => {
                challenges.push((scheme.to_owned(), Vec::new()));
                rest.trim()
            }
            _ if !element.contains('=') => {
                challenges.push((element.to_owned(), Vec::new()));
                continue;
            }
            _ => element,
        };
        if let (Some((key, value)), Some((_, parameters))) = (parameter.split_once('='), challenges.last_mut()) {
            parameters.push((key.trim().to_owned(), unquote(value.trim())));
        }
    }
    challenges
}

/// The parts between commas that are not inside quotes.
fn elements(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest)) else {
        return value.to_owned();
    };
    let mut escaped = false;
    inner
        .chars()
        .filter(|&c| {
            let skip = c == '\\' && !escaped;
            escaped = skip;
            !skip
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn of(values: &[&str]) -> Option<Challenge> {
        parse(&values.iter().map(|v| (WWW_AUTHENTICATE, HeaderValue::from_str(v).unwrap())).collect())
    }

    fn bearer(realm: &str, service: Option<&str>, error: Option<&str>) -> Option<Challenge> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Challenge::Bearer { realm: realm.into(), service: owned(service), error: owned(error) })
    }

    #[test]
    fn reads_what_registries_send() {
        let gitlab = r#"Bearer realm="https://gitlab.com/jwt/auth",service="container_registry",scope="repository:a/b:pull,push",error="invalid_token""#;
        for (name, values, expected) in [
            (
                "GitLab",
                vec![gitlab],
                bearer("https://gitlab.com/jwt/auth", Some("container_registry"), Some("invalid_token")),
            ),
            (
                "spaces and no quotes",
                vec!["bearer  realm = https://r , service=s"],
                bearer("https://r", Some("s"), None),
            ),
            (
                "bearer is preferred",
                vec!["Basic realm=\"x\"", "Bearer realm=\"https://r\""],
                bearer("https://r", None, None),
            ),
            (
                "two in one header",
                vec!["Basic realm=\"x, y\", Bearer realm=\"https://r\""],
                bearer("https://r", None, None),
            ),
            ("escapes", vec![r#"Bearer realm="https://r/\"q\"""#], bearer("https://r/\"q\"", None, None)),
            ("basic", vec!["Basic realm=\"Registry\""], Some(Challenge::Basic)),
            ("basic alone", vec!["Basic"], Some(Challenge::Basic)),
            ("a bearer without realm", vec!["Bearer service=\"s\""], None),
            ("another scheme", vec!["Negotiate"], None),
            ("nothing", vec![], None),
        ] {
            assert_eq!(of(&values), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ -~]{0,80}") {
            of(&[&text]);
        }
    }
}
