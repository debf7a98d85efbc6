//! Functions about strings.
//!
//! Positions and lengths count UTF-16 units, as Java does; text that is plain ASCII, the common
//! case, is cut without translation and without copying. A cut through a surrogate pair leaves a
//! replacement character. Patterns are in [`super::pattern`].

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fancy_regex::Regex;

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::value::{Text, Value};

use super::pattern::{self, Flags};
use super::{Builtin, fixed, message, thrown};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("substring", &["string", "start position"], substring),
    fixed(
        "substring",
        &["string", "start position", "length"],
        substring,
    ),
    fixed("string length", &["string"], string_length),
    fixed("upper case", &["string"], upper_case),
    fixed("lower case", &["string"], lower_case),
    fixed("substring before", &["string", "match"], substring_before),
    fixed("substring after", &["string", "match"], substring_after),
    fixed("contains", &["string", "match"], contains),
    fixed("starts with", &["string", "match"], starts_with),
    fixed("ends with", &["string", "match"], ends_with),
    fixed("replace", &["input", "pattern", "replacement"], replace),
    fixed(
        "replace",
        &["input", "pattern", "replacement", "flags"],
        replace,
    ),
    fixed("matches", &["input", "pattern"], matches),
    fixed("matches", &["input", "pattern", "flags"], matches),
    fixed("split", &["string", "delimiter"], split),
    fixed("extract", &["input", "pattern"], extract),
    fixed("trim", &["string"], trim),
    fixed("uuid", &[], uuid),
    fixed("to base64", &["value"], to_base64),
    fixed("from base64", &["value"], from_base64),
    fixed("is blank", &["string"], is_blank),
];

/// A part of a text, which shares its bytes if they are borrowed.
fn part<'e>(text: &Text<'e>, range: std::ops::Range<usize>) -> Value<'e> {
    match text {
        Text::Borrowed(text) => Value::String(Text::Borrowed(&text[range])),
        Text::Shared(text) => Value::text(&text[range]),
    }
}

fn units(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}

fn substring<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (text, start, length) = match arguments {
        [Value::String(text), Value::Number(start)] => (text, start, None),
        [
            Value::String(text),
            Value::Number(start),
            Value::Number(length),
        ] => (text, start, Some(i64::from(length.low_i32()))),
        _ => return Err(Refusal::Arguments),
    };
    interpreter.charge(text.len() / 64)?;
    let len = units(text) as i64;
    let start = i64::from(start.low_i32());
    let from = if start > 0 { start - 1 } else { len + start };
    let to = length.map_or(len, |length| (from + length).min(len));
    if from < 0 || from > to {
        return thrown(format!(
            "java.lang.StringIndexOutOfBoundsException: Range [{from}, {to}) out of bounds for \
             length {len}"
        ));
    }
    let range = from as usize..to as usize;
    if text.is_ascii() {
        return Ok(part(text, range));
    }
    let units = text.encode_utf16().skip(range.start).take(range.len());
    // Half of a character becomes a question mark, as when Java writes it out.
    let part: String = char::decode_utf16(units)
        .map(|c| c.unwrap_or('?'))
        .collect();
    Ok(Value::text(part))
}

fn string_length<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::int(units(text) as i64))
}

fn upper_case<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::text(text.to_uppercase()))
}

fn lower_case<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::text(text.to_lowercase()))
}

fn substring_before<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(part_of)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(part(text, 0..text.find(&**part_of).unwrap_or(0)))
}

fn substring_after<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(part_of)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let from = text
        .find(&**part_of)
        .map_or(text.len(), |at| at + part_of.len());
    Ok(part(text, from..text.len()))
}

fn contains<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(inner)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::Bool(text.contains(&**inner)))
}

fn starts_with<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(start)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::Bool(text.starts_with(&**start)))
}

fn ends_with<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(end)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::Bool(text.ends_with(&**end)))
}

fn flags<'e>(flags: &[Value<'e>]) -> Result<Flags, Refusal> {
    match flags {
        [] => Ok(Flags::default()),
        [Value::String(letters)] => Ok(Flags::of(letters)),
        _ => Err(Refusal::Arguments),
    }
}

