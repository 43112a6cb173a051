//! How today's findings of an image stand to the verdict that alerts know of.

use std::collections::HashSet;

use crate::model::{Change, Digest, ImageScan, KnownFinding, Told, Verdict};

/// Marks each finding. Without an earlier verdict everything is introduced, except in the first retest of all, which is
/// the baseline.
pub(super) fn mark(
    scan: &mut ImageScan,
    now: &Verdict,
    before: Option<&(Told, Verdict)>,
    config: &Digest,
    first_run: bool,
) {
    let key = |finding: &KnownFinding| (finding.package.clone(), finding.id.clone());
    let (known, moved): (HashSet<_>, bool) = match before {
        Some((told, verdict)) => (verdict.findings.iter().map(key).collect(), told.config_digest != *config),
        None => (HashSet::new(), true),
    };
    let keys: HashSet<(String, String, String)> = now
        .findings
        .iter()
        .filter(|finding| known.contains(&key(finding)))
        .map(|finding| (finding.name.clone(), finding.version.clone(), finding.id.clone()))
        .collect();
    for finding in &mut scan.findings {
        let own = (finding.package.name.clone(), finding.package.version.clone(), finding.id.clone());
        finding.change = Some(match () {
            () if first_run || keys.contains(&own) => Change::Existing,
            () if moved => Change::Introduced,
            () => Change::Disclosed,
        });
    }
}
