//! The endpoints.

use serde_json::{Value, json};

use super::super::http::{Reply, Request};
use super::access::{Level, Need, Token, identify, visible};
use super::{Note, State, Thread, json_reply, refusal, registry};

/// The answer to a request.
pub fn answer(state: &mut State, request: &Request) -> Reply {
    if request.method == "HEAD" {
        // As GET, and the server keeps the body.
        let asked = Request { method: "GET".into(), ..request.clone() };
        return route(state, &asked).unwrap_or_else(|reply| reply);
    }
    route(state, request).unwrap_or_else(|reply| reply)
}

fn route(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let not_found = || refusal(404, "404 Not Found");
    let path = path.strip_prefix("/api/v4").ok_or_else(not_found)?;
    let parts: Vec<String> = path.split('/').skip(1).map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let method = request.method.as_str();
    match (method, parts.as_slice()) {
        ("GET", ["user"]) => {
            let token = identify(state, request, Need::Read)?;
            Ok(json_reply(200, &user(token.user, &token.username)))
        }
        ("GET", ["personal_access_tokens", "self"]) => {
            let token = identify(state, request, Need::Own)?;
            Ok(json_reply(
                200,
                &json!({
                    "id": 5, "name": "plimsoll", "scopes": token.scopes, "active": true, "revoked": false,
                    "user_id": token.user, "expires_at": token.expires_at,
                }),
            ))
        }
        ("GET", ["job"]) => {
            let token = identify(state, request, Need::JobRead)?;
            Ok(json_reply(
                200,
                &json!({"id": 77, "name": "container_scanning", "user": user(token.user, &token.username)}),
            ))
        }
        ("GET", ["groups", group, "projects"]) => super::groups::projects(state, request, group, query),
        ("GET", ["groups", group, "registry", "repositories"]) => registry::in_group(state, request, group, query),
        (_, ["projects", project, rest @ ..]) => {
            let id = project_id(state, project).unwrap_or(0);
            if let Some(answer) = registry::in_project(state, request, id, rest, query) {
                return answer;
            }
            in_project(state, request, id, rest, query)
        }
        _ => Err(not_found()),
    }
}

