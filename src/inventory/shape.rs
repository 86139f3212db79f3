//! The shape of the file: one struct per table, whose comments are what editors show. Whether
//! the parts fit each other is seen in [`read`](super::read()).

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::grammar::{
    AddressText, Checked, CommandText, Count, Day, DoorText, HostText, LabelText, LengthText,
    MailText, PathText, UrlText, UserText, VariableText,
};
use super::{Become, Impact, Protect, StartTls};

/// The hosts of certdeck, and what it should know of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(title = "certdeck inventory")]
pub(super) struct File {
    /// What holds for every host that does not say otherwise.
    #[schemars(with = "Option<Defaults>")]
    pub(super) defaults: Option<Spanned<Defaults>>,
    /// Groups of hosts.
    #[schemars(with = "Vec<Group>")]
    #[serde(default)]
    pub(super) group: Vec<Spanned<Group>>,
    /// Hosts to look at.
    #[schemars(with = "Vec<Host>")]
    #[serde(default)]
    pub(super) host: Vec<Spanned<Host>>,
    /// CA accounts to order from.
    #[schemars(with = "Vec<Issuer>")]
    #[serde(default)]
    pub(super) issuer: Vec<Spanned<Issuer>>,
    /// DNS providers that can answer dns-01 challenges.
    #[schemars(with = "Vec<Dns>")]
    #[serde(default)]
    pub(super) dns: Vec<Spanned<Dns>>,
    /// Commands that may be run on hosts.
    #[schemars(with = "Vec<Hook>")]
    #[serde(default)]
    pub(super) hook: Vec<Spanned<Hook>>,
    /// Other things that expire: API tokens, EAB keys, domains.
    #[schemars(with = "Vec<Expiry>")]
    #[serde(default)]
    pub(super) expiry: Vec<Spanned<Expiry>>,
}

/// What holds for every host that does not say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Defaults {
    /// How the probe and the jobs become root; default "none".
    pub(super) r#become: Option<Become>,
    /// How many hosts are read at once; default 32.
    pub(super) concurrency: Option<Count<1, 500>>,
    /// How long connecting may take; default "10s".
    #[schemars(with = "Option<Checked<LengthText>>")]
    pub(super) connect_timeout: Option<Spanned<Checked<LengthText>>>,
    /// How long a whole visit may take, connecting included; default "20s".
    #[schemars(with = "Option<Checked<LengthText>>")]
    pub(super) scan_timeout: Option<Spanned<Checked<LengthText>>>,
    /// How many hosts behind the same jump host are connected to at once; default 8.
    pub(super) jump_concurrency: Option<Count<1, 500>>,
    /// How many sessions stay open between scans in the console; default 16.
    pub(super) keep_warm: Option<Count<0, 500>>,
    /// Whether hosts are asked for their servers and listeners, too; default true.
    pub(super) discover: Option<bool>,
    /// Files with authorities beside the public ones, in PEM.
    #[serde(default)]
    pub(super) roots: Vec<Checked<PathText>>,
}

/// A group of hosts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Group {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// How carefully changes are guarded; default "confirm".
    pub(super) protect: Option<Protect>,
    /// Who to ask.
    pub(super) owner: Option<Checked<LabelText>>,
    /// Where the runbook is.
    pub(super) runbook: Option<Checked<LabelText>>,
    /// How many places are changed at once after the canary.
    pub(super) wave: Option<Count<1, 1000>>,
}

/// A host to look at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Host {
    /// Its unique name; what people see.
    #[schemars(required, with = "Checked<HostText>")]
    pub(super) name: Option<Spanned<Checked<HostText>>>,
    /// What ssh is given: a name, an address, or an alias of ssh_config; default: the name.
    pub(super) address: Option<Checked<HostText>>,
    /// The port, if ssh_config should not decide.
    pub(super) port: Option<Count<1, { u16::MAX }>>,
    /// The user, if ssh_config should not decide.
    pub(super) user: Option<Checked<UserText>>,
    /// The key file, if ssh_config should not decide.
    pub(super) identity_file: Option<Checked<PathText>>,
    /// How the probe and the jobs become root; default: as in `[defaults]`.
    pub(super) r#become: Option<Become>,
    /// How long connecting may take; default: as in `[defaults]`.
    #[schemars(with = "Option<Checked<LengthText>>")]
    pub(super) connect_timeout: Option<Spanned<Checked<LengthText>>>,
    /// How long a whole visit may take, connecting included; default: as in `[defaults]`.
    #[schemars(with = "Option<Checked<LengthText>>")]
    pub(super) scan_timeout: Option<Spanned<Checked<LengthText>>>,
    /// The names of its groups.
    #[schemars(with = "Vec<Checked<LabelText>>")]
    #[serde(default)]
    pub(super) groups: Vec<Spanned<Checked<LabelText>>>,
    /// Where certificates are kept.
    #[schemars(schema_with = "sources")]
    #[serde(default)]
    pub(super) source: Vec<Spanned<IgnoredAny>>,
    /// Whether it is asked for its servers and listeners, too; default: as in `[defaults]`.
    pub(super) discover: Option<bool>,
    /// What should be served from here.
    #[schemars(with = "Vec<Endpoint>")]
    #[serde(default)]
    pub(super) endpoint: Vec<Spanned<Endpoint>>,
}

