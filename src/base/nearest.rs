//! "Did you mean": the known word that a mistyped one is nearest to.

/// Longest word for which a known one is looked for, in bytes: nothing longer is a slip of the finger, and comparing
/// costs time and memory by its length.
const MISTYPED_BYTES: usize = 64;

/// The known word nearest to a mistyped one, if one is near enough to be meant: a third of its letters may be wrong,
/// and one in a short word.
pub fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    if found.len() > MISTYPED_BYTES {
        return None;
    }
    let found = found.to_ascii_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&found, word);
    let near = known.iter().copied().min_by_key(|word| distance(word))?;
    (distance(near) <= (near.len() / 3).max(1)).then_some(near)
}

/// The end of an error message about an unknown word: `; did you mean ...?` for the [`nearest`] of the known ones;
/// empty where none is near.
pub fn did_you_mean(found: &str, known: &[&str]) -> String {
    nearest(found, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_offered() {
        let known = ["port", "address", "log_level"];
        assert_eq!(nearest("prot", &known), Some("port"));
        assert_eq!(nearest("PORT", &known), Some("port"));
        assert_eq!(nearest("loglevle", &known), Some("log_level"));
        assert_eq!((nearest("camera", &known), nearest("port", &[])), (None, None));
        assert_eq!(nearest(&"port".repeat(20), &known), None);
        assert_eq!(did_you_mean("adress", &known), "; did you mean `address`?");
        assert_eq!(did_you_mean("camera", &known), "");
    }
}
