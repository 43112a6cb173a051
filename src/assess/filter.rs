//! What settings leave out: severities below a threshold, findings without a fix, language packages.

use crate::model::{Finding, FixState, ScanDocument, Severity, Suppressed, SuppressionReason};

/// Filters that are on, each with the setting that says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The lowest severity that counts.
    pub threshold: Option<(Severity, String)>,
    /// Leave out what no upgrade removes.
    pub unfixed: Option<String>,
    /// Leave out findings whose fix has one of these states.
    pub states: Option<(Vec<FixState>, String)>,
    /// Leave out findings in language packages.
    pub language: Option<String>,
}

impl Filter {
    /// Suppresses what the filters leave out.
    pub fn apply(&self, document: &mut ScanDocument) {
        for image in &mut document.images {
            let mut kept = Vec::with_capacity(image.findings.len());
            for finding in std::mem::take(&mut image.findings) {
                match self.reason(&finding) {
                    Some(explanation) => {
                        image.suppressed.push(Suppressed { finding, reason: SuppressionReason::Setting, explanation });
                    }
                    None => kept.push(finding),
                }
            }
            image.findings = kept;
        }
    }

    fn reason(&self, finding: &Finding) -> Option<String> {
        if finding.is_end_of_life() {
            return None;
        }
        if let Some((threshold, origin)) = &self.threshold
            && finding.severity < *threshold
        {
            return Some(format!("{} is below the threshold {threshold} ({origin})", finding.severity));
        }
        if let Some(origin) = &self.language
            && !finding.package.kind.is_os()
        {
            return Some(format!("language packages are left out ({origin})"));
        }
        if let Some(origin) = &self.unfixed
            && !finding.fix.is_available()
        {
            return Some(format!("no fixed version is known ({origin})"));
        }
        let (states, origin) = self.states.as_ref()?;
        states
            .contains(&finding.fix.state)
            .then(|| format!("fix status {} is left out ({origin})", super::policy::fix_name(finding.fix.state)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::ignore::tests::document;

    #[test]
    fn leaves_out_and_says_why() {
        let on = || "X".to_owned();
        for (filter, left, explanation) in [
            (Filter::default(), 2, ""),
            (
                Filter { threshold: Some((Severity::High, on())), ..Filter::default() },
                1,
                "Low is below the threshold High (X)",
            ),
            (Filter { unfixed: Some(on()), ..Filter::default() }, 1, "no fixed version is known (X)"),
            (
                Filter { states: Some((vec![FixState::WillNotFix], on())), ..Filter::default() },
                1,
                "fix status will-not-fix is left out (X)",
            ),
            (Filter { language: Some(on()), ..Filter::default() }, 1, "language packages are left out (X)"),
        ] {
            let mut document = document();
            filter.apply(&mut document);
            let image = &document.images[0];
            assert_eq!((image.findings.len(), image.suppressed.len()), (left, 2 - left), "{filter:?}");
            if left == 1 {
                assert_eq!(image.suppressed[0].explanation, explanation);
                assert_eq!(image.suppressed[0].reason, SuppressionReason::Setting);
            }
        }
    }
}
