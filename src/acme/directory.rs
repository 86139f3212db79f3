//! What a CA offers: its directory (RFC 8555, section 7.1.1), read without an account.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Office;
use super::error::Error;
use super::http::Http;
use crate::https::host_of;
use crate::inventory::Issuer;
use crate::text::SafeText;

/// What a CA offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The host of the CA.
    pub ca: SafeText,
    /// Where its terms are.
    pub terms: Option<SafeText>,
    /// Where its website is.
    pub website: Option<SafeText>,
    /// What CAA records call it.
    pub caa: Vec<SafeText>,
    /// Whether accounts have to be bound to a customer.
    pub is_external_required: bool,
    /// Profiles with what they are said to be (draft-ietf-acme-profiles, section 3).
    pub profiles: Vec<(SafeText, SafeText)>,
    /// Where nonces are (RFC 8555, section 7.2).
    pub(super) new_nonce: String,
    /// Where renewal windows are (RFC 9773, section 4.1).
    pub(super) renewal_info: Option<String>,
}

impl Directory {
    /// Asks for the directory of an issuer or of its staging twin.
    pub async fn ask(office: &Office, issuer: &Issuer, is_staging: bool) -> Result<Self, Error> {
        let http = Http::of(office, issuer)?;
        Self::get(&http, url_of(issuer, is_staging)?).await
    }

    pub(super) async fn get(http: &Http, url: &str) -> Result<Self, Error> {
        Self::read(url, &http.get(url).await?.body)
    }

    /// Reads the directory that came from there.
    pub(super) fn read(url: &str, body: &[u8]) -> Result<Self, Error> {
        let ca = ca_of(url);
        let shape: Shape = serde_json::from_slice(body).map_err(|it| Error::Answer {
            ca: ca.clone(),
            status: 200,
            why: SafeText::new(&format!("this is no ACME directory: {it}")),
        })?;
        Ok(Self::of(ca, shape))
    }

    fn of(ca: SafeText, shape: Shape) -> Self {
        let text = |it: String| SafeText::new(&it);
        let Meta { terms_of_service, website, caa_identities, external_account_required, profiles } =
            shape.meta;
        Self {
            ca,
            terms: terms_of_service.map(text),
            website: website.map(text),
            caa: caa_identities.into_iter().take(MAX).map(text).collect(),
            is_external_required: external_account_required,
            profiles: profiles.into_iter().take(MAX).map(|(k, v)| (text(k), text(v))).collect(),
            new_nonce: shape.new_nonce,
            renewal_info: shape.renewal_info,
        }
    }

    /// Whether it tells when certificates should be renewed (RFC 9773).
    pub fn has_renewal_windows(&self) -> bool {
        self.renewal_info.is_some()
    }

    /// Whether a profile is offered. CAs that know no profiles ignore the wish for one without a
    /// word, so it is looked at before.
    ///
    /// # Errors
    /// [`Error::Profile`] with the profiles that are offered.
    pub fn check_profile(&self, asked: &str) -> Result<(), Error> {
        if self.profiles.iter().any(|(name, _)| name == asked) {
            return Ok(());
        }
        Err(Error::Profile {
            ca: self.ca.clone(),
            asked: SafeText::new(asked),
            offered: self.profiles.iter().map(|(name, _)| name.clone()).collect(),
        })
    }
}

/// The URL of the directory of an issuer, or of its staging twin.
pub(super) fn url_of(issuer: &Issuer, is_staging: bool) -> Result<&str, Error> {
    issuer.url(is_staging).ok_or_else(|| Error::Impossible {
        ca: SafeText::new(&issuer.name),
        why: SafeText::new("it has no staging twin in the inventory"),
    })
}

/// The host of a CA, for people.
pub(super) fn ca_of(url: &str) -> SafeText {
    url.parse().map_or_else(|_| SafeText::capped(url, 253), |it| host_of(&it))
}

/// The shape of a directory, as far as it is used here. Other keys are the CA's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    new_nonce: String,
    #[serde(rename = "newAccount")]
    _new_account: String,
    #[serde(rename = "newOrder")]
    _new_order: String,
    #[serde(default)]
    renewal_info: Option<String>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    terms_of_service: Option<String>,
    website: Option<String>,
    caa_identities: Vec<String>,
    external_account_required: bool,
    profiles: BTreeMap<String, String>,
}

/// More names or profiles than any CA has.
const MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_tells_what_is_offered() {
        let text = r#"{"newNonce": "n", "newAccount": "a", "newOrder": "o", "renewalInfo": "r",
            "random": "https://community.letsencrypt.org/t/adding-random-entries",
            "meta": {"caaIdentities": ["letsencrypt.org"], "profiles": {"classic": "the usual"},
                     "termsOfService": "https://t", "externalAccountRequired": true}}"#;
        let directory =
            Directory::of(SafeText::new("ca.test"), serde_json::from_str(text).unwrap());
        assert!(directory.has_renewal_windows() && directory.is_external_required);
        assert_eq!(directory.caa, [SafeText::new("letsencrypt.org")]);
        directory.check_profile("classic").unwrap();
        let error = directory.check_profile("classi").unwrap_err().to_string();
        assert_eq!(error, "ca.test: offers no profile `classi`, only classic");
        // step-ca's has no meta at all.
        let bare = r#"{"newNonce": "n", "newAccount": "a", "newOrder": "o"}"#;
        let bare = Directory::of(SafeText::new("ca.test"), serde_json::from_str(bare).unwrap());
        let error = bare.check_profile("classic").unwrap_err().to_string();
        assert_eq!(error, "ca.test: offers no profile `classic`, none at all");
    }
}
