//! Arguments of an exporter beside the secondary storage, under the names that Camunda's users know.
//!
//! Camunda gives an exporter a name, a class, and a tree of arguments; programs that set it up know
//! the names `elasticsearch` and `opensearch`. Both mean the one exporter that is here. What is found
//! is kept by its bare name (without case and separators) until the configuration reads it.

use std::collections::BTreeMap;

use super::{Origin, SettingError, bare};

/// How names of the exporter begin, bare; where arguments are a tree of their own, that is below
/// `args`.
const EXPORTERS: [(&str, bool); 5] = [
    ("camundadataexporterselasticsearch", true),
    ("camundadataexportersopensearch", true),
    ("zeebebrokerexporterselasticsearch", true),
    ("zeebebrokerexportersopensearch", true),
    ("elasticsearch", false),
];

/// One argument as it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    /// Its name as written.
    pub key: String,
    /// Its text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// All arguments, by bare name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments(pub BTreeMap<String, Argument>);

impl Arguments {
    /// Takes an argument; false if `key` is none.
    ///
    /// # Errors
    /// If the same source names it twice, differently.
    pub(super) fn take(
        &mut self,
        key: &str,
        value: &str,
        origin: &Origin,
    ) -> Result<bool, SettingError> {
        let name = bare(key);
        let name = name.strip_prefix("ringflow").unwrap_or(&name);
        let Some((rest, has_arguments)) = EXPORTERS
            .iter()
            .find_map(|(exporter, tree)| Some((name.strip_prefix(exporter)?, *tree)))
        else {
            return Ok(false);
        };
        let name = match rest.strip_prefix("args") {
            Some(argument) if has_arguments => argument,
            _ => rest,
        };
        let found = Argument {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.clone(),
        };
        if let Some(other) = self.0.get(name)
            && other.origin == found.origin
            && other.value != found.value
        {
            return Err(SettingError::Conflict {
                origin: origin.clone(),
                first: other.key.clone(),
                second: found.key,
                name: "elasticsearch",
            });
        }
        self.0.insert(name.to_owned(), found);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_an_argument_is_one() {
        for key in [
            "CAMUNDA_DATA_EXPORTERS_ELASTICSEARCH_ARGS_INDEX_PREFIX",
            "zeebe.broker.exporters.opensearch.args.index.prefix",
            "RINGFLOW_ELASTICSEARCH_INDEX_PREFIX",
            "elasticsearch.index.prefix",
        ] {
            let mut arguments = Arguments::default();
            let taken = arguments.take(key, "p", &Origin::Environment);
            assert!(taken.unwrap(), "{key}");
            assert_eq!(arguments.0["indexprefix"].value, "p");
        }
        let mut arguments = Arguments::default();
        let other = "CAMUNDA_DATA_SECONDARYSTORAGE_ELASTICSEARCH_URL";
        assert!(!arguments.take(other, "p", &Origin::Environment).unwrap());
    }
}
