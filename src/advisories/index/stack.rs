//! A shard's file and the deltas on it, read as one.

use super::delta::apply;
use super::{Header, IndexError, IndexFile, Table};

/// A shard as of its newest delta.
#[derive(Debug)]
pub(in crate::advisories) struct Stack {
    base: IndexFile,
    /// Oldest first.
    deltas: Vec<IndexFile>,
}

impl Stack {
    /// A shard file and its deltas, oldest first.
    pub(in crate::advisories) fn new(files: Vec<IndexFile>) -> Result<Self, IndexError> {
        let mut files = files.into_iter();
        let base = files.next().filter(|base| !base.header().delta).ok_or(IndexError::Damaged("kind of file"))?;
        let deltas: Vec<IndexFile> = files.collect();
        let fits = |file: &IndexFile| file.header().delta && file.header().name == base.header().name;
        if deltas.iter().all(fits) { Ok(Self { base, deltas }) } else { Err(IndexError::Damaged("kind of a delta")) }
    }

    /// What the newest file says about itself.
    pub(in crate::advisories) fn header(&self) -> &Header {
        self.deltas.last().unwrap_or(&self.base).header()
    }

    /// The value of a key.
    pub(in crate::advisories) fn get(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, IndexError> {
        let mut value = self.base.get(table, key)?;
        for delta in &self.deltas {
            if let Some(change) = delta.get(table, key)? {
                value = apply(value, &change)?;
            }
        }
        Ok(value)
    }

    /// Every file, oldest first, as far as `visit` does not fail.
    pub(in crate::advisories) fn each_file<E>(&self, visit: impl FnMut(&IndexFile) -> Result<(), E>) -> Result<(), E> {
        std::iter::once(&self.base).chain(&self.deltas).try_for_each(visit)
    }

    /// The files, oldest first.
    #[cfg(test)]
    pub(in crate::advisories) fn into_files(self) -> Vec<IndexFile> {
        std::iter::once(self.base).chain(self.deltas).collect()
    }
}
