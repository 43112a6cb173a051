//! ZIP archives in memory, whole or in part: the central directory and members that are stored or deflated. Encrypted
//! members, other methods and members beyond 4 GiB are refused one by one. Format: PKWARE's APPNOTE.TXT.

mod data;
mod kept;

use std::borrow::Cow;

use super::ExtractError;
use super::bytes::{array, position, slice, u32_le};
use crate::image::inflate::inflate_slice;
pub(super) use data::Data;
pub(super) use kept::{Kept, Wish};

const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_64_LOCATOR_SIZE: usize = 20;
const END_64: &[u8] = b"PK\x06\x06";
const DIRECTORY: &[u8] = b"PK\x01\x02";
const DIRECTORY_SIZE: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const LONGEST_COMMENT: usize = 65_535;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1;
const MOST_MEMBERS: usize = 200_000;

/// Why a member is not read that may be sound.
pub(super) const TOO_LARGE: &str = "it is too large";

/// What a file says of which a member cannot be read.
pub(super) fn unread(reason: &'static str) -> ExtractError {
    if reason == TOO_LARGE { ExtractError::LimitMet(reason.to_owned()) } else { ExtractError::malformed(reason) }
}

/// An archive whose directory was found.
pub(super) struct Zip<'a> {
    data: Data<'a>,
    directory: &'a [u8],
    /// What stands before the archive (a shell script, in executable jars): offsets count from behind it.
    before: usize,
}

/// A member as the directory has it.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: usize,
    unpacked: usize,
    offset: usize,
}

impl Member<'_> {
    /// What reading it costs, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.packed.max(self.unpacked)
    }

    /// Its size once unpacked, as the directory has it.
    pub(super) fn unpacked(&self) -> usize {
        self.unpacked
    }

    /// Whether reading it takes memory of its own.
    pub(super) fn is_packed(&self) -> bool {
        self.method != STORED
    }
}

impl<'a> Zip<'a> {
    pub(super) fn open(data: Data<'a>) -> Result<Self, &'static str> {
        let tail = data.tail();
        let before_tail = data.len() - tail.len();
        let from = tail.len().saturating_sub(END_SIZE + LONGEST_COMMENT);
        let at = tail.get(from..).and_then(|end| memchr::memmem::rfind(end, END)).map(|at| from + at);
        let at = at.ok_or("not a zip archive")?;
        let number = |offset: usize| u32_le(tail, at + offset).map(position).ok_or("its end is cut off");
        let (mut size, mut offset, mut end) = (number(12)?, number(16)?, at);
        if size == 0xffff_ffff || offset == 0xffff_ffff {
            let (size_64, offset_64, at_64) = end_64(tail, at).ok_or("its zip64 directory is malformed")?;
            (size, offset, end) = (size_64, offset_64, at_64);
        }
        let start = (before_tail + end).checked_sub(size).ok_or("its directory is cut off")?;
        let before = start.checked_sub(offset).ok_or("its directory is not where its end says")?;
        Ok(Self { data, directory: data.get(start, size).ok_or("its directory is cut off")?, before })
    }

    /// The members; after an error there are no more.
    pub(super) fn members(&self) -> impl Iterator<Item = Result<Member<'a>, &'static str>> + use<'a> {
        let mut rest = self.directory;
        let mut count = 0;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            count += 1;
            let member = match member(&mut rest) {
                _ if count > MOST_MEMBERS => Err("it has too many members"),
                Some(member) => Ok(member),
                None => Err("its directory is malformed"),
            };
            if member.is_err() {
                rest = &[];
            }
            Some(member)
        })
    }

    /// The content of a member; a stored one is not copied.
    pub(super) fn read(&self, member: &Member<'a>, limit: usize) -> Result<Cow<'a, [u8]>, &'static str> {
        if member.flags & ENCRYPTED != 0 {
            return Err("it is encrypted");
        }
        if member.unpacked > limit {
            return Err(TOO_LARGE);
        }
        let packed = self.packed(member).ok_or("it is cut off")?;
        let content = match member.method {
            STORED => Cow::Borrowed(packed),
            DEFLATED => Cow::Owned(inflate_slice(packed, member.unpacked).map_err(|_| "it is corrupt")?),
            _ => return Err("it is packed by an unknown method"),
        };
        if crc32fast::hash(&content) == member.checksum { Ok(content) } else { Err("its checksum is wrong") }
    }

    /// A stored archive of which only pieces are in memory; nothing where it is in one piece, or packed.
    pub(super) fn pieces_of(&self, member: &Member<'_>) -> Option<Result<Data<'a>, &'static str>> {
        let is_plain = member.flags & ENCRYPTED == 0 && member.method == STORED;
        let start = self.content(member).filter(|_| is_plain)?;
        let data = self.data.part(start, member.packed).filter(|_| self.data.get(start, member.packed).is_none())?;
        let checksum = self.data.checksum(start, member.packed).ok_or("it is cut off");
        Some(checksum.and_then(|sum| if sum == member.checksum { Ok(data) } else { Err("its checksum is wrong") }))
    }

    fn packed(&self, member: &Member<'_>) -> Option<&'a [u8]> {
        self.data.get(self.content(member)?, member.packed)
    }

    /// Where the content of a member begins.
    fn content(&self, member: &Member<'_>) -> Option<usize> {
        let start = self.before.checked_add(member.offset)?;
        let header = self.data.get(start, LOCAL_SIZE).filter(|header| header.starts_with(LOCAL))?;
        start.checked_add(LOCAL_SIZE + u16_le(header, 26)? + u16_le(header, 28)?)
    }
}

