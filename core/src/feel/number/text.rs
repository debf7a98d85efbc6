//! Decimal text: what Java's `BigDecimal` accepts and prints.
//!
//! Printing keeps the scale (`1.50`) and turns to scientific notation where Java does: for a
//! positive exponent, or more than six zeros between point and first digit.

use std::fmt;

use super::{DIGITS, Dec, digits};

impl Dec {
    /// Reads an optional sign, digits with an optional point, and an optional exponent. More than
    /// 34 digits are rounded.
    pub fn parse(text: &str) -> Option<Dec> {
        let bytes = text.as_bytes();
        let (negative, mut at) = match bytes.first()? {
            b'-' => (true, 1),
            b'+' => (false, 1),
            _ => (false, 0),
        };
        let mut magnitude = 0u128;
        let mut kept = 0u32;
        let mut exponent = 0i64;
        let mut seen = false;
        let mut point = false;
        // Of digits beyond the ones that are kept only the first matters, and whether any follows.
        let (mut next, mut sticky) = (None, false);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    let digit = u128::from(byte - b'0');
                    if kept < DIGITS {
                        magnitude = magnitude * 10 + digit;
                        kept += u32::from(magnitude > 0);
                        exponent -= i64::from(point);
                    } else {
                        match next {
                            None => next = Some(digit),
                            Some(_) => sticky |= digit > 0,
                        }
                        exponent += i64::from(!point);
                    }
                }
                b'.' if !point => point = true,
                _ => break,
            }
            at += 1;
        }
        if !seen {
            return None;
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            let power = &text[at + 1..];
            let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
            if digits.is_empty() || digits.len() > 10 || !digits.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            exponent += power.parse::<i64>().ok()?;
        } else if at < bytes.len() {
            return None;
        }
        if let Some(next) = next {
            let up = next > 5 || (next == 5 && (sticky || magnitude & 1 == 1));
            magnitude += u128::from(up);
        }
        let coefficient = magnitude as i128;
        Dec::new(if negative { -coefficient } else { coefficient }, exponent)
    }
}

impl fmt::Display for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.magnitude();
        let scale = self.scale();
        let adjusted = i64::from(digits(magnitude)) - 1 - scale;
        if self.is_negative() {
            f.write_str("-")?;
        }
        if scale == 0 {
            return write!(f, "{magnitude}");
        }
        let text = magnitude.to_string();
        if scale > 0 && adjusted >= -6 {
            let scale = scale as usize;
            return if text.len() > scale {
                let (whole, fraction) = text.split_at(text.len() - scale);
                write!(f, "{whole}.{fraction}")
            } else {
                write!(f, "0.{text:0>scale$}")
            };
        }
        let (first, rest) = text.split_at(1);
        f.write_str(first)?;
        if !rest.is_empty() {
            write!(f, ".{rest}")?;
        }
        if adjusted == 0 {
            Ok(())
        } else {
            write!(f, "E{adjusted:+}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Dec {
        Dec::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn text_keeps_the_scale() {
        for text in [
            "0",
            "1",
            "-1.50",
            "0.001",
            "0.0000010",
            "1E+3",
            "1.5E-10",
            "-0.5",
            "1.0",
        ] {
            assert_eq!(dec(text).to_string(), text);
        }
        assert_eq!(dec(".5").to_string(), "0.5");
        assert_eq!(dec("1.0E10").to_string(), "1.0E+10");
        for text in [
            "",
            "-",
            ".",
            "1e",
            "1x",
            "e1",
            "1.2.3",
            "--1",
            " 1",
            "1e99999999999",
        ] {
            assert!(Dec::parse(text).is_none(), "{text}");
        }
        let long = "0.12345678901234567890123456789012345";
        assert_eq!(
            dec(long).to_string(),
            "0.1234567890123456789012345678901234"
        );
        assert_eq!(
            dec("99999999999999999999999999999999995").to_string(),
            "1.000000000000000000000000000000000E+35"
        );
    }

    #[test]
    fn doubles_translate_by_their_shortest_text() {
        assert_eq!(Dec::from_f64(0.1), Some(dec("0.1")));
        assert_eq!(Dec::from_f64(1e300), Some(dec("1E300")));
        assert_eq!(
            Dec::from_f64(2.0).map(|d| d.to_string()).as_deref(),
            Some("2.0")
        );
        assert_eq!(Dec::from_f64(f64::NAN), None);
        for value in [0.1, -2.5e-7, 1.0 / 3.0, f64::MAX, 5e-324, 123_456.789] {
            assert_eq!(Dec::from_f64(value).unwrap().to_f64(), value);
        }
    }

    #[test]
    fn whole_numbers_and_their_low_bits() {
        assert!(dec("2.0").is_whole() && dec("1e3").is_whole() && !dec("2.5").is_whole());
        assert_eq!(dec("2.9").low_i64(), 2);
        assert_eq!(dec("-2.9").to_i64(), Some(-2));
        assert_eq!(dec("18446744073709551617").low_i64(), 1);
        assert_eq!(dec("1e19").low_i64(), 10_000_000_000_000_000_000u64 as i64);
        assert_eq!(dec("1e70").low_i64(), 0);
        assert_eq!(dec("1e400").to_i64(), None);
    }
}
