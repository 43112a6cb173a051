//! One 512-byte header block (POSIX.1-1988 `ustar`, POSIX.1-2001 `pax`, GNU, star, V7).

use std::ops::Range;

/// Archives are made of blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const PREFIX: Range<usize> = 345..500;
/// star keeps times at the end of the prefix and signs with `tar\0` at the end of the block.
const STAR_PREFIX: Range<usize> = 345..476;
const STAR_SIGNATURE: Range<usize> = 508..512;
/// Old GNU sparse headers: whether more blocks of the map follow.
const SPARSE_EXTENDED: usize = 482;
/// The same in a block of the map.
pub(super) const SPARSE_MAP_EXTENDED: usize = 504;

/// A header block whose checksum is right.
pub(super) struct Header<'b>(&'b [u8; BLOCK]);

impl<'b> Header<'b> {
    pub(super) fn new(block: &'b [u8; BLOCK]) -> Result<Self, &'static str> {
        let stored = number(field(block, CHECKSUM)).ok_or("a header's checksum is not a number")?;
        let blank = |at: usize| CHECKSUM.contains(&at);
        let byte = |(at, &byte): (usize, &u8)| if blank(at) { b' ' } else { byte };
        let unsigned: u64 = block.iter().enumerate().map(byte).map(u64::from).sum();
        if stored == unsigned {
            return Ok(Self(block));
        }
        // Old archivers summed signed bytes.
        let signed: i64 = block.iter().enumerate().map(byte).map(|byte| i64::from(byte.cast_signed())).sum();
        if i64::try_from(stored) == Ok(signed) { Ok(Self(block)) } else { Err("a header's checksum is wrong") }
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[TYPE]
    }

    /// The size as stored: what follows in the archive.
    pub(super) fn size(&self) -> Result<u64, &'static str> {
        number(field(self.0, SIZE)).ok_or("a size is not a number")
    }

    /// The permission bits; 0 where they are unreadable, which no tool minds.
    pub(super) fn mode(&self) -> u32 {
        (number(field(self.0, MODE)).unwrap_or(0) & 0o7777) as u32
    }

    /// Appends prefix and name.
    pub(super) fn path(&self, out: &mut Vec<u8>) {
        // GNU's magic is `ustar  \0`: other fields lie where the prefix would be.
        if field(self.0, MAGIC) == b"ustar\x0000" {
            let star = field(self.0, STAR_SIGNATURE) == b"tar\0";
            let prefix = text(field(self.0, if star { STAR_PREFIX } else { PREFIX }));
            if !prefix.is_empty() {
                out.extend_from_slice(prefix);
                out.push(b'/');
            }
        }
        out.extend_from_slice(text(field(self.0, NAME)));
    }

    pub(super) fn link(&self) -> &'b [u8] {
        text(field(self.0, LINK))
    }

    /// Whether blocks of a sparse map come between this header and its content.
    pub(super) fn has_sparse_map(&self) -> bool {
        self.0[SPARSE_EXTENDED] != 0
    }
}

fn field(block: &[u8; BLOCK], range: Range<usize>) -> &[u8] {
    block.get(range).unwrap_or_default()
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal digits between spaces and NULs, nothing being 0; or, with the highest bit set, big-endian binary ("base 256").
/// Negative and overlong numbers are none.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((&first, rest)) = field.split_first()
        && first & 0x80 != 0
    {
        if first & 0x40 != 0 {
            return None;
        }
        return rest.iter().try_fold(u64::from(first & 0x3f), |value, &byte| {
            (value >> 56 == 0).then_some(value << 8 | u64::from(byte))
        });
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    field.get(start..end)?.iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'7' if value >> 61 == 0 => Some(value << 3 | u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"77777777777\0", Some(0o77_777_777_777)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(2 << 32)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"12x\0", None),
            (b"1 2\0", None),
            (b"-1\0", None),
            (b"8\0", None),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }

    fn with_checksum(mut block: [u8; BLOCK], sum: impl Fn(&[u8]) -> i64) -> [u8; BLOCK] {
        block[CHECKSUM].fill(b' ');
        let sum = sum(&block);
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    #[test]
    fn checks_checksums_of_both_sorts() {
        let mut block = [0; BLOCK];
        block[0] = 0xe9;
        let unsigned = with_checksum(block, |b| b.iter().map(|&b| i64::from(b)).sum());
        let signed = with_checksum(block, |b| b.iter().map(|&b| i64::from(b as i8)).sum());
        assert_ne!(unsigned, signed);
        assert!(Header::new(&unsigned).is_ok() && Header::new(&signed).is_ok());
        let mut wrong = unsigned;
        wrong[1] = 1;
        assert!(Header::new(&wrong).is_err());
    }

    #[test]
    fn reads_prefixes_only_where_they_are() {
        for (magic, signature, expected) in [
            (&b"ustar\x0000"[..], &b""[..], &b"dir/name"[..]),
            (b"ustar  \0", b"", b"name"),
            (b"", b"", b"name"),
            (b"ustar\x0000", b"tar\0", b"dir/name"),
        ] {
            let mut block = [0; BLOCK];
            block[..4].copy_from_slice(b"name");
            block[345..348].copy_from_slice(b"dir");
            if !signature.is_empty() {
                block[476..500].fill(b'1');
            }
            block[257..257 + magic.len()].copy_from_slice(magic);
            block[508..508 + signature.len()].copy_from_slice(signature);
            let mut path = Vec::new();
            Header(&block).path(&mut path);
            assert_eq!(path, expected);
        }
    }
}
