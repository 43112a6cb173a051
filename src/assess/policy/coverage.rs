//! What a policy says of images that could not be judged whole: `coverage_gap` is about them, not about a finding.

use super::{Around, Flag, Node, Policy, TextField};
use crate::model::{ImageScan, ScanDocument};

impl Policy {
    /// Whether it is about what could not be judged.
    #[must_use]
    pub fn needs_coverage(&self) -> bool {
        self.root.has_flag(&[Flag::CoverageGap])
    }

    /// The images that the policy concerns because they could not be judged whole: a scan that failed, packages without
    /// advisory data, files that could not be read. What it says about findings holds of none of them.
    #[must_use]
    pub fn gaps<'a>(&self, document: &'a ScanDocument) -> Vec<&'a ImageScan> {
        let concerns = |image: &&ImageScan| {
            !image.is_fully_covered() && self.root.concerns(&Around { image: Some(*image), ..Around::default() })
        };
        if self.needs_coverage() { document.images.iter().filter(concerns).collect() } else { Vec::new() }
    }
}

impl Node {
    /// Whether it concerns an image with a gap.
    fn concerns(&self, around: &Around<'_>) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.concerns(around)),
            Self::All(nodes) => nodes.iter().all(|node| node.concerns(around)),
            Self::Not(node) => !node.concerns(around),
            Self::Flag(flag) => *flag == Flag::CoverageGap,
            Self::Text(field @ (TextField::Image | TextField::Owner), operator, wanted) => {
                operator.is_met(around.is_called(*field, wanted))
            }
            Self::Never | Self::Severity(..) | Self::Number(..) | Self::Text(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_that_are_not_covered_are_concerned() {
        let image = |name: &str, outcome: &str, status: &str| {
            json!({ "name": format!("reg.io/shop/{name}:1"), "outcome": outcome, "findings": [],
                "coverage": [{ "kind": "deb", "shard": "debian-12", "packages": 3, "status": status }],
                "inventory": { "image": {}, "layers": [], "packages": [], "gaps": [] } })
        };
        let document: ScanDocument = serde_json::from_value(json!({
            "format": ScanDocument::FORMAT, "tool": { "name": "plimsoll", "version": "0.1.0" },
            "started": "2026-11-21T07:00:00Z", "finished": "2026-11-21T07:00:00Z", "outcome": "failure",
            "images": [image("whole", "success", "covered"), image("part", "success", "no-data"), image("none", "failure", "covered")],
        }))
        .unwrap();
        for (expression, expected) in [
            ("coverage_gap", "part none"),
            ("critical || coverage_gap", "part none"),
            ("coverage_gap && image == reg.io/shop/part*", "part"),
            ("coverage_gap && image != reg.io/shop/part*", "none"),
            ("coverage_gap && owner == shop", ""),
            ("coverage_gap && critical", ""),
            ("high && !coverage_gap", ""),
            ("!kev", ""),
            ("never", ""),
        ] {
            let policy = Policy::parse(expression).unwrap();
            let short =
                |image: &ImageScan| image.name.trim_start_matches("reg.io/shop/").trim_end_matches(":1").to_owned();
            let concerned: Vec<String> = policy.gaps(&document).into_iter().map(short).collect();
            assert_eq!(concerned.join(" "), expected, "{expression}");
            assert_eq!(policy.needs_coverage(), expression.contains("coverage_gap"), "{expression}");
        }
    }
}
