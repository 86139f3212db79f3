//! The shape of the file: one struct per table, whose comments are what editors show. Whether
//! the parts fit each other is seen in [`read`](super::read()).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use toml::Spanned;

use super::grammar::{
    AddressText, Checked, CommandText, Count, Day, DoorText, ExpiryKind, HookUrlText, HostText,
    LabelText, LengthText, MailText, PathText, PatienceText, RateText, ServerText, SocketText,
    StoreUrlText, UrlText, UserText, VariableText,
};
use super::secret_store::{Keys, KindName, StorePathText};
use super::{Become, Connection, Impact, NoticeKind, Occasion, Protect, StartTls};
use crate::dns;

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
    /// Fleets that are read elsewhere.
    #[schemars(with = "Vec<Elsewhere>")]
    #[serde(default)]
    pub(super) fleet: Vec<Spanned<Elsewhere>>,
    /// Commands that may be run on hosts.
    #[schemars(with = "Vec<Hook>")]
    #[serde(default)]
    pub(super) hook: Vec<Spanned<Hook>>,
    /// Stores of secrets that certificates are delivered to.
    #[schemars(with = "Vec<SecretStore>")]
    #[serde(default)]
    pub(super) secret_store: Vec<Spanned<SecretStore>>,
    /// Webhooks that are told of things.
    #[schemars(with = "Vec<Notice>")]
    #[serde(default)]
    pub(super) notice: Vec<Spanned<Notice>>,
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
    /// Who is asked about the DNS when certificates are ordered; default: whom the system asks.
    #[serde(default)]
    pub(super) resolvers: Vec<Checked<SocketText>>,
    /// The name of the issuer to order from, where nothing else is said.
    #[schemars(with = "Option<Checked<LabelText>>")]
    pub(super) issuer: Option<Spanned<Checked<LabelText>>>,
    /// The names of the stores of secrets that certificates are delivered to once they are in
    /// service, without their keys.
    #[schemars(with = "Vec<Checked<LabelText>>")]
    #[serde(default)]
    pub(super) deliver: Vec<Spanned<Checked<LabelText>>>,
    /// After how long of an incident that is not over the console says whom to call; default
    /// "30m", and "never".
    pub(super) escalate_after: Option<Checked<PatienceText>>,
    /// Whether nothing behind it is real, so that everything says so; default false.
    pub(super) practice: Option<bool>,
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
    /// The names of the stores of secrets that certificates of its hosts are delivered to;
    /// default: as in `[defaults]`. A host in several groups has the stores of all of them.
    #[schemars(with = "Option<Vec<Checked<LabelText>>>")]
    pub(super) deliver: Option<Vec<Spanned<Checked<LabelText>>>>,
}

/// A host to look at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("allOf" = [
    { "if": { "properties": { "connection": { "const": "local" } }, "required": ["connection"] },
      "then": { "not": { "anyOf": OF_SSH.map(|it| json!({ "required": [it] })) } } },
]))]
pub(super) struct Host {
    /// Its unique name; what people see.
    #[schemars(required, with = "Checked<HostText>")]
    pub(super) name: Option<Spanned<Checked<HostText>>>,
    /// How it is reached: over "ssh" (default), or "local": it is the machine that certdeck runs on.
    pub(super) connection: Option<Connection>,
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
    /// The folder on the host that is served at port 80, for files that prove control.
    pub(super) webroot: Option<Checked<PathText>>,
    /// The name of the issuer to order from; default: as in `[defaults]`.
    #[schemars(with = "Option<Checked<LabelText>>")]
    pub(super) issuer: Option<Spanned<Checked<LabelText>>>,
    /// The names of the stores of secrets that its certificates are delivered to; default: as its
    /// groups say, or else as in `[defaults]`.
    #[schemars(with = "Option<Vec<Checked<LabelText>>>")]
    pub(super) deliver: Option<Vec<Spanned<Checked<LabelText>>>>,
    /// What should be served from here.
    #[schemars(with = "Vec<Endpoint>")]
    #[serde(default)]
    pub(super) endpoint: Vec<Spanned<Endpoint>>,
}

/// The keys of a host that only mean something to ssh.
pub(super) const OF_SSH: [&str; 4] = ["address", "port", "user", "identity-file"];

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
#[schemars(extend("not" = several_secrets()))]
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
    /// How many orders it takes of one account, as in "300/3h"; Let's Encrypt's limit is known.
    pub(super) order_limit: Option<Checked<RateText>>,
}

