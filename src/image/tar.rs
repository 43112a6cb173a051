//! The archive walker: tar as container runtimes read it (POSIX `ustar` and `pax`, GNU, star, V7), never extracted.
//!
//! Where readers differ, an attacker can show a scanner another archive than the runtime unpacks, so each rule is that
//! of Go's `archive/tar`, with which containerd, Docker and Podman unpack:
//! * extended headers (`x`, `L`, `K`) apply to the next entry that is none; a pax size never to another extended header;
//! * global headers (`g`) change nothing;
//! * links, directories, devices and pipes have no content, whatever their size field says;
//! * an archive ends with two blocks of zeros, or where the stream ends between two entries, be it in the padding.

mod header;
mod pax;

use std::io::{self, BufRead};

use header::{BLOCK, Header, SPARSE_MAP_EXTENDED};
use pax::Pax;

use super::{Content, LayerError};
use crate::model::Limits;

/// An extended header may be this long, as in Go.
const LARGEST_EXTENDED_HEADER: u64 = 1 << 20;

/// What a tar archive is read from.
pub(super) trait TarInput: BufRead {
    /// Passes over bytes, all of which must be there.
    fn skip(&mut self, mut amount: u64) -> io::Result<()> {
        while amount > 0 {
            let available = self.fill_buf()?.len();
            if available == 0 {
                return Err(LayerError::corrupt("the archive ends in the middle of an entry").into());
            }
            let step = usize::try_from(amount).unwrap_or(usize::MAX).min(available);
            self.consume(step);
            amount -= step as u64;
        }
        Ok(())
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A file with holes: its stored bytes are not its content.
    SparseFile,
    HardLink,
    Symlink,
    Directory,
    /// Device or pipe.
    Special,
    /// Unknown, of no effect.
    Other,
}

/// One entry; its path and link target are in the reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) kind: Kind,
    /// Bytes of content that follow.
    pub(super) size: u64,
    pub(super) mode: u32,
}

impl Kind {
    fn of(flag: u8) -> Self {
        match flag {
            b'0' | 0 | b'7' => Self::File,
            b'1' => Self::HardLink,
            b'2' => Self::Symlink,
            b'3' | b'4' | b'6' => Self::Special,
            b'5' => Self::Directory,
            b'S' => Self::SparseFile,
            _ => Self::Other,
        }
    }

    /// Whether the size field counts.
    fn has_content(self) -> bool {
        matches!(self, Self::File | Self::SparseFile | Self::Other)
    }
}

/// Reads entry by entry.
pub(super) struct TarReader<'i, I: TarInput> {
    input: &'i mut I,
    /// As written, without its normalisation.
    path: Vec<u8>,
    link: Vec<u8>,
    entries: u64,
    most_entries: u64,
}

impl<'i, I: TarInput> TarReader<'i, I> {
    pub(super) fn new(input: &'i mut I, limits: &Limits) -> Self {
        Self { input, path: Vec::new(), link: Vec::new(), entries: 0, most_entries: limits.entries_per_layer }
    }

    /// The path of the current entry, as written.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The link target of the current entry, as written.
    pub(super) fn link(&self) -> &[u8] {
        &self.link
    }

    /// Where content is read from, directly after [`TarReader::next`].
    pub(super) fn input(&mut self) -> &mut I {
        self.input
    }

