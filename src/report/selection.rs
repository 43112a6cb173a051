//! Which findings a report has where its readers, or the memory, take no more than so many: the most severe ones, and it says so.
//!
//! The document's order stays. Findings count before suppressed ones, each by severity; of the last level that does not
//! fit whole, the first ones.

use std::io;

use crate::model::{Finding, ImageScan, ScanDocument, Severity, Summary};

/// How many findings of each level may still be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// Findings by severity, then suppressed ones by severity.
    left: [usize; LEVELS],
    taken: usize,
    all: usize,
}

impl Selection {
    /// All findings and suppressed findings that a document lists, of all that it has.
    pub(super) fn all_of(document: &ScanDocument) -> Self {
        let mut selection = Self::default();
        for image in &document.images {
            selection.count(image);
            if let Some(Summary { totals, .. }) = image.summary.as_deref() {
                let listed = image.findings.len() + image.suppressed.len();
                selection.all += (totals.findings() + totals.suppressed()).saturating_sub(listed);
            }
        }
        selection
    }

    /// The same without suppressed findings.
    pub(super) fn findings_of(document: &ScanDocument) -> Self {
        let mut selection = Self::of(document.findings().map(|finding| (finding, false)));
        for image in &document.images {
            if let Some(Summary { totals, .. }) = image.summary.as_deref() {
                selection.all += totals.findings().saturating_sub(image.findings.len());
            }
        }
        selection
    }

    /// Some findings, each with whether the others go first.
    pub(super) fn of<'a>(findings: impl Iterator<Item = (&'a Finding, bool)>) -> Self {
        let mut selection = Self::default();
        selection.count_all(findings);
        selection
    }

    /// Takes what an image lists too.
    pub fn count(&mut self, image: &ImageScan) {
        self.count_all(stated(image));
    }

    fn count_all<'a>(&mut self, findings: impl Iterator<Item = (&'a Finding, bool)>) {
        for (finding, is_suppressed) in findings {
            if let Some(count) = self.left.get_mut(level(finding, is_suppressed)) {
                *count += 1;
                self.taken += 1;
                self.all += 1;
            }
        }
    }

    /// Leaves in an image only what it lists of the selection, and its numbers. All images that were counted have to be cut, in
    /// the document's order.
    pub fn cut(&mut self, image: &mut ImageScan) {
        let summary = Summary::listed(image);
        image.findings.retain(|finding| self.takes(finding, false));
        image.suppressed.retain(|suppressed| self.takes(&suppressed.finding, true));
        // There may be thousands of images, each with room for all that it had.
        image.findings.shrink_to_fit();
        image.suppressed.shrink_to_fit();
        image.summary = Some(Box::new(summary));
    }

    /// How many it has.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Leaves only the `number` most severe ones.
    pub fn shrink(&mut self, number: usize) {
        let mut room = number;
        for count in &mut self.left {
            *count = room.min(*count);
            room -= *count;
        }
        self.taken = self.left.iter().sum();
    }

    /// Whether a finding is one of them. Each is asked for once, in the document's order.
    pub(super) fn takes(&mut self, finding: &Finding, is_suppressed: bool) -> bool {
        let Some(left @ 1..) = self.left.get_mut(level(finding, is_suppressed)) else { return false };
        *left -= 1;
        true
    }

    /// What a reader must know, if something is left out.
    pub(super) fn remark(&self) -> Option<String> {
        let Self { taken, all, .. } = self;
        (taken < all).then(|| {
            format!("the {taken} most severe of {all} findings are here, as more are not taken; plimsoll.json has all")
        })
    }
}

/// The findings that an image lists, and whether each is suppressed.
fn stated(image: &ImageScan) -> impl Iterator<Item = (&Finding, bool)> {
    let suppressed = image.suppressed.iter().map(|suppressed| (&suppressed.finding, true));
    image.findings.iter().map(|finding| (finding, false)).chain(suppressed)
}

/// What `render` makes of as many of the findings as fit into `limit` bytes. What is more than that without any finding
/// stays as it is.
pub(super) fn fit(
    selection: Selection,
    limit: usize,
    mut render: impl FnMut(Selection, &mut Bounded) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    let mut out = Bounded { held: Vec::new(), size: 0, limit };
    render(selection, &mut out)?;
    if out.size <= limit {
        return Ok(out.held);
    }
    let selection = largest(selection, out.size, limit, |selection| {
        let mut out = Bounded { held: Vec::new(), size: 0, limit: 0 };
        render(selection, &mut out).map(|()| out.size)
    })?;
    let mut out = Bounded { held: Vec::new(), size: 0, limit: usize::MAX };
    render(selection, &mut out)?;
    Ok(out.held)
}

