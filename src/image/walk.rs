//! What a walk over a layer sees and leaves behind.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};

/// A regular file of a layer, before a byte of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Normalised path inside the image: no leading `/`, no `.` or `..`, UTF-8 (invalid bytes replaced).
    pub path: &'a str,
    /// Size in bytes. 0 for a hard link, whose size is that of its target.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
}

/// Takes what it wants from a layer.
pub trait Visitor {
    /// Whether [`Visitor::file`] is to be called for this file. Decides from the entry alone. Also asked for hard
    /// links, which come without content: those that are wanted are noted in [`LayerTree::hard_links`].
    fn wants(&mut self, entry: &Entry<'_>) -> bool;

    /// A wanted file. Whatever is left unread is skipped.
    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>);
}

/// Is told how far reading has come. Called from the threads that walk.
pub trait Progress: Sync {
    /// `bytes` more of the (compressed) layer were read.
    fn read(&self, layer: usize, bytes: u64);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn read(&self, _layer: usize, _bytes: u64) {}
}

/// The content of one file: a bounded reader. Through [`BufRead`] it shows the decompressor's own window, so that
/// searching a file copies nothing.
pub struct Content<'a> {
    reader: &'a mut dyn BufRead,
    left: u64,
}

impl<'a> Content<'a> {
    /// The next `size` bytes of `reader`.
    pub fn new(reader: &'a mut dyn BufRead, size: u64) -> Self {
        Self { reader, left: size }
    }

    /// Bytes that were not read yet.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Reads the rest of the file into `buffer`, which is cleared first. Memory grows with what is really there, not
    /// with what the archive claims; a limit is for the caller to set by the entry's size.
    ///
    /// # Errors
    /// The layer ended early (`UnexpectedEof`) or could not be decompressed.
    pub fn read_all(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        let expected = self.left;
        buffer.reserve(usize::try_from(expected).unwrap_or(usize::MAX).min(1 << 20));
        while self.left > 0 {
            let chunk = self.fill_buf()?;
            if chunk.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer.extend_from_slice(chunk);
            let length = chunk.len();
            self.consume(length);
        }
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut chunk = self.fill_buf()?;
        let read = chunk.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Content<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let chunk = self.reader.fill_buf()?;
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(chunk.len());
        Ok(chunk.get(..length).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        let amount = amount.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.reader.consume(amount);
        self.left -= amount as u64;
    }
}

/// The shape of one layer: what [`super::Overlay`] needs besides the visitor's own results. It is the layer's effect as
/// a whole: of several entries with the same path the last one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerTree {
    /// Paths of the regular files that the visitor wanted, in archive order; a path may occur more than once, the last
    /// one counts.
    pub files: Vec<String>,
    /// Hard links whose own path the visitor wanted: (path, target), both normalised.
    pub hard_links: Vec<(String, String)>,
    /// Symbolic links: (path, target as written).
    pub symlinks: Vec<(String, String)>,
    /// Paths that the layer removes (`.wh.` prefix taken off).
    pub whiteouts: Vec<String>,
    /// Directories whose content of lower layers the layer hides (`.wh..wh..opq`).
    pub opaque: Vec<String>,
    /// Hashes ([`super::overlay::path_hash`]) of all entries that are not directories: they hide what lower layers have
    /// at or below that path.
    pub non_directories: Vec<u64>,
    /// Hashes of all directories: they hide lower files and symbolic links at exactly that path.
    pub directories: Vec<u64>,
    /// What could not be read although it would have been wanted: (path, reason), each a gap. The first thousand.
    pub unreadable: Vec<(String, String)>,
    /// How many more there were.
    pub unreadable_more: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ends_with_its_file_and_notices_a_short_layer() {
        let mut source: &[u8] = b"abcdefgh";
        let mut buffer = Vec::new();
        Content::new(&mut source, 3).read_all(&mut buffer).expect("three bytes are there");
        assert_eq!(buffer, b"abc");
        assert_eq!(source, b"defgh", "read beyond the file");
        let mut first = [0; 4];
        assert_eq!(Content::new(&mut source, 2).read(&mut first).expect("two bytes are there"), 2);
        let error = Content::new(&mut source, 100).read_all(&mut buffer).expect_err("only three bytes are left");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
