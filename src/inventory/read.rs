//! Text in, inventory and every complaint out. Knows the rules between the parts of the file;
//! what a single value may be is in [`super::grammar`], which keys there are in [`super::shape`].

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::grammar::{
    Checked, CommandText, Count, ExpiryKind, LabelText, LengthText, PathText, VariableText,
};
use super::named::Named;
use super::plain::plain;
use super::{
    Defaults, DnsZone, Elsewhere, External, Group, Inventory, Issuer, NamedHook, Notice, Occasion,
    SecretPlace, SecretStore,
};
use super::{provider, prune, secret_store, shape};
use crate::fleet::Expiry;
use crate::spanned::{self, Diagnostic, did_you_mean};
use crate::text::SafeText;

/// Reads an inventory. The complaints are in the order of the file; only without any is the
/// inventory whole.
pub fn read(text: &str) -> (Inventory, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let is_whole = errors.is_empty();
    let mut complaints: Vec<_> =
        errors.iter().map(|it| plain(spanned::complain(it, 0..0))).collect();
    let document = Spanned::new(document.span(), DeValue::Table(document.into_inner()));

    let mut misfits = Vec::new();
    let file: shape::File = prune::read(document.clone(), &mut misfits);
    // Where a value is missing or malformed, the syntax says so already.
    let is_new = |it: &Diagnostic| {
        !it.span.is_empty() && !errors.iter().any(|error| error.span().as_ref() == Some(&it.span))
    };
    complaints.extend(misfits.into_iter().filter(is_new).map(plain));

    let mut tables = BTreeMap::new();
    collect(&document, &mut tables);
    let breaks = text.bytes().enumerate().filter(|(_, it)| *it == b'\n');
    let lines = breaks.map(|(at, _)| at + 1).collect();
    let mut reader = Reader { lines, is_whole, tables, complaints };
    let inventory = reader.inventory(file);

    let mut complaints = reader.complaints;
    complaints.sort_by_key(|it| (it.span.start, it.span.end));
    complaints.dedup();
    (inventory, complaints)
}

/// What is needed to judge one part of the file by the others.
pub(super) struct Reader<'d, 't> {
    /// Where each line but the first begins.
    lines: Vec<usize>,
    /// Whether the syntax is right: if it is not, nothing can be called missing.
    pub(super) is_whole: bool,
    /// Every table as it stands in the file, by the place where it begins.
    pub(super) tables: BTreeMap<usize, &'d Spanned<DeValue<'t>>>,
    pub(super) complaints: Vec<Diagnostic>,
}

impl Reader<'_, '_> {
    fn inventory(&mut self, file: shape::File) -> Inventory {
        let shape::File { defaults, group, host, issuer, dns, fleet, hook, .. } = file;
        let defaults = defaults.map(Spanned::into_inner).unwrap_or_default();
        let issuers = self.issuers(issuer);
        let secret_stores = self.secret_stores(file.secret_store);
        let (of_issuers, of_stores) =
            (issuers.iter().map(|it| &it.name), secret_stores.iter().map(|it| &it.name));
        let known = &Known {
            issuers: Named::new(("an", "issuer"), of_issuers, self.is_whole),
            stores: Named::new(("a", "secret-store"), of_stores, self.is_whole),
        };
        let defaults = self.defaults(defaults, known);
        let groups = self.groups(group, known);
        let hosts = self.hosts(host, &groups, known, &defaults);
        Inventory {
            groups,
            hosts,
            issuers,
            dns: self.dns(dns, &defaults.resolvers),
            fleets: self.fleets(fleet),
            hooks: self.hooks(hook),
            secret_stores,
            notices: self.notices(file.notice),
            expiries: self.expiries(file.expiry),
            defaults,
        }
    }

    fn defaults(&mut self, given: shape::Defaults, known: &Known<'_>) -> Defaults {
        let usual = Defaults::default();
        let (connect_timeout, scan_timeout) =
            self.timeouts(given.connect_timeout, given.scan_timeout, &usual);
        Defaults {
            r#become: given.r#become.unwrap_or(usual.r#become),
            concurrency: given.concurrency.map_or(usual.concurrency, |it| it.value().into()),
            connect_timeout,
            scan_timeout,
            jump_concurrency: given
                .jump_concurrency
                .map_or(usual.jump_concurrency, |it| it.value().into()),
            keep_warm: given.keep_warm.map_or(usual.keep_warm, |it| it.value().into()),
            discover: given.discover.unwrap_or(usual.discover),
            roots: given.roots.into_iter().map(Checked::into_string).collect(),
            resolvers: given.resolvers.iter().filter_map(Checked::socket).collect(),
            issuer: known.issuers.one(given.issuer.as_ref(), &mut self.complaints),
            deliver: known.stores.each(&given.deliver, &mut self.complaints),
            escalate_after: given.escalate_after.map_or(usual.escalate_after, |it| it.seconds()),
            practice: given.practice.unwrap_or(usual.practice),
        }
    }

    /// The two timeouts that hold; connecting must end before the visit does.
    pub(super) fn timeouts(
        &mut self,
        connect: Option<Spanned<Checked<LengthText>>>,
        scan: Option<Spanned<Checked<LengthText>>>,
        usual: &Defaults,
    ) -> (Duration, Duration) {
        let length = |it: &Option<Spanned<Checked<LengthText>>>, usual| {
            it.as_ref().map_or(usual, |it| it.get_ref().duration())
        };
        let timeouts = (length(&connect, usual.connect_timeout), length(&scan, usual.scan_timeout));
        if timeouts.0 >= timeouts.1
            && let Some(span) = connect.or(scan).map(|it| it.span())
        {
            let (connect, scan) = (timeouts.0.as_secs(), timeouts.1.as_secs());
            let message = format!(
                "connecting may take {connect}s, which leaves nothing of a visit of {scan}s"
            );
            let hint = "make `scan-timeout` longer than `connect-timeout`";
            self.complaints.push(Diagnostic::new(message, span).with_hint(hint));
        }
        timeouts
    }

