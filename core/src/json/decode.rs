//! JSON text to MessagePack in one pass, with corrections applied in a second one.
//!
//! The number of entries of a container is known only at its end, and a later duplicate key removes
//! an earlier entry. The first pass writes one-byte headers and notes what has to change: headers
//! that need more room, byte ranges that go. The second pass, run only if something was noted,
//! copies the output once. Both passes are linear in the text, whatever the nesting.

use crate::msgpack::{self, MAX_DEPTH};

use super::JsonError;

/// Translates one JSON value.
///
/// # Errors
/// The text is not one JSON value by RFC 8259, or exceeds the limits of the module.
pub fn to_msgpack(text: impl AsRef<[u8]>) -> Result<Vec<u8>, JsonError> {
    let text = text.as_ref();
    let mut decoder = Decoder {
        text,
        at: 0,
        out: Vec::with_capacity(text.len()),
        open: Vec::new(),
        keys: Vec::new(),
        edits: Vec::new(),
    };
    match decoder.run() {
        Ok(()) => Ok(apply(decoder.out, decoder.edits)),
        Err(reason) => Err(located(text, decoder.at, reason)),
    }
}

/// A container that is being read.
struct Open {
    /// Where its one-byte header stands in the output.
    header: usize,
    /// Entries or items written so far.
    len: usize,
    /// For an object, where its keys begin in `Decoder::keys`; `None` for an array.
    keys: Option<usize>,
}

/// An entry of an object that is being read, as range of its key in the output.
#[derive(Clone, Copy)]
struct Key {
    start: usize,
    end: usize,
}

/// A correction of the output.
enum Edit {
    /// The header at `at` needs room for `len` entries.
    Widen { at: usize, len: usize, map: bool },
    /// The range goes: its key occurs again later.
    Remove { at: usize, end: usize },
}

impl Edit {
    fn at(&self) -> usize {
        match self {
            Edit::Widen { at, .. } | Edit::Remove { at, .. } => *at,
        }
    }
}

struct Decoder<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<u8>,
    open: Vec<Open>,
    keys: Vec<Key>,
    edits: Vec<Edit>,
}

type Step<T = ()> = Result<T, &'static str>;