/// A DNS provider that can answer dns-01 challenges. Its secret is kept elsewhere.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("not" = several_secrets(), "allOf" = rules_of_kinds()))]
pub(super) struct Dns {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// The kind of provider, as "rfc2136".
    #[schemars(required, with = "ProviderKind")]
    pub(super) kind: Option<Spanned<Checked<LabelText>>>,
    /// The zones it can write.
    #[serde(default)]
    pub(super) zones: Vec<Checked<HostText>>,
    /// The server that takes updates, with its port if that is not 53.
    pub(super) server: Option<Checked<DoorText>>,
    /// The name of the TSIG key, if the secret is no key file that tells it.
    pub(super) key_name: Option<Checked<HostText>>,
    /// The algorithm of the TSIG key: "hmac-sha256" (default), "hmac-sha384", "hmac-sha512".
    pub(super) algorithm: Option<Checked<LabelText>>,
    /// Where the API of the provider is, if it is one of your own.
    pub(super) url: Option<Checked<UrlText>>,
    /// The account or customer at the provider.
    pub(super) account: Option<Checked<LabelText>>,
    /// The user at the provider.
    pub(super) user: Option<Checked<LabelText>>,
    /// The project at the provider.
    pub(super) project: Option<Checked<LabelText>>,
    /// The region of the provider.
    pub(super) region: Option<Checked<LabelText>>,
    /// The zone at the provider, where its name does not find it.
    pub(super) zone_id: Option<Checked<LabelText>>,
    /// The program that is called as `COMMAND present|cleanup FQDN VALUE`.
    pub(super) command: Option<Checked<CommandText>>,
    /// The servers at which records must be seen, if not those that the zone names.
    #[serde(default)]
    pub(super) nameservers: Vec<Checked<SocketText>>,
    /// How long may pass until all of them show a record; default "5m".
    pub(super) patience: Option<Checked<LengthText>>,
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

/// The kinds of DNS providers, in the schema.
enum ProviderKind {}

impl JsonSchema for ProviderKind {
    fn schema_name() -> Cow<'static, str> {
        "a kind of DNS provider".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds: Vec<_> = dns::kinds().map(|it| it.name).collect();
        schemars::json_schema!({ "enum": kinds })
    }
}

impl Dns {
    /// The keys that belong to kinds of providers and are given.
    pub(super) fn settings(&mut self) -> BTreeMap<&'static str, String> {
        let Self { server, key_name, algorithm, url, account, user, .. } = self;
        let texts = [
            ("account", account.take().map(Checked::into_string)),
            ("algorithm", algorithm.take().map(Checked::into_string)),
            ("command", self.command.take().map(Checked::into_string)),
            ("key-name", key_name.take().map(Checked::into_string)),
            ("project", self.project.take().map(Checked::into_string)),
            ("region", self.region.take().map(Checked::into_string)),
            ("server", server.take().map(Checked::into_string)),
            ("url", url.take().map(Checked::into_string)),
            ("user", user.take().map(Checked::into_string)),
            ("zone-id", self.zone_id.take().map(Checked::into_string)),
        ];
        texts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

/// The places of a secret, each as a rule of JSON Schema.
fn one_secret() -> Vec<serde_json::Value> {
    SECRETS.iter().map(|it| json!({ "required": [it] })).collect()
}

/// More than one place for a secret, as a rule of JSON Schema.
fn several_secrets() -> serde_json::Value {
    let [file, env, command] = SECRETS;
    let pairs = [[file, env], [file, command], [env, command]];
    json!({ "anyOf": pairs.map(|it| json!({ "required": it })) })
}

/// Which keys each kind of provider must have and may have, as rules of JSON Schema.
fn rules_of_kinds() -> Vec<serde_json::Value> {
    let rule = |kind: &dns::Kind| {
        let is_strange = |it: &&&str| !kind.needs.contains(it) && !kind.takes.contains(it);
        let strange = dns::KEYS.iter().filter(is_strange);
        let strange: Vec<_> = strange.map(|it| json!({ "required": [it] })).collect();
        let secret = match kind.secret {
            dns::Wanted::Perhaps(_) => Vec::new(),
            _ => one_secret(),
        };
        let mut rules = vec![json!({ "not": { "anyOf": strange }, "required": kind.needs })];
        rules.extend((!secret.is_empty()).then(|| json!({ "anyOf": secret })));
        json!({
            "if": { "properties": { "kind": { "const": kind.name } }, "required": ["kind"] },
            "then": { "allOf": rules },
        })
    };
    dns::kinds().map(rule).collect()
}

/// A fleet that is read elsewhere: `certdeck export` runs there, and a Prometheus server holds what
/// it sees. Its token, if it wants one, is kept elsewhere.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("not" = several_secrets()))]
pub(super) struct Elsewhere {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// The URL of the Prometheus server, or of what speaks its query API.
    #[schemars(required, with = "Checked<ServerText>")]
    pub(super) prometheus: Option<Spanned<Checked<ServerText>>>,
    /// The file that holds its bearer token.
    #[schemars(with = "Option<Checked<PathText>>")]
    pub(super) secret_file: Option<Spanned<Checked<PathText>>>,
    /// The environment variable that holds its bearer token.
    #[schemars(with = "Option<Checked<VariableText>>")]
    pub(super) secret_env: Option<Spanned<Checked<VariableText>>>,
    /// The command that prints its bearer token.
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

/// A store of secrets that certificates are delivered to. What opens it is kept elsewhere.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("not" = several_secrets(), "anyOf" = one_secret(), "allOf" = [
    { "if": { "properties": { "kind": { "const": "vault-kv2" } }, "required": ["kind"] },
      "then": { "required": ["url"], "not": { "required": ["region"] } } },
    { "if": { "properties": { "kind": { "const": "aws-secrets-manager" } }, "required": ["kind"] },
      "then": { "required": ["region"], "not": { "anyOf": [
        { "required": ["mount"] }, { "required": ["namespace"] }, { "required": ["role-id"] },
      ] } } },
]))]
pub(super) struct SecretStore {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// What it is.
    #[schemars(required)]
    pub(super) kind: Option<KindName>,
    /// The URL of its API; of AWS, that of the region is the default.
    #[schemars(with = "Option<Checked<StoreUrlText>>")]
    pub(super) url: Option<Spanned<Checked<StoreUrlText>>>,
    /// aws-secrets-manager: the region.
    #[schemars(with = "Option<Checked<LabelText>>")]
    pub(super) region: Option<Spanned<Checked<LabelText>>>,
    /// vault-kv2: where the engine is mounted; default "secret".
    #[schemars(with = "Option<Checked<StorePathText>>")]
    pub(super) mount: Option<Spanned<Checked<StorePathText>>>,
    /// vault-kv2: the namespace.
    #[schemars(with = "Option<Checked<LabelText>>")]
    pub(super) namespace: Option<Spanned<Checked<LabelText>>>,
    /// vault-kv2: the role of an AppRole; the secret is then its secret-id, or else a token.
    #[schemars(with = "Option<Checked<LabelText>>")]
    pub(super) role_id: Option<Spanned<Checked<LabelText>>>,
    /// Where a certificate lies in it; default "certdeck/{host}/{name}".
    pub(super) path: Option<Checked<StorePathText>>,
    /// The file that holds what opens it.
    #[schemars(with = "Option<Checked<PathText>>")]
    pub(super) secret_file: Option<Spanned<Checked<PathText>>>,
    /// The environment variable that holds what opens it.
    #[schemars(with = "Option<Checked<VariableText>>")]
    pub(super) secret_env: Option<Spanned<Checked<VariableText>>>,
    /// The command that prints what opens it.
    #[schemars(with = "Option<Checked<CommandText>>")]
    pub(super) secret_command: Option<Spanned<Checked<CommandText>>>,
    /// Files with authorities beside the public ones, in PEM: for its HTTPS.
    #[serde(default)]
    pub(super) roots: Vec<Checked<PathText>>,
}

