//! Which user name and password a registry gets, and from which variable.
//!
//! Order: `CS_REGISTRY_USER`/`_PASSWORD` (formerly `DOCKER_USER`/`_PASSWORD`) → `DOCKER_AUTH_CONFIG` → Docker's `config.json`
//! → `registries` of `.plimsoll.yml` → `CI_REGISTRY_USER`/`_PASSWORD` → `CI_DEPLOY_USER`/`_PASSWORD` → `CI_DEPENDENCY_PROXY_USER`/`_PASSWORD` → `SNYK_REGISTRY_USERNAME`/`_PASSWORD` →
//! `TRIVY_USERNAME`/`_PASSWORD` → anonymous. A credential goes to the host that it was declared for and to no other:
//! `CI_*` to the hosts that GitLab names beside them; those that come without a host (`CS_*`, `SNYK_*`, `TRIVY_*`) to the
//! registry of `CS_IMAGE`, or of the first scanned image if that is not set.

mod docker_config;

use std::fmt;

use super::{Environment, canonical_host, declared_registry};
use crate::model::{ImageReference, Secret};
use docker_config::DockerConfig;

/// All credentials of a job.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    sources: Vec<Source>,
    own_images: Option<String>,
    /// What the user should know, such as a user name whose password is missing. For the log.
    pub notices: Vec<String>,
}

/// What is used for one image, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// User and password; `None` is anonymous.
    pub login: Option<Login>,
    /// The variables or file, for the log.
    pub origin: String,
    /// Whether the image belongs to the project whose job this is; `None` outside GitLab.
    pub own_project: Option<bool>,
}

/// A user name and a password or token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password or token.
    pub password: Secret,
}

/// What kind of secret a password is, told from GitLab's prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginKind {
    /// A CI job token.
    JobToken,
    /// A deploy token (`gldt-`).
    DeployToken,
    /// A personal, project or group access token (`glpat-`).
    AccessToken,
    /// Anything else.
    Password,
}

/// The credentials of the environment contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Docker's configuration is not valid.
    #[error("{origin} is not a Docker configuration: {reason}")]
    DockerConfig {
        /// The variable or the path.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A deploy token without its user name can never work.
    #[error("`{password}` holds a deploy token but `{user}` is not set: a deploy token needs its own user name")]
    UserMissing {
        /// The variable that is set.
        password: &'static str,
        /// The variable that is missing.
        user: &'static str,
    },
}

#[derive(Debug, Clone)]
enum Source {
    /// One login for one host.
    Host {
        host: String,
        login: Login,
        origin: String,
    },
    Docker(DockerConfig),
}

impl Credentials {
    /// No credentials at all.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The credentials of a job that scans `images` (known so far; may be empty).
    ///
    /// # Errors
    /// Docker's configuration is malformed, or a deploy token comes without its user name.
    pub fn from_environment(environment: &Environment, images: &[ImageReference]) -> Result<Self, CredentialsError> {
        let mut credentials = Self {
            own_images: environment.get("CI_REGISTRY_IMAGE").map(|image| image.to_ascii_lowercase()),
            ..Self::default()
        };
        let declared = declared_registry(environment, images);
        let registry = environment.get("CI_REGISTRY").map(canonical_host);
        let dependency_proxy = environment.get("CI_DEPENDENCY_PROXY_SERVER").map(canonical_host);

        let mut add = |host: &Option<String>, user, password| credentials.add(environment, host, user, password);
        add(&declared, "CS_REGISTRY_USER", "CS_REGISTRY_PASSWORD")?;
        add(&declared, "DOCKER_USER", "DOCKER_PASSWORD")?;
        let after_scanning = credentials.sources.len();
        credentials.add_declared(environment);
        let mut add = |host: &Option<String>, user, password| credentials.add(environment, host, user, password);
        add(&registry, "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")?;
        add(&registry, "CI_REGISTRY_USER", "CI_JOB_TOKEN")?;
        add(&registry, "CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD")?;
        add(&dependency_proxy, "CI_DEPENDENCY_PROXY_USER", "CI_DEPENDENCY_PROXY_PASSWORD")?;
        add(&declared, "SNYK_REGISTRY_USERNAME", "SNYK_REGISTRY_PASSWORD")?;
        add(&declared, "TRIVY_USERNAME", "TRIVY_PASSWORD")?;

        let docker = docker_config::from_environment(environment)?.into_iter().map(Source::Docker);
        credentials.sources.splice(after_scanning..after_scanning, docker);
        Ok(credentials)
    }

