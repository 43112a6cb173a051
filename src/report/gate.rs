//! The verdict of the gate as JUnit, for the test report of the gate's own job: a failed test for each finding that
//! fails, a skipped one for each that is only warned of. Uploaded whatever becomes of the job.

use std::collections::HashMap;
use std::io;

use crate::model::{Finding, ImageScan, Outcome, ScanDocument};

use super::image_name::ImageName;
use super::junit::{self, Names, Suite, Test, TestResult};
use super::selection::{Selection, fit};
use super::text::count;
use super::verdict::uncovered;
use super::wording;

/// What the gate found.
pub struct GateReport<'a> {
    /// The policy, as written.
    pub policy: String,
    /// What it concerns.
    pub failing: &'a [(&'a ImageScan, &'a Finding)],
    /// Images that it concerns because they could not be judged whole.
    pub gaps: &'a [&'a ImageScan],
    /// The policy that only warns.
    pub warning: Option<String>,
    /// What that concerns.
    pub warned: &'a [(&'a ImageScan, &'a Finding)],
    /// And of images.
    pub warned_gaps: &'a [&'a ImageScan],
}

/// What a policy concerns: `2 findings`, `1 finding and 1 image with a coverage gap`.
#[must_use]
pub fn concerned(findings: usize, gaps: usize) -> String {
    let findings = count(findings, "finding");
    if gaps == 0 { findings } else { format!("{findings} and {} with a coverage gap", count(gaps, "image")) }
}

/// What could not be judged of an image, in a line.
#[must_use]
pub fn what_is_missing(image: &ImageScan) -> String {
    let diagnosis = image.diagnosis.iter().map(|diagnosis| diagnosis.what.clone());
    let unjudged = uncovered(image).map(|coverage| wording::no_data(&coverage.shard.to_string(), coverage.packages));
    let mut gaps = wording::gaps(image).filter(|gap| gap.kind.hides_findings());
    let first = gaps.next().map(ToString::to_string);
    let more = Some(gaps.count()).filter(|more| *more > 0).map(|more| format!("and {}", count(more, "more gap")));
    diagnosis.chain(unjudged).chain(first).chain(more).collect::<Vec<_>>().join("; ")
}

impl GateReport<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// What `out` fails with.
    pub fn junit(&self, document: &ScanDocument, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(&self.within(document, junit::LARGEST)?)
    }

    /// The file, with the most severe findings if it were larger than `limit` otherwise.
    fn within(&self, document: &ScanDocument, limit: usize) -> io::Result<Vec<u8>> {
        let warned = self.warned.iter().map(|(image, finding)| (*image, *finding, true));
        let judged = self.failing.iter().map(|(image, finding)| (*image, *finding, false)).chain(warned);
        let mut of_images: HashMap<*const ImageScan, Vec<(&Finding, bool)>> = HashMap::new();
        for (image, finding, is_warned) in judged {
            of_images.entry(std::ptr::from_ref(image)).or_default().push((finding, is_warned));
        }
        let of_image = |image| of_images.get(&std::ptr::from_ref(image)).into_iter().flatten().copied();
        let all = Selection::of(document.images.iter().flat_map(of_image));
        fit(all, limit, |mut selection, out| {
            let mut first = vec![self.verdict(document)];
            first.extend(selection.remark().map(junit::left_out));
            let names = Names::default();
            let mut suites = vec![Suite::of_tests("gate", "gate".into(), first)];
            for image in &document.images {
                let class = format!("gate: {}", ImageName::of(image).identity());
                let coverage = self.coverage(image).map(|result| Test {
                    name: names.unique(&class, "everything could be judged".into()),
                    result: Some(result),
                });
                let tests = of_image(image).filter_map(|(finding, is_warned)| {
                    let name = names.unique(&class, junit::name(image, finding));
                    let result = || if is_warned { self.warned_of(finding) } else { junit::failing(image, finding) };
                    selection.takes(finding, is_warned).then(|| Test { name, result: Some(result()) })
                });
                let tests: Vec<Test<'_>> = coverage.into_iter().chain(tests).collect();
                if !tests.is_empty() {
                    suites.push(Suite::of_tests(&image.name, class.into(), tests));
                }
            }
            junit::write(document, suites, out)
        })
    }

    /// What becomes of an image that could not be judged whole.
    fn coverage(&self, image: &ImageScan) -> Option<TestResult<'static>> {
        let is_one = |gaps: &[&ImageScan]| gaps.iter().any(|gap| std::ptr::eq(*gap, image));
        let element = match (is_one(self.gaps), is_one(self.warned_gaps)) {
            (true, _) => "failure",
            (false, true) => "skipped",
            (false, false) => return None,
        };
        Some(TestResult { element, kind: "coverage_gap", message: what_is_missing(image).into(), text: String::new() })
    }

    fn warned_of(&self, finding: &Finding) -> TestResult<'_> {
        let warning = self.warning.as_deref().unwrap_or_default();
        TestResult {
            element: "skipped",
            kind: "",
            message: format!("only warned of, by {warning}: {}", junit::message(finding)).into(),
            text: String::new(),
        }
    }

    /// One test with the same name in every pipeline.
    fn verdict(&self, document: &ScanDocument) -> Test<'_> {
        let (failing, gaps) = (self.failing.len(), self.gaps.len());
        let result = if failing + gaps > 0 {
            let gaps =
                if gaps > 0 { format!(" and {} with a coverage gap", count(gaps, "image")) } else { String::new() };
            let all = document.findings().count();
            Some(("failure", "policy", format!("{failing} of {all} findings{gaps} match {}", self.policy)))
        } else if document.outcome == Outcome::Failure {
            Some(("error", "incomplete", "the scan is incomplete, so that nothing is decided".to_owned()))
        } else {
            None
        };
        let result = result.map(|(element, kind, message)| TestResult {
            element,
            kind,
            message: message.into(),
            text: String::new(),
        });
        Test { name: "the policy holds".into(), result }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::selection::tests::document;

    #[test]
    fn a_file_that_is_too_large_says_what_is_left_out() {
        let document = document(3, 40);
        let all: Vec<_> = document
            .images
            .iter()
            .flat_map(|image| image.findings.iter().map(move |finding| (image, finding)))
            .collect();
        let (failing, warned) = all.split_at(60);
        let report =
            GateReport { policy: "p".into(), failing, gaps: &[], warning: Some("w".into()), warned, warned_gaps: &[] };
        let text = |limit| String::from_utf8(report.within(&document, limit).unwrap()).unwrap();
        let whole = text(junit::LARGEST);
        assert_eq!((whole.matches("<failure ").count(), whole.matches("<skipped ").count()), (61, 60));
        let part = text(10_000);
        assert!(
            part.len() <= 10_000 && part.contains("most severe of 120 findings") && part.contains("the policy holds")
        );
        // What fails comes before what is only warned of.
        assert_eq!(part.matches("<skipped ").count(), 1, "{part}");
    }
}