/// The compiled pattern. Work with it costs steps by the length of the text.
fn compiled<'e>(
    interpreter: &mut Interpreter<'e>,
    text: &str,
    pattern: &str,
    flags: Flags,
) -> Result<Option<Rc<Regex>>, Refusal> {
    interpreter.charge(20 + text.len() / 16 + pattern.len())?;
    Ok(interpreter.patterns.get(pattern, flags))
}

/// Work that was given up cost far more than what was charged for it.
fn given_up(interpreter: &mut Interpreter<'_>) -> Result<(), Refusal> {
    const STEPS: usize = 20_000;
    Ok(interpreter.charge(STEPS)?)
}

/// Applies a pattern to a text; a refusal says which pattern was wrong.
fn applied<'e, T>(
    interpreter: &mut Interpreter<'e>,
    text: &str,
    (pattern, flags, kind): (&str, Flags, &str),
    apply: impl FnOnce(&Regex) -> Option<T>,
) -> Result<T, Refusal> {
    if let Some(regex) = compiled(interpreter, text, pattern, flags)? {
        if let Some(result) = apply(&regex) {
            return Ok(result);
        }
        given_up(interpreter)?;
    }
    Err(Refusal::Message(format!("Invalid {kind} '{pattern}'")))
}

fn replace<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [
        Value::String(text),
        Value::String(pattern),
        Value::String(replacement),
        rest @ ..,
    ] = arguments
    else {
        return Err(Refusal::Arguments);
    };
    let how = (&**pattern, flags(rest)?, "pattern");
    applied(interpreter, text, how, |regex| {
        pattern::replace(text, regex, replacement)
    })
    .map(Value::text)
}

fn matches<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(pattern), rest @ ..] = arguments else {
        return Err(Refusal::Arguments);
    };
    let how = (&**pattern, flags(rest)?, "pattern");
    applied(interpreter, text, how, |regex| {
        pattern::matches(text, regex)
    })
    .map(Value::Bool)
}

fn split<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(pattern)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let how = (&**pattern, Flags::default(), "pattern for delimiter");
    let ranges = applied(interpreter, text, how, |regex| pattern::split(text, regex))?;
    interpreter.charge(ranges.len())?;
    Ok(Value::list(
        ranges.into_iter().map(|range| part(text, range)).collect(),
    ))
}

fn extract<'e>(interpreter: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text), Value::String(pattern)] = arguments else {
        return Err(Refusal::Arguments);
    };
    let how = (&**pattern, Flags::default(), "pattern");
    let ranges = applied(interpreter, text, how, |regex| {
        pattern::find_all(text, regex)
    })?;
    interpreter.charge(ranges.len())?;
    Ok(Value::list(
        ranges.into_iter().map(|range| part(text, range)).collect(),
    ))
}

fn trim<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    // Java trims everything up to and including the space, and nothing else.
    let low = |c: char| c <= ' ';
    let start = text.len() - text.trim_start_matches(low).len();
    let end = start + text[start..].trim_end_matches(low).len();
    Ok(part(text, start..end))
}

fn is_blank<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    // Java's white space: separators except those that do not break, and control separators.
    let blank = |c: char| {
        matches!(c, '\u{1c}'..='\u{1f}')
            || (c.is_whitespace() && !matches!(c, '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}'))
    };
    Ok(Value::Bool(text.chars().all(blank)))
}

/// A version 7 identifier of the evaluation's clock and random sequence.
fn uuid<'e>(interpreter: &mut Interpreter<'e>, _: &[Value<'e>]) -> Outcome<'e> {
    let millis = interpreter.environment.now_millis as u64 & 0xffff_ffff_ffff;
    let (a, b) = (interpreter.random_bits() & 0xfff, interpreter.random_bits());
    Ok(Value::text(format!(
        "{:08x}-{:04x}-7{a:03x}-{:04x}-{:012x}",
        millis >> 16,
        millis & 0xffff,
        0x8000 | (b >> 48 & 0x3fff),
        b & 0xffff_ffff_ffff,
    )))
}

fn to_base64<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    Ok(Value::text(STANDARD.encode(text.as_bytes())))
}

fn from_base64<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let [Value::String(text)] = arguments else {
        return Err(Refusal::Arguments);
    };
    match STANDARD.decode(text.as_bytes()) {
        Ok(bytes) => Ok(Value::text(String::from_utf8_lossy(&bytes))),
        Err(_) => message(format!("Invalid Base64 value '{text}'")),
    }
}
