//! Programs that say what they were built from: Go's build information and the audit data of `cargo auditable`, in ELF,
//! PE and Mach-O executables. Well-known ones that say nothing are told by the version that they print ([`program`]), also
//! libraries and scripts.
//!
//! A program of usual size is held in memory; a larger one is searched as a stream, for versions and for Go's build
//! information in the form that Go writes since 1.18. What else a large one holds is not seen.

mod addresses;
mod elf;
mod go;
mod program;
mod rust;

use std::io::{self, Read};

use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::KnownBy;
pub(super) use go::standard_library_version;

/// Programs up to this size are held in memory.
const WHOLE: u64 = 48 << 20;
/// Larger ones are searched in blocks of this size, a multiple of the alignment of Go's build information.
const BLOCK: usize = 1 << 20;
/// Scripts up to this size are looked at.
const LARGEST_SCRIPT: u64 = 16 << 20;
const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
/// Mach-O of 64 and 32 bits, little-endian, and several in one file.
const MACH_O_MAGICS: &[[u8; 4]] = &[*b"\xcf\xfa\xed\xfe", *b"\xce\xfa\xed\xfe", *b"\xca\xfe\xba\xbe"];
const PE_MAGIC: &[u8] = b"MZ";
/// Endings of executable files that are no programs.
const NO_PROGRAMS: &[&str] =
    &["sh", "py", "pl", "pm", "rb", "js", "cjs", "mjs", "ts", "json", "md", "txt", "a", "h", "c"];
/// Folders of distributions and languages, whose shared libraries are many and hardly ever carry the information.
const LIBRARIES: &[&str] = &[
    "lib/",
    "lib32/",
    "lib64/",
    "libx32/",
    "usr/lib/",
    "usr/lib32/",
    "usr/lib64/",
    "usr/libx32/",
    "usr/libexec/",
    "usr/share/",
    "usr/local/lib/",
    "usr/local/lib64/",
    "usr/local/cuda",
    "opt/intel/",
    "opt/nvidia/",
    "opt/rocm",
    "opt/ros/",
    "gnu/store/",
    "nix/store/",
];
const LIBRARIES_WITHIN: &[&str] = &[
    "/site-packages/",
    "/dist-packages/",
    "/lib-dynload/",
    "/node_modules/",
    "/gems/",
    "/jvm/",
    "/java/",
    "/erlang/",
    "conda/",
    "conda3/",
    "forge3/",
    "mamba",
    // The cache of `uv`, which has what lies in `site-packages`.
    "archive-v0/",
];

/// Reads what executables say about themselves.
pub(super) struct Executable;

