//! Rounding to a given number of places, by the eight modes of Java.
//!
//! The modes are named in expressions (`decimal(n, scale, "HALF_UP")`), so their names and their
//! order in error texts are part of the language.

use super::{Dec, digits, pow10};

/// How a digit that is dropped changes the ones that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    Up,
    Down,
    Ceiling,
    Floor,
    HalfUp,
    HalfDown,
    HalfEven,
    /// Refuses to drop anything but zeros.
    Unnecessary,
}

impl Rounding {
    /// All modes in the order in which error texts list them.
    pub const ALL: [Rounding; 8] = [
        Rounding::Up,
        Rounding::Down,
        Rounding::Ceiling,
        Rounding::Floor,
        Rounding::HalfUp,
        Rounding::HalfDown,
        Rounding::HalfEven,
        Rounding::Unnecessary,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Rounding::Up => "UP",
            Rounding::Down => "DOWN",
            Rounding::Ceiling => "CEILING",
            Rounding::Floor => "FLOOR",
            Rounding::HalfUp => "HALF_UP",
            Rounding::HalfDown => "HALF_DOWN",
            Rounding::HalfEven => "HALF_EVEN",
            Rounding::Unnecessary => "UNNECESSARY",
        }
    }

    /// The mode of a name, in any case of letters.
    pub fn named(name: &str) -> Option<Rounding> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name().eq_ignore_ascii_case(name))
    }
}

impl Dec {
    /// The number with exactly `scale` digits behind the point. A scale that 34 digits cannot
    /// express leaves the number as it is.
    ///
    /// # Errors
    /// [`Rounding::Unnecessary`] although digits other than zero would go.
    pub fn with_scale(self, scale: i32, mode: Rounding) -> Result<Dec, &'static str> {
        let exponent = -i64::from(scale);
        let drop = exponent - i64::from(self.exponent);
        if drop <= 0 {
            return Ok(self.padded(-drop).unwrap_or(self));
        }
        let magnitude = self.magnitude();
        let (kept, order_to_half, exact) = if drop > i64::from(digits(magnitude)) {
            (0, std::cmp::Ordering::Less, magnitude == 0)
        } else {
            let by = pow10(drop as u32);
            let rest = magnitude % by;
            (magnitude / by, rest.cmp(&(by / 2)), rest == 0)
        };
        let negative = self.is_negative();
        let up = !exact
            && match mode {
                Rounding::Up => true,
                Rounding::Down => false,
                Rounding::Ceiling => !negative,
                Rounding::Floor => negative,
                Rounding::HalfUp => order_to_half.is_ge(),
                Rounding::HalfDown => order_to_half.is_gt(),
                Rounding::HalfEven => {
                    order_to_half.is_gt() || (order_to_half.is_eq() && kept & 1 == 1)
                }
                Rounding::Unnecessary => return Err("Rounding necessary"),
            };
        Ok(Dec::checked(negative, kept + u128::from(up), exponent).unwrap_or(self))
    }
}
