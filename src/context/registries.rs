//! What the project's settings say of single registries: which variables hold the login, whose certificates are trusted,
//! and whether plain HTTP is spoken. Secrets themselves have no place in a file of the repository.

/// An entry of `registries` in `.plimsoll.yml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// The registry's host, with its port.
    pub host: String,
    /// The user name.
    pub user: Option<String>,
    /// The variable that holds the user name.
    pub user_variable: Option<String>,
    /// The variable that holds the password or token.
    pub password_variable: Option<String>,
    /// Certificate authorities: a PEM file, or a variable with the text or the path.
    pub authorities: Option<String>,
    /// Whether it is spoken to in plain HTTP.
    pub insecure: bool,
    /// File and line.
    pub origin: String,
}
