//! An archive that is read from its beginning to its end, of which only what somebody wants stays in memory: members by
//! their names, and the directory.
//!
//! The directory at the end says what is in an archive. The headers before the members are believed when they say what is
//! not wanted, and where it ends; where they do not say that, everything is kept from there on. What the directory then
//! misses is an error of that member.

use std::collections::HashMap;
use std::io::{self, BufRead};

use memchr::memmem::Finder;

use super::data::{Data, Piece, Scattered};
use super::{LOCAL, LOCAL_SIZE, MOST_MEMBERS, STORED, u16_le};
use crate::inventory::extractor::bytes::{position, slice, u32_le};
use crate::inventory::extractor::{ExtractError, File, share};

/// Checksum and sizes of a member behind its content, where its header could not know them.
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
const DESCRIPTOR_SIZE: usize = 16;
const DESCRIBED: usize = 1 << 3;
/// The size of a member whose size stands elsewhere.
const ZIP_64: usize = 0xffff_ffff;
/// How far the end of a member is looked for.
const LONGEST_SEARCH: usize = 16 << 20;
/// How long a script before an archive may be.
const LONGEST_SCRIPT: usize = 1 << 20;
const LARGEST_RESERVE: usize = 64 << 10;
/// From this on it is a large file.
const SMALL: usize = share::SMALL as usize;

/// What is wanted of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory::extractor) enum Wish {
    Nothing,
    Content,
    /// It is an archive, of whose members the same is wanted.
    Archive,
}

/// What was kept of an archive.
#[derive(Debug, Default)]
pub(in crate::inventory::extractor) struct Kept {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// Stored archives in it, by where they begin.
    nested: HashMap<usize, Scattered>,
    /// Where what was kept last ends in the archive.
    end: usize,
    /// The size of the archive.
    length: usize,
    /// It begins as archives do that have nothing before them.
    pub(in crate::inventory::extractor) is_bare: bool,
}

impl Kept {
    /// Reads an archive. `wish` says what is wanted of a member by its name, in archives up to `deepest` too.
    ///
    /// # Errors
    /// The file is larger than files may be, or cannot be read.
    pub(in crate::inventory::extractor) fn read(
        file: &mut File<'_>,
        deepest: usize,
        wish: fn(&str) -> Wish,
    ) -> Result<Self, ExtractError> {
        file.check_size()?;
        let size = file.size();
        let reserved = usize::try_from(size).unwrap_or(usize::MAX).min(LARGEST_RESERVE);
        let kept = Self { bytes: Vec::with_capacity(reserved), ..Self::default() };
        let descriptor = Finder::new(DESCRIPTOR);
        let (window, open) = (Vec::new(), Vec::new());
        let mut reader = Reader { file, window, at: 0, position: 0, kept, open, deepest, wish, descriptor };
        reader.kept.is_bare = reader.ahead(2)?.starts_with(b"PK");
        reader.script()?;
        reader.archive(usize::try_from(size).unwrap_or(usize::MAX), 1)?;
        let Reader { mut kept, position, .. } = reader;
        if (position as u64) < size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        kept.length = position;
        Ok(kept)
    }

    /// What is in memory of it.
    pub(in crate::inventory::extractor) fn data(&self) -> Data<'_> {
        Data::of_pieces(&self.bytes, &self.pieces, &self.nested, self.length)
    }

    /// Bytes in memory.
    #[cfg(test)]
    pub(in crate::inventory::extractor) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Keeps what stands at a position of the archive behind all that was kept before.
    fn push(&mut self, position: usize, bytes: &[u8]) {
        if self.pieces.is_empty() || position != self.end {
            self.pieces.push(Piece { start: position, at: self.bytes.len() });
        }
        self.bytes.extend_from_slice(bytes);
        self.end = position + bytes.len();
    }
}

struct Reader<'f, 'a> {
    file: &'f mut File<'a>,
    /// What was read of the file and is not decided upon: `window[at..]`.
    window: Vec<u8>,
    at: usize,
    /// Where that begins in the archive.
    position: usize,
    kept: Kept,
    /// Checksums of the archives in which that lies, but for the outermost.
    open: Vec<crc32fast::Hasher>,
    deepest: usize,
    wish: fn(&str) -> Wish,
    descriptor: Finder<'static>,
}

impl Reader<'_, '_> {
    /// Keeps what stands before the first member, such as the script of an archive that starts itself.
    fn script(&mut self) -> io::Result<()> {
        if !self.ahead(LOCAL.len())?.starts_with(LOCAL) {
            let script = memchr::memmem::find(self.ahead(LONGEST_SCRIPT)?, LOCAL);
            self.pass(script.unwrap_or(0), true)?;
        }
        Ok(())
    }

    /// Reads what ends at `end`, or with the file.
    fn archive(&mut self, end: usize, depth: usize) -> io::Result<()> {
        while self.member(end, depth)? {}
        // The directory, or what is not understood.
        self.pass(end.saturating_sub(self.position), true)
    }

