//! Settings of the exporter to Elasticsearch or OpenSearch: Camunda's arguments of it.
//!
//! It is there as soon as an address or its class is named. Each argument has a row in [`ROWS`];
//! which value types are exported is said by `index.` and the name of one. An argument that is not
//! known is refused: it would change what arrives.

use std::time::Duration;

use ringflow_export::elastic::{ElasticOptions, Retention, Secret, Suffix, VALUE_TYPES};

use super::{MB, Reader, bytes, millis};
use crate::settings::{Argument, SettingError};

/// Where it is if nothing says so, as Camunda has it.
const URL: &str = "http://localhost:9200";
/// The classes of Camunda's exporters, which this one takes the place of.
const CLASSES: [&str; 2] = [
    "io.camunda.zeebe.exporter.ElasticsearchExporter",
    "io.camunda.zeebe.exporter.opensearch.OpensearchExporter",
];
/// Longest prefix of indices.
const PREFIX_MAX: usize = 100;

/// What can be said: name, default, meaning.
pub(crate) const ROWS: &[(&str, &str, &str)] = &[
    (
        "class-name",
        "",
        "Camunda's class of the exporter; naming it switches it on.",
    ),
    (
        "url",
        "",
        "Addresses of Elasticsearch or OpenSearch, commas between; naming one switches the export on.",
    ),
    (
        "authentication.username",
        "",
        "Name there, if one is asked for.",
    ),
    ("authentication.password", "", "Its password."),
    (
        "request-timeout-ms",
        "30000",
        "Milliseconds that a request may take.",
    ),
    (
        "bulk.delay",
        "5",
        "Seconds after which a window is sent at the latest; or a time, as 500ms.",
    ),
    ("bulk.size", "1000", "Documents of a window at most."),
    ("bulk.memory-limit", "10MB", "Size of a window at most."),
    (
        "index.prefix",
        "zeebe-record",
        "How the names of indices begin; no underscore.",
    ),
    (
        "index.index-suffix-date-pattern",
        "yyyy-MM-dd",
        "How they end: of yyyy, MM, dd, HH and - _ . between.",
    ),
    (
        "index.create-template",
        "true",
        "false: the templates are there already.",
    ),
    (
        "index.template-priority",
        "20",
        "Priority of the templates.",
    ),
    (
        "index.number-of-shards",
        "auto",
        "Shards of each index; auto: 3 for jobs and elements, else 1.",
    ),
    ("index.number-of-replicas", "1", "Copies of each index."),
    (
        "index.command",
        "false",
        "true: commands are exported as well.",
    ),
    ("index.event", "true", "false: events are not exported."),
    (
        "index.rejection",
        "false",
        "true: refused commands are exported as well.",
    ),
    (
        "include-enabled-records",
        "false",
        "true: all value types that are switched on, not only those that other programs need.",
    ),
    (
        "retention.enabled",
        "false",
        "true: indices are deleted when they are old enough (needs index lifecycles).",
    ),
    ("retention.minimum-age", "30d", "How old, as 30d."),
    (
        "retention.policy-name",
        "zeebe-record-retention-policy",
        "Name of the policy that does so.",
    ),
];

