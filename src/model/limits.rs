//! What a hostile image may cost at most.

use std::time::Instant;

/// Hard limits on what is read of one image. Meeting one is a [`super::Gap`] in the report, or, where nothing can
/// be said any more, a diagnosis; it is never silent. All sizes are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Layers of one image.
    pub layers: usize,
    /// Entries of one layer's archive.
    pub entries_per_layer: u64,
    /// Length of one path.
    pub path_length: usize,
    /// Components of one path.
    pub path_depth: usize,
    /// Size of one file that an extractor has to read to its end.
    pub file_size: u64,
    /// Inflated size of one layer.
    pub layer_size: u64,
    /// Inflated divided by compressed size of one layer, judged once 1 GiB came out. DEFLATE reaches 1,032.
    pub layer_ratio: u64,
    /// Size of a manifest, an index or an image configuration.
    pub manifest_size: u64,
    /// Archives within archives, the outermost being 1.
    pub archive_depth: usize,
    /// What is read of one archive with all that are nested in it.
    pub archive_size: u64,
    /// Values within one another in a JSON document, elements in an XML document. The parser of JSON has a limit of its
    /// own: 128.
    pub document_depth: usize,
    /// Size of a bill of materials that is scanned in place of an image.
    pub sbom_size: u64,
    /// When reading has to end, where it has to. It decides how far one gets, not what is found there: what is
    /// remembered of layers does not depend on it.
    pub deadline: Option<Instant>,
}

impl Limits {
    /// Whether there is no time left.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Whether the values of a JSON document lie within one another as deep as is allowed, or less.
    ///
    /// # Errors
    /// They lie deeper; in words for people.
    pub fn check_depth(&self, json: &[u8]) -> Result<(), String> {
        let deepest = self.document_depth;
        let opens = |byte: &&u8| matches!(byte, b'{' | b'[');
        // Most documents have so few values that they cannot lie too deep.
        if json.iter().filter(opens).count() <= deepest {
            return Ok(());
        }
        let (mut depth, mut in_text, mut bytes) = (0_usize, false, json.iter());
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' => in_text = !in_text,
                b'\\' if in_text => drop(bytes.next()),
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > deepest {
                return Err(format!("its values are more than {deepest} deep"));
            }
        }
        Ok(())
    }

    /// What decides what is found in a layer; the other limits are those that nobody set.
    #[must_use]
    pub fn of_content(&self) -> Self {
        Self { deadline: None, sbom_size: Self::default().sbom_size, ..self.clone() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            layers: 512,
            entries_per_layer: 4_000_000,
            path_length: 4096,
            path_depth: 256,
            file_size: 256 << 20,
            layer_size: 64 << 30,
            layer_ratio: 200,
            manifest_size: 4 << 20,
            archive_depth: 5,
            archive_size: 1 << 30,
            document_depth: 128,
            // Documents of large images have some 20 MB.
            sbom_size: 512 << 20,
            deadline: None,
        }
    }
}

/// A limit that people may set: its name, what it limits, and how it is read and written.
struct Named {
    name: &'static str,
    about: &'static str,
    unit: Unit,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Number,
    Bytes,
}

macro_rules! named {
    ($name:literal, $unit:ident, $field:ident, $about:literal) => {
        Named {
            name: $name,
            about: $about,
            unit: Unit::$unit,
            get: |limits| limits.$field as u64,
            // What this machine cannot count is as good as no limit.
            set: |limits, value| limits.$field = value.try_into().unwrap_or(usize::MAX as _),
        }
    };
}

const NAMED: &[Named] = &[
    named!("layers", Number, layers, "layers of an image"),
    named!("entries", Number, entries_per_layer, "entries of a layer"),
    named!("path_length", Bytes, path_length, "the length of a path in a layer"),
    named!("path_depth", Number, path_depth, "the components of a path"),
    named!("file_size", Bytes, file_size, "a file that has to be read to its end: a package database, a Java archive"),
    named!("layer_size", Bytes, layer_size, "a layer, unpacked"),
    named!("layer_ratio", Number, layer_ratio, "a layer's unpacked size divided by its packed one, from 1 GiB on"),
    named!("manifest_size", Bytes, manifest_size, "a manifest, index or configuration"),
    named!("archive_depth", Number, archive_depth, "archives within archives"),
    named!("archive_size", Bytes, archive_size, "what is read of an archive with those nested in it"),
    named!(
        "document_depth",
        Number,
        document_depth,
        "values within values in a document: JSON, of which more than 128 are never read, and XML"
    ),
    named!("sbom_size", Bytes, sbom_size, "a bill of materials that is scanned in place of an image"),
];

