//! `plimsoll-junit.xml`: findings as failed tests, which merge requests compare with the target branch on every tier.
//!
//! GitLab groups by `classname` and drops tests of the same name, so a class is an image without its tag and names are
//! unique. One more test per image says whether all of it could be judged. GitLab takes less than 30 MB; where there is
//! more, the most severe findings are here.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::model::{Diagnosis, Finding, ImageScan, ScanDocument, Suppressed};

use super::Renderer;
use super::image_name::ImageName;
use super::renderer::only_part;
use super::selection::{Bounded, Selection, fit};
use super::subject::Subject;
use super::text::{block, short};
use super::verdict::Verdict;
use super::wording;

/// JUnit's XML, as GitLab reads it.
pub(super) struct JUnit;

impl Renderer for JUnit {
    fn format(&self) -> &'static str {
        "junit"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll-junit.xml".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        out.write_all(&within(document, LARGEST)?)
    }
}

/// The file, with the most severe findings if it were larger than `limit` otherwise.
fn within(document: &ScanDocument, limit: usize) -> io::Result<Vec<u8>> {
    fit(Selection::all_of(document), limit, |mut selection, out| {
        let remark = selection.remark();
        let names = Names::default();
        let mut suites: Vec<Suite<'_>> =
            document.images.iter().map(|image| suite(document, image, &names, &mut selection)).collect();
        let failed = document.diagnoses.iter().enumerate().map(|(index, diagnosis)| {
            let name = format!("{} {}", index + 1, diagnosis.code);
            Test { name, result: Some(failed(diagnosis)) }
        });
        let tests: Vec<Test<'_>> = failed.chain(remark.map(left_out)).collect();
        if !tests.is_empty() {
            suites.push(Suite::of_tests("plimsoll", "plimsoll".into(), tests));
        }
        write(document, suites, out)
    })
}

/// The test that says that findings are missing.
pub(super) fn left_out<'a>(remark: String) -> Test<'a> {
    let result = TestResult { element: "skipped", kind: "", message: remark.into(), text: String::new() };
    Test { name: "all findings are here".into(), result: Some(result) }
}

/// Writes suites as one file.
pub(super) fn write(document: &ScanDocument, suites: Vec<Suite<'_>>, out: &mut Bounded) -> io::Result<()> {
    let mut xml = Xml { writer: Writer::new_with_indent(out, b' ', 1), content: String::new() };
    xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.open("testsuites", &[("name", "Plimsoll")])?;
    let banners = wording::banners(document);
    for suite in suites {
        write_suite(suite, &banners, &mut xml)?;
    }
    xml.close("testsuites")?;
    xml.writer.into_inner().write_all(b"\n")
}

/// The tests of one image; each is made when it is written, as there may be many.
pub(super) struct Suite<'a> {
    name: &'a str,
    class: Cow<'a, str>,
    counts: Counts,
    tests: Box<dyn Iterator<Item = Test<'a>> + 'a>,
}

impl<'a> Suite<'a> {
    pub(super) fn of_tests(name: &'a str, class: Cow<'a, str>, tests: Vec<Test<'a>>) -> Self {
        let mut counts = Counts::default();
        tests.iter().for_each(|test| counts.add(test.result.as_ref().map_or("", |result| result.element), 1));
        Self { name, class, counts, tests: Box::new(tests.into_iter()) }
    }
}

#[derive(Debug, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn add(&mut self, element: &str, number: usize) {
        self.tests += number;
        match element {
            "failure" => self.failures += number,
            "error" => self.errors += number,
            "skipped" => self.skipped += number,
            _ => {}
        }
    }
}

/// A test; without a result it passed.
pub(super) struct Test<'a> {
    pub(super) name: String,
    pub(super) result: Option<TestResult<'a>>,
}

pub(super) struct TestResult<'a> {
    /// `failure`, `error` or `skipped`.
    pub(super) element: &'static str,
    pub(super) kind: &'static str,
    pub(super) message: Cow<'a, str>,
    pub(super) text: String,
}

