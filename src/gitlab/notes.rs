//! Notes (comments) of a merge request.

use gitlab::api::common::SortOrder;
use gitlab::api::projects::merge_requests::notes::{
    CreateMergeRequestNote, EditMergeRequestNote, MergeRequestNotes, NoteOrderBy,
};
use gitlab::api::users::CurrentUser;
use gitlab::api::{self, Pagination};
use serde::Deserialize;

use super::{GitLab, GitLabError};

/// GitLab refuses longer notes.
pub const MAX_NOTE_CHARS: usize = 1_000_000;

/// A note, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Note {
    /// Its id.
    pub id: u64,
    /// Its text, Markdown.
    pub body: String,
    /// Who wrote it.
    pub author: User,
    /// Whether GitLab itself wrote it.
    #[serde(default)]
    pub system: bool,
    /// Whether its thread is resolved, where it can be.
    #[serde(default)]
    pub resolved: Option<bool>,
}

/// A user, such as the bot of a project access token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The id.
    pub id: u64,
    /// The name after the `@`.
    pub username: String,
}

impl GitLab {
    /// Whose token this is.
    ///
    /// # Errors
    /// The API refuses; it does so for the job token.
    pub fn user(&self) -> Result<User, GitLabError> {
        let action = "ask who the token belongs to";
        self.ask(action, &CurrentUser::builder().build().map_err(|error| invalid(action, &error))?)
    }

    /// The first note that holds `marker` and was written by `author`, on whatever page. Others may copy the marker.
    ///
    /// # Errors
    /// The API refuses.
    pub fn find_note(&self, project: &str, iid: u64, marker: &str, author: u64) -> Result<Option<Note>, GitLabError> {
        let action = format!("read the notes of merge request !{iid}");
        // Oldest first: our note is there since the first pipeline, and new notes do not shift the pages.
        let endpoint = MergeRequestNotes::builder()
            .project(project)
            .merge_request(iid)
            .order_by(NoteOrderBy::CreatedAt)
            .sort(SortOrder::Ascending)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        for note in api::paged(endpoint, Pagination::All).iter::<_, Note>(self).take(MAX_NOTES) {
            let note = note.map_err(|error| self.explain(&action, error))?;
            if !note.system && note.author.id == author && note.body.contains(marker) {
                return Ok(Some(note));
            }
        }
        Ok(None)
    }

    /// Writes a new note.
    ///
    /// # Errors
    /// The API refuses.
    pub fn create_note(&self, project: &str, iid: u64, body: &str) -> Result<Note, GitLabError> {
        let action = format!("comment on merge request !{iid}");
        let endpoint = CreateMergeRequestNote::builder()
            .project(project)
            .merge_request(iid)
            .body(body)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.ask(&action, &endpoint)
    }

    /// Replaces the text of a note.
    ///
    /// # Errors
    /// The API refuses.
    pub fn update_note(&self, project: &str, iid: u64, note: u64, body: &str) -> Result<Note, GitLabError> {
        let action = format!("update the comment on merge request !{iid}");
        let endpoint = EditMergeRequestNote::builder()
            .project(project)
            .merge_request(iid)
            .note(note)
            .body(body)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.ask(&action, &endpoint)
    }
}

/// A builder of an endpoint misses a part: a defect of ours.
pub(super) fn invalid(action: &str, error: &dyn std::error::Error) -> GitLabError {
    GitLabError::Unexpected { action: action.to_owned(), problem: error.to_string() }
}

/// A merge request with more is not read to its end.
const MAX_NOTES: usize = 20_000;
