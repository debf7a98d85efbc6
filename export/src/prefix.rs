//! A prefix of all tables, so that several clusters can share one database.
//!
//! Statements are written without it; the last step before the database puts it in front of every
//! table and index of ours. Tables are found by where they stand (behind FROM, JOIN, INTO and the
//! like, or in front of a dot), not by their name alone: columns may be called as tables are. Texts
//! in quotes, comments and what is bound are never touched.
//!
//! A prefix is a setting, but ends up in SQL text: [`Prefix::new`] takes letters, digits and
//! underscores only, so nothing but a name can come of it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::ConfigError;
use crate::schema::{ListTable, Table};

/// Most characters of a prefix: with it, the longest name still fits PostgreSQL's 63.
pub const PREFIX_CHARS_MAX: usize = 24;
/// Tables that are not rows of records.
const OTHERS: [&str; 4] = [
    "exporter_position",
    "exporter_error",
    "exporter_phase",
    MIGRATIONS,
];
/// Where the migrations that have run are noted.
pub(crate) const MIGRATIONS: &str = "_sqlx_migrations";
/// How the names of all our indexes begin.
const INDEX: &str = "idx_";

/// Stands in front of all names of tables and indexes; usually empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Prefix(Option<Arc<str>>);

impl std::fmt::Debug for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Prefix {
    /// No prefix.
    pub const NONE: Self = Self(None);

    /// A prefix of letters, digits and underscores that does not begin with a digit; empty = none.
    ///
    /// # Errors
    /// [`ConfigError`] for anything else.
    pub fn new(text: &str) -> Result<Self, ConfigError> {
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let digit = text.starts_with(|c: char| c.is_ascii_digit());
        if digit || text.len() > PREFIX_CHARS_MAX || !text.chars().all(allowed) {
            return Err(ConfigError::Prefix {
                prefix: text.to_owned(),
            });
        }
        Ok(Self(Some(Arc::from(text))))
    }

    /// The prefix itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// `name` with the prefix.
    #[must_use]
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.as_str())
    }

    /// A statement with the prefix in front of its tables and indexes.
    #[must_use]
    pub(crate) fn apply<'s>(&self, sql: &'s str) -> Cow<'s, str> {
        match &self.0 {
            None => Cow::Borrowed(sql),
            Some(prefix) => Cow::Owned(rewritten(sql, prefix)),
        }
    }
}

fn rewritten(sql: &str, prefix: &str) -> String {
    let bytes = sql.as_bytes();
    let mut out = String::with_capacity(sql.len() + 16 * prefix.len());
    // The last two words: what stands before a name says whether it is a table's.
    let (mut before, mut last) = ("", "");
    let mut at = 0;
    let mut copied = 0;
    while at < bytes.len() {
        let from = at;
        match bytes[at] {
            quote @ (b'\'' | b'"' | b'`') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += 1;
                }
                at += 1;
                (before, last) = (last, "");
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_') {
                    at += 1;
                }
                let word = &sql[from..at];
                let qualified = from > 0 && bytes[from - 1] == b'.';
                let qualifies = bytes.get(at) == Some(&b'.');
                let ours = word.starts_with(INDEX)
                    || (is_table(word) && (qualifies || names_table(before, last)));
                if ours && !qualified {
                    out.push_str(&sql[copied..from]);
                    out.push_str(prefix);
                    copied = from;
                }
                (before, last) = (last, word);
            }
            byte => {
                at += 1;
                if !byte.is_ascii_whitespace() {
                    (before, last) = (last, "");
                }
            }
        }
    }
    out.push_str(&sql[copied..]);
    out
}

/// Whether a table is named behind these two words.
fn names_table(before: &str, last: &str) -> bool {
    const BEFORE_TABLES: [&str; 7] = [
        "FROM",
        "JOIN",
        "STRAIGHT_JOIN",
        "INTO",
        "TABLE",
        "EXISTS",
        "ON",
    ];
    let is = |word: &str, text: &str| word.eq_ignore_ascii_case(text);
    // `ON DUPLICATE KEY UPDATE column = ...` names no table.
    BEFORE_TABLES.iter().any(|word| is(last, word)) || (is(last, "UPDATE") && !is(before, "KEY"))
}

fn is_table(word: &str) -> bool {
    OTHERS.contains(&word)
        || Table::ALL.iter().any(|table| table.name() == word)
        || ListTable::ALL.iter().any(|list| list.names().0 == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(sql: &str) -> String {
        Prefix::new("c8_").unwrap().apply(sql).into_owned()
    }

    #[test]
    fn only_names_are_prefixes() {
        for text in ["a", "C8_", "_x9", "a23456789012345678901234"] {
            assert_eq!(Prefix::new(text).unwrap().as_str(), text);
        }
        assert_eq!(Prefix::new("").unwrap(), Prefix::NONE);
        for text in [
            "1a",
            "a-b",
            "a.b",
            "a b",
            "a;DROP TABLE job;--",
            "a'",
            "\u{e9}",
            "a2345678901234567890123456",
        ] {
            assert!(Prefix::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tables_get_it_and_nothing_else_does() {
        for (sql, expected) in [
            (
                "SELECT t.state FROM job t LEFT JOIN process_instance i ON i.job = t.job",
                "SELECT t.state FROM c8_job t LEFT JOIN c8_process_instance i ON i.job = t.job",
            ),
            (
                "INSERT INTO candidate_user (user_task_key, candidate_user) VALUES (?, ?)",
                "INSERT INTO c8_candidate_user (user_task_key, candidate_user) VALUES (?, ?)",
            ),
            (
                "INSERT INTO form (version) VALUES (1) ON CONFLICT (version) \
                 DO UPDATE SET version = form.version + excluded.version",
                "INSERT INTO c8_form (version) VALUES (1) ON CONFLICT (version) \
                 DO UPDATE SET version = c8_form.version + excluded.version",
            ),
            (
                "INSERT INTO candidate_user (a) VALUES (1) \
                 ON DUPLICATE KEY UPDATE candidate_user = candidate_user",
                "INSERT INTO c8_candidate_user (a) VALUES (1) \
                 ON DUPLICATE KEY UPDATE candidate_user = candidate_user",
            ),
            (
                "UPDATE variable SET tenant = 1",
                "UPDATE c8_variable SET tenant = 1",
            ),
            (
                "SELECT x AS tenant, 'FROM job' FROM \"job\"",
                "SELECT x AS tenant, 'FROM job' FROM \"job\"",
            ),
            (
                "SELECT 1 FROM (SELECT 2 FROM tenant) job",
                "SELECT 1 FROM (SELECT 2 FROM c8_tenant) job",
            ),
            (
                "CREATE INDEX IF NOT EXISTS idx_job_5 ON job (type, state); -- FROM job\nDROP INDEX IF EXISTS idx_a",
                "CREATE INDEX IF NOT EXISTS c8_idx_job_5 ON c8_job (type, state); -- FROM job\nDROP INDEX IF EXISTS c8_idx_a",
            ),
            (
                "CREATE TABLE IF NOT EXISTS exporter_position (job BIGINT)",
                "CREATE TABLE IF NOT EXISTS c8_exporter_position (job BIGINT)",
            ),
            ("FOR UPDATE", "FOR UPDATE"),
        ] {
            assert_eq!(with(sql), expected);
            assert_eq!(Prefix::NONE.apply(sql), sql);
        }
    }
}
