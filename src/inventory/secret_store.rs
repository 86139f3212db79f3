//! Stores of secrets that certificates are delivered to: which there are, which keys their tables
//! have, and where in them a certificate of the fleet lies.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use super::SecretPlace;
use super::grammar::Grammar;
use crate::spanned::Diagnostic;

/// A store of secrets that certificates are delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretStore {
    /// Its unique name.
    pub name: String,
    /// What it is, and what only that kind has.
    pub kind: StoreKind,
    /// The URL of its API.
    pub url: String,
    /// Where a certificate lies in it: with `{host}` and `{name}` for those of the place.
    pub path: String,
    /// Where the secret is kept that it is opened with.
    pub secret: SecretPlace,
    /// Files with authorities beside the public ones, in PEM: for its HTTPS.
    pub roots: Vec<String>,
}

/// What a store of secrets is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// AWS Secrets Manager.
    AwsSecretsManager {
        /// The region that requests are signed for.
        region: String,
    },
    /// HashiCorp Vault, or what speaks as it does: the second version of its engine for keys and
    /// values.
    VaultKv2 {
        /// Where the engine is mounted.
        mount: String,
        /// The namespace, where there are some.
        namespace: Option<String>,
        /// The role of an AppRole: its secret is then a secret-id, or else a token.
        role: Option<String>,
    },
}

impl SecretStore {
    /// Where the certificate of a place lies in it.
    ///
    /// # Errors
    /// In words, where that would be no path of such a store.
    pub fn path_of(&self, host: &str, name: &str) -> Result<String, String> {
        // Files that are found by a glob are called by their path.
        let path = self.path.replace("{host}", host).replace("{name}", name.trim_matches('/'));
        if let Some(odd) = odd(&path) {
            return Err(format!(
                "`{path}` would hold `{odd}`, which no such store is sure to take"
            ));
        }
        if is_hollow(&path) || path.len() > MAX_PATH {
            return Err(format!("`{path}` is no path of a secret"));
        }
        Ok(path)
    }
}

impl StoreKind {
    /// Its name in the inventory.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AwsSecretsManager { .. } => KindName::AwsSecretsManager.name(),
            Self::VaultKv2 { .. } => KindName::VaultKv2.name(),
        }
    }
}

/// What a store of secrets is, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KindName {
    /// AWS Secrets Manager.
    AwsSecretsManager,
    /// HashiCorp Vault, its engine for keys and values in the second version.
    VaultKv2,
}

impl KindName {
    const fn name(self) -> &'static str {
        match self {
            Self::AwsSecretsManager => "aws-secrets-manager",
            Self::VaultKv2 => "vault-kv2",
        }
    }
}

/// What only some kinds have: the keys of their tables, each with where it stands.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) url: Option<(Range<usize>, String)>,
    pub(super) region: Option<(Range<usize>, String)>,
    pub(super) mount: Option<(Range<usize>, String)>,
    pub(super) namespace: Option<(Range<usize>, String)>,
    pub(super) role: Option<(Range<usize>, String)>,
}

/// A kind with its keys, and the URL of the store; complains where the table has keys of another
/// kind.
///
/// # Errors
/// The key that is missing.
pub(super) fn kind(
    name: KindName,
    keys: Keys,
    complaints: &mut Vec<Diagnostic>,
) -> Result<(StoreKind, String), &'static str> {
    let Keys { url, region, mount, namespace, role } = keys;
    let strange: Vec<_> = match name {
        KindName::AwsSecretsManager => {
            [("mount", &mount), ("namespace", &namespace), ("role-id", &role)].into()
        }
        KindName::VaultKv2 => [("region", &region)].into(),
    };
    for (key, given) in strange {
        if let Some((span, _)) = given {
            let kind = name.name();
            let message = format!("a `[[secret-store]]` of the kind `{kind}` takes no `{key}`");
            let complaint = Diagnostic::new(message, span.clone());
            complaints.push(complaint.with_hint("take the line out"));
        }
    }
    let value = |it: Option<(Range<usize>, String)>| it.map(|it| it.1);
    match name {
        KindName::AwsSecretsManager => {
            let region = value(region).ok_or("region")?;
            let usual = || format!("https://secretsmanager.{region}.amazonaws.com");
            let url = value(url).unwrap_or_else(usual);
            Ok((StoreKind::AwsSecretsManager { region }, url))
        }
        KindName::VaultKv2 => {
            let url = value(url).ok_or("url")?;
            let mount = value(mount).unwrap_or_else(|| "secret".to_owned());
            let (namespace, role) = (value(namespace), value(role));
            Ok((StoreKind::VaultKv2 { mount, namespace, role }, url))
        }
    }
}

