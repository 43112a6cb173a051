//! The thread at the Dockerfile's `FROM` line: open while the gate fails, resolved when it passes. Where a project wants
//! all threads resolved before a merge, it is a gate on every tier.

use tracing::info;

use crate::gitlab::{DiffLine, GitLab, GitLabError};
use crate::model::{Finding, ImageScan};
use crate::report::comment::{self, CommentContext};

/// Where the thread is.
pub(super) struct Thread<'a> {
    pub(super) gitlab: &'a GitLab,
    pub(super) project: &'a str,
    pub(super) iid: u64,
    /// Whose threads are ours.
    pub(super) author: u64,
    /// Path of the Dockerfile in the repository.
    pub(super) dockerfile: &'a str,
}

impl Thread<'_> {
    /// Opens, updates, resolves or opens again what belongs to the job `key`.
    pub(super) fn keep(
        &self,
        key: &str,
        context: &CommentContext,
        failing: &[&Finding],
        gaps: &[&ImageScan],
    ) -> Result<(), GitLabError> {
        let Self { gitlab, project, iid, author, .. } = *self;
        let context = CommentContext { marker: comment::marker(&format!("thread {key}")), ..context.clone() };
        let found = gitlab.find_discussion(project, iid, &context.marker, author)?;
        let Some(found) = found else {
            if failing.is_empty() && gaps.is_empty() {
                return Ok(());
            }
            let body = comment::render_thread(&context, failing, gaps);
            self.open(&body)?;
            info!("opened a thread on !{iid}");
            return Ok(());
        };
        let Some(first) = found.notes.first() else { return Ok(()) };
        let is_resolved = first.resolved == Some(true);
        if failing.is_empty() && gaps.is_empty() {
            if !is_resolved {
                gitlab.resolve_discussion(project, iid, &found.id, true)?;
                info!("resolved the thread on !{iid}");
            }
            return Ok(());
        }
        let body = comment::render_thread(&context, failing, gaps);
        if first.body.trim() != body.trim() {
            gitlab.update_note(project, iid, first.id, &body)?;
            // Somebody may have resolved it by hand; only what is new opens it again.
            if is_resolved {
                gitlab.resolve_discussion(project, iid, &found.id, false)?;
            }
        }
        Ok(())
    }

    /// At the `FROM` line if the diff has it, else on the merge request as a whole.
    fn open(&self, body: &str) -> Result<(), GitLabError> {
        let Self { gitlab, project, iid, .. } = *self;
        if let Some(line) = self.base_line()? {
            match gitlab.create_discussion(project, iid, body, Some(&line)) {
                Err(error) if error.status() == Some(400) => {}
                result => return result.map(drop),
            }
        }
        gitlab.create_discussion(project, iid, body, None).map(drop)
    }

    fn base_line(&self) -> Result<Option<DiffLine>, GitLabError> {
        let Some(refs) = self.gitlab.merge_request(self.project, self.iid)?.diff_refs else { return Ok(None) };
        let file = self.gitlab.file(self.project, self.dockerfile, &refs.head_sha)?;
        let line = file.and_then(|bytes| last_from(&String::from_utf8_lossy(&bytes)));
        Ok(line.map(|line| DiffLine { path: self.dockerfile.to_owned(), line, refs }))
    }
}

/// The line of the last `FROM`, counted from 1: it names the image that the packages of the base come from.
fn last_from(dockerfile: &str) -> Option<u64> {
    let is_from = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case("from")) && words.next().is_some()
    };
    let found = dockerfile.lines().enumerate().filter(|(_, line)| is_from(line)).last();
    found.and_then(|(index, _)| u64::try_from(index + 1).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_counts() {
        for (text, expected) in [
            ("FROM debian:12\nRUN x\n", Some(1)),
            ("# FROM nothing\nfrom a AS build\nRUN x\n\n  FROM b\nCOPY --from=build x y\n", Some(5)),
            ("RUN echo FROM x\n", None),
            ("FROM\n", None),
            ("", None),
        ] {
            assert_eq!(last_from(text), expected, "{text}");
        }
    }
}
