//! Tests of the configuration: texts become values or refusals.
//!
//! What a refusal names is part of what is tested.

use super::*;

fn config(pairs: &[(Id, &str)]) -> Result<Config, String> {
    let mut settings = Settings::default();
    for (id, value) in pairs {
        settings.set(*id, *value);
    }
    Config::from_settings(&settings).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_valid() {
    let config = config(&[]).expect("defaults");
    assert_eq!(config.access, Access::Unprotected);
    assert_eq!(
        config.secondary_storage.unwrap().place(),
        "sqlite:data/secondary.db"
    );
}

#[test]
fn refusals_name_field_value_source_and_range() {
    let cases = [
        (
            Id::Partitions,
            "0",
            "setting 'cluster.partition-count' is '0' (command line) but must be auto or a number, 1 to 1024",
        ),
        (
            Id::SnapshotPeriod,
            "1s",
            "setting 'data.snapshot-period' is '1s' (command line) but must be a duration such as 5s, 100ms or PT5S, 10000ms to 86400000ms",
        ),
        (
            Id::Io,
            "fast",
            "setting 'shards.io' is 'fast' (command line) but must be one of auto, uring, plain",
        ),
        (
            Id::Cores,
            "3-1",
            "setting 'shards.cores' is '3-1' (command line) but must be auto, none, or a list of cores such as 1-3,5",
        ),
        (
            Id::Users,
            "demo",
            "setting 'security.users' is '***' (command line) but must be NAME:PASSWORD, blank between",
        ),
    ];
    for (id, value, expected) in cases {
        assert_eq!(config(&[(id, value)]).unwrap_err(), expected);
    }
}

#[test]
fn durations_and_sizes_have_the_forms_users_know() {
    for (text, expected) in [
        ("250ms", Some(250)),
        ("5s", Some(5_000)),
        ("PT5S", Some(5_000)),
        ("PT0.5S", Some(500)),
        ("P1DT2H3M4S", Some(93_784_000)),
        ("30d", Some(2_592_000_000)),
        ("P30D", Some(2_592_000_000)),
        ("5", None),
        ("P", None),
        ("PT", None),
        ("-5s", None),
    ] {
        assert_eq!(millis(text), expected, "{text}");
    }
    assert_eq!(bytes("128MB"), Some(128 << 20));
    assert_eq!(bytes("99999999999TB"), None);
}

#[test]
fn databases_are_understood_or_refused_by_setting() {
    let place = |url: &str| {
        let settings = [(Id::SecondaryStorage, url), (Id::SecondaryStorageUser, "u")];
        config(&settings).map(|config| config.secondary_storage.map(|database| database.place()))
    };
    assert_eq!(
        place("jdbc:postgresql://db:5433/camunda?sslmode=require"),
        Ok(Some("postgresql://db:5433/camunda".to_owned()))
    );
    assert_eq!(
        place("jdbc:mariadb://db/camunda?useBulkStmts=true"),
        Ok(Some("mysql://db:3306/camunda".to_owned()))
    );
    assert_eq!(place("none"), Ok(None));
    assert_eq!(
        place("jdbc:oracle:thin:@//h/s").unwrap_err(),
        "setting 'secondary-storage.url' is 'jdbc:oracle:thin:@//h/s' (command line) but must \
         be sqlite:PATH, postgres://HOST/DATABASE, mysql://HOST/DATABASE or none: oracle is not \
         supported yet as secondary storage; use postgresql://..., mysql://..., mariadb://..., \
         sqlite:PATH or none"
    );
}
