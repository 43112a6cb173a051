//! `registries` in `.plimsoll.yml`: by host, what is needed to reach it.
//!
//! ```yaml
//! registries:
//!   registry.example.com:5000:
//!     user: robot                        # or user_variable: the variable that holds it
//!     password_variable: EXAMPLE_TOKEN   # never the secret itself
//!     ca: certs/example.pem              # or a variable with the text or path
//!     insecure: true                     # plain HTTP
//! ```

use super::Kind;
use crate::context::{RegistrySettings, nearest};
use crate::yaml::{Node, Value};

/// Reads the entries; what is wrong comes with its line.
pub(super) fn read(file: &str, map: &Node) -> Result<Vec<RegistrySettings>, (u64, String)> {
    if !matches!(map.value, Value::Map(_) | Value::Null) {
        return Err((map.line, format!("`{KEY}`: expected hosts, each with its settings, found {}", map.kind())));
    }
    map.entries()
        .iter()
        .map(|entry| {
            let host = entry.key.trim();
            if host.is_empty() || host.contains(['/', ' ', '@']) {
                return Err((entry.line, format!("`{host}` is no host of a registry; write `registry.example.com:5000`")));
            }
            let origin = format!("{file}, line {}", entry.line);
            let mut settings = RegistrySettings { host: host.to_owned(), origin, ..RegistrySettings::default() };
            if !matches!(entry.value.value, Value::Map(_)) {
                let found = entry.value.kind();
                return Err((entry.value.line, format!("`{host}`: expected `password_variable: NAME` and the like, found {found}")));
            }
            for setting in entry.value.entries() {
                let line = setting.value.line;
                let text = setting.value.text().map(str::trim).filter(|text| !text.is_empty());
                let text = text.ok_or_else(|| (line, format!("`{}`: expected a text, found {}", setting.key, setting.value.kind())));
                match setting.key.as_str() {
                    "user" => settings.user = Some(text?.to_owned()),
                    "user_variable" => settings.user_variable = Some(variable(text?, line)?),
                    "password_variable" => settings.password_variable = Some(variable(text?, line)?),
                    "ca" => settings.authorities = Some(text?.to_owned()),
                    "insecure" => {
                        let value = Kind::Bool.normalise(text?).map_err(|why| (line, format!("`insecure`: {why}")))?;
                        settings.insecure = value == "true";
                    }
                    "password" | "token" | "secret" => {
                        let why = "a secret does not belong into a file of the repository; put it into a masked variable and \
                                   name that with `password_variable`";
                        return Err((setting.line, why.into()));
                    }
                    other => {
                        let hint = nearest(other, KEYS).map_or_else(String::new, |(name, _)| format!("; did you mean `{name}`?"));
                        return Err((setting.line, format!("`{other}` is not a setting of a registry{hint}")));
                    }
                }
            }
            if settings.password_variable.is_some() && settings.user.is_none() && settings.user_variable.is_none() {
                return Err((entry.line, format!("`{host}`: a password needs a `user` or `user_variable`")));
            }
            Ok(settings)
        })
        .collect()
}

fn variable(text: &str, line: u64) -> Result<String, (u64, String)> {
    let name = text.trim_start_matches('$');
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // The text may be the secret that was pasted in the wrong place.
    if is_name {
        Ok(name.to_owned())
    } else {
        Err((line, "expected the name of a variable, such as EXAMPLE_TOKEN".into()))
    }
}

/// The key in the settings file.
pub(super) const KEY: &str = "registries";

/// The settings of a registry.
pub(super) const KEYS: [&str; 5] = ["user", "user_variable", "password_variable", "ca", "insecure"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn reads_hosts_and_refuses_secrets() {
        let read = |text: &str| read("f", &yaml::parse(text).unwrap());
        let all =
            read("reg.io:5000:\n  user: robot\n  password_variable: $TOKEN\n  insecure: yes\nother.io:\n  ca: x.pem\n")
                .unwrap();
        assert_eq!(all[0].password_variable.as_deref(), Some("TOKEN"));
        assert!(all[0].insecure && !all[1].insecure);
        assert_eq!((all[1].authorities.as_deref(), all[1].origin.as_str()), (Some("x.pem"), "f, line 5"));
        for (text, line, expected) in [
            ("- a\n", 1, "expected hosts"),
            ("reg.io/group: {user: a}\n", 1, "no host of a registry"),
            ("reg.io: x\n", 1, "found a text"),
            ("reg.io:\n  password: hunter2\n", 2, "does not belong into a file"),
            ("reg.io:\n  user: a\n  password_variable: 'hunter 2'\n", 3, "name of a variable"),
            ("reg.io:\n  usr: a\n", 2, "did you mean `user`?"),
            ("reg.io:\n  insecure: perhaps\n", 2, "use true or false"),
            ("reg.io:\n  password_variable: A\n", 1, "needs a `user`"),
            ("reg.io:\n  user: [a]\n", 2, "expected a text, found a list"),
        ] {
            let (at, why) = read(text).expect_err(text);
            assert!(at == line && why.contains(expected) && !why.contains("hunter"), "{text}: {at}: {why}");
        }
    }
}
