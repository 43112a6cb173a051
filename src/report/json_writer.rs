//! JSON as `serde_json` writes it, byte for byte, in half the time: most of a report is text that needs no escape.
//!
//! Eight bytes are looked at together, all goes through one buffer, and what only has a text form is written without a
//! string of its own. Numbers are left to `serde_json`. Keys of maps are texts; other keys are refused.

use std::fmt::{self, Write as _};
use std::io;

use serde::ser::{self, Serialize};

/// Writes a value in one line.
pub(super) fn compact(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    write(value, None, out)
}

/// Writes a value in lines that are indented by two spaces.
pub(super) fn pretty(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    write(value, Some(0), out)
}

/// Writes all of a value in one line but its last bytes, which it gives: at least the last one.
pub(super) fn all_but_the_end(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<Vec<u8>> {
    let mut json = Json::new(None, out);
    value.serialize(&mut json)?;
    Ok(json.held)
}

fn write(value: &impl Serialize, depth: Option<usize>, out: &mut dyn io::Write) -> io::Result<()> {
    let mut json = Json::new(depth, out);
    value.serialize(&mut json)?;
    json.pass_on()?;
    Ok(())
}

/// What goes wrong while a value is written.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Value(String),
}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Value(text.to_string())
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            Error::Value(text) => Self::new(io::ErrorKind::InvalidData, text),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}

struct Json<'a> {
    out: &'a mut dyn io::Write,
    held: Vec<u8>,
    /// How deep the next line is indented, where there are lines.
    depth: Option<usize>,
}

impl<'a> Json<'a> {
    fn new(depth: Option<usize>, out: &'a mut dyn io::Write) -> Self {
        Self { out, held: Vec::with_capacity(BUFFER + (BUFFER >> 3)), depth }
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    fn open(&mut self, bracket: u8) {
        self.held.push(bracket);
        if let Some(depth) = &mut self.depth {
            *depth += 1;
        }
    }

    /// What stands before an item or a key. Nothing is passed on at any other place.
    fn separate(&mut self, is_first: bool) -> Result<(), Error> {
        if self.held.len() >= BUFFER {
            self.pass_on()?;
        }
        if !is_first {
            self.held.push(b',');
        }
        self.indent();
        Ok(())
    }

    fn colon(&mut self) {
        self.held.extend_from_slice(if self.depth.is_some() { b": " } else { b":" });
    }

    fn close(&mut self, bracket: u8, is_empty: bool) {
        if let Some(depth) = &mut self.depth {
            *depth -= 1;
            if !is_empty {
                self.indent();
            }
        }
        self.held.push(bracket);
    }

    fn indent(&mut self) {
        if let Some(depth) = self.depth {
            self.held.push(b'\n');
            self.held.extend(std::iter::repeat_n(b' ', 2 * depth));
        }
    }

    fn text(&mut self, text: &str) {
        self.held.reserve(text.len() + 2);
        self.held.push(b'"');
        escape(text, &mut self.held);
        self.held.push(b'"');
    }

    fn number(&mut self, number: &impl Serialize) -> Result<(), Error> {
        Ok(serde_json::to_writer(&mut self.held, number)?)
    }

    fn group(&mut self, open: u8, close: &'static [u8]) -> Group<'_, 'a> {
        self.open(open);
        Group { json: self, close, is_first: true }
    }

    /// A group that is the value of the only key of an object.
    fn variant(&mut self, name: &str, open: u8, close: &'static [u8]) -> Result<Group<'_, 'a>, Error> {
        self.open(b'{');
        self.separate(true)?;
        self.text(name);
        self.colon();
        Ok(self.group(open, close))
    }
}

/// Appends a text with escapes.
fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, after) = rest.split_at(plain(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = after.split_first() else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            byte => {
                let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        rest = after;
    }
}

/// How many bytes come before the first one that needs an escape: a control, a quotation mark or a backslash.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = bytes.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // A byte that was found may make the next ones look so too; the first is right.
        let found = (quote | backslash | control) & (ONES * 0x80);
        if found != 0 {
            return 8 * index + found.trailing_zeros() as usize / 8;
        }
    }
    let needs_escape = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    rest.iter().position(needs_escape).map_or(bytes.len(), |at| 8 * words.len() + at)
}

/// Writes the text form of a value with escapes.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text, self.0);
        Ok(())
    }
}

