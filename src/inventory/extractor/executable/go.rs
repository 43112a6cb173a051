//! The build information that Go's linker leaves in a program. Format: Go's `debug/buildinfo`; the module lines are
//! those of `runtime/debug.BuildInfo`.

use super::super::bytes::slice;
use super::Fact;
use super::addresses::Executable;
use crate::model::{KnownBy, Package, PackageKind};

/// The section that Go's linker puts it into.
pub(super) const SECTION: &str = ".go.buildinfo";
const MAGIC: &[u8] = b"\xff Go buildinf:";
const ALIGNMENT: usize = 16;
const HEADER: usize = 32;
/// Version and modules stand right behind the header (Go 1.18 and later).
const INLINE: u8 = 2;
/// Marks around the module lines.
const SENTINEL: usize = 16;
const LONGEST_VERSION: usize = 256;
const LONGEST_MODULES: usize = 8 << 20;
const MOST_MODULES: usize = 20_000;

/// What the head of the build information says about where the rest is.
pub(super) enum Found<'a> {
    Inline(BuildInformation<'a>),
    Pointers(Pointers),
}

/// Go version and module lines.
pub(super) struct BuildInformation<'a> {
    version: &'a str,
    modules: &'a str,
    /// What follows in the module lines is no text.
    is_cut: bool,
}

/// Addresses of Go strings (Go before 1.18).
pub(super) struct Pointers {
    size: usize,
    version: [u8; 8],
    modules: [u8; 8],
}

pub(super) fn find(data: &[u8]) -> Option<Found<'_>> {
    find_before(data, data.len())
}

/// The first build information whose head lies before `end`. Other programs may have the mark in them by chance or because
/// they look for it themselves, so what follows must make sense.
pub(super) fn find_before(data: &[u8], end: usize) -> Option<Found<'_>> {
    memchr::memmem::find_iter(data.get(..end)?, MAGIC).filter(|at| at % ALIGNMENT == 0).find_map(|at| {
        let header = data.get(at..)?;
        let (&size, &flags) = (header.get(MAGIC.len())?, header.get(MAGIC.len() + 1)?);
        if flags & INLINE != 0 {
            return BuildInformation::inline(header.get(HEADER..)?).map(Found::Inline);
        }
        let size = usize::from(size);
        let address = |offset: usize| {
            let mut bytes = [0; 8];
            bytes.get_mut(..size)?.copy_from_slice(slice(header, offset, size)?);
            Some(bytes)
        };
        if size != 4 && size != 8 {
            return None;
        }
        Some(Found::Pointers(Pointers { size, version: address(16)?, modules: address(16 + size)? }))
    })
}

impl Pointers {
    pub(super) fn read<'a>(&self, executable: &Executable<'a>) -> Option<BuildInformation<'a>> {
        let string = |address: &[u8; 8], longest: usize| -> Option<&'a [u8]> {
            let header = executable.at_address(executable.number_in(address.get(..self.size)?, 0, self.size)?)?;
            let text = executable.number_in(header, 0, self.size)?;
            let length = usize::try_from(executable.number_in(header, self.size, self.size)?).ok()?;
            if length == 0 || length > longest {
                return None;
            }
            executable.at_address(text)?.get(..length)
        };
        let version = string(&self.version, LONGEST_VERSION)?;
        BuildInformation::new(version, string(&self.modules, LONGEST_MODULES).unwrap_or_default())
    }
}

impl<'a> BuildInformation<'a> {
    fn inline(mut data: &'a [u8]) -> Option<Self> {
        let version = counted(&mut data, LONGEST_VERSION)?;
        Self::new(version, counted(&mut data, LONGEST_MODULES)?)
    }

    fn new(version: &'a [u8], modules: &'a [u8]) -> Option<Self> {
        let version = std::str::from_utf8(version).ok()?;
        if !version.starts_with("go1") && !version.starts_with("devel") {
            return None;
        }
        let is_marked = modules.len() > 2 * SENTINEL && modules.get(modules.len() - SENTINEL - 1) == Some(&b'\n');
        let modules = if is_marked { modules.get(SENTINEL..modules.len() - SENTINEL)? } else { &[] };
        // Cut rather than refused: a hostile program could have the mark everywhere and have each one checked anew.
        let end = std::str::from_utf8(modules).map_or_else(|error| error.valid_up_to(), str::len);
        let text = modules.get(..end).and_then(|text| std::str::from_utf8(text).ok())?;
        Some(Self { version, modules: text, is_cut: end < modules.len() })
    }

