//! Renewal configurations, as certbot 2.1.0 writes them.

use crate::practice::authority::{Ca, KeyKind};
use crate::practice::certbot::{Authenticator, VERSION, directory};

/// A renewal configuration: its lines, and what they say.
#[derive(Debug, Clone, Default)]
pub(super) struct Conf {
    pub(super) text: String,
}

/// What a new configuration says.
pub(super) struct Params<'a> {
    pub(super) etc: &'a str,
    pub(super) name: &'a str,
    pub(super) account: &'a str,
    pub(super) ca: Ca,
    pub(super) key: KeyKind,
    pub(super) authenticator: Authenticator,
    /// Values of the authenticator and hooks, under certbot's names.
    pub(super) others: Vec<(&'static str, String)>,
    pub(super) webroots: Vec<(String, String)>,
}

impl Conf {
    /// The value of a key, wherever it stands.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.pairs().find(|it| it.0 == key).map(|it| it.1)
    }

    /// Whether all four files are named.
    pub(super) fn is_whole(&self) -> bool {
        super::lineage::KINDS.iter().all(|it| self.value(it).is_some())
    }

    /// Where the challenges of that name are served from.
    pub(super) fn webroot(&self, name: &str) -> Option<&str> {
        let all = self.value("webroot_path").and_then(|it| it.split(',').next());
        self.value(name).or(all)
    }

    /// A configuration for a new lineage.
    pub(super) fn new(params: &Params<'_>) -> Self {
        let Params { etc, name, account, ca, .. } = params;
        let mut lines = vec![
            "# renew_before_expiry = 30 days".to_owned(),
            format!("version = {VERSION}"),
            format!("archive_dir = {etc}/archive/{name}"),
        ];
        lines.extend(
            super::lineage::KINDS.iter().map(|it| format!("{it} = {etc}/live/{name}/{it}.pem")),
        );
        lines.extend([
            String::new(),
            "# Options used in the renewal process".to_owned(),
            "[renewalparams]".to_owned(),
            format!("account = {account}"),
            format!("server = {}", directory(*ca)),
            format!("authenticator = {}", params.authenticator.plugin()),
            format!("key_type = {}", params.key.word()),
        ]);
        lines.extend(params.others.iter().map(|(key, value)| format!("{key} = {value}")));
        if let Some((_, path)) = params.webroots.first() {
            lines.push(format!("webroot_path = {path},"));
            lines.push("[[webroot_map]]".to_owned());
            lines.extend(params.webroots.iter().map(|(name, path)| format!("{name} = {path}")));
        }
        Self { text: lines.join("\n") + "\n" }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.text.lines().filter(|it| !it.starts_with('#'));
        lines.filter_map(|it| it.split_once(" = ")).map(|it| (it.0.trim(), it.1.trim()))
    }
}
