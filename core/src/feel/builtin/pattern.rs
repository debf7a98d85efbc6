//! Regular expressions in the dialect of Java's `Pattern`, on top of fancy-regex.
//!
//! A pattern is rewritten where the dialects differ: quoting with `\Q...\E`; classes that are ASCII
//! in Java (`\d \w \s`, the POSIX names); horizontal and vertical space; what a dot leaves out; the
//! `$` that also matches before a final line break. What cannot be rewritten is refused as invalid.
//! Backtracking and the size of compiled patterns are bounded; what exceeds a bound is refused too.
//!
//! An evaluation keeps the last few compiled patterns ([`Patterns`]), since loops repeat them.

use std::fmt::Write as _;
use std::ops::Range;
use std::rc::Rc;

use fancy_regex::{Regex, RegexBuilder};

/// The flags of the functions, by their letters; others are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::feel) struct Flags {
    dot_matches_all: bool,
    multi_line: bool,
    ignore_case: bool,
    comments: bool,
}

impl Flags {
    pub(super) fn of(letters: &str) -> Flags {
        Flags {
            dot_matches_all: letters.contains('s'),
            multi_line: letters.contains('m'),
            ignore_case: letters.contains('i'),
            comments: letters.contains('x'),
        }
    }
}

/// Longest pattern in bytes.
const MAX_PATTERN: usize = 4096;

/// Backtracks of one match: a few milliseconds at most.
const MAX_BACKTRACKS: usize = 50_000;

/// Bytes of a compiled pattern.
const MAX_COMPILED: usize = 512 * 1024;

/// Compiled patterns that are kept.
const MAX_KEPT: usize = 8;

/// The patterns an evaluation used last.
#[derive(Default)]
pub(in crate::feel) struct Patterns {
    kept: Vec<(Box<str>, Flags, Rc<Regex>)>,
}

impl Patterns {
    /// The compiled form of a pattern; `None` if it is invalid or too large.
    pub(super) fn get(&mut self, pattern: &str, flags: Flags) -> Option<Rc<Regex>> {
        let known = self
            .kept
            .iter()
            .find(|(text, with, _)| **text == *pattern && *with == flags);
        if let Some((_, _, regex)) = known {
            return Some(Rc::clone(regex));
        }
        let regex = Rc::new(compile(pattern, flags)?);
        if self.kept.len() == MAX_KEPT {
            self.kept.remove(0);
        }
        self.kept.push((pattern.into(), flags, Rc::clone(&regex)));
        Some(regex)
    }
}

fn compile(pattern: &str, flags: Flags) -> Option<Regex> {
    if pattern.len() > MAX_PATTERN {
        return None;
    }
    let translated = Translator {
        rest: pattern,
        flags,
        out: String::new(),
    }
    .run()?;
    RegexBuilder::new(&translated)
        .backtrack_limit(MAX_BACKTRACKS)
        .delegate_size_limit(MAX_COMPILED)
        .delegate_dfa_size_limit(MAX_COMPILED)
        .build()
        .ok()
}

/// Whether the pattern occurs anywhere in the text; here and below `None` if that took too long.
pub(super) fn matches(text: &str, regex: &Regex) -> Option<bool> {
    regex.is_match(text).ok()
}

/// Where the pattern occurs.
pub(super) fn find_all(text: &str, regex: &Regex) -> Option<Vec<Range<usize>>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at <= text.len() {
        let Some(found) = regex.find_from_pos(text, at).ok()? else {
            break;
        };
        at = behind(text, &found.range());
        all.push(found.range());
    }
    Some(all)
}

/// Where to look on after a match. As in Java, and unlike the iterators of the library, an empty
/// match may follow another match at once.
fn behind(text: &str, found: &Range<usize>) -> usize {
    if !found.is_empty() {
        return found.end;
    }
    found.end + text[found.end..].chars().next().map_or(1, char::len_utf8)
}

/// The parts between the matches, empty ones at the end included.
pub(super) fn split(text: &str, regex: &Regex) -> Option<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    let mut last = 0;
    for found in find_all(text, regex)? {
        // An empty match at the very start separates nothing.
        if found.end == 0 {
            continue;
        }
        parts.push(last..found.start);
        last = found.end;
    }
    parts.push(last..text.len());
    Some(parts)
}

/// The text with every match replaced; `$1` and `${name}` refer to groups, `\` quotes.
pub(super) fn replace(text: &str, regex: &Regex, replacement: &str) -> Option<String> {
    /// Longest result in bytes.
    const MAX_RESULT: usize = 4_000_000;
    let mut out = String::new();
    let mut last = 0;
    let mut at = 0;
    while at <= text.len() {
        let Some(captures) = regex.captures_from_pos(text, at).ok()? else {
            break;
        };
        let whole = captures.get(0)?;
        at = behind(text, &whole.range());
        out.push_str(&text[last..whole.start()]);
        last = whole.end();
        expand(replacement, &captures, regex.captures_len(), &mut out)?;
        if out.len() > MAX_RESULT {
            return None;
        }
    }
    out.push_str(&text[last..]);
    Some(out)
}