impl Decoder<'_> {
    fn run(&mut self) -> Step {
        loop {
            self.blank();
            if self.value()? {
                continue;
            }
            if self.close()? {
                break;
            }
        }
        self.blank();
        if self.at < self.text.len() {
            Err("unexpected text after the value")
        } else {
            Ok(())
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads a scalar or opens a container; true if a value has to follow.
    fn value(&mut self) -> Step<bool> {
        match self.peek() {
            Some(b'{') => {
                self.enter(Some(self.keys.len()))?;
                self.blank();
                if self.peek() == Some(b'}') {
                    return Ok(false);
                }
                self.key()?;
                Ok(true)
            }
            Some(b'[') => {
                self.enter(None)?;
                self.blank();
                Ok(self.peek() != Some(b']') && self.count())
            }
            Some(b'"') => self.string().map(|()| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.word(b"true", 0xc3),
            Some(b'f') => self.word(b"false", 0xc2),
            Some(b'n') => self.word(b"null", 0xc0),
            Some(_) => Err("expected a value"),
            None => Err("unexpected end of the text"),
        }
    }

    fn word(&mut self, word: &[u8], marker: u8) -> Step<bool> {
        if !self.text[self.at..].starts_with(word) {
            return Err("expected a value");
        }
        self.at += word.len();
        self.out.push(marker);
        Ok(false)
    }

    fn enter(&mut self, keys: Option<usize>) -> Step {
        if self.open.len() == MAX_DEPTH {
            return Err("nesting exceeds the limit of 1000 levels");
        }
        self.at += 1;
        self.open.push(Open {
            header: self.out.len(),
            len: 0,
            keys,
        });
        self.out.push(0);
        Ok(())
    }

    /// Counts the item or entry that comes next; always true.
    fn count(&mut self) -> bool {
        if let Some(open) = self.open.last_mut() {
            open.len += 1;
        }
        true
    }

    fn key(&mut self) -> Step {
        if self.peek() != Some(b'"') {
            return Err("expected a string as object key");
        }
        let start = self.out.len();
        self.string()?;
        self.keys.push(Key {
            start,
            end: self.out.len(),
        });
        self.count();
        self.blank();
        if self.peek() != Some(b':') {
            return Err("expected ':' after an object key");
        }
        self.at += 1;
        Ok(())
    }

    /// Closes containers until one goes on with another value; true if none is left open.
    fn close(&mut self) -> Step<bool> {
        loop {
            let Some(open) = self.open.last() else {
                return Ok(true);
            };
            let object = open.keys.is_some();
            let empty = open.len == 0;
            self.blank();
            match (self.peek(), object) {
                (Some(b','), true) if !empty => {
                    self.at += 1;
                    self.blank();
                    self.key()?;
                    return Ok(false);
                }
                (Some(b','), false) if !empty => {
                    self.at += 1;
                    self.count();
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.leave();
                }
                (Some(_), true) => return Err("expected ',' or '}' in an object"),
                (Some(_), false) => return Err("expected ',' or ']' in an array"),
                (None, _) => return Err("unexpected end of the text"),
            }
        }
    }

    fn leave(&mut self) {
        let Some(Open {
            header,
            mut len,
            keys,
        }) = self.open.pop()
        else {
            return;
        };
        if let Some(first) = keys {
            len -= self.drop_duplicates(first);
            self.keys.truncate(first);
        }
        match u8::try_from(len) {
            Ok(small) if small < 16 => {
                self.out[header] = if keys.is_some() {
                    0x80 | small
                } else {
                    0x90 | small
                };
            }
            _ => self.edits.push(Edit::Widen {
                at: header,
                len,
                map: keys.is_some(),
            }),
        }
    }

    /// Notes the removal of entries whose key occurs again; returns how many there are.
    fn drop_duplicates(&mut self, first: usize) -> usize {
        const PAIRWISE: usize = 12;
        let keys = &self.keys[first..];
        let name = |key: &Key| &self.out[key.start..key.end];
        let mut removed = 0;
        let mut remove = |index: usize| {
            // An entry ends where the next key begins; the last entry is never removed.
            self.edits.push(Edit::Remove {
                at: keys[index].start,
                end: keys[index + 1].start,
            });
            removed += 1;
        };
        if keys.len() <= PAIRWISE {
            for (index, key) in keys.iter().enumerate() {
                if keys[index + 1..]
                    .iter()
                    .any(|later| name(later) == name(key))
                {
                    remove(index);
                }
            }
        } else {
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_by(|a, b| name(&keys[*a]).cmp(name(&keys[*b])).then(a.cmp(b)));
            for pair in order.windows(2) {
                if name(&keys[pair[0]]) == name(&keys[pair[1]]) {
                    remove(pair[0]);
                }
            }
        }
        removed
    }

    fn number(&mut self) -> Step {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err("expected a digit"),
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).map_err(|_| "bad number")?;
        if whole {
            if let Ok(value) = text.parse::<i64>() {
                msgpack::write_int(&mut self.out, value);
                return Ok(());
            }
            if let Ok(value) = text.parse::<u64>() {
                msgpack::write_uint(&mut self.out, value);
                return Ok(());
            }
            return Err("MessagePack cannot serialize BigInteger larger than 2^64-1");
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                msgpack::write_double(&mut self.out, value);
                Ok(())
            }
            _ => Err("number out of range"),
        }
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Step {
        let start = self.at;
        self.digits();
        if self.at == start {
            Err("expected a digit")
        } else {
            Ok(())
        }
    }

    fn string(&mut self) -> Step {
        self.at += 1;
        let start = self.at;
        let plain = loop {
            match self.peek() {
                Some(b'"') => break true,
                Some(b'\\') => break false,
                Some(0..=0x1f) => return Err("control character in a string"),
                Some(_) => self.at += 1,
                None => return Err("unexpected end of the text"),
            }
        };
        let head = utf8(&self.text[start..self.at])?;
        if plain {
            msgpack::write_str(&mut self.out, head);
        } else {
            let mut text = String::from(head);
            self.escaped(&mut text)?;
            msgpack::write_str(&mut self.out, &text);
        }
        self.at += 1;
        Ok(())
    }

    /// Reads the rest of a string from its first escape up to, not including, the closing quote.
    fn escaped(&mut self, text: &mut String) -> Step {
        loop {
            match self.peek() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => {
                    self.at += 1;
                    let escape = self.peek().ok_or("unexpected end of the text")?;
                    self.at += 1;
                    text.push(match escape {
                        b'"' => '"',
                        b'\\' => '\\',
                        b'/' => '/',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'u' => self.unicode()?,
                        _ => return Err("unknown escape in a string"),
                    });
                }
                Some(0..=0x1f) => return Err("control character in a string"),
                Some(_) => {
                    let start = self.at;
                    while self
                        .peek()
                        .is_some_and(|b| b != b'"' && b != b'\\' && b > 0x1f)
                    {
                        self.at += 1;
                    }
                    text.push_str(utf8(&self.text[start..self.at])?);
                }
                None => return Err("unexpected end of the text"),
            }
        }
    }

    fn unicode(&mut self) -> Step<char> {
        const LONE: &str = "lone surrogate in a string";
        let high = self.hex4()?;
        if !(0xd800..0xe000).contains(&high) {
            return char::from_u32(high).ok_or(LONE);
        }
        if high >= 0xdc00 || !self.text[self.at..].starts_with(b"\\u") {
            return Err(LONE);
        }
        self.at += 2;
        let low = self.hex4()?;
        if !(0xdc00..0xe000).contains(&low) {
            return Err(LONE);
        }
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(LONE)
    }

    fn hex4(&mut self) -> Step<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            value = value * 16 + digit.ok_or("expected four hexadecimal digits")?;
            self.at += 1;
        }
        Ok(value)
    }
}

fn utf8(bytes: &[u8]) -> Step<&str> {
    std::str::from_utf8(bytes).map_err(|_| "string is not valid UTF-8")
}

fn apply(out: Vec<u8>, mut edits: Vec<Edit>) -> Vec<u8> {
    if edits.is_empty() {
        return out;
    }
    edits.sort_by_key(Edit::at);
    let mut result = Vec::with_capacity(out.len() + 4 * edits.len());
    let mut copied = 0;
    for edit in edits {
        if edit.at() < copied {
            // Inside a range that was removed.
            continue;
        }
        result.extend_from_slice(&out[copied..edit.at()]);
        copied = match edit {
            Edit::Widen { at, len, map } => {
                if map {
                    msgpack::write_map_header(&mut result, len);
                } else {
                    msgpack::write_array_header(&mut result, len);
                }
                at + 1
            }
            Edit::Remove { end, .. } => end,
        };
    }
    result.extend_from_slice(&out[copied..]);
    result
}

fn located(text: &[u8], offset: usize, reason: &'static str) -> JsonError {
    let offset = offset.min(text.len());
    let before = &text[..offset];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    JsonError {
        offset,
        line,
        column: offset - line_start + 1,
        reason,
    }
}

#[cfg(test)]
mod tests;
