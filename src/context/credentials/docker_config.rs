//! The `auths` of Docker's `config.json`, from a file or from `DOCKER_AUTH_CONFIG`.
//!
//! Credential helpers are not run: a scanner executes nothing. `identitytoken` is not supported.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{CredentialsError, Login};
use crate::context::{Environment, canonical_host};
use crate::model::Secret;

/// The logins of one configuration.
#[derive(Debug, Clone)]
pub(super) struct DockerConfig {
    origin: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    host: String,
    /// Repository prefix, empty for the whole host.
    path: String,
    login: Login,
}

/// `DOCKER_AUTH_CONFIG`, then the file `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, as far as there are any.
pub(super) fn from_environment(environment: &Environment) -> Result<Vec<DockerConfig>, CredentialsError> {
    let mut found = Vec::new();
    if let Some(text) = environment.get("DOCKER_AUTH_CONFIG") {
        // A variable of type "file" holds a path.
        let config = match read(Path::new(text)) {
            Some(content) if !text.trim_start().starts_with('{') => {
                DockerConfig::parse(&format!("DOCKER_AUTH_CONFIG (`{text}`)"), &content)?
            }
            _ => DockerConfig::parse("DOCKER_AUTH_CONFIG", text)?,
        };
        found.push(config);
    }
    let folder = environment
        .get("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| environment.get("HOME").map(|home| PathBuf::from(home).join(".docker")));
    if let Some(path) = folder.map(|folder| folder.join("config.json"))
        && let Some(text) = read(&path)
    {
        found.push(DockerConfig::parse(&format!("`{}`", path.display()), &text)?);
    }
    Ok(found)
}

/// A file of a size that is believable.
fn read(path: &Path) -> Option<String> {
    let believable = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() < MAX_BYTES);
    if believable { fs::read_to_string(path).ok() } else { None }
}

impl DockerConfig {
    fn parse(origin: &str, text: &str) -> Result<Self, CredentialsError> {
        let refuse = |reason: String| CredentialsError::DockerConfig { origin: origin.to_owned(), reason };
        // The message of the JSON parser quotes no values, so no secret gets into the error.
        let file: File = serde_json::from_slice(text.as_bytes())
            .map_err(|error| refuse(format!("line {} column {}", error.line(), error.column())))?;
        let mut entries = Vec::new();
        for (key, auth) in file.auths {
            let (host, path) = host_and_path(&key);
            if let Some(login) = auth.login().map_err(|reason| refuse(format!("the entry `{key}` {reason}")))? {
                entries.push(Entry { host, path, login });
            }
        }
        Ok(Self { origin: origin.to_owned(), entries })
    }

    /// The login of the entry with the longest path that covers the repository, and where it is written.
    pub(super) fn find(&self, host: &str, repository: &str) -> Option<(Login, String)> {
        self.entries
            .iter()
            .filter(|entry| entry.host == host && entry.covers(repository))
            .max_by_key(|entry| entry.path.len())
            .map(|entry| (entry.login.clone(), format!("{}, entry {}", self.origin, entry.name())))
    }
}

impl Entry {
    fn covers(&self, repository: &str) -> bool {
        self.path.is_empty()
            || repository.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn name(&self) -> String {
        if self.path.is_empty() { self.host.clone() } else { format!("{}/{}", self.host, self.path) }
    }
}

/// `https://index.docker.io/v1/` and the like name a host; `host/group/project` names part of one.
fn host_and_path(key: &str) -> (String, String) {
    let bare = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    (canonical_host(host), path.to_owned())
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Auth {
    /// An entry without a secret is one of a credential helper: not ours.
    fn login(self) -> Result<Option<Login>, &'static str> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let (Some(user), Some(password)) = (filled(self.username), filled(self.password)) {
            return Ok(Some(Login { user, password: Secret::new(password) }));
        }
        let Some(encoded) = filled(self.auth) else { return Ok(None) };
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| "has an `auth` that is not base64")?;
        let text = String::from_utf8(decoded).map_err(|_| "has an `auth` that is not text")?;
        let (user, password) = text.split_once(':').ok_or("has an `auth` without `user:password`")?;
        // Docker itself pads the password with zero bytes in some versions.
        let password = password.trim_end_matches('\0');
        Ok(Some(Login { user: user.to_owned(), password: Secret::new(password) }))
    }
}

const MAX_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_wins() {
        let auth = |text: &str| format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(text));
        let text = format!(
            r#"{{"credsStore":"x","auths":{{"https://index.docker.io/v1/":{},"reg.io":{},"reg.io/g":{},"reg.io/g/p":{},
                "https://web.io:443":{{"username":"w","password":"w"}},"helper.io":{{}}}}}}"#,
            auth("hub:a:b"),
            auth("host:1"),
            auth("group:2"),
            auth("project:3"),
        );
        let config = DockerConfig::parse("test", &text).unwrap();
        for (host, repository, expected) in [
            ("docker.io", "library/alpine", Some("hub:a:b")),
            ("reg.io", "x/y", Some("host:1")),
            ("reg.io", "g", Some("group:2")),
            ("reg.io", "g/px", Some("group:2")),
            ("reg.io", "g/p/app", Some("project:3")),
            ("web.io", "a", Some("w:w")),
            ("helper.io", "a", None),
            ("sub.reg.io", "g/p", None),
        ] {
            let found = config.find(host, repository).map(|(l, _)| format!("{}:{}", l.user, l.password.expose()));
            assert_eq!(found.as_deref(), expected, "{host}/{repository}");
        }
    }

    #[test]
    fn reads_the_file_and_names_it_when_it_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        let environment = Environment::from_iter([("DOCKER_CONFIG", folder.path().to_str().unwrap())]);
        assert!(from_environment(&environment).unwrap().is_empty(), "there is no file yet");
        fs::write(&file, r#"{"auths":{"reg.io":{"auth":"dTpw"}}}"#).unwrap();
        let configs = from_environment(&environment).unwrap();
        assert!(configs.first().unwrap().find("reg.io", "a").is_some());
        let environment_with_path = Environment::from_iter([("DOCKER_AUTH_CONFIG", file.to_str().unwrap())]);
        let configs = from_environment(&environment_with_path).unwrap();
        let (_, origin) = configs.first().and_then(|config| config.find("reg.io", "a")).unwrap();
        assert!(origin.starts_with("DOCKER_AUTH_CONFIG (`"), "{origin}");
        for bad in ["{", r#"{"auths":{"reg.io":{"auth":"§"}}}"#, r#"{"auths":{"reg.io":{"auth":"dXA="}}}"#] {
            fs::write(&file, bad).unwrap();
            let error = from_environment(&environment).expect_err(bad).to_string();
            assert!(error.contains("config.json"), "{error}");
        }
    }
}
