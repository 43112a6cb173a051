//! Which images a page shows, where there are more than anybody reads.

use std::cmp::Reverse;

use crate::model::{ImageScan, ScanDocument};

use super::verdict::Verdict;

/// The images that want attention most, at most so many, in the document's order; and how many others there are. What could not
/// be judged comes first, then what has the most severe findings.
pub(super) fn first(document: &ScanDocument, most: usize) -> (Vec<&ImageScan>, usize) {
    let more = document.images.len().saturating_sub(most);
    if more == 0 {
        return (document.images.iter().collect(), 0);
    }
    let mut images: Vec<_> = document.images.iter().enumerate().collect();
    images.sort_by_cached_key(|(_, image)| {
        (Verdict::of(document, image).is_judged(), Reverse(image.totals().severities))
    });
    images.truncate(most);
    images.sort_by_key(|(index, _)| *index);
    (images.into_iter().map(|(_, image)| image).collect(), more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Code, Diagnosis, Outcome, Summary, Totals};
    use crate::report::selection::tests::document;

    #[test]
    fn failures_come_before_what_is_severe() {
        let mut document = document(5, 0);
        let mut has = |index: usize, severities| {
            let totals = Totals { severities, ..Totals::default() };
            document.images[index].summary = Some(Box::new(Summary { totals, ..Summary::default() }));
        };
        has(1, [0, 9, 9, 9, 9, 9]);
        has(2, [1, 0, 0, 0, 0, 0]);
        has(4, [1, 1, 0, 0, 0, 0]);
        document.images[3].outcome = Outcome::Failure;
        document.images[3].diagnosis = Some(Diagnosis::new(Code::ImageNotFound, "x", "y", "z"));
        document.images[0].outcome = Outcome::Failure;
        let names = |most| {
            let (images, more) = first(&document, most);
            let names = images.iter().map(|image| image.name.trim_start_matches("reg.io/g/p").to_owned());
            (names.collect::<Vec<_>>().concat(), more)
        };
        assert_eq!(names(5), ("0:main1:main2:main3:main4:main".to_owned(), 0));
        assert_eq!(names(4), ("0:main2:main3:main4:main".to_owned(), 1));
        assert_eq!(names(3), ("0:main3:main4:main".to_owned(), 2));
        assert_eq!(names(2), ("0:main3:main".to_owned(), 3));
    }
}