impl SecretStore {
    /// The keys that belong to some kinds only.
    pub(super) fn keys(&mut self) -> Keys {
        fn told<G>(given: Option<Spanned<Checked<G>>>) -> Option<(Range<usize>, String)> {
            given.map(|it| (it.span(), it.into_inner().into_string()))
        }
        Keys {
            url: told(self.url.take()),
            region: told(self.region.take()),
            mount: told(self.mount.take()),
            namespace: told(self.namespace.take()),
            role: told(self.role_id.take()),
        }
    }
}

/// A webhook that is told of things. Its secret is kept elsewhere.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
#[schemars(extend("not" = several_secrets(), "anyOf" = one_secret()))]
pub(super) struct Notice {
    /// Its unique name.
    #[schemars(required, with = "Checked<LabelText>")]
    pub(super) name: Option<Spanned<Checked<LabelText>>>,
    /// How somebody is told: "webhook".
    #[schemars(required)]
    pub(super) kind: Option<NoticeKind>,
    /// The URL of the webhook.
    #[schemars(required)]
    pub(super) url: Option<Checked<HookUrlText>>,
    /// The file that holds the key with which notices are signed.
    #[schemars(with = "Option<Checked<PathText>>")]
    pub(super) secret_file: Option<Spanned<Checked<PathText>>>,
    /// The environment variable that holds the key with which notices are signed.
    #[schemars(with = "Option<Checked<VariableText>>")]
    pub(super) secret_env: Option<Spanned<Checked<VariableText>>>,
    /// The command that prints the key with which notices are signed.
    #[schemars(with = "Option<Checked<CommandText>>")]
    pub(super) secret_command: Option<Spanned<Checked<CommandText>>>,
    /// Of what it is told; default: of everything.
    pub(super) on: Option<Vec<Occasion>>,
    /// Files with authorities beside the public ones, in PEM: for the HTTPS of the webhook.
    #[serde(default)]
    pub(super) roots: Vec<Checked<PathText>>,
}

/// Something else that expires.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", expecting = "a table")]
pub(super) struct Expiry {
    /// What it is.
    #[schemars(required)]
    pub(super) name: Option<Checked<LabelText>>,
    /// What kind of thing it is: "dns-token", "domain", "eab-key", "intermediate".
    pub(super) kind: Option<ExpiryKind>,
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

/// The keys that say where a secret is.
const SECRETS: [&str; 3] = ["secret-file", "secret-env", "secret-command"];