    fn groups(&mut self, given: Vec<Spanned<shape::Group>>, known: &Known<'_>) -> Vec<Group> {
        let mut names = Names::new("group");
        let mut groups = Vec::new();
        for table in given {
            let (span, group) = (table.span(), table.into_inner());
            let deliver = group.deliver.map(|it| known.stores.each(&it, &mut self.complaints));
            if let Some(name) = self.name(group.name, &mut names, span) {
                groups.push(Group {
                    name,
                    deliver,
                    protect: group.protect.unwrap_or_default(),
                    owner: group.owner.map(Checked::into_string),
                    runbook: group.runbook.map(Checked::into_string),
                    wave: group.wave.map(|it| it.value().into()),
                });
            }
        }
        groups
    }

    fn issuers(&mut self, given: Vec<Spanned<shape::Issuer>>) -> Vec<Issuer> {
        let mut names = Names::new("issuer");
        let mut issuers = Vec::new();
        for table in given {
            let (span, issuer) = (table.span(), table.into_inner());
            let shape::Issuer { secret_file, secret_env, secret_command, .. } = issuer;
            let secret = self.secret(secret_file, secret_env, secret_command);
            let external = self.external(issuer.eab_kid, secret, span.clone());
            let name = self.name(issuer.name, &mut names, span.clone());
            let directory = self.required(issuer.directory, "issuer", "directory", span);
            if let (Some(name), Some(directory)) = (name, directory) {
                issuers.push(Issuer {
                    name,
                    directory: directory.into_string(),
                    staging: issuer.staging.map(Checked::into_string),
                    contact: issuer.contact.map(Checked::into_string),
                    external,
                    roots: issuer.roots.into_iter().map(Checked::into_string).collect(),
                    profile: issuer.profile.map(Checked::into_string),
                    // RFC 8555, section 8.3.
                    http_port: issuer.http_port.map_or(80, Count::value),
                    order_limit: issuer.order_limit.and_then(|it| it.limit()),
                });
            }
        }
        issuers
    }

    /// An external account has a name and a secret, or there is none.
    fn external(
        &mut self,
        kid: Option<Spanned<Checked<LabelText>>>,
        secret: Option<SecretPlace>,
        table: Range<usize>,
    ) -> Option<External> {
        match (kid, secret) {
            (Some(kid), Some(secret)) => {
                Some(External { kid: kid.into_inner().into_string(), secret })
            }
            (None, None) => None,
            (Some(kid), None) => {
                let message = "an external account needs its HMAC key as well";
                let hint = "say where it is: `secret-file`, `secret-env` or `secret-command`";
                self.complaints.push(Diagnostic::new(message, kid.span()).with_hint(hint));
                None
            }
            (None, Some(_)) => {
                let message = "this `[[issuer]]` has a secret and no `eab-kid`";
                let hint = "the CA gives out both together, for an external account";
                self.complaints.push(Diagnostic::new(message, table).with_hint(hint));
                None
            }
        }
    }

    fn dns(&mut self, given: Vec<Spanned<shape::Dns>>, resolvers: &[SocketAddr]) -> Vec<DnsZone> {
        let mut names = Names::new("dns");
        let mut zones = Vec::new();
        for table in given {
            let (span, mut dns) = (table.span(), table.into_inner());
            let settings = dns.settings();
            let secret = self.secret(dns.secret_file, dns.secret_env, dns.secret_command);
            let has_secret = secret.is_some();
            let name = self.name(dns.name, &mut names, span.clone());
            let kind = self.required(dns.kind, "dns", "kind", span.clone());
            let raw = self.tables.get(&span.start).and_then(|it| it.get_ref().as_table());
            let keys: Vec<_> = raw.into_iter().flat_map(DeTable::keys).collect();
            let told = provider::Told { table: span, keys, is_whole: self.is_whole, has_secret };
            let kind = kind.and_then(|it| provider::kind(&it, &told, &mut self.complaints));
            if let (Some(name), Some(kind)) = (name, kind) {
                zones.push(DnsZone {
                    name,
                    kind: kind.name.to_owned(),
                    zones: dns.zones.into_iter().map(Checked::into_string).collect(),
                    settings,
                    secret,
                    nameservers: dns.nameservers.iter().filter_map(Checked::socket).collect(),
                    patience: dns.patience.map_or(PATIENCE, |it| it.duration()),
                    resolvers: resolvers.to_vec(),
                });
            }
        }
        zones
    }

    fn fleets(&mut self, given: Vec<Spanned<shape::Elsewhere>>) -> Vec<Elsewhere> {
        let mut names = Names::new("fleet");
        let mut fleets = Vec::new();
        for table in given {
            let (span, fleet) = (table.span(), table.into_inner());
            let secret = self.secret(fleet.secret_file, fleet.secret_env, fleet.secret_command);
            let name = self.name(fleet.name, &mut names, span.clone());
            let url = self.required(fleet.prometheus, "fleet", "prometheus", span);
            let (Some(name), Some(url)) = (name, url) else { continue };
            if secret.is_some() && url.get_ref().is_open() {
                let message = "its token could be read on the way";
                let hint = "a server that wants a token needs `https`; `http` only on this machine";
                self.complaints.push(Diagnostic::new(message, url.span()).with_hint(hint));
            }
            fleets.push(Elsewhere { name, prometheus: url.into_inner().into_string(), secret });
        }
        fleets
    }

