//! Issues of a project and their notes. The job token may do nothing here.

use gitlab::api::common::{NameOrId, SortOrder};
use gitlab::api::endpoint_prelude::{BodyError, Cow, Endpoint, FormParams, Method, Pageable, QueryParams};
use gitlab::api::projects::issues::notes::{CreateIssueNote, IssueNotes, NoteOrderBy};
use gitlab::api::{self, Pagination};
use jiff::civil::Date;
use serde::Deserialize;

use super::notes::invalid;
use super::{GitLab, GitLabError, Note, User};

/// GitLab refuses longer descriptions.
pub const MAX_DESCRIPTION_CHARS: usize = 1_048_576;

/// An issue, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Issue {
    /// Its number in the project.
    pub iid: u64,
    /// Its title.
    pub title: String,
    /// Its text, Markdown.
    #[serde(default)]
    pub description: Option<String>,
    /// `opened` or `closed`.
    #[serde(default)]
    pub state: String,
    /// Who made it.
    pub author: User,
    /// The day by which it is to be done.
    #[serde(default)]
    pub due_date: Option<Date>,
}

/// What an issue is to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IssueText<'a> {
    /// The title.
    pub title: &'a str,
    /// The text, Markdown.
    pub description: &'a str,
    /// The day by which it is to be done; none takes an earlier one away.
    pub due: Option<Date>,
}

/// What is to become of an issue besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueState {
    /// Nothing.
    AsItIs,
    /// It is closed.
    Close,
    /// It is opened again.
    Reopen,
}

impl Issue {
    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == "closed"
    }
}

impl GitLab {
    /// The issues that `author` made, open or closed, oldest first.
    ///
    /// # Errors
    /// The API refuses.
    pub fn issues_by(&self, project: &str, author: u64) -> Result<Vec<Issue>, GitLabError> {
        let action = "read the issues";
        let endpoint = OwnIssues { project: NameOrId::from(project).to_string(), author };
        let mut issues = Vec::new();
        for issue in api::paged(endpoint, Pagination::All).iter::<_, Issue>(self).take(MAX_ISSUES) {
            let issue = issue.map_err(|error| self.explain(action, error))?;
            // The filter is a wish; what others made must not be taken for ours.
            if issue.author.id == author {
                issues.push(issue);
            }
        }
        Ok(issues)
    }

    /// Makes an issue.
    ///
    /// # Errors
    /// The API refuses.
    pub fn create_issue(
        &self,
        project: &str,
        text: &IssueText<'_>,
        labels: &[String],
        confidential: bool,
    ) -> Result<Issue, GitLabError> {
        let project = NameOrId::from(project).to_string();
        let (labels, confidential) = (labels.join(","), Some(confidential));
        let wish = Write { project, iid: None, text, labels: Some(labels), confidential, state: IssueState::AsItIs };
        self.ask("make an issue", &wish)
    }

    /// Replaces title, text and due date of an issue. Its labels are left to people.
    ///
    /// # Errors
    /// The API refuses.
    pub fn update_issue(
        &self,
        project: &str,
        iid: u64,
        text: &IssueText<'_>,
        state: IssueState,
    ) -> Result<Issue, GitLabError> {
        let project = NameOrId::from(project).to_string();
        let wish = Write { project, iid: Some(iid), text, labels: None, confidential: None, state };
        self.ask(&format!("update issue #{iid}"), &wish)
    }

    /// The newest notes of an issue, a hundred at most.
    ///
    /// # Errors
    /// The API refuses.
    pub fn latest_issue_notes(&self, project: &str, iid: u64) -> Result<Vec<Note>, GitLabError> {
        let action = format!("read the notes of issue #{iid}");
        let endpoint = IssueNotes::builder()
            .project(project)
            .issue(iid)
            .order_by(NoteOrderBy::CreatedAt)
            .sort(SortOrder::Descending)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        let mut notes = Vec::new();
        for note in api::paged(endpoint, Pagination::Limit(100)).iter::<_, Note>(self) {
            notes.push(note.map_err(|error| self.explain(&action, error))?);
        }
        Ok(notes)
    }

    /// Writes a note on an issue, of which its participants are told.
    ///
    /// # Errors
    /// The API refuses.
    pub fn create_issue_note(&self, project: &str, iid: u64, body: &str) -> Result<Note, GitLabError> {
        let action = format!("comment on issue #{iid}");
        let endpoint = CreateIssueNote::builder()
            .project(project)
            .issue(iid)
            .body(body)
            .build()
            .map_err(|error| invalid(&action, &error))?;
        self.ask(&action, &endpoint)
    }
}

/// `GET /projects/:id/issues` of one author, oldest first.
struct OwnIssues {
    project: String,
    author: u64,
}

impl Pageable for OwnIssues {}

impl Endpoint for OwnIssues {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/issues", self.project).into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.push("author_id", self.author).push("scope", "all").push("state", "all");
        parameters.push("order_by", "created_at").push("sort", "asc");
        parameters
    }
}

/// `POST /projects/:id/issues` or `PUT …/issues/:iid`. The crate's own have dates of another crate.
struct Write<'a> {
    project: String,
    iid: Option<u64>,
    text: &'a IssueText<'a>,
    labels: Option<String>,
    confidential: Option<bool>,
    state: IssueState,
}

impl Endpoint for Write<'_> {
    fn method(&self) -> Method {
        if self.iid.is_some() { Method::PUT } else { Method::POST }
    }

    fn endpoint(&self) -> Cow<'static, str> {
        let number = self.iid.map_or_else(String::new, |iid| format!("/{iid}"));
        format!("projects/{}/issues{number}", self.project).into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        let mut form = FormParams::default();
        let due = self.text.due.map(|due| due.to_string());
        form.push("title", self.text.title).push("description", self.text.description);
        form.push_opt("labels", self.labels.as_deref()).push_opt("confidential", self.confidential);
        match (due, self.iid) {
            (Some(due), _) => drop(form.push("due_date", due)),
            // An empty date takes it away.
            (None, Some(_)) => drop(form.push("due_date", "")),
            (None, None) => {}
        }
        match self.state {
            IssueState::AsItIs => {}
            IssueState::Close => drop(form.push("state_event", "close")),
            IssueState::Reopen => drop(form.push("state_event", "reopen")),
        }
        form.into_body()
    }
}

/// More issues of one author are not read to their end.
const MAX_ISSUES: usize = 20_000;