fn u16_le(data: &[u8], offset: usize) -> Option<usize> {
    array(data, offset).map(|bytes| usize::from(u16::from_le_bytes(bytes)))
}

/// Size and offset of the directory and where its zip64 end record is.
fn end_64(data: &[u8], end: usize) -> Option<(usize, usize, usize)> {
    let number = |offset: usize| usize::try_from(u64::from_le_bytes(array(data, offset)?)).ok();
    let locator = end.checked_sub(END_64_LOCATOR_SIZE)?;
    let is_locator = data.get(locator..)?.starts_with(END_64_LOCATOR);
    // Where the archive has something before it, the locator's offset is off; the record stands before the locator.
    let at = is_locator.then(|| memchr::memmem::rfind(data.get(..locator)?, END_64)).flatten()?;
    Some((number(at.checked_add(40)?)?, number(at.checked_add(48)?)?, at))
}

fn member<'a>(rest: &mut &'a [u8]) -> Option<Member<'a>> {
    let data = *rest;
    let header = data.get(..DIRECTORY_SIZE).filter(|header| header.starts_with(DIRECTORY))?;
    let (name, extra, comment) = (u16_le(header, 28)?, u16_le(header, 30)?, u16_le(header, 32)?);
    *rest = data.get(DIRECTORY_SIZE + name + extra + comment..)?;
    let number = |offset: usize| u32_le(header, offset).map(position);
    Some(Member {
        name: String::from_utf8_lossy(slice(data, DIRECTORY_SIZE, name)?),
        flags: array(header, 8).map(u16::from_le_bytes)?,
        method: array(header, 10).map(u16::from_le_bytes)?,
        checksum: u32_le(header, 16)?,
        packed: number(20)?,
        unpacked: number(24)?,
        offset: number(42)?,
    })
}

#[cfg(test)]
pub(super) use tests::{Lengths, of, written};

#[cfg(test)]
mod tests {
    use std::io::Write;

    /// Where the lengths of members stand beside the directory.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) enum Lengths {
        Before,
        /// Before them and in a descriptor.
        Both,
        /// In a descriptor with or without its signature.
        Behind {
            signed: bool,
        },
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    /// A zip archive; members are deflated, but archives in it stored, as Spring Boot does.
    pub(in super::super) fn of(members: &[(&str, &[u8])]) -> Vec<u8> {
        written(members, Lengths::Before)
    }

    /// The same with lengths where they are wanted; those of stored members stand before them at least.
    pub(in super::super) fn written(members: &[(&str, &[u8])], lengths: Lengths) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in members {
            let is_stored = name.ends_with(".jar");
            let packed = if is_stored { content.to_vec() } else { deflate(content) };
            let numbers = [crc32fast::hash(content), packed.len() as u32, content.len() as u32];
            let numbers = numbers.map(u32::to_le_bytes).concat();
            let signature = match lengths {
                Lengths::Behind { signed: false } if !is_stored => Some(&b""[..]),
                Lengths::Behind { signed: true } if !is_stored => Some(&b"PK\x07\x08"[..]),
                Lengths::Both => Some(&b"PK\x07\x08"[..]),
                Lengths::Before | Lengths::Behind { .. } => None,
            };
            let is_unknown = signature.is_some() && !matches!(lengths, Lengths::Both);
            let flags: u16 = if signature.is_some() { 8 } else { 0 };
            let method: u16 = if is_stored { 0 } else { 8 };
            let fields = |numbers: &[u8]| {
                let before = [flags.to_le_bytes(), method.to_le_bytes(), [0; 2], [0; 2]].concat();
                [&before, numbers, &(name.len() as u16).to_le_bytes(), &[0; 2]].concat()
            };
            directory.extend(b"PK\x01\x02\x14\0\x14\0");
            directory.extend(fields(&numbers));
            directory.extend([0; 10]);
            directory.extend((file.len() as u32).to_le_bytes());
            directory.extend(name.as_bytes());
            file.extend(b"PK\x03\x04\x14\0");
            file.extend(fields(if is_unknown { &[0; 12][..] } else { &numbers }));
            file.extend(name.as_bytes());
            file.extend(packed);
            if let Some(signature) = signature {
                file.extend(signature);
                file.extend(&numbers);
            }
        }
        let (count, size, offset) = (members.len() as u16, directory.len() as u32, file.len() as u32);
        file.extend(directory);
        file.extend(b"PK\x05\x06\0\0\0\0");
        file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        file.extend([size.to_le_bytes(), offset.to_le_bytes()].concat());
        file.extend([0; 2]);
        file
    }
}
