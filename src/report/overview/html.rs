//! The overview as one page that needs nothing but itself, with the look and the content security policy of the report.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::civil::Date;

use crate::model::{Overview, OverviewDay, OverviewImage, OverviewProject, Severity, SeverityCounts};
use crate::report::html::markup::{escape, fill};
use crate::report::html::{STYLE, digest};
use crate::report::text::{count, date_time, day, web_url};

pub(super) fn write(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let style = format!("{STYLE}{OWN_STYLE}");
    fill(PAGE, out, |name, out| match name {
        "TITLE" => write!(out, "{} · container images", escape(&overview.scope)),
        "STYLE" => out.write_all(style.as_bytes()),
        "SCRIPT" => out.write_all(SCRIPT.as_bytes()),
        "STYLE_DIGEST" => out.write_all(digest(&style).as_bytes()),
        "SCRIPT_DIGEST" => out.write_all(digest(SCRIPT).as_bytes()),
        "HEAD" => out.write_all(head(overview).as_bytes()),
        "TRENDS" => out.write_all(trends(overview).as_bytes()),
        "ROWS" => rows(overview, out),
        "GAPS" => out.write_all(gaps(overview).as_bytes()),
        _ => Ok(()),
    })
}

fn head(overview: &Overview) -> String {
    let (images, counts, gaps) = (overview.images().count(), overview.counts(), overview.gaps());
    let mut html = format!("<h2>{}</h2><p class=\"meta\">", escape(&overview.scope));
    if let Some(time) = date_time(overview.written) {
        let words = time.replace('T', " ").replace('Z', " UTC");
        let _ = write!(html, "as of <time datetime=\"{time}\">{words}</time> · ");
    }
    let _ = write!(html, "{} · {}</p>", count(overview.projects.len(), "project"), count(images, "image"));
    for notice in &overview.notices {
        let _ = write!(html, "<p class=\"warning\">{}</p>", escape(notice));
    }
    html.push_str("<ul class=\"counts\">");
    for severity in Severity::ALL {
        let (number, class) = (counts.get(severity), severity.label().to_lowercase());
        let zero = if number == 0 { " zero" } else { "" };
        let _ = write!(html, "<li class=\"{class}{zero}\"><b>{number}</b>{severity}</li>");
    }
    let zero = if gaps == 0 { " zero" } else { "" };
    let _ = write!(html, "<li class=\"gaps{zero}\"><b>{gaps}</b>Coverage gaps</li></ul>");
    html
}

/// Critical and high findings, day by day. Widths and heights stand in attributes, as the policy allows no inline style.
fn trends(overview: &Overview) -> String {
    let days: Vec<(&Date, &OverviewDay)> = overview.history.iter().rev().take(MOST_DAYS).collect();
    let days: Vec<_> = days.into_iter().rev().collect();
    let (Some((first, _)), Some((last, now))) = (days.first(), days.last()) else { return String::new() };
    if days.len() < 2 {
        return String::new();
    }
    let most = days.iter().map(|(_, day)| worst(&day.counts)).max().unwrap_or(0).max(1);
    let start = days.first().map_or(0, |(_, day)| worst(&day.counts));
    let mut html = format!(
        "<h2>Trend</h2><figure class=\"trend\"><figcaption>Critical and high findings, {first} to {last}: from {start} to \
         {}</figcaption><svg viewBox=\"0 0 1000 160\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"from {start} to \
         {} critical and high findings\">",
        worst(&now.counts),
        worst(&now.counts)
    );
    let step = 1000.0 / days.len() as f64;
    for (index, (date, day)) in days.iter().enumerate() {
        let x = step * index as f64;
        let mut top = 160.0;
        for (class, number) in [("critical", day.counts.critical), ("high", day.counts.high)] {
            let height = 150.0 * number as f64 / most as f64;
            top -= height;
            let _ = write!(
                html,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{date}: {} \
                 critical, {} high, {}</title></rect>",
                (step * 0.8).max(1.0),
                day.counts.critical,
                day.counts.high,
                count(day.images, "image")
            );
        }
    }
    html.push_str("</svg></figure>");
    html
}

