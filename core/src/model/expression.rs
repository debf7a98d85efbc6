//! An attribute of the model that is either a fixed value or a FEEL expression.
//!
//! Text of the form `=(.+)` (the dot matches line ends) is FEEL; everything else, also a lone `=`
//! and text with a blank before the `=`, is static. Static text that reads as a decimal number
//! (`java.math.BigDecimal`) is a number, otherwise a string; never a boolean. The source of an
//! input mapping is the exception: there static text is always a string ([`Expr::literal`]).

use crate::feel;
use crate::msgpack;
use crate::record::Text;

/// A parsed attribute together with its text as the model has it.
#[derive(Debug)]
pub struct Expr {
    /// As written, with the leading `=` of FEEL.
    pub source: Text,
    /// What it means.
    pub code: Code,
}

/// The meaning of an attribute.
#[derive(Debug)]
pub enum Code {
    /// A fixed string: [`Expr::source`] itself.
    Text,
    /// A fixed number, cut to a whole one (towards zero, low 64 bits). The engine reads numbers
    /// only where whole ones are meant.
    Number(i64),
    /// FEEL.
    Feel(feel::Expression),
}

impl Expr {
    /// Parses an attribute that may be static or FEEL.
    ///
    /// # Errors
    /// It is FEEL and does not parse.
    pub fn parse(source: &str) -> Result<Self, feel::ParseError> {
        let code = match source.strip_prefix('=') {
            Some(feel) if !feel.is_empty() => Code::Feel(feel::compile(feel)?),
            _ => whole_number(source).map_or(Code::Text, Code::Number),
        };
        Ok(Self {
            source: source.into(),
            code,
        })
    }

    /// Parses the source of an input mapping: FEEL or a string.
    ///
    /// # Errors
    /// It is FEEL and does not parse.
    pub fn literal(source: &str) -> Result<Self, feel::ParseError> {
        let mut parsed = Self::parse(source)?;
        if let Code::Number(_) = parsed.code {
            parsed.code = Code::Text;
        }
        Ok(parsed)
    }

    /// A fixed string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self {
            source: text.into(),
            code: Code::Text,
        }
    }

    /// The variables it may read; see [`feel::Expression::variable_names`].
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        let code = match &self.code {
            Code::Feel(code) => Some(code),
            Code::Text | Code::Number(_) => None,
        };
        code.into_iter().flat_map(feel::Expression::variable_names)
    }

    /// The fixed string; none for numbers and FEEL.
    #[must_use]
    pub fn as_text(&self) -> Option<&Text> {
        match &self.code {
            Code::Text => Some(&self.source),
            Code::Number(_) | Code::Feel(_) => None,
        }
    }

    /// True if it does not depend on variables.
    #[must_use]
    pub fn is_static(&self) -> bool {
        match &self.code {
            Code::Text | Code::Number(_) => true,
            Code::Feel(_) => false,
        }
    }
}

/// True if the attribute is written as FEEL.
pub(crate) fn is_feel(source: &str) -> bool {
    source.len() > 1 && source.starts_with('=')
}

/// The value that static text stands for where any value will do: null, a truth value, a number with
/// its fraction, a string. Camunda: `StaticExpression`.
pub(crate) fn write_static(text: &str, out: &mut Vec<u8>) {
    match text {
        "null" => msgpack::write_nil(out),
        "true" | "false" => msgpack::write_bool(out, text == "true"),
        _ => match (exact_whole(text), whole_number(text), text.parse::<f64>()) {
            (Some(number), _, _) => msgpack::write_int(out, number),
            (None, Some(_), Ok(number)) => msgpack::write_double(out, number),
            (None, _, _) => msgpack::write_str(out, text),
        },
    }
}

