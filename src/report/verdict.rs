//! What one may conclude from an image's scan, in one word. "Clean" is said only where everything was judged.

use crate::model::{ImageScan, Outcome, ScanDocument};

/// From worst to best to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The image could not be scanned.
    Failed,
    /// There are findings.
    Vulnerable,
    /// No findings, but part of the image was not judged.
    Incomplete,
    /// No findings, and everything was judged.
    Clean,
}

impl Verdict {
    pub(super) fn of(document: &ScanDocument, image: &ImageScan) -> Self {
        let packages = image.inventory.as_ref().map_or(0, |inventory| inventory.packages.len());
        let judged: usize = image.coverage.iter().map(|coverage| coverage.packages).sum();
        let has_real_data = document.database.as_ref().is_some_and(|database| !database.example);
        match image.outcome {
            Outcome::Failure => Self::Failed,
            Outcome::Success if !image.findings.is_empty() => Self::Vulnerable,
            Outcome::Success if has_real_data && packages > 0 && judged > 0 && image.is_fully_covered() => Self::Clean,
            Outcome::Success => Self::Incomplete,
        }
    }

    /// The worst of all images; a document that failed as a whole, or has no image, has failed.
    pub(super) fn of_all(document: &ScanDocument) -> Self {
        let worst = document.images.iter().map(|image| Self::of(document, image)).min();
        match document.outcome {
            Outcome::Failure => Self::Failed,
            Outcome::Success => worst.unwrap_or(Self::Failed),
        }
    }

    /// For programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Vulnerable => "vulnerable",
            Self::Incomplete => "incomplete",
            Self::Clean => "clean",
        }
    }

    /// For people, about one image.
    pub(super) fn sentence(self, image: &ImageScan) -> String {
        let packages = image.inventory.as_ref().map_or(0, |inventory| inventory.packages.len());
        match self {
            Self::Failed => "Not scanned".into(),
            Self::Vulnerable => {
                let fixable = image.findings.iter().filter(|finding| finding.fix.is_available()).count();
                let found = counted(image.findings.len(), "vulnerability", "vulnerabilities");
                format!("{found} in {}, {fixable} with a fix", counted(packages, "package", "packages"))
            }
            Self::Incomplete if packages == 0 => "No packages were found: nothing could be judged".into(),
            Self::Incomplete => "No findings, but not everything could be judged".into(),
            Self::Clean => format!("No known vulnerabilities in {}", counted(packages, "package", "packages")),
        }
    }
}

/// `1 package`, `2 packages`.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
