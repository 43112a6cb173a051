//! Issues and their notes. The job token is nobody here.

use serde_json::{Value, json};

use super::super::http::{Reply, Request};
use super::access::{Level, Need, Token, identify, visible};
use super::routes::{body, fields, note, page, parameter, user};
use super::{Issue, Note, State, json_reply, refusal};

pub fn answer(state: &mut State, request: &Request, id: u64, rest: &[&str], query: &str) -> Result<Reply, Reply> {
    let not_found = || refusal(404, "404 Not found");
    let number = |text: &str| text.parse::<usize>().ok().and_then(|iid| iid.checked_sub(1)).ok_or_else(not_found);
    let form = fields(request);
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let token = identify(state, request, Need::Read)?;
            let project = visible(state, &token, id)?;
            let author = parameter(query, "author_id").and_then(|author| author.parse::<u64>().ok());
            let wanted = parameter(query, "state");
            let is_wanted = |issue: &Issue| {
                author.is_none_or(|author| author == issue.author)
                    && wanted.as_deref().is_none_or(|state| state == "all" || (state == "closed") == issue.closed)
            };
            let numbered = project.issues.iter().enumerate();
            let mut all: Vec<Value> = numbered
                .filter(|(_, issue)| is_wanted(issue))
                .map(|(index, issue)| json_of(index, issue, &token))
                .collect();
            if parameter(query, "sort").as_deref() != Some("asc") {
                all.reverse();
            }
            Ok(page(&all, request, query))
        }
        ("POST", []) => {
            let token = identify(state, request, Need::Write)?;
            let project = visible(state, &token, id)?;
            if token.level(id).is_none_or(|level| level < Level::Reporter) {
                return Err(refusal(403, "403 Forbidden"));
            }
            let title = parameter(&form, "title").filter(|title| !title.is_empty());
            let Some(title) = title else { return Err(json_reply(400, &json!({"error": "title is missing"}))) };
            let mut issue = Issue {
                author: token.user,
                labels: parameter(&form, "labels").unwrap_or_default(),
                confidential: parameter(&form, "confidential").as_deref() == Some("true"),
                ..Issue::default()
            };
            write(&mut issue, title, &form)?;
            project.issues.push(issue);
            let index = project.issues.len() - 1;
            Ok(json_reply(201, &json_of(index, &project.issues[index], &token)))
        }
        ("GET", [iid]) => {
            let token = identify(state, request, Need::Read)?;
            let project = visible(state, &token, id)?;
            let index = number(iid)?;
            let issue = project.issues.get(index).ok_or_else(not_found)?;
            Ok(json_reply(200, &json_of(index, issue, &token)))
        }
        ("PUT", [iid]) => {
            let token = identify(state, request, Need::Write)?;
            let project = visible(state, &token, id)?;
            let index = number(iid)?;
            let issue = project.issues.get_mut(index).ok_or_else(not_found)?;
            let title = parameter(&form, "title").unwrap_or_else(|| issue.title.clone());
            write(issue, title, &form)?;
            match parameter(&form, "state_event").as_deref() {
                Some("close") => issue.closed = true,
                Some("reopen") => issue.closed = false,
                _ => {}
            }
            Ok(json_reply(200, &json_of(index, issue, &token)))
        }
        ("GET", [iid, "notes"]) => {
            let token = identify(state, request, Need::Read)?;
            let project = visible(state, &token, id)?;
            let issue = project.issues.get(number(iid)?).ok_or_else(not_found)?;
            let mut notes: Vec<Value> = issue.notes.iter().map(|one| note(one, &token)).collect();
            if parameter(query, "sort").as_deref() != Some("asc") {
                notes.reverse();
            }
            Ok(page(&notes, request, query))
        }
        ("POST", [iid, "notes"]) => {
            let token = identify(state, request, Need::Write)?;
            let text = body(request)?;
            let new = state.new_id();
            let project = visible(state, &token, id)?;
            let issue = project.issues.get_mut(number(iid)?).ok_or_else(not_found)?;
            let created = Note { id: new, author: token.user, body: text, system: false, thread: None };
            issue.notes.push(created.clone());
            Ok(json_reply(201, &note(&created, &token)))
        }
        _ => Err(not_found()),
    }
}

fn write(issue: &mut Issue, title: String, form: &str) -> Result<(), Reply> {
    if title.chars().count() > 255 {
        return Err(json_reply(400, &json!({"message": {"title": ["is too long (maximum is 255 characters)"]}})));
    }
    let description = parameter(form, "description").unwrap_or_else(|| issue.description.clone());
    if description.chars().count() > 1_048_576 {
        let words = "is too long (1.1 MiB). The maximum size is 1 MiB.";
        return Err(json_reply(400, &json!({"message": {"description": [words]}})));
    }
    (issue.title, issue.description) = (title, description);
    if let Some(due) = parameter(form, "due_date") {
        issue.due_date = (!due.is_empty()).then_some(due);
    }
    Ok(())
}

fn json_of(index: usize, issue: &Issue, reader: &Token) -> Value {
    let name = if issue.author == reader.user { reader.username.clone() } else { format!("user{}", issue.author) };
    let labels: Vec<&str> = issue.labels.split(',').filter(|label| !label.is_empty()).collect();
    json!({
        "id": 10_000 + index, "iid": index + 1, "title": issue.title, "description": issue.description,
        "state": if issue.closed { "closed" } else { "opened" }, "author": user(issue.author, &name), "labels": labels,
        "confidential": issue.confidential, "due_date": issue.due_date,
    })
}
