//! The bytes of an archive, of which only some pieces may be in memory.

use std::collections::HashMap;

/// A piece of an archive that is in memory, up to the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Where it begins in the archive.
    pub(super) start: usize,
    /// Where it begins in memory.
    pub(super) at: usize,
}

/// An archive in another one, of which all bytes were seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scattered {
    pub(super) length: usize,
    /// CRC-32.
    pub(super) checksum: u32,
}

/// An archive, or an archive in it.
#[derive(Debug, Clone, Copy)]
pub(in crate::inventory::extractor) struct Data<'a> {
    bytes: &'a [u8],
    /// In the order of both of their fields.
    pieces: &'a [Piece],
    nested: Option<&'a HashMap<usize, Scattered>>,
    /// Where it begins in what the pieces are of.
    start: usize,
    length: usize,
}

impl<'a> From<&'a [u8]> for Data<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, pieces: &[Piece { start: 0, at: 0 }], nested: None, start: 0, length: bytes.len() }
    }
}

impl<'a> Data<'a> {
    pub(super) fn of_pieces(
        bytes: &'a [u8],
        pieces: &'a [Piece],
        nested: &'a HashMap<usize, Scattered>,
        length: usize,
    ) -> Self {
        Self { bytes, pieces, nested: Some(nested), start: 0, length }
    }

    /// The checksum of an archive in it, which was seen in pieces.
    pub(super) fn checksum(self, offset: usize, length: usize) -> Option<u32> {
        let nested = self.nested?.get(&self.start.checked_add(offset)?)?;
        (nested.length == length).then_some(nested.checksum)
    }

    /// Its size in bytes, in memory or not.
    pub(super) fn len(self) -> usize {
        self.length
    }

    /// `length` bytes at `offset`, where they are in memory in one piece.
    pub(super) fn get(self, offset: usize, length: usize) -> Option<&'a [u8]> {
        let part = self.part(offset, length)?;
        let (start, piece) = self.piece_at(part.start)?;
        piece.get(part.start - start..)?.get(..length)
    }

    /// `length` bytes at `offset`, in memory or not.
    pub(super) fn part(self, offset: usize, length: usize) -> Option<Self> {
        let is_inside = offset.checked_add(length)? <= self.length;
        is_inside.then(|| Self { start: self.start + offset, length, ..self })
    }

    /// What is in memory in one piece up to its end.
    pub(super) fn tail(self) -> &'a [u8] {
        let end = self.start + self.length;
        let tail = end
            .checked_sub(1)
            .and_then(|last| self.piece_at(last))
            .and_then(|(start, piece)| piece.get(self.start.saturating_sub(start)..end - start));
        tail.unwrap_or_default()
    }

    /// The last piece that begins at or before a position, and where it begins.
    fn piece_at(self, position: usize) -> Option<(usize, &'a [u8])> {
        let next = self.pieces.partition_point(|piece| piece.start <= position);
        let piece = self.pieces.get(next.checked_sub(1)?)?;
        let end = self.pieces.get(next).map_or(self.bytes.len(), |next| next.at);
        Some((piece.start, self.bytes.get(piece.at..end)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_memory_is_found() {
        // 0..2, 5..8 and 9..10 of ten bytes.
        let pieces = [(0, 0), (5, 2), (9, 5)].map(|(start, at)| Piece { start, at });
        let nested = HashMap::from([(4, Scattered { length: 3, checksum: 7 })]);
        let data = Data::of_pieces(b"ab567z", &pieces, &nested, 10);
        for (offset, length, expected) in [
            (0, 2, Some(&b"ab"[..])),
            (1, 2, None),
            (2, 1, None),
            (4, 2, None),
            (5, 3, Some(b"567")),
            (6, 1, Some(b"6")),
            (7, 2, None),
            (9, 1, Some(b"z")),
            (9, 2, None),
            (usize::MAX, 1, None),
        ] {
            assert_eq!(data.get(offset, length), expected, "{offset} {length}");
        }
        for (offset, length, expected) in
            [(0, 10, "z"), (0, 9, ""), (0, 8, "567"), (6, 2, "67"), (0, 2, "ab"), (1, 1, "b"), (1, 0, ""), (2, 2, "")]
        {
            let part = data.part(offset, length).expect("inside");
            assert_eq!(part.tail(), expected.as_bytes(), "{offset} {length}");
            assert_eq!(part.get(0, length), data.get(offset, length), "{offset} {length}");
        }
        assert!(data.part(5, 6).is_none());
        assert_eq!(data.part(1, 9).and_then(|part| part.checksum(3, 3)), Some(7));
        assert_eq!((data.checksum(4, 2), data.checksum(3, 3)), (None, None));
        assert_eq!(Data::from(&b"abc"[..]).tail(), b"abc");
        assert_eq!(Data::from(&b""[..]).tail(), b"");
    }
}