/// Appends a replacement; `None` if it refers to a group that does not exist.
fn expand(
    replacement: &str,
    captures: &fancy_regex::Captures<'_, str>,
    groups: usize,
    out: &mut String,
) -> Option<()> {
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next()?),
            '$' if chars.peek() == Some(&'{') => {
                chars.next();
                let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                out.push_str(captures.name(&name)?.as_str());
            }
            '$' => {
                let mut group = chars.next()?.to_digit(10)? as usize;
                if group >= groups {
                    return None;
                }
                // As many digits as still name a group.
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit as usize;
                    if longer >= groups {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                out.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            _ => out.push(c),
        }
    }
    Some(())
}

struct Translator<'p> {
    rest: &'p str,
    flags: Flags,
    out: String,
}

/// What a class stands for inside of brackets.
const DIGIT: &str = "0-9";
const WORD: &str = "a-zA-Z_0-9";
const SPACE: &str = r" \t\n\x0B\f\r";
const HORIZONTAL: &str = r" \t\xA0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000";
const VERTICAL: &str = r"\n\x0B\f\r\x85\u2028\u2029";
const LINE_BREAKS: &str = r"\n\r\x85\u2028\u2029";

impl Translator<'_> {
    fn run(mut self) -> Option<String> {
        let flags = self.flags;
        for (set, letter) in [
            (flags.dot_matches_all, "(?s)"),
            (flags.multi_line, "(?m)"),
            (flags.ignore_case, "(?i)"),
            (flags.comments, "(?x)"),
        ] {
            self.out.push_str(if set { letter } else { "" });
        }
        // Depth of nested bracket classes.
        let mut class = 0u32;
        while let Some(c) = self.rest.chars().next() {
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' => self.escape(class > 0)?,
                '[' => {
                    class += 1;
                    self.out.push('[');
                    if self.rest.starts_with('^') {
                        self.rest = &self.rest[1..];
                        self.out.push('^');
                    }
                }
                ']' if class > 0 => {
                    class -= 1;
                    self.out.push(']');
                }
                '~' if class > 0 => self.out.push_str(r"\~"),
                '.' if class == 0 && !flags.dot_matches_all => {
                    let _ = write!(self.out, "[^{LINE_BREAKS}]");
                }
                '$' if class == 0 && !flags.multi_line => self.out.push_str(r"\Z"),
                _ => self.out.push(c),
            }
        }
        (class == 0).then_some(self.out)
    }

    /// A class by what it holds, bare inside of brackets.
    fn class(&mut self, holds: &str, negated: bool, inside: bool) {
        let _ = match (negated, inside) {
            (false, true) => write!(self.out, "{holds}"),
            (false, false) => write!(self.out, "[{holds}]"),
            (true, _) => write!(self.out, "[^{holds}]"),
        };
    }

    fn escape(&mut self, inside: bool) -> Option<()> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        match c {
            'd' | 'D' => self.class(DIGIT, c == 'D', inside),
            'w' | 'W' => self.class(WORD, c == 'W', inside),
            's' | 'S' => self.class(SPACE, c == 'S', inside),
            'h' | 'H' => self.class(HORIZONTAL, c == 'H', inside),
            'v' | 'V' => self.class(VERTICAL, c == 'V', inside),
            'e' => self.out.push_str(r"\x1B"),
            'Q' => {
                let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.out.push_str(&fancy_regex::escape(literal));
                self.rest = rest;
            }
            'E' => return None,
            'p' | 'P' => self.property(c == 'P', inside)?,
            '0' => {
                let digits = self
                    .rest
                    .bytes()
                    .take(3)
                    .take_while(|b| (b'0'..b'8').contains(b));
                let len = digits.count();
                let code = u32::from_str_radix(self.rest.get(..len)?, 8).ok()?;
                let _ = write!(self.out, "\\x{{{code:x}}}");
                self.rest = &self.rest[len..];
            }
            'c' => {
                let control = self.rest.chars().next()?;
                self.rest = &self.rest[control.len_utf8()..];
                let _ = write!(self.out, "\\x{{{:x}}}", u32::from(control) ^ 64);
            }
            // A surrogate pair stands for one character.
            'u' => {
                let unit = u32::from_str_radix(self.rest.get(..4)?, 16).ok()?;
                self.rest = &self.rest[4..];
                let mut code = unit;
                if (0xd800..0xdc00).contains(&unit) {
                    let low = self.rest.strip_prefix("\\u")?;
                    let low = u32::from_str_radix(low.get(..4)?, 16).ok()?;
                    code = 0x10000 + ((unit - 0xd800) << 10) + low.checked_sub(0xdc00)?;
                    self.rest = self.rest.get(6..)?;
                }
                let _ = write!(self.out, "\\x{{{code:x}}}");
            }
            _ => {
                self.out.push('\\');
                self.out.push(c);
            }
        }
        Some(())
    }

    /// `\p{...}` with the names of Java, `\pL` as is.
    fn property(&mut self, negated: bool, inside: bool) -> Option<()> {
        let Some(braced) = self.rest.strip_prefix('{') else {
            self.out.push_str(if negated { r"\P" } else { r"\p" });
            return Some(());
        };
        let (name, rest) = braced.split_once('}')?;
        self.rest = rest;
        let holds = match name {
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "ASCII" => r"\x00-\x7F",
            "Alpha" => "a-zA-Z",
            "Digit" => DIGIT,
            "Alnum" => "a-zA-Z0-9",
            "Punct" => r"!-/:-@\[-`{-\~",
            "Graph" => r"!-\~",
            "Print" => r" -\~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "XDigit" => "0-9a-fA-F",
            "Space" => SPACE,
            "javaLowerCase" | "IsLowercase" => r"\p{Lowercase}",
            "javaUpperCase" | "IsUppercase" => r"\p{Uppercase}",
            "javaLetter" | "javaAlphabetic" => r"\p{L}",
            "javaDigit" => r"\p{Nd}",
            "javaLetterOrDigit" => r"\p{L}\p{Nd}",
            "javaWhitespace" | "javaSpaceChar" => r"\s",
            _ => {
                // Scripts and binary properties carry a prefix in Java.
                let plain = name
                    .strip_prefix("Is")
                    .or(name.strip_prefix("In"))
                    .unwrap_or(name);
                let plain = plain.replace("script=", "").replace("sc=", "");
                let sign = if negated { 'P' } else { 'p' };
                let _ = write!(self.out, "\\{sign}{{{plain}}}");
                return Some(());
            }
        };
        self.class(holds, negated, inside);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(text: &str, pattern: &str) -> Option<Vec<String>> {
        let ranges = find_all(text, &compile(pattern, Flags::default())?)?;
        Some(
            ranges
                .into_iter()
                .map(|range| text[range].to_owned())
                .collect(),
        )
    }

    #[test]
    fn the_dialect_is_that_of_java() {
        let found = |text, pattern| matches(text, &compile(pattern, Flags::default())?);
        assert_eq!(found("a.b", r"\Qa.b\E"), Some(true));
        assert_eq!(found("axb", r"\Qa.b\E"), Some(false));
        assert_eq!(found("\u{0663}", r"\d"), Some(false));
        assert_eq!(found("\u{e9}", r"[\w]"), Some(false));
        assert_eq!(found("\u{a0}", r"\h"), Some(true));
        assert_eq!(found("\r", "^.$"), Some(false));
        assert_eq!(found("ab\n", "b$"), Some(true));
        assert_eq!(found("x", r"\p{Alpha}"), Some(true));
        assert_eq!(found("\u{3b1}", r"\p{IsGreek}"), Some(true));
        assert_eq!(found("aa", r"(a)\1"), Some(true));
        assert_eq!(found("foobar", "(?<=foo)bar"), Some(true));
        assert_eq!(found("A", r"\u0041"), Some(true));
        for invalid in ["[a", "(", r"a\", "*", "a{2", r"\p{Nothing}"] {
            assert!(
                found("a", invalid).is_none() || invalid == "a{2",
                "{invalid}"
            );
        }
        assert_eq!(
            matches("A", &compile("a", Flags::of("i")).unwrap()),
            Some(true)
        );
        assert_eq!(
            matches("a\nb", &compile("a.b", Flags::of("s")).unwrap()),
            Some(true)
        );
    }

    #[test]
    fn replacing_and_splitting() {
        let replaced = |text, pattern, by| replace(text, &compile(pattern, Flags::default())?, by);
        assert_eq!(
            replaced("ab12", r"([a-z])(\d)", "$2$1").as_deref(),
            Some("a1b2")
        );
        assert_eq!(replaced("ab", "(a)", "$10").as_deref(), Some("a0b"));
        assert_eq!(replaced("a", "a", r"\$1").as_deref(), Some("$1"));
        assert_eq!(replaced("a", "a", "$1"), None);
        let parts = |text: &str, pattern| {
            let ranges = split(text, &compile(pattern, Flags::default()).unwrap()).unwrap();
            ranges
                .into_iter()
                .map(|range| text[range].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(parts("a,b,,", ","), ["a", "b", "", ""]);
        assert_eq!(parts("abc", ""), ["a", "b", "c", ""]);
        assert_eq!(parts("", ","), [""]);
        assert_eq!(hits("a1b22", r"\d+").unwrap(), ["1", "22"]);
    }
}
