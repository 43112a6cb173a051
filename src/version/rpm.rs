//! RPM's versions, `[epoch:]version[-release]` (rpm-version(7)), ordered as rpm 4.18's `rpmvercmp` does.
//!
//! The order is total: everything that is not a letter, a digit, `~` or `^` separates. A version without a release comes
//! before the same with any release, so that the order has no cycles.

use std::cmp::Ordering;

use super::number;

/// The order of two versions; a missing epoch is 0.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a), Version::parse(b));
    Some(number::compare(a.epoch.unwrap_or_default(), b.epoch.unwrap_or_default()).then_with(|| a.compare_rest(&b)))
}

/// The order of two versions; how CentOS names its rebuilds is no difference.
pub(super) fn compare_rebuild(a: &str, b: &str) -> Option<Ordering> {
    match rebuilt(a, b) {
        Some((a, b)) => compare(&a, &b),
        None => compare(a, b),
    }
}

/// The same, and a missing epoch is the other side's.
pub(super) fn compare_source(a: &str, b: &str) -> Option<Ordering> {
    let rebuilt = rebuilt(a, b);
    let (a, b) = rebuilt.as_ref().map_or((a, b), |(a, b)| (a.as_str(), b.as_str()));
    let (a, b) = (Version::parse(a), Version::parse(b));
    let epochs = a.epoch.zip(b.epoch).map_or(Ordering::Equal, |(x, y)| number::compare(x, y));
    Some(epochs.then_with(|| a.compare_rest(&b)))
}

/// Two versions of which one is CentOS's, without what the rebuild changes: `97.el7.centos.5` is Red Hat's `97.el7_9.5`,
/// and `3.module_el8.5.0+1022+b541f3b1` is `3.module+el8.5.0+13548+45d748af`.
fn rebuilt(a: &str, b: &str) -> Option<(String, String)> {
    let is_of_centos = |text: &str| text.contains(".centos") || text.contains(".module_el");
    (is_of_centos(a) || is_of_centos(b)).then(|| (without_rebuild(a), without_rebuild(b)))
}

fn without_rebuild(version: &str) -> String {
    let version = match version.split_once(".module") {
        // The build of a module, `el8.5.0+13806+b30d9eec.1`: only the number of the respin after the hash is of the package.
        Some((before, build)) => match build.rsplit_once('+').and_then(|(_, hash)| hash.split_once('.')) {
            Some((_, respin)) => format!("{before}.{respin}"),
            None => before.to_owned(),
        },
        None => version.replacen(".centos", "", 1),
    };
    let Some((before, after)) = version.split_once(".el") else { return version };
    // The minor release, of which a rebuild says nothing.
    let release = after.bytes().take_while(u8::is_ascii_digit).count();
    let (release, rest) = after.split_at(release);
    let rest = rest.strip_prefix('_').map_or(rest, |minor| minor.trim_start_matches(|c: char| c.is_ascii_digit()));
    format!("{before}.el{release}{rest}")
}

/// Whether a package can have this version: it has a digit, and no character that rpm's spec files do not allow.
pub(super) fn is_valid(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '~' | '^' | '-' | ':' | '%');
    text.chars().all(allowed) && Version::parse(text).version.iter().any(u8::is_ascii_digit)
}

/// The parts of a version as bytes, also used by pacman's order.
pub(super) struct Version<'a> {
    pub(super) epoch: Option<&'a [u8]>,
    pub(super) version: &'a [u8],
    pub(super) release: Option<&'a [u8]>,
}

impl<'a> Version<'a> {
    /// Splits at the colon that follows leading digits, and at the last hyphen.
    pub(super) fn parse(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (Some(epoch.as_bytes()), rest),
            _ => (None, text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release.as_bytes())),
            None => (rest, None),
        };
        Self { epoch, version: version.as_bytes(), release }
    }

    fn compare_rest(&self, other: &Self) -> Ordering {
        compare_part(self.version, other.version).then_with(|| match (self.release, other.release) {
            (Some(a), Some(b)) => compare_part(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
    }
}

/// `rpmvercmp`.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        number::take_while(&mut a, is_separator);
        number::take_while(&mut b, is_separator);
        match (a.split_first(), b.split_first()) {
            // `~` comes before everything, the end too.
            (Some((b'~', left)), Some((b'~', right))) | (Some((b'^', left)), Some((b'^', right))) => {
                (a, b) = (left, right);
            }
            (Some((b'~', _)), _) => return Ordering::Less,
            (_, Some((b'~', _))) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            // `^` comes after the end, before everything else.
            (Some((b'^', _)), _) => return Ordering::Less,
            (_, Some((b'^', _))) => return Ordering::Greater,
            (Some((x, _)), Some((y, _))) => match compare_segment(&mut a, &mut b, *x, *y) {
                Ordering::Equal => {}
                order => return order,
            },
        }
    }
}

/// Takes one run of digits or letters off both sides and compares them; a number is newer than letters. `x` and `y` are
/// the bytes that the two sides begin with.
pub(super) fn compare_segment(a: &mut &[u8], b: &mut &[u8], x: u8, y: u8) -> Ordering {
    match (x.is_ascii_digit(), y.is_ascii_digit()) {
        (true, true) => number::compare(number::take_digits(a), number::take_digits(b)),
        (false, false) => {
            let letter = |byte: u8| byte.is_ascii_alphabetic();
            number::take_while(a, letter).cmp(number::take_while(b, letter))
        }
        (digits, _) => digits.cmp(&!digits),
    }
}

fn is_separator(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_is_compared_without_what_it_changes() {
        for (a, b, expected) in [
            ("2.4.6-97.el7.centos.5", "2.4.6-97.el7_9.5", Ordering::Equal),
            ("2.4.6-97.el7.centos.4", "2.4.6-97.el7_9.5", Ordering::Less),
            ("2.4.37-43.module_el8.5.0+1022+b541f3b1", "2.4.37-43.module+el8.5.0+13064+c4b14997", Ordering::Equal),
            ("2.4.37-43.module_el8.5.0+1022+b541f3b1", "2.4.37-43.module+el8.5.0+13806+b30d9eec.1", Ordering::Less),
            ("2.4.37-43.module_el8.5.0+1060+cfb1d6cb.1", "2.4.37-43.module+el8.5.0+13806+b30d9eec.1", Ordering::Equal),
            ("2.4.37-44.module_el8.5.0+1060+cfb1d6cb", "2.4.37-43.module+el8.5.0+13806+b30d9eec.1", Ordering::Greater),
        ] {
            assert_eq!(compare_source(a, b), Some(expected), "{a} {b}");
        }
    }
}