/// The same for what is too large to be held: as many of the findings as fit, by what `render` writes of them.
pub(super) fn measured(
    selection: Selection,
    limit: usize,
    mut render: impl FnMut(Selection, &mut dyn io::Write) -> io::Result<()>,
) -> io::Result<Selection> {
    let mut size = |selection| {
        let mut out = Bounded { held: Vec::new(), size: 0, limit: 0 };
        render(selection, &mut out).map(|()| out.size)
    };
    let all = size(selection)?;
    if all <= limit { Ok(selection) } else { largest(selection, all, limit, size) }
}

/// As many of the findings as fit, where all of them take `all` bytes, more than `limit`. The severe ones may be short and the
/// others long, so what fits is looked for between what does and what does not.
fn largest(
    selection: Selection,
    all: usize,
    limit: usize,
    mut size: impl FnMut(Selection) -> io::Result<usize>,
) -> io::Result<Selection> {
    let cut = |number| {
        let mut fewer = selection;
        fewer.shrink(number);
        fewer
    };
    let (mut fits, mut too_many) = (0, selection.taken());
    // By the average first, which is nearly right for most.
    let mut first = Some((selection.taken() as f64 * (limit as f64 / all.max(1) as f64) * 0.99) as usize);
    for _ in 0..MOST_TRIES {
        if too_many - fits <= 1 + fits / NEAR {
            break;
        }
        let middle = fits + (too_many - fits) / 2;
        let number = first.take().filter(|number| (fits + 1..too_many).contains(number)).unwrap_or(middle);
        if size(cut(number))? <= limit { fits = number } else { too_many = number }
    }
    Ok(cut(fits))
}

/// Each costs a rendering of what is in question.
const MOST_TRIES: usize = 24;
/// As near as a part in so many is near enough.
const NEAR: usize = 200;

