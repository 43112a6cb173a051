//! Version order and ranges agree with the ecosystems' own tools, where these are on the machine: 100,000 pairs of versions
//! per scheme (`PLIMSOLL_ORACLE_PAIRS` changes it), mutations of real ones, each batch in one process of the tool.
//!
//! Where a tool refuses a text as a version its order says nothing, and nothing is compared. A tool that is missing is
//! said, not taken for agreement.

mod program;

use std::cmp::Ordering;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use plimsoll::model::{Event, Range};
use plimsoll::version::{Scheme, compare, is_affected, is_valid};

/// Versions of the kinds that are found in the wild; mutations of these are what is compared.
const SEEDS: [(Scheme, &[&str]); 10] = [
    (
        Scheme::Deb,
        &["1.1.1n-0+deb11u4", "1:2.3~rc1-2ubuntu3.1", "2.34-0ubuntu3.2+esm1", "0.0~git20210101.abc-1+b2", "9:1.0a-1.1"],
    ),
    (
        Scheme::Rpm,
        &[
            "1:3.0.7-25.el9_3",
            "2.34-60.0.2.ksplice1.el9",
            "1.0~rc1-1.fc39",
            "1.0^20240101gitabc-1",
            "4.18.0-513.5.1.el8_9",
        ],
    ),
    (
        Scheme::Apk,
        &["1.2.3-r0", "3.0.15_p1-r2", "1.0_rc2", "2.34a-r1", "1.0_alpha1_p2-r0", "20240226-r0", "0.9.8_git20240101-r3"],
    ),
    (Scheme::Npm, &["1.2.3", "1.0.0-alpha.1", "10.20.30-rc.0+build.5", "0.0.0-20240101", "2.0.0-x-y.7.beta"]),
    (Scheme::Pep440, &["1.0", "2!1.0.post1", "1.0a1.dev3", "1.0rc1+local.7", "2024.1.15", "1.0.dev456", "v1.1-1"]),
    (
        Scheme::Maven,
        &[
            "1.0",
            "1.0-SNAPSHOT",
            "2.0.0.RELEASE",
            "1.0-alpha-2",
            "31.1-jre",
            "4.1.100.Final",
            "1-ga",
            "1.0.0-rc-1",
            "1.2-sp-1",
        ],
    ),
    (Scheme::Nuget, &["1.2.3", "1.0.0-alpha.1", "4.0.0.1-beta", "2.1.0-rc2+meta", "6.0.21", "1.0", "1.0.0-Preview.7"]),
    (Scheme::Gem, &["1.2.3", "7.0.0.rc1", "1.0.a", "2.0.0.pre.1", "0.9.1.1", "3"]),
    (
        Scheme::Composer,
        &["1.2.3", "v2.0.0-RC1", "1.0.0-beta2", "3.4.5.6", "1.0.0-alpha.3", "2.0-p1", "1.2.3-dev", "20240101"],
    ),
    (
        Scheme::Go,
        &["v1.2.3", "v0.0.0-20210813160813-60bc85c4be6d", "v2.0.0+incompatible", "v1.0.0-rc.1", "v1.21.3-0.20240101"],
    ),
];

#[test]
fn deb_agrees_with_dpkg() {
    agrees(Scheme::Deb, Command::new("perl").arg(script("deb.pl")), |_, _| false);
}

#[test]
fn rpm_agrees_with_rpm() {
    agrees(Scheme::Rpm, Command::new("/usr/bin/python3").arg(script("rpm_label.py")), |_, _| false);
}

