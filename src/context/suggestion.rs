//! The name that somebody probably meant.

/// The nearest of the known names, with its distance (insertions, deletions, replacements). The first of equals.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    let wanted: String = wanted.chars().take(LONGEST).collect();
    known.into_iter().map(|name| (name, distance(name, &wanted))).min_by_key(|(_, distance)| *distance)
}

/// Levenshtein distance of two short names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (above + 1).min(left + 1).min(diagonal + usize::from(x != *y));
            *cell = left;
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_name() {
        for (wanted, expected) in
            [("sevrity", ("severity", 1)), ("image", ("images", 1)), ("kev", ("kev", 0)), ("", ("kev", 3))]
        {
            assert_eq!(nearest(wanted, ["severity", "images", "kev"]), Some(expected), "{wanted}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