    /// The next entry; its content must then be passed over, with [`TarReader::finish`] at the latest.
    pub(super) fn next(&mut self) -> Result<Option<Member>, LayerError> {
        let mut pax = Pax::default();
        let (mut long_path, mut long_link) = (None, None);
        let mut block = [0; BLOCK];
        loop {
            if !self.block(&mut block)? {
                return Ok(None);
            }
            self.entries += 1;
            if self.entries > self.most_entries {
                return Err(LayerError::Limit { what: "number of entries", limit: self.most_entries });
            }
            let header = Header::new(&block).map_err(LayerError::corrupt)?;
            let stored = header.size().map_err(LayerError::corrupt);
            match header.kind() {
                b'x' => pax = Pax::parse(&self.extended(stored?)?).map_err(LayerError::corrupt)?,
                b'L' => long_path = Some(self.long_name(stored?)?),
                b'K' => long_link = Some(self.long_name(stored?)?),
                b'g' => {
                    self.extended(stored?)?;
                    // Go hands a global header out as an entry of its own, so what came before it is spent.
                    (pax, long_path, long_link) = (Pax::default(), None, None);
                }
                flag => {
                    self.path.clear();
                    header.path(&mut self.path);
                    self.link.clear();
                    self.link.extend_from_slice(header.link());
                    let (mode, has_sparse_map) = (header.mode(), flag == b'S' && header.has_sparse_map());
                    let mut kind = Kind::of(flag);
                    let size = if kind.has_content() { pax.size.map_or(stored, Ok)? } else { 0 };
                    replace(&mut self.path, long_path.or(pax.path));
                    replace(&mut self.link, long_link.or(pax.link));
                    if has_sparse_map {
                        self.skip_sparse_map(&mut block)?;
                    }
                    if pax.sparse && kind == Kind::File {
                        kind = Kind::SparseFile;
                    }
                    if flag == 0 && self.path.ends_with(b"/") {
                        kind = Kind::Directory; // as archives older than the type field have it
                    }
                    return Ok(Some(Member { kind, size, mode }));
                }
            }
        }
    }

    /// Passes over what is left of an entry's content and its padding.
    pub(super) fn finish(&mut self, size: u64, left: u64) -> Result<(), LayerError> {
        let padding = size.wrapping_neg() % BLOCK as u64;
        // Only the content must be there: some writers leave the last entry's padding out, and Go takes that for the end.
        self.input.skip(left)?;
        self.pass_padding(padding)
    }

    /// Passes over padding, as much as there is.
    fn pass_padding(&mut self, mut padding: u64) -> Result<(), LayerError> {
        while padding > 0 {
            let available = self.input.fill_buf()?.len();
            let step = usize::try_from(padding).unwrap_or(usize::MAX).min(available);
            if step == 0 {
                return Ok(());
            }
            self.input.consume(step);
            padding -= step as u64;
        }
        Ok(())
    }

    /// Reads a block; `false` is the end of the archive.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, LayerError> {
        if !self.read_block(block)? {
            return Ok(false);
        }
        if block.iter().any(|&byte| byte != 0) {
            return Ok(true);
        }
        if self.read_block(block)? && block.iter().any(|&byte| byte != 0) {
            return Err(LayerError::corrupt("a single block of zeros between entries"));
        }
        Ok(false)
    }

    /// Reads a block; `false` where the stream ends before it.
    fn read_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, LayerError> {
        let mut filled = 0;
        while filled < BLOCK {
            let available = self.input.fill_buf()?;
            if available.is_empty() {
                return if filled == 0 { Ok(false) } else { Err(LayerError::corrupt("the archive ends in a header")) };
            }
            let length = available.len().min(BLOCK - filled);
            block[filled..filled + length].copy_from_slice(&available[..length]);
            self.input.consume(length);
            filled += length;
        }
        Ok(true)
    }

    /// The content of an extended header.
    fn extended(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        if size > LARGEST_EXTENDED_HEADER {
            return Err(LayerError::Limit { what: "extended header in bytes", limit: LARGEST_EXTENDED_HEADER });
        }
        let mut content = Vec::new();
        Content::new(self.input, size).read_all(&mut content).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => LayerError::corrupt("the archive ends in an extended header"),
            _ => error.into(),
        })?;
        self.finish(size, 0)?;
        Ok(content)
    }

    /// A GNU long name: up to the first NUL.
    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let mut name = self.extended(size)?;
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    fn skip_sparse_map(&mut self, block: &mut [u8; BLOCK]) -> Result<(), LayerError> {
        loop {
            if !self.read_block(block)? {
                return Err(LayerError::corrupt("the archive ends in a sparse map"));
            }
            if block[SPARSE_MAP_EXTENDED] == 0 {
                return Ok(());
            }
        }
    }
}

fn replace(target: &mut Vec<u8>, value: Option<Vec<u8>>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        *target = value;
    }
}
