//! How long ids, names and types of jobs may be.
//!
//! The limits are the defaults of Camunda's engine (`max-id-length`, `max-name-length`,
//! `max-worker-type-length`); characters are counted as Java counts them, in units of UTF-16. Files of
//! a deployment are refused, names that expressions give become incidents.

/// Characters of an id.
pub(crate) const ID_MAX: usize = 32_768;
/// Characters of a name.
pub(crate) const NAME_MAX: usize = 32_768;
/// Characters of the type of a job as the model says it.
pub(crate) const WORKER_TYPE_MAX: usize = 32_768;

/// Whether `text` has more than `max` characters.
pub(crate) fn is_longer(text: &str, max: usize) -> bool {
    // No text has more units than bytes.
    text.len() > max && text.encode_utf16().count() > max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_counted_and_not_bytes() {
        assert!(!is_longer("aa", 2));
        assert!(is_longer("aaa", 2));
        assert!(!is_longer("\u{e4}\u{e4}", 2));
        assert!(is_longer("\u{1f600}a", 2));
    }
}
