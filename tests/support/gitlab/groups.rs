//! Groups with their projects, deployments, and which jobs a project lets in.

use serde_json::{Value, json};

use super::super::http::{Reply, Request};
use super::access::{Level, Need, identify, visible};
use super::routes::{page, parameter};
use super::{State, json_reply, refusal};

/// The projects of a group that the token may see.
pub fn projects(state: &mut State, request: &Request, group: &str, query: &str) -> Result<Reply, Reply> {
    let token = identify(state, request, Need::Read)?;
    let below = parameter(query, "include_subgroups").as_deref() == Some("true");
    let ids: Vec<u64> = state.projects.keys().copied().collect();
    let mut rows = Vec::new();
    for id in ids {
        let Ok(project) = visible(state, &token, id) else { continue };
        let Some(rest) = project.path.strip_prefix(&format!("{group}/")) else { continue };
        if !below && rest.contains('/') {
            continue;
        }
        let registry = if project.registry.is_some() { "enabled" } else { "disabled" };
        rows.push(json!({
            "id": id, "path_with_namespace": project.path, "default_branch": "main", "archived": false,
            "web_url": format!("https://gitlab.example.com/{}", project.path),
            "container_registry_access_level": project.registry_access.as_deref().unwrap_or(registry),
        }));
    }
    if rows.is_empty() {
        return Err(refusal(404, "404 Group Not Found"));
    }
    Ok(page(&rows, request, query))
}

pub fn in_project(state: &mut State, request: &Request, id: u64, rest: &[&str], query: &str) -> Result<Reply, Reply> {
    let token = identify(state, request, Need::Read)?;
    let level = token.level(id);
    let project = visible(state, &token, id)?;
    match rest {
        ["deployments"] => {
            let row = |(environment, reference, sha): &(String, String, String)| json!({"id": 1, "ref": reference, "sha": sha, "status": "success", "environment": {"id": 1, "name": environment}});
            let all: Vec<Value> = project.deployments.iter().rev().map(row).collect();
            Ok(page(&all, request, query))
        }
        // The real one asks for a Maintainer.
        _ if level.is_none_or(|level| level < Level::Developer) => Err(refusal(403, "403 Forbidden")),
        ["job_token_scope"] => Ok(json_reply(200, &json!({"inbound_enabled": true, "outbound_enabled": false}))),
        ["job_token_scope", "allowlist"] => {
            let all: Vec<Value> = project.allowlist.iter().map(|id| json!({"id": id})).collect();
            Ok(page(&all, request, query))
        }
        _ => Err(refusal(404, "404 Not found")),
    }
}
