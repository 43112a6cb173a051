//! Files of the project's repository: from the working directory or, where the job has no checkout, through the Files
//! API with the job token.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path};

use tracing::debug;

use crate::context::{Environment, Job, NetworkSettings};
use crate::gitlab::GitLab;

/// Where files are read.
pub(super) struct Repository {
    /// The job without a checkout, and the commit that it is for.
    remote: Option<Remote>,
}

struct Remote {
    job: Job,
    commit: String,
    network: NetworkSettings,
    client: OnceCell<GitLab>,
}

impl Repository {
    pub(super) fn of(environment: &Environment) -> Self {
        let strategy = environment.get("GIT_STRATEGY");
        let remote = || {
            let job = Job::from_environment(environment).filter(|job| job.job_token.is_some())?;
            let commit = environment.get("CI_COMMIT_SHA")?.to_owned();
            let network = NetworkSettings::from_environment(environment, &[]).ok()?;
            Some(Remote { job, commit, network, client: OnceCell::new() })
        };
        Self { remote: if matches!(strategy, Some("none" | "empty")) { remote() } else { None } }
    }

    /// Whether the job has no checkout.
    pub(super) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// The text of a file that lies here or in the repository, of at most `limit` bytes.
    ///
    /// # Errors
    /// It is in neither place ([`ErrorKind::NotFound`]), too large or not UTF-8, or the API refuses.
    pub(super) fn read(&self, name: &str, limit: u64) -> io::Result<String> {
        let path = Path::new(name);
        let text = match File::open(path) {
            Ok(file) => {
                let mut text = String::new();
                file.take(limit + 1).read_to_string(&mut text)?;
                text
            }
            Err(error) if error.kind() == ErrorKind::NotFound => self.fetch(path)?,
            Err(error) => return Err(error),
        };
        if text.len() as u64 > limit {
            return Err(io::Error::new(ErrorKind::FileTooLarge, format!("larger than {} KiB", limit >> 10)));
        }
        Ok(text)
    }

    /// The text of a file of the repository.
    ///
    /// # Errors
    /// There is a checkout or no such file ([`ErrorKind::NotFound`]), it is not UTF-8, or the API refuses.
    pub(super) fn fetch(&self, path: &Path) -> io::Result<String> {
        let missing = || io::Error::from(ErrorKind::NotFound);
        let remote = self.remote.as_ref().ok_or_else(missing)?;
        let path = inside(path).ok_or_else(missing)?;
        let token = remote.job.job_token.as_ref().ok_or_else(missing)?;
        let client = match remote.client.get() {
            Some(client) => client,
            None => {
                let made = GitLab::new(&remote.network, &remote.job.api, token.clone()).map_err(io::Error::other)?;
                remote.client.get_or_init(|| made)
            }
        };
        let bytes = client.file(&remote.job.project, &path, &remote.commit).map_err(io::Error::other)?;
        let bytes = bytes.ok_or_else(missing)?;
        debug!("{path} was read through the API, as there is no checkout");
        String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
    }
}

/// The path inside the repository; `None` for one outside of it.
fn inside(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            _ => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("Dockerfile", Some("Dockerfile")),
            ("./docker/Dockerfile", Some("docker/Dockerfile")),
            ("/etc/passwd", None),
            ("../other", None),
            (".", None),
        ] {
            assert_eq!(inside(Path::new(path)).as_deref(), expected, "{path}");
        }
    }
}
