//! The process environment as a value, so that everything that reads it can be tested.

use std::collections::BTreeMap;

use super::RegistrySettings;

/// Environment variables. Empty values count as not set, as GitLab passes unset inputs as empty strings.
///
/// Settings that were given elsewhere are entered here under their variables, with where they really come from, so
/// that all who ask for a variable see what holds.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Of the variables that were entered by [`Environment::enter`].
    origins: BTreeMap<String, String>,
    /// What the project's settings say of single registries.
    pub registries: Vec<RegistrySettings>,
}

impl Environment {
    /// The variables of this process. Values that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
    }

    /// The value of a variable that is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is set to `true`, `1`, `yes` or `on`, in any case.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| ["true", "1", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()))
    }

    /// The names of the variables that are set and not empty.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Where a value comes from, for people: the variable itself, unless a setting was entered under its name.
    #[must_use]
    pub fn origin<'a>(&'a self, name: &'a str) -> &'a str {
        self.origins.get(name).map_or(name, String::as_str)
    }

    /// Sets a variable to what was said elsewhere.
    pub fn enter(&mut self, name: &str, value: &str, origin: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
        self.origins.insert(name.to_owned(), origin.to_owned());
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self { variables, origins: BTreeMap::new(), registries: Vec::new() }
    }
}