fn suite<'a>(
    document: &'a ScanDocument,
    image: &'a ImageScan,
    names: &'a Names,
    selection: &mut Selection,
) -> Suite<'a> {
    let class = ImageName::of(image).identity().into_owned();
    let mut of_tests = *selection;
    let findings = image.findings.iter().filter(|finding| selection.takes(finding, false)).count();
    let suppressed = image.suppressed.iter().filter(|suppressed| selection.takes(&suppressed.finding, true)).count();
    let first =
        Test { name: names.unique(&class, "everything could be judged".into()), result: judged(document, image) };
    let mut counts = Counts::default();
    counts.add(first.result.as_ref().map_or("", |result| result.element), 1);
    counts.add("failure", findings);
    counts.add("skipped", suppressed);
    let findings = image.findings.iter().map(|finding| (finding, None));
    let suppressed = image.suppressed.iter().map(|suppressed| (&suppressed.finding, Some(suppressed)));
    let of_names = class.clone();
    let tests = findings.chain(suppressed).filter_map(move |(finding, suppressed)| {
        // Names do not depend on what is left out.
        let name = names.unique(&of_names, name(image, finding));
        of_tests
            .takes(finding, suppressed.is_some())
            .then(|| Test { name, result: Some(suppressed.map_or_else(|| failing(image, finding), skipped)) })
    });
    Suite { name: &image.name, class: class.into(), counts, tests: Box::new(std::iter::once(first).chain(tests)) }
}

fn skipped(suppressed: &Suppressed) -> TestResult<'_> {
    let message = format!("{}: {}", wording::suppression(suppressed.reason), suppressed.explanation);
    TestResult { element: "skipped", kind: "", message: message.into(), text: String::new() }
}

/// The failed test of a finding.
pub(super) fn failing<'a>(image: &ImageScan, finding: &'a Finding) -> TestResult<'a> {
    TestResult {
        element: "failure",
        kind: finding.severity.label(),
        message: message(finding).into(),
        text: explanation(image, finding),
    }
}

fn judged<'a>(document: &'a ScanDocument, image: &'a ImageScan) -> Option<TestResult<'a>> {
    let verdict = Verdict::of(document, image);
    match verdict {
        Verdict::Failed(Some(diagnosis)) => Some(failed(diagnosis)),
        Verdict::Failed(None) | Verdict::NotJudged => Some(TestResult {
            element: "error",
            kind: "incomplete",
            message: verdict.sentence(image).into(),
            text: String::new(),
        }),
        Verdict::Vulnerable | Verdict::Incomplete if !image.is_fully_covered() => Some(TestResult {
            element: "skipped",
            kind: "",
            message: "a part of the image could not be read or judged; the table in the job log names it".into(),
            text: String::new(),
        }),
        Verdict::Vulnerable | Verdict::Incomplete | Verdict::Clean => None,
    }
}

fn failed(diagnosis: &Diagnosis) -> TestResult<'_> {
    TestResult {
        element: "error",
        kind: diagnosis.code.label(),
        message: diagnosis.what.as_str().into(),
        text: format!("{}\n{}", diagnosis.why, diagnosis.fix),
    }
}

/// The names of all tests, by the hash of class and name: that two names share one makes a number too many and no harm.
#[derive(Debug, Default)]
pub(super) struct Names(RefCell<HashMap<u64, u64>>);

impl Names {
    /// The name, numbered where the class has it already: two tags of one image may be scanned.
    pub(super) fn unique(&self, class: &str, name: String) -> String {
        let key = |name: &str| {
            let mut hasher = DefaultHasher::new();
            (class, name).hash(&mut hasher);
            hasher.finish()
        };
        let mut known = self.0.borrow_mut();
        let own = key(&name);
        let Some(next) = known.get(&own).copied() else {
            known.insert(own, 2);
            return name;
        };
        // Where the last one ended, as many packages of a hostile database may have one name.
        let mut number = next;
        loop {
            let numbered = format!("{name} ({number})");
            number += 1;
            if known.insert(key(&numbered), 2).is_none() {
                known.insert(own, number);
                return numbered;
            }
        }
    }
}

/// The vulnerability and the package, with the path for language packages.
pub(super) fn name(image: &ImageScan, finding: &Finding) -> String {
    let package = &finding.package;
    let mut name = format!("{} in {}", finding.id, package.name);
    if let Some(path) = Subject::of(image, finding).path().filter(|_| !package.kind.is_os()) {
        name.push_str(" at ");
        name.push_str(path);
    }
    short(name, LONGEST_NAME).into_owned()
}

pub(super) fn message(finding: &Finding) -> String {
    let title = finding.title.trim();
    let text = if title.is_empty() { &finding.id } else { title };
    format!("{}: {text}", finding.severity)
}

