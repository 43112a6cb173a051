//! CycloneDX 1.4 and up, JSON: `vulnerabilities[].analysis` (CycloneDX 1.6, `vulnerability`). What is affected is named
//! by `bom-ref`, in the same document or, as a BOM link (`urn:cdx:…#ref`), in another of which only the reference is
//! known: then it must itself be a purl.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::product::Product;
use super::{Statement, Status, Target};
use crate::assess::purl_pattern::PurlPattern;

pub(super) fn read(text: &str) -> Result<Vec<Statement>, serde_json::Error> {
    let document: Document = serde_json::from_slice(text.as_bytes())?;
    let image = document.metadata.component.as_ref().filter(|component| component.kind == "container");
    let root = document.metadata.component.as_ref().and_then(Component::product);
    let mut known: BTreeMap<&str, &Component> = BTreeMap::new();
    let mut open: Vec<&Component> = document.components.iter().chain(&document.metadata.component).collect();
    while let Some(component) = open.pop() {
        if let Some(reference) = &component.reference {
            known.insert(reference, component);
        }
        open.extend(&component.components);
    }
    let target = |affected: &Affected| {
        let reference = affected.reference.as_str();
        let Some(component) = known.get(reference) else {
            let name = reference.rsplit_once('#').map_or(reference, |(_, name)| name);
            return Product::parse(&decoded(name)).map(|product| Target { product, component: None });
        };
        let is_root = document.metadata.component.as_ref().is_some_and(|root| std::ptr::eq(root, *component));
        let product = component.product()?;
        // A list of an image's parts speaks about this image only.
        match (&root, image) {
            (Some(image), Some(_)) if !is_root => Some(Target { product: image.clone(), component: Some(product) }),
            _ => Some(Target { product, component: None }),
        }
    };
    let statement = |vulnerability: &Vulnerability| {
        let analysis = vulnerability.analysis.as_ref()?;
        let status = match analysis.state.as_str() {
            "not_affected" | "false_positive" => Status::NotAffected,
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "exploitable" => Status::Affected,
            _ => Status::UnderInvestigation,
        };
        let mut ids = vec![vulnerability.id.clone()];
        ids.extend(vulnerability.references.iter().map(|reference| reference.id.clone()));
        ids.retain(|id| !id.is_empty());
        let time =
            analysis.last_updated.as_ref().or(vulnerability.updated.as_ref()).or(document.metadata.timestamp.as_ref());
        Some(Statement {
            origin: String::new(),
            ids,
            targets: vulnerability.affects.iter().filter_map(target).collect(),
            status,
            justification: analysis.justification.clone(),
            note: analysis.detail.clone(),
            time: time.and_then(|text| text.parse::<Timestamp>().ok()),
        })
    };
    Ok(document.vulnerabilities.iter().filter_map(statement).collect())
}

/// In a link, the reference is percent-encoded once more.
fn decoded(text: &str) -> String {
    if text.starts_with("pkg:") {
        return text.to_owned();
    }
    let (head, rest) = text.split_at_checked(6).unwrap_or((text, ""));
    if head.eq_ignore_ascii_case("pkg%3a") {
        format!(
            "pkg:{}",
            rest.replace("%2F", "/")
                .replace("%2f", "/")
                .replace("%40", "@")
                .replace("%3F", "?")
                .replace("%3D", "=")
                .replace("%26", "&")
                .replace("%25", "%")
        )
    } else {
        text.to_owned()
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

impl Component {
    fn product(&self) -> Option<Product> {
        match &self.purl {
            Some(purl) => PurlPattern::parse(purl).and_then(|_| Product::parse(purl)),
            None if self.kind == "container" => Product::parse(&self.name),
            None => None,
        }
    }
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    id: String,
    #[serde(default)]
    references: Vec<Reference>,
    updated: Option<String>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Vec<Affected>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    id: String,
}

#[derive(Deserialize)]
struct Analysis {
    #[serde(default)]
    state: String,
    #[serde(default)]
    justification: String,
    #[serde(default)]
    detail: String,
    #[serde(rename = "lastUpdated")]
    last_updated: Option<String>,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref", default)]
    reference: String,
}

#[cfg(test)]
mod tests {
    use super::super::tests::applied;

    fn document(state: &str, reference: &str, image: &str) -> String {
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{{"component":{{"type":"container","bom-ref":"image","name":"{image}"}}}},
            "components":[{{"type":"library","bom-ref":"l","name":"lodash","purl":"pkg:npm/lodash@4.17.20","components":[{{"type":"library","bom-ref":"z","name":"zlib1g","purl":"pkg:deb/debian/zlib1g"}}]}}],
            "vulnerabilities":[{{"id":"CVE-2021-23337","analysis":{{"state":"{state}","justification":"code_not_reachable","detail":"no template"}},"affects":[{{"ref":"{reference}"}}]}}]}}"#
        )
    }

    #[test]
    fn references_lead_to_packages() {
        let own = "reg.example.com/group/app";
        for (state, reference, image, expected) in [
            ("not_affected", "l", own, true),
            ("false_positive", "l", own, true),
            ("resolved", "l", own, true),
            ("exploitable", "l", own, false),
            ("in_triage", "l", own, false),
            ("not_affected", "l", "reg.example.com/group/other", false),
            ("not_affected", "z", own, false),
            ("not_affected", "image", own, true),
            ("not_affected", "nobody", own, false),
            ("not_affected", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg:npm/lodash@4.17.20", own, true),
            ("not_affected", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg%3Anpm%2Flodash%404.17.20", own, true),
        ] {
            let (suppressed, _) = applied(&document(state, reference, image));
            assert_eq!(!suppressed.is_empty(), expected, "{state} {reference} {image}");
        }
        assert_eq!(
            applied(&document("not_affected", "l", own)).0,
            ["CVE-2021-23337: not affected: code_not_reachable: no template (vex.json, statement 1)"]
        );
    }
}
