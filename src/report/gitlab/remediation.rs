//! `remediations`: patches of the Dockerfile that upgrade packages of the distribution, for images that come from it.
//!
//! An upgrade stands right behind the last `FROM`, as GitLab's own analyzer has it: a layer that only the base image
//! moves. One patch for each source package; packages of languages have their own manifests and get none.

use std::collections::BTreeMap;

use base64::Engine as _;

use crate::model::{Dockerfile, ImageScan, PackageKind};
use crate::report::origin::Origins;
use crate::report::subject::Subject;

use super::schema::{Fixes, Remediation};

/// The patches for an image; `ids` are those of its findings, in their order, and `reported` whether each is in the report.
pub(super) fn all<'a>(
    image: &'a ImageScan,
    origins: &Origins<'_>,
    ids: &'a [String],
    reported: &[bool],
) -> Vec<Remediation<'a>> {
    let Some(dockerfile) = origins.dockerfile() else { return Vec::new() };
    let distribution = image.inventory.as_ref().and_then(|inventory| inventory.distribution.as_ref());
    let distribution = distribution.map_or("", |distribution| distribution.id.as_str());
    let mut groups: BTreeMap<(PackageKind, &str), Upgrade<'_>> = BTreeMap::new();
    let reported = image.findings.iter().zip(ids).zip(reported).filter(|(_, is_reported)| **is_reported);
    for ((finding, id), _) in reported {
        let package = &finding.package;
        if finding.fix.is_available() && is_safe(&package.name) {
            let subject = Subject::of(image, finding);
            let upgrade = groups.entry((package.kind, subject.source_name(finding))).or_default();
            upgrade.packages.push(&package.name);
            upgrade.fixes.push(id);
        }
    }
    let groups = groups.into_iter().take(MOST);
    let remediations = groups.filter_map(|((kind, source), Upgrade { mut packages, fixes })| {
        packages.sort_unstable();
        packages.dedup();
        let command = command(kind, distribution, &packages.join(" "))?;
        let diff = patch(dockerfile, &format!("RUN {command}"))?;
        Some(Remediation {
            fixes: fixes.into_iter().map(|id| Fixes { id }).collect(),
            summary: format!("Upgrade {source} in {}", dockerfile.path).into(),
            diff: base64::engine::general_purpose::STANDARD.encode(diff).into(),
        })
    });
    remediations.collect()
}

/// The packages of one source, and the ids of what their upgrade removes.
#[derive(Default)]
struct Upgrade<'a> {
    packages: Vec<&'a str>,
    fixes: Vec<&'a String>,
}

fn command(kind: PackageKind, distribution: &str, packages: &str) -> Option<String> {
    Some(match (kind, distribution) {
        (PackageKind::Deb, _) => {
            format!("apt-get update && apt-get install --yes --only-upgrade {packages} && rm -rf /var/lib/apt/lists/*")
        }
        (PackageKind::Apk, _) => format!("apk add --no-cache --upgrade {packages}"),
        (PackageKind::Rpm, "photon" | "azurelinux" | "mariner") => {
            format!("tdnf update -y {packages} && tdnf clean all")
        }
        (PackageKind::Rpm, id) if id.starts_with("sle") || id.starts_with("opensuse") => {
            format!("zypper --non-interactive update {packages} && zypper clean --all")
        }
        (PackageKind::Rpm, _) => format!("yum update -y {packages} && yum clean all"),
        _ => return None,
    })
}

/// Whether a shell and a Dockerfile take it as a word.
fn is_safe(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_plain)
}

/// A patch for `git apply` that puts a line behind the last `FROM`.
fn patch(dockerfile: &Dockerfile, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = dockerfile.text.split('\n').collect();
    let is_ended = lines.last() == Some(&"");
    if is_ended {
        lines.pop();
    }
    let mut at = usize::try_from(dockerfile.base_line()?).ok()?;
    while lines.get(at - 1)?.trim_end().ends_with(['\\', '`']) {
        at += 1;
    }
    // Behind a last line without an end nothing can be added in one line.
    if at == lines.len() && !is_ended {
        return None;
    }
    let first = at.saturating_sub(CONTEXT);
    let last = (at + CONTEXT).min(lines.len());
    let ending = if lines.get(at - 1)?.ends_with('\r') { "\r" } else { "" };
    let number = last - first;
    let path = &dockerfile.path;
    let mut patch = format!(
        "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -{0},{number} +{0},{1} @@\n",
        first + 1,
        number + 1
    );
    for (index, context) in lines.iter().enumerate().take(last).skip(first) {
        if index == at {
            patch.push_str(&format!("+{line}{ending}\n"));
        }
        patch.push_str(&format!(" {context}\n"));
    }
    if at == last {
        patch.push_str(&format!("+{line}{ending}\n"));
    }
    if last == lines.len() && !is_ended {
        patch.push_str("\\ No newline at end of file\n");
    }
    Some(patch)
}

const CONTEXT: usize = 3;

/// More patches of one file are not applied by anybody.
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_behind_the_last_from() {
        let patched = |text: &str| patch(&Dockerfile { path: "a/Dockerfile".into(), text: text.into() }, "RUN x");
        let head = "diff --git a/a/Dockerfile b/a/Dockerfile\n--- a/a/Dockerfile\n+++ b/a/Dockerfile\n";
        for (text, expected) in [
            ("FROM a\nCOPY b c\n", Some("@@ -1,2 +1,3 @@\n FROM a\n+RUN x\n COPY b c\n")),
            ("FROM a\n", Some("@@ -1,1 +1,2 @@\n FROM a\n+RUN x\n")),
            (
                "FROM a \\\n  AS b\nUSER 1",
                Some("@@ -1,3 +1,4 @@\n FROM a \\\n   AS b\n+RUN x\n USER 1\n\\ No newline at end of file\n"),
            ),
            ("1\n2\n3\n4\nFROM a\n6\n7\n8\n9\n", Some("@@ -3,6 +3,7 @@\n 3\n 4\n FROM a\n+RUN x\n 6\n 7\n 8\n")),
            ("FROM a", None),
            ("RUN x\n", None),
        ] {
            assert_eq!(patched(text), expected.map(|hunk| format!("{head}{hunk}")), "{text:?}");
        }
    }

    #[test]
    fn names_are_words() {
        for (name, expected) in
            [("libstdc++6", true), ("a;reboot", false), ("-rf", false), ("", false), ("$(x)", false)]
        {
            assert_eq!(is_safe(name), expected, "{name}");
        }
    }
}