/// Holds what is written up to a limit, and counts all of it.
#[derive(Debug)]
pub(super) struct Bounded {
    held: Vec<u8>,
    size: usize,
    limit: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len();
        if self.size <= self.limit {
            self.held.extend_from_slice(bytes);
        } else {
            self.held = Vec::new();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn level(finding: &Finding, is_suppressed: bool) -> usize {
    let severity = Severity::ALL.iter().position(|severity| *severity == finding.severity).unwrap_or(0);
    if is_suppressed { Severity::ALL.len() + severity } else { severity }
}

const LEVELS: usize = 2 * Severity::ALL.len();

#[cfg(test)]
pub(in crate::report) mod tests {
    use serde_json::json;

    use super::*;

    /// A document with images of so many findings each, of all levels in turn, and a suppressed one.
    pub(in crate::report) fn document(images: usize, findings: usize) -> ScanDocument {
        let finding = |number: usize| {
            let severity = ["critical", "high", "medium", "low", "info", "unknown"][number % 6];
            json!({
                "id": format!("CVE-2026-{number:04}"), "identifiers": [format!("CVE-2026-{number:04}")],
                "package": { "index": 0, "kind": "deb", "name": "a", "version": "1", "purl": "pkg:deb/debian/a@1" },
                "fix": { "state": "fixed", "version": "2" }, "severity": severity, "severity_source": "osv",
                "statements": [], "description": format!("{} @you\n/close \"\u{1}", "x".repeat(100 + number % 50)),
            })
        };
        let image = |image: usize| {
            let suppressed = json!({ "finding": finding(0), "reason": "vex", "explanation": "x" });
            json!({
                "name": format!("reg.io/g/p{image}:main"), "outcome": "success", "coverage": [],
                "findings": (0..findings).map(finding).collect::<Vec<_>>(), "suppressed": [suppressed],
            })
        };
        serde_json::from_value(json!({
            "format": ScanDocument::FORMAT, "tool": { "name": "plimsoll", "version": "0.1.0" },
            "started": "2026-11-21T07:00:00Z", "finished": "2026-11-21T07:00:00Z", "outcome": "success",
            "images": (0..images).map(image).collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    fn every(document: &ScanDocument) -> impl Iterator<Item = (&Finding, bool)> {
        document.images.iter().flat_map(stated)
    }

    /// How many findings of each level a report has, by what it calls them.
    pub(in crate::report) fn levels(text: &str, of: impl Fn(&str) -> String) -> Vec<usize> {
        Severity::ALL.iter().map(|severity| text.matches(&of(severity.label())).count()).collect()
    }

    /// Whether all of each level is there before the next one begins.
    pub(in crate::report) fn are_most_severe(levels: &[usize], of_each: usize) -> bool {
        let cut = levels.iter().position(|number| *number < of_each).unwrap_or(levels.len());
        levels.iter().skip(cut + 1).all(|number| *number == 0)
    }

    #[test]
    fn the_most_severe_come_first_and_the_order_stays() {
        let document = document(2, 12);
        let all = Selection::all_of(&document);
        assert_eq!((all.taken(), all.remark()), (26, None));
        for number in [0, 1, 4, 5, 23, 24, 25, 26, 99] {
            let mut selection = all;
            selection.shrink(number);
            let expected = number.min(26);
            assert_eq!(selection.taken(), expected);
            assert_eq!(selection.remark().is_some(), number < 26, "{number}");
            let mut asked = selection;
            let taken: Vec<_> = every(&document).filter(|(finding, gone)| asked.takes(finding, *gone)).collect();
            assert_eq!(taken.len(), expected);
            let worst_left = every(&document)
                .filter(|(finding, gone)| !taken.iter().any(|(one, is)| std::ptr::eq(*one, *finding) && is == gone))
                .map(|(finding, gone)| level(finding, gone))
                .min();
            let mildest = taken.iter().map(|(finding, gone)| level(finding, *gone)).max();
            assert!(mildest.zip(worst_left).is_none_or(|(taken, left)| taken <= left), "{number}");
        }
    }

    /// However long the mild ones are, the severe ones that fit are there.
    #[test]
    fn long_mild_findings_push_no_severe_one_out() {
        let document = document(1, 600);
        let all = Selection::all_of(&document);
        let render = |mut selection: Selection, out: &mut dyn io::Write| {
            for (finding, gone) in every(&document).filter(|(finding, gone)| selection.takes(finding, *gone)) {
                let length = if finding.severity <= Severity::Medium || gone { 10_000 } else { 10 };
                out.write_all(&vec![b'x'; length])?;
            }
            Ok(())
        };
        for limit in [2_000, 3_000, 100_000, 1_000_000] {
            let mut selection = measured(all, limit, render).unwrap();
            let severe = every(&document)
                .filter(|(finding, gone)| selection.takes(finding, *gone) && finding.severity >= Severity::High)
                .count();
            assert!(severe >= (limit / 10).min(200) * 95 / 100, "{limit}: {severe} of 200");
        }
    }

    #[test]
    fn suppressed_ones_go_mildest_first_too() {
        let mut document = document(2, 0);
        let [low, critical] = document.images.as_mut_slice() else { panic!("two images") };
        low.suppressed[0].finding.severity = Severity::Low;
        critical.suppressed[0].finding.severity = Severity::Critical;
        let mut one = Selection::all_of(&document);
        one.shrink(1);
        let taken: Vec<Severity> =
            every(&document).filter(|(finding, gone)| one.takes(finding, *gone)).map(|(one, _)| one.severity).collect();
        assert_eq!(taken, [Severity::Critical]);
    }

    /// Of images that are seen twice, one after the other, the same is left as of the document; and every number stays.
    #[test]
    fn images_are_cut_to_the_most_severe() {
        let whole = document(3, 12);
        let mut images = Selection::default();
        whole.images.iter().for_each(|image| images.count(image));
        assert_eq!(images, Selection::all_of(&whole));
        for number in [0, 7, 20, 36, 38, 39] {
            let (mut images, mut cut) = (images, whole.clone());
            images.shrink(number);
            let mut takes = images;
            let taken: Vec<Finding> =
                every(&whole).filter(|(one, gone)| takes.takes(one, *gone)).map(|(one, _)| one.clone()).collect();
            cut.images.iter_mut().for_each(|image| images.cut(image));
            assert_eq!(every(&cut).map(|(one, _)| one.clone()).collect::<Vec<_>>(), taken, "{number}");
            assert_eq!(cut.totals(), whole.totals(), "{number}");
            let again = Selection::all_of(&cut);
            assert_eq!((again.taken(), again.remark().is_some()), (number, number < 39), "{number}");
            assert_eq!(Selection::findings_of(&cut).remark().is_some(), number < 36, "{number}");
            let banners = crate::report::wording::banners(&cut);
            let suppressed = number.saturating_sub(36);
            let text = match number {
                39 => None,
                36.. => Some(format!("all 36 findings are listed, and {suppressed} of 3 suppressed ones")),
                _ => Some(format!("the {number} most severe of 36 findings are listed, and 0 of 3 suppressed ones")),
            };
            let text = text.map(|text| format!("SHORTENED — {text}; plimsoll.json has all"));
            assert_eq!(banners, text.into_iter().collect::<Vec<_>>(), "{number}");
        }
    }

    #[test]
    fn what_fits_is_written_and_what_cannot_is_too() {
        let all = Selection::all_of(&document(1, 99));
        let lines =
            |selection: Selection, out: &mut dyn io::Write| out.write_all(&b"12345678\n".repeat(selection.taken() + 1));
        for limit in [0, 8, 9, 100, 899, 900, 909, 10_000] {
            let text = fit(all, limit, |selection, out| lines(selection, out)).unwrap();
            assert!(text.len() <= limit.max(9), "{limit}: {}", text.len());
            assert!(limit > 909 || text.len() + 30 > limit, "{limit}: {}", text.len());
            assert_eq!(9 * (measured(all, limit, lines).unwrap().taken() + 1), text.len(), "{limit}");
        }
    }
}
