//! Layers as a short list of entries, in a form in which every input means something. Of each entry: a byte of form, mode
//! and layer; path and link with a byte of length each; content with two. What is missing at the end is empty.

#![allow(dead_code, unreachable_pub)] // every program uses another part

use super::images::Tar;

/// Layers of one image.
const MOST_LAYERS: usize = 3;
/// A path of no length is one of these, which the next byte chooses.
const PATHS: &[&str] = &[
    "var/lib/dpkg/status",
    "var/lib/dpkg/info/a.list",
    "lib/apk/db/installed",
    "etc/os-release",
    "usr/lib/os-release",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/rpmdb.sqlite-wal",
    "usr/lib/sysimage/rpm/Packages.db",
    "app/node_modules/a/package.json",
    "app/node_modules/a",
    "app/node_modules",
    "app/a.jar",
    "usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA",
    "usr/lib/python3/dist-packages/six-1.16.0.dist-info/RECORD",
    "app",
    ".wh.app",
    "app/.wh..wh..opq",
    "app/.wh.node_modules",
    "var/lib/rpm/.wh.rpmdb.sqlite-wal",
    "root/buildinfo/content_manifests/a.json",
    "usr/bin/app",
    "lib",
    "bin",
    "..",
];

/// One entry of an archive.
pub struct Entry<'a> {
    pub begins_layer: bool,
    pub form: Form,
    pub mode: u32,
    pub path: &'a [u8],
    pub link: &'a [u8],
    pub content: Vec<u8>,
}

/// What an entry is, and how its names are written.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Form {
    File,
    HardLink,
    Symlink,
    Directory,
    Device,
    PaxFile,
    PaxLink,
    OldSparse,
    PaxSparse,
    PaxRecords,
    GlobalRecords,
    LongName,
    LongLink,
    OldFile,
    Contiguous,
    /// Of the kind that the link's first byte names.
    Any,
}

const FORMS: [Form; 16] = [
    Form::File,
    Form::HardLink,
    Form::Symlink,
    Form::Directory,
    Form::Device,
    Form::PaxFile,
    Form::PaxLink,
    Form::OldSparse,
    Form::PaxSparse,
    Form::PaxRecords,
    Form::GlobalRecords,
    Form::LongName,
    Form::LongLink,
    Form::OldFile,
    Form::Contiguous,
    Form::Any,
];
const MODES: [u32; 4] = [0o644, 0o755, 0o4755, 0];

impl<'a> Entry<'a> {
    pub fn new(form: Form, path: &'a str) -> Self {
        Self { begins_layer: false, form, mode: 0o644, path: path.as_bytes(), link: b"", content: Vec::new() }
    }

    pub fn file(path: &'a str, content: impl Into<Vec<u8>>) -> Self {
        Self { content: content.into(), ..Self::new(Form::File, path) }
    }

    pub fn link(form: Form, path: &'a str, link: &'a str) -> Self {
        Self { link: link.as_bytes(), ..Self::new(form, path) }
    }

    /// The same entry as the first of a layer.
    pub fn in_next_layer(self) -> Self {
        Self { begins_layer: true, ..self }
    }

    fn read(data: &mut &'a [u8]) -> Option<Self> {
        let first = byte(data)?;
        let length = byte(data).unwrap_or(0);
        let path = match length {
            0 => PATHS[usize::from(byte(data).unwrap_or(0)) % PATHS.len()].as_bytes(),
            length => bytes(data, usize::from(length)),
        };
        let length = byte(data).unwrap_or(0);
        let link = bytes(data, usize::from(length));
        let length = u16::from_le_bytes([byte(data).unwrap_or(0), byte(data).unwrap_or(0)]);
        Some(Self {
            begins_layer: first & 0x10 != 0,
            form: FORMS[usize::from(first & 0xf)],
            mode: MODES[usize::from(first >> 6)],
            path,
            link,
            content: bytes(data, usize::from(length)).to_vec(),
        })
    }

    /// What [`Entry::read`] reads.
    fn write(&self, out: &mut Vec<u8>) {
        let mode = MODES.iter().position(|mode| *mode == self.mode).unwrap_or(0) as u8;
        out.extend([self.form as u8 | u8::from(self.begins_layer) << 4 | mode << 6]);
        out.push(u8::try_from(self.path.len()).expect("a short path"));
        out.extend(self.path);
        out.push(u8::try_from(self.link.len()).expect("a short link"));
        out.extend(self.link);
        out.extend(u16::try_from(self.content.len()).expect("a small file").to_le_bytes());
        out.extend(&self.content);
    }

