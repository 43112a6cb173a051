//! Names with wildcards: `app:1.*`, `team/**`, `!app:dev-*`.

use super::super::glob;
use super::parse::SelectError;
use super::{Answer, Candidate};

/// One pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    excludes: bool,
    repository: String,
    tag: String,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, SelectError> {
        let trimmed = text.trim();
        let (excludes, name) = trimmed.strip_prefix('!').map_or((false, trimmed), |rest| (true, rest.trim()));
        let name = ["docker://", "https://", "http://"].iter().find_map(|s| name.strip_prefix(s)).unwrap_or(name);
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (name, "*"),
        };
        if repository.is_empty() || tag.is_empty() || name.len() > LONGEST || name.contains(char::is_whitespace) {
            let problem = "expected a name such as `app`, `app:1.*`, `team/**` or `!app:dev-*`".to_owned();
            return Err(SelectError { text: text.chars().take(LONGEST).collect(), problem, position: 1 });
        }
        Ok(Self {
            text: trimmed.to_owned(),
            excludes,
            repository: repository.trim_end_matches('/').to_owned(),
            tag: tag.to_owned(),
        })
    }

    fn fits(&self, candidate: &Candidate, project: &str) -> bool {
        if !glob::matches(&self.tag, &candidate.tag) {
            return false;
        }
        let full = candidate.repository.as_str();
        let path = full.split_once('/').map_or(full, |(_, path)| path);
        let own = path.strip_prefix(project).map(|rest| rest.trim_start_matches('/'));
        // A repository of the project itself is called like the project.
        let own = own.map(|own| if own.is_empty() { path.rsplit('/').next().unwrap_or(path) } else { own });
        [Some(full), Some(path), own].into_iter().flatten().any(|name| glob::matches(&self.repository, name))
    }
}

/// What patterns say about a tag: the last that fits decides. With exclusions only, all others are meant.
pub(super) fn judge(patterns: &[Pattern], candidate: &Candidate, project: &str) -> Answer {
    if let Some(deciding) = patterns.iter().rev().find(|pattern| pattern.fits(candidate, project)) {
        return if deciding.excludes {
            Answer::new(false, format!("is left out by `{}`", deciding.text))
        } else {
            Answer::new(true, format!("is named by `{}`", deciding.text))
        };
    }
    if patterns.iter().all(|pattern| pattern.excludes) {
        Answer::new(true, "")
    } else {
        Answer::new(false, "is named by no pattern")
    }
}

const LONGEST: usize = 500;
