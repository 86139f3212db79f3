//! Text in, inventory and every complaint out. Knows the rules between the parts of the file;
//! what a single value may be is in [`super::grammar`], which keys there are in [`super::shape`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::grammar::{Checked, Count, LengthText};
use super::{
    Defaults, DnsZone, Endpoint, Group, Host, Inventory, Issuer, NamedHook, SecretPlace, Vantage,
};
use super::{prune, shape};
use crate::fleet::{Expiry, HostName};
use crate::source;
use crate::spanned::{self, Diagnostic, Table, did_you_mean, looks_secret};
use crate::text::SafeText;

/// Reads an inventory. The complaints are in the order of the file; only without any is the
/// inventory whole.
pub fn read(text: &str) -> (Inventory, Vec<Diagnostic>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut complaints: Vec<_> = errors.iter().map(|it| spanned::complain(it, 0..0)).collect();
    let is_whole = complaints.is_empty();
    let document = Spanned::new(document.span(), DeValue::Table(document.into_inner()));

    let mut misfits = Vec::new();
    let file: shape::File = prune::read(document.clone(), &mut misfits);
    complaints.extend(misfits.into_iter().map(plain));

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
struct Reader<'d, 't> {
    /// Where each line but the first begins.
    lines: Vec<usize>,
    /// Whether the syntax is right: if it is not, nothing can be called missing.
    is_whole: bool,
    /// Every table as it stands in the file, by the place where it begins.
    tables: BTreeMap<usize, &'d Spanned<DeValue<'t>>>,
    complaints: Vec<Diagnostic>,
}

impl Reader<'_, '_> {
    fn inventory(&mut self, file: shape::File) -> Inventory {
        let shape::File { defaults, group, host, issuer, dns, hook, expiry } = file;
        let defaults = self.defaults(defaults.map(Spanned::into_inner).unwrap_or_default());
        let groups = self.groups(group);
        let hosts = self.hosts(host, &groups, &defaults);
        Inventory {
            groups,
            hosts,
            issuers: self.issuers(issuer),
            dns: self.dns(dns),
            hooks: self.hooks(hook),
            expiries: self.expiries(expiry),
            defaults,
        }
    }

    fn defaults(&mut self, given: shape::Defaults) -> Defaults {
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
        }
    }

    /// The two timeouts that hold; connecting must end before the visit does.
    fn timeouts(
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

    fn groups(&mut self, given: Vec<Spanned<shape::Group>>) -> Vec<Group> {
        let mut names = Names::new("group");
        let mut groups = Vec::new();
        for table in given {
            let (span, group) = (table.span(), table.into_inner());
            if let Some(name) = self.name(group.name, &mut names, span) {
                groups.push(Group {
                    name,
                    protect: group.protect.unwrap_or_default(),
                    owner: group.owner.map(Checked::into_string),
                    runbook: group.runbook.map(Checked::into_string),
                    wave: group.wave.map(|it| it.value().into()),
                });
            }
        }
        groups
    }

    fn hosts(
        &mut self,
        given: Vec<Spanned<shape::Host>>,
        groups: &[Group],
        defaults: &Defaults,
    ) -> Vec<Host> {
        let groups = groups.iter().map(|it| it.name.as_str()).collect();
        let mut names = Names::new("host");
        let mut hosts = Vec::new();
        for table in given {
            let (span, host) = (table.span(), table.into_inner());
            let name = self.name(host.name, &mut names, span);
            let (connect_timeout, scan_timeout) =
                self.timeouts(host.connect_timeout, host.scan_timeout, defaults);
            let groups = self.memberships(host.groups, &groups);
            let sources = host.source.iter().filter_map(|it| self.source(it.span())).collect();
            let endpoints = host.endpoint.into_iter().filter_map(|it| self.endpoint(it)).collect();
            let Some(name) = name else { continue };
            hosts.push(Host {
                address: host.address.map_or_else(|| name.clone(), Checked::into_string),
                name: HostName::new(&name),
                port: host.port.map(Count::value),
                user: host.user.map(Checked::into_string),
                identity_file: host.identity_file.map(Checked::into_string),
                r#become: host.r#become.unwrap_or(defaults.r#become),
                connect_timeout,
                scan_timeout,
                groups,
                sources,
                endpoints,
            });
        }
        hosts
    }

    /// The groups of a host that exist, each once.
    fn memberships<G>(
        &mut self,
        given: Vec<Spanned<Checked<G>>>,
        groups: &BTreeSet<&str>,
    ) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut memberships = Vec::new();
        for group in &given {
            let name = group.get_ref().as_str();
            if groups.contains(name) {
                if seen.insert(name) {
                    memberships.push(name.to_owned());
                }
            } else if self.is_whole {
                let known = groups.iter().copied().take(MAX_GUESSES);
                let hint = match did_you_mean(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add a `[[group]]` with this name".into(),
                };
                let message = format!("there is no group `{name}`");
                self.complaints.push(Diagnostic::new(message, group.span()).with_hint(hint));
            }
        }
        memberships
    }

    fn source(&mut self, span: Range<usize>) -> Option<std::sync::Arc<dyn source::Source>> {
        let table = match self.tables.get(&span.start) {
            Some(table) => Table::new(Spanned::clone(table)),
            None => Err(Diagnostic::new("expected a table", span)),
        };
        table.and_then(source::build).map_err(|it| self.complaints.push(plain(it))).ok()
    }

    fn endpoint(&mut self, table: Spanned<shape::Endpoint>) -> Option<Endpoint> {
        let (span, endpoint) = (table.span(), table.into_inner());
        let name = self.required(endpoint.name, "endpoint", "name", span)?;
        Some(Endpoint {
            name: name.into_string(),
            port: endpoint.port.map_or(443, Count::value),
            starttls: endpoint.starttls.unwrap_or_default(),
            probe: endpoint.probe.unwrap_or_else(|| vec![Vantage::Loopback, Vantage::Public]),
        })
    }

    fn issuers(&mut self, given: Vec<Spanned<shape::Issuer>>) -> Vec<Issuer> {
        let mut names = Names::new("issuer");
        let mut issuers = Vec::new();
        for table in given {
            let (span, issuer) = (table.span(), table.into_inner());
            let name = self.name(issuer.name, &mut names, span.clone());
            let directory = self.required(issuer.directory, "issuer", "directory", span);
            if let (Some(name), Some(directory)) = (name, directory) {
                let staging = issuer.staging.map(Checked::into_string);
                issuers.push(Issuer { name, directory: directory.into_string(), staging });
            }
        }
        issuers
    }

    fn dns(&mut self, given: Vec<Spanned<shape::Dns>>) -> Vec<DnsZone> {
        let mut names = Names::new("dns");
        let mut zones = Vec::new();
        for table in given {
            let (span, mut dns) = (table.span(), table.into_inner());
            let secret = self.secret(&mut dns);
            let name = self.name(dns.name, &mut names, span.clone());
            let kind = self.required(dns.kind, "dns", "kind", span);
            if let (Some(name), Some(kind)) = (name, kind) {
                let (kind, given) = (kind.into_string(), dns.zones);
                let given = given.into_iter().map(Checked::into_string).collect();
                zones.push(DnsZone { name, kind, zones: given, secret });
            }
        }
        zones
    }

    /// The one place where a secret is kept.
    fn secret(&mut self, dns: &mut shape::Dns) -> Option<SecretPlace> {
        let file = dns.secret_file.take();
        let file = file.map(|it| (it.span(), SecretPlace::File(it.into_inner().into_string())));
        let variable = dns.secret_env.take();
        let variable =
            variable.map(|it| (it.span(), SecretPlace::Env(it.into_inner().into_string())));
        let command = dns.secret_command.take();
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

    fn expiries(&mut self, given: Vec<Spanned<shape::Expiry>>) -> Vec<Expiry> {
        let mut expiries = Vec::new();
        for table in given {
            let (span, expiry) = (table.span(), table.into_inner());
            let name = self.required(expiry.name, "expiry", "name", span.clone());
            let on = self.required(expiry.on, "expiry", "on", span);
            if let (Some(name), Some(on)) = (name, on) {
                expiries.push(Expiry { name: SafeText::new(name.as_str()), on: on.moment() });
            }
        }
        expiries
    }

    /// The name of a table, if it has one that no table of its kind had before.
    fn name<G>(
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
    fn required<T>(
        &mut self,
        given: Option<T>,
        what: &str,
        key: &str,
        table: Range<usize>,
    ) -> Option<T> {
        if given.is_none() && self.is_whole {
            let raw = self.tables.get(&table.start).and_then(|it| it.get_ref().as_table());
            if !raw.is_some_and(|it| it.contains_key(key)) {
                let message = format!("this {what} has no `{key}`");
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

/// The names that are taken by tables of one kind, and where.
struct Names {
    what: &'static str,
    taken: HashMap<String, usize>,
}

impl Names {
    fn new(what: &'static str) -> Self {
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

/// Puts what the TOML reader says into words for people.
fn plain(complaint: Diagnostic) -> Diagnostic {
    let Diagnostic { message, span, hint } = complaint;
    if let Some((key, expected)) = quoted_after("unknown field `", &message) {
        let message = format!("unknown key `{}`", SafeText::capped(key, MAX_SHOWN));
        let known: Vec<_> = expected.split('`').skip(1).step_by(2).collect();
        let near = did_you_mean(key, known.iter().copied());
        let hint = match (near, known.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, _) if looks_secret(key) => SECRETS.to_owned(),
            (None, []) => "nothing can be set here".to_owned(),
            (None, known) => format!("the keys here are {}", known.join(", ")),
        };
        return Diagnostic { message, span, hint: Some(hint) };
    }
    if let Some((word, expected)) = quoted_after("unknown variant `", &message) {
        let message = format!("unknown value `{}`, {expected}", SafeText::capped(word, MAX_SHOWN));
        return Diagnostic { message, span, hint };
    }
    let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|it| it.rsplit_once(", expected "))
    else {
        return Diagnostic { message, span, hint };
    };
    let hint = match (found, expected) {
        ("map", "a sequence") => Some("write its name in double brackets, as in `[[host]]`".into()),
        (_, "a sequence") => Some("put it into brackets, as in `[\"…\"]`".into()),
        ("sequence", "a table") => Some("write its name in single brackets".into()),
        _ => hint,
    };
    let word = |it: &str| match it {
        "map" => "a table".to_owned(),
        "sequence" | "a sequence" => "an array".to_owned(),
        "i64" => "a number".to_owned(),
        it => it.to_owned(),
    };
    Diagnostic {
        message: format!("expected {}, found {}", word(expected), word(found)),
        span,
        hint,
    }
}

/// What stands in backticks after `start`, and what follows.
fn quoted_after<'m>(start: &str, message: &'m str) -> Option<(&'m str, &'m str)> {
    // The name may hold a backtick itself, the list of known names may not.
    let rest = message.strip_prefix(start)?;
    rest.split_once("`, ").or_else(|| rest.split_once('`'))
}

/// The most characters that are repeated of a word that is not known.
const MAX_SHOWN: usize = 80;

/// The most groups that a mistyped name is compared with, so that no file takes long to read.
const MAX_GUESSES: usize = 1000;

const SECRETS: &str = "secrets never stand in this file: keep it elsewhere and name the place with \
                       `secret-file`, `secret-env` or `secret-command`";