fn explanation(image: &ImageScan, finding: &Finding) -> String {
    let package = &finding.package;
    let mut text = format!("{} {} in {}\n{}", package.name, package.version, image.name, wording::solution(finding));
    if let Some(kev) = &finding.kev {
        let _ = write!(text, "\nKnown to be exploited {}", wording::exploited(kev));
    }
    if let Some(statement) = finding.statements.first() {
        let _ = write!(text, "\n{}", wording::statement(statement));
    }
    text
}

fn write_suite(suite: Suite<'_>, banners: &[String], xml: &mut Xml<'_>) -> io::Result<()> {
    let Suite { name, class, counts, tests } = suite;
    xml.open(
        "testsuite",
        &[
            ("name", name),
            ("tests", &counts.tests.to_string()),
            ("failures", &counts.failures.to_string()),
            ("errors", &counts.errors.to_string()),
            ("skipped", &counts.skipped.to_string()),
        ],
    )?;
    if !banners.is_empty() {
        xml.open("properties", &[])?;
        for banner in banners {
            xml.empty("property", &[("name", "warning"), ("value", banner)])?;
        }
        xml.close("properties")?;
    }
    for test in tests {
        let attributes = [("classname", &*class), ("name", test.name.as_str())];
        match &test.result {
            None => xml.empty("testcase", &attributes)?,
            Some(result) => {
                xml.open("testcase", &attributes)?;
                write_result(result, xml)?;
                xml.close("testcase")?;
            }
        }
    }
    xml.close("testsuite")
}

fn write_result(result: &TestResult<'_>, xml: &mut Xml<'_>) -> io::Result<()> {
    let message = ("message", &*result.message);
    let attributes: &[(&str, &str)] =
        if result.element == "skipped" { &[message] } else { &[message, ("type", result.kind)] };
    if result.text.is_empty() {
        return xml.empty(result.element, attributes);
    }
    xml.open(result.element, attributes)?;
    xml.event(Event::Text(BytesText::new(&block(&result.text))))?;
    xml.close(result.element)
}

/// XML with texts that XML 1.0 allows: what it does not is replaced before it is escaped.
struct Xml<'a> {
    writer: Writer<&'a mut Bounded>,
    /// The name and attributes of an element.
    content: String,
}

impl Xml<'_> {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        self.writer.write_event(event)
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        let start = element(name, attributes, &mut self.content);
        self.writer.write_event(Event::Start(start))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        let empty = element(name, attributes, &mut self.content);
        self.writer.write_event(Event::Empty(empty))
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.event(Event::End(BytesEnd::new(name)))
    }
}

fn element<'a>(name: &str, attributes: &[(&str, &str)], content: &'a mut String) -> BytesStart<'a> {
    content.clear();
    content.push_str(name);
    for (key, value) in attributes {
        for part in [" ", key, "=\"", &*escape(short(*value, LONGEST_ATTRIBUTE)), "\""] {
            content.push_str(part);
        }
    }
    BytesStart::from_content(content.as_str(), name.len())
}

const LONGEST_NAME: usize = 500;

const LONGEST_ATTRIBUTE: usize = 1000;

/// GitLab takes less than 30 MB.
pub(super) const LARGEST: usize = 29_990_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::selection::tests::{are_most_severe, document, levels};

    #[test]
    fn a_file_that_is_too_large_has_the_most_severe_findings_and_says_so() {
        let document = document(2, 60);
        let all = String::from_utf8(within(&document, LARGEST).unwrap()).unwrap();
        assert!(
            all.contains("tests=\"62\" failures=\"60\" errors=\"0\" skipped=\"2\"") && !all.contains("most severe"),
            "{all}"
        );
        for limit in [5_000, 20_000, all.len() - 1] {
            let text = String::from_utf8(within(&document, limit).unwrap()).unwrap();
            assert!(text.len() <= limit && text.len() + 1500 > limit, "{limit}: {}", text.len());
            let levels = levels(&text, |label| format!("type=\"{label}\""));
            assert!(are_most_severe(&levels, 20), "{limit}: {levels:?}");
            let failures: usize = levels.iter().sum();
            assert_eq!(text.matches("<failure ").count(), failures);
            let counted: usize = text
                .split("failures=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().parse::<usize>().unwrap())
                .sum();
            assert_eq!(counted, failures, "{limit}");
            assert!(
                text.contains("name=\"all findings are here\"") && text.contains("most severe of 122 findings"),
                "{text}"
            );
        }
    }
}
