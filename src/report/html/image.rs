//! The part of the page about one image: verdict, counts, what to do, where it comes from, what is not known.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::model::{CoverageStatus, Diagnosis, ImageScan, Inventory, ScanDocument};
use crate::report::action::{Action, actions, actions_for};
use crate::report::change::Changes;
use crate::report::identifier::Identifier;
use crate::report::text::count;
use crate::report::verdict::{Verdict, uncovered};
use crate::report::wording;

use super::bars;
use super::markup::escape;

pub(super) fn section(document: &ScanDocument, image: &ImageScan) -> String {
    let verdict = Verdict::of(document, image);
    let mut html = String::from("<section class=\"image\">");
    let name = if image.name.trim().is_empty() { "an image without a name" } else { &image.name };
    let _ = write!(html, "<h2>{}</h2>", escape(name));
    html.push_str(&image.inventory.as_ref().map(|inventory| identity(image, inventory)).unwrap_or_default());
    let class = verdict.word().replace(' ', "-");
    let _ = write!(
        html,
        "<p class=\"verdict {class}\"><strong>{}</strong> {}</p>",
        verdict.word(),
        escape(&verdict.sentence(image))
    );
    if let Some(part) = wording::listed_part(image) {
        let _ = write!(html, "<p class=\"warning\">{part}</p>");
    }
    if let Some(diagnosis) = &image.diagnosis {
        html.push_str(&self::diagnosis(diagnosis));
    }
    if image.has_findings() {
        html.push_str("<ul class=\"counts\">");
        for (severity, number) in image.totals().by_severity() {
            let class = severity.label().to_lowercase();
            let zero = if number == 0 { " zero" } else { "" };
            let _ = write!(html, "<li class=\"{class}{zero}\"><b>{number}</b> {severity}</li>");
        }
        html.push_str("</ul>");
    }
    changes(document, image, &mut html);
    coverage(image, &mut html);
    let (upgrades, unfixed): (Vec<_>, Vec<_>) = actions(image).into_iter().partition(|action| action.fix.is_some());
    self::upgrades(&upgrades, &mut html);
    if !image.findings.is_empty() {
        html.push_str(&bars::both(image));
    }
    self::unfixed(&unfixed, &mut html);
    suppressed(image, &mut html);
    gaps(image, &mut html);
    html.push_str("</section>");
    html
}

/// What the image changes against its baseline: the sentence, and the packages with what they bring.
fn changes(document: &ScanDocument, image: &ImageScan, html: &mut String) {
    let (Some(changes), Some(comparison)) = (Changes::of(document, image), &document.comparison) else { return };
    let _ = write!(
        html,
        "<h3>What changed</h3><p>{} <span class=\"meta\">against {}</span></p>",
        changes.sentence(),
        escape(&comparison.baseline)
    );
    let parts = [
        ("New", actions_for(image, changes.introduced), " open"),
        ("Newly disclosed", actions_for(image, changes.disclosed), ""),
        ("Fixed", actions_for(image, changes.fixed), ""),
    ];
    for (name, actions, open) in parts.iter().filter(|(_, actions, _)| !actions.is_empty()) {
        let number = count(actions.len(), "package");
        let _ = write!(html, "<details class=\"part\"{open}><summary>{name}: {number}</summary><ol class=\"actions\">");
        for action in actions.iter().take(MOST) {
            item(action, html);
        }
        html.push_str("</ol>");
        more(actions.len(), MOST, "package", html);
        html.push_str("</details>");
    }
}

/// A failure with its cause and what to do.
pub(super) fn diagnosis(diagnosis: &Diagnosis) -> String {
    format!(
        "<div class=\"diagnosis\"><p><code>{}</code> {}</p><dl><dt>Why</dt><dd>{}</dd><dt>Fix</dt><dd>{}</dd></dl></div>",
        diagnosis.code,
        escape(&diagnosis.what),
        escape(&diagnosis.why),
        escape(&diagnosis.fix)
    )
}

fn identity(image: &ImageScan, inventory: &Inventory) -> String {
    let os = inventory.distribution.as_ref().map_or("no operating system recognised", |distribution| {
        if distribution.name.is_empty() { &distribution.id } else { &distribution.name }
    });
    let mut facts = vec![escape(os)];
    facts.extend(inventory.image.platform.as_ref().map(|platform| escape(&platform.to_string())));
    let digest = inventory.image.manifest_digest.as_ref().or(inventory.image.config_digest.as_ref());
    facts.extend(digest.map(|digest| format!("<code title=\"{digest}\">sha256:{}</code>", digest.short())));
    facts.push(count(inventory.layers.len(), "layer"));
    facts.push(count(image.package_count(), "package"));
    format!("<p class=\"meta\">{}</p>", facts.join(" · "))
}

fn coverage(image: &ImageScan, html: &mut String) {
    let covered = wording::coverage(image, CoverageStatus::Covered);
    if !covered.is_empty() {
        let _ = write!(html, "<p class=\"meta\">Judged by {}</p>", escape(&covered));
    }
    for coverage in uncovered(image) {
        let text = wording::no_data(&coverage.shard.to_string(), coverage.packages);
        let _ = write!(html, "<p class=\"warning\">{}</p>", escape(&text));
    }
}

