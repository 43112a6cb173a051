//! How long findings of each severity may stand: `critical=7d, high=30d`.

use jiff::ToSpan as _;
use jiff::civil::Date;

use crate::model::{News, Severity, Standing};

/// Days by severity; none for severities that may stand for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sla(Vec<(Severity, u16)>);

/// The text is no such list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not of the form `critical=7d`: a severity and a number of days from 1 to 3650")]
pub struct SlaError {
    /// What is wrong.
    pub part: String,
}

impl Sla {
    /// Reads a list, separated by commas or white space; `none` is empty.
    ///
    /// # Errors
    /// A part is not `severity=days`, or a severity is named twice.
    pub fn parse(text: &str) -> Result<Self, SlaError> {
        let mut days = Vec::new();
        for part in text.split([',', ' ', '\n']).filter(|part| !part.is_empty() && *part != "none") {
            let error = || SlaError { part: part.to_owned() };
            let (severity, number) = part.split_once('=').ok_or_else(error)?;
            let severity: Severity = severity.trim().parse().map_err(|()| error())?;
            let number: u16 = number.trim().trim_end_matches('d').parse().map_err(|_| error())?;
            if number == 0 || number > 3650 || days.iter().any(|(known, _)| *known == severity) {
                return Err(error());
            }
            days.push((severity, number));
        }
        Ok(Self(days))
    }

    /// The first day on which something that stands must be done: by severity from the day on which it was told, and not
    /// later than the date that comes with a known exploitation.
    #[must_use]
    pub fn due(&self, standing: &[Standing]) -> Option<Date> {
        standing.iter().flat_map(|one| self.dues(one)).min()
    }

    fn dues(&self, one: &Standing) -> Vec<Date> {
        let mut dues = Vec::new();
        if let News::RuleExpiring { last, .. } = &one.alert.news {
            dues.push(*last);
        }
        for finding in one.alert.news.findings() {
            let days = self.0.iter().find(|(severity, _)| *severity == finding.severity).map(|(_, days)| *days);
            dues.extend(days.and_then(|days| one.since.checked_add(i32::from(days).days()).ok()));
            // A date long past would make every issue overdue at birth.
            let kev = finding.kev.as_ref().and_then(|kev| kev.due).filter(|due| *due >= one.since);
            dues.extend(kev.filter(|_| days.is_some()));
        }
        dues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_lists_are_named() {
        assert_eq!(
            Sla::parse("critical=7d, high=30").unwrap(),
            Sla(vec![(Severity::Critical, 7), (Severity::High, 30)])
        );
        assert_eq!(Sla::parse("none").unwrap(), Sla(vec![]));
        for (text, part) in [
            ("critical", "critical"),
            ("high=0d", "high=0d"),
            ("high=1d,high=2d", "high=2d"),
            ("hgih=1d", "hgih=1d"),
            ("low=-1d", "low=-1d"),
            ("low=99999d", "low=99999d"),
        ] {
            assert_eq!(Sla::parse(text).unwrap_err().part, part, "{text}");
        }
    }
}
