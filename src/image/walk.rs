//! What a walk over a layer sees and leaves behind.

use std::io::{self, Read};

/// A regular file of a layer, before a byte of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Normalised path inside the image: no leading `/`, no `.` or `..`, UTF-8 (invalid bytes replaced).
    pub path: &'a str,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
}

/// Takes what it wants from a layer.
pub trait Visitor {
    /// Whether [`Visitor::file`] is to be called for this file. Decides from the entry alone.
    fn wants(&mut self, entry: &Entry<'_>) -> bool;

    /// A wanted file. Whatever is left unread is skipped.
    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>);
}

/// The content of one file: a bounded reader.
pub struct Content<'a> {
    reader: &'a mut dyn Read,
    left: u64,
}

impl<'a> Content<'a> {
    /// The next `size` bytes of `reader`.
    pub fn new(reader: &'a mut dyn Read, size: u64) -> Self {
        Self { reader, left: size }
    }

    /// Reads the rest of the file into `buffer`, which is cleared first.
    ///
    /// # Errors
    /// The layer ended early (`UnexpectedEof`) or could not be decompressed.
    pub fn read_all(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        let expected = self.left;
        self.read_to_end(buffer)?;
        if buffer.len() as u64 == expected { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(buffer.get_mut(..room).unwrap_or_default())?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// The shape of one layer: what [`super::Overlay`] needs besides the visitor's own results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
}