    /// The one place where a secret is kept.
    fn secret(
        &mut self,
        file: Option<Spanned<Checked<PathText>>>,
        variable: Option<Spanned<Checked<VariableText>>>,
        command: Option<Spanned<Checked<CommandText>>>,
    ) -> Option<SecretPlace> {
        let file = file.map(|it| (it.span(), SecretPlace::File(it.into_inner().into_string())));
        let variable =
            variable.map(|it| (it.span(), SecretPlace::Env(it.into_inner().into_string())));
        let command =
            command.map(|it| (it.span(), SecretPlace::Command(it.into_inner().into_string())));
        let mut places: Vec<_> = [file, variable, command].into_iter().flatten().collect();
        places.sort_by_key(|(span, _)| span.start);
        let mut places = places.into_iter();
        let (first, place) = places.next()?;
        for (span, _) in places {
            let line = self.line(first.start);
            let message = format!("a second place for the secret; the first is in line {line}");
            let hint = "keep one of `secret-file`, `secret-env` and `secret-command`";
            self.complaints.push(Diagnostic::new(message, span).with_hint(hint));
        }
        Some(place)
    }

    fn hooks(&mut self, given: Vec<Spanned<shape::Hook>>) -> Vec<NamedHook> {
        let mut names = Names::new("hook");
        let mut hooks = Vec::new();
        for table in given {
            let (span, hook) = (table.span(), table.into_inner());
            let name = self.name(hook.name, &mut names, span.clone());
            let run = self.required(hook.run, "hook", "run", span.clone());
            let impact = self.required(hook.impact, "hook", "impact", span);
            if let (Some(name), Some(run), Some(impact)) = (name, run, impact) {
                hooks.push(NamedHook { name, run: run.into_string(), impact });
            }
        }
        hooks
    }

    fn secret_stores(&mut self, given: Vec<Spanned<shape::SecretStore>>) -> Vec<SecretStore> {
        let mut names = Names::new("secret-store");
        let mut stores = Vec::new();
        for table in given {
            let (span, mut store) = (table.span(), table.into_inner());
            let keys = store.keys();
            let secret = self.secret(store.secret_file, store.secret_env, store.secret_command);
            let name = self.name(store.name, &mut names, span.clone());
            let kind = self.required(store.kind, names.what, "kind", span.clone());
            if secret.is_none() && self.is_whole {
                let message = "this `[[secret-store]]` does not say where its secret is";
                let hint = "it is opened with it: name the place with `secret-file`, \
                            `secret-env` or `secret-command`";
                self.complaints.push(Diagnostic::new(message, span.clone()).with_hint(hint));
            }
            let Some(kind) = kind else { continue };
            let (kind, url) = match secret_store::kind(kind, keys, &mut self.complaints) {
                Ok(both) => both,
                Err(key) => {
                    self.required(None::<()>, names.what, key, span);
                    continue;
                }
            };
            if let (Some(name), Some(secret)) = (name, secret) {
                let path = store.path.map(Checked::into_string);
                let path = path.unwrap_or_else(|| secret_store::USUAL_PATH.to_owned());
                let roots = store.roots.into_iter().map(Checked::into_string).collect();
                stores.push(SecretStore { name, kind, url, path, secret, roots });
            }
        }
        stores
    }

    fn notices(&mut self, given: Vec<Spanned<shape::Notice>>) -> Vec<Notice> {
        let mut names = Names::new("notice");
        let mut notices = Vec::new();
        for table in given {
            let (span, notice) = (table.span(), table.into_inner());
            let shape::Notice { secret_file, secret_env, secret_command, .. } = notice;
            let secret = self.secret(secret_file, secret_env, secret_command);
            let name = self.name(notice.name, &mut names, span.clone());
            let kind = self.required(notice.kind, "notice", "kind", span.clone());
            let url = self.required(notice.url, "notice", "url", span.clone());
            if secret.is_none() && self.is_whole {
                let message = "this `[[notice]]` does not say where its secret is";
                let hint = "notices are signed with it: name the place with `secret-file`, \
                            `secret-env` or `secret-command`";
                self.complaints.push(Diagnostic::new(message, span).with_hint(hint));
            }
            let parts = (name, kind, url, secret);
            if let (Some(name), Some(kind), Some(url), Some(secret)) = parts {
                let mut on = notice.on.unwrap_or_else(|| Occasion::ALL.to_vec());
                on.sort_unstable();
                on.dedup();
                notices.push(Notice {
                    name,
                    kind,
                    url: url.into_string(),
                    secret,
                    on,
                    roots: notice.roots.into_iter().map(Checked::into_string).collect(),
                });
            }
        }
        notices
    }

    fn expiries(&mut self, given: Vec<Spanned<shape::Expiry>>) -> Vec<Expiry> {
        let mut expiries = Vec::new();
        for table in given {
            let (span, expiry) = (table.span(), table.into_inner());
            let name = self.required(expiry.name, "expiry", "name", span.clone());
            let on = self.required(expiry.on, "expiry", "on", span);
            if let (Some(name), Some(on)) = (name, on) {
                let names = expiry.authenticators.iter();
                expiries.push(Expiry {
                    name: SafeText::new(name.as_str()),
                    kind: expiry.kind.map(ExpiryKind::kind),
                    on: on.moment(),
                    authenticators: names.map(|it| SafeText::new(it.as_str())).collect(),
                });
            }
        }
        expiries
    }