fn in_project(state: &mut State, request: &Request, id: u64, rest: &[&str], query: &str) -> Result<Reply, Reply> {
    let not_found = || refusal(404, "404 Not found");
    let iid = |text: &str| text.parse::<u64>().map_err(|_| not_found());
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let token = identify(state, request, Need::Read)?;
            let project = visible(state, &token, id)?;
            let role = token.level(id).map(|level| json!({"access_level": level as u64, "notification_level": 3}));
            let permissions = json!({"project_access": role, "group_access": null});
            Ok(json_reply(200, &json!({"id": id, "path_with_namespace": project.path, "permissions": permissions})))
        }
        ("GET", ["merge_requests"]) => {
            let token = identify(state, request, Need::JobRead)?;
            let project = visible(state, &token, id)?;
            let row = |(iid, found): (&u64, &super::MergeRequest)| json!({"iid": iid, "target_branch": found.target_branch, "state": "opened"});
            let all: Vec<Value> = project.merge_requests.iter().map(row).collect();
            Ok(page(&all, request, query))
        }
        ("GET", ["merge_requests", number]) => {
            let token = identify(state, request, Need::JobRead)?;
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get(&iid(number)?).ok_or_else(not_found)?;
            let refs = json!({"base_sha": "b".repeat(40), "start_sha": "c".repeat(40), "head_sha": "d".repeat(40)});
            let target = &found.target_branch;
            let about = json!({"iid": iid(number)?, "target_branch": target, "state": "opened", "diff_refs": refs});
            Ok(json_reply(200, &about))
        }
        ("GET", ["merge_requests", number, "notes"]) => {
            let token = identify(state, request, Need::JobRead)?;
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get(&iid(number)?).ok_or_else(not_found)?;
            let mut notes = found.notes.clone();
            if parameter(query, "sort").as_deref() != Some("asc") {
                notes.reverse();
            }
            let notes: Vec<Value> = notes.iter().map(|one| note(one, &token)).collect();
            Ok(page(&notes, request, query))
        }
        ("POST", ["merge_requests", number, "notes"]) => {
            let token = identify(state, request, Need::Write)?;
            let text = body(request)?;
            let new = state.new_id();
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get_mut(&iid(number)?).ok_or_else(not_found)?;
            if token.level(id).is_none_or(|level| level < Level::Reporter) {
                return Err(refusal(403, "403 Forbidden"));
            }
            let created = Note { id: new, author: token.user, body: text, system: false, thread: None };
            found.notes.push(created.clone());
            Ok(json_reply(201, &note(&created, &token)))
        }
        ("PUT", ["merge_requests", number, "notes", wanted]) => {
            let token = identify(state, request, Need::Write)?;
            let text = body(request)?;
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get_mut(&iid(number)?).ok_or_else(not_found)?;
            let wanted = iid(wanted)?;
            let changed = found.notes.iter_mut().find(|one| one.id == wanted).ok_or_else(not_found)?;
            if changed.author != token.user {
                return Err(refusal(403, "403 Forbidden"));
            }
            changed.body = text;
            Ok(json_reply(200, &note(changed, &token)))
        }
        ("GET", ["merge_requests", number, "discussions"]) => {
            let token = identify(state, request, Need::Read)?;
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get(&iid(number)?).ok_or_else(not_found)?;
            let all: Vec<Value> = found.notes.iter().map(|one| discussion(one, &token)).collect();
            Ok(page(&all, request, query))
        }
        ("POST", ["merge_requests", number, "discussions"]) => {
            let token = identify(state, request, Need::Write)?;
            let text = body(request)?;
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let at = parameter(&form, "position%5Bnew_path%5D")
                .zip(parameter(&form, "position%5Bnew_line%5D").and_then(|line| line.parse().ok()));
            let new = state.new_id();
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get_mut(&iid(number)?).ok_or_else(not_found)?;
            if at.as_ref().is_some_and(|at| !found.diff.contains(at)) {
                let words = "400 Bad request - Note {:line_code=>[\"can't be blank\", \"must be a valid line code\"]}";
                return Err(refusal(400, words));
            }
            let thread = Some(Thread { id: format!("{new:040x}"), at, resolved: false });
            let created = Note { id: new, author: token.user, body: text, system: false, thread };
            found.notes.push(created.clone());
            Ok(json_reply(201, &discussion(&created, &token)))
        }
        ("PUT", ["merge_requests", number, "discussions", wanted]) => {
            let token = identify(state, request, Need::Write)?;
            let resolved = parameter(query, "resolved").as_deref() == Some("true");
            let project = visible(state, &token, id)?;
            let found = project.merge_requests.get_mut(&iid(number)?).ok_or_else(not_found)?;
            let is_wanted = |one: &&mut Note| one.thread.as_ref().is_some_and(|thread| thread.id == *wanted);
            let note = found.notes.iter_mut().find(is_wanted).ok_or_else(not_found)?;
            note.thread = note.thread.take().map(|thread| Thread { resolved, ..thread });
            Ok(json_reply(200, &discussion(note, &token)))
        }
        ("GET", ["repository", "files", path, "raw"]) => {
            let token = identify(state, request, Need::JobRead)?;
            let project = visible(state, &token, id)?;
            let found = project.files.get(*path).ok_or_else(|| refusal(404, "404 File Not Found"))?;
            Ok(Reply::new(200, "text/plain", found.clone()))
        }
        ("GET", ["packages", "generic", package, version, file]) => {
            let token = identify(state, request, Need::JobRead)?;
            let project = visible(state, &token, id)?;
            let found = project.packages.get(&format!("{package}/{version}/{file}")).ok_or_else(not_found)?;
            Ok(Reply::new(200, "application/octet-stream", found.clone()))
        }
        ("PUT", ["packages", "generic", package, version, file]) => {
            let token = identify(state, request, Need::JobWrite)?;
            let project = visible(state, &token, id)?;
            let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+".contains(&b));
            if ![package, version, file].into_iter().all(|text| plain(text)) {
                return Err(refusal(400, "validation failed"));
            }
            if token.level(id).is_none_or(|level| level < Level::Developer) {
                return Err(refusal(403, "403 Forbidden"));
            }
            let key = format!("{package}/{version}/{file}");
            if project.no_duplicates && project.packages.contains_key(&key) {
                return Err(refusal(400, "Duplicate package is not allowed"));
            }
            // A file of the same name is a new one.
            project.package_ids.remove(&key);
            project.packages.insert(key, request.body.clone());
            Ok(json_reply(201, &json!({"message": "201 Created"})))
        }
        ("GET", ["jobs", "artifacts", reference, "raw", path @ ..]) => {
            let token = identify(state, request, Need::JobRead)?;
            let elsewhere = state.artifacts_at.clone();
            let project = visible(state, &token, id)?;
            let job = parameter(query, "job").unwrap_or_default();
            let key = format!("{reference}/{job}/{}", path.join("/"));
            let found = project.artifacts.get(&key).ok_or_else(not_found)?;
            Ok(match elsewhere {
                Some(place) => Reply::new(302, "text/plain", "").with("Location", format!("{place}/{key}")),
                None => Reply::new(200, "application/octet-stream", found.clone()),
            })
        }
        ("GET", ["deployments" | "job_token_scope", ..]) => super::groups::in_project(state, request, id, rest, query),
        (_, ["issues", rest @ ..]) => super::issues::answer(state, request, id, rest, query),
        ("PUT", ["pipelines", pipeline, "metadata"]) => {
            let token = identify(state, request, Need::JobWrite)?;
            let number = iid(pipeline)?;
            let name = parameter(&fields(request), "name").unwrap_or_default();
            let project = visible(state, &token, id)?;
            let found = project.pipelines.get_mut(&number).ok_or_else(not_found)?;
            if name.chars().count() > 255 {
                return Err(refusal(400, "name is too long (maximum is 255 characters)"));
            }
            found.clone_from(&name);
            Ok(json_reply(200, &json!({"id": number, "name": name})))
        }
        _ => Err(not_found()),
    }
}

