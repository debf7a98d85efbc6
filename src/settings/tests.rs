//! Tests of names and sources: which text is which setting, and what is refused.
//!
//! What the texts mean is tested with the configuration.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Result<Settings, SettingError> {
    let mut settings = Settings::default();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    settings
        .read_environment(pairs.into_iter())
        .map(|()| settings)
}

#[test]
fn all_names_of_a_setting_are_understood() {
    for name in [
        "RINGFLOW_CLUSTER_PARTITION_COUNT",
        "CAMUNDA_CLUSTER_PARTITIONCOUNT",
        "CAMUNDA_CLUSTER_PARTITION_COUNT",
        "ZEEBE_BROKER_CLUSTER_PARTITIONSCOUNT",
    ] {
        let settings = environment(&[(name, "3")]).expect(name);
        assert_eq!(
            settings.get(Id::Partitions),
            ("3", Origin::Environment),
            "{name}"
        );
    }
}

#[test]
fn unknown_own_variables_are_refused_and_foreign_ones_are_not() {
    let error = environment(&[("RINGFLOW_NONSENSE", "1")])
        .unwrap_err()
        .to_string();
    assert_eq!(error, "environment: unknown setting 'RINGFLOW_NONSENSE'");
    environment(&[("CAMUNDA_NONSENSE", "1"), ("PATH", "/bin")]).expect("foreign names pass");
}

#[test]
fn contradictions_name_both_keys() {
    let error = environment(&[
        ("CAMUNDA_CLUSTER_PARTITIONCOUNT", "3"),
        ("ZEEBE_BROKER_CLUSTER_PARTITIONSCOUNT", "4"),
    ])
    .unwrap_err()
    .to_string();
    assert!(error.contains("CAMUNDA_CLUSTER_PARTITIONCOUNT"), "{error}");
    assert!(
        error.contains("ZEEBE_BROKER_CLUSTER_PARTITIONSCOUNT"),
        "{error}"
    );
}

#[test]
fn no_two_settings_share_a_name() {
    for &id in Id::ALL {
        let row = id.row();
        for name in std::iter::once(&row.name).chain(row.aliases) {
            assert_eq!(find(name), Some(id), "{name}");
        }
    }
}

#[test]
fn files_of_both_kinds_are_read() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let toml = dir.path().join("c.toml");
    std::fs::write(&toml, "[cluster]\npartition-count = 3\n").expect("written");
    let yaml = dir.path().join("c.yaml");
    std::fs::write(&yaml, "camunda:\n  cluster:\n    partitionCount: 4\n").expect("written");
    let mut settings = Settings::default();
    settings
        .read_file(toml.to_str().expect("UTF-8"))
        .expect("TOML");
    assert_eq!(settings.get(Id::Partitions).0, "3");
    settings
        .read_file(yaml.to_str().expect("UTF-8"))
        .expect("YAML");
    assert_eq!(settings.get(Id::Partitions).0, "4");
    std::fs::write(&toml, "[cluster]\npartitions = 3\n").expect("written");
    let error = settings
        .read_file(toml.to_str().expect("UTF-8"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unknown setting 'cluster.partitions'"),
        "{error}"
    );
}

#[test]
fn lists_are_texts_or_numbered_names() {
    for pairs in [
        &[("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES", "a,b")][..],
        &[
            ("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES_0", "a"),
            ("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES_1", "b"),
        ],
    ] {
        let settings = environment(pairs).expect("audiences");
        let text = settings.get(Id::OidcAudiences).0;
        let items: Vec<&str> = text.split([',', ' ']).collect();
        assert_eq!(items, ["a", "b"], "{text}");
    }
}
