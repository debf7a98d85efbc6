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

use super::ast::Expr;

/// Longest source in bytes.
const MAX_SOURCE: usize = 64 * 1024;

/// Deepest nesting of brackets and other constructs that contain expressions.
const MAX_DEPTH: u32 = 150;

/// Attempts to read an expression that are allowed per character of the source.
const ATTEMPTS_PER_BYTE: u32 = 64;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to parse expression '{expression}': {reason} at line {line}, column {column}")]
pub struct ParseError {
    /// The source, shortened if it is long.
    pub expression: String,
    pub reason: String,
    /// Byte offset of the place up to which the source makes sense.
    pub offset: usize,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// Parses a whole expression.
pub(super) fn expression(source: &str) -> Result<Expr, ParseError> {
    parse(source, Parser::expression)
}

/// Parses a whole list of unary tests, a negation of such, or `-`.
pub(super) fn unary_tests(source: &str) -> Result<Expr, ParseError> {
    parse(source, Parser::unary_tests)
}

fn parse<'s>(
    source: &'s str,
    rule: impl FnOnce(&mut Parser<'s>) -> Option<Expr>,
) -> Result<Expr, ParseError> {
    if source.len() > MAX_SOURCE {
        let reason = format!("the expression is longer than {MAX_SOURCE} bytes");
        return Err(error(source, MAX_SOURCE, reason));
    }
    let mut parser = Parser {
        source,
        at: 0,
        depth: 0,
        attempts: ATTEMPTS_PER_BYTE * (source.len() as u32 + 16),
        furthest: 0,
        refusal: None,
    };
    let parsed = rule(&mut parser).filter(|_| {
        parser.blank();
        parser.reached();
        parser.at == source.len()
    });
    match parsed {
        Some(expr) if parser.refusal.is_none() => Ok(expr),
        _ => {
            let offset = parser.furthest;
            let reason = match parser.refusal {
                Some(refusal) => refusal.to_owned(),
                None => match source[offset..].chars().next() {
                    Some(found) => format!("unexpected '{found}'"),
                    None => "unexpected end".to_owned(),
                },
            };
            Err(error(source, offset, reason))
        }
    }
}

fn error(source: &str, offset: usize, reason: String) -> ParseError {
    const SHOWN: usize = 1000;
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    ParseError {
        expression: source.chars().take(SHOWN).collect(),
        reason,
        offset,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

struct Parser<'s> {
    source: &'s str,
    at: usize,
    depth: u32,
    attempts: u32,
    /// How far any alternative came.
    furthest: usize,
    /// A limit that was hit; ends all further attempts.
    refusal: Option<&'static str>,
}

impl<'s> Parser<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn reached(&mut self) {
        self.furthest = self.furthest.max(self.at);
    }

    fn refuse<T>(&mut self, refusal: &'static str) -> Option<T> {
        self.refusal.get_or_insert(refusal);
        None
    }

    /// Runs a rule, and goes back if it fails.
    fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let result = rule(self);
        if result.is_none() {
            self.reached();
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
            return self.refuse("the expression is nested too deeply");
        }
        self.attempts = match self.attempts.checked_sub(1) {
            Some(left) => left,
            None => return self.refuse("the expression is too complex"),
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
                        self.refuse::<()>("a comment is not closed");
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
            self.reached();
            None
        }
    }

    /// Blanks, then this word and nothing that would make it part of a longer one.
    fn keyword(&mut self, word: &str) -> Option<()> {
        self.blank();
        let rest = self.rest();
        let after = rest.strip_prefix(word);
        if after.is_some_and(|after| !after.starts_with(is_name_part)) {
            self.at += word.len();
            Some(())
        } else {
            self.reached();
            None
        }
    }

    /// Rules separated by commas, at least one.
    fn separated<T>(&mut self, mut rule: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![rule(self)?];
        while self.attempt(|p| p.symbol(",")).is_some() {
            items.push(rule(self)?);
        }
        Some(items)
    }

    /// Letters, digits and the like that are no reserved word.
    fn identifier(&mut self) -> Option<&'s str> {
        let rest = self.rest();
        let len = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        let word = &rest[..len];
        if !word.starts_with(is_name_start) || RESERVED.contains(&word) {
            self.reached();
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
        self.reached();
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
