//! Tests of reading JSON: values both ways, wide containers, duplicates, errors, nesting, and a
//! comparison with another parser on mutated texts.
//!
//! The other parser is the oracle for what is JSON at all.

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
    assert_eq!(round("-0"), "0");
}

#[test]
fn integers_beyond_64_bits_are_refused_and_numbers_with_a_point_are_not() {
    for text in [
        "18446744073709551616",
        "[-9223372036854775809]",
        "{\"a\":1234567890123456789012}",
    ] {
        let why = to_msgpack(text).unwrap_err().to_string();
        assert!(
            why.contains("MessagePack cannot serialize BigInteger larger than 2^64-1"),
            "{why}"
        );
    }
    assert_eq!(round("18446744073709551616.0"), "1.8446744073709552E19");
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
                a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| alike(a, b)))
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
