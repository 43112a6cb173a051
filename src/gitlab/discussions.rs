//! Threads on merge requests: they can be resolved, and may stand at a line of the diff.

use std::borrow::Cow;

use gitlab::api::common::{NameOrId, path_escaped};
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::merge_requests::discussions::{
    CreateMergeRequestDiscussion, MergeRequestDiscussions, Position, TextPosition,
};
use gitlab::api::{self, Pagination};
use serde::Deserialize;

use super::merge_requests::DiffRefs;
use super::notes::invalid;
use super::{GitLab, GitLabError, Note};

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Discussion {
    /// Its id.
    pub id: String,
    /// Its notes, the one that opened it first.
    pub notes: Vec<Note>,
}

/// A line on the new side of a merge request's diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// The file.
    pub path: String,
    /// The line, counted from 1.
    pub line: u64,
    /// The commits between which the diff is.
    pub refs: DiffRefs,
}

impl GitLab {
    /// The first thread that `author` opened with a note that holds `marker`.
    ///
    /// # Errors
    /// The API refuses.
    pub fn find_discussion(
        &self,
        project: &str,
        iid: u64,
        marker: &str,
        author: u64,
    ) -> Result<Option<Discussion>, GitLabError> {
        let action = format!("read the threads of merge request !{iid}");
        let endpoint = MergeRequestDiscussions::builder()
            .project(project)
            .merge_request(iid)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        for found in api::paged(endpoint, Pagination::All).iter::<_, Discussion>(self).take(MAX_DISCUSSIONS) {
            let found = found.map_err(|error| self.explain(&action, error))?;
            if found.notes.first().is_some_and(|note| note.author.id == author && note.body.contains(marker)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Opens a thread, at a line of the diff or on the merge request as a whole.
    ///
    /// # Errors
    /// The API refuses: with status 400 if the line is not part of the diff.
    pub fn create_discussion(
        &self,
        project: &str,
        iid: u64,
        body: &str,
        at: Option<&DiffLine>,
    ) -> Result<Discussion, GitLabError> {
        let action = format!("open a thread on merge request !{iid}");
        let mut builder = CreateMergeRequestDiscussion::builder();
        builder.project(project).merge_request(iid).body(body);
        if let Some(at) = at {
            let text = TextPosition::builder()
                .new_path(&at.path)
                .old_path(&at.path)
                .new_line(at.line)
                .build()
                .map_err(|error| invalid(&action, &error))?;
            let position = Position::builder()
                .base_sha(&at.refs.base_sha)
                .start_sha(&at.refs.start_sha)
                .head_sha(&at.refs.head_sha)
                .text_position(text)
                .build()
                .map_err(|error| invalid(&action, &error))?;
            builder.position(position);
        }
        self.ask(&action, &builder.build().map_err(|error| invalid(&action, &error))?)
    }

    /// Marks a thread as resolved, or opens it again.
    ///
    /// # Errors
    /// The API refuses.
    pub fn resolve_discussion(&self, project: &str, iid: u64, id: &str, resolved: bool) -> Result<(), GitLabError> {
        let action = format!("resolve the thread on merge request !{iid}");
        let project = NameOrId::from(project).to_string();
        self.tell(&action, Resolve { project, iid, id: id.to_owned(), resolved })
    }
}

/// `PUT /projects/:id/merge_requests/:iid/discussions/:discussion_id?resolved=true`, which the crate lacks.
struct Resolve {
    project: String,
    iid: u64,
    id: String,
    resolved: bool,
}

impl Endpoint for Resolve {
    fn method(&self) -> Method {
        Method::PUT
    }

    fn endpoint(&self) -> Cow<'static, str> {
        let id = path_escaped(&self.id);
        format!("projects/{}/merge_requests/{}/discussions/{id}", self.project, self.iid).into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.push("resolved", self.resolved);
        parameters
    }
}

/// A merge request with more is not read to its end.
const MAX_DISCUSSIONS: usize = 10_000;
