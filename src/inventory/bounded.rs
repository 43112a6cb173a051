//! Lists of JSON documents, of which only what is of use is kept, and no more than so many: a list of nothing takes three
//! bytes an element in a document and a hundred in memory.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Elements that are kept of a list, where nothing else is said.
pub(super) const MOST: usize = 100_000;

/// What a [`List`] may be of.
pub(super) trait Element {
    /// Whether it says something; what does not is dropped as it comes.
    fn is_of_use(&self) -> bool;
}

impl Element for String {
    fn is_of_use(&self) -> bool {
        !self.is_empty()
    }
}

impl<T: Element> Element for (String, T) {
    fn is_of_use(&self) -> bool {
        self.1.is_of_use()
    }
}

/// The first `N` elements of use of a list.
#[derive(Debug, Clone)]
pub(super) struct List<T, const N: usize = MOST> {
    pub(super) kept: Vec<T>,
    /// There were more.
    pub(super) is_cut: bool,
}

impl<T, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self { kept: Vec::new(), is_cut: false }
    }
}

impl<T: Element, const N: usize> List<T, N> {
    fn add(&mut self, element: T) {
        if !element.is_of_use() {
            return;
        }
        match self.kept.len() < N {
            true => self.kept.push(element),
            false => self.is_cut = true,
        }
    }
}

impl<'de, T: Element + Deserialize<'de>, const N: usize> Deserialize<'de> for List<T, N> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mut list = Self::default();
        input.deserialize_option(Elements(&mut list))?;
        Ok(list)
    }
}

/// The same of an object: its names and values.
#[derive(Debug)]
pub(super) struct Pairs<T, const N: usize = MOST>(pub(super) List<(String, T), N>);

impl<T, const N: usize> Default for Pairs<T, N> {
    fn default() -> Self {
        Self(List::default())
    }
}

impl<'de, T: Element + Deserialize<'de>, const N: usize> Deserialize<'de> for Pairs<T, N> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let mut pairs = Self::default();
        PairsInto(&mut pairs).deserialize(input)?;
        Ok(pairs)
    }
}

/// Puts the names and values of an object to those of others.
pub(super) struct PairsInto<'l, T, const N: usize>(pub(super) &'l mut Pairs<T, N>);

impl<'de, T: Element + Deserialize<'de>, const N: usize> DeserializeSeed<'de> for PairsInto<'_, T, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de, T: Element + Deserialize<'de>, const N: usize> Visitor<'de> for PairsInto<'_, T, N> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        while let Some(pair) = pairs.next_entry()? {
            self.0.0.add(pair);
        }
        Ok(())
    }
}

struct Elements<'l, T, const N: usize>(&'l mut List<T, N>);

impl<'de, T: Element + Deserialize<'de>, const N: usize> Visitor<'de> for Elements<'_, T, N> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            self.0.add(element);
        }
        Ok(())
    }
}

/// A text, or `null`, which some tools write for none.
pub(super) fn text<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// Bytes of a value whose form nobody promises.
const LARGEST_VALUE: usize = 64 << 10;

/// A value whose form nobody promises, such as a licence; nothing where it is too large to be one.
pub(super) fn small(raw: Option<&RawValue>) -> Value {
    let raw = raw.map(RawValue::get).filter(|raw| raw.len() <= LARGEST_VALUE);
    raw.and_then(|raw| serde_json::from_slice(raw.as_bytes()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(default)]
        list: List<String, 2>,
        #[serde(default)]
        pairs: Pairs<String, 2>,
        #[serde(borrow)]
        value: Option<&'a RawValue>,
    }

    #[test]
    fn what_is_of_no_use_is_not_kept() {
        for (document, kept, is_cut) in [
            (r#"{}"#, vec![], false),
            (r#"{"list":[]}"#, vec![], false),
            (r#"{"list":["","a","","","b",""]}"#, vec!["a", "b"], false),
            (r#"{"list":["a","b","c"]}"#, vec!["a", "b"], true),
            (r#"{"pairs":{"x":"a","y":"","z":"b","zz":""}}"#, vec!["x=a", "z=b"], false),
            (r#"{"pairs":{"x":"a","y":"b","z":"c"}}"#, vec!["x=a", "y=b"], true),
        ] {
            let found: Document<'_> = serde_json::from_slice(document.as_bytes()).expect(document);
            let pairs = found.pairs.0.kept.iter().map(|(name, value)| format!("{name}={value}"));
            let all: Vec<String> = found.list.kept.iter().cloned().chain(pairs).collect();
            assert_eq!(
                (all, found.list.is_cut || found.pairs.0.is_cut),
                (kept.iter().map(|&text| text.to_owned()).collect(), is_cut),
                "{document}"
            );
        }
        for broken in [r#"{"list":1}"#, r#"{"list":[1]}"#, r#"{"pairs":[]}"#, r#"{"list":["a""#] {
            assert!(serde_json::from_slice::<Document<'_>>(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn large_values_are_none() {
        for (value, expected) in
            [(r#"["MIT"]"#.to_owned(), true), (format!("[{}1]", "[],".repeat(LARGEST_VALUE / 3)), false)]
        {
            let document = format!(r#"{{"value":{value}}}"#);
            let found: Document<'_> = serde_json::from_slice(document.as_bytes()).expect("a document");
            assert_eq!(small(found.value).is_array(), expected, "{} bytes", value.len());
        }
    }
}
