//! What answers of REST tell browsers, as the settings want it.
//!
//! Names and values are Camunda's (`camunda.security.http-headers`); words are compared without case,
//! and `_` is as good as `-`, because enumerations of configurations are written so there.

use ringflow_gateway::{SecurityHeader, SecurityHeaders};

use super::Reader;
use crate::settings::{Id, SettingError};

/// Headers of which the value is one word, and the words there are.
const WORDS: [(SecurityHeader, Id, &[&str]); 4] = [
    (
        SecurityHeader::Referrer,
        Id::HeaderReferrer,
        &[
            "no-referrer",
            "no-referrer-when-downgrade",
            "same-origin",
            "origin",
            "strict-origin",
            "origin-when-cross-origin",
            "strict-origin-when-cross-origin",
            "unsafe-url",
        ],
    ),
    (
        SecurityHeader::Opener,
        Id::HeaderOpener,
        &["unsafe-none", "same-origin-allow-popups", "same-origin"],
    ),
    (
        SecurityHeader::Embedder,
        Id::HeaderEmbedder,
        &["unsafe-none", "require-corp"],
    ),
    (
        SecurityHeader::Resource,
        Id::HeaderResource,
        &["same-site", "same-origin", "cross-origin"],
    ),
];

impl Reader<'_> {
    /// The headers of answers; `tls` = REST is served over it.
    pub(super) fn headers(&self, tls: bool) -> Result<SecurityHeaders, SettingError> {
        let on = |id| self.one_of(id, &super::FLAGS);
        let mut headers = SecurityHeaders::default();
        let mut set = |header, id: Id, value: &str| {
            headers.set(header, value).map_err(|why| {
                self.settings
                    .invalid(id, format!("a value of a header: {why}"))
            })
        };
        let mode = self.one_of(
            Id::HeaderFrameMode,
            &[("sameorigin", "SAMEORIGIN"), ("deny", "DENY")],
        )?;
        set(SecurityHeader::Frame, Id::HeaderFrameMode, mode)?;
        for (header, id, words) in WORDS {
            let given = self.text(id).to_ascii_lowercase().replace('_', "-");
            if !words.contains(&given.as_str()) {
                let expected = format!("one of {}", words.join(", "));
                return Err(self.settings.invalid(id, expected));
            }
            set(header, id, &given)?;
        }
        let policy = self.text(Id::HeaderContentPolicyText);
        let header = if on(Id::HeaderContentPolicyReport)? {
            SecurityHeader::ReportedContentPolicy
        } else {
            SecurityHeader::ContentPolicy
        };
        let policy = match policy {
            "" => SecurityHeaders::CONTENT_POLICY,
            policy => policy,
        };
        set(header, Id::HeaderContentPolicyText, policy)?;
        let permissions = self.text(Id::HeaderPermissions);
        if !permissions.is_empty() {
            set(
                SecurityHeader::Permissions,
                Id::HeaderPermissions,
                permissions,
            )?;
        }
        if tls && on(Id::HeaderTransport)? {
            let age = self.number(Id::HeaderTransportAge, 0, 10 * 365 * 24 * 3600)?;
            let mut value = format!("max-age={age}");
            for (id, directive) in [
                (Id::HeaderTransportDomains, " ; includeSubDomains"),
                (Id::HeaderTransportPreload, " ; preload"),
            ] {
                if on(id)? {
                    value.push_str(directive);
                }
            }
            set(SecurityHeader::Transport, Id::HeaderTransportAge, &value)?;
        }
        if header == SecurityHeader::ReportedContentPolicy || !on(Id::HeaderContentPolicy)? {
            headers.without(SecurityHeader::ContentPolicy);
        }
        for (header, id) in [
            (SecurityHeader::ContentType, Id::HeaderContentType),
            (SecurityHeader::Cache, Id::HeaderCache),
            (SecurityHeader::Frame, Id::HeaderFrame),
            (
                SecurityHeader::ReportedContentPolicy,
                Id::HeaderContentPolicy,
            ),
        ] {
            if !on(id)? {
                headers.without(header);
            }
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::settings::Settings;

    fn read(pairs: &[(Id, &str)]) -> Result<SecurityHeaders, String> {
        let mut settings = Settings::default();
        for (id, value) in pairs {
            settings.set(*id, *value);
        }
        Config::from_settings(&settings)
            .map(|config| config.headers)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_gateway() {
        let (mut read, mut expected) = (read(&[]).unwrap(), SecurityHeaders::default());
        assert_eq!(read.sent(), expected.sent());
        read.without(SecurityHeader::Cache);
        expected.without(SecurityHeader::Cache);
        assert_eq!(read.sent(), expected.sent());
    }

    #[test]
    fn headers_are_changed_and_left_out() {
        let sent = read(&[
            (Id::HeaderContentType, "false"),
            (Id::HeaderFrameMode, "DENY"),
            (Id::HeaderContentPolicyReport, "true"),
            (Id::HeaderReferrer, "NO_REFERRER"),
            (Id::HeaderPermissions, "camera=*"),
            (Id::HeaderEmbedder, "require-corp"),
        ])
        .unwrap()
        .sent();
        assert_eq!(sent["x-frame-options"], "DENY");
        assert_eq!(sent["referrer-policy"], "no-referrer");
        assert_eq!(sent["permissions-policy"], "camera=*");
        assert_eq!(sent["cross-origin-embedder-policy"], "require-corp");
        assert!(sent.contains_key("content-security-policy-report-only"));
        for none in [
            "x-content-type-options",
            "content-security-policy",
            "strict-transport-security",
        ] {
            assert!(!sent.contains_key(none), "{none}");
        }
        let refused = read(&[(Id::HeaderResource, "nobody")]).unwrap_err();
        assert!(refused.contains("one of same-site"), "{refused}");
        let refused = read(&[(Id::HeaderContentPolicyText, "a\u{7f}")]).unwrap_err();
        assert!(refused.contains("a value of a header"), "{refused}");
    }
}