fn worst(counts: &SeverityCounts) -> usize {
    counts.critical + counts.high
}

fn rows(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<_> = overview.images().collect();
    // Deployed first, then the worst.
    all.sort_by_key(|(_, image)| {
        let counts = image.counts.unwrap_or_default();
        let rank = (!image.deployed.is_empty(), image.kev, counts.critical, counts.high, counts.medium);
        (std::cmp::Reverse(rank), image.name.clone())
    });
    all.iter().try_for_each(|(project, image)| out.write_all(row(project, image).as_bytes()))
}

fn row(project: &OverviewProject, image: &OverviewImage) -> String {
    let mut html = format!("<tr><td>{}<small>{}</small></td>", link(project), escape(&image.name));
    let owners = if image.owners.is_empty() { "–".to_owned() } else { escape(&image.owners.join(", ")) };
    let _ = write!(html, "<td>{owners}<small>{}</small></td>", escape(&image.owner_source));
    let deployed = if image.deployed.is_empty() { "–".to_owned() } else { escape(&image.deployed.join(", ")) };
    let lifecycle = image.lifecycle.as_deref().unwrap_or_default();
    let _ = write!(html, "<td>{deployed}<small>{}</small></td>", escape(lifecycle));
    let scanned = image.last_scanned.map_or_else(|| "never".to_owned(), day);
    // Said where it is another day: by old advisories an image is not judged by what is known today.
    let advisories = image.advisories.map(day).filter(|day| *day != scanned);
    let advisories = advisories.map_or_else(String::new, |day| format!("<small>by advisories of {day}</small>"));
    let distribution = escape(image.distribution.as_deref().unwrap_or_default());
    let policy = match (&image.policy, image.last_scanned) {
        (Some(policy), _) => format!("<small>by policy: {}</small>", escape(policy)),
        (None, Some(_)) => "<small>by no policy</small>".to_owned(),
        (None, None) => String::new(),
    };
    let _ = write!(html, "<td>{scanned}{advisories}{policy}<small>{distribution}</small></td>");
    for severity in [Severity::Critical, Severity::High, Severity::Medium, Severity::Low] {
        let class = severity.label().to_lowercase();
        match image.counts.map(|counts| counts.get(severity)) {
            Some(0) => html.push_str("<td class=\"count\">0</td>"),
            Some(number) => {
                let _ = write!(html, "<td class=\"count {class}\"><b>{number}</b></td>");
            }
            // Never judged is not none.
            None => html.push_str("<td class=\"count\">–</td>"),
        }
    }
    let exploited = if image.kev > 0 {
        format!("<span class=\"badge exploited\">{} exploited</span>", image.kev)
    } else {
        String::new()
    };
    let gap = image
        .gap
        .as_ref()
        .map_or_else(String::new, |gap| format!("<b>{}</b><small>{}</small>", gap.reason.label(), escape(&gap.detail)));
    let _ = write!(html, "<td>{exploited}{gap}</td></tr>");
    html
}

fn gaps(overview: &Overview) -> String {
    let without: Vec<_> =
        overview.projects.iter().filter_map(|project| Some((project, project.gap.as_ref()?))).collect();
    if without.is_empty() {
        return String::new();
    }
    let mut html = format!("<h2>Projects that are not covered: {}</h2><ul class=\"actions\">", without.len());
    for (project, gap) in without {
        let _ = write!(
            html,
            "<li><b>{}</b> · {}<br><span class=\"meta\">{}</span></li>",
            link(project),
            gap.reason.label(),
            escape(&gap.detail)
        );
    }
    html.push_str("</ul>");
    html
}

fn link(project: &OverviewProject) -> String {
    match web_url(&project.url) {
        Some(url) => format!("<a href=\"{}\">{}</a>", escape(url), escape(&project.path)),
        None => escape(&project.path),
    }
}

/// A quarter of a year.
const MOST_DAYS: usize = 92;

const PAGE: &str = include_str!("page.html");
const OWN_STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