/// No system but Alpine packages it: its library comes out of an image of Alpine, where the test data is there.
#[test]
fn apk_agrees_with_apk_tools() {
    let Some(shared) = program::shared() else { return };
    let blobs = std::fs::read_dir(shared.join("images/alpine-3.20.3/oci/blobs/sha256")).expect("an image").flatten();
    let layer = blobs.map(|blob| blob.path()).max_by_key(|path| path.metadata().map_or(0, |data| data.len()));
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let (layer, at) = (layer.expect("a layer"), directory.path());
    let unpacked = Command::new("tar").arg("-xzf").arg(layer).arg("-C").arg(at).arg("./lib").status();
    if !unpacked.is_ok_and(|status| status.success()) {
        return ignored(Scheme::Apk, "no tar");
    }
    // Versions 2 and 3 of apk-tools differ in numbers with leading zeros; ours is the order of 3, whose own table it keeps.
    fn has_leading_zero(version: &str) -> bool {
        version.as_bytes().windows(3).any(|part| matches!(part, [b'.', b'0', b'0'..=b'9']))
    }
    let (lib, mut tool) = (at.join("lib"), Command::new("python3"));
    tool.arg(script("apk.py")).arg(&lib).env("LD_LIBRARY_PATH", &lib);
    agrees(Scheme::Apk, &mut tool, |a, b| has_leading_zero(a) || has_leading_zero(b));
}

#[test]
fn pypi_agrees_with_packaging() {
    agrees(Scheme::Pep440, Command::new("python3").arg(script("pypi.py")), |_, _| false);
}

#[test]
fn npm_agrees_with_semver() {
    let Some(semver) = node_semver() else { return };
    agrees(Scheme::Npm, Command::new("node").arg(script("npm.js")).arg(semver), |_, _| false);
}

#[test]
fn gem_agrees_with_rubygems() {
    agrees(Scheme::Gem, Command::new("ruby").arg(script("gem.rb")), |_, _| false);
}

#[test]
fn nuget_agrees_with_univers() {
    // The only one of these tools that no system packages: `PLIMSOLL_PYTHON` names an interpreter that has it.
    let python = std::env::var("PLIMSOLL_PYTHON").unwrap_or_else(|_| "python3".into());
    agrees(Scheme::Nuget, Command::new(python).arg(script("nuget.py")), |_, _| false);
}

#[test]
fn maven_agrees_with_comparable_version() {
    let jar = Path::new("/usr/share/java/maven-artifact-3.x.jar");
    if !jar.exists() {
        return ignored(Scheme::Maven, "no maven-artifact");
    }
    agrees(Scheme::Maven, Command::new("java").arg("-cp").arg(jar).arg(script("Maven.java")), |_, _| false);
}

#[test]
fn composer_agrees_with_composer() {
    // PHP's integers end at 2^63: numbers beyond are all the same to it.
    fn is_beyond(version: &str) -> bool {
        version.split(|c: char| !c.is_ascii_digit()).any(|number| number.len() >= 19)
    }
    agrees(Scheme::Composer, Command::new("php").arg(script("composer.php")), |a, b| is_beyond(a) && is_beyond(b));
}

#[test]
fn go_agrees_with_its_own_semver() {
    let root = Command::new("go").args(["env", "GOROOT"]).output();
    let root = root.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let semver = Path::new(&root).join("src/cmd/vendor/golang.org/x/mod/semver/semver.go");
    if root.is_empty() || !semver.exists() {
        return ignored(Scheme::Go, "no Go with its sources");
    }
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let at = directory.path();
    std::fs::create_dir(at.join("semver")).expect("a folder");
    std::fs::copy(semver, at.join("semver/semver.go")).expect("copied");
    std::fs::copy(script("go/main.go"), at.join("main.go")).expect("copied");
    std::fs::write(at.join("go.mod"), "module oracle\n\ngo 1.21\n").expect("written");
    let built =
        Command::new("go").args(["build", "-o", "oracle", "."]).env("GOTOOLCHAIN", "local").current_dir(at).status();
    if !built.is_ok_and(|status| status.success()) {
        return ignored(Scheme::Go, "Go does not build");
    }
    agrees(Scheme::Go, &mut Command::new(at.join("oracle")), |_, _| false);
}

