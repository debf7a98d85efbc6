//! Decimal numbers with 34 significant digits, rounded half-even: Java's `MathContext.DECIMAL128`.
//!
//! A number is `coefficient * 10^exponent`. The exponent is kept as written (`1.50` stays `1.50`),
//! because texts made of numbers show it; equality and order ignore it. Most numbers are short, so
//! each operation first tries 128-bit arithmetic and only then the 256-bit form in
//! [`wide`].
//!
//! Invariants:
//! 1. The coefficient never has more than [`DIGITS`] digits.
//! 2. Operations that Java refuses (division by zero, exponent overflow) return `None`.

mod round;
mod text;
mod wide;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

pub use round::Rounding;
use wide::Wide;

/// Significant digits that are kept.
pub const DIGITS: u32 = 34;

/// Exponents beyond this are refused; Java allows a 32-bit scale.
const MAX_EXPONENT: i64 = 1_000_000_000;

/// Largest exponent of a power, as in Java.
const MAX_POWER: i64 = 999_999_999;

/// A decimal number. Packed to 8-byte alignment so that values which hold one stay at 32 bytes.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(8))]
pub struct Dec {
    coefficient: i128,
    exponent: i32,
}

pub(super) const fn pow10(power: u32) -> u128 {
    const TABLE: [u128; 39] = {
        let mut table = [1u128; 39];
        let mut at = 1;
        while at < table.len() {
            table[at] = table[at - 1] * 10;
            at += 1;
        }
        table
    };
    TABLE[power as usize]
}

/// Number of decimal digits; 1 for zero, as in Java's `precision`.
pub(super) fn digits(value: u128) -> u32 {
    value.checked_ilog10().map_or(1, |log| log + 1)
}

const LIMIT: u128 = pow10(DIGITS);

/// What the reference's runtime says of a floating point result that is no number.
pub(super) fn no_number(result: f64) -> String {
    let first = if result.is_nan() { 'N' } else { 'I' };
    format!(
        "java.lang.NumberFormatException: Character {first} is neither a decimal digit number, \
         decimal point, nor \"e\" notation exponential mark."
    )
}

impl Dec {
    pub const ZERO: Dec = Dec {
        coefficient: 0,
        exponent: 0,
    };
    pub const ONE: Dec = Dec {
        coefficient: 1,
        exponent: 0,
    };

    /// `coefficient * 10^exponent`, rounded to 34 digits; `None` if the exponent is out of range.
    pub fn new(coefficient: i128, exponent: i64) -> Option<Dec> {
        let magnitude = coefficient.unsigned_abs();
        if magnitude < LIMIT {
            return Self::checked(coefficient < 0, magnitude, exponent);
        }
        Self::from_wide(coefficient < 0, Wide::from(magnitude), exponent, false)
    }

    /// Keeps a coefficient that is known to be short enough.
    fn checked(negative: bool, magnitude: u128, exponent: i64) -> Option<Dec> {
        if exponent.abs() > MAX_EXPONENT {
            return None;
        }
        let coefficient = if negative {
            -(magnitude as i128)
        } else {
            magnitude as i128
        };
        Some(Dec {
            coefficient,
            exponent: exponent as i32,
        })
    }

    /// Rounds a wide magnitude; `sticky` says that more nonzero digits follow it.
    fn from_wide(negative: bool, wide: Wide, exponent: i64, sticky: bool) -> Option<Dec> {
        let excess = wide.digits().saturating_sub(DIGITS);
        let mut magnitude = wide.round_off(excess, sticky);
        let mut exponent = exponent + i64::from(excess);
        if magnitude >= LIMIT {
            // Rounding carried into a 35th digit, so the last one is zero.
            magnitude /= 10;
            exponent += 1;
        }
        Self::checked(negative, magnitude, exponent)
    }

    /// The digits without sign and point.
    fn magnitude(self) -> u128 {
        { self.coefficient }.unsigned_abs()
    }

    /// Digits after the decimal point; negative for trailing zeros that are not written.
    pub fn scale(self) -> i64 {
        -i64::from(self.exponent)
    }

    pub fn is_zero(self) -> bool {
        self.coefficient == 0
    }

    pub fn is_negative(self) -> bool {
        self.coefficient < 0
    }

    /// Whether the number has no fraction.
    pub fn is_whole(self) -> bool {
        self.exponent >= 0 || self.is_zero() || {
            let places = self.exponent.unsigned_abs();
            places < 39 && self.magnitude().is_multiple_of(pow10(places))
        }
    }

    #[must_use]
    pub fn abs(self) -> Dec {
        Dec {
            coefficient: { self.coefficient }.abs(),
            exponent: self.exponent,
        }
    }