impl Reader<'_> {
    /// The exporter, if it is wanted.
    pub(super) fn elastic(&self, version: &str) -> Result<Option<ElasticOptions>, SettingError> {
        let arguments = &self.settings.exporter;
        if arguments.0.is_empty() {
            return Ok(None);
        }
        for (name, argument) in &arguments.0 {
            let known = ROWS.iter().any(|(row, _, _)| bare(row) == *name)
                || VALUE_TYPES
                    .iter()
                    .any(|(it, _, _)| type_name(it.name()) == *name);
            if !known {
                return Err(SettingError::Unknown {
                    origin: argument.origin.clone(),
                    key: argument.key.clone(),
                });
            }
        }
        let class = self.argument("class-name");
        if !class.is_empty() && !CLASSES.contains(&class) {
            return Err(self.wrong("class-name", CLASSES.join(" or ")));
        }
        if class.is_empty() && self.argument("url").is_empty() {
            return Ok(None);
        }
        let mut options = ElasticOptions::new(self.urls()?, version);
        let user = self.argument("authentication.username");
        let password = self.argument("authentication.password");
        if !user.is_empty() && !password.is_empty() {
            options.credentials = Some((user.to_owned(), Secret(password.to_owned())));
        }
        options.request_timeout =
            Duration::from_millis(self.count("request-timeout-ms", 100, 600_000)?);
        options.bulk_delay = self.delay()?;
        options.bulk_size = self.count("bulk.size", 1, 100_000)? as usize;
        options.bulk_bytes = self.memory("bulk.memory-limit")?;
        let index = &mut options.index;
        index.prefix = self.index_prefix()?;
        index.suffix =
            Suffix::read(self.argument("index.index-suffix-date-pattern")).ok_or_else(|| {
                let parts = "a pattern of yyyy, MM, dd, HH and - _ . between";
                self.wrong("index.index-suffix-date-pattern", parts)
            })?;
        index.create_template = self.says("index.create-template")?;
        index.priority = self.count("index.template-priority", 0, u64::from(u32::MAX))? as u32;
        index.shards = match self.argument("index.number-of-shards") {
            "auto" => None,
            _ => Some(self.count("index.number-of-shards", 1, 1024)? as u32),
        };
        index.replicas = self.count("index.number-of-replicas", 0, 100)? as u32;
        index.commands = self.says("index.command")?;
        index.events = self.says("index.event")?;
        index.rejections = self.says("index.rejection")?;
        let all = self.says("include-enabled-records")?;
        index.types.clear();
        for (value_type, on, needed) in VALUE_TYPES {
            let on = match arguments.0.get(&type_name(value_type.name())) {
                Some(argument) => flag(argument)?,
                None => *on,
            };
            if on && (all || *needed) {
                index.types.insert(*value_type);
            }
        }
        options.retention = self.retention()?;
        Ok(Some(options))
    }

    /// The text of an argument.
    fn argument(&self, name: &'static str) -> &str {
        match self.settings.exporter.0.get(&bare(name)) {
            Some(argument) => argument.value.trim(),
            None => ROWS
                .iter()
                .find(|(row, _, _)| *row == name)
                .map_or("", |(_, default, _)| default),
        }
    }

    fn wrong(&self, name: &'static str, expected: impl Into<String>) -> SettingError {
        match self.settings.exporter.0.get(&bare(name)) {
            Some(argument) => refused(argument, expected),
            None => SettingError::Argument {
                key: format!("elasticsearch.{name}"),
                value: String::new(),
                origin: crate::settings::Origin::Default,
                expected: expected.into(),
            },
        }
    }

    fn urls(&self) -> Result<Vec<String>, SettingError> {
        let given = match self.argument("url") {
            "" => URL,
            given => given,
        };
        let urls: Vec<String> = given
            .split([',', ' '])
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect();
        let is_url = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        match urls.iter().all(is_url) {
            true => Ok(urls),
            false => Err(self.wrong(
                "url",
                "http://HOST:PORT or https://HOST:PORT, commas between",
            )),
        }
    }

    fn count(&self, name: &'static str, min: u64, max: u64) -> Result<u64, SettingError> {
        let given: Option<u64> = self.argument(name).parse().ok();
        given
            .filter(|given| (min..=max).contains(given))
            .ok_or_else(|| self.wrong(name, format!("a number from {min} to {max}")))
    }

    fn says(&self, name: &'static str) -> Result<bool, SettingError> {
        match self.settings.exporter.0.get(&bare(name)) {
            Some(argument) => flag(argument),
            None => Ok(self.argument(name) == "true"),
        }
    }

    fn delay(&self) -> Result<Duration, SettingError> {
        let text = self.argument("bulk.delay");
        let given = match text.parse::<u64>() {
            Ok(seconds) => seconds.checked_mul(1000),
            Err(_) => millis(text),
        };
        given
            .filter(|given| (10..=600_000).contains(given))
            .map(Duration::from_millis)
            .ok_or_else(|| {
                self.wrong(
                    "bulk.delay",
                    "seconds, or a time such as 500ms; 10ms to 10m",
                )
            })
    }

    fn memory(&self, name: &'static str) -> Result<usize, SettingError> {
        let text = self.argument(name);
        let given = text.parse::<u64>().ok().or_else(|| bytes(text));
        given
            .filter(|given| (1024..=1024 * MB).contains(given))
            .and_then(|given| usize::try_from(given).ok())
            .ok_or_else(|| self.wrong(name, "a size such as 10MB, 1KB to 1GB"))
    }

    /// Signs that a name of an index cannot have, and how it cannot begin.
    fn index_prefix(&self) -> Result<String, SettingError> {
        let prefix = self.argument("index.prefix");
        let fits = !prefix.is_empty()
            && prefix.len() <= PREFIX_MAX
            && !prefix.contains([
                '\\', '/', '*', '?', '"', '<', '>', '|', ' ', '_', ',', '#', ':',
            ])
            && !prefix.starts_with(['.', '+', '-'])
            && !prefix.contains(char::is_uppercase);
        match fits {
            true => Ok(prefix.to_owned()),
            false => Err(self.wrong(
                "index.prefix",
                "1 to 100 small letters, digits and dashes; none of \\ / * ? \" < > | space _ , # : \
                 and no . + - first",
            )),
        }
    }

    fn retention(&self) -> Result<Option<Retention>, SettingError> {
        if !self.says("retention.enabled")? {
            return Ok(None);
        }
        let age = self.argument("retention.minimum-age");
        let number = age.strip_suffix(['d', 'h', 'm', 's']);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !number.is_some_and(is_number) {
            return Err(self.wrong("retention.minimum-age", "a number and one of d, h, m, s"));
        }
        Ok(Some(Retention {
            minimum_age: age.to_owned(),
            policy: self.argument("retention.policy-name").to_owned(),
        }))
    }
}

