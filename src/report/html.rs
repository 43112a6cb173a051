//! `index.html`: the scan as one page that needs nothing but itself.
//!
//! A content security policy in the page allows its own style and script, by digest, and nothing else: no request, no
//! inline handler, no other script even if a name got past the escaping. What matters is in the page without the
//! script; the list of findings is data that the script filters, sorts and draws in parts, so that thousands stay fast.

mod bars;
mod data;
mod image;
pub(super) mod markup;

use std::fmt::Write as _;
use std::io::{self, Write};

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use crate::model::ScanDocument;

use super::Renderer;
use super::attention;
use super::renderer::only_part;
use super::text::{count, date_time, thousands};
use super::wording;
use markup::escape;

/// A page for browsers.
pub(super) struct Html;

impl Renderer for Html {
    fn format(&self) -> &'static str {
        "html"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["index.html".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        let title = match document.images.as_slice() {
            [image] => format!("{} · container scan", escape(&image.name)),
            images => format!("{} · container scan", count(images.len(), "image")),
        };
        markup::fill(PAGE, out, |name, out| match name {
            "TITLE" => out.write_all(title.as_bytes()),
            "STYLE" => out.write_all(STYLE.as_bytes()),
            "SCRIPT" => out.write_all(SCRIPT.as_bytes()),
            "STYLE_DIGEST" => out.write_all(digest(STYLE).as_bytes()),
            "SCRIPT_DIGEST" => out.write_all(digest(SCRIPT).as_bytes()),
            "BANNER" => out.write_all(banner(document).as_bytes()),
            "HEAD" => out.write_all(head(document).as_bytes()),
            "IMAGES" => {
                let (images, more) = attention::first(document, MOST_IMAGES);
                images.into_iter().try_for_each(|image| out.write_all(image::section(document, image).as_bytes()))?;
                if more > 0 {
                    write!(out, "<p class=\"meta\">and {}; plimsoll.json has all</p>", count(more, "more image"))?;
                }
                Ok(())
            }
            "FINDINGS" => out.write_all(findings(document).as_bytes()),
            "DATA" => data::write(document, out),
            _ => Ok(()),
        })
    }
}

/// The source of a content security policy for an inline style or script.
pub(super) fn digest(content: &str) -> String {
    let hash = Sha256::digest(content.as_bytes());
    format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(hash))
}

fn banner(document: &ScanDocument) -> String {
    let line = |banner: &String| format!("<p class=\"banner\" role=\"alert\">{}</p>", escape(banner));
    wording::banners(document).iter().map(line).collect()
}

fn head(document: &ScanDocument) -> String {
    let mut html = format!("<p class=\"meta\">{} {}", escape(&document.tool.name), escape(&document.tool.version));
    if let Some(time) = date_time(document.started) {
        let _ =
            write!(html, " · scanned <time datetime=\"{time}\">{}</time>", time.replace('T', " ").replace('Z', " UTC"));
    }
    match &document.database {
        Some(database) => {
            let records: u64 = database.sources.iter().map(|source| source.records).sum();
            let built = date_time(database.built).unwrap_or_default();
            let day = built.split('T').next().unwrap_or("");
            let _ = write!(html, " · {} advisories, built {day}", thousands(records));
        }
        None => html.push_str(
            " · <strong>no advisory database: nothing may be concluded from the absence of findings</strong>",
        ),
    }
    html.push_str("</p>");
    for diagnosis in &document.diagnoses {
        html.push_str(&image::diagnosis(diagnosis));
    }
    html
}

fn findings(document: &ScanDocument) -> String {
    if document.findings().next().is_none() { String::new() } else { FINDINGS.to_owned() }
}

/// More than that nobody reads, and they take long to draw.
const MOST_IMAGES: usize = 200;
const PAGE: &str = include_str!("html/page.html");
const FINDINGS: &str = include_str!("html/findings.html");
pub(super) const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
