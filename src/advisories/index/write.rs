//! Writes shard files.

use crate::model::{ShardName, SourceDate};

use super::{Block, Header, MAGIC, TablePlace, VERSION};

/// Compressed once when the database is built, decompressed in every scan.
const COMPRESSION_LEVEL: i32 = 19;

/// Gathers one table. Keys must come in ascending order.
pub(in crate::advisories) struct TableWriter {
    block_size: usize,
    blocks: Vec<(Block, Vec<u8>)>,
    pending: Vec<(String, Vec<u8>)>,
    pending_size: usize,
    entries: u64,
}

impl TableWriter {
    /// Blocks of about `block_size` bytes before compression.
    pub(in crate::advisories) fn new(block_size: usize) -> Self {
        Self { block_size, blocks: Vec::new(), pending: Vec::new(), pending_size: 0, entries: 0 }
    }

    /// The next entry.
    pub(in crate::advisories) fn add(&mut self, key: &str, value: &[u8]) {
        self.pending_size += key.len() + value.len();
        self.pending.push((key.to_owned(), value.to_vec()));
        self.entries += 1;
        if self.pending_size >= self.block_size {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        let Some((first_key, _)) = self.pending.first() else { return };
        let pairs: Vec<(&str, &[u8])> =
            self.pending.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        let raw = postcard::to_stdvec(&pairs).unwrap_or_default();
        let compressed = compress(&raw);
        let block = Block {
            first_key: first_key.clone(),
            offset: 0,
            length: size(&compressed),
            raw_length: size(&raw),
            checksum: crc32fast::hash(&compressed),
        };
        self.blocks.push((block, compressed));
        self.pending.clear();
        self.pending_size = 0;
    }
}

/// The bytes of a shard file.
pub(in crate::advisories) fn file(name: ShardName, sources: Vec<SourceDate>, tables: Vec<TableWriter>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut places = Vec::new();
    for mut table in tables {
        table.close_block();
        let mut index = Vec::with_capacity(table.blocks.len());
        for (mut block, bytes) in table.blocks {
            block.offset = body.len() as u64;
            body.extend_from_slice(&bytes);
            index.push(block);
        }
        let raw = postcard::to_stdvec(&index).unwrap_or_default();
        let compressed = compress(&raw);
        places.push(TablePlace {
            offset: body.len() as u64,
            length: size(&compressed),
            raw_length: size(&raw),
            checksum: crc32fast::hash(&compressed),
            entries: table.entries,
        });
        body.extend_from_slice(&compressed);
    }
    let header = postcard::to_stdvec(&Header { name, sources, tables: places }).unwrap_or_default();
    let mut file = Vec::with_capacity(body.len() + header.len() + 20);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&size(&header).to_le_bytes());
    file.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(&body);
    file
}

fn compress(raw: &[u8]) -> Vec<u8> {
    // Compressing into memory fails only without memory.
    zstd::bulk::compress(raw, COMPRESSION_LEVEL).unwrap_or_default()
}

/// Lengths fit, as a block holds little more than its target size; a reader refuses what does not.
fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