    fn append(&self, tar: &mut Tar) {
        let Self { form, mode, path, link, content, .. } = self;
        let sealed;
        let content: &[u8] = if path.ends_with(b"-wal") {
            sealed = seal(content);
            &sealed
        } else {
            content
        };
        let kind = match form {
            Form::File | Form::PaxFile => b'0',
            Form::HardLink | Form::PaxLink => b'1',
            Form::Symlink => b'2',
            Form::Directory => b'5',
            Form::Device => b'3',
            Form::OldFile => 0,
            Form::Contiguous => b'7',
            Form::Any => link.first().copied().unwrap_or(b'Z'),
            Form::OldSparse => return tar.old_sparse(path, !link.is_empty(), content),
            Form::PaxSparse => {
                tar.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", path)]);
                return tar.entry(b'0', b"GNUSparseFile.0/x", b"", *mode, content);
            }
            Form::PaxRecords => return tar.entry(b'x', path, b"", *mode, content),
            Form::GlobalRecords => return tar.entry(b'g', path, b"", *mode, content),
            Form::LongName => return tar.long_name(b'L', content),
            Form::LongLink => return tar.long_name(b'K', content),
        };
        // Only what has content may have a size that counts.
        let content = if matches!(kind, b'1'..=b'6') { &[] } else { content };
        if matches!(form, Form::PaxFile | Form::PaxLink) {
            tar.pax(&[("path", path), ("linkpath", link)]);
            return tar.entry(kind, b"x", b"", *mode, content);
        }
        if path.len() > 100 {
            tar.long_name(b'L', path);
        }
        if link.len() > 100 {
            tar.long_name(b'K', link);
        }
        tar.entry(kind, path, link, *mode, content);
    }
}

fn byte(data: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = data.split_first()?;
    *data = rest;
    Some(first)
}

fn bytes<'a>(data: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (bytes, rest) = data.split_at(length.min(data.len()));
    *data = rest;
    bytes
}

/// The entries that an input stands for, as archives of layers.
pub fn layers(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some(entry) = Entry::read(&mut data) {
        entries.push(entry);
    }
    archives(&entries)
}

/// Entries as archives of layers.
pub fn archives(entries: &[Entry<'_>]) -> Vec<Vec<u8>> {
    let mut layers = vec![Tar::default()];
    for entry in entries {
        if entry.begins_layer && layers.len() < MOST_LAYERS {
            layers.push(Tar::default());
        }
        if let Some(layer) = layers.last_mut() {
            entry.append(layer);
        }
    }
    layers.into_iter().map(Tar::finish).collect()
}

/// The input that stands for entries.
pub fn written(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    entries.iter().for_each(|entry| entry.write(&mut out));
    out
}

/// A write-ahead log of SQLite with the checksums and salts that its content should have.
pub fn seal(log: &[u8]) -> Vec<u8> {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let mut log = log.to_vec();
    if log.len() < HEADER {
        return log;
    }
    log[..4].copy_from_slice(&0x377f_0683_u32.to_be_bytes());
    let page_size = u32::from_be_bytes([log[8], log[9], log[10], log[11]]) as usize;
    let sums = checksum((0, 0), &log[..24]);
    put_sums(&mut log[24..32], sums);
    let (header, frames) = log.split_at_mut(HEADER);
    if page_size > 65_536 {
        return log;
    }
    let mut sums = sums;
    for frame in frames.chunks_exact_mut(FRAME_HEADER + page_size) {
        frame[8..16].copy_from_slice(&header[16..24]);
        sums = checksum(checksum(sums, &frame[..8]), &frame[FRAME_HEADER..]);
        put_sums(&mut frame[16..24], sums);
    }
    log
}

fn put_sums(place: &mut [u8], (first, second): (u32, u32)) {
    place[..4].copy_from_slice(&first.to_be_bytes());
    place[4..8].copy_from_slice(&second.to_be_bytes());
}

fn checksum((mut first, mut second): (u32, u32), data: &[u8]) -> (u32, u32) {
    let word = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    for pair in data.chunks_exact(8) {
        first = first.wrapping_add(word(pair)).wrapping_add(second);
        second = second.wrapping_add(word(&pair[4..])).wrapping_add(first);
    }
    (first, second)
}
