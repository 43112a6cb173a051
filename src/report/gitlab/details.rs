//! The named details that GitLab shows below a vulnerability: how to get rid of it and where it comes from.

use std::collections::BTreeMap;

use crate::model::{Finding, ImageScan};
use crate::report::text;
use crate::report::wording::{self, Origin};

use super::schema::{Detail, NamedDetail};

/// All that is known; what is not known is left out.
pub(super) fn of(image: &ImageScan, finding: &Finding) -> BTreeMap<&'static str, NamedDetail> {
    let mut details = Details(BTreeMap::new());
    let origin = Origin::of(image, finding);
    details.text("fix_version", "Fixed version", finding.fix.version.as_deref());
    details.text("fix_state", "Fix state", Some(wording::fix_state(finding.fix.state)));
    details.code("purl", "Package URL", Some(finding.package.purl.as_str()));
    details.code("path", "Path", origin.location.map(|location| location.path.as_str()));
    if let Some(layer) = origin.layer {
        let digest = layer.digest.as_ref().or(layer.diff_id.as_ref());
        details.code("layer_digest", "Layer", digest.map(|digest| digest.as_str()));
        details.code("layer_instruction", "Instruction", layer.created_by.as_deref());
    }
    if let Some(package) = origin.package {
        details.text("owned_by", "Installed by", package.owned_by.as_deref());
        let source = package.source.as_ref().map(|source| format!("{} {}", source.name, source.version));
        details.text("source_package", "Source package", source.as_deref());
    }
    details.text("severity_source", "Severity according to", Some(&finding.severity_source));
    details.text("kev", "Known exploited (CISA KEV)", finding.kev.as_ref().map(wording::kev).as_deref());
    details.text("epss", "Exploit prediction (EPSS)", finding.epss.as_ref().map(wording::epss).as_deref());
    details.list("advisories", "Advisories", advisories(finding));
    details.0
}

fn advisories(finding: &Finding) -> Vec<String> {
    let statements = finding.statements.iter().take(20);
    statements.map(|s| format!("{} ({}): {}: {}", s.advisory, s.feed, s.name, s.comparison)).collect()
}

struct Details(BTreeMap<&'static str, NamedDetail>);

impl Details {
    fn text(&mut self, key: &'static str, name: &'static str, value: Option<&str>) {
        let value = clean(value.unwrap_or_default());
        if !value.is_empty() {
            self.0.insert(key, NamedDetail { name, detail: Detail::Text { value } });
        }
    }

    fn code(&mut self, key: &'static str, name: &'static str, value: Option<&str>) {
        let value = clean(value.unwrap_or_default());
        if !value.is_empty() {
            self.0.insert(key, NamedDetail { name, detail: Detail::Code { value } });
        }
    }

    fn list(&mut self, key: &'static str, name: &'static str, values: Vec<String>) {
        let items: Vec<_> = values.iter().map(|value| Detail::Text { value: clean(value) }).collect();
        if !items.is_empty() {
            self.0.insert(key, NamedDetail { name, detail: Detail::List { items } });
        }
    }
}

fn clean(value: &str) -> String {
    text::cut(text::line(value), 2000)
}
