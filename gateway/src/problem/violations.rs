//! What is wrong with one request, collected until all of it was looked at.
//!
//! One list goes through everything that looks at a request before it is done: parameters, body
//! (`contract::check`), rules of the operation (`rest::rules`). Each adds what it finds, in the order
//! in which the reference looks; only the end of the list becomes an answer. Texts are without final
//! period, which the answer adds.
//!
//! Limits: [`VIOLATIONS`] texts, each once; what comes after is not kept.

use super::Problem;
use crate::limits::VIOLATIONS;

/// Rules that a request breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Violations {
    texts: Vec<String>,
    /// A cursor that nobody handed out; said only if nothing else is wrong.
    cursor: Option<String>,
}

impl Violations {
    /// A broken rule.
    pub(crate) fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
        if self.texts.len() < VIOLATIONS && !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }

    /// What has to be there and is not.
    pub(crate) fn absent(&mut self, name: &str) {
        self.add(format!("No {name} provided"));
    }

    /// A cursor that nobody handed out.
    pub(crate) fn bad_cursor(&mut self, cursor: &str) {
        self.cursor = Some(cursor.to_owned());
    }

    /// True while nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.cursor.is_none()
    }

    /// # Errors
    /// [`Problem::Invalid`] with all that was found, else [`Problem::BadCursor`].
    pub(crate) fn end(self) -> Result<(), Problem> {
        if !self.texts.is_empty() {
            return Err(Problem::Invalid(self.texts));
        }
        match self.cursor {
            Some(cursor) => Err(Problem::BadCursor(cursor)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_said_once_and_cursors_only_alone() {
        let mut found = Violations::default();
        assert_eq!(found.clone().end(), Ok(()));
        found.bad_cursor("x");
        assert!(!found.is_empty());
        assert_eq!(found.clone().end(), Err(Problem::BadCursor("x".into())));
        found.absent("a");
        found.absent("a");
        found.add("No b provided");
        let detail = found.end().unwrap_err().detail();
        assert_eq!(detail, "No a provided. No b provided.");
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut found = Violations::default();
        for at in 0..=VIOLATIONS {
            found.absent(&at.to_string());
        }
        let Err(Problem::Invalid(texts)) = found.end() else {
            panic!("nothing was found");
        };
        assert_eq!(texts.len(), VIOLATIONS);
    }
}