/// What should be served from a host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Endpoint {
    /// The name that clients ask for (SNI).
    #[schemars(required, with = "Checked<HostText>")]
    pub(super) name: Option<Checked<HostText>>,
    /// The TCP port; default 443.
    pub(super) port: Option<Count<1, { u16::MAX }>>,
    /// How TLS is begun; default "none": with the first byte.
    pub(super) starttls: Option<StartTls>,
    /// From where it is looked at; default both.
    pub(super) probe: Option<Vec<From>>,
    /// The address where the server listens on the host; default: wherever something listens on
    /// that port there.
    pub(super) listen: Option<Checked<AddressText>>,
    /// Where it is served beside the addresses of the name: a standby, a load balancer; as
    /// "192.0.2.10", "192.0.2.11:8443" or "lb.example.net".
    #[serde(default)]
    pub(super) addresses: Vec<Checked<DoorText>>,
}

/// From where an endpoint is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum From {
    /// On the host itself, through SSH.
    Loopback,
    /// From the console, at every public address.
    Public,
}

/// A CA account to order from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("not" = { "anyOf": [
    { "required": ["secret-file", "secret-env"] },
    { "required": ["secret-file", "secret-command"] },
    { "required": ["secret-env", "secret-command"] },
] }))]
pub(super) struct Issuer {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// The URL of its ACME directory.
    #[schemars(required)]
    pub(super) directory: Option<Checked<UrlText>>,
    /// The URL of its staging twin.
    pub(super) staging: Option<Checked<UrlText>>,
    /// Where the CA writes to about the account: a mail address.
    pub(super) contact: Option<Checked<MailText>>,
    /// The key identifier of an external account, where the CA wants one (RFC 8555, section
    /// 7.3.4). Its HMAC key is the secret.
    #[schemars(with = "Option<Checked<LabelText>>")]
    pub(super) eab_kid: Option<Spanned<Checked<LabelText>>>,
    /// The file that holds the HMAC key of the external account, in base64url.
    #[schemars(with = "Option<Checked<PathText>>")]
    pub(super) secret_file: Option<Spanned<Checked<PathText>>>,
    /// The environment variable that holds the HMAC key of the external account.
    #[schemars(with = "Option<Checked<VariableText>>")]
    pub(super) secret_env: Option<Spanned<Checked<VariableText>>>,
    /// The command that prints the HMAC key of the external account.
    #[schemars(with = "Option<Checked<CommandText>>")]
    pub(super) secret_command: Option<Spanned<Checked<CommandText>>>,
    /// Files with authorities beside the public ones, in PEM: for the HTTPS of the CA itself.
    #[serde(default)]
    pub(super) roots: Vec<Checked<PathText>>,
    /// The profile that is asked for if a request names none (draft-ietf-acme-profiles).
    pub(super) profile: Option<Checked<LabelText>>,
    /// The port at which the CA looks at http-01; default 80. Only private CAs have another.
    pub(super) http_port: Option<Count<1, { u16::MAX }>>,
}

/// A DNS provider that can answer dns-01 challenges. Its secret is kept elsewhere.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("not" = { "anyOf": [
    { "required": ["secret-file", "secret-env"] },
    { "required": ["secret-file", "secret-command"] },
    { "required": ["secret-env", "secret-command"] },
] }))]
pub(super) struct Dns {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// The kind of provider, as "rfc2136".
    #[schemars(required)]
    pub(super) kind: Option<Checked<LabelText>>,
    /// The zones it can write.
    #[serde(default)]
    pub(super) zones: Vec<Checked<HostText>>,
    /// The file that holds its secret.
    #[schemars(with = "Option<Checked<PathText>>")]
    pub(super) secret_file: Option<Spanned<Checked<PathText>>>,
    /// The environment variable that holds its secret.
    #[schemars(with = "Option<Checked<VariableText>>")]
    pub(super) secret_env: Option<Spanned<Checked<VariableText>>>,
    /// The command that prints its secret.
    #[schemars(with = "Option<Checked<CommandText>>")]
    pub(super) secret_command: Option<Spanned<Checked<CommandText>>>,
}

/// A command that may be run on hosts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Hook {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// The shell command.
    #[schemars(required)]
    pub(super) run: Option<Checked<CommandText>>,
    /// What it does to the service.
    #[schemars(required)]
    pub(super) impact: Option<Impact>,
}

/// Something else that expires.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Expiry {
    /// What it is.
    #[schemars(required)]
    pub(super) name: Option<Checked<LabelText>>,
    /// The day, or the moment with its offset, when it ends.
    #[schemars(required)]
    pub(super) on: Option<Day>,
    /// The ways to prove control that end with it, as clients name them: "dns-cloudflare".
    #[serde(default)]
    pub(super) authenticators: Vec<Checked<LabelText>>,
}

fn sources(generator: &mut SchemaGenerator) -> Schema {
    super::schema::sources(generator)
}