    pub fn checked_add(self, other: Dec) -> Option<Dec> {
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let gap = i64::from(high.exponent) - i64::from(low.exponent);
        if gap == 0 {
            return Dec::new(high.coefficient + low.coefficient, i64::from(low.exponent));
        }
        if gap <= 38 {
            let scaled = { high.coefficient }.checked_mul(pow10(gap as u32) as i128);
            if let Some(sum) = scaled.and_then(|scaled| scaled.checked_add(low.coefficient)) {
                return Dec::new(sum, i64::from(low.exponent));
            }
        }
        if high.is_zero() {
            return Some(low);
        }
        if low.is_zero() {
            return high.padded(gap);
        }
        // More digits than this below the higher number never matter except for rounding.
        const FAR: i64 = 41;
        let shift = gap.min(FAR);
        let (low_part, sticky) = match u32::try_from(gap - shift) {
            Ok(beyond @ 0..=38) => (
                low.magnitude() / pow10(beyond),
                low.magnitude() % pow10(beyond) != 0,
            ),
            _ => (0, true),
        };
        let wide = Wide::from(high.magnitude()).times_pow10(shift as u32);
        let exponent = i64::from(high.exponent) - shift;
        let negative = high.is_negative();
        if negative == low.is_negative() {
            return Dec::from_wide(negative, wide.plus(low_part), exponent, sticky);
        }
        if sticky {
            // Just below the difference: one unit less, and more digits behind it.
            return Dec::from_wide(negative, wide.minus(low_part + 1), exponent, true);
        }
        match wide.checked_minus(low_part) {
            Some(rest) => Dec::from_wide(negative, rest, exponent, false),
            None => {
                let rest = Wide::from(low_part - wide.low());
                Dec::from_wide(!negative, rest, exponent, false)
            }
        }
    }

    /// The same number with up to `places` more digits behind the point, as many as fit.
    fn padded(self, places: i64) -> Option<Dec> {
        let room = i64::from(DIGITS - digits(self.magnitude()));
        let pad = places.min(room);
        let coefficient = self.coefficient * pow10(pad as u32) as i128;
        Dec::new(coefficient, i64::from(self.exponent) - pad)
    }

    #[must_use]
    pub fn negate(self) -> Dec {
        Dec {
            coefficient: -{ self.coefficient },
            exponent: self.exponent,
        }
    }

    pub fn checked_sub(self, other: Dec) -> Option<Dec> {
        self.checked_add(other.negate())
    }

    pub fn checked_mul(self, other: Dec) -> Option<Dec> {
        let exponent = i64::from(self.exponent) + i64::from(other.exponent);
        if let Some(product) = { self.coefficient }.checked_mul(other.coefficient) {
            return Dec::new(product, exponent);
        }
        let wide = Wide::product(self.magnitude(), other.magnitude());
        Dec::from_wide(
            self.is_negative() != other.is_negative(),
            wide,
            exponent,
            false,
        )
    }

    /// The quotient; `None` for a zero divisor. An exact quotient keeps no more places than Java
    /// prefers: the difference of the scales, if that suffices.
    pub fn checked_div(self, other: Dec) -> Option<Dec> {
        let preferred = i64::from(self.exponent) - i64::from(other.exponent);
        if other.is_zero() {
            return None;
        }
        let negative = self.is_negative() != other.is_negative();
        let (dividend, divisor) = (self.magnitude(), other.magnitude());
        if dividend % divisor == 0 {
            return Dec::checked(negative, dividend / divisor, preferred);
        }
        let shift = (DIGITS + 1 + digits(divisor)).saturating_sub(digits(dividend));
        let (quotient, rest) = Wide::from(dividend).times_pow10(shift).div_rem(divisor);
        let exponent = preferred - i64::from(shift);
        let mut result = Dec::from_wide(negative, Wide::from(quotient), exponent, rest != 0)?;
        let dropped = digits(quotient).saturating_sub(DIGITS);
        if rest == 0 && quotient % pow10(dropped) == 0 {
            while i64::from(result.exponent) < preferred && result.coefficient % 10 == 0 {
                result.coefficient /= 10;
                result.exponent += 1;
            }
        }
        Some(result)
    }

    /// The remainder with the sign of the dividend; `None` for a zero divisor or a quotient of more
    /// digits than are kept.
    pub fn checked_rem(self, other: Dec) -> Option<Dec> {
        if other.is_zero() {
            return None;
        }
        let exponent = self.exponent.min(other.exponent);
        if self.is_zero() {
            return Some(Dec {
                coefficient: 0,
                exponent,
            });
        }
        let divisor_shift = i64::from(other.exponent) - i64::from(exponent);
        let Some(divisor) = scaled(other.magnitude(), divisor_shift) else {
            // The divisor is larger than anything the dividend can be.
            return Some(self);
        };
        let shift = i64::from(self.exponent) - i64::from(exponent);
        let quotient_digits =
            i64::from(digits(self.magnitude())) + shift - i64::from(digits(divisor));
        if quotient_digits > i64::from(DIGITS) {
            return None;
        }
        let mut rest = self.magnitude() % divisor;
        for _ in 0..shift {
            rest = Wide::product(rest, 10).div_rem(divisor).1;
        }
        Dec::checked(self.is_negative(), rest, i64::from(exponent))
    }