    /// The name of a table, if it has one that no table of its kind had before.
    pub(super) fn name<G>(
        &mut self,
        given: Option<Spanned<Checked<G>>>,
        names: &mut Names,
        table: Range<usize>,
    ) -> Option<String> {
        let given = self.required(given, names.what, "name", table)?;
        let (span, name) = (given.span(), given.into_inner().into_string());
        let Some(first) = names.taken.get(&name) else {
            names.taken.insert(name.clone(), span.start);
            return Some(name);
        };
        let (what, line) = (names.what, self.line(*first));
        let message = format!("a second {what} `{name}`; the first is in line {line}");
        self.complaints.push(Diagnostic::new(message, span).with_hint("give it another name"));
        None
    }

    /// The value of a key that a table must have. What is there but wrong has been complained
    /// about before.
    pub(super) fn required<T>(
        &mut self,
        given: Option<T>,
        what: &str,
        key: &str,
        table: Range<usize>,
    ) -> Option<T> {
        if given.is_none() && self.is_whole {
            let raw = self.tables.get(&table.start).and_then(|it| it.get_ref().as_table());
            // A mistyped key has its own complaint.
            let is_meant = |it: &str| it == key || did_you_mean(it, [key]).is_some();
            if !raw.is_some_and(|it| it.keys().any(|it| is_meant(it.get_ref()))) {
                let message = format!("this `[[{what}]]` has no `{key}`");
                let hint = format!("add a line `{key} = …`");
                self.complaints.push(Diagnostic::new(message, table).with_hint(hint));
            }
        }
        given
    }

    /// The number of the line, counted from 1.
    fn line(&self, at: usize) -> usize {
        1 + self.lines.partition_point(|it| *it <= at)
    }
}

/// What can be named elsewhere in the file.
pub(super) struct Known<'a> {
    pub(super) issuers: Named<'a>,
    pub(super) stores: Named<'a>,
}

/// The names that are taken by tables of one kind, and where.
pub(super) struct Names {
    what: &'static str,
    taken: HashMap<String, usize>,
}

impl Names {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, taken: HashMap::new() }
    }
}

/// Finds every table, by the place where it begins.
fn collect<'d, 't>(
    value: &'d Spanned<DeValue<'t>>,
    tables: &mut BTreeMap<usize, &'d Spanned<DeValue<'t>>>,
) {
    match value.get_ref() {
        DeValue::Table(table) => {
            tables.insert(value.span().start, value);
            table.values().for_each(|it| collect(it, tables));
        }
        DeValue::Array(array) => array.iter().for_each(|it| collect(it, tables)),
        _ => {}
    }
}