/// Ranges of every OSV shape, asked of npm's own semver as `>=a <b || >=c <=d || =e`.
#[test]
fn ranges_agree_with_semver() {
    let Some(semver) = node_semver() else { return };
    let version = |random: &mut Random| {
        let pre = ["", "", "", "-alpha", "-rc.1", "-0"][random.below(6)];
        format!("{}.{}.{}{pre}", random.below(4), random.below(4), random.below(4))
    };
    let words = |piece: &Piece| match piece {
        Piece::Between { from, end, is_last } => {
            let from = from.as_ref().map(|from| format!(">={from}"));
            let end = end.as_ref().map(|end| format!("<{}{end}", if *is_last { "=" } else { "" }));
            from.into_iter().chain(end).collect::<Vec<_>>().join(" ")
        }
        Piece::Listed(version) => format!("={version}"),
    };
    ranges_agree(Scheme::Npm, Command::new("node").arg(script("npm.js")).arg(semver), version, words);
}

/// The same asked of PyPA's packaging as `>=a,<=b,!=b || >=c,<=d || ==e`: its `<b` has a meaning of its own for
/// pre-releases of b, where a range of an advisory is plain order.
#[test]
fn ranges_agree_with_packaging() {
    let version = |random: &mut Random| {
        let more = ["", "", ".0", "a1", "rc1", ".post1", ".dev2", ".0.1"][random.below(8)];
        format!("{}.{}{more}", random.below(4), random.below(4))
    };
    let words = |piece: &Piece| match piece {
        Piece::Between { from, end, is_last } => {
            let from = from.as_ref().map(|from| format!(">={from}"));
            let end = end
                .as_ref()
                .map(|end| format!("<={end}{}", if *is_last { String::new() } else { format!(",!={end}") }));
            from.into_iter().chain(end).collect::<Vec<_>>().join(",")
        }
        Piece::Listed(version) => format!("=={version}"),
    };
    ranges_agree(Scheme::Pep440, Command::new("python3").arg(script("pypi.py")), version, words);
}

/// What a record calls affected.
enum Piece {
    /// `from` on (or from the beginning), up to `end` (or without one), which `is_last` or no longer affected.
    Between { from: Option<String>, end: Option<String>, is_last: bool },
    /// One version.
    Listed(String),
}

