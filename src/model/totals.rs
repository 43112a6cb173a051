//! How much is wrong with images, in numbers.

use std::collections::HashSet;

use super::{ImageScan, Severity, SuppressionReason};

/// Numbers of findings: of one image, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Findings by severity, in the order of [`Severity::ALL`].
    pub severities: [usize; Severity::ALL.len()],
    /// Suppressed findings by reason, in the order of [`SuppressionReason::ALL`].
    pub suppressed: [usize; SuppressionReason::ALL.len()],
    /// Findings with a fixed version.
    pub fixable: usize,
    /// Findings that are known to be exploited.
    pub exploited: usize,
}

/// How many different things the findings of an image are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Distinct {
    /// Vulnerabilities.
    pub vulnerabilities: usize,
    /// Packages with a finding.
    pub packages: usize,
}

/// The numbers of an image that lists only a part of its findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Findings.
    pub totals: Totals,
    /// What they are about.
    pub distinct: Distinct,
}

impl Summary {
    /// That of the findings that an image lists.
    #[must_use]
    pub fn listed(image: &ImageScan) -> Self {
        Self { totals: Totals::listed(image), distinct: Distinct::listed(image) }
    }
}

impl Distinct {
    /// Those of the findings that an image lists.
    #[must_use]
    pub fn listed(image: &ImageScan) -> Self {
        let ids: HashSet<&str> = image.findings.iter().map(|finding| finding.id.as_str()).collect();
        let packages: HashSet<usize> = image.findings.iter().map(|finding| finding.package.index).collect();
        Self { vulnerabilities: ids.len(), packages: packages.len() }
    }
}

impl Totals {
    /// Those of the findings that an image lists.
    #[must_use]
    pub fn listed(image: &ImageScan) -> Self {
        let mut totals = Self::default();
        for finding in &image.findings {
            count(&Severity::ALL, finding.severity, &mut totals.severities);
            totals.fixable += usize::from(finding.fix.is_available());
            totals.exploited += usize::from(finding.kev.is_some());
        }
        for suppressed in &image.suppressed {
            count(&SuppressionReason::ALL, suppressed.reason, &mut totals.suppressed);
        }
        totals
    }

    /// The number of findings.
    #[must_use]
    pub fn findings(&self) -> usize {
        self.severities.iter().sum()
    }

    /// The number of suppressed findings.
    #[must_use]
    pub fn suppressed(&self) -> usize {
        self.suppressed.iter().sum()
    }

    /// The number of findings of each severity, in the order of [`Severity::ALL`].
    #[must_use]
    pub fn by_severity(&self) -> [(Severity, usize); Severity::ALL.len()] {
        let mut numbers = self.severities.iter();
        Severity::ALL.map(|severity| (severity, numbers.next().copied().unwrap_or(0)))
    }

    /// The highest severity of a finding.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.by_severity().into_iter().filter(|(_, number)| *number > 0).map(|(severity, _)| severity).max()
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let add = |one: &mut [usize], other: &[usize]| one.iter_mut().zip(other).for_each(|(one, other)| *one += other);
        add(&mut self.severities, &other.severities);
        add(&mut self.suppressed, &other.suppressed);
        self.fixable += other.fixable;
        self.exploited += other.exploited;
        self
    }
}

fn count<T: PartialEq>(all: &[T], one: T, numbers: &mut [usize]) {
    let at = all.iter().position(|other| *other == one);
    if let Some(number) = at.and_then(|at| numbers.get_mut(at)) {
        *number += 1;
    }
}