    /// The credential for an image: the first of the order above whose host is the image's.
    #[must_use]
    pub fn resolve(&self, image: &ImageReference) -> Credential {
        let host = canonical_host(&image.registry);
        let found = self.sources.iter().find_map(|source| match source {
            Source::Host { host: owner, login, origin } => (*owner == host).then(|| (login.clone(), origin.clone())),
            Source::Docker(config) => config.find(&host, &image.repository),
        });
        let (login, origin) = found.map_or((None, "no credentials".to_owned()), |(l, o)| (Some(l), o));
        Credential { login, origin, own_project: self.is_own(image) }
    }

    fn is_own(&self, image: &ImageReference) -> Option<bool> {
        let own = self.own_images.as_ref()?;
        Some(image.name().strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// The logins that the project's settings name variables for.
    fn add_declared(&mut self, environment: &Environment) {
        for registry in &environment.registries {
            let Some(variable) = &registry.password_variable else { continue };
            let of_variable = || registry.user_variable.as_deref().and_then(|name| environment.get(name));
            let user = registry.user.as_deref().or_else(of_variable);
            let (Some(user), Some(password)) = (user, environment.get(variable)) else {
                let missing =
                    if user.is_none() { registry.user_variable.as_ref().unwrap_or(variable) } else { variable };
                self.notices.push(format!(
                    "the login for {} ({}) is not used because {missing} is not set: is it protected and this branch is not?",
                    registry.host, registry.origin
                ));
                continue;
            };
            let login = Login { user: user.to_owned(), password: Secret::new(password) };
            let origin = format!("{variable}, named by {}", registry.origin);
            self.sources.push(Source::Host { host: canonical_host(&registry.host), login, origin });
        }
    }

    fn add(
        &mut self,
        environment: &Environment,
        host: &Option<String>,
        user: &'static str,
        password: &'static str,
    ) -> Result<(), CredentialsError> {
        let job_token = matches!(password, "CI_JOB_TOKEN" | "CI_REGISTRY_PASSWORD");
        let (name, secret) = match (environment.get(user), environment.get(password)) {
            (None, None) => return Ok(()),
            (Some(name), Some(secret)) => (name, secret),
            (None, Some(secret)) if job_token && !secret.starts_with("gldt-") => ("gitlab-ci-token", secret),
            (None, Some(secret)) if secret.starts_with("gldt-") => {
                return Err(CredentialsError::UserMissing { password, user });
            }
            (None, Some(_)) => {
                self.notices.push(format!("{password} is not used because {user} is not set"));
                return Ok(());
            }
            (Some(_), None) if job_token => return Ok(()),
            (Some(_), None) => {
                self.notices.push(format!(
                    "{user} is not used because {password} is not set: is it protected and this branch is not?"
                ));
                return Ok(());
            }
        };
        let Some(host) = host.clone() else {
            if !job_token {
                self.notices.push(format!("{user} is not used because no registry is known that it belongs to"));
            }
            return Ok(());
        };
        let login = Login { user: name.to_owned(), password: Secret::new(secret) };
        self.sources.push(Source::Host { host, login, origin: format!("{user}/{password}") });
        Ok(())
    }
}

impl Login {
    /// What the password is.
    #[must_use]
    pub fn kind(&self) -> LoginKind {
        let password = self.password.expose();
        if password.starts_with("gldt-") {
            LoginKind::DeployToken
        } else if password.starts_with("glpat-") {
            LoginKind::AccessToken
        } else if password.starts_with("glcbt-") || self.user == "gitlab-ci-token" {
            LoginKind::JobToken
        } else {
            LoginKind::Password
        }
    }
}

impl fmt::Display for LoginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JobToken => "job token",
            Self::DeployToken => "deploy token",
            Self::AccessToken => "access token",
            Self::Password => "password",
        })
    }
}