    /// Standard library, main module and dependencies.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut modules: Vec<(&str, &str)> = Vec::new();
        let mut main = None;
        let mut flags = None;
        let mut commit = Commit::default();
        for line in self.modules.lines().take(MOST_MODULES) {
            let mut fields = line.split('\t');
            match (fields.next(), fields.next(), fields.next()) {
                (Some("mod"), Some(path), Some(version)) => {
                    main = Some(modules.len());
                    modules.push((path, version));
                }
                (Some("dep"), Some(path), Some(version)) => modules.push((path, version)),
                (Some("build"), Some(setting), _) => {
                    flags = setting.strip_prefix("-ldflags=").or(flags);
                    commit.take(setting);
                }
                // What was built instead of the module before; a local directory has no version.
                (Some("=>"), Some(path), version) => {
                    if let Some(last) = modules.last_mut() {
                        *last = match version.filter(|version| !version.is_empty()) {
                            Some(version) => (path, version),
                            None => (last.0, "(devel)"),
                        };
                    }
                }
                _ => {}
            }
        }
        let is_unreleased = |version: &str| version == "(devel)" || version.starts_with("v0.0.0-");
        let linked = main.and_then(|index| modules.get(index)).filter(|(_, version)| is_unreleased(version));
        let linked = linked.and_then(|(path, _)| version_from_flags(path, flags?));
        let package = |path: &str, version: String| Package::new(PackageKind::Golang, path, version);
        let of_module = |(index, (path, version)): (usize, (&str, &str))| {
            let is_main = main == Some(index);
            let by_commit = |version| Package { known_by: Some(KnownBy::Commit), ..package(path, version) };
            match (&linked, commit.version()) {
                (Some(linked), _) if is_main => package(path, linked.clone()),
                (None, Some(version)) if is_main && modules.get(index).is_some_and(|(_, v)| *v == "(devel)") => {
                    by_commit(version)
                }
                // What Go itself makes of a commit without a release before it.
                _ if is_main && version.starts_with("v0.0.0-") => by_commit(version.to_owned()),
                _ => package(path, version.to_owned()),
            }
        };
        let named =
            modules.iter().copied().enumerate().filter(|(_, (path, version))| !path.is_empty() && !version.is_empty());
        let cut = if self.is_cut {
            Some(Fact::Incomplete("its list of modules is damaged; those behind the damage are left out".to_owned()))
        } else {
            let is_longer = self.modules.lines().nth(MOST_MODULES).is_some();
            let reason =
                || format!("its build information has more than {MOST_MODULES} lines; the others are left out");
            is_longer.then(|| Fact::LimitMet(reason()))
        };
        std::iter::once(package("stdlib", standard_library_version(self.version)))
            .chain(named.map(of_module))
            .map(Fact::Package)
            .chain(cut)
            .collect()
    }
}

/// The commit that the main module was built from, where Go recorded it.
#[derive(Default)]
struct Commit<'a> {
    revision: Option<&'a str>,
    time: Option<&'a str>,
    is_modified: bool,
}

impl<'a> Commit<'a> {
    fn take(&mut self, setting: &'a str) {
        let Some((name, value)) = setting.split_once('=') else { return };
        match name {
            "vcs.revision" => self.revision = Some(value),
            "vcs.time" => self.time = Some(value),
            "vcs.modified" => self.is_modified = value == "true",
            _ => {}
        }
    }

    /// The pseudo-version of a commit before any release, as Go writes it: `v0.0.0-20240229181848-0123456789ab`.
    fn version(&self) -> Option<String> {
        let revision = self.revision?.get(..12).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let time: String = self.time?.strip_suffix('Z')?.chars().filter(char::is_ascii_digit).take(14).collect();
        let dirty = if self.is_modified { "+dirty" } else { "" };
        (time.len() == 14).then(|| format!("v0.0.0-{time}-{revision}{dirty}"))
    }
}

/// `go1.21rc2 X:boringcrypto` as the Go vulnerability database writes it: `1.21.0-rc.2`.
pub(in crate::inventory::extractor) fn standard_library_version(version: &str) -> String {
    let Some(number) = version.split(' ').next().and_then(|word| word.strip_prefix("go")) else {
        return version.to_owned();
    };
    for mark in ["rc", "beta"] {
        if let Some((release, count)) = number.split_once(mark) {
            let patch = if release.split('.').count() < 3 { ".0" } else { "" };
            return format!("{release}{patch}-{mark}.{count}");
        }
    }
    number.to_owned()
}

/// The main module's version, which a build from a checkout does not know, as the linker was told it:
/// `-X main.version=1.2.3`. Only variables of the program itself count, and only if they agree.
fn version_from_flags(module: &str, flags: &str) -> Option<String> {
    const NAMES: &[&str] = &["version", "gitversion", "buildversion", "appversion", "releaseversion", "semver"];
    // The flags are quoted for Go, and may be quoted for a shell in that.
    let words = flags.split([' ', '"', '\'', '\\', '=']).filter(|word| !word.is_empty() && *word != "-X");
    let words: Vec<&str> = words.collect();
    let mut found: Option<String> = None;
    for pair in words.windows(2) {
        let [variable, value] = pair else { continue };
        let Some((package, name)) = variable.rsplit_once('.') else { continue };
        let is_own = package == "main"
            || package.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !is_own || !NAMES.contains(&name.to_ascii_lowercase().as_str()) || !is_release(value) {
            continue;
        }
        let version = format!("v{}", value.trim_start_matches('v'));
        if found.as_ref().is_some_and(|found| *found != version) {
            return None;
        }
        found = Some(version);
    }
    found
}

/// `1.2.3`, `v1.2`, `v1.2.3-rc.1+build`.
fn is_release(version: &str) -> bool {
    let version = version.strip_prefix('v').unwrap_or(version);
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    matches!(numbers.split('.').count(), 2 | 3)
        && numbers.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

/// Bytes behind their length, a little-endian number of 7 bits a byte.
fn counted<'a>(data: &mut &'a [u8], longest: usize) -> Option<&'a [u8]> {
    let mut length = 0_usize;
    for shift in (0..28).step_by(7) {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (bytes, rest) = data.split_at_checked(length).filter(|_| length <= longest)?;
            *data = rest;
            return Some(bytes);
        }
    }
    None
}
