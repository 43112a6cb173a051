//! Programs that say what they were built from: Go's build information and the audit data of `cargo auditable`, in ELF,
//! PE and Mach-O executables. Well-known ones that say nothing are told by the version that they print ([`program`]).
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
pub(super) use go::standard_library_version;
use program::Program;

/// Programs up to this size are held in memory.
const WHOLE: u64 = 48 << 20;
/// Larger ones are searched in blocks of this size, a multiple of the alignment of Go's build information.
const BLOCK: usize = 1 << 20;
const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
/// Mach-O of 64 and 32 bits, little-endian, and several in one file.
const MACH_O_MAGICS: &[[u8; 4]] = &[*b"\xcf\xfa\xed\xfe", *b"\xce\xfa\xed\xfe", *b"\xca\xfe\xba\xbe"];
const PE_MAGIC: &[u8] = b"MZ";
/// Endings of executable files that are no programs, or libraries, which are many and never carry the information.
const NO_PROGRAMS: &[&str] =
    &["sh", "py", "pl", "pm", "rb", "js", "cjs", "mjs", "ts", "json", "md", "txt", "so", "a", "h", "c"];

/// Reads what executables say about themselves.
pub(super) struct Executable;

impl Extractor for Executable {
    fn name(&self) -> &'static str {
        "executable"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "Go modules and standard library: build information in ELF, PE and Mach-O executables, also stripped ones",
            "Rust crates: audit data of `cargo auditable` in ELF, PE and Mach-O executables up to 48 MiB",
            program::CLAIM,
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let name = file_name(entry.path);
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let is_program = entry.mode & 0o111 != 0 && !NO_PROGRAMS.contains(&ending) && !name.contains(".so.");
        is_program || ending == "exe" || program::is_library(name)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let mut magic = [0; ELF_MAGIC.len()];
        if file.size() < magic.len() as u64 {
            return Ok(Vec::new());
        }
        file.read_exact(&mut magic)?;
        if magic != ELF_MAGIC && !MACH_O_MAGICS.contains(&magic) && !magic.starts_with(PE_MAGIC) {
            return Ok(Vec::new());
        }
        let name = file_name(file.path());
        let known = program::named(name);
        if file.size() > WHOLE {
            return search(file, magic, name, known);
        }
        let data = file.whole_after(&magic)?;
        if program::is_library(name) {
            return Ok(known.and_then(|program| program.find(name, data)).into_iter().collect());
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
                found.map(|found| found.facts()).unwrap_or_default()
            }
            None => Vec::new(),
        };
        if let Some(section) = executable.as_ref().and_then(|executable| executable.section(rust::SECTION)) {
            facts.extend(rust::facts(section)?);
        }
        facts.extend(known.and_then(|program| program.find(name, data)));
        Ok(facts)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Goes through a large program block by block.
fn search(
    file: &mut File<'_>,
    magic: [u8; 4],
    name: &str,
    mut known: Option<&Program>,
) -> Result<Vec<Fact>, ExtractError> {
    // Two blocks: the one that is searched, and what follows it. Build information begins at a multiple of 16, so its
    // head never lies across blocks.
    let mut window = magic.to_vec();
    read_block(file, &mut window, 2 * BLOCK)?;
    let mut facts = Vec::new();
    let mut is_searched = false;
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
                    facts.push(Fact::Incomplete(reason.to_owned()));
                    is_searched = true;
                }
                None => {}
            }
        }
        // With what a mark at the block's end needs of the next one.
        let reach = window.len().min(end + program::LONGEST);
        if let Some(found) = known.and_then(|program| program.find(name, window.get(..reach)?)) {
            facts.push(found);
            known = None;
        }
        if is_searched && known.is_none() {
            break;
        }
        window.drain(..end);
        read_block(file, &mut window, 2 * BLOCK)?;
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