fn upgrades(upgrades: &[Action<'_>], html: &mut String) {
    if upgrades.is_empty() {
        return;
    }
    let total: usize = upgrades.iter().map(|action| action.findings.len()).sum();
    let _ = write!(
        html,
        "<h3>What to do</h3><p class=\"meta\">{} {} {}.</p><ol class=\"actions\">",
        count(upgrades.len(), "upgrade"),
        if upgrades.len() == 1 { "removes" } else { "remove" },
        count(total, "vulnerability")
    );
    for action in upgrades.iter().take(FIRST) {
        item(action, html);
    }
    html.push_str("</ol>");
    if let Some(rest @ [_, ..]) = upgrades.get(FIRST..) {
        let _ = write!(
            html,
            "<details class=\"part\"><summary>{}</summary><ol class=\"actions\">",
            count(rest.len(), "more upgrade")
        );
        for action in rest.iter().take(MOST) {
            item(action, html);
        }
        html.push_str("</ol>");
        more(rest.len(), MOST, "upgrade", html);
        html.push_str("</details>");
    }
}

fn unfixed(unfixed: &[Action<'_>], html: &mut String) {
    if unfixed.is_empty() {
        return;
    }
    // A vulnerability may be in several of them, and so counts once, as in the verdict.
    let ids: HashSet<&str> =
        unfixed.iter().flat_map(|action| &action.findings).map(|found| found.id.as_str()).collect();
    let packages: usize = unfixed.iter().map(|action| action.packages.len()).sum();
    let _ = write!(
        html,
        "<details class=\"part\"><summary>No fix yet: {} in {}</summary><ol class=\"actions\">",
        count(ids.len(), "vulnerability"),
        count(packages, "package")
    );
    for action in unfixed.iter().take(MOST) {
        item(action, html);
    }
    html.push_str("</ol>");
    more(unfixed.len(), MOST, "package", html);
    html.push_str("</details>");
}

fn item(action: &Action<'_>, html: &mut String) {
    let _ = write!(html, "<li><div class=\"action\"><span><b>{}</b> {}", escape(action.name), escape(action.version));
    if let Some(fix) = action.fix {
        let _ = write!(html, " <span aria-label=\"to\">→</span> <b class=\"fix\">{}</b>", escape(fix));
    }
    html.push_str("</span><span class=\"badges\">");
    if action.is_exploited() {
        html.push_str("<span class=\"badge exploited\">exploited</span>");
    }
    for (severity, number) in action.counts() {
        let _ = write!(html, "<span class=\"badge {}\">{number} {severity}</span>", severity.label().to_lowercase());
    }
    html.push_str("</span></div>");
    if let Some(packages) = action.other_packages() {
        let _ = write!(html, "<p class=\"meta\">installed: {}</p>", escape(&packages));
    }
    let _ =
        write!(html, "<details><summary>{}</summary><ul class=\"ids\">", count(action.findings.len(), "vulnerability"));
    for finding in action.findings.iter().take(MOST_IDS) {
        let class = finding.severity.label().to_lowercase();
        let _ = write!(
            html,
            "<li><span class=\"dot {class}\" title=\"{0}\"></span>{1}",
            finding.severity,
            link(&finding.id)
        );
        if finding.kev.is_some() {
            html.push_str(" <span class=\"badge exploited\">exploited</span>");
        }
        let _ = write!(html, " {}</li>", escape(&finding.title));
    }
    if let Some(more @ 1..) = action.findings.len().checked_sub(MOST_IDS) {
        let _ = write!(html, "<li>and {more} more, in the list below</li>");
    }
    html.push_str("</ul></details></li>");
}

fn link(id: &str) -> String {
    let identifier = Identifier::of(id);
    match identifier.url() {
        Some(url) => {
            let url = escape(&url.to_string());
            format!("<a href=\"{url}\" rel=\"noreferrer noopener\">{}</a>", escape(&identifier.name))
        }
        None => escape(&identifier.name),
    }
}

fn suppressed(image: &ImageScan, html: &mut String) {
    let all = image.totals().suppressed();
    if all == 0 {
        return;
    }
    let _ = write!(
        html,
        "<details class=\"part\"><summary>Suppressed: {}</summary><ul>",
        escape(&wording::suppressed(image))
    );
    for suppressed in image.suppressed.iter().take(MOST) {
        let package = &suppressed.finding.package;
        let _ = write!(
            html,
            "<li>{} {} in <b>{}</b> {}: {}</li>",
            link(&suppressed.finding.id),
            suppressed.finding.severity,
            escape(&package.name),
            escape(&package.version),
            escape(&suppressed.explanation)
        );
    }
    html.push_str("</ul>");
    more(all, image.suppressed.len().min(MOST), "suppressed finding", html);
    html.push_str("</details>");
}

fn gaps(image: &ImageScan, html: &mut String) {
    let gaps: Vec<_> = wording::gaps(image).collect();
    if gaps.is_empty() {
        return;
    }
    let _ =
        write!(html, "<details class=\"part\"><summary>Not read or judged: {}</summary><ul>", count(gaps.len(), "gap"));
    for gap in gaps.iter().take(MOST) {
        let _ = write!(
            html,
            "<li>{}: <code>{}</code> {}</li>",
            gap.kind.label(),
            escape(&gap.subject),
            escape(&gap.reason)
        );
    }
    html.push_str("</ul>");
    more(gaps.len(), MOST, "gap", html);
    html.push_str("</details>");
}

fn more(all: usize, shown: usize, noun: &str, html: &mut String) {
    if let Some(more @ 1..) = all.checked_sub(shown) {
        let _ =
            write!(html, "<p class=\"meta\">and {}; plimsoll.json has all</p>", count(more, &format!("more {noun}")));
    }
}

/// Upgrades that are shown unfolded.
const FIRST: usize = 10;

const MOST: usize = 50;

const MOST_IDS: usize = 100;
