//! Durations, dates, cycles and cron: what is accepted, what is refused, when it is due.
//!
//! The lists follow what `java.time` and the reference's own tests of its timers state.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use jiff::tz::TimeZone;
use ringflow_core::ids::Timestamp;
use ringflow_core::schedule::{
    Cron, Cycle, INFINITE, Interval, Occurrence, ScheduleError, date, local_date,
};

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Timestamp {
    date(text).unwrap()
}

/// The due time in Berlin as text.
fn local(time: Timestamp) -> String {
    let zoned = jiff::Timestamp::from_millisecond(time.0)
        .unwrap()
        .to_zoned(berlin());
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[test]
fn durations_that_java_accepts() {
    for (text, months, days, seconds, nanos) in [
        ("PT0S", 0, 0, 0, 0),
        ("PT15M", 0, 0, 900, 0),
        ("P1Y2M3DT4H5M6S", 14, 3, 14_706, 0),
        ("P2W", 0, 14, 0, 0),
        ("P-1D", 0, -1, 0, 0),
        ("-P1D", 0, -1, 0, 0),
        ("-P-1D", 0, 1, 0, 0),
        ("+P1D", 0, 1, 0, 0),
        ("P-1Y-2M", -14, 0, 0, 0),
        ("PT-5M", 0, 0, -300, 0),
        ("-PT5M", 0, 0, -300, 0),
        ("PT-3M-4S", 0, 0, -184, 0),
        ("PT1.5S", 0, 0, 1, 500_000_000),
        ("PT-0.5S", 0, 0, 0, -500_000_000),
        ("PT1,25S", 0, 0, 1, 250_000_000),
        ("PT0.S", 0, 0, 0, 0),
        ("-P1DT2H", 0, -1, -7200, 0),
        ("P1DT-2H", 0, 1, -7200, 0),
        ("p1d", 0, 1, 0, 0),
        ("PT36H", 0, 0, 129_600, 0),
        ("/PT1S", 0, 0, 1, 0),
    ] {
        let expected = Interval {
            start: None,
            months,
            days,
            seconds,
            nanos,
        };
        assert_eq!(Interval::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn durations_that_java_refuses() {
    for text in [
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "PD",
        "PT1",
        "PT1D",
        "P1S",
        "P1DT",
        "P1D1Y",
        "P1Y1Y",
        "PT1H1H",
        "PT1.5H",
        "PT1.0000000001S",
        "P 1D",
        " P1D",
        "P1D ",
        "PT1S1M",
        "P1.5D",
        "PKF,!T2.:",
        "pt5s",
        "P99999999999Y",
        "PT9223372036854775807H",
        "--P1D",
        "P--1D",
        "abc",
    ] {
        assert!(Interval::parse(text).is_err(), "{text}");
    }
}

#[test]
fn calendar_parts_follow_the_zone_and_the_length_of_months() {
    for (from, interval, expected) in [
        (
            "2026-01-31T00:00:00+01:00",
            "P1M",
            "2026-02-28T00:00:00+01:00",
        ),
        (
            "2024-01-31T00:00:00+01:00",
            "P1M",
            "2024-02-29T00:00:00+01:00",
        ),
        (
            "2026-01-31T00:00:00+01:00",
            "P1M1D",
            "2026-03-01T00:00:00+01:00",
        ),
        // The night of the change has 23 hours.
        (
            "2026-03-28T12:00:00+01:00",
            "P1D",
            "2026-03-29T12:00:00+02:00",
        ),
        (
            "2026-03-28T12:00:00+01:00",
            "PT24H",
            "2026-03-29T13:00:00+02:00",
        ),
        // 02:30 does not exist on that day.
        (
            "2026-03-28T02:30:00+01:00",
            "P1D",
            "2026-03-29T03:30:00+02:00",
        ),
        // 02:30 exists twice on that day.
        (
            "2026-10-24T02:30:00+02:00",
            "P1D",
            "2026-10-25T02:30:00+02:00",
        ),
        (
            "2026-11-25T02:30:00+01:00",
            "P-1M",
            "2026-10-25T02:30:00+01:00",
        ),
        (
            "2026-01-01T00:00:00+01:00",
            "-PT1H",
            "2025-12-31T23:00:00+01:00",
        ),
    ] {
        let due = Interval::parse(interval)
            .unwrap()
            .due(at(from), &berlin())
            .unwrap();
        assert_eq!(local(due), expected, "{from} {interval}");
    }
}

#[test]
fn too_far_away_is_an_error() {
    for text in ["P999999999Y", "P2147483647D"] {
        let interval = Interval::parse(text).unwrap();
        assert_eq!(
            interval.due(Timestamp(0), &berlin()),
            Err(ScheduleError::Overflow),
            "{text}"
        );
    }
    let exact = Interval::parse("PT9223372036854775S").unwrap();
    assert_eq!(
        exact.due(Timestamp(i64::MAX), &berlin()),
        Err(ScheduleError::Overflow)
    );
}

#[test]
fn dates_that_java_accepts() {
    for (text, millis) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("1970-01-01T01:00+01:00", 0),
        ("1970-01-01T00:00:30+00:00:30", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01T01:00:00+01:00[Europe/Berlin]", 0),
        ("1970-01-01T02:00+02:00[UTC+2]", 0),
        ("1970-01-01T02:00+02:00[GMT+02:00]", 0),
        // Offset and zone disagree: the instant stands.
        ("1970-01-01T05:00+05:00[Europe/Berlin]", 0),
        ("0000-01-01T00:00Z", -62_167_219_200_000),
    ] {
        assert_eq!(date(text), Ok(Timestamp(millis)), "{text}");
    }
}

#[test]
fn dates_that_java_refuses() {
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T10:00",
        "2026-01-31T10:00:00",
        "2026-1-31T10:00Z",
        "2026-02-30T10:00Z",
        "2026-13-01T10:00Z",
        "2026-01-31T25:00Z",
        "2026-01-31T10:60Z",
        "2026-01-31T10:00:60Z",
        "2026-01-31 10:00Z",
        "2026-01-31T10:00+2",
        "2026-01-31T10:00+19:00",
        "2026-01-31T10:00[Europe/Berlin]",
        "2026-01-31T10:00+01:00[Nowhere/Land]",
        "2026-01-31T10:00:00.Z",
        "2026-01-31T10Z",
        "2026-01-31T10:00ZZ",
        "T10:00Z",
        "x",
        "2026-01-31T24:00Z",
        "2026-01-31T10:00:00.1234567890Z",
    ] {
        assert!(date(text).is_err(), "{text}");
    }
}

#[test]
fn cycles_that_are_refused() {
    for (text, reason) in [
        ("R5", "No interval given"),
        ("R", "No interval given"),
        ("RA,/PT05S", "Cannot parse repetitions count"),
        ("R99999999999/PT1S", "Cannot parse repetitions count"),
        ("R5/", "Text cannot be parsed to a Period"),
        ("R/PT", "Text cannot be parsed to a Duration"),
        ("", "Failed to parse cron expression. Empty expression!"),
        (
            "PT05S",
            "Failed to parse cron expression. Cron expression contains 1 parts but we expect one of \
             [6]",
        ),
    ] {
        assert_eq!(
            Cycle::parse(text).unwrap_err().to_string(),
            reason,
            "{text}"
        );
    }
}

#[test]
fn repeating_intervals_count_down_and_do_not_drift() {
    let zone = berlin();
    let cycle = Cycle::parse("R3/PT10S").unwrap();
    let first = cycle.first(Timestamp(1000), &zone).unwrap();
    assert_eq!(
        first,
        Occurrence {
            due: Timestamp(11_000),
            repetitions: 3
        }
    );
    let second = cycle
        .next(first, Timestamp(12_500), &zone)
        .unwrap()
        .unwrap();
    assert_eq!(
        second,
        Occurrence {
            due: Timestamp(21_000),
            repetitions: 2
        }
    );
    // Overdue: at once.
    let third = cycle
        .next(second, Timestamp(90_000), &zone)
        .unwrap()
        .unwrap();
    assert_eq!(
        third,
        Occurrence {
            due: Timestamp(90_000),
            repetitions: 1
        }
    );
    assert_eq!(cycle.next(third, Timestamp(90_000), &zone), Ok(None));
}

#[test]
fn a_start_date_is_the_first_due_time() {
    let zone = berlin();
    let cycle = Cycle::parse("R/2022-05-20T08:09:40+02:00[Europe/Berlin]/P1M").unwrap();
    let start = at("2022-05-20T08:09:40+02:00");
    let first = cycle.first(Timestamp(start.0 - 5), &zone).unwrap();
    assert_eq!(
        first,
        Occurrence {
            due: start,
            repetitions: INFINITE
        }
    );
    let second = cycle.next(first, start, &zone).unwrap().unwrap();
    assert_eq!(local(second.due), "2022-06-20T08:09:40+02:00");
    let late = cycle.first(Timestamp(start.0 + 5), &zone).unwrap();
    assert_eq!(late.due, Timestamp(start.0 + 5));
    let once = Cycle::parse("R1//PT1S")
        .unwrap()
        .first(Timestamp(0), &zone)
        .unwrap();
    assert_eq!(
        once,
        Occurrence {
            due: Timestamp(1000),
            repetitions: 1
        }
    );
}

#[test]
fn cron_patterns_that_are_refused() {
    for text in [
        "",
        " ",
        "*",
        "* * * * *",
        "* * * * * * *",
        "60 * * * * *",
        "20-10 * * * * *",
        "* 60 * * * *",
        "* 20-10 * * * *",
        "* * 24 * * *",
        "* * 20-10 * * *",
        "* * * 0 * *",
        "* * * 32 * *",
        "* * * * 0 *",
        "* * * * 13 *",
        "* * * * * 8",
        "* * * * * *SUN",
        "* * * * * SUN*",
        "? * * * * *",
        "* * ? * * *",
        "*/0 * * * * *",
        "1,, * * * * *",
        "1- * * * * *",
        "-1 * * * * *",
        "1/ * * * * *",
        "a * * * * *",
        "* * * L-31 * *",
        "* * * 32W * *",
        "* * * * * 1#6",
        "* * * * * 1#0",
        "* * * * * L",
        "* * * * * #1",
        "@never",
        "* * * * FOO *",
        "* * * LL * *",
        "001 * * * * *",
        "9999999999 * * * * *",
    ] {
        assert!(Cron::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn cron_patterns_are_due() {
    let zone = berlin();
    for (pattern, from, expected) in [
        (
            "* * * * * *",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T00:00:01+01:00",
        ),
        (
            "*/10 * * * * *",
            "2026-01-01T00:00:55+01:00",
            "2026-01-01T00:01:00+01:00",
        ),
        (
            "0/15 * * * * *",
            "2026-01-01T00:00:46+01:00",
            "2026-01-01T00:01:00+01:00",
        ),
        (
            "5/20 * * * * *",
            "2026-01-01T00:00:05+01:00",
            "2026-01-01T00:00:25+01:00",
        ),
        (
            "10-15 * * * * *",
            "2026-01-01T00:00:15+01:00",
            "2026-01-01T00:01:10+01:00",
        ),
        (
            "55 5 * * * *",
            "2026-01-01T09:05:55+01:00",
            "2026-01-01T10:05:55+01:00",
        ),
        (
            "55 * 10 * * *",
            "2026-01-01T10:59:55+01:00",
            "2026-01-02T10:00:55+01:00",
        ),
        (
            "* 5 10 * * *",
            "2026-01-01T09:04:00+01:00",
            "2026-01-01T10:05:00+01:00",
        ),
        (
            "* * * 3 11 *",
            "2026-10-02T09:04:00+02:00",
            "2026-11-03T00:00:00+01:00",
        ),
        (
            "0 0 9 ? * MON-FRI",
            "2026-01-02T09:00:00+01:00",
            "2026-01-05T09:00:00+01:00",
        ),
        (
            "0 0 9 * * 5-7",
            "2026-01-01T09:00:00+01:00",
            "2026-01-02T09:00:00+01:00",
        ),
        (
            "0 0 9 * * SUN-TUE",
            "2026-01-01T09:00:00+01:00",
            "2026-01-04T09:00:00+01:00",
        ),
        (
            "0 0 9 * * 7",
            "2026-01-01T09:00:00+01:00",
            "2026-01-04T09:00:00+01:00",
        ),
        (
            "0 0 9 * * sat,sun",
            "2026-01-01T09:00:00+01:00",
            "2026-01-03T09:00:00+01:00",
        ),
        (
            "0 0 0 13 * FRI",
            "2026-01-01T00:00:00+01:00",
            "2026-02-13T00:00:00+01:00",
        ),
        (
            "0 0 * L * *",
            "2022-01-31T01:00:00+01:00",
            "2022-01-31T02:00:00+01:00",
        ),
        (
            "0 0 0 L-3 * *",
            "2022-01-10T00:00:00+01:00",
            "2022-01-28T00:00:00+01:00",
        ),
        (
            "0 0 0 L-3 * *",
            "2022-01-28T00:00:00+01:00",
            "2022-02-25T00:00:00+01:00",
        ),
        (
            "0 0 0 L-3 * *",
            "2022-03-28T00:00:00+02:00",
            "2022-04-27T00:00:00+02:00",
        ),
        (
            "0 0 * L-1 * *",
            "2022-01-30T01:00:00+01:00",
            "2022-01-30T02:00:00+01:00",
        ),
        (
            "0 0 * 1W * *",
            "2022-06-29T00:01:00+02:00",
            "2022-07-01T00:00:00+02:00",
        ),
        (
            "0 0 0 1W * *",
            "2022-09-30T00:00:00+02:00",
            "2022-10-03T00:00:00+02:00",
        ),
        (
            "0 0 0 15W * *",
            "2022-05-01T00:00:00+02:00",
            "2022-05-16T00:00:00+02:00",
        ),
        (
            "0 0 0 LW * *",
            "2022-07-01T00:00:00+02:00",
            "2022-07-29T00:00:00+02:00",
        ),
        (
            "0 0 0 ? * 5L",
            "2022-06-01T00:00:00+02:00",
            "2022-06-24T00:00:00+02:00",
        ),
        (
            "0 0 0 ? * THUL",
            "2022-06-01T00:00:00+02:00",
            "2022-06-30T00:00:00+02:00",
        ),
        (
            "0 0 0 ? * 5#2",
            "2022-06-01T00:00:00+02:00",
            "2022-06-10T00:00:00+02:00",
        ),
        (
            "0 0 0 ? * MON#1",
            "2022-06-07T00:00:00+02:00",
            "2022-07-04T00:00:00+02:00",
        ),
        (
            "0 0 0 29 2 *",
            "2026-01-01T00:00:00+01:00",
            "2028-02-29T00:00:00+01:00",
        ),
        (
            "0 0 0 29 2 MON",
            "2026-01-01T00:00:00+01:00",
            "2044-02-29T00:00:00+01:00",
        ),
        (
            "@yearly",
            "2026-01-01T00:00:00+01:00",
            "2027-01-01T00:00:00+01:00",
        ),
        (
            "@monthly",
            "2026-01-01T00:00:00+01:00",
            "2026-02-01T00:00:00+01:00",
        ),
        (
            "@weekly",
            "2026-01-01T00:00:00+01:00",
            "2026-01-04T00:00:00+01:00",
        ),
        (
            "@daily",
            "2026-01-01T00:00:00+01:00",
            "2026-01-02T00:00:00+01:00",
        ),
        (
            "@midnight",
            "2026-01-01T00:00:00+01:00",
            "2026-01-02T00:00:00+01:00",
        ),
        (
            "@hourly",
            "2026-01-01T00:00:00+01:00",
            "2026-01-01T01:00:00+01:00",
        ),
        // 02:30 does not exist; one hour later on that day only.
        (
            "0 30 2 * * *",
            "2026-03-28T12:00:00+01:00",
            "2026-03-29T03:30:00+02:00",
        ),
        (
            "0 30 2 * * *",
            "2026-03-29T03:30:00+02:00",
            "2026-03-30T02:30:00+02:00",
        ),
        // 02:30 exists twice; once for a daily pattern, twice for one of every hour.
        (
            "0 30 2 * * *",
            "2026-10-24T12:00:00+02:00",
            "2026-10-25T02:30:00+02:00",
        ),
        (
            "0 30 2 * * *",
            "2026-10-25T02:30:00+02:00",
            "2026-10-26T02:30:00+01:00",
        ),
        (
            "0 30 * * * *",
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:30:00+01:00",
        ),
        (
            "0 30 * * * *",
            "2026-10-25T02:30:00+01:00",
            "2026-10-25T03:30:00+01:00",
        ),
        (
            "0 0 * * * *",
            "2026-10-25T02:59:59+02:00",
            "2026-10-25T02:00:00+01:00",
        ),
    ] {
        let due = Cron::parse(pattern).unwrap().next(at(from), &zone).unwrap();
        assert_eq!(local(due), expected, "{pattern} from {from}");
    }
}

#[test]
fn a_pattern_that_never_matches_is_due_now_and_not_repeated() {
    let zone = berlin();
    for pattern in [
        "0 0 0 31 6 *",
        "0 0 0 30 2 *",
        "0 0 0 L-30 2 *",
        "0 0 0 30 2 1#5",
    ] {
        let cycle = Cycle::parse(pattern).unwrap();
        let first = cycle.first(Timestamp(5), &zone).unwrap();
        assert_eq!(
            first,
            Occurrence {
                due: Timestamp(5),
                repetitions: 0
            },
            "{pattern}"
        );
        assert_eq!(cycle.next(first, Timestamp(5), &zone), Ok(None));
    }
}

#[test]
fn no_text_makes_the_parsers_panic() {
    let mut seed = 7_u64;
    let letters = b"PTR/-+0123456789YMWDHS.:Z[]L#*?, @\xc3\xa9";
    for _ in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..seed % 16 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push(letters[(seed >> 33) as usize % letters.len()]);
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let text = String::from_utf8_lossy(&text).into_owned();
        let _ = date(&text);
        if let Ok(cycle) = Cycle::parse(&text) {
            let _ = cycle.first(Timestamp(0), &berlin());
        }
        if let Ok(interval) = Interval::parse(&text) {
            let _ = interval.due(Timestamp(0), &berlin());
        }
    }
}

#[test]
fn a_date_time_without_offset_is_one_of_a_zone() {
    let at = |text| local_date(text, "Europe/Berlin");
    assert_eq!(
        at("2031-01-01T00:00").as_deref(),
        Some("2031-01-01T00:00+01:00")
    );
    assert_eq!(
        at("2031-07-01T00:00:30").as_deref(),
        Some("2031-07-01T00:00:30+02:00")
    );
    assert_eq!(
        local_date("2031-01-01T00:00", "UTC").as_deref(),
        Some("2031-01-01T00:00Z")
    );
    assert_eq!(at("2031-01-01T00:00Z"), None);
    assert_eq!(at("2031-01-01"), None);
}