    /// Reads a member; `false` where there is none, or where it ends is not known.
    fn member(&mut self, end: usize, depth: usize) -> io::Result<bool> {
        let room = end.saturating_sub(self.position);
        if room < LOCAL_SIZE {
            return Ok(false);
        }
        let header = self.ahead(LOCAL_SIZE)?;
        let fields = |header: &[u8]| {
            let number = |offset| u16_le(header, offset);
            Some((number(6)?, number(8)?, number(26)?, number(28)?, position(u32_le(header, 18)?)))
        };
        let header = header.get(..LOCAL_SIZE).filter(|header| header.starts_with(LOCAL));
        let Some((flags, method, name, extra, packed)) = header.and_then(fields) else { return Ok(false) };
        let (head, wish) = (LOCAL_SIZE + name + extra, self.wish);
        if head > room {
            return Ok(false);
        }
        let Some(name) = slice(self.ahead(head)?, LOCAL_SIZE, name) else { return Ok(false) };
        let wish = wish(&String::from_utf8_lossy(name));
        let length = match packed {
            ZIP_64 => None,
            0 if flags & DESCRIBED != 0 => self.described(head, room)?,
            packed => Some(head + packed),
        };
        let Some(length) = length.filter(|length| *length <= room) else { return Ok(false) };
        let is_opened = wish == Wish::Archive && depth < self.deepest;
        let is_stored = method == usize::from(STORED) && length > head;
        if is_opened && is_stored && self.kept.nested.len() < MOST_MEMBERS {
            self.pass(head, true)?;
            self.nested(length - head, depth + 1)?;
        } else {
            self.pass(length, is_opened || wish == Wish::Content)?;
        }
        if flags & DESCRIBED != 0 && room - length >= DESCRIPTOR_SIZE && self.ahead(4)?.starts_with(DESCRIPTOR) {
            self.pass(DESCRIPTOR_SIZE, false)?;
        }
        Ok(true)
    }

    /// Reads an archive that is stored in another one.
    fn nested(&mut self, length: usize, depth: usize) -> io::Result<()> {
        let start = self.position;
        self.open.push(crc32fast::Hasher::new());
        self.archive(start + length, depth)?;
        let checksum = self.open.pop().map_or(0, crc32fast::Hasher::finalize);
        self.kept.nested.insert(start, Scattered { length, checksum });
        Ok(())
    }

    /// The length of a header with the content behind it, whose descriptor is looked for: what has its signature and says
    /// how long the content before it is.
    fn described(&mut self, head: usize, room: usize) -> io::Result<Option<usize>> {
        let (mut searched, most) = (head, room.min(LONGEST_SEARCH));
        loop {
            let ahead = self.window.get(self.at..).unwrap_or_default();
            let ahead = ahead.get(..ahead.len().min(room)).unwrap_or_default();
            while let Some(found) = self.descriptor.find(ahead.get(searched..).unwrap_or_default()) {
                let at = searched + found;
                match u32_le(ahead, at + 8) {
                    Some(packed) if position(packed) == at - head => return Ok(Some(at)),
                    Some(_) => searched = at + 1,
                    None => break,
                }
            }
            // The beginning of a signature, or of a descriptor, may be the last that was read.
            searched = searched.max(ahead.len().saturating_sub(DESCRIPTOR_SIZE)).max(head);
            if ahead.len() >= most || !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// What lies ahead: `wanted` bytes or more, unless the file ends before.
    fn ahead(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.window.len() - self.at < wanted && self.fill()? {}
        Ok(self.window.get(self.at..).unwrap_or_default())
    }

    /// Reads more; `false` at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.window.drain(..self.at);
        self.at = 0;
        let chunk = self.file.fill_buf()?;
        let length = chunk.len();
        self.window.extend_from_slice(chunk);
        self.file.consume(length);
        if self.window.len() > SMALL {
            self.file.hold();
        }
        Ok(length > 0)
    }

    /// Goes on by `length` bytes, or to the end of the file, and keeps them or not.
    fn pass(&mut self, mut length: usize, is_kept: bool) -> io::Result<()> {
        loop {
            let is_read = self.at < self.window.len();
            let here = if is_read { self.window.get(self.at..).unwrap_or_default() } else { self.file.fill_buf()? };
            let here = here.get(..length.min(here.len())).unwrap_or_default();
            if here.is_empty() {
                return Ok(());
            }
            self.open.iter_mut().for_each(|checksum| checksum.update(here));
            if is_kept {
                self.kept.push(self.position, here);
            }
            let passed = here.len();
            if is_read {
                self.at += passed;
            } else {
                self.file.consume(passed);
            }
            self.position += passed;
            length -= passed;
            if self.kept.bytes.len() > SMALL {
                self.file.hold();
            }
        }
    }
}