impl Limits {
    /// The names of the limits that can be set, each with what it limits and its default for people.
    #[must_use]
    pub fn names() -> Vec<(&'static str, &'static str, String)> {
        let default = Self::default();
        NAMED.iter().map(|limit| (limit.name, limit.about, shown((limit.get)(&default), limit.unit))).collect()
    }

    /// Sets one limit, as `name=value` says: a number or a size (`512MiB`).
    ///
    /// # Errors
    /// What would be right.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let known = || NAMED.iter().map(|limit| limit.name).collect::<Vec<_>>().join(", ");
        let (name, value) = text.split_once('=').ok_or_else(|| "write for example layer_size=128GiB".to_owned())?;
        let (name, value) = (name.trim(), value.trim());
        let limit = NAMED.iter().find(|limit| limit.name == name);
        let limit = limit.ok_or_else(|| format!("there is no limit `{name}`; use {}", known()))?;
        let value = parsed(value, limit.unit).filter(|&value| value > 0).ok_or_else(|| match limit.unit {
            Unit::Number => format!("`{value}` is not a number from 1 on"),
            Unit::Bytes => format!("`{value}` is not a size; write for example 512MiB or 4GiB"),
        })?;
        (limit.set)(self, value);
        Ok(())
    }
}

const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

fn units(unit: Unit) -> &'static [(&'static str, u64)] {
    match unit {
        Unit::Number => &[],
        Unit::Bytes => &SIZES,
    }
}

fn parsed(text: &str, unit: Unit) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let factor = match suffix {
        "" => 1,
        suffix => units(unit).iter().find(|(known, _)| known.eq_ignore_ascii_case(suffix))?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn shown(value: u64, unit: Unit) -> String {
    let largest = units(unit).iter().rev().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    largest.map_or_else(|| value.to_string(), |(name, factor)| format!("{}{name}", value / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_name() {
        let mut limits = Limits::default();
        for text in ["layer_size=128GiB", " entries = 10000000", "path_length=100", "layers=7", "file_size=1kib"] {
            limits.set(text).expect(text);
        }
        let expected = Limits {
            layer_size: 128 << 30,
            entries_per_layer: 10_000_000,
            path_length: 100,
            layers: 7,
            file_size: 1024,
            ..Limits::default()
        };
        assert_eq!(limits, expected);
        for (wrong, words) in [
            ("layer_size", "write for example"),
            ("layer_sise=1", "there is no limit `layer_sise`; use layers, entries"),
            ("layers=many", "not a number"),
            ("layers=0", "not a number from 1 on"),
            ("layers=1GiB", "not a number"),
            ("layer_size=1h", "not a size"),
            ("layer_size=99999999999TiB", "not a size"),
        ] {
            let error = limits.set(wrong).expect_err(wrong);
            assert!(error.contains(words), "{wrong}: {error}");
        }
        assert_eq!(limits, expected, "what is wrong changes nothing");
    }

    #[test]
    fn the_depth_of_a_document_is_limited() {
        let limits = Limits { document_depth: 2, ..Limits::default() };
        for (document, expected) in [
            ("1", true),
            ("[[1]]", true),
            ("[[1],[2],{},{}]", true),
            (r#"{"a":["[[[{","\"[[["]}"#, true),
            ("[[[", false),
            ("[[[]]]", false),
            (r#"{"a":[{}]}"#, false),
            (r#"["\\",["#, true),
            (r#"["\\",[["#, false),
            ("]]]][[", true),
        ] {
            assert_eq!(limits.check_depth(document.as_bytes()).is_ok(), expected, "{document}");
        }
        let error = Limits::default().check_depth("[".repeat(129).as_bytes()).expect_err("too deep");
        assert_eq!(error, "its values are more than 128 deep");
    }

    /// What is shown of a default is read as that default.
    #[test]
    fn every_limit_has_a_name_and_its_default_is_written_as_it_is_read() {
        let mut limits = Limits {
            layers: 1,
            entries_per_layer: 1,
            path_length: 1,
            path_depth: 1,
            file_size: 1,
            layer_size: 1,
            layer_ratio: 1,
            manifest_size: 1,
            archive_depth: 1,
            archive_size: 1,
            document_depth: 1,
            sbom_size: 1,
            deadline: None,
        };
        for (name, _, default) in Limits::names() {
            limits.set(&format!("{name}={default}")).expect(name);
        }
        assert_eq!(limits, Limits::default());
    }
}