impl fmt::Display for Credential {
    /// For the log: `deploy token of gitlab+deploy-token-1 (CI_DEPLOY_USER/CI_DEPLOY_PASSWORD)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.login {
            Some(login) => write!(f, "{} of {} ({})", login.kind(), login.user, self.origin),
            None => f.write_str("anonymous"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(variables: &[(&str, &str)], scanned: &str, image: &str) -> String {
        let environment: Environment = variables.iter().map(|(k, v)| (*k, *v)).collect();
        let scanned: Vec<ImageReference> = scanned.split_whitespace().map(|i| i.parse().unwrap()).collect();
        let credentials = Credentials::from_environment(&environment, &scanned).unwrap();
        let credential = credentials.resolve(&image.parse().unwrap());
        credential.login.map_or("anonymous".into(), |l| format!("{}:{}", l.user, l.password.expose()))
    }

    #[test]
    fn the_projects_settings_name_variables_for_hosts() {
        let mut environment: Environment = [("TOKEN", "t"), ("ROBOT", "r")].into_iter().collect();
        let registry = |host: &str, user: Option<&str>, password: &str| super::super::RegistrySettings {
            host: host.into(),
            user: user.map(Into::into),
            user_variable: Some("ROBOT".into()),
            password_variable: Some(password.into()),
            origin: "f, line 1".into(),
            ..Default::default()
        };
        environment.registries = vec![
            registry("reg.io:443", Some("robot"), "TOKEN"),
            registry("b.io", None, "TOKEN"),
            registry("c.io", None, "NONE"),
        ];
        let credentials = Credentials::from_environment(&environment, &[]).unwrap();
        let said = |image: &str| credentials.resolve(&image.parse().unwrap()).to_string();
        assert_eq!(said("reg.io/a:1"), "password of robot (TOKEN, named by f, line 1)");
        assert_eq!(said("b.io/a:1"), "password of r (TOKEN, named by f, line 1)");
        assert_eq!(said("c.io/a:1"), "anonymous");
        assert_eq!(said("d.io/a:1"), "anonymous");
        assert!(
            credentials.notices.iter().any(|notice| notice.contains("NONE is not set")),
            "{:?}",
            credentials.notices
        );
    }

    const JOB: &[(&str, &str)] = &[
        ("CI_REGISTRY", "reg.example.com:5050"),
        ("CI_REGISTRY_USER", "gitlab-ci-token"),
        ("CI_REGISTRY_PASSWORD", "job"),
        ("CI_DEPLOY_USER", "gitlab+deploy-token-1"),
        ("CI_DEPLOY_PASSWORD", "gldt-1"),
        ("CI_DEPENDENCY_PROXY_SERVER", "gitlab.example.com:443"),
        ("CI_DEPENDENCY_PROXY_USER", "gitlab-ci-token"),
        ("CI_DEPENDENCY_PROXY_PASSWORD", "proxy"),
    ];

    #[test]
    fn order_and_hosts() {
        let own = "reg.example.com:5050/g/p:1";
        let with = |more: &[(&'static str, &'static str)]| [JOB, more].concat();
        // An `auths` entry whose `auth` is base64 of `docker:file`.
        let docker = r#"{"auths":{"reg.example.com:5050":{"auth":"ZG9ja2VyOmZpbGU="}}}"#;
        for (name, variables, scanned, image, expected) in [
            ("the job's own registry", with(&[]), own, own, "gitlab-ci-token:job"),
            ("another port is another host", with(&[]), own, "reg.example.com/g/p", "anonymous"),
            ("another registry", with(&[]), own, "alpine", "anonymous"),
            ("CS_ before CI_", with(&[("CS_REGISTRY_USER", "cs"), ("CS_REGISTRY_PASSWORD", "p")]), own, own, "cs:p"),
            (
                "the old names of CS_",
                with(&[("DOCKER_USER", "old"), ("DOCKER_PASSWORD", "p"), ("DOCKER_AUTH_CONFIG", docker)]),
                own,
                own,
                "old:p",
            ),
            (
                "CS_ belongs to CS_IMAGE",
                with(&[
                    ("CS_REGISTRY_USER", "cs"),
                    ("CS_REGISTRY_PASSWORD", "p"),
                    ("CS_IMAGE", "other.example.com/a:1"),
                ]),
                own,
                own,
                "gitlab-ci-token:job",
            ),
            (
                "CS_ belongs to the first image",
                with(&[("CS_REGISTRY_USER", "cs"), ("CS_REGISTRY_PASSWORD", "p")]),
                "other.example.com/a alpine",
                "alpine",
                "anonymous",
            ),
            ("CS_ user without password", with(&[("CS_REGISTRY_USER", "cs")]), own, own, "gitlab-ci-token:job"),
            ("Docker before CI_", with(&[("DOCKER_AUTH_CONFIG", docker)]), own, own, "docker:file"),
            (
                "CS_ before Docker",
                with(&[("DOCKER_AUTH_CONFIG", docker), ("CS_REGISTRY_USER", "cs"), ("CS_REGISTRY_PASSWORD", "p")]),
                own,
                own,
                "cs:p",
            ),
            (
                "deploy token when there is no job token",
                JOB.iter().filter(|(k, _)| !k.starts_with("CI_REGISTRY_")).copied().collect(),
                own,
                own,
                "gitlab+deploy-token-1:gldt-1",
            ),
            (
                "job token without CI_REGISTRY_PASSWORD",
                vec![("CI_REGISTRY", "reg.io"), ("CI_JOB_TOKEN", "t")],
                "reg.io/a",
                "reg.io/a",
                "gitlab-ci-token:t",
            ),
            (
                "dependency proxy, default port",
                with(&[]),
                own,
                "gitlab.example.com/g/dependency_proxy/containers/alpine:3",
                "gitlab-ci-token:proxy",
            ),
            (
                "Snyk before Trivy",
                vec![
                    ("TRIVY_USERNAME", "t"),
                    ("TRIVY_PASSWORD", "t"),
                    ("SNYK_REGISTRY_USERNAME", "s"),
                    ("SNYK_REGISTRY_PASSWORD", "s"),
                ],
                "reg.io/a",
                "reg.io/b",
                "s:s",
            ),
            (
                "Trivy's belong to the scanned registry",
                vec![("TRIVY_USERNAME", "t"), ("TRIVY_PASSWORD", "t")],
                "reg.io/a",
                "alpine",
                "anonymous",
            ),
        ] {
            assert_eq!(resolve(&variables, scanned, image), expected, "{name}");
        }
    }

    #[test]
    fn a_deploy_token_needs_its_user_name() {
        let environment = Environment::from_iter([("CS_REGISTRY_PASSWORD", "gldt-x"), ("CS_IMAGE", "reg.io/a")]);
        let error = Credentials::from_environment(&environment, &[]).unwrap_err();
        assert_eq!(error, CredentialsError::UserMissing { password: "CS_REGISTRY_PASSWORD", user: "CS_REGISTRY_USER" });
    }

    #[test]
    fn tells_own_images_from_others() {
        let environment = Environment::from_iter([("CI_REGISTRY_IMAGE", "reg.io/g/p")]);
        let credentials = Credentials::from_environment(&environment, &[]).unwrap();
        for (image, own) in [("reg.io/g/p", true), ("reg.io/g/p/app:1", true), ("reg.io/g/pp", false)] {
            assert_eq!(credentials.resolve(&image.parse().unwrap()).own_project, Some(own), "{image}");
        }
    }

    #[test]
    fn shows_no_secret() {
        let environment = Environment::from_iter([
            ("CI_REGISTRY", "reg.io"),
            ("CI_JOB_TOKEN", "very-secret"),
            ("DOCKER_AUTH_CONFIG", r#"{"auths":{"b.io":{"username":"u","password":"very-secret"}}}"#),
        ]);
        let credentials = Credentials::from_environment(&environment, &[]).unwrap();
        let credential = credentials.resolve(&"reg.io/a".parse().unwrap());
        assert_eq!(credential.to_string(), "job token of gitlab-ci-token (CI_REGISTRY_USER/CI_JOB_TOKEN)");
        assert!(!format!("{credentials:?}{credential:?}").contains("very-secret"));
    }
}
