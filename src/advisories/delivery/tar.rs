//! Tar as far as archives of databases need it: regular files with short names (POSIX `ustar`). Links, devices and names
//! that lead elsewhere are refused: nothing is ever unpacked under a name from the archive.

use std::io::{self, Read, Write};

/// Writes one file.
pub(super) fn write(to: &mut impl Write, name: &str, content: &[u8]) -> io::Result<()> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text);
        }
    };
    if name.len() > 100 {
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, "a name of more than 100 bytes"));
    }
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    // The same database gives the same archive.
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = header.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    to.write_all(&header)?;
    to.write_all(content)?;
    to.write_all(&vec![0; padding(content.len() as u64) as usize])
}

/// Ends an archive.
pub(super) fn finish(to: &mut impl Write) -> io::Result<()> {
    to.write_all(&[0; 2 * BLOCK])
}

/// Hands the regular files of an archive to `visit`, with their size; what `visit` does not read is skipped.
pub(super) fn each(
    from: &mut impl Read,
    mut visit: impl FnMut(&str, u64, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    for _ in 0..MOST_ENTRIES {
        let mut header = [0_u8; BLOCK];
        from.read_exact(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        check(&header)?;
        let size = number(field(&header, 124, 12)).ok_or_else(|| invalid("a size that is no number"))?;
        let name = String::from_utf8(text(field(&header, 0, 100)).to_vec()).map_err(|_| invalid("a name"))?;
        let mut content = from.by_ref().take(size);
        match header.get(156) {
            Some(b'0' | 0) => visit(name.trim_start_matches("./"), size, &mut content)?,
            // Directories, and what is said about the next file: times and the like.
            Some(b'5' | b'x' | b'g') => {}
            _ => return Err(invalid("a link or device in it")),
        }
        let rest = io::copy(&mut content, &mut io::sink())?;
        let padding = padding(size);
        if content.limit() > 0 || io::copy(&mut from.by_ref().take(padding), &mut io::sink())? < padding {
            tracing::debug!("the archive ends {rest} bytes into `{name}`");
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Err(invalid("too many files"))
}

fn check(header: &[u8; BLOCK]) -> io::Result<()> {
    let stored = number(field(header, 148, 8)).ok_or_else(|| invalid("no tar archive"))?;
    let of = |(at, byte): (usize, &u8)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte });
    let sum: u64 = header.iter().enumerate().map(of).sum();
    if sum == stored { Ok(()) } else { Err(invalid("no tar archive, or a damaged one")) }
}

/// Octal digits up to a space or zero.
fn number(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text(field)).ok()?.trim();
    u64::from_str_radix(digits, 8).ok()
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn field(header: &[u8; BLOCK], at: usize, length: usize) -> &[u8] {
    header.get(at..at + length).unwrap_or_default()
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("this is {what}"))
}

const BLOCK: usize = 512;
const MOST_ENTRIES: usize = 50_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        each(&mut &*archive, |name, _, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            found.push((name.to_owned(), bytes));
            Ok(())
        })?;
        Ok(found)
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Vec::new();
        files.iter().for_each(|(name, content)| write(&mut archive, name, content).unwrap());
        finish(&mut archive).unwrap();
        archive
    }

    #[test]
    fn what_was_written_is_read() {
        let long = vec![7; 1500];
        let files = [("a", &b""[..]), ("blobs/sha256/x", b"content"), ("c", &long)];
        let expected: Vec<_> = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        assert_eq!(read(&archive(&files)).unwrap(), expected);
        // What is not read is skipped.
        let mut names = 0;
        each(&mut &*archive(&files), |_, _, _| {
            names += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(names, 3);
    }

    #[test]
    fn damage_and_links_are_errors() {
        let good = archive(&[("a", b"content")]);
        for length in 0..good.len() - BLOCK {
            assert!(read(&good[..length]).is_err(), "{length}");
        }
        for at in 0..BLOCK {
            let mut bad = good.clone();
            bad[at] ^= 1;
            // What follows the digits of the checksum says nothing.
            assert!(read(&bad).is_err() || (154..156).contains(&at), "{at}");
        }
        let mut link = good;
        link[156] = b'2';
        link[148..155].copy_from_slice(b"       ");
        let sum: u32 = link[..BLOCK].iter().map(|byte| u32::from(*byte)).sum::<u32>() - u32::from(link[155]) + 32;
        link[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let error = read(&link).unwrap_err().to_string();
        assert!(error.contains("link"), "{error}");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read(&bytes);
        }
    }
}