/// Asks a tool about random records of every shape.
fn ranges_agree(
    scheme: Scheme,
    tool: &mut Command,
    version: impl Fn(&mut Random) -> String,
    words: impl Fn(&Piece) -> String,
) {
    let mut random = Random(11);
    let mut questions = String::new();
    let mut asked = Vec::new();
    for _ in 0..pairs() {
        let (mut ranges, mut versions, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=random.below(3) {
            add_shape(scheme, &mut random, &version, &mut ranges, &mut versions, &mut pieces);
        }
        let version = version(&mut random);
        let texts: Vec<String> = pieces.iter().map(&words).collect();
        questions.push_str(&format!("{version}\t-\t{}\n", texts.join(" || ")));
        asked.push((version, ranges, versions));
    }
    let Some(answers) = ask(tool, questions) else { return ignored(scheme, "the tool is missing or fails") };
    assert_eq!(answers.lines().count(), asked.len(), "{scheme}: the tool answers");
    let mut inside = 0;
    for ((version, ranges, versions), answer) in asked.iter().zip(answers.lines()) {
        let ours = is_affected(scheme, ranges, versions, version);
        assert_eq!(ours, Some(answer == "in"), "{version} {ranges:?} {versions:?}: the tool says {answer}");
        inside += usize::from(answer == "in");
    }
    assert!(inside * 10 > asked.len() && inside * 10 < asked.len() * 9, "{inside} of {} are inside", asked.len());
}

/// One more range, or list of versions, of a random shape.
fn add_shape(
    scheme: Scheme,
    random: &mut Random,
    version: impl Fn(&mut Random) -> String,
    ranges: &mut Vec<Range>,
    versions: &mut Vec<String>,
    pieces: &mut Vec<Piece>,
) {
    let order = |a: &String, b: &String| compare(scheme, a, b).expect("an order");
    let mut ends: Vec<String> = Vec::new();
    while ends.len() < 4 {
        let end = version(random);
        if ends.iter().all(|known| order(known, &end).is_ne()) {
            ends.push(end);
        }
    }
    ends.sort_by(order);
    let [a, b, c, d]: [String; 4] = ends.try_into().expect("four");
    let zero = || Event::Introduced("0".into());
    let from = |at: &String| Event::Introduced(at.clone());
    let fixed = |at: &String| Event::Fixed(at.clone());
    let last = |at: &String| Event::LastAffected(at.clone());
    let limit = |at: &String| Event::Limit(at.clone());
    let between = |from: Option<&String>, end: Option<&String>, is_last| Piece::Between {
        from: from.cloned(),
        end: end.cloned(),
        is_last,
    };
    let (mut events, affected) = match random.below(9) {
        0 => (vec![zero(), fixed(&b)], vec![between(None, Some(&b), false)]),
        1 => (vec![from(&c)], vec![between(Some(&c), None, false)]),
        2 => (vec![from(&a), last(&b)], vec![between(Some(&a), Some(&b), true)]),
        3 => (vec![from(&a), fixed(&b)], vec![between(Some(&a), Some(&b), false)]),
        4 => (
            vec![from(&a), fixed(&b), from(&c), fixed(&d)],
            vec![between(Some(&a), Some(&b), false), between(Some(&c), Some(&d), false)],
        ),
        5 => (
            vec![zero(), fixed(&a), from(&b), last(&c)],
            vec![between(None, Some(&a), false), between(Some(&b), Some(&c), true)],
        ),
        6 => (vec![zero(), limit(&b)], vec![between(None, Some(&b), false)]),
        7 => (vec![from(&a), limit(&c)], vec![between(Some(&a), Some(&c), false)]),
        _ => {
            pieces.extend([Piece::Listed(a.clone()), Piece::Listed(c.clone())]);
            return versions.extend([a, c]);
        }
    };
    // The schema asks for no order.
    for at in (1..events.len()).rev() {
        events.swap(at, random.below(at + 1));
    }
    ranges.push(Range { events });
    pieces.extend(affected);
}

/// Compares mutations of real versions. `is_documented` tells the differences that `docs/accuracy.md` explains.
fn agrees(scheme: Scheme, tool: &mut Command, is_documented: impl Fn(&str, &str) -> bool) {
    let mut random = Random(42);
    let mut seeds: Vec<String> = SEEDS
        .iter()
        .filter(|(of, _)| *of == scheme)
        .flat_map(|(_, seeds)| seeds.iter().map(|seed| (*seed).to_owned()))
        .collect();
    seeds.extend(from_table(scheme));
    let (mut asked, mut compared, mut refused, mut wrong) = (0, 0, 0, Vec::new());
    // Not every mutation is a version: asked until the tool took as many pairs as are wanted.
    while compared < pairs() && asked < pairs() * MOST_BATCHES {
        let batch: Vec<(String, String)> = (0..pairs())
            .map(|_| {
                let a = random.mutation(&seeds);
                // Near each other, so that the answer lies in the details.
                let b = if random.below(4) == 0 { random.mutation(&seeds) } else { random.mutated(&a) };
                (a, b)
            })
            .collect();
        asked += batch.len();
        let questions = batch.iter().map(|(a, b)| format!("{a}\t{b}\n")).collect();
        let Some(answers) = ask(tool, questions) else { return ignored(scheme, "the tool is missing or fails") };
        assert_eq!(answers.lines().count(), batch.len(), "{scheme}: the tool answers");
        for ((a, b), answer) in batch.iter().zip(answers.lines()) {
            let theirs = match answer {
                "<" => Ordering::Less,
                "=" => Ordering::Equal,
                ">" => Ordering::Greater,
                _ => continue,
            };
            if !is_valid(scheme, a) || !is_valid(scheme, b) {
                refused += 1;
                if refused <= 5 {
                    println!("{scheme}: only the tool takes {a} {answer} {b}");
                }
                continue;
            }
            compared += 1;
            let ours = compare(scheme, a, b);
            if ours != Some(theirs) && !is_documented(a, b) {
                wrong.push(format!("{a} {answer} {b}, found {ours:?}"));
            }
        }
    }
    println!(
        "{scheme}: {compared} of {asked} pairs are of two versions, {refused} more for the tool only, {} differ",
        wrong.len()
    );
    assert!(compared >= pairs(), "{scheme}: only {compared} of {asked} pairs were versions");
    let shown: Vec<_> = wrong.iter().take(25).cloned().collect();
    assert!(wrong.is_empty(), "{scheme}: {} of {compared} differ:\n{}", wrong.len(), shown.join("\n"));
}

/// The versions of the tables of the test data, where it is there.
fn from_table(scheme: Scheme) -> Vec<String> {
    let path = program::shared().map(|shared| shared.join(format!("versions/{}.tsv", scheme.name())));
    let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let versions = rows.flat_map(|line| line.split('\t').step_by(2).take(2).map(str::to_owned).collect::<Vec<_>>());
    let harmless = |version: &String| {
        !version.is_empty() && version.is_ascii() && version.len() < 60 && !version.contains(char::is_whitespace)
    };
    versions.filter(harmless).take(3000).collect()
}

const MOST_BATCHES: usize = 6;

fn pairs() -> usize {
    std::env::var("PLIMSOLL_ORACLE_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name)
}

/// npm carries its semver with it.
fn node_semver() -> Option<PathBuf> {
    let places = ["/usr/lib/node_modules/npm/node_modules/semver", "/usr/share/nodejs/semver"];
    let found = places.iter().map(PathBuf::from).find(|path| path.is_dir());
    if found.is_none() {
        ignored(Scheme::Npm, "no npm");
    }
    found
}

fn ignored(scheme: Scheme, why: &str) {
    eprintln!("ignored: {scheme}: {why}");
}

/// One process of the tool, all questions in, all answers out.
fn ask(tool: &mut Command, questions: String) -> Option<String> {
    let child = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.ok()?;
    let mut stdin = child.stdin.take()?;
    let writer = std::thread::spawn(move || drop(stdin.write_all(questions.as_bytes())));
    let output = child.wait_with_output().ok()?;
    let _ = writer.join();
    // One that dies in the middle was there.
    assert!(output.status.success() || output.stdout.is_empty(), "{tool:?} gave up");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A small generator, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn mutation(&mut self, seeds: &[String]) -> String {
        let seed = seeds[self.below(seeds.len())].clone();
        if self.below(3) == 0 { seed } else { self.mutated(&seed) }
    }

    /// The text with one to three small changes of the kinds that version numbers go through.
    fn mutated(&mut self, text: &str) -> String {
        const PARTS: [&str; 28] = [
            "0", "1", "2", "9", "10", "00", "09", ".", ".", "-", "-", "~", "+", "^", "_", "a", "b", "rc", "alpha",
            "beta", "dev", "post", ".0", ".1", "-1", "final", "sp", "x",
        ];
        let mut text: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(text.len() + 1);
            match self.below(5) {
                // A number one up.
                0 | 1 => {
                    if let Some(digit) = text.get_mut(at).filter(|c| c.is_ascii_digit()) {
                        *digit = char::from(b'0' + ((*digit as u8 - b'0') + 1) % 10);
                    }
                }
                2 if at < text.len() && text.len() > 1 => drop(text.remove(at)),
                3 => text.truncate(at.max(1)),
                _ => {
                    let part = PARTS[self.below(PARTS.len())];
                    let at = at.min(text.len());
                    text.splice(at..at, part.chars());
                }
            }
        }
        text.into_iter().collect()
    }
}