impl Extractor for Executable {
    fn name(&self) -> &'static str {
        "executable"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "Go modules and standard library: build information in ELF, PE and Mach-O executables, also stripped ones; \
             executable is what has the executable bit, ends in `.exe`, or lies in a directory `bin` or `sbin`",
            "Rust crates that a program is made of, without those that only built it: audit data of `cargo auditable` in ELF, PE and Mach-O executables up to 48 MiB",
            "both in shared libraries (`*.so`, `*.so.*`) up to 48 MiB that lie with a program; not in the library folders of the system, Python, Node.js, Ruby, Java, Erlang, Conda, CUDA and ROS, which hold thousands",
            program::CLAIM,
            program::SCRIPTS_CLAIM,
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let name = file_name(entry.path);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_executable = entry.mode & 0o111 != 0 || is_for_programs(entry.path);
        let is_program = is_executable && !NO_PROGRAMS.contains(&ending) && !is_shared_library(name);
        is_program
            || ending == "exe"
            || program::is_library(name)
            || program::is_script(name)
            || (entry.size <= WHOLE && is_library_of_program(entry.path))
    }

    fn reads_alike(&self, path: &str, other: &str, facts: &[Fact]) -> bool {
        // One that is known by one of its names is no other program under another.
        let is_known =
            |fact: &Fact| matches!(fact, Fact::Package(package) if package.known_by == Some(KnownBy::VersionString));
        facts.iter().any(is_known) || program::are_alike(file_name(path), file_name(other))
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let mut magic = [0; ELF_MAGIC.len()];
        if file.size() < magic.len() as u64 {
            return Ok(Vec::new());
        }
        file.read_exact(&mut magic)?;
        let name = file_name(file.path());
        let is_binary = magic == ELF_MAGIC || MACH_O_MAGICS.contains(&magic) || magic.starts_with(PE_MAGIC);
        let is_script = !is_binary && file.size() <= LARGEST_SCRIPT && program::is_script(name);
        if !is_binary && !is_script {
            return Ok(Vec::new());
        }
        if file.size() > WHOLE {
            // Of a hard link the size was not known before.
            if is_library_of_program(file.path()) && !program::is_library(name) {
                return Ok(Vec::new());
            }
            return search(file, magic, name);
        }
        let limits = file.limits();
        let data = file.whole_after(&magic)?;
        if is_script || program::is_library(name) {
            return Ok(program::find(name, data).into_iter().collect());
        }
        let executable = addresses::Executable::parse(data);
        // Where sections have names, theirs is the place to look; in a program without, anywhere.
        let found = match &executable {
            Some(executable) if executable.has_sections() => executable.section(go::SECTION).and_then(go::find),
            _ => go::find(data),
        };
        let mut facts = match found {
            Some(go::Found::Inline(information)) => information.facts(),
            Some(go::Found::Pointers(pointers)) => {
                let found = executable.as_ref().and_then(|executable| pointers.read(executable));
                let has_section =
                    executable.as_ref().is_some_and(|executable| executable.section(go::SECTION).is_some());
                match found {
                    Some(found) => found.facts(),
                    // Elsewhere the mark may be there by chance.
                    None if has_section => {
                        let reason =
                            "it is built with a Go older than 1.18, and its build information cannot be followed";
                        vec![Fact::Incomplete(reason.to_owned())]
                    }
                    None => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        if let Some(section) = executable.as_ref().and_then(|executable| executable.section(rust::SECTION)) {
            facts.extend(rust::facts(section, limits)?);
        }
        facts.extend(program::find(name, data));
        Ok(facts)
    }
}

/// Whether a file's name is that of a shared library: `libx.so`, `libx.so.1.2`.
fn is_shared_library(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

/// Whether a file is a shared library that lies outside of the folders that hold thousands: one that belongs to a program,
/// such as a plugin.
fn is_library_of_program(path: &str) -> bool {
    is_shared_library(file_name(path))
        && !LIBRARIES.iter().any(|folder| path.starts_with(folder))
        && !LIBRARIES_WITHIN.iter().any(|folder| path.contains(folder))
}

/// Whether a file lies where programs do: such a one may be one that nobody may execute yet.
fn is_for_programs(path: &str) -> bool {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    matches!(file_name(directory), "bin" | "sbin")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Goes through a large program block by block.
fn search(file: &mut File<'_>, magic: [u8; 4], name: &str) -> Result<Vec<Fact>, ExtractError> {
    // Two blocks: the one that is searched, and what follows it. Build information begins at a multiple of 16, so its
    // head never lies across blocks.
    let mut window = magic.to_vec();
    read_block(file, &mut window, 2 * BLOCK)?;
    let mut facts = Vec::new();
    let mut is_searched = false;
    // Nothing, or what the best form of those that were met says: a later block may hold a better one.
    let mut known = None;
    let mut below = if program::is_known(name) { usize::MAX } else { 0 };
    // The names of sections stand near the end. A program that only looks for this one has its name in another string.
    let audit = [b"\0", rust::SECTION.as_bytes(), b"\0"].concat();
    let mut is_audited = false;
    while !window.is_empty() {
        let end = window.len().min(BLOCK);
        if !is_searched {
            match go::find_before(&window, end) {
                Some(go::Found::Inline(information)) => {
                    facts.extend(information.facts());
                    is_searched = true;
                }
                Some(go::Found::Pointers(_)) => {
                    let reason = "it seems to be built with a Go older than 1.18 and is too large to be held in memory";
                    facts.push(Fact::LimitMet(reason.to_owned()));
                    is_searched = true;
                }
                None => {}
            }
        }
        // With what a mark at the block's end needs of the next one.
        let reach = window.len().min(end + program::LONGEST);
        if let Some((place, found)) = program::best(name, window.get(..reach).unwrap_or_default(), below) {
            known = Some(found);
            below = place;
        }
        let reach = window.len().min(end + audit.len());
        is_audited |= memchr::memmem::find(window.get(..reach).unwrap_or_default(), &audit).is_some();
        // What Go built has no audit data of Rust's.
        if is_searched && below == 0 {
            break;
        }
        window.drain(..end);
        read_block(file, &mut window, 2 * BLOCK)?;
    }
    facts.extend(known);
    if is_audited && !is_searched {
        let reason = format!(
            "it has audit data of `cargo auditable` and is larger than {} MiB; its crates are unknown",
            WHOLE >> 20
        );
        facts.push(Fact::LimitMet(reason));
    }
    Ok(facts)
}

/// Fills a window up to `length` bytes, or to the file's end.
fn read_block(file: &mut File<'_>, window: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let missing = length.saturating_sub(window.len());
    file.take(missing as u64).read_to_end(window)?;
    Ok(())
}

#[cfg(test)]
mod tests;
