//! Who may call, and how they and the listeners prove who they are.
//!
//! Files named here are read at once, so that a wrong one is refused at the start, by the name of
//! its setting and its path; what is behind this has them in a form that works.

use std::path::Path;

use ringflow_gateway::{OidcOptions, TlsFile, TlsIdentity};
use ringflow_io::PeerTls;

use super::{Access, Reader};
use crate::initialization::Initialization;
use crate::settings::{Id, SettingError};

impl Reader<'_> {
    pub(super) fn access(&self, initialization: &Initialization) -> Result<Access, SettingError> {
        let nobody = initialization.users.is_empty();
        let tokens = self.one_of(
            Id::AuthenticationMethod,
            &[("basic", false), ("oidc", true)],
        )?;
        let unprotected = self.one_of(
            Id::Unprotected,
            &[
                ("auto", nobody && !tokens),
                ("true", true),
                ("false", false),
            ],
        )?;
        if unprotected {
            return Ok(Access::Unprotected);
        }
        if tokens {
            return self.oidc().map(Access::Oidc);
        }
        if nobody
            && self
                .text(Id::SecondaryStorageType)
                .eq_ignore_ascii_case("none")
        {
            return Err(self.settings.invalid(
                Id::Unprotected,
                "true, unless somebody is configured who could log in",
            ));
        }
        Ok(Access::Basic)
    }

    /// What brokers prove themselves to each other with.
    pub(super) fn peer_tls(&self) -> Result<Option<PeerTls>, SettingError> {
        if !self.one_of(Id::PeerTls, &[("false", false), ("true", true)])? {
            return Ok(None);
        }
        for file in [Id::PeerTlsCertificates, Id::PeerTlsKey] {
            if self.text(file).is_empty() {
                return Err(self
                    .settings
                    .invalid(file, "a PEM file, for cluster.peer-tls"));
            }
        }
        let certificates = Path::new(self.text(Id::PeerTlsCertificates));
        let authority = match self.text(Id::PeerTlsAuthority) {
            "" => certificates,
            path => Path::new(path),
        };
        PeerTls::load(
            certificates,
            Path::new(self.text(Id::PeerTlsKey)),
            authority,
        )
        .map(Some)
        .map_err(|why| {
            let expected = format!("true with files that can be used: {why}");
            self.settings.invalid(Id::PeerTls, expected)
        })
    }

    /// Whose tokens count.
    fn oidc(&self) -> Result<OidcOptions, SettingError> {
        let address = |id: Id| {
            let text = self.text(id);
            let fits = text.is_empty()
                || ["http://", "https://"]
                    .iter()
                    .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
            if fits {
                return Ok(text.to_owned());
            }
            let expected = "an address that begins with http:// or https://";
            Err(self.settings.invalid(id, expected))
        };
        let (issuer, key_set) = (address(Id::OidcIssuer)?, address(Id::OidcKeySet)?);
        if issuer.is_empty() && key_set.is_empty() {
            return Err(self.settings.invalid(
                Id::OidcIssuer,
                "the issuer of the tokens, unless security.oidc.jwk-set-uri says where their keys \
                 are",
            ));
        }
        let (username_claim, client_id_claim) = (
            self.text(Id::OidcUsernameClaim).to_owned(),
            self.text(Id::OidcClientIdClaim).to_owned(),
        );
        if username_claim.is_empty() && client_id_claim.is_empty() {
            let expected = "a claim, unless security.oidc.client-id-claim names one";
            return Err(self.settings.invalid(Id::OidcUsernameClaim, expected));
        }
        let audiences = self.text(Id::OidcAudiences).split([',', ' ']);
        let audiences = audiences.map(str::trim).filter(|it| !it.is_empty());
        Ok(OidcOptions {
            issuer,
            key_set,
            audiences: audiences.map(str::to_owned).collect(),
            username_claim,
            client_id_claim,
            groups_claim: self.text(Id::OidcGroupsClaim).to_owned(),
            prefer_username: self.one_of(Id::OidcPreferUsername, &super::FLAGS)?,
        })
    }

    /// What a listener proves itself with.
    pub(super) fn tls(
        &self,
        enabled: Id,
        certificates: Id,
        key: Id,
    ) -> Result<Option<TlsIdentity>, SettingError> {
        let named = !self.text(certificates).is_empty();
        let on = self.one_of(
            enabled,
            &[("auto", named), ("true", true), ("false", false)],
        )?;
        if !on {
            return Ok(None);
        }
        for file in [certificates, key] {
            if self.text(file).is_empty() {
                return Err(self.settings.invalid(file, "a PEM file, for TLS"));
            }
        }
        TlsIdentity::load(
            Path::new(self.text(certificates)),
            Path::new(self.text(key)),
        )
        .map(Some)
        .map_err(|fault| match fault.file {
            TlsFile::Certificates => self.settings.invalid(
                certificates,
                format!("a PEM file of a certificate chain: {}", fault.reason),
            ),
            TlsFile::Key => self.settings.invalid(
                key,
                format!("a PEM file of a private key: {}", fault.reason),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::settings::{Id, Settings};

    #[test]
    fn tokens_need_an_issuer_or_its_keys() {
        use crate::config::Access;

        let read = |pairs: &[(Id, &str)]| {
            let mut settings = Settings::default();
            settings.set(Id::AuthenticationMethod, "oidc");
            for (id, value) in pairs {
                settings.set(*id, *value);
            }
            Config::from_settings(&settings).map_err(|error| error.to_string())
        };
        let cases: [(&[(Id, &str)], &str); 3] = [
            (
                &[],
                "setting 'security.oidc.issuer-uri' is '' (default) but must be the issuer",
            ),
            (
                &[(Id::OidcIssuer, "idp.example.com")],
                "setting 'security.oidc.issuer-uri' is 'idp.example.com' (command line) but must \
                 be an address",
            ),
            (
                &[
                    (Id::OidcIssuer, "https://idp.example.com/realms/a"),
                    (Id::OidcUsernameClaim, ""),
                ],
                "setting 'security.oidc.username-claim' is '' (command line) but must be a claim",
            ),
        ];
        for (pairs, start) in cases {
            let text = read(pairs).unwrap_err();
            assert!(text.starts_with(start), "{text}");
        }
        let config = read(&[
            (Id::OidcIssuer, "https://idp.example.com/realms/a"),
            (Id::OidcAudiences, "one, two"),
            (Id::OidcClientIdClaim, "azp"),
        ])
        .expect("complete");
        let Access::Oidc(options) = config.access else {
            panic!("{:?}", config.access);
        };
        assert_eq!(options.audiences, ["one", "two"]);
        assert_eq!(options.username_claim, "sub");
        let open = read(&[(Id::Unprotected, "true")]).expect("unprotected");
        assert_eq!(open.access, Access::Unprotected);
    }

    #[test]
    fn wrong_tls_files_are_refused_by_setting_and_path() {
        let mut settings = Settings::default();
        settings.set(Id::RestTlsCertificates, "/nowhere/chain.pem");
        let refusal =
            |settings: &Settings| Config::from_settings(settings).unwrap_err().to_string();
        assert_eq!(
            refusal(&settings),
            "setting 'api.rest.tls.private-key' is '' (default) but must be a PEM file, for TLS"
        );
        settings.set(Id::RestTlsKey, "/nowhere/key.pem");
        let text = refusal(&settings);
        assert!(
            text.starts_with("setting 'api.rest.tls.certificate-chain' is '/nowhere/chain.pem'"),
            "{text}"
        );
        settings.set(Id::RestTls, "false");
        assert!(Config::from_settings(&settings).is_ok());
    }
}
