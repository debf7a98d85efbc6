//! Decimal arithmetic against stored vectors of an independent implementation.
//!
//! A line holds two operands and the result with 34 digits, rounded half-even, as texts; the texts
//! have to agree to the last digit and zero. `round` lines hold value, scale, mode and result.

use std::cmp::Ordering;

use ringflow_core::feel::number::{Dec, Rounding};

fn lines(name: &str) -> Vec<Vec<String>> {
    let path = format!(
        "{}/tests/fixture/decimal/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect();
    assert!(lines.len() >= 300, "{name} is too short");
    lines
}

fn dec(text: &str) -> Dec {
    Dec::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[track_caller]
fn check(name: &str, operation: impl Fn(Dec, Dec) -> Option<Dec>) {
    let mut wrong = Vec::new();
    for line in lines(name) {
        let [a, b, expected] = &line[..] else {
            panic!("{line:?}")
        };
        let result = operation(dec(a), dec(b));
        let expected = dec(expected);
        // Zeros of different scale are the same number; their scale is nobody's concern.
        let same = result.is_some_and(|result| {
            result == expected && (result.is_zero() || result.to_string() == expected.to_string())
        });
        if !same {
            let result = result.map(|result| result.to_string());
            wrong.push(format!("{a} {name} {b} = {expected}, not {result:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn sums() {
    check("add", Dec::checked_add);
}

#[test]
fn differences() {
    check("sub", Dec::checked_sub);
}

#[test]
fn products() {
    check("mul", Dec::checked_mul);
}

#[test]
fn quotients() {
    check("div", Dec::checked_div);
}

#[test]
fn remainders() {
    check("rem", Dec::checked_rem);
}

#[test]
fn orders() {
    for line in lines("compare") {
        let [a, b, expected] = &line[..] else {
            panic!("{line:?}")
        };
        let expected = expected.parse::<i32>().unwrap().cmp(&0);
        assert_eq!(dec(a).cmp(&dec(b)), expected, "{a} and {b}");
        assert_eq!(dec(b).cmp(&dec(a)), expected.reverse(), "{b} and {a}");
    }
}

#[test]
fn rounded_to_a_scale() {
    for line in lines("round") {
        let [value, scale, mode, expected] = &line[..] else {
            panic!("{line:?}")
        };
        let mode = Rounding::named(mode).unwrap();
        let result = dec(value).with_scale(scale.parse().unwrap(), mode).unwrap();
        assert_eq!(
            result.cmp(&dec(expected)),
            Ordering::Equal,
            "{line:?}: {result}"
        );
    }
}

#[test]
fn laws_hold_for_random_numbers() {
    let mut state = 99u64;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        state >> 20
    };
    for _ in 0..5_000 {
        let mut number = || {
            let coefficient = i128::from(next()) * i128::from(next()) - (1 << 80);
            Dec::new(coefficient, (next() % 60) as i64 - 30).unwrap()
        };
        let (a, b) = (number(), number());
        assert_eq!(a.checked_add(b), b.checked_add(a));
        assert_eq!(a.checked_mul(b), b.checked_mul(a));
        assert_eq!(a.checked_sub(a), Some(Dec::ZERO));
        assert_eq!(a.checked_sub(b).map(Dec::negate), b.checked_sub(a));
        assert_eq!(Dec::parse(&a.to_string()), Some(a));
        assert_eq!(a.to_f64(), a.to_string().parse::<f64>().unwrap(), "{a}");
        if !b.is_zero() {
            assert_eq!(b.checked_div(b), Some(Dec::ONE));
        }
    }
}

#[test]
fn the_ends_of_the_range() {
    let huge = Dec::new(1, 999_999_999).unwrap();
    assert_eq!(huge.checked_mul(huge), None);
    assert_eq!(huge.checked_add(Dec::ONE), Some(huge));
    assert_eq!(Dec::ONE.checked_div(Dec::ZERO), None);
    assert_eq!(Dec::ONE.checked_rem(Dec::ZERO), None);
    assert_eq!(Dec::new(1, 2_000_000_000), None);
    assert_eq!(dec("10").pow(3), Some(dec("1000")));
    assert_eq!(dec("2").pow(-2), Some(dec("0.25")));
    assert_eq!(dec("2").pow(i64::MAX), None);
    assert_eq!(huge.to_i64(), None);
    assert_eq!(huge.to_f64(), f64::INFINITY);
    assert!(Dec::new(i128::MIN, 0).is_some());
    assert_eq!(
        Dec::new(i128::MAX, 0).unwrap().to_string(),
        "1.701411834604692317316873037158841E+38"
    );
}
