//! Source text to tree: scannerless recursive descent with ordered choice.
//!
//! There are no tokens, because what a run of characters is depends on where it stands: `x in (1)`
//! ends the name before `in`, `date and time(...)` does not end it before `and`, and a context key
//! takes nearly anything up to its colon. Each function below either reads its construct and moves
//! on, or gives `None` and leaves the position where it was; alternatives are tried in the order in
//! which the reference tries them. No variable names are needed: names never contain blanks or
//! operators outside of backquotes.
//!
//! | limit | value | why |
//! |---|---|---|
//! | [`MAX_SOURCE`] | 64 KiB | one expression in a model |
//! | [`MAX_DEPTH`] | 150 | parser and evaluator recurse with the nesting |
//! | attempts | 64 per character | trying alternatives may take exponential time |

mod grammar;
mod terminal;
mod test;

use super::ast::{Expr, Test};

/// Longest source in bytes.
const MAX_SOURCE: usize = 64 * 1024;

/// Deepest nesting of brackets and other constructs that contain expressions.
const MAX_DEPTH: u32 = 150;

/// Attempts to read an expression that are allowed per character of the source.
const ATTEMPTS_PER_BYTE: u32 = 64;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// What is wrong, in the words of the reference, with the source (shortened if it is long).
    pub message: String,
    /// Byte offset of the place up to which the source makes sense.
    pub offset: usize,
}

/// What may follow the part that was read last, as the reference lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tail {
    /// A value: it may be compared.
    Value,
    /// The right side of a comparison.
    Operand,
    /// A test of the implicit input.
    Test,
    /// The name of a type.
    TypeName,
}

impl Tail {
    fn operators(self) -> &'static str {
        match self {
            Self::Value => "binaryComparison | between | instanceOf | in | ",
            Self::Operand => r#"path | filter | "**" | [*/] | [+\\-] | "#,
            Self::Test => "",
            Self::TypeName => r#""." | "#,
        }
    }
}

/// Parses a whole expression.
pub(super) fn expression(source: &str) -> Result<Expr, ParseError> {
    parse(source, Entry::Expression, Parser::expression)
}

/// Parses a whole list of unary tests, a negation of such, or `-`.
pub(super) fn unary_tests(source: &str) -> Result<Expr, ParseError> {
    parse(source, Entry::UnaryTests, Parser::unary_tests)
}

/// What a source is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Expression,
    UnaryTests,
}

