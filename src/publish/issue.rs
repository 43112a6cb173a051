//! The issue about a repository: made once, kept up to date, closed with its last alert, opened again with the next.
//!
//! What stands is kept in a hidden line of the issue's own text, so that a run that looks at some images only does not
//! forget the others. People may edit the text, so that line is read as hostile input.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::civil::Date;
use tracing::{info, warn};

use super::Delivery;
use crate::gitlab::{GitLab, GitLabError, Issue, IssueState, IssueText, MAX_DESCRIPTION_CHARS};
use crate::model::{Alert, Standing};
use crate::report::alert::{self, AlertContext};

/// Where issues are made, and how.
#[derive(Debug)]
pub struct Channel<'a> {
    /// The API, with a token that may write.
    pub gitlab: &'a GitLab,
    /// Id or path of the project.
    pub project: &'a str,
    /// Whose token it is: what others wrote is never touched.
    pub author: u64,
    /// [`GitLab::issues_by`] that user.
    pub issues: &'a [Issue],
    /// Labels of a new issue; later they are people's.
    pub labels: &'a [String],
    /// Whether new issues are confidential.
    pub confidential: bool,
    /// The policy, for the text.
    pub policy: &'a str,
    /// What the texts name besides.
    pub context: &'a AlertContext,
}

/// What is to stand.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// All of it.
    pub standing: Vec<Standing>,
    /// What of it was not there before.
    pub news: Vec<Alert>,
    /// The day by which the first must be done.
    pub due: Option<Date>,
}

/// Keeps the issue about `repository` up to date. `settle` says what is to stand, from what the issue says stood.
///
/// # Errors
/// The API refuses.
pub fn tell(
    channel: &Channel<'_>,
    repository: &str,
    settle: impl FnOnce(Vec<Standing>) -> Settled,
) -> Result<Delivery, GitLabError> {
    let Channel { gitlab, project, .. } = channel;
    let marker = alert::marker(repository);
    let author = channel.author;
    let found = channel.issues.iter().find(|issue| text_of(issue).contains(&marker));
    let old = found.map(text_of).unwrap_or_default();
    let Settled { mut standing, news, due } = settle(read_hidden(old));
    let (title, subject) = (alert::title(repository), if repository.is_empty() { "this project" } else { repository });
    let description = |standing: &mut Vec<Standing>| text(&marker, repository, standing, channel.policy);
    let Some(issue) = found else {
        if standing.is_empty() {
            return Ok(Delivery::Nothing);
        }
        let description = description(&mut standing);
        let text = IssueText { title: &title, description: &description, due };
        let issue = gitlab.create_issue(project, &text, channel.labels, channel.confidential)?;
        info!("made issue #{} about {subject}", issue.iid);
        return Ok(Delivery::Told(news.len()));
    };
    // The note first: if this run ends here, the next finds in the note what it told.
    let told = note(channel, issue.iid, author, &news)?;
    let description = description(&mut standing);
    let state = match (standing.is_empty(), issue.is_closed()) {
        (true, false) => IssueState::Close,
        // Also where an earlier run told it and came no further.
        (false, true) if !news.is_empty() => IssueState::Reopen,
        _ => IssueState::AsItIs,
    };
    let same = old.trim() == description.trim() && issue.due_date == due && issue.title == title;
    if !same || state != IssueState::AsItIs {
        gitlab.update_issue(project, issue.iid, &IssueText { title: &title, description: &description, due }, state)?;
        let what = match state {
            IssueState::AsItIs => "updated",
            IssueState::Close => "closed",
            IssueState::Reopen => "opened again",
        };
        info!("{what} issue #{} about {subject}", issue.iid);
    }
    Ok(match (told, news.is_empty() && same) {
        (1.., _) => Delivery::Told(told),
        (0, true) => Delivery::Nothing,
        (0, false) => Delivery::Already,
    })
}

fn text_of(issue: &Issue) -> &str {
    issue.description.as_deref().unwrap_or_default()
}

/// Tells the news in a note, but for those that an earlier note of ours told. How many were told.
fn note(channel: &Channel<'_>, iid: u64, author: u64, news: &[Alert]) -> Result<usize, GitLabError> {
    if news.is_empty() {
        return Ok(0);
    }
    let notes = channel.gitlab.latest_issue_notes(channel.project, iid)?;
    let own = notes.iter().filter(|note| !note.system && note.author.id == author);
    let told: Vec<&str> = own.flat_map(|note| alert::told_in_note(&note.body)).collect();
    let news: Vec<Alert> = news.iter().filter(|alert| !told.contains(&alert.occurrence().as_str())).cloned().collect();
    if !news.is_empty() {
        let body = format!("{}\n{}", alert::told_marker(&news), alert::note(&news, channel.context));
        channel.gitlab.create_issue_note(channel.project, iid, &body)?;
    }
    Ok(news.len())
}

