//! Go programs: the build information that the linker leaves in each (`runtime/debug.BuildInfo`), stripped or not.
//!
//! Since Go 1.18 version and modules lie as plain strings behind a magic; before, there are addresses of them.

use memchr::memmem;

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact};
use crate::model::{Package, PackageKind};

use super::executable;

pub(in crate::inventory) struct GoBinary;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The magic, a pointer size, flags, and what pads them.
const HEADER: usize = 32;
/// The strings are inside, not behind addresses.
const INLINE: u8 = 2;
/// The addresses are big-endian.
const BIG_ENDIAN: u8 = 1;
const LONGEST_STRING: u64 = 4 << 20;
/// What the linker puts before and behind the module list.
const SENTINEL: usize = 16;

impl Extractor for GoBinary {
    fn name(&self) -> &'static str {
        "go-binary"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["executables with Go build information (ELF, PE, Mach-O)"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        executable::may_be(entry)
    }

    fn accepts(&self, beginning: &[u8]) -> bool {
        executable::is(beginning)
    }

    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let Some((version, modules)) = build_info(content) else { return Ok(Vec::new()) };
        let mut facts = Vec::new();
        let mut push = |name: &str, version: &str| {
            facts.push(Fact::Package(Box::new(Package::new(PackageKind::Golang, name, version))));
        };
        // `go1.22.1 X:boringcrypto`; development versions have no number.
        let number = version.strip_prefix("go").and_then(|rest| rest.split_whitespace().next());
        push("stdlib", number.unwrap_or(&version));
        let mut pending: Option<(&str, &str)> = None;
        for line in modules.lines() {
            let mut fields = line.split('\t');
            match (fields.next(), fields.next(), fields.next()) {
                (Some("mod" | "dep"), Some(path), version) => {
                    if let Some((path, version)) = pending.replace((path, version.unwrap_or("(devel)"))) {
                        push(path, version);
                    }
                }
                // The module before is replaced by this one; a replacement by a directory has no version.
                (Some("=>"), Some(path), version) => pending = Some((path, version.unwrap_or("(devel)"))),
                _ => {}
            }
        }
        if let Some((path, version)) = pending {
            push(path, version);
        }
        Ok(facts)
    }
}

/// Go's version and the list of modules.
fn build_info(content: &[u8]) -> Option<(String, String)> {
    memmem::find_iter(content, MAGIC).find_map(|at| {
        let info = content.get(at..)?;
        let (&pointer_size, &flags) = (info.get(MAGIC.len())?, info.get(MAGIC.len() + 1)?);
        let (version, modules) = if flags & INLINE != 0 {
            let (version, rest) = inline_string(info.get(HEADER..)?)?;
            (version, inline_string(rest)?.0)
        } else {
            let file = object::File::parse(content).ok()?;
            let addresses = info.get(MAGIC.len() + 2..)?;
            let size = usize::from(pointer_size);
            let string = |index: usize| {
                let header = read_address(addresses.get(index * size..)?, size, flags)?;
                let header = executable::at_address(&file, header, 2 * u64::from(pointer_size))?;
                let data = read_address(header, size, flags)?;
                let length =
                    read_address(header.get(size..)?, size, flags).filter(|length| *length <= LONGEST_STRING)?;
                executable::at_address(&file, data, length)
            };
            (string(0)?, string(1).unwrap_or_default())
        };
        // The magic alone also stands in programs that look for it.
        let version = String::from_utf8(version.to_vec())
            .ok()
            .filter(|text| text.starts_with("go") || text.starts_with("devel"))?;
        let inner = modules.get(SENTINEL..modules.len().saturating_sub(SENTINEL)).unwrap_or_default();
        Some((version, String::from_utf8_lossy(inner).into_owned()))
    })
}

/// A string behind its length as a varint.
fn inline_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let rest = bytes.get(index + 1..)?;
            return rest.split_at_checked(usize::try_from(length).ok().filter(|_| length <= LONGEST_STRING)?);
        }
    }
    None
}

fn read_address(bytes: &[u8], size: usize, flags: u8) -> Option<u64> {
    let big = flags & BIG_ENDIAN != 0;
    match size {
        4 => bytes.first_chunk().map(|b| u64::from(if big { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) })),
        8 => bytes.first_chunk().map(|b| if big { u64::from_be_bytes(*b) } else { u64::from_le_bytes(*b) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(version: &str, modules: &str) -> Vec<u8> {
        let mut bytes = b"\x7fELF padding padding ".to_vec();
        bytes.extend(MAGIC);
        bytes.extend([8, INLINE]);
        bytes.resize(bytes.len() + HEADER - MAGIC.len() - 2, 0);
        bytes.push(u8::try_from(version.len()).expect("short"));
        bytes.extend(version.as_bytes());
        let modules = format!("0123456789abcdef{modules}0123456789abcdef");
        let length = modules.len();
        bytes.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        bytes.extend(modules.as_bytes());
        bytes
    }

    #[test]
    fn reads_modules_replacements_and_the_standard_library() {
        let bytes = program(
            "go1.22.1 X:foo",
            "path\tm/cmd\nmod\tm\t(devel)\t\ndep\ta.b/c\tv1.2.3\th1:x\ndep\told\tv1.0.0\n=>\tnew\tv2.0.0\th1:y\nbuild\t-compiler=gc\n",
        );
        let facts = GoBinary.extract("x", &bytes).expect("valid");
        let found: Vec<_> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Package(package) => (package.name.as_str(), package.version.as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, [("stdlib", "1.22.1"), ("m", "(devel)"), ("a.b/c", "v1.2.3"), ("new", "v2.0.0")]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..200), flags in 0_u8..4) {
            let mut bytes = b"\x7fELF".to_vec();
            bytes.extend(MAGIC);
            bytes.extend([8, flags]);
            bytes.extend(tail);
            let _ = GoBinary.extract("x", &bytes);
        }
    }
}