fn parse<'s>(
    source: &'s str,
    entry: Entry,
    rule: impl FnOnce(&mut Parser<'s>) -> Option<Expr>,
) -> Result<Expr, ParseError> {
    if source.len() > MAX_SOURCE {
        let reason = format!("the expression is longer than {MAX_SOURCE} bytes");
        return Err(error(source, MAX_SOURCE, &reason));
    }
    let mut parser = Parser {
        source,
        at: 0,
        depth: 0,
        attempts: ATTEMPTS_PER_BYTE * (source.len() as u32 + 16),
        tail: Tail::Value,
        refusal: None,
    };
    let parsed = rule(&mut parser);
    parser.blank();
    if let Some(refusal) = parser.refusal {
        return Err(match refusal {
            Refusal::Limit(limit) => error(source, parser.at, limit),
            Refusal::Comment => {
                let expected = expected(source, source.len(), "\"*/\"");
                error(source, source.len(), &expected)
            }
            Refusal::External => ParseError {
                message: format!(
                    "validation of expression '{}' failed: External functions are disabled. Use \
                     the FunctionProvider SPI (recommended) or enable external function in the \
                     configuration.",
                    shown(source)
                ),
                offset: parser.at,
            },
        });
    }
    let offset = parser.at;
    let list = match (parsed, entry) {
        (Some(expr), _) if offset == source.len() => return Ok(expr),
        (Some(_), Entry::Expression) => format!(
            r#"({}"and" | "or" | end-of-input)"#,
            parser.tail.operators()
        ),
        (Some(expr), Entry::UnaryTests) => {
            let simple = matches!(expr, Expr::Test(Test::Compare(..) | Test::InRange(_)));
            let connected = if simple { "" } else { r#""and" | "or" | "# };
            let operators = parser.tail.operators();
            format!(r#"({operators}{connected}"," | end-of-input)"#)
        }
        (None, Entry::Expression) if offset == 0 => {
            "(start-of-input | ifOp | forOp | quantifiedOp | disjunction)".to_owned()
        }
        (None, Entry::Expression) => "(ifOp | forOp | quantifiedOp | disjunction)".to_owned(),
        (None, Entry::UnaryTests) if offset == 0 => {
            "(start-of-input | negation | positiveUnaryTests | anyInput)".to_owned()
        }
        (None, Entry::UnaryTests) => "(negation | positiveUnaryTests | anyInput)".to_owned(),
    };
    Err(error(source, offset, &expected(source, offset, &list)))
}

/// What could have stood at a place, which place that is, and what stands there.
fn expected(source: &str, offset: usize, list: &str) -> String {
    let before = &source[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].encode_utf16().count() + 1;
    let mut found = String::new();
    for c in source[offset..].chars().take(10) {
        match c {
            '"' => found.push_str("\\\""),
            '\\' => found.push_str("\\\\"),
            '\n' => found.push_str("\\n"),
            '\r' => found.push_str("\\r"),
            '\t' => found.push_str("\\t"),
            ' '..='~' => found.push(c),
            _ => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| found.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    format!("Expected {list}:{line}:{column}, found \"{found}\"")
}

fn error(source: &str, offset: usize, reason: &str) -> ParseError {
    ParseError {
        message: format!("failed to parse expression '{}': {reason}", shown(source)),
        offset,
    }
}

fn shown(source: &str) -> String {
    const SHOWN: usize = 4000;
    source.chars().take(SHOWN).collect()
}

/// Why a source is not read to its end.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    Limit(&'static str),
    /// A comment is not closed.
    Comment,
    /// A function of the host is called for.
    External,
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    depth: u32,
    attempts: u32,
    /// What the part that was read last may be followed by.
    tail: Tail,
    /// Ends all further attempts.
    refusal: Option<Refusal>,
}

impl<'s> Parser<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn refuse<T>(&mut self, refusal: Refusal) -> Option<T> {
        self.refusal.get_or_insert(refusal);
        None
    }

    /// Runs a rule, and goes back if it fails.
    fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let result = rule(self);
        if result.is_none() {
            self.at = start;
        }
        result
    }

    /// Runs a rule one level deeper.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.refusal.is_some() {
            return None;
        }
        if self.depth == MAX_DEPTH {
            return self.refuse(Refusal::Limit("the expression is nested too deeply"));
        }
        self.attempts = match self.attempts.checked_sub(1) {
            Some(left) => left,
            None => return self.refuse(Refusal::Limit("the expression is too complex")),
        };
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    /// Passes over blanks and comments.
    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let text = rest.trim_start_matches(is_blank);
            self.at += rest.len() - text.len();
            let comment = if text.starts_with("//") {
                text.find('\n').map_or(text.len(), |end| end + 1)
            } else if let Some(inner) = text.strip_prefix("/*") {
                match inner.find("*/") {
                    Some(end) => end + 4,
                    None => {
                        self.at = self.source.len();
                        self.refuse::<()>(Refusal::Comment);
                        return;
                    }
                }
            } else {
                return;
            };
            self.at += comment;
        }
    }

    /// Blanks, then exactly this text.
    fn symbol(&mut self, symbol: &str) -> Option<()> {
        self.blank();
        if self.rest().starts_with(symbol) {
            self.at += symbol.len();
            Some(())
        } else {
            None
        }
    }

    /// Blanks, then this word. As in the reference, a longer word may begin with it: where an
    /// operator may stand, `orx` is `or x`.
    fn keyword(&mut self, word: &str) -> Option<()> {
        self.symbol(word)
    }

    /// Rules separated by commas, at least one. A comma with nothing behind it is left alone.
    fn separated<T>(&mut self, mut rule: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![rule(self)?];
        while let Some(item) = self.attempt(|p| {
            p.symbol(",")?;
            rule(p)
        }) {
            items.push(item);
        }
        Some(items)
    }

    /// Letters, digits and the like that are no reserved word.
    fn identifier(&mut self) -> Option<&'s str> {
        let rest = self.rest();
        let len = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        let word = &rest[..len];
        if !word.starts_with(is_name_start) || RESERVED.contains(&word) {
            return None;
        }
        self.at += len;
        Some(word)
    }

    /// A plain identifier, or anything between backquotes.
    fn name(&mut self) -> Option<&'s str> {
        self.blank();
        if let Some(quoted) = self.rest().strip_prefix('`') {
            let len = quoted.find('`').filter(|len| *len > 0)?;
            self.at += len + 2;
            return Some(&quoted[..len]);
        }
        self.identifier()
    }

    /// Two or more identifiers with single-line spaces between them.
    fn spaced_name(&mut self) -> Option<&'s str> {
        self.blank();
        self.attempt(|p| {
            let start = p.at;
            p.identifier()?;
            let mut end = None;
            while p.attempt(|p| p.spaces_and_identifier()).is_some() {
                end = Some(p.at);
            }
            Some(&p.source[start..end?])
        })
    }

    fn spaces_and_identifier(&mut self) -> Option<()> {
        let rest = self.rest();
        let text = rest.trim_start_matches(' ');
        if text.len() == rest.len() {
            return None;
        }
        self.at += rest.len() - text.len();
        self.identifier().map(|_| ())
    }

    /// What stands between double quotes, escapes untouched.
    fn quoted(&mut self) -> Option<&'s str> {
        self.blank();
        let inner = self.rest().strip_prefix('"')?;
        let bytes = inner.as_bytes();
        let mut at = 0;
        while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..)?) {
            at += found;
            if bytes[at] == b'"' {
                self.at += at + 2;
                return Some(&inner[..at]);
            }
            at += 2;
        }
        None
    }
}

/// Words that are no names. Others with a meaning (`if`, `for`, `some`) are names where that meaning
/// makes no sense.
const RESERVED: [&str; 11] = [
    "null",
    "true",
    "false",
    "function",
    "in",
    "return",
    "then",
    "else",
    "satisfies",
    "and",
    "or",
];

fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{9}'..='\u{d}' | ' ' | '\u{85}' | '\u{a0}' | '\u{1680}' | '\u{180e}'
        | '\u{2000}'..='\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}'
        | '\u{3000}' | '\u{feff}')
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$' | '\u{a2}'..='\u{a5}' | '\u{20a0}'..='\u{20c0}')
}

fn is_name_part(c: char) -> bool {
    is_name_start(c) || c.is_numeric()
}
