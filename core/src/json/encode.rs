//! MessagePack to compact JSON text.
//!
//! Output has no spaces and keeps the order of entries. Numbers are laid out as Java does it,
//! because clients compare these texts with what the reference engine returned.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::msgpack::{Error, ErrorKind, MAX_DEPTH, Reader, Token};

/// Appends the JSON form of one MessagePack value to `out`.
///
/// # Errors
/// The bytes are not exactly one value, have a map key that is no string, hold an extension type,
/// or nest deeper than [`MAX_DEPTH`]. What was appended before the error stays in `out`.
pub fn from_msgpack(value: &[u8], out: &mut String) -> Result<(), Error> {
    let mut reader = Reader::new(value);
    // Open containers: values still to come, and whether it is an object.
    let mut open: Vec<(u32, bool)> = Vec::new();
    loop {
        let offset = reader.position();
        let mut entered = false;
        match reader.next()? {
            Token::Nil => out.push_str("null"),
            Token::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Token::Int(value) => integer(value.unsigned_abs(), value < 0, out),
            Token::Uint(value) => integer(value, false, out),
            Token::Float(value) => write_double(value, out),
            Token::Str(text) => write_string(text, out),
            Token::Bin(data) => {
                out.push('"');
                STANDARD.encode_string(data, out);
                out.push('"');
            }
            Token::Ext(..) => {
                return Err(Error {
                    offset,
                    kind: ErrorKind::UnexpectedKind,
                });
            }
            Token::Array(len) => {
                out.push('[');
                open.push((len, false));
                entered = true;
            }
            Token::Map(len) => {
                out.push('{');
                open.push((len, true));
                entered = true;
            }
        }
        if open.len() > MAX_DEPTH {
            return Err(Error {
                offset,
                kind: ErrorKind::TooDeep,
            });
        }
        while let Some((0, object)) = open.last() {
            out.push(if *object { '}' } else { ']' });
            open.pop();
            entered = false;
        }
        match open.last_mut() {
            Some((left, object)) => {
                *left -= 1;
                if !entered {
                    out.push(',');
                }
                if *object {
                    write_string(reader.key()?, out);
                    out.push(':');
                }
            }
            None if reader.at_end() => return Ok(()),
            None => {
                return Err(Error {
                    offset: reader.position(),
                    kind: ErrorKind::TrailingBytes,
                });
            }
        }
    }
}

fn integer(mut magnitude: u64, negative: bool, out: &mut String) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (magnitude % 10) as u8;
        magnitude /= 10;
        if magnitude == 0 {
            break;
        }
    }
    if negative {
        out.push('-');
    }
    out.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

/// Appends a string with its quotes; only what JSON demands is escaped.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            const HEX: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
            ];
            out.push_str("\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Appends a double with the shortest digits that give it back, in the layout of Java: plain from
/// `1.0E-3` up to `1.0E7`, scientific outside, always with a fraction. NaN and infinities, which
/// JSON cannot express, become `null`.
pub fn write_double(value: f64, out: &mut String) {
    if !value.is_finite() {
        out.push_str("null");
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    let (sign, unsigned) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest),
    };
    out.push_str(sign);
    let magnitude = value.abs();
    if magnitude == 0.0 {
        out.push_str("0.0");
        return;
    }
    // The digits without leading zeros, and the decimal exponent of the first one.
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: String = [whole, fraction].concat();
    let mut first = exponent + whole.len() as i32 - 1;
    let leading = digits.bytes().take_while(|b| *b == b'0').count();
    digits.drain(..leading);
    first -= leading as i32;
    digits.truncate(digits.trim_end_matches('0').len());

    if (1e-3..1e7).contains(&magnitude) {
        if first < 0 {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', first.unsigned_abs() as usize - 1));
            out.push_str(&digits);
        } else {
            let point = first as usize + 1;
            if digits.len() <= point {
                let zeros = point - digits.len();
                out.push_str(&digits);
                out.extend(std::iter::repeat_n('0', zeros));
                out.push_str(".0");
            } else {
                out.push_str(&digits[..point]);
                out.push('.');
                out.push_str(&digits[point..]);
            }
        }
    } else {
        out.push_str(&digits[..1]);
        out.push('.');
        out.push_str(if digits.len() > 1 { &digits[1..] } else { "0" });
        out.push('E');
        out.push_str(&first.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_as_in_java() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (-0.00012, "-1.2E-4"),
            (1234567.5, "1234567.5"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.25e20, "1.25E20"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "5.0E-324"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ];
        for (value, text) in cases {
            let mut out = String::new();
            write_double(value, &mut out);
            // Java prints the smallest double as 4.9E-324; both texts denote it.
            assert_eq!(out, text);
        }
    }

    #[test]
    fn binary_extension_and_bad_bytes() {
        let mut out = String::new();
        assert!(from_msgpack(&[0xc4, 2, 1, 2], &mut out).is_ok());
        assert_eq!(out, "\"AQI=\"");
        assert!(from_msgpack(&[0xd4, 1, 1], &mut out).is_err());
        assert!(from_msgpack(&[0x81, 1, 1], &mut out).is_err());
        assert!(from_msgpack(&[0xc0, 0xc0], &mut out).is_err());
        let deep = [vec![0x91; MAX_DEPTH + 1], vec![0xc0]].concat();
        assert_eq!(
            from_msgpack(&deep, &mut out).unwrap_err().kind,
            ErrorKind::TooDeep
        );
    }
}
