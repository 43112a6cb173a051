//! Writes shard files. The same entries give the same bytes.

use std::io;

use zstd::bulk::Compressor;

use crate::model::{ShardName, SourceDate};

use super::{Block, Header, LONGEST, MAGIC, TablePlace, VERSION};

/// Compressed once when the database is built, decompressed in every scan.
const COMPRESSION_LEVEL: i32 = 19;

/// A shard file cannot be written.
#[derive(Debug, thiserror::Error)]
pub(in crate::advisories) enum WriteError {
    /// An entry that readers would refuse.
    #[error("`{0}` is too long")]
    TooLong(String),
    /// A value that cannot be encoded.
    #[error("a record cannot be encoded: {0}")]
    Encode(#[from] postcard::Error),
    /// The compressor failed.
    #[error("compressing failed: {0}")]
    Compress(#[from] io::Error),
}

/// Gathers one table. Keys must come in ascending order.
pub(in crate::advisories) struct TableWriter {
    block_size: usize,
    compressor: Compressor<'static>,
    blocks: Vec<(Block, Vec<u8>)>,
    pending: Vec<(String, Vec<u8>)>,
    pending_size: usize,
    entries: u64,
}

impl TableWriter {
    /// Blocks of about `block_size` bytes before compression.
    pub(in crate::advisories) fn new(block_size: usize) -> Result<Self, WriteError> {
        let compressor = Compressor::new(COMPRESSION_LEVEL)?;
        Ok(Self { block_size, compressor, blocks: Vec::new(), pending: Vec::new(), pending_size: 0, entries: 0 })
    }

    /// The next entry.
    pub(in crate::advisories) fn add(&mut self, key: &str, value: &[u8]) -> Result<(), WriteError> {
        self.pending_size += key.len() + value.len();
        self.pending.push((key.to_owned(), value.to_vec()));
        self.entries += 1;
        if self.pending_size >= self.block_size { self.close_block() } else { Ok(()) }
    }

    /// The next entry: values that are encoded already, as one list.
    pub(in crate::advisories) fn add_list<'a>(
        &mut self,
        key: &str,
        values: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Result<(), WriteError> {
        // A sequence is its length and then its elements.
        let mut list = postcard::to_stdvec(&values.len())?;
        values.for_each(|value| list.extend_from_slice(value));
        self.add(key, &list)
    }

    fn close_block(&mut self) -> Result<(), WriteError> {
        let Some((first_key, _)) = self.pending.first() else { return Ok(()) };
        let pairs: Vec<(&str, &[u8])> =
            self.pending.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        let raw = postcard::to_stdvec(&pairs)?;
        let raw_length = length(&raw, first_key)?;
        let compressed = self.compressor.compress(&raw)?;
        let block = Block {
            first_key: first_key.clone(),
            offset: 0,
            length: length(&compressed, first_key)?,
            raw_length,
            checksum: crc32fast::hash(&compressed),
        };
        self.blocks.push((block, compressed));
        self.pending.clear();
        self.pending_size = 0;
        Ok(())
    }

    /// Appends the blocks and then their index to `body`.
    fn finish(mut self, body: &mut Vec<u8>) -> Result<TablePlace, WriteError> {
        self.close_block()?;
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (mut block, bytes) in self.blocks {
            block.offset = body.len() as u64;
            body.extend_from_slice(&bytes);
            blocks.push(block);
        }
        let raw = postcard::to_stdvec(&blocks)?;
        let compressed = self.compressor.compress(&raw)?;
        let place = TablePlace {
            offset: body.len() as u64,
            length: length(&compressed, "the block index")?,
            raw_length: length(&raw, "the block index")?,
            checksum: crc32fast::hash(&compressed),
            entries: self.entries,
        };
        body.extend_from_slice(&compressed);
        Ok(place)
    }
}

/// The bytes of a shard file, its tables in the order of [`super::Table`].
pub(in crate::advisories) fn file(
    name: &ShardName,
    sources: &[SourceDate],
    tables: [TableWriter; 2],
) -> Result<Vec<u8>, WriteError> {
    file_of(name, sources, tables, false)
}

/// The same of a delta file.
pub(super) fn file_of(
    name: &ShardName,
    sources: &[SourceDate],
    tables: [TableWriter; 2],
    delta: bool,
) -> Result<Vec<u8>, WriteError> {
    let mut body = Vec::new();
    let places: Result<Vec<_>, _> = tables.into_iter().map(|table| table.finish(&mut body)).collect();
    let header = Header { name: name.clone(), sources: sources.to_vec(), delta, tables: places? };
    let header = postcard::to_stdvec(&header)?;
    let mut file = Vec::with_capacity(body.len() + header.len() + 20);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&length(&header, "the header")?.to_le_bytes());
    file.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(&body);
    Ok(file)
}

/// The length as it is stored, where readers accept it.
fn length(bytes: &[u8], what: &str) -> Result<u32, WriteError> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST);
    length.ok_or_else(|| WriteError::TooLong(what.to_owned()))
}