/// The whole text. What does not fit is left out, the least severe first.
fn text(marker: &str, repository: &str, standing: &mut Vec<Standing>, policy: &str) -> String {
    standing.sort_by_key(|one| (std::cmp::Reverse(one.alert.news.severity()), one.since, one.alert.key.clone()));
    standing.truncate(MOST_STANDING);
    loop {
        let body = alert::body(repository, standing, policy);
        let text = format!("{marker}\n{body}\n{}\n", hidden(standing));
        if standing.is_empty() || text.chars().count() <= MAX_DESCRIPTION_CHARS {
            return text;
        }
        standing.truncate(standing.len() / 2);
    }
}

/// The hidden line: what stands, as JSON, packed so that no text of it can end the comment.
fn hidden(standing: &[Standing]) -> String {
    let json = serde_json::to_vec(standing).unwrap_or_default();
    let packed = zstd::encode_all(json.as_slice(), 9).unwrap_or_default();
    format!("{HIDDEN}{} -->", BASE64.encode(packed))
}

fn read_hidden(description: &str) -> Vec<Standing> {
    let line = description.lines().rev().find_map(|line| line.trim().strip_prefix(HIDDEN)?.strip_suffix(" -->"));
    let Some(line) = line else { return Vec::new() };
    let read = || -> Result<Vec<Standing>, String> {
        let packed = BASE64.decode(line).map_err(|error| error.to_string())?;
        let decoder = zstd::Decoder::new(packed.as_slice()).map_err(|error| error.to_string())?;
        let mut json = Vec::new();
        decoder.take(MAX_HIDDEN + 1).read_to_end(&mut json).map_err(|error| error.to_string())?;
        if json.len() as u64 > MAX_HIDDEN {
            return Err(format!("larger than {} MiB", MAX_HIDDEN >> 20));
        }
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    };
    read().unwrap_or_else(|problem| {
        warn!("what the issue remembers cannot be read ({problem}): it begins anew");
        Vec::new()
    })
}

const HIDDEN: &str = "<!-- plimsoll:standing:";
const MAX_HIDDEN: u64 = 64 << 20;
const MOST_STANDING: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GapKind, KnownGap, News};

    fn standing(subject: &str) -> Standing {
        let gap = KnownGap { kind: GapKind::NoAdvisories, subject: subject.into() };
        let news = News::Gap { gap };
        let (repository, images) = ("reg.io/g/p".into(), vec!["reg.io/g/p:1".into()]);
        Standing {
            since: jiff::civil::date(2026, 11, 21),
            alert: Alert { key: "k".into(), repository, images, heard: None, news },
        }
    }

    #[test]
    fn what_stands_is_read_back_from_the_text() {
        let mut all = vec![standing("--> <b>@all\n/close"), standing("debian-12")];
        let text = text("<!-- m -->", "reg.io/g/p", &mut all, "high");
        assert_eq!(read_hidden(&text), all);
        assert_eq!(text.matches("<!--").count(), 2, "two hidden lines of ours:\n{text}");
        assert!(!text.lines().any(|line| line.starts_with('/')), "{text}");
    }

    #[test]
    fn an_edited_text_is_no_memory() {
        let bomb = zstd::encode_all(vec![b' '; (MAX_HIDDEN + 1) as usize].as_slice(), 1).unwrap();
        for line in ["", "x", "AAAA", &BASE64.encode(zstd::encode_all(&b"[1]"[..], 1).unwrap()), &BASE64.encode(bomb)] {
            assert_eq!(read_hidden(&format!("{HIDDEN}{line} -->")), [], "{}", line.len());
        }
        assert_eq!(read_hidden(""), []);
    }

    #[test]
    fn too_much_is_cut_at_the_least_severe() {
        let mut all: Vec<Standing> = (0..MOST_STANDING + 5).map(|index| standing(&format!("{index}"))).collect();
        let text = text("<!-- m -->", "reg.io/g/p", &mut all, "high");
        assert!(all.len() <= MOST_STANDING && text.chars().count() <= MAX_DESCRIPTION_CHARS);
        assert_eq!(read_hidden(&text).len(), all.len());
    }
}
