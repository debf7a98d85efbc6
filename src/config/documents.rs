//! Settings of the document stores: a directory, a bucket, and which of them is the usual one.
//!
//! The names are those of Camunda's stores `local` and `aws`, in its environment and in its
//! configuration. Only one store of each kind can be described.

use std::path::PathBuf;

use ringflow_gateway::{BucketOptions, DocumentOptions};

use super::Reader;
use crate::settings::{Id, SettingError};

/// Most days that a bucket may keep documents.
const TTL_DAYS_MAX: u32 = 36_500;

impl Reader<'_> {
    /// Where documents are kept.
    pub(super) fn documents(&self) -> Result<DocumentOptions, SettingError> {
        let text = |id| self.text(id).to_owned();
        let bucket = match self.text(Id::DocumentsBucket) {
            "" => None,
            name => Some(BucketOptions {
                name: name.to_owned(),
                path: text(Id::DocumentsBucketPath),
                ttl_days: match self.text(Id::DocumentsBucketTtl) {
                    "" | "none" => None,
                    _ => Some(self.number(Id::DocumentsBucketTtl, 1, TTL_DAYS_MAX.into())? as u32),
                },
                region: text(Id::DocumentsRegion),
                endpoint: self.endpoint(Id::DocumentsEndpoint)?,
                access_key: text(Id::DocumentsAccessKey),
                secret_key: text(Id::DocumentsSecretKey),
            }),
        };
        let directory = self.text(Id::DocumentsDirectory);
        let directory = (!directory.is_empty()).then(|| PathBuf::from(directory));
        let default_store = match self.text(Id::DocumentsDefault) {
            "auto" | "" => None,
            name => {
                let known = (name == "aws" && bucket.is_some())
                    || (name == "local" && directory.is_some())
                    || name == "in-memory"
                    || name == "inmemory";
                if !known {
                    let expected = "auto, in-memory, or local or aws where those are described";
                    return Err(self.settings.invalid(Id::DocumentsDefault, expected));
                }
                Some(name.replace("inmemory", "in-memory"))
            }
        };
        Ok(DocumentOptions {
            directory,
            bucket,
            default_store,
        })
    }

    fn endpoint(&self, id: Id) -> Result<String, SettingError> {
        let text = self.text(id);
        let web = text.starts_with("http://") || text.starts_with("https://");
        if text.is_empty() || web {
            return Ok(text.to_owned());
        }
        Err(self
            .settings
            .invalid(id, "an address such as https://HOST:PORT"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::settings::Settings;

    fn documents(pairs: &[(Id, &str)]) -> Result<DocumentOptions, String> {
        let mut settings = Settings::default();
        for (id, value) in pairs {
            settings.set(*id, *value);
        }
        let config = Config::from_settings(&settings);
        config
            .map(|config| config.documents)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn stores_are_there_once_they_are_described() {
        assert_eq!(documents(&[]), Ok(DocumentOptions::default()));
        let options = documents(&[
            (Id::DocumentsBucket, "b"),
            (Id::DocumentsBucketTtl, "30"),
            (Id::DocumentsDirectory, "d"),
            (Id::DocumentsDefault, "local"),
        ])
        .unwrap();
        assert_eq!(options.directory, Some(PathBuf::from("d")));
        let bucket = options.bucket.unwrap();
        assert_eq!((bucket.name.as_str(), bucket.ttl_days), ("b", Some(30)));
        assert_eq!(options.default_store.as_deref(), Some("local"));
        for (id, value) in [
            (Id::DocumentsDefault, "aws"),
            (Id::DocumentsDefault, "gcp"),
            (Id::DocumentsEndpoint, "minio:9000"),
            (Id::DocumentsBucketTtl, "0"),
        ] {
            let mut pairs = vec![(id, value)];
            if id != Id::DocumentsDefault {
                pairs.push((Id::DocumentsBucket, "b"));
            }
            let refusal = documents(&pairs).unwrap_err();
            assert!(refusal.contains(id.row().name), "{refusal}");
        }
    }
}