    /// A whole power, rounded after each multiplication; `None` beyond Java's range of powers.
    pub fn pow(self, power: i64) -> Option<Dec> {
        if power.abs() > MAX_POWER {
            return None;
        }
        let mut left = power.unsigned_abs();
        let mut base = self;
        let mut result = Dec::ONE;
        while left > 0 {
            if left & 1 == 1 {
                result = result.checked_mul(base)?;
            }
            left >>= 1;
            if left > 0 {
                base = base.checked_mul(base)?;
            }
        }
        if power < 0 {
            Dec::ONE.checked_div(result)
        } else {
            Some(result)
        }
    }

    /// The number without its fraction, if it fits.
    pub fn to_i64(self) -> Option<i64> {
        i64::try_from(self.truncated()?).ok()
    }

    /// The number without its fraction, reduced to its low 32 bits, as Java's `intValue`.
    pub fn low_i32(self) -> i32 {
        self.low_i64() as i32
    }

    /// The number without its fraction, reduced to its low 64 bits, as Java's `longValue`.
    pub fn low_i64(self) -> i64 {
        if self.exponent <= 0 {
            return self.truncated().unwrap_or(0) as i64;
        }
        // 10^64 and above is a multiple of 2^64.
        let mut low = self.coefficient as i64;
        for _ in 0..self.exponent.min(64) {
            low = low.wrapping_mul(10);
        }
        low
    }

    fn truncated(self) -> Option<i128> {
        if self.exponent >= 0 {
            let scaled = scaled(self.magnitude(), i64::from(self.exponent))?;
            let scaled = i128::try_from(scaled).ok()?;
            return Some(if self.is_negative() { -scaled } else { scaled });
        }
        let places = self.exponent.unsigned_abs();
        Some(if places > 38 {
            0
        } else {
            self.coefficient / pow10(places) as i128
        })
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        const EXACT: u128 = 1 << 53;
        let magnitude = self.magnitude();
        if magnitude <= EXACT && (-22..=22).contains(&{ self.exponent }) {
            let scale = pow10(self.exponent.unsigned_abs()) as f64;
            let base = self.coefficient as f64;
            return if self.exponent < 0 {
                base / scale
            } else {
                base * scale
            };
        }
        format!("{}e{}", { self.coefficient }, { self.exponent })
            .parse()
            .unwrap_or(f64::NAN)
    }

    /// The number with the shortest digits that denote the double; `None` for NaN and infinities.
    pub fn from_f64(value: f64) -> Option<Dec> {
        const PLAIN: f64 = 1e7;
        if value.abs() < PLAIN && value.trunc() == value {
            return Some(Dec {
                coefficient: value as i128 * 10,
                exponent: -1,
            });
        }
        if !value.is_finite() {
            return None;
        }
        let mut text = String::new();
        crate::json::write_double(value, &mut text);
        Dec::parse(&text)
    }
}

/// `magnitude * 10^shift`, if that fits.
fn scaled(magnitude: u128, shift: i64) -> Option<u128> {
    if magnitude == 0 {
        return Some(0);
    }
    let shift = u32::try_from(shift).ok().filter(|shift| *shift < 39)?;
    magnitude.checked_mul(pow10(shift))
}

impl From<i64> for Dec {
    fn from(value: i64) -> Dec {
        Dec {
            coefficient: i128::from(value),
            exponent: 0,
        }
    }
}

impl From<u64> for Dec {
    fn from(value: u64) -> Dec {
        Dec {
            coefficient: i128::from(value),
            exponent: 0,
        }
    }
}

impl PartialEq for Dec {
    fn eq(&self, other: &Dec) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Dec {}

impl PartialOrd for Dec {
    fn partial_cmp(&self, other: &Dec) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dec {
    #[inline]
    fn cmp(&self, other: &Dec) -> Ordering {
        if self.exponent == other.exponent {
            return { self.coefficient }.cmp(&{ other.coefficient });
        }
        let sign = { self.coefficient }
            .signum()
            .cmp(&{ other.coefficient }.signum());
        if sign != Ordering::Equal || self.is_zero() {
            return sign;
        }
        let (mine, theirs) = (self.magnitude(), other.magnitude());
        let first =
            |value: &Dec, magnitude| i64::from(value.exponent) + i64::from(digits(magnitude));
        let order = first(self, mine).cmp(&first(other, theirs)).then_with(|| {
            // The first digits stand at the same place, so the gap is below 39.
            let gap = i64::from(self.exponent) - i64::from(other.exponent);
            let by = pow10(gap.unsigned_abs() as u32 % 39);
            if gap > 0 {
                Wide::product(mine, by).cmp(&Wide::from(theirs))
            } else {
                Wide::from(mine).cmp(&Wide::product(theirs, by))
            }
        });
        if self.is_negative() {
            order.reverse()
        } else {
            order
        }
    }
}

impl Hash for Dec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut coefficient = self.coefficient;
        let mut exponent = self.exponent;
        if coefficient == 0 {
            exponent = 0;
        }
        while coefficient != 0 && coefficient % 10 == 0 {
            coefficient /= 10;
            exponent += 1;
        }
        coefficient.hash(state);
        exponent.hash(state);
    }
}
