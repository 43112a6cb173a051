//! One record against one package: constraints first, then the version.

use crate::model::{Advisory, Constraint, FixState, Package};
use crate::version::{self, Scheme, Verdict};

use super::distribution::Subject;

/// What a record that applies says about a package.
#[derive(Debug)]
pub(super) struct Judgement<'a> {
    pub(super) record: &'a Advisory,
    /// The name that was looked up.
    pub(super) name: &'a str,
    pub(super) affected: bool,
    /// The comparison in words.
    pub(super) comparison: String,
    /// The version that ends the range the installed one lies in.
    pub(super) fixed: Option<String>,
}

impl Judgement<'_> {
    pub(super) fn is_affected(&self) -> bool {
        self.affected
    }
}

/// Judges a record. `Ok(None)`: it does not concern this package. `Err`: its ranges cannot be compared, with the reason.
pub(super) fn judge<'a>(
    record: &'a Advisory,
    package: &Package,
    subject: &Subject<'a>,
    scheme: Scheme,
) -> Result<Option<Judgement<'a>>, String> {
    if !record.constraints.iter().all(|constraint| holds(constraint, package)) {
        return Ok(None);
    }
    let judgement =
        |affected, comparison, fixed| Ok(Some(Judgement { record, name: subject.name, affected, comparison, fixed }));
    if record.fix == FixState::NotAffected {
        return judgement(false, format!("{} says not affected", record.feed), None);
    }
    if record.ranges.is_empty() && record.versions.is_empty() {
        return judgement(true, "all versions".into(), None);
    }
    match version::evaluate(scheme, &record.ranges, &record.versions, subject.version) {
        Verdict::Affected { comparison, fixed } => judgement(true, comparison, fixed),
        Verdict::NotAffected { comparison } => judgement(false, comparison, None),
        Verdict::NotComparable { reason } => Err(reason),
    }
}

/// Whether a constraint holds. One that cannot be decided from the inventory (a product line or channel that the image
/// does not show) does not hold: such a record speaks about other packages than the distribution's plain ones.
fn holds(constraint: &Constraint, package: &Package) -> bool {
    match constraint {
        Constraint::Arch(allowed) => {
            package.arch.as_ref().is_none_or(|arch| arch == "noarch" || allowed.contains(arch))
        }
        Constraint::Module(wanted) => package.module.as_deref().is_some_and(|label| {
            let mut parts = label.split(':');
            let name_stream = [parts.next().unwrap_or(""), parts.next().unwrap_or("")].join(":");
            name_stream == *wanted
        }),
        Constraint::Cpe(_) | Constraint::Repository(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FeedId, PackageKind};

    fn record(constraints: Vec<Constraint>) -> Advisory {
        Advisory {
            id: "X-1".into(),
            aliases: vec![],
            covers: vec![],
            ranges: vec![],
            versions: vec![],
            fix: FixState::NotFixed,
            severity: None,
            constraints,
            feed: FeedId::Osv,
        }
    }

    #[test]
    fn constraints_decide_whether_a_record_concerns_a_package() {
        let package = Package {
            arch: Some("x86_64".into()),
            module: Some("nodejs:18:8090020231019:abc".into()),
            ..Package::new(PackageKind::Rpm, "npm", "1-1")
        };
        let subject = Subject { name: "npm", version: "1-1" };
        for (constraint, concerns) in [
            (Constraint::Arch(vec!["x86_64".into()]), true),
            (Constraint::Arch(vec!["s390x".into()]), false),
            (Constraint::Module("nodejs:18".into()), true),
            (Constraint::Module("nodejs:20".into()), false),
            (Constraint::Repository("esm".into()), false),
        ] {
            let record = record(vec![constraint.clone()]);
            let judged = judge(&record, &package, &subject, Scheme::Rpm);
            assert_eq!(judged.is_ok_and(|j| j.is_some_and(|j| j.affected)), concerns, "{constraint:?}");
        }
    }
}