/// Where certificates lie in a store of secrets.
#[derive(Debug, Clone)]
pub(super) enum StorePathText {}

impl Grammar for StorePathText {
    const NAME: &'static str = "where certificates lie in a store";
    const PATTERN: &'static str =
        r"^([A-Za-z0-9_+=.@-]|\{host\}|\{name\})([A-Za-z0-9/_+=.@-]|\{host\}|\{name\}){0,399}$";

    fn fault(text: &str) -> Option<String> {
        let plain = text.replace("{host}", "h").replace("{name}", "n");
        if plain.is_empty() || plain.len() > 400 {
            return Some("expected a path, as in \"certdeck/{host}/{name}\"".into());
        }
        if plain.contains(['{', '}']) {
            return Some("only `{host}` and `{name}` can stand in braces here".into());
        }
        if odd(&plain).is_some() {
            return Some(
                "a path in a store has letters, digits and `/` `_` `+` `=` `.` `@` `-`".into(),
            );
        }
        is_hollow(&plain).then(|| {
            "a path in a store does not begin or end with `/`, nor has `//` or `..`".into()
        })
    }
}

/// The first character of a path that not every store takes.
fn odd(path: &str) -> Option<char> {
    path.chars().find(|it| !(it.is_ascii_alphanumeric() || "/_+=.@-".contains(*it)))
}

/// Whether something between the slashes of a path names nothing, or another folder.
fn is_hollow(path: &str) -> bool {
    path.split('/').any(|it| matches!(it, "" | "." | ".."))
}

/// Where certificates lie if the inventory does not say otherwise.
pub(super) const USUAL_PATH: &str = "certdeck/{host}/{name}";

/// As long as AWS takes it.
const MAX_PATH: usize = 512;

#[cfg(test)]
mod tests {
    use super::super::read;

    #[track_caller]
    fn check(lines: &str, message: &str, at: &str) {
        let text = format!("[[secret-store]]\nname = 'main'\n{lines}\n");
        let complaints = read(&text).1;
        let told: Vec<_> =
            complaints.iter().map(|it| (it.message.as_str(), &text[it.span.clone()])).collect();
        assert_eq!(told, [(message, at)]);
    }

    const VAULT: &str = "kind = 'vault-kv2'\nurl = 'https://vault.example.net:8200'\n";
    const TOKEN: &str = "secret-env = 'TOKEN'\n";

    #[test]
    fn complaints_point_at_the_culprit() {
        check(
            &format!("{VAULT}{TOKEN}region = 'eu-west-1'"),
            "a `[[secret-store]]` of the kind `vault-kv2` takes no `region`",
            "'eu-west-1'",
        );
        check(
            &format!("kind = 'aws-secrets-manager'\n{TOKEN}"),
            "this `[[secret-store]]` has no `region`",
            "[[secret-store]]",
        );
        check(
            &format!("kind = 'vault-kv2'\n{TOKEN}"),
            "this `[[secret-store]]` has no `url`",
            "[[secret-store]]",
        );
        check(
            VAULT,
            "this `[[secret-store]]` does not say where its secret is",
            "[[secret-store]]",
        );
        check(
            &format!("{VAULT}{TOKEN}path = 'a/{{lineage}}'"),
            "only `{host}` and `{name}` can stand in braces here",
            "'a/{lineage}'",
        );
        check(
            &format!("{VAULT}{TOKEN}path = '/a'"),
            "a path in a store does not begin or end with `/`, nor has `//` or `..`",
            "'/a'",
        );
        let plain = VAULT.replace("https", "http");
        check(
            &format!("{plain}{TOKEN}"),
            "a store of secrets needs `https`; `http` only on this machine",
            "'http://vault.example.net:8200'",
        );
    }

    #[test]
    fn a_place_has_its_path() {
        let text = format!("[[secret-store]]\nname = 'main'\n{VAULT}{TOKEN}");
        let (inventory, complaints) = read(&text);
        assert!(complaints.is_empty());
        let store = &inventory.secret_stores[0];
        let path = |name: &str| store.path_of("web-01", name);
        assert_eq!(path("www.example.net").unwrap(), "certdeck/web-01/www.example.net");
        assert_eq!(path("/etc/tls/a.pem").unwrap(), "certdeck/web-01/etc/tls/a.pem");
        for odd in ["*.example.net", "a b", "..", "a//b", "ä", "a?b"] {
            assert!(path(odd).is_err(), "{odd}");
        }
    }
}
