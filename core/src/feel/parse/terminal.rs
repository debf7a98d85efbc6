//! What cannot be taken apart by operators: literals, names, calls, brackets.
//!
//! Order matters: a temporal with a constant text is read before calls, calls before variables,
//! variables before the literals, whose words are reserved.

use crate::feel::ast::{Arguments, Call, Expr};
use crate::feel::builtin;
use crate::feel::number::Dec;
use crate::feel::temporal::parse::{self as temporal, Temporal};

use super::Parser;

impl Parser<'_> {
    pub(super) fn terminal(&mut self) -> Option<Expr> {
        self.blank();
        match self.peek()? {
            '0'..='9' => self.number(),
            '-' | '.' => self.attempt(Self::number),
            '"' => Some(Expr::String(unescape(self.quoted()?).into())),
            '@' => self.attempt(|p| {
                p.at += 1;
                let text = p.quoted()?;
                Some(temporal::temporal(text).map_or(Expr::Null, Expr::Temporal))
            }),
            '?' => {
                self.at += 1;
                Some(Expr::Input)
            }
            '(' => self.attempt(Self::parenthesis),
            '[' => self.attempt(Self::list),
            '{' => self.attempt(Self::context),
            _ => self.word(),
        }
    }

    fn number(&mut self) -> Option<Expr> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix('-').unwrap_or(rest);
        let count = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = count(unsigned);
        let fraction = unsigned[whole..].strip_prefix('.').map_or(0, count);
        if whole + fraction == 0 {
            return None;
        }
        let len = whole + if fraction > 0 { fraction + 1 } else { 0 };
        let text = &rest[..rest.len() - unsigned.len() + len];
        self.at += text.len();
        Dec::parse(text).map(Expr::Number)
    }

    /// An expression in parentheses, or a range that begins with one.
    fn parenthesis(&mut self) -> Option<Expr> {
        self.at += 1;
        let inner = self.expression()?;
        self.symbol(")").map(|()| inner)
    }

    fn list(&mut self) -> Option<Expr> {
        self.at += 1;
        let items = self
            .attempt(|p| p.separated(Self::expression))
            .unwrap_or_default();
        self.symbol("]")?;
        Some(Expr::List(items.into()))
    }

    fn context(&mut self) -> Option<Expr> {
        self.at += 1;
        if self.attempt(|p| p.symbol("}")).is_some() {
            return Some(Expr::Context(Box::default()));
        }
        let entries = self.separated(|p| {
            let key = p.context_key()?;
            p.symbol(":")?;
            Some((key, p.expression()?))
        })?;
        self.symbol("}")?;
        Some(Expr::Context(entries.into()))
    }

    /// Nearly any characters up to the colon, or a name or text in quotes.
    fn context_key(&mut self) -> Option<Box<str>> {
        self.blank();
        let rest = self.rest();
        let end = rest
            .find(['"', '{', '}', ':', ',', '[', ']', '`'])
            .unwrap_or(rest.len());
        let key = rest[..end].trim_end_matches(super::is_blank);
        if !key.is_empty() {
            self.at += key.len();
            return Some(key.into());
        }
        match self.peek()? {
            '"' => self.quoted().map(Into::into),
            _ => self.name().map(Into::into),
        }
    }

    fn word(&mut self) -> Option<Expr> {
        if let Some(expr) = self
            .attempt(Self::temporal)
            .or_else(|| self.attempt(Self::call))
        {
            return Some(expr);
        }
        if let Some(expr) = self.attempt(Self::variable) {
            return Some(expr);
        }
        if self.attempt(|p| p.keyword("null")).is_some() {
            return Some(Expr::Null);
        }
        for value in [true, false] {
            if self
                .attempt(|p| p.keyword(if value { "true" } else { "false" }))
                .is_some()
            {
                return Some(Expr::Bool(value));
            }
        }
        self.attempt(Self::function)
    }

    /// A temporal function on a constant text is a constant.
    fn temporal(&mut self) -> Option<Expr> {
        type Read = fn(&str) -> Option<Temporal>;
        const READERS: [(&str, Read); 4] = [
            ("duration", temporal::duration),
            ("date and time", temporal::date_time),
            ("date", |text| temporal::date(text).map(Temporal::Date)),
            ("time", temporal::time),
        ];
        for (name, read) in READERS {
            let text = self.attempt(|p| {
                p.keyword(name)?;
                p.symbol("(")?;
                let text = p.quoted()?;
                p.symbol(")").map(|()| text)
            });
            if let Some(text) = text {
                return Some(read(text).map_or(Expr::Null, Expr::Temporal));
            }
        }
        None
    }

    fn call(&mut self) -> Option<Expr> {
        /// Names of functions that contain a reserved word, and so are no names elsewhere.
        const WITH_RESERVED: [&str; 5] = [
            "and",
            "or",
            "date and time",
            "years and months duration",
            "get or else",
        ];
        let mut path = Vec::new();
        let reserved = WITH_RESERVED.into_iter().find(|name| {
            let start = self.at;
            let found = self.keyword(name).is_some() && self.attempt(|p| p.symbol("(")).is_some();
            if !found {
                self.at = start;
            }
            found
        });
        let name = match reserved {
            Some(name) => name,
            None => {
                // `x between (1)` is no call of a function of that name.
                let spaced = self.attempt(|p| {
                    let name = p.spaced_name().filter(|name| !name.ends_with(" between"))?;
                    p.symbol("(").map(|()| name)
                });
                match spaced {
                    Some(name) => name,
                    None => {
                        let mut last = self.name()?;
                        while self.attempt(|p| p.symbol(".")).is_some() {
                            path.push(last);
                            last = self.property()?;
                        }
                        self.symbol("(")?;
                        last
                    }
                }
            }
        };
        let arguments = self.arguments()?;
        self.symbol(")")?;
        let mut path = path.into_iter().map(Into::into);
        let path = path
            .next()
            .map(|first| Expr::Variable(first, path.collect()));
        let builtin = if path.is_some() {
            None
        } else {
            builtin::find(name, &arguments)
        };
        Some(Expr::Call(Box::new(Call {
            path,
            name: name.into(),
            arguments,
            builtin,
        })))
    }

    fn arguments(&mut self) -> Option<Arguments> {
        self.blank();
        if self.peek() == Some(')') {
            return Some(Arguments::Positional(Box::default()));
        }
        let named = self.attempt(|p| {
            p.separated(|p| {
                let name = p.parameter()?.into();
                p.symbol(":")?;
                Some((name, p.argument()?))
            })
        });
        match named {
            Some(named) => Some(Arguments::Named(named.into())),
            None => Some(Arguments::Positional(
                self.separated(Self::argument)?.into(),
            )),
        }
    }

    /// An expression; a range stands for itself here and not for a test.
    fn argument(&mut self) -> Option<Expr> {
        match self.attempt(Self::range) {
            Some(range) => Some(Expr::Range(Box::new(range))),
            None => self.expression(),
        }
    }

    fn parameter(&mut self) -> Option<&str> {
        match self.spaced_name() {
            Some(name) => Some(name),
            None => self.name(),
        }
    }

    fn variable(&mut self) -> Option<Expr> {
        let first = self.property()?.into();
        let mut path = Vec::new();
        while let Some(name) = self.attempt(|p| {
            p.symbol(".")?;
            p.property().map(Into::into)
        }) {
            path.push(name);
        }
        Some(Expr::Variable(first, path.into()))
    }

    fn function(&mut self) -> Option<Expr> {
        self.keyword("function")?;
        self.symbol("(")?;
        let mut parameters: Vec<Box<str>> = Vec::new();
        if self.attempt(|p| p.symbol(")")).is_none() {
            parameters = self.separated(|p| p.parameter().map(Into::into))?;
            self.symbol(")")?;
        }
        let external = self.attempt(|p| {
            p.keyword("external")?;
            p.symbol("{")
        });
        if external.is_some() {
            return self.refuse(super::Refusal::External);
        }
        let body = self.expression()?;
        Some(Expr::Function(parameters.into(), Box::new(body)))
    }
}

/// Replaces escapes: first those of single characters that no backslash precedes, then doubled
/// backslashes. Unknown escapes stay as they are.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut once = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before = '\0';
    while let Some(c) = chars.next() {
        let escape = match chars.peek() {
            Some(next) if c == '\\' && before != '\\' => match next {
                'n' => Some('\n'),
                'r' => Some('\r'),
                't' => Some('\t'),
                'b' => Some('\u{8}'),
                'f' => Some('\u{c}'),
                '\'' => Some('\''),
                '"' => Some('"'),
                _ => None,
            },
            _ => None,
        };
        before = match escape {
            Some(replaced) => {
                once.push(replaced);
                chars.next().unwrap_or('\0')
            }
            None => {
                once.push(c);
                c
            }
        };
    }
    once.replace("\\\\", "\\")
}