fn project_id(state: &State, name: &str) -> Option<u64> {
    let by_path = || state.projects.iter().find(|(_, project)| project.path == name).map(|(id, _)| *id);
    name.parse().ok().or_else(by_path)
}

pub fn user(id: u64, name: &str) -> Value {
    json!({"id": id, "username": name, "name": name, "state": "active"})
}

pub fn note(note: &Note, reader: &Token) -> Value {
    let name = if note.author == reader.user { reader.username.clone() } else { format!("user{}", note.author) };
    json!({
        "id": note.id, "body": note.body, "author": user(note.author, &name), "system": note.system,
        "noteable_type": "MergeRequest", "resolvable": false, "internal": false,
    })
}

fn discussion(one: &Note, reader: &Token) -> Value {
    let mut opened = note(one, reader);
    let id = one.thread.as_ref().map_or_else(|| format!("{:040x}", one.id), |thread| thread.id.clone());
    if let Some(thread) = &one.thread {
        opened["resolvable"] = json!(true);
        opened["resolved"] = json!(thread.resolved);
    }
    json!({"id": id, "individual_note": one.thread.is_none(), "notes": [opened]})
}

/// The text of a note: a form or JSON, of at most a million characters.
pub fn body(request: &Request) -> Result<String, Reply> {
    let text = String::from_utf8_lossy(&request.body);
    let found = if request.header("Content-Type").is_some_and(|kind| kind.contains("json")) {
        serde_json::from_slice::<Value>(text.as_bytes()).ok().and_then(|value| Some(value["body"].as_str()?.to_owned()))
    } else {
        parameter(&text, "body")
    };
    match found {
        Some(text) if text.chars().count() > 1_000_000 => {
            Err(refusal(400, "400 Bad request - Note is too long (maximum is 1000000 characters)"))
        }
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(json_reply(400, &json!({"error": "body is missing"}))),
    }
}

/// What a request sends: a form, or JSON written as one.
pub fn fields(request: &Request) -> String {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let is_json = request.header("Content-Type").is_some_and(|kind| kind.contains("json"));
    let Some(Value::Object(object)) = is_json.then(|| serde_json::from_slice(text.as_bytes()).ok()).flatten() else {
        return text;
    };
    let escaped = |value: &Value| -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    };
    let pairs: Vec<String> = object.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    pairs.join("&")
}

/// One page of a list: by number, or by key with a link to the next only.
pub fn page(all: &[Value], request: &Request, query: &str) -> Reply {
    let number =
        |name: &str, default: usize| parameter(query, name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let size = number("per_page", 20).clamp(1, 100);
    let path = request.target.split('?').next().unwrap_or_default();
    let host = request.header("Host").unwrap_or("localhost");
    if parameter(query, "pagination").as_deref() == Some("keyset") {
        let after = number("cursor", 0);
        let rows: Vec<&Value> = all.iter().skip(after).take(size).collect();
        let reply = json_reply(200, &json!(rows));
        let next =
            format!("<http://{host}{path}?pagination=keyset&per_page={size}&cursor={}>; rel=\"next\"", after + size);
        return if after + size < all.len() { reply.with("Link", next) } else { reply };
    }
    let current = number("page", 1).max(1);
    let pages = all.len().div_ceil(size).max(1);
    let rows: Vec<&Value> = all.iter().skip((current - 1) * size).take(size).collect();
    let next = if current < pages { (current + 1).to_string() } else { String::new() };
    let mut reply = json_reply(200, &json!(rows))
        .with("x-page", current.to_string())
        .with("x-per-page", size.to_string())
        .with("x-next-page", next.clone())
        .with("x-prev-page", if current > 1 { (current - 1).to_string() } else { String::new() })
        .with("x-total", all.len().to_string())
        .with("x-total-pages", pages.to_string());
    if !next.is_empty() {
        reply = reply.with("Link", format!("<http://{host}{path}?page={next}&per_page={size}>; rel=\"next\""));
    }
    reply
}

/// A value of a query or form.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| decoded(&value.replace('+', " ")))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let escaped = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
