//! Version order agrees with the tables of others; `tests/version_oracles.rs` asks their tools.

mod program;

use std::cmp::Ordering;

use plimsoll::version::{Scheme, compare};
use program::shared;

fn holds(order: Ordering, operator: &str) -> bool {
    match operator {
        "<" => order.is_lt(),
        "=" => order.is_eq(),
        ">" => order.is_gt(),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        "!=" => order.is_ne(),
        _ => false,
    }
}

/// The table of each scheme; Hex has none and orders as semantic versioning does.
const TABLES: [(&str, Scheme); 15] = [
    ("deb", Scheme::Deb),
    ("rpm", Scheme::Rpm),
    ("apk", Scheme::Apk),
    ("npm", Scheme::Npm),
    ("semver", Scheme::Semver),
    ("go", Scheme::Go),
    ("pypi", Scheme::Pep440),
    ("maven", Scheme::Maven),
    ("gem", Scheme::Gem),
    ("composer", Scheme::Composer),
    ("nuget", Scheme::Nuget),
    ("pub", Scheme::Pub),
    ("conan", Scheme::Conan),
    ("hackage", Scheme::Hackage),
    ("cran", Scheme::Cran),
];

/// Rows that the ecosystem's own tool decides otherwise (rpm 4.18's `labelCompare`, Maven's `ComparableVersion` 3.8.7,
/// Composer's `Semver`): the tool is the judge. `1.2.3.#` is a wildcard, and no version.
const TOOL_DISAGREES: [(&str, &[usize]); 3] = [
    ("rpm", &[1904, 1970, 1979, 1980, 2507, 2574]),
    ("maven", &[85, 86, 108, 601, 602, 603, 604, 650, 653, 694]),
    ("composer", &[72, 86, 87, 88, 89, 90, 91]),
];

#[test]
fn orders_agree_with_the_tables() {
    let Some(shared) = shared() else { return };
    let mut wrong = Vec::new();
    for (name, scheme) in TABLES {
        let text = std::fs::read_to_string(shared.join("versions").join(format!("{name}.tsv"))).expect("a table");
        for (number, line) in text.lines().enumerate() {
            let columns: Vec<&str> = line.split('\t').collect();
            let [left, operator, right, ..] = columns.as_slice() else { continue };
            if line.starts_with('#') || *operator == "op" {
                continue;
            }
            let order = compare(scheme, left, right);
            let exception = TOOL_DISAGREES.iter().any(|(table, rows)| *table == name && rows.contains(&(number + 1)));
            if order.is_some_and(|order| holds(order, operator)) == exception {
                wrong.push(format!("{name}.tsv:{}: {left} {operator} {right}, found {order:?}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// A small generator of version-like text, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn version(&mut self) -> String {
        const PARTS: [&str; 16] =
            ["0", "1", "2", "10", "09", ".", ".", "-", "~", "+", "a", "rc", "dfsg", "deb12u", "~~", "z"];
        let mut version = self.next(3).to_string();
        for _ in 0..self.next(7) {
            version.push_str(PARTS[self.next(PARTS.len())]);
        }
        version.trim_end_matches('-').to_owned()
    }
}

#[test]
fn order_is_total_whatever_the_scheme() {
    let mut random = Random(7);
    for scheme in Scheme::ALL.iter().copied() {
        for _ in 0..3000 {
            let versions = [random.version(), random.version(), random.version()];
            let [a, b, c] = &versions;
            let order = |x: &str, y: &str| compare(scheme, x, y);
            assert_eq!(order(a, b), order(b, a).map(Ordering::reverse), "{scheme}: {a} {b}");
            // Conan orders numbers as numbers and all else as text, a missing epoch is any epoch, a rebuild is what it
            // rebuilds, and pacman has cycles where a version ends with separators: relations, no orders.
            if !matches!(scheme, Scheme::Conan | Scheme::RpmSource | Scheme::RpmRebuild | Scheme::Alpm)
                && let (Some(ab), Some(bc), Some(ac)) = (order(a, b), order(b, c), order(a, c))
                && ab == bc
            {
                assert_eq!(ac, ab, "{scheme}: {a} {b} {c}");
            }
        }
    }
}
