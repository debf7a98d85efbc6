//! Patterns of clients (`*` any run, `?` one character, `\` escapes) in the words of each database.
//!
//! PostgreSQL and MySQL get LIKE, whose own wildcards are escaped; not with a backslash in MySQL, where
//! the mode of the session decides what that is in a literal. SQLite's LIKE ignores case, so it gets
//! GLOB, whose wildcards are the client's but whose escapes are brackets. Case is folded on both
//! sides where a field asks for it.

use super::statement::{Bind, Statement};
use crate::database::Dialect;

/// One unit of a client's pattern.
enum Unit {
    Run,
    One,
    Char(char),
}

fn units(pattern: &str) -> impl Iterator<Item = Unit> {
    let mut chars = pattern.chars();
    std::iter::from_fn(move || {
        Some(match chars.next()? {
            '*' => Unit::Run,
            '?' => Unit::One,
            // A lone backslash at the end stands for itself.
            '\\' => Unit::Char(chars.next().unwrap_or('\\')),
            other => Unit::Char(other),
        })
    })
}

/// Appends the condition that the text `sql` fits a client's pattern.
pub(crate) fn like(out: &mut Statement, sql: &str, pattern: &str, fold_case: bool) {
    let mut text = String::with_capacity(pattern.len() + 8);
    for unit in units(pattern) {
        match (out.dialect, unit) {
            (Dialect::Postgres | Dialect::Mysql, Unit::Run) => text.push('%'),
            (Dialect::Postgres | Dialect::Mysql, Unit::One) => text.push('_'),
            (Dialect::Postgres, Unit::Char(c @ ('%' | '_' | '\\'))) => {
                text.push('\\');
                text.push(c);
            }
            (Dialect::Mysql, Unit::Char(c @ ('%' | '_' | '!'))) => {
                text.push('!');
                text.push(c);
            }
            (Dialect::Sqlite, Unit::Run) => text.push('*'),
            (Dialect::Sqlite, Unit::One) => text.push('?'),
            (Dialect::Sqlite, Unit::Char(c @ ('*' | '?' | '['))) => {
                text.push('[');
                text.push(c);
                text.push(']');
            }
            (Dialect::Postgres | Dialect::Mysql | Dialect::Sqlite, Unit::Char(c)) => text.push(c),
        }
    }
    let (open, close) = if fold_case { ("LOWER(", ")") } else { ("", "") };
    out.push(open);
    out.push(sql);
    out.push(close);
    out.push(match out.dialect {
        Dialect::Postgres | Dialect::Mysql => " LIKE ",
        Dialect::Sqlite => " GLOB ",
    });
    out.push(open);
    out.bind(Bind::Text(text));
    out.push(close);
    out.push(match out.dialect {
        Dialect::Postgres => " ESCAPE '\\'",
        Dialect::Mysql => " ESCAPE '!'",
        Dialect::Sqlite => "",
    });
}