fn flag(argument: &Argument) -> Result<bool, SettingError> {
    match argument.value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(refused(argument, "true or false")),
    }
}

fn refused(argument: &Argument, expected: impl Into<String>) -> SettingError {
    let secret = bare(&argument.key).ends_with("password");
    SettingError::Argument {
        key: argument.key.clone(),
        value: if secret {
            "***".into()
        } else {
            argument.value.clone()
        },
        origin: argument.origin.clone(),
        expected: expected.into(),
    }
}

/// The name of the switch of a value type, bare.
fn type_name(value_type: &str) -> String {
    format!("index{}", bare(value_type))
}

fn bare(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use ringflow_core::record::ValueType;

    use crate::config::Config;
    use crate::settings::Settings;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let mut settings = Settings::default();
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        settings
            .read_environment(pairs)
            .map_err(|error| error.to_string())?;
        Config::from_settings(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_word_there_is_no_such_exporter() {
        assert_eq!(read(&[]).unwrap().elastic, None);
    }

    #[test]
    fn camundas_variables_set_it_up() {
        const P: &str = "CAMUNDA_DATA_EXPORTERS_ELASTICSEARCH_";
        let class = format!("{P}CLASSNAME");
        let only = read(&[(&class, super::CLASSES[0])])
            .unwrap()
            .elastic
            .unwrap();
        assert_eq!(only.urls, ["http://localhost:9200"]);
        assert_eq!(only.index.types.len(), 7);
        let all = read(&[
            (&format!("{P}ARGS_URL"), "http://a:9200,https://b:9200"),
            (&format!("{P}ARGS_BULK_DELAY"), "1"),
            (&format!("{P}ARGS_BULK_SIZE"), "10"),
            (&format!("{P}ARGS_BULK_MEMORYLIMIT"), "1048576"),
            (&format!("{P}ARGS_INDEX_PREFIX"), "mine"),
            (&format!("{P}ARGS_INDEX_JOB"), "false"),
            (&format!("{P}ARGS_INDEX_NUMBEROFREPLICAS"), "0"),
            (&format!("{P}ARGS_RETENTION_ENABLED"), "true"),
            (&format!("{P}ARGS_AUTHENTICATION_USERNAME"), "u"),
            (&format!("{P}ARGS_AUTHENTICATION_PASSWORD"), "p"),
        ]);
        let all = all.unwrap().elastic.unwrap();
        assert_eq!(all.urls.len(), 2);
        assert_eq!(
            (all.bulk_delay.as_secs(), all.bulk_size, all.bulk_bytes),
            (1, 10, 1 << 20)
        );
        assert_eq!((all.index.prefix.as_str(), all.index.replicas), ("mine", 0));
        assert!(!all.index.types.contains(&ValueType::Job));
        assert_eq!(all.retention.unwrap().minimum_age, "30d");
        assert!(!format!("{:?}", all.credentials).contains("\"p\""));
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        const P: &str = "ZEEBE_BROKER_EXPORTERS_ELASTICSEARCH_";
        for (name, value) in [
            ("CLASSNAME", "com.example.Mine"),
            ("ARGS_URL", "localhost:9200"),
            ("ARGS_INDEX_PREFIX", "a_b"),
            ("ARGS_INDEX_JOB", "yes"),
            ("ARGS_INDEX_SOMETHING", "true"),
            ("ARGS_BULK_SIZE", "0"),
            ("ARGS_INDEX_INDEXSUFFIXDATEPATTERN", "ww"),
        ] {
            let name = format!("{P}{name}");
            let mut pairs = vec![(name.as_str(), value)];
            let url = format!("{P}ARGS_URL");
            if name != url {
                pairs.push((&url, "http://localhost:9200"));
            }
            let refusal = read(&pairs).unwrap_err();
            assert!(refusal.contains(&name), "{refusal}");
        }
    }
}
