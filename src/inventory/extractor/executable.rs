//! Programs that say what they were built from: Go's build information and the audit data of `cargo auditable`, in ELF
//! executables.
//!
//! A program of usual size is held in memory; in a larger one the stream is searched for Go's build information in the
//! form that Go writes since 1.18. What else a large one holds is not seen.

mod elf;
mod go;
mod rust;

use std::io::{self, Read};

use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use elf::Elf;

/// Programs up to this size are held in memory.
const WHOLE: u64 = 48 << 20;
/// Larger ones are searched in blocks of this size, a multiple of the alignment of Go's build information.
const BLOCK: usize = 1 << 20;
const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
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
            "Go modules and standard library: build information in ELF executables, also stripped ones",
            "Rust crates: audit data of `cargo auditable` in ELF executables up to 48 MiB",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let name = entry.path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        entry.mode & 0o111 != 0 && !NO_PROGRAMS.contains(&ending) && !name.contains(".so.")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        if file.size() < ELF_MAGIC.len() as u64 {
            return Ok(Vec::new());
        }
        let mut magic = [0; ELF_MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != ELF_MAGIC {
            return Ok(Vec::new());
        }
        if file.size() > WHOLE {
            return search(file, magic);
        }
        let data = file.whole_after(&magic)?;
        let elf = Elf::parse(data);
        // Where sections have names, theirs is the place to look; in a program without, anywhere.
        let found = match &elf {
            Some(elf) if elf.has_sections() => elf.section(go::SECTION).and_then(go::find),
            _ => go::find(data),
        };
        let mut facts = match found {
            Some(go::Found::Inline(information)) => information.facts(),
            Some(go::Found::Pointers(pointers)) => {
                elf.as_ref().and_then(|elf| pointers.read(elf)).map(|found| found.facts()).unwrap_or_default()
            }
            None => Vec::new(),
        };
        if let Some(section) = elf.as_ref().and_then(|elf| elf.section(rust::SECTION)) {
            facts.extend(rust::facts(section)?);
        }
        Ok(facts)
    }
}

/// Goes through a large program block by block.
fn search(file: &mut File<'_>, magic: [u8; 4]) -> Result<Vec<Fact>, ExtractError> {
    // Two blocks: the one that is searched, and what follows it. Build information begins at a multiple of 16, so its
    // head never lies across blocks.
    let mut window = magic.to_vec();
    read_block(file, &mut window, 2 * BLOCK)?;
    while !window.is_empty() {
        let end = window.len().min(BLOCK);
        match go::find_before(&window, end) {
            Some(go::Found::Inline(information)) => return Ok(information.facts()),
            Some(go::Found::Pointers(_)) => {
                let reason = "it seems to be built with a Go older than 1.18 and is too large to be held in memory";
                return Ok(vec![Fact::Incomplete(reason.to_owned())]);
            }
            None => {}
        }
        window.drain(..end);
        read_block(file, &mut window, 2 * BLOCK)?;
    }
    Ok(Vec::new())
}

/// Fills a window up to `length` bytes, or to the file's end.
fn read_block(file: &mut File<'_>, window: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let missing = length.saturating_sub(window.len());
    file.take(missing as u64).read_to_end(window)?;
    Ok(())
}

#[cfg(test)]
mod tests;