/// Secondaries ask at least that often where nobody notifies them (BIND: min-refresh-time).
const PATIENCE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::plain::{BELOW, SECRETS};
    use super::*;
    use crate::fleet::Vantage;
    use crate::inventory::{Become, Connection, Impact, Protect, StartTls};

    const EXAMPLE: &str = include_str!("../../inventory.example.toml");

    #[test]
    fn the_example_is_read() {
        let (inventory, complaints) = read(EXAMPLE);
        assert_eq!(complaints, []);
        let [mail, web, ..] = inventory.hosts.as_slice() else { panic!("{inventory:?}") };
        assert_eq!((mail.address.as_str(), mail.port), ("mail-01", None));
        assert_eq!((mail.r#become, mail.connect_timeout.as_secs()), (Become::None, 10));
        assert_eq!((web.address.as_str(), web.port), ("web-01.example.net", Some(22)));
        assert_eq!((web.r#become, web.connect_timeout.as_secs()), (Become::Sudo, 5));
        assert_eq!((web.scan_timeout.as_secs(), web.user.as_deref()), (30, Some("certdeck")));
        assert_eq!(web.groups, ["production"]);
        let kinds: Vec<_> = web.sources.iter().map(|it| it.kind().name).collect();
        assert_eq!(kinds, ["certbot", "pem", "servers", "certdeck"]);
        let smtp = &web.endpoints[1];
        assert_eq!((smtp.port, smtp.starttls), (25, StartTls::Smtp));
        assert_eq!(smtp.probe, [Vantage::Loopback]);
        let [production, staging] = inventory.groups.as_slice() else { panic!("{inventory:?}") };
        assert_eq!((production.protect, production.wave), (Protect::Typed, Some(5)));
        assert_eq!((staging.protect, staging.wave), (Protect::None, None));
        assert_eq!(inventory.hooks[0].impact, Impact::Reload);
        let secret = SecretPlace::File("~/.config/certdeck/tsig.key".into());
        assert_eq!(inventory.dns[0].secret, Some(secret));
        let on: Vec<_> = inventory.expiries.iter().map(|it| it.on.to_string()).collect();
        assert_eq!(on, ["2027-02-01T00:00:00Z", "2027-08-14T10:00:00Z"]);
    }

    #[test]
    fn what_says_most_of_a_host_says_where_its_certificates_are_delivered_to() {
        let store = |name: &str| {
            format!(
                "[[secret-store]]\nname = '{name}'\nkind = 'aws-secrets-manager'\n\
                 region = 'eu-west-1'\nsecret-env = 'A'\n"
            )
        };
        let stores = ["main", "edge", "shop"].map(store).concat();
        let groups = "[defaults]\ndeliver = ['main']\n[[group]]\nname = 'g'\n\
                      deliver = ['edge', 'main', 'edge']\n[[group]]\nname = 'h'\n\
                      deliver = ['shop', 'edge']\n[[group]]\nname = 'silent'\n\
                      [[group]]\nname = 'none'\ndeliver = []\n";
        let told = |lines: &str| {
            let text = format!("{groups}[[host]]\nname = 'a'\n{lines}\n{stores}");
            let (inventory, complaints) = read(&text);
            assert_eq!(complaints, []);
            inventory.hosts[0].deliver.join(" ")
        };
        assert_eq!(told(""), "main");
        assert_eq!(told("groups = ['silent']"), "main");
        assert_eq!(told("groups = ['silent', 'h', 'g']"), "shop edge main");
        assert_eq!(told("groups = ['none']"), "");
        assert_eq!(told("groups = ['g']\ndeliver = ['shop', 'shop']"), "shop");
        assert_eq!(told("groups = ['g']\ndeliver = []"), "");

        let text = format!("[[host]]\nname = 'a'\ndeliver = ['mian', 'x']\n{stores}");
        let complaints = read(&text).1;
        let said =
            |it: &Diagnostic| format!("{} {:?} {}", it.message, it.hint, &text[it.span.clone()]);
        let expected = [
            "there is no secret-store `mian` Some(\"did you mean `main`?\") 'mian'",
            "there is no secret-store `x` Some(\"add a `[[secret-store]]` with this name\") 'x'",
        ];
        assert_eq!(complaints.iter().map(said).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn defaults_hold_where_nothing_is_said() {
        let (inventory, complaints) = read("[[host]]\nname = 'a'\n[[host.endpoint]]\nname = 'x'\n");
        assert_eq!(complaints, []);
        assert_eq!(inventory.defaults, Defaults::default());
        let endpoint = &inventory.hosts[0].endpoints[0];
        assert_eq!((endpoint.port, endpoint.starttls), (443, StartTls::None));
        assert_eq!(endpoint.probe, [Vantage::Loopback, Vantage::Public]);
        assert_eq!(read("").1, []);
    }

    /// Exactly these complaints, as message and culprit.
    #[track_caller]
    fn check(text: &str, expect: &[(&str, &str)]) -> Vec<Diagnostic> {
        let complaints = read(text).1;
        let found: Vec<_> =
            complaints.iter().map(|it| (it.message.as_str(), &text[it.span.clone()])).collect();
        assert_eq!(found, expect);
        complaints
    }

    #[track_caller]
    fn hints(text: &str, message: &str, at: &str, hint: &str) {
        let complaints = check(text, &[(message, at)]);
        assert_eq!(complaints[0].hint.as_deref(), Some(hint));
    }

    #[test]
    fn every_mistake_in_one_host_is_told() {
        check(
            "[[host]]\nname = 'web 1'\nadress = 'x'\nport = 0\nuser = '-o'\n\
             groups = ['prod', 7]\nbecome = 'root'\n[[host.source]]\nkind = 'pen'\n\
             [[host.source]]\nkind = 'pem'\n[[host.endpoint]]\nstarttls = 'tls'\nport = '1'\n",
            &[
                (
                    "a host name cannot hold a blank: only letters, digits and `.` `_` `:` `-`",
                    "'web 1'",
                ),
                ("unknown key `adress`", "adress"),
                ("expected a number from 1 to 65535", "0"),
                ("a user name begins with a small letter or `_`, not `-`", "'-o'"),
                ("there is no group `prod`", "'prod'"),
                ("expected a string, found integer `7`", "7"),
                ("unknown value `root`, expected `none` or `sudo`", "'root'"),
                (
                    "unknown kind `pen`, expected one of certdeck, certbot, acme-sh, dehydrated, lego, cert-manager, pem, servers",
                    "'pen'",
                ),
                ("there is no `paths` here", "[[host.source]]"),
                ("this `[[host.endpoint]]` has no `name`", "[[host.endpoint]]"),
                (
                    "unknown value `tls`, expected one of `none`, `smtp`, `imap`, `postgres`, `ldap`",
                    "'tls'",
                ),
                ("expected a number, found string \"1\"", "'1'"),
            ],
        );
    }

    #[test]
    fn mistyped_names_are_guessed() {
        hints("[[hosst]]\n", "unknown key `hosst`", "hosst", "did you mean `host`?");
        hints("[[host]]\nnmae = 'a'\n", "unknown key `nmae`", "nmae", "did you mean `name`?");
        hints(
            "[[group]]\nname = 'prod'\nprotect = 'type'\n",
            "unknown value `type`, expected one of `none`, `confirm`, `typed`, `read-only`",
            "'type'",
            "did you mean `typed`?",
        );
        hints(
            "[[group]]\nname = 'prod'\n[[host]]\nname = 'a'\ngroups = ['prd']\n",
            "there is no group `prd`",
            "'prd'",
            "did you mean `prod`?",
        );
        hints(
            "[[host]]\nname = 'a'\n[[host.source]]\nkind = 'certbot'\nuser = 'x'\n",
            "unknown key `user`",
            "user",
            BELOW,
        );
    }

    #[test]
    fn a_webhook_is_safe_and_has_a_secret() {
        let table = |lines: &str| format!("[[notice]]\nname = 'a'\nkind = 'webhook'\n{lines}\n");
        let (inventory, complaints) = read(&table("url = 'https://a.test'\nsecret-env = 'A'"));
        assert_eq!(complaints, []);
        assert_eq!(inventory.notices[0].on, Occasion::ALL);
        check(
            &table("url = 'http://a.test/x'\nsecret-env = 'A'"),
            &[("a webhook needs `https`; `http` only on this machine", "'http://a.test/x'")],
        );
        check(
            &table("url = 'https://a.test'"),
            &[("this `[[notice]]` does not say where its secret is", "[[notice]]")],
        );
        hints(
            &table("url = 'https://a.test'\nsecret-env = 'A'\non = ['critical-findings']"),
            "unknown value `critical-findings`, expected one of `critical-finding`, `emergency-ended`, \
             `retries-exhausted`",
            "'critical-findings'",
            "did you mean `critical-finding`?",
        );
        let never = read("[defaults]\nescalate-after = 'never'\n").0;
        assert_eq!(never.defaults.escalate_after, None);
        assert_eq!(inventory.defaults.escalate_after, Some(1800));
    }

    #[test]
    fn brackets_are_explained() {
        hints(
            "[host]\nname = 'a'\n",
            "expected an array, found a table",
            "[host]",
            "write its name in double brackets, as in `[[host]]`",
        );
        hints(
            "[[host]]\nname = 'a'\ngroups = 'x'\n",
            "expected an array, found string \"x\"",
            "'x'",
            "put it into brackets, as in `[\"…\"]`",
        );
        check("[[defaults]]\n", &[("expected a table, found an array", "[[defaults]]")]);
        let text = "[[defaults]]\nconcurrency = 5\n";
        check(text, &[("expected a table, found an array", "[[defaults]]")]);
        check("host = [5]\n", &[("expected a table, found integer `5`", "5")]);
    }

    #[test]
    fn names_are_given_once() {
        for table in ["host", "group"] {
            let text = format!("[[{table}]]\nname = 'a'\n\n[[{table}]]\nname = 'a'\n");
            let message = format!("a second {table} `a`; the first is in line 2");
            check(&text, &[(&message, "'a'")]);
        }
        let text = "issuer = [{ name = 'a', directory = 'https://a' }, { name = 'a', directory = 'https://b' }]";
        check(text, &[("a second issuer `a`; the first is in line 1", "'a'")]);
        let text = "[[dns]]\nname = 'a'\nkind = 'exec'\ncommand = 'x'\n\
                    [[dns]]\nname = 'a'\nkind = 'exec'\ncommand = 'x'\n";
        check(text, &[("a second dns `a`; the first is in line 2", "'a'")]);
        let text = "[[hook]]\nname = 'a'\nrun = 'x'\nimpact = 'none'\n\
                    [[hook]]\nname = 'a'\nrun = 'x'\nimpact = 'none'\n";
        check(text, &[("a second hook `a`; the first is in line 2", "'a'")]);
    }

    #[test]
    fn fleets_are_read_elsewhere_and_their_tokens_stay_secret() {
        let text = "[[fleet]]\nname = 'eu'\nprometheus = 'http://metrics.example.net:9090'\n\
                    [[fleet]]\nname = 'us'\nprometheus = 'https://metrics.example.net/us'\n\
                    secret-env = 'TOKEN'\n";
        let (inventory, complaints) = read(text);
        assert!(complaints.is_empty(), "{complaints:?}");
        assert_eq!(inventory.fleets[0].prometheus, "http://metrics.example.net:9090");
        assert_eq!(inventory.fleets[1].secret, Some(SecretPlace::Env("TOKEN".into())));
        let open = "[[fleet]]\nname = 'a'\nprometheus = 'http://b'\nsecret-env = 'X'\n";
        check(open, &[("its token could be read on the way", "'http://b'")]);
        check("[[fleet]]\nname = 'a'\n", &[("this `[[fleet]]` has no `prometheus`", "[[fleet]]")]);
        let user = "[[fleet]]\nname = 'a'\nprometheus = 'https://me:word@b'\n";
        check(user, &[("a URL cannot hold a user or a password here", "'https://me:word@b'")]);
    }

    #[test]
    fn what_a_table_must_have_is_asked_for() {
        check("[[host]]\n", &[("this `[[host]]` has no `name`", "[[host]]")]);
        check(
            "[[hook]]\n[[expiry]]\n[[issuer]]\n",
            &[
                ("this `[[hook]]` has no `name`", "[[hook]]"),
                ("this `[[hook]]` has no `run`", "[[hook]]"),
                ("this `[[hook]]` has no `impact`", "[[hook]]"),
                ("this `[[expiry]]` has no `name`", "[[expiry]]"),
                ("this `[[expiry]]` has no `on`", "[[expiry]]"),
                ("this `[[issuer]]` has no `name`", "[[issuer]]"),
                ("this `[[issuer]]` has no `directory`", "[[issuer]]"),
            ],
        );
        // What is there and wrong is not missing too.
        check("[[host]]\nname = 5\n", &[("expected a string, found integer `5`", "5")]);
    }

    #[test]
    fn hosts_and_users_keep_to_their_grammar() {
        let host = |name: &str| format!("[[host]]\nname = 'a'\naddress = '{name}'\n");
        let long = "a".repeat(253);
        for fine in ["web-01.example.net", "192.0.2.1", "2001:db8::1", "my_alias", ":", &long] {
            assert_eq!(read(&host(fine)).1, []);
        }
        let dash = "a host name cannot begin with `-`: ssh would take it for an option";
        check(&host("-oProxyCommand=x"), &[(dash, "'-oProxyCommand=x'")]);
        check(&host(""), &[("a host name cannot be empty", "''")]);
        let at = "a host name cannot hold `@`: the user goes into `user = \"…\"`";
        check(&host("root@web"), &[(at, "'root@web'")]);
        let long = "a".repeat(254);
        let at = format!("'{long}'");
        check(&host(&long), &[("a host name has at most 253 characters", &at)]);
        for wrong in ["a b", "a/b", "bücher", "a;b", "a$(b)", "*"] {
            assert_eq!(read(&host(wrong)).1.len(), 1, "{wrong}");
        }

        let user = |name: &str| format!("[[host]]\nname = 'a'\nuser = '{name}'\n");
        for fine in ["root", "_apt", "www-data", "a.b_c-1"] {
            assert_eq!(read(&user(fine)).1, []);
        }
        for wrong in ["", "Root", "1a", "-l", "a b", "a@b", &"a".repeat(33)] {
            assert_eq!(read(&user(wrong)).1.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn this_machine_is_told_nothing_for_ssh() {
        let (inventory, complaints) = read("[[host]]\nname = 'admin'\nconnection = 'local'\n");
        assert_eq!(complaints, []);
        let admin = &inventory.hosts[0];
        assert_eq!((admin.connection, &*admin.address), (Connection::Local, "localhost"));
        let message = |key: &str| format!("`{key}` is for ssh, and this host is reached without");
        let [address, user] = ["address", "user"].map(message);
        check(
            "[[host]]\nname = 'a'\nuser = 'b'\nconnection = 'local'\naddress = 'c'\n",
            &[(&user, "user"), (&address, "address")],
        );
        let message = "unknown value `lokal`, expected `local` or `ssh`";
        check("[[host]]\nname = 'a'\nconnection = 'lokal'\n", &[(message, "'lokal'")]);
        assert_eq!(read("[[host]]\nname = 'a'\nconnection = 'ssh'\nport = 22\n").1, []);
    }

    #[test]
    fn timeouts_fit_each_other() {
        let message = "connecting may take 10s, which leaves nothing of a visit of 5s";
        check("[defaults]\nscan-timeout = '5s'\n", &[(message, "'5s'")]);
        let message = "connecting may take 20s, which leaves nothing of a visit of 20s";
        check("[[host]]\nname = 'a'\nconnect-timeout = '20s'\n", &[(message, "'20s'")]);
        assert_eq!(read("[defaults]\nconnect-timeout = '30s'\nscan-timeout = '2m'\n").1, []);
        let message = "expected a length of time, as in \"10s\" or \"2m\"";
        check("[defaults]\nscan-timeout = 'soon'\n", &[(message, "'soon'")]);
        let message = "a timeout lies between 1s and 1h";
        check("[defaults]\nconnect-timeout = '0s'\n", &[(message, "'0s'")]);
        check("[defaults]\nscan-timeout = '2h'\n", &[(message, "'2h'")]);
        let message = "expected a number from 1 to 500";
        check("[defaults]\nconcurrency = 501\n", &[(message, "501")]);
    }

    #[test]
    fn every_kind_of_dns_has_its_own_keys() {
        let head = "[[dns]]\nname = 'a'\nsecret-env = 'A'\n";
        hints(
            &format!("{head}kind = 'rfc2316'\n"),
            "unknown kind `rfc2316`",
            "'rfc2316'",
            "did you mean `rfc2136`?",
        );
        hints(
            &format!("{head}kind = 'exec'\ncommand = 'x'\nserver = 'ns.test'\n"),
            "a `[[dns]]` of the kind `exec` takes no `server`",
            "server",
            "its own keys are command",
        );
        check(
            &format!("{head}kind = 'rfc2136'\n"),
            &[("this `[[dns]]` has no `server`", "[[dns]]")],
        );
        check(
            "[[dns]]\nname = 'a'\nkind = 'rfc2136'\nserver = 'ns.test'\n",
            &[("this `[[dns]]` does not say where its secret is", "[[dns]]")],
        );
        check(
            "[defaults]\nresolvers = ['ns.test']\n",
            &[(
                "expected an IP address, perhaps with a port: 192.0.2.1, [2001:db8::1]:5353",
                "['ns.test']",
            )],
        );
        let text = format!(
            "{head}kind = 'rfc2136'\nserver = 'ns.test'\nzones = ['a.test']\n\
                            [[dns]]\nname = 'b'\nkind = 'exec'\ncommand = 'x'\nzones = ['b.a.test']\n"
        );
        let inventory = read(&text).0;
        let of = |name: &str| inventory.dns_of(name).map(|it| it.name.as_str());
        assert_eq!(of("*.A.test"), Some("a"));
        assert_eq!(of("x.b.a.test"), Some("b"));
        assert_eq!((of("a.test"), of("ba.test"), of("test")), (Some("a"), None, None));
    }

    #[test]
    fn secrets_never_stand_in_the_file() {
        let dns = "[[dns]]\nname = 'a'\nkind = 'exec'\ncommand = 'x'\n";
        for key in ["secret", "api-token", "password", "api_key"] {
            let text = format!("{dns}{key} = 'hunter2'\n");
            hints(&text, &format!("unknown key `{key}`"), key, SECRETS);
            let shown = read(&text).1[0].render("inventory.toml", &text, false);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        hints(
            &format!("{dns}secret-env = 'A'\nsecret-file = '/b'\nsecret-command = 'c'\n")[..83],
            "a second place for the secret; the first is in line 5",
            "'/b'",
            "keep one of `secret-file`, `secret-env` and `secret-command`",
        );
    }

    #[test]
    fn an_external_account_is_whole() {
        let issuer = "[[issuer]]\nname = 'a'\ndirectory = 'https://a'\n";
        let whole = format!("{issuer}eab-kid = 'k'\nsecret-file = '/x'\n");
        let (inventory, complaints) = read(&whole);
        assert_eq!(complaints, []);
        let secret = SecretPlace::File("/x".to_owned());
        assert_eq!(inventory.issuers[0].external, Some(External { kid: "k".to_owned(), secret }));
        let message = "an external account needs its HMAC key as well";
        check(&format!("{issuer}eab-kid = 'k'\n"), &[(message, "'k'")]);
        let message = "this `[[issuer]]` has a secret and no `eab-kid`";
        check(&format!("{issuer}secret-env = 'A'\n"), &[(message, "[[issuer]]")]);
        let message = "expected a mail address, as in \"ops@example.net\"";
        for wrong in ["ops", "mailto:ops@a.test", "a@b@c", "a@b,c@d", "a@b?subject=x", "@", ""] {
            let text = format!("{issuer}contact = '{wrong}'\n");
            check(&text, &[(message, &format!("'{wrong}'"))]);
        }
    }

    #[test]
    fn urls_are_safe() {
        let issuer = |url: &str| format!("[[issuer]]\nname = 'a'\ndirectory = '{url}'\n");
        for fine in [
            "https://a.example/dir",
            "http://127.0.0.1:14000/dir",
            "http://[::1]/",
            "http://localhost",
        ] {
            assert_eq!(read(&issuer(fine)).1, []);
        }
        for wrong in [
            "http://a.example/dir",
            "http://localhost.example.net/",
            "http://127.0.0.1.example.net/",
            "https://user:secret@a.example/",
            "ftp://a.example",
            "a.example",
            "https://",
            "https://a b",
        ] {
            assert_eq!(read(&issuer(wrong)).1.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn what_expires_may_be_of_a_kind() {
        let table = |kind: &str| format!("[[expiry]]\nname = 'a'\n{kind}on = 2027-02-01\n");
        for (line, kind) in [("", None)]
            .into_iter()
            .chain(crate::fleet::ExpiryKind::ALL.map(|it| (it.word(), Some(it))))
        {
            let line = if line.is_empty() { String::new() } else { format!("kind = '{line}'\n") };
            let (inventory, complaints) = read(&table(&line));
            assert_eq!((inventory.expiries[0].kind, complaints), (kind, Vec::new()));
        }
        let message =
            "unknown kind `token`, expected one of dns-token, domain, eab-key, intermediate";
        check(&table("kind = 'token'\n"), &[(message, "'token'")]);
    }

    #[test]
    fn dates_say_what_they_mean() {
        let on = |on: &str| format!("[[expiry]]\nname = 'a'\non = {on}\n");
        let message = "a time needs its offset from UTC, as in `2027-02-01T12:00:00Z`";
        check(&on("2027-02-01T12:00:00"), &[(message, "2027-02-01T12:00:00")]);
        let message = "expected a date without quotes, as in `2027-02-01`";
        check(&on("'2027-02-01'"), &[(message, "'2027-02-01'")]);
        let message = "expected a date, as in `2027-02-01`, or a date and time";
        check(&on("12:00:00"), &[(message, "12:00:00")]);
        let message = "invalid date, expected day between 01 and 28";
        check(&on("2027-02-31"), &[(message, "2027-02-31")]);
    }

    #[test]
    fn syntax_and_meaning_are_told_together() {
        check(
            "[[host]]\nnmae = 'a'\nport = \n[[hook]]\nrun = 'x'\n",
            &[("unknown key `nmae`", "nmae"), ("there is no value after this `=`", "")],
        );
    }

    #[test]
    fn hostile_files_come_to_an_end() {
        let nested = format!("a = {}", "[".repeat(100_000));
        let inline = format!("host = [{}", "{ endpoint = [".repeat(50_000));
        let dotted = format!("{} = 1", "a.".repeat(100_000));
        let numbered =
            |form: fn(usize) -> String| (0..20_000).map(form).collect::<Vec<_>>().concat();
        let keys = numbered(|it| format!("k{it} = 1\n"));
        let long = format!("{} = 1\n", "k".repeat(1 << 20));
        let same = "[[host]]\nname = 'a'\n".repeat(20_000);
        let names = numbered(|it| format!("'g{it}',"));
        let groups = format!("[[host]]\nname = 'a'\ngroups = [{names}]\n");
        for text in [nested, inline, dotted, keys, long, same, groups, "\0\0\u{feff}".into()] {
            let complaints = read(&text).1;
            assert!(!complaints.is_empty());
            complaints[0].render("inventory.toml", &text, true);
        }
    }

    proptest! {
        #[test]
        fn mutated_files_are_answered(
            at in 0..EXAMPLE.len(), cut in 0..40_usize, paste in r#"([a-z]{1,4}|[]\[{}="'.,#\n 0-9é]|\\u0000){0,6}"#,
        ) {
            let start = (0..=at).rev().find(|it| EXAMPLE.is_char_boundary(*it)).unwrap();
            let is_end = |it: &usize| EXAMPLE.is_char_boundary(*it);
            let end = (start + cut..EXAMPLE.len()).find(is_end).unwrap_or(EXAMPLE.len());
            let text = format!("{}{paste}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
            let (_, complaints) = read(&text);
            for pair in complaints.windows(2) {
                prop_assert!(pair[0].span.start <= pair[1].span.start);
            }
            for complaint in complaints {
                prop_assert!(text.get(complaint.span.clone()).is_some());
                prop_assert!(complaint.render("f", &text, false).contains("f:"));
            }
        }
    }
}
