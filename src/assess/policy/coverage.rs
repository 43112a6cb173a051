//! What a policy says of images that could not be judged whole: `coverage_gap` is about them, not about a finding.

use super::{Around, Flag, Node, Policy, TextField};
use crate::model::{CoverageStatus, ImageScan, Outcome, ScanDocument};

impl Policy {
    /// Whether it is about what could not be judged.
    #[must_use]
    pub fn needs_coverage(&self) -> bool {
        self.root.has_flag(&[Flag::CoverageGap])
    }

    /// Whether it concerns what could not be judged of every image, whatever else it says.
    #[must_use]
    pub fn concerns_every_gap(&self) -> bool {
        let is_gap = |node: &Node| *node == Node::Flag(Flag::CoverageGap);
        is_gap(&self.root) || matches!(&self.root, Node::Any(nodes) if nodes.iter().any(is_gap))
    }

    /// The images that the policy concerns because they could not be judged whole: a scan that failed, packages without
    /// advisory data, whatever else hides findings. What it says about findings holds of none of them.
    #[must_use]
    pub fn gaps<'a>(&self, document: &'a ScanDocument) -> Vec<&'a ImageScan> {
        let concerns = |image: &&ImageScan| {
            is_gap(image) && self.root.concerns(&Around { image: Some(*image), ..Around::default() })
        };
        if self.needs_coverage() { document.images.iter().filter(concerns).collect() } else { Vec::new() }
    }
}

fn is_gap(image: &ImageScan) -> bool {
    let mut gaps = image.inventory.iter().flat_map(|inventory| &inventory.gaps);
    image.outcome == Outcome::Failure
        || image.coverage.iter().any(|coverage| coverage.status == CoverageStatus::NoData)
        || gaps.any(|gap| gap.kind.hides_findings())
}

impl Node {
    /// Whether `coverage_gap` stands where it can say nothing: beside what is about findings, or negated.
    pub(super) fn misuses_coverage(&self) -> bool {
        let gap = &[Flag::CoverageGap];
        match self {
            Self::Any(nodes) => nodes.iter().any(Self::misuses_coverage),
            Self::All(nodes) => {
                nodes.iter().any(Self::misuses_coverage)
                    || nodes.iter().any(|node| node.has_flag(gap))
                        && nodes.iter().any(|node| !node.has_flag(gap) && !node.is_about_images())
            }
            Self::Not(node) => node.has_flag(gap),
            Self::Never | Self::Flag(_) | Self::Severity(..) | Self::Number(..) | Self::Text(..) => false,
        }
    }

    fn is_about_images(&self) -> bool {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().all(Self::is_about_images),
            Self::Not(node) => node.is_about_images(),
            Self::Text(field, ..) => matches!(field, TextField::Image | TextField::Owner),
            Self::Never | Self::Flag(_) | Self::Severity(..) | Self::Number(..) => false,
        }
    }

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
    fn it_stands_where_it_can_say_something() {
        for expression in ["coverage_gap && critical", "high && !coverage_gap", "new && (critical || coverage_gap)"] {
            let error = Policy::parse(expression).unwrap_err();
            assert!(error.problem.contains("`image` and `owner`"), "{expression}: {error}");
            assert_eq!(error.text.get(error.position - 1..).map(|at| at.starts_with("coverage_gap")), Some(true));
        }
        for (expression, expected) in [
            ("coverage_gap", true),
            ("critical, coverage_gap", true),
            ("coverage_gap && image == a", false),
            ("critical", false),
        ] {
            assert_eq!(Policy::parse(expression).unwrap().concerns_every_gap(), expected, "{expression}");
        }
    }

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
            ("(critical || coverage_gap) && image != reg.io/shop/none*", "part"),
            ("coverage_gap && (owner == a || !(image == reg.io/shop/part*))", "none"),
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