impl<'s, 'a> ser::Serializer for &'s mut Json<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Group<'s, 'a>;
    type SerializeTuple = Group<'s, 'a>;
    type SerializeTupleStruct = Group<'s, 'a>;
    type SerializeTupleVariant = Group<'s, 'a>;
    type SerializeMap = Group<'s, 'a>;
    type SerializeStruct = Group<'s, 'a>;
    type SerializeStructVariant = Group<'s, 'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.held.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.number(&value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.text(value);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.held.push(b'"');
        write!(Escaped(&mut self.held), "{value}").map_err(|_| Error::Value("a value without a text form".into()))?;
        self.held.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.held.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut group = self.group(b'{', b"}");
        ser::SerializeMap::serialize_entry(&mut group, variant, value)?;
        group.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Ok(self.group(b'[', b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Ok(self.group(b'[', b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Ok(self.group(b'[', b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        self.variant(variant, b'[', b"]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Ok(self.group(b'{', b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        Ok(self.group(b'{', b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        self.variant(variant, b'{', b"}}")
    }
}

/// An array or object that is being written.
struct Group<'s, 'a> {
    json: &'s mut Json<'a>,
    /// What closes it, and what closes what is around it and ends with it.
    close: &'static [u8],
    is_first: bool,
}

impl Group<'_, '_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.json.separate(self.is_first)?;
        self.is_first = false;
        value.serialize(&mut *self.json)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.json.separate(self.is_first)?;
        self.is_first = false;
        // Names of fields need no escape.
        self.json.held.push(b'"');
        self.json.held.extend_from_slice(key.as_bytes());
        self.json.held.push(b'"');
        self.json.colon();
        value.serialize(&mut *self.json)
    }

    fn close(self) {
        let mut is_empty = self.is_first;
        for bracket in self.close {
            self.json.close(*bracket, is_empty);
            is_empty = false;
        }
    }
}

/// Groups of which each item is a value alone.
macro_rules! of_items {
    ($($group:ident::$method:ident,)*) => { $(
        impl ser::$group for Group<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )* };
}

of_items! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

/// Groups of which each item has a name.
macro_rules! of_fields {
    ($($group:ident,)*) => { $(
        impl ser::$group for Group<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )* };
}

of_fields! {
    SerializeStruct,
    SerializeStructVariant,
}

impl ser::SerializeMap for Group<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.json.separate(self.is_first)?;
        self.is_first = false;
        let start = self.json.held.len();
        key.serialize(&mut *self.json)?;
        if self.json.held.get(start) != Some(&b'"') {
            return Err(Error::Value("a key that is not a text".into()));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.json.colon();
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

/// Enough that passing it on costs next to nothing, and little enough to stay near the processor.
const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::{BUFFER, all_but_the_end, compact, pretty};
    use std::io;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(Option<u8>),
        Tuple(i64, f64),
        Struct { empty: [u8; 0], text: char },
    }

    #[derive(Serialize)]
    struct All<'a> {
        text: &'a str,
        shapes: Vec<Shape>,
        map: BTreeMap<&'a str, (bool, ())>,
        nothing: BTreeMap<String, u8>,
        numbers: (i8, i16, i32, u16, u32, u64, f32),
        time: jiff::Timestamp,
    }

    fn both(value: &impl Serialize) -> [(Vec<u8>, Vec<u8>); 2] {
        let (mut in_one_line, mut indented) = (Vec::new(), Vec::new());
        compact(value, &mut in_one_line).unwrap();
        pretty(value, &mut indented).unwrap();
        [(in_one_line, serde_json::to_vec(value).unwrap()), (indented, serde_json::to_vec_pretty(value).unwrap())]
    }

    proptest! {
        #[test]
        fn writes_what_serde_json_writes(text in any::<String>(), n in any::<i64>(), x in any::<f64>(), c in any::<char>()) {
            let all = All {
                text: &text,
                shapes: vec![
                    Shape::Unit,
                    Shape::Newtype(None),
                    Shape::Newtype(Some(1)),
                    Shape::Tuple(n, x),
                    Shape::Struct { empty: [], text: c },
                ],
                map: BTreeMap::from([(text.as_str(), (true, ())), ("", (false, ()))]),
                nothing: BTreeMap::new(),
                numbers: (-1, -2, 3, 4, 5, n.unsigned_abs(), 0.1),
                time: jiff::Timestamp::UNIX_EPOCH,
            };
            for (ours, theirs) in both(&all) {
                prop_assert_eq!(String::from_utf8(ours), String::from_utf8(theirs));
            }
        }
    }

    #[test]
    fn every_byte_is_escaped_wherever_it_stands() {
        for c in (0..0x180).filter_map(char::from_u32) {
            for before in 0..20 {
                let text = format!("{}{c}{c}\u{ff}\"{}", "~".repeat(before), " ".repeat(20 - before));
                let [(ours, theirs), _] = both(&text);
                assert_eq!(ours, theirs, "{c:?} after {before}");
            }
        }
    }

    #[test]
    fn long_values_come_whole() {
        let long: Vec<String> = (0..5000).map(|n| "x".repeat(n % 100)).collect();
        for (ours, theirs) in both(&long) {
            assert!(theirs.len() > 3 * BUFFER && ours == theirs);
        }
        let mut out = Vec::new();
        let end = all_but_the_end(&long, &mut out).unwrap();
        assert_eq!(end.last(), Some(&b']'));
        assert_eq!([out, end].concat(), serde_json::to_vec(&long).unwrap());
    }

    #[test]
    fn keys_are_texts_and_errors_are_told() {
        let error = compact(&BTreeMap::from([(1, 2)]), &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "a key that is not a text");
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(pretty(&[1], &mut Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
