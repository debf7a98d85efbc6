//! Headers that tell browsers what not to do with an answer of REST.
//!
//! Every answer carries them, refusals and the pages of the description as well; made once, when the
//! gateway starts. A header that an answer sets itself stays. Names and defaults are those of the
//! reference but for the content policy: nothing here is a page of an application, so that nothing
//! may be loaded at all.
//!
//! No state; a value that is no header is refused when it is set.

use std::collections::BTreeMap;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, EXPIRES,
    HeaderMap, HeaderName, HeaderValue, PRAGMA, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};

/// One of the headers, by what it protects from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecurityHeader {
    /// `X-Content-Type-Options`.
    ContentType,
    /// `Cache-Control`, `Pragma` and `Expires` together.
    Cache,
    /// `X-Frame-Options`.
    Frame,
    /// `Content-Security-Policy`.
    ContentPolicy,
    /// `Content-Security-Policy-Report-Only`.
    ReportedContentPolicy,
    /// `Referrer-Policy`.
    Referrer,
    /// `Permissions-Policy`.
    Permissions,
    /// `Cross-Origin-Opener-Policy`.
    Opener,
    /// `Cross-Origin-Embedder-Policy`.
    Embedder,
    /// `Cross-Origin-Resource-Policy`.
    Resource,
    /// `Strict-Transport-Security`; for listeners with TLS.
    Transport,
}

impl SecurityHeader {
    fn names(self) -> Vec<HeaderName> {
        let own = HeaderName::from_static;
        match self {
            Self::ContentType => vec![X_CONTENT_TYPE_OPTIONS],
            Self::Cache => vec![CACHE_CONTROL, PRAGMA, EXPIRES],
            Self::Frame => vec![X_FRAME_OPTIONS],
            Self::ContentPolicy => vec![CONTENT_SECURITY_POLICY],
            Self::ReportedContentPolicy => vec![CONTENT_SECURITY_POLICY_REPORT_ONLY],
            Self::Referrer => vec![REFERRER_POLICY],
            Self::Permissions => vec![own("permissions-policy")],
            Self::Opener => vec![own("cross-origin-opener-policy")],
            Self::Embedder => vec![own("cross-origin-embedder-policy")],
            Self::Resource => vec![own("cross-origin-resource-policy")],
            Self::Transport => vec![STRICT_TRANSPORT_SECURITY],
        }
    }
}

/// The headers of every answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityHeaders(Vec<(HeaderName, HeaderValue)>);

impl Default for SecurityHeaders {
    fn default() -> Self {
        let fixed = |name, value| (name, HeaderValue::from_static(value));
        let mut headers = Self(vec![
            fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"),
            fixed(X_XSS_PROTECTION, "0"),
            fixed(
                CACHE_CONTROL,
                "no-cache, no-store, max-age=0, must-revalidate",
            ),
            fixed(PRAGMA, "no-cache"),
            fixed(EXPIRES, "0"),
        ]);
        for (header, value) in [
            (SecurityHeader::Frame, "SAMEORIGIN"),
            (SecurityHeader::ContentPolicy, Self::CONTENT_POLICY),
            (SecurityHeader::Referrer, "strict-origin-when-cross-origin"),
            (SecurityHeader::Opener, "same-origin-allow-popups"),
            (SecurityHeader::Embedder, "unsafe-none"),
            (SecurityHeader::Resource, "same-site"),
        ] {
            for name in header.names() {
                headers.0.push(fixed(name, value));
            }
        }
        headers
    }
}

impl SecurityHeaders {
    /// What an answer may load unless somebody says otherwise: nothing.
    pub const CONTENT_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
                                      frame-ancestors 'self'";

    /// Leaves a header out.
    pub fn without(&mut self, header: SecurityHeader) {
        let names = header.names();
        self.0.retain(|(name, _)| !names.contains(name));
    }

    /// Sends `value` instead of what was sent before.
    ///
    /// # Errors
    /// It is no value of a header: names the character.
    pub fn set(&mut self, header: SecurityHeader, value: &str) -> Result<(), String> {
        let value = HeaderValue::from_str(value).map_err(|error| error.to_string())?;
        self.without(header);
        for name in header.names() {
            self.0.push((name, value.clone()));
        }
        Ok(())
    }

    /// Names and values.
    #[must_use]
    pub fn sent(&self) -> BTreeMap<String, String> {
        let pairs = self.0.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into_owned())
        });
        pairs.collect()
    }

    /// Adds them to an answer that does not say otherwise.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        headers.reserve(self.0.len());
        for (name, value) in &self.0 {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &SecurityHeaders, name: &str) -> Option<String> {
        headers.sent().get(name).cloned()
    }

    #[test]
    fn headers_are_replaced_and_left_out() {
        let mut headers = SecurityHeaders::default();
        assert_eq!(sent(&headers, "expires").as_deref(), Some("0"));
        headers.without(SecurityHeader::Cache);
        for name in ["cache-control", "pragma", "expires"] {
            assert_eq!(sent(&headers, name), None, "{name}");
        }
        headers.set(SecurityHeader::Frame, "DENY").unwrap();
        assert_eq!(sent(&headers, "x-frame-options").as_deref(), Some("DENY"));
        assert!(headers.set(SecurityHeader::Referrer, "a\nb").is_err());
        assert_eq!(
            sent(&headers, "referrer-policy").as_deref(),
            Some("strict-origin-when-cross-origin")
        );
    }

    #[test]
    fn what_an_answer_says_itself_stays() {
        let mut map = HeaderMap::new();
        map.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        SecurityHeaders::default().put(&mut map);
        assert_eq!(map[CACHE_CONTROL], "max-age=60");
        assert_eq!(map.get_all(CACHE_CONTROL).iter().count(), 1);
    }
}