/// The number that static text is, if it is written without fraction and fits 64 bits.
fn exact_whole(text: &str) -> Option<i64> {
    whole_number(text)?;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let zeros = exponent
        .parse::<i64>()
        .ok()?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let digits = [whole, fraction].concat().parse::<i128>().ok()?;
    if digits == 0 && zeros >= 0 {
        return Some(0);
    }
    let scale = 10_i128.checked_pow(u32::try_from(zeros).ok()?)?;
    i64::try_from(digits.checked_mul(scale)?).ok()
}

/// `new BigDecimal(text).longValue()`: sign, digits with at most one dot, exponent; cut towards
/// zero; low 64 bits where it does not fit. None if it is not a number.
fn whole_number(text: &str) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || digits.len() > 10 || !digits.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            (mantissa, i64::from(exponent.parse::<i32>().ok()?))
        }
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut digits = whole.bytes().chain(fraction.bytes());
    if (whole.is_empty() && fraction.is_empty()) || !digits.all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Digits before the decimal point once the exponent has moved it.
    let places = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let magnitude = (whole.bytes().chain(fraction.bytes()))
        .take(usize::try_from(places).unwrap_or(0))
        .fold(0_u64, |sum, digit| {
            sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
        });
    let zeros = places - i64::try_from(whole.len() + fraction.len()).ok()?;
    // 10^64 is a multiple of 2^64, so further zeros change nothing.
    let scaled = (0..zeros.clamp(0, 64)).fold(magnitude, |sum, _| sum.wrapping_mul(10));
    let value = scaled.cast_signed();
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_numbers_read_as_java_reads_them() {
        for (text, expected) in [
            ("3", Some(3)),
            ("-3.9", Some(-3)),
            ("+.5", Some(0)),
            ("5.", Some(5)),
            ("1.25e1", Some(12)),
            ("125e-1", Some(12)),
            ("1e-9", Some(0)),
            ("1e20", Some(7_766_279_631_452_241_920)),
            ("1e1000000", Some(0)),
            ("18446744073709551615", Some(-1)),
            ("", None),
            (".", None),
            ("-", None),
            ("1e", None),
            ("e1", None),
            ("1e99999999999", None),
            (" 1", None),
            ("1 ", None),
            ("0x1", None),
            ("NaN", None),
            ("1_000", None),
            ("--1", None),
        ] {
            assert_eq!(whole_number(text), expected, "{text}");
        }
    }

    #[test]
    fn static_values_have_their_types() {
        let written = |text: &str| {
            let (mut bytes, mut json) = (Vec::new(), String::new());
            write_static(text, &mut bytes);
            crate::json::from_msgpack(&bytes, &mut json).unwrap();
            json
        };
        for (text, expected) in [
            ("null", "null"),
            ("true", "true"),
            ("false", "false"),
            ("True", "\"True\""),
            ("3.14", "3.14"),
            ("3.0", "3.0"),
            ("42", "42"),
            ("-7", "-7"),
            ("1e3", "1000"),
            ("1.5e1", "15"),
            ("0e9", "0"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9.223372036854775807E18"),
            ("hello", "\"hello\""),
            ("1 2", "\"1 2\""),
            ("", "\"\""),
        ] {
            let json = written(text);
            let same = json == expected
                || json
                    .parse::<f64>()
                    .is_ok_and(|it| Ok(it) == expected.parse::<f64>());
            assert!(same, "{text}: {json}");
        }
    }

    #[test]
    fn only_an_equals_sign_in_front_of_something_is_feel() {
        assert!(is_feel("=a"));
        assert!(is_feel("=\n1"));
        for text in ["", "=", " =a", "a = b"] {
            assert!(!is_feel(text), "{text:?}");
            assert_eq!(Expr::parse(text).unwrap().as_text().unwrap().as_str(), text);
        }
        assert!(matches!(Expr::parse("12").unwrap().code, Code::Number(12)));
        assert!(matches!(Expr::literal("12").unwrap().code, Code::Text));
        assert!(Expr::parse("= ").is_err());
    }
}
