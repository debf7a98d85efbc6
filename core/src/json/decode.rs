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
mod tests {
    use super::super::from_msgpack;
    use super::*;

    fn round(text: &str) -> String {
        let bytes = to_msgpack(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        msgpack::validate(&bytes).unwrap();
        let mut out = String::new();
        from_msgpack(&bytes, &mut out).unwrap();
        out
    }

    #[test]
    fn values_survive_both_ways() {
        let same = [
            "null",
            "true",
            "false",
            "0",
            "-1",
            "127",
            "128",
            "18446744073709551615",
            "[]",
            "{}",
            "9223372036854775807",
            "-9223372036854775808",
            "1.0",
            "0.1",
            "-2.5",
            "\"\"",
            "1.0E10",
            r#"{"a":{"b":[1,2,{"c":null}]},"d":"x\ny\"\\\u0001"}"#,
            r#"[[[[]]],{"":[{}]}]"#,
        ];
        for text in same {
            assert_eq!(round(text), text);
        }
        assert_eq!(round(" [ 1 , 2.0e0 ] "), "[1,2.0]");
        assert_eq!(round(r#""\u00e9\ud83d\ude00\/""#), "\"\u{e9}\u{1f600}/\"");
        assert_eq!(round("18446744073709551616"), "1.8446744073709552E19");
        assert_eq!(round("-0"), "0");
    }

    #[test]
    fn long_containers_get_wide_headers() {
        for len in [15, 16, 17, 70_000] {
            let list: Vec<String> = (0..len).map(|i| i.to_string()).collect();
            let text = format!("[{}]", list.join(","));
            assert_eq!(round(&text), text);
            let entries: Vec<String> = (0..len).map(|i| format!("\"k{i}\":[{i}]")).collect();
            let text = format!("{{{}}}", entries.join(","));
            assert_eq!(round(&text), text);
        }
    }

    #[test]
    fn the_last_duplicate_key_stays() {
        assert_eq!(round(r#"{"a":1,"b":2,"a":3}"#), r#"{"b":2,"a":3}"#);
        assert_eq!(
            round(r#"{"a":{"x":1,"x":2},"a":{"y":1,"y":[2]}}"#),
            r#"{"a":{"y":[2]}}"#
        );
        let wide: Vec<String> = (0..40).map(|i| format!("\"k{}\":{i}", i % 20)).collect();
        let kept: Vec<String> = (20..40).map(|i| format!("\"k{}\":{i}", i % 20)).collect();
        assert_eq!(
            round(&format!("{{{}}}", wide.join(","))),
            format!("{{{}}}", kept.join(","))
        );
        let long: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let long = format!("[{}]", long.join(","));
        assert_eq!(
            round(&format!(r#"{{"a":{long},"a":{long}}}"#)),
            format!(r#"{{"a":{long}}}"#)
        );
    }

    #[test]
    fn errors_name_the_place() {
        let cases = [
            ("", 0, "unexpected end of the text"),
            ("{\"a\":1,}", 7, "expected a string as object key"),
            ("[1,]", 3, "expected a value"),
            ("[,1]", 1, "expected a value"),
            ("[1 2]", 3, "expected ',' or ']' in an array"),
            ("{\"a\" 1}", 5, "expected ':' after an object key"),
            ("01", 1, "unexpected text after the value"),
            ("1e400", 5, "number out of range"),
            ("1.", 2, "expected a digit"),
            ("\"\\ud800\"", 7, "lone surrogate in a string"),
            ("\"a\nb\"", 2, "control character in a string"),
            ("nul", 0, "expected a value"),
        ];
        for (text, offset, reason) in cases {
            let error = to_msgpack(text).unwrap_err();
            assert_eq!((error.offset, error.reason), (offset, reason), "{text:?}");
        }
        let error = to_msgpack("{\n  \"a\": x}").unwrap_err();
        assert_eq!(error.to_string(), "expected a value at line 2, column 8");
        assert!(to_msgpack([b'"', 0xff, b'"']).is_err());
    }

    #[test]
    fn nesting_is_limited_not_fatal() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(to_msgpack(nested(MAX_DEPTH)).is_ok());
        let error = to_msgpack(nested(MAX_DEPTH + 1)).unwrap_err();
        assert_eq!(error.reason, "nesting exceeds the limit of 1000 levels");
        assert!(to_msgpack("{\"a\":".repeat(1_000_000)).is_err());
    }

    #[test]
    fn agrees_with_serde_json_on_mutated_texts() {
        use serde_json::Value;
        // The oracle reads decimal fractions with an error in the last place.
        fn alike(a: &Value, b: &Value) -> bool {
            match (a, b) {
                (Value::Number(a), Value::Number(b)) => {
                    let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
                    (a - b).abs() <= a.abs() * 1e-14
                }
                (Value::Array(a), Value::Array(b)) => {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
                }
                (Value::Object(a), Value::Object(b)) => {
                    a.len() == b.len()
                        && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| alike(a, b)))
                }
                _ => a == b,
            }
        }
        let seeds = [
            r#"{"a":[1,-2.5e3,true,null,"x\u00e9\\"],"b":{"c":[],"d":{}}}"#,
            r#"[0.1,1e5,"\ud83d\ude00",{"k":"v","k2":[[]]}]"#,
        ];
        let mut state = 7u64;
        let mut next = |bound: usize| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % bound
        };
        let mut accepted = 0;
        for round in 0..20_000 {
            let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
            for _ in 0..1 + next(2) {
                let at = next(text.len());
                match next(3) {
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, b"{}[]:,\"\\0123.eEtfn -"[next(20)]),
                    _ => text[at] = b"{}[]:,\"\\0123.eEtfn -"[next(20)],
                }
            }
            let theirs = serde_json::from_slice::<Value>(&text);
            match to_msgpack(&text) {
                Ok(bytes) => {
                    accepted += 1;
                    let mut out = String::new();
                    from_msgpack(&bytes, &mut out).unwrap();
                    let ours: Value = serde_json::from_str(&out).unwrap();
                    let theirs = theirs.expect("we accepted it");
                    assert!(alike(&ours, &theirs), "{}", String::from_utf8_lossy(&text));
                }
                Err(e) => assert!(theirs.is_err(), "{} {e}", String::from_utf8_lossy(&text)),
            }
        }
        assert!(
            accepted > 1000,
            "the mutations are too wild to say anything"
        );
    }
}
