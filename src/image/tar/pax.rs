//! Extended headers (POSIX.1-2001 `pax`): records `<length> <key>=<value>\n`.

/// What the records say that matters here. Absent and empty values leave the header's own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// GNU's sparse files in pax form (0.0, 0.1 and 1.0).
    pub(super) sparse: bool,
}

impl Pax {
    pub(super) fn parse(mut records: &[u8]) -> Result<Self, &'static str> {
        let mut pax = Self::default();
        let mut sparse_name = None;
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or("a malformed pax record")?;
            records = rest;
            let text = || Some(value.to_vec()).filter(|value| !value.is_empty());
            match key {
                b"path" | b"linkpath" if value.contains(&0) => return Err("a pax path with a NUL in it"),
                b"path" => pax.path = text(),
                b"linkpath" => pax.link = text(),
                b"size" if value.is_empty() => pax.size = None,
                b"size" => pax.size = Some(decimal(value).ok_or("a pax size is not a number")?),
                b"GNU.sparse.name" => sparse_name = text().filter(|name| !name.contains(&0)),
                _ => {}
            }
            pax.sparse |= key.starts_with(b"GNU.sparse.");
        }
        pax.path = sparse_name.or(pax.path);
        Ok(pax)
    }
}

/// The first record's key and value, and what follows it.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().take(20).position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(records.get(..space)?)?).ok()?;
    let (body, newline) = records.get(space + 1..length)?.split_at_checked(length.checked_sub(space + 2)?)?;
    if newline != b"\n" {
        return None;
    }
    let equals = body.iter().position(|&byte| byte == b'=')?;
    let (key, value) = body.split_at_checked(equals)?;
    if key.is_empty() || key.contains(&0) {
        return None;
    }
    Some((key, value.get(1..)?, records.get(length..)?))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_records() {
        let pax = Pax::parse(b"12 path=a/b\n16 linkpath=x\ny\n13 size=0123\n30 mtime=1700000000.123456789\n");
        let expected =
            Pax { path: Some(b"a/b".to_vec()), link: Some(b"x\ny".to_vec()), size: Some(123), sparse: false };
        assert_eq!(pax, Ok(expected));
        // The last of several counts, and an empty one leaves the header's own.
        let last = Pax::parse(b"12 path=a/b\n12 path=c/d\n").map(|pax| pax.path);
        assert_eq!(last, Ok(Some(b"c/d".to_vec())));
        assert_eq!(Pax::parse(b"12 path=a/b\n8 path=\n"), Ok(Pax::default()));
        let sparse =
            Pax::parse(b"22 GNU.sparse.major=1\n26 GNU.sparse.name=real/x\n").map(|pax| (pax.sparse, pax.path));
        assert_eq!(sparse, Ok((true, Some(b"real/x".to_vec()))));
    }

    #[test]
    fn refuses_malformed_records() {
        for bad in [
            &b"5"[..],
            b"x path=a\n",
            b"11 path=a/b\n",
            b"13 path=a/b\n",
            b"0 path=a/b\n",
            b"3 \n",
            b"99999999999999999999 path=a\n",
            b"10 size=-1\n",
            b"28 size=18446744073709551616\n",
            b"11 path=\0\0\n",
            b"9 path=\n",
            b"8 nokey\n",
            b"8 =empty\n",
            b"-12 path=a/b\n",
        ] {
            assert!(Pax::parse(bad).is_err(), "{:?}", bad.escape_ascii().to_string());
        }
    }

    proptest! {
        #[test]
        fn never_panics(noise in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Pax::parse(&noise);
        }

        #[test]
        fn round_trips(path in "[^\0]{1,80}", size in any::<u64>()) {
            let mut records = Vec::new();
            for (key, value) in [("path", path.clone()), ("size", size.to_string())] {
                let rest = key.len() + value.len() + 3;
                let length = (rest..rest + 6).find(|&n| n.to_string().len() + rest == n).expect("a fixed point");
                records.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
            }
            let expected = Pax { path: Some(path.into_bytes()), size: Some(size), ..Pax::default() };
            prop_assert_eq!(Pax::parse(&records), Ok(expected));
        }
    }
}
