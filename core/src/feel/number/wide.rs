//! Unsigned 256-bit integers: just enough for products and quotients of 34-digit numbers.
//!
//! Only magnitudes below 10^76 occur: a 34-digit coefficient times at most 10^41, or the product of
//! two coefficients. The type is private to decimals; nothing else should need it.

use super::{digits, pow10};

/// `high * 2^128 + low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    high: u128,
    low: u128,
}

impl From<u128> for Wide {
    fn from(low: u128) -> Wide {
        Wide { high: 0, low }
    }
}

impl Wide {
    pub(super) fn low(self) -> u128 {
        self.low
    }

    pub(super) fn product(a: u128, b: u128) -> Wide {
        const MASK: u128 = u64::MAX as u128;
        let (a1, a0) = (a >> 64, a & MASK);
        let (b1, b0) = (b >> 64, b & MASK);
        let low = a0 * b0;
        let middle = a1 * b0 + (low >> 64);
        let carry = a0 * b1 + (middle & MASK);
        Wide {
            high: a1 * b1 + (middle >> 64) + (carry >> 64),
            low: (carry << 64) | (low & MASK),
        }
    }

    pub(super) fn plus(self, other: u128) -> Wide {
        let (low, carry) = self.low.overflowing_add(other);
        Wide {
            high: self.high + u128::from(carry),
            low,
        }
    }

    pub(super) fn checked_minus(self, other: u128) -> Option<Wide> {
        let (low, borrow) = self.low.overflowing_sub(other);
        Some(Wide {
            high: self.high.checked_sub(u128::from(borrow))?,
            low,
        })
    }

    /// Subtracts a number that is known to be smaller.
    pub(super) fn minus(self, other: u128) -> Wide {
        self.checked_minus(other).unwrap_or(Wide::from(0))
    }

    /// Times `10^power`; the result has to stay below 2^256.
    pub(super) fn times_pow10(self, power: u32) -> Wide {
        let mut wide = self;
        let mut left = power;
        while left > 0 {
            let step = left.min(38);
            let by = pow10(step);
            let low = Wide::product(wide.low, by);
            wide = Wide {
                high: low.high.wrapping_add(wide.high.wrapping_mul(by)),
                low: low.low,
            };
            left -= step;
        }
        wide
    }

    /// Quotient and remainder by a 64-bit divisor.
    fn div_small(self, divisor: u64) -> (Wide, u64) {
        let limbs = [
            self.high >> 64,
            self.high & MASK64,
            self.low >> 64,
            self.low & MASK64,
        ];
        let mut quotient = [0u128; 4];
        let mut rest = 0u128;
        for (limb, out) in limbs.into_iter().zip(&mut quotient) {
            let current = (rest << 64) | limb;
            *out = current / u128::from(divisor);
            rest = current % u128::from(divisor);
        }
        let high = (quotient[0] << 64) | quotient[1];
        let low = (quotient[2] << 64) | quotient[3];
        (Wide { high, low }, rest as u64)
    }

    /// Quotient and remainder; the quotient has to fit 128 bits.
    pub(super) fn div_rem(self, divisor: u128) -> (u128, u128) {
        if self.high == 0 {
            return (self.low / divisor, self.low % divisor);
        }
        if let Ok(small) = u64::try_from(divisor) {
            let (quotient, rest) = self.div_small(small);
            return (quotient.low, u128::from(rest));
        }
        // Bit by bit: the divisor of a 34-digit number is below 2^113, so the rest never overflows.
        let mut rest = self.high % divisor;
        let mut quotient = 0u128;
        for bit in (0..128).rev() {
            rest = (rest << 1) | ((self.low >> bit) & 1);
            quotient <<= 1;
            if rest >= divisor {
                rest -= divisor;
                quotient |= 1;
            }
        }
        (quotient, rest)
    }

    pub(super) fn digits(self) -> u32 {
        if self.high == 0 {
            return digits(self.low);
        }
        let mut count = 0;
        let mut wide = self;
        while wide.high > 0 {
            wide = wide.div_small(CHUNK).0;
            count += CHUNK_DIGITS;
        }
        count + digits(wide.low)
    }

    /// Drops the last `places` digits, rounding half-even; `sticky` says that the digits which were
    /// already dropped were not all zero. What is left has to fit 128 bits.
    pub(super) fn round_off(self, places: u32, sticky: bool) -> u128 {
        let mut wide = self;
        let mut sticky = sticky;
        let mut left = places;
        let mut rest = 0;
        let mut half = 0;
        while left > 0 {
            sticky |= rest != 0;
            let step = left.min(CHUNK_DIGITS);
            let by = pow10(step) as u64;
            (wide, rest) = wide.div_small(by);
            half = by / 2;
            left -= step;
        }
        let kept = wide.low;
        let up = places > 0 && (rest > half || (rest == half && (sticky || kept & 1 == 1)));
        kept + u128::from(up)
    }
}

const MASK64: u128 = u64::MAX as u128;
const CHUNK_DIGITS: u32 = 18;
const CHUNK: u64 = pow10(CHUNK_DIGITS) as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_quotients_invert() {
        let a = 9_999_999_999_999_999_999_999_999_999_999_999u128;
        for b in [
            3u128,
            10,
            1 << 63,
            u128::from(u64::MAX),
            12_345_678_901_234_567_890_123,
            a - 2,
        ] {
            let product = Wide::product(a, b);
            assert_eq!(product.plus(1).div_rem(b), (a, 1));
            assert_eq!(product.minus(1).div_rem(b).0, a - 1);
        }
        assert_eq!(Wide::from(1).times_pow10(75).digits(), 76);
        assert_eq!(Wide::from(7).times_pow10(41).div_rem(pow10(38)), (7000, 0));
    }

    #[test]
    fn rounding_is_half_even_across_chunks() {
        let five = Wide::from(25).times_pow10(40);
        assert_eq!(five.round_off(41, false), 2);
        assert_eq!(five.round_off(41, true), 3);
        assert_eq!(five.plus(1).round_off(41, false), 3);
        assert_eq!(Wide::from(35).times_pow10(40).round_off(41, false), 4);
        assert_eq!(Wide::from(15).round_off(0, true), 15);
    }
}
