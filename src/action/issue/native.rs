//! `issue` and the renewals of what this program orders itself: the host makes the key, and what
//! comes back lies in our store there.

use super::super::card::{self, Lineage};
use super::super::certbot::{Hook, checked_name};
use super::super::cost;
use super::super::gate::Gate;
use super::super::order::{Counted, KeyPlan, Order};
use super::super::plan::{Plan, Promise};
use super::super::store::{self, Conf, Steps, Store, Version};
use super::super::{Chosen, Kind, Refusal, Target, Why, hook, share};
use super::loading::Loading;
use super::placed::{Placing, in_place};
use super::way::Way;
use super::{KIND, Key, changes, checked_address, issuer_named, list, wanted_names};
use crate::budget::authority::of_directory;
use crate::budget::{self, Account, renewal_of};
use crate::fleet::{Certificate, HookStage, Install, InstallKind, Place, Renewal};
use crate::inventory::Issuer;
use crate::text::SafeText;

pub(super) fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    if chosen.get("credentials").is_some() {
        let text = "--credentials is for a plugin of certbot";
        let hint = "a [[dns]] of the inventory says where its secret is kept";
        return Err(Refusal::new(Why::BadRequest, text).hint(hint));
    }
    let is_told_no = |name: &str| match chosen.get(name) {
        None => Ok(false),
        Some("no") => Ok(true),
        Some(_) => {
            let text = format!("--{name} takes no other value than `no`");
            Err(Refusal::new(Why::BadRequest, text).hint("leave it out to have it"))
        }
    };
    let store = Store::of(target)?;
    let asked = target.lineage.unwrap_or_default();
    // A file of services is given its certificate by a lineage that bears its first name.
    let file = target.place.filter(|it| it.source == "pem");
    let names = match (chosen.get("names"), file.and_then(leaf)) {
        (None, Some(leaf)) => {
            let names: Vec<_> = leaf.names.iter().map(SafeText::as_str).collect();
            super::super::names::read(&names.join(","))?
        }
        _ => Vec::new(),
    };
    let first = chosen.get("names").and_then(|it| it.split(',').next());
    let first = first.or_else(|| names.first().map(String::as_str)).unwrap_or_default();
    let name = if file.is_some() { first.trim().trim_start_matches("*.") } else { asked };
    let name = &checked_name(name)?.to_owned();
    let own = store.place(name);
    let target = &Target { lineage: Some(name), place: own, ..*target };
    let store = Store::of(target)?;
    let old = in_place(target)?;
    let names = if names.is_empty() { wanted_names(old, chosen.get("names"))? } else { names };
    let renewal = own.and_then(|it| it.renewal.as_ref());
    let (issuer, is_staging) = issuer(target, chosen, renewal)?;
    let way = Way::of(target, chosen, renewal, &names)?;
    let key = match chosen.get("key-type") {
        Some(kind) => Key::chosen(kind)?,
        None => usual_key(renewal)?,
    };
    let hook = match chosen.get("deploy-hook") {
        None => renewal.and_then(own_hook).map(|it| named_impact(target, it)),
        Some(wanted) => {
            let hook = hook::named(target.inventory, wanted)?;
            Some(named_impact(target, SafeText::new(&hook.run)))
        }
    };
    let profile = chosen.get("profile").map(str::to_owned);
    let profile = profile.or_else(|| Some(renewal?.profile.as_ref()?.to_string()));
    if let Some(odd) = profile.as_ref().filter(|it| !is_token(it)) {
        let text = format!("`{}` is no name of a profile", SafeText::new(odd));
        return Err(Refusal::new(Why::BadRequest, text));
    }
    let installs = match (renewal, file) {
        (Some(renewal), _) if !renewal.installs.is_empty() => renewal.installs.clone(),
        (_, Some(file)) => files_of(file)?,
        _ => Vec::new(),
    };
    let wanted = Wanted {
        kind: &KIND,
        names: &names,
        issuer,
        is_staging,
        way,
        key,
        profile: profile.or_else(|| issuer.profile.clone()),
        contact: chosen.get("email").map(checked_address).transpose()?.map(str::to_owned),
        is_prechecked: !is_told_no("precheck")?,
        loading: Loading { names: &names, installs, hook, is_served: !is_told_no("serve")? },
    };
    wanted.plan(target, &store, name, old, chosen)
}

/// A plan that orders a lineage of our store again as its file tells.
pub(in crate::action) fn renewal_plan(
    kind: &'static Kind,
    target: &Target<'_>,
    chosen: &Chosen,
) -> Result<Plan, Refusal> {
    let known = Known::of(target)?;
    known.wanted(kind)?.plan(target, &known.store, known.name, Some(known.lineage), chosen)
}

/// A plan that tries at the staging twin whether it could be ordered again.
pub(in crate::action) fn rehearsal_plan(
    kind: &'static Kind,
    target: &Target<'_>,
) -> Result<Plan, Refusal> {
    let known = Known::of(target)?;
    known.wanted(kind)?.rehearsal(&known)
}

/// A lineage of our store, and what its file tells of how it is ordered again.
struct Known<'a> {
    target: &'a Target<'a>,
    store: Store<'a>,
    lineage: Lineage<'a>,
    renewal: &'a Renewal,
    name: &'a str,
    names: Vec<String>,
}

impl<'a> Known<'a> {
    fn of(target: &'a Target<'a>) -> Result<Self, Refusal> {
        let store = Store::of(target)?;
        let lineage = Lineage::of(target)?;
        let name = checked_name(lineage.place.name.as_str())?;
        let renewal = lineage.place.renewal.as_ref().ok_or_else(|| {
            let text = format!("how {name} was ordered is not known: its renewal file is missing");
            Refusal::new(Why::Unknown, text).hint("`issue` orders it and writes that file anew")
        })?;
        let names = wanted_names(Some(lineage), None)?;
        Ok(Self { target, store, lineage, renewal, name, names })
    }

    fn wanted(&self, kind: &'static Kind) -> Result<Wanted<'_>, Refusal> {
        let Self { target, renewal, names, .. } = self;
        let chosen = &Chosen::default();
        let (issuer, is_staging) = issuer(target, chosen, Some(renewal))?;
        let is_of_twin = renewal
            .server
            .as_ref()
            .is_some_and(|it| issuer.staging.as_deref() == Some(it.as_str()));
        Ok(Wanted {
            kind,
            names,
            issuer,
            is_staging: is_staging || is_of_twin,
            way: Way::of(target, chosen, Some(renewal), names)?,
            key: usual_key(Some(renewal))?,
            profile: renewal.profile.as_ref().map(ToString::to_string),
            contact: None,
            is_prechecked: true,
            loading: Loading {
                names,
                installs: renewal.installs.clone(),
                hook: own_hook(renewal).map(|it| named_impact(target, it)),
                is_served: false,
            },
        })
    }
}

/// Everything that an order is made with.
struct Wanted<'a> {
    kind: &'static Kind,
    names: &'a [String],
    issuer: &'a Issuer,
    is_staging: bool,
    way: Way<'a>,
    key: &'static Key,
    profile: Option<String>,
    contact: Option<String>,
    is_prechecked: bool,
    loading: Loading<'a>,
}

impl Wanted<'_> {
    fn plan(
        &self,
        target: &Target<'_>,
        store: &Store<'_>,
        name: &str,
        old: Option<Lineage<'_>>,
        chosen: &Chosen,
    ) -> Result<Plan, Refusal> {
        let Self { issuer, names, .. } = *self;
        let safe: Vec<_> = names.iter().map(|it| SafeText::new(it)).collect();
        let directory = self.directory()?;
        if let Some(old) = old.filter(|it| self.is_staging && !it.leaf.is_of_staging()) {
            let text = format!(
                "{} is in use, and would become a test certificate that no client trusts",
                old.place.name
            );
            let hint = "give a lineage name of its own, as test.NAME";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        let wanted = cost::wanted(directory, &safe, Account::Own);
        // Only an order for the same set, within the time that the CA has suggested.
        let replacing = old.and_then(|it| renewal_of(it.place, target.now));
        let is_replacing = replacing
            .is_some_and(|it| it.is_replacing && it.ca == wanted.ca && it.names == wanted.names);
        let wanted = budget::Wanted { is_replacing, ..wanted };
        let gate = Gate::open(target, &wanted, chosen)?;

        let mut notes = old.map(|it| it.notes()).unwrap_or_default();
        let proofs = self.way.proofs(target, names, issuer.http_port, &mut notes);
        let is_kept = keeps_key(store.target(), old);
        let method = self.way.method();
        let conf = |steps: &Steps<'_>| {
            let conf = Conf {
                names,
                issuer: &issuer.name,
                directory,
                method: &method,
                webroot: self.way.webroot(),
                key: self.key.name,
                is_shared: is_kept,
                profile: self.profile.as_deref(),
                hook: steps.hooks.first().map(|it| it.command.as_str()),
                installs: &steps.installs,
            };
            conf.text()
        };
        let (kind, loading) = (self.kind, &self.loading);
        let version = &Version::Ordered;
        let placing = Placing { kind, target, store, name, old, version, loading };
        let plan = placing.plan(self.effect(store, name, old), conf)?;
        notes.extend(plan.notes.iter().cloned());
        let held = "the live files hold a new certificate, and its key fits";
        Ok(gate.put(Plan {
            proof: card::proof(held, &plan.endpoints),
            notes,
            promise: Promise::NewLeaf,
            order: Some(Order {
                issuer: issuer.name.clone(),
                is_staging: self.is_staging,
                is_rehearsal: false,
                contact: self.contact.clone().or_else(|| issuer.contact.clone()),
                names: names.to_vec(),
                profile: self.profile.clone(),
                // A certificate of another CA, or of another account, would only be refused.
                replaces: old
                    .filter(|it| {
                        let server = it.place.renewal.as_ref().and_then(|it| it.server.as_ref());
                        server.is_some_and(|it| it.as_str() == directory)
                    })
                    .and_then(|it| it.leaf.renewal_id.as_ref().map(ToString::to_string)),
                key: if is_kept { KeyPlan::Keep } else { KeyPlan::New(self.key.kind) },
                folder: store.folder.to_owned(),
                lineage: name.to_owned(),
                proofs,
                is_prechecked: self.is_prechecked,
                counted: Counted::New,
                over: None,
            }),
            ..plan
        }))
    }

    /// A plan that lets the staging twin look whether control of the names could be proven, and
    /// does nothing else.
    fn rehearsal(&self, known: &Known<'_>) -> Result<Plan, Refusal> {
        let Self { kind, issuer, names, .. } = *self;
        let Known { target, store, lineage, name, .. } = known;
        let twin = issuer.staging.as_deref().ok_or_else(|| {
            let text = format!(
                "no staging twin of {} is known, and a test at the CA itself would count there",
                issuer.name
            );
            let hint = "give the [[issuer]] its `staging` in the inventory: the directory of its \
                        test CA";
            Refusal::new(Why::Pointless, text).hint(hint)
        })?;
        let mut notes = lineage.notes();
        let proofs = self.way.proofs(target, names, issuer.http_port, &mut notes);
        let file = self.way.webroot().map(|it| format!("{it}/.well-known/acme-challenge/*"));
        let cost = match of_directory(twin) {
            None => "nothing in production",
            Some(_) => "nothing in production; staging has limits of its own",
        };
        Ok(Plan {
            effect: vec![
                format!(
                    "a test order at the staging twin of {}, {twin}, with an account there",
                    issuer.name
                ),
                format!("control of {} is proven to it, by {}", list(names), self.way.title()),
                "what answers it is taken away again; nothing else is changed".to_owned(),
                "no key is made, no certificate is written, and no hook runs".to_owned(),
            ],
            cost: cost.to_owned(),
            proof: "the staging twin says that control of every name is proven, and the live \
                    certificate is the same as before"
                .to_owned(),
            notes,
            files: file.into_iter().collect(),
            order: Some(Order {
                issuer: issuer.name.clone(),
                is_staging: self.is_staging,
                is_rehearsal: true,
                contact: issuer.contact.clone(),
                names: names.to_vec(),
                profile: None,
                replaces: None,
                key: KeyPlan::Keep,
                folder: store.folder.to_owned(),
                lineage: (*name).to_owned(),
                proofs,
                is_prechecked: self.is_prechecked,
                counted: Counted::New,
                over: None,
            }),
            ..store::blank(kind, store, name)
        })
    }

    /// What becomes of the order, line by line, before anything loads it.
    fn effect(&self, store: &Store<'_>, name: &str, old: Option<Lineage<'_>>) -> Vec<String> {
        let Self { issuer, names, .. } = *self;
        let (host, live) = (store.host(), store.live(name));
        let is_kept = keeps_key(store.target(), old);
        let title = if self.is_staging {
            format!("the staging twin of {}, which no client trusts", issuer.name)
        } else {
            issuer.name.clone()
        };
        let mut effect = vec![format!(
            "certdeck itself orders a certificate for {} from {title}, by {}",
            list(names),
            self.way.title()
        )];
        effect.extend(old.iter().flat_map(|it| changes(it, names)));
        effect.push(if is_kept {
            "other hosts share its private key: the same key is used again".to_owned()
        } else {
            format!("its private key ({}) is made on {host} and stays there", self.key.about)
        });
        effect.push(format!(
            "it becomes the next version in {}, and the link {live}/current leads to it",
            store.archive(name)
        ));
        effect
    }

    fn directory(&self) -> Result<&str, Refusal> {
        self.issuer.url(self.is_staging).ok_or_else(|| {
            let text = format!("no staging twin of {} is known", self.issuer.name);
            let hint = "give the [[issuer]] its `staging` in the inventory";
            Refusal::new(Why::BadRequest, text).hint(hint)
        })
    }
}

/// From whom it is ordered: chosen, that of the lineage, that of the host, the only one.
fn issuer<'a>(
    target: &Target<'a>,
    chosen: &Chosen,
    renewal: Option<&Renewal>,
) -> Result<(&'a Issuer, bool), Refusal> {
    let issuers = &target.inventory.issuers;
    let is_staging = match chosen.get("staging") {
        None => false,
        Some("yes") => true,
        Some(_) => {
            let text = "--staging takes no other value than `yes`";
            let refusal = Refusal::new(Why::BadRequest, text);
            return Err(refusal.hint("leave it out to order for real"));
        }
    };
    if let Some(wanted) = chosen.get("issuer") {
        return Ok((issuer_named(issuers, wanted)?, is_staging));
    }
    let name = renewal.and_then(|it| it.account.as_ref()).map(SafeText::as_str);
    let server = renewal.and_then(|it| it.server.as_ref()).map(SafeText::as_str);
    let of_server = || Some(target.inventory.issuer_at(server?)?.0);
    let own = issuers.iter().find(|it| Some(it.name.as_str()) == name);
    let told = || issuers.iter().find(|it| Some(&it.name) == target.told.issuer.as_ref());
    if let Some(found) = own.or_else(of_server).or_else(told) {
        return Ok((found, is_staging));
    }
    match issuers.as_slice() {
        [only] => Ok((only, is_staging)),
        [] => {
            let text = "the inventory names no CA to order from";
            let hint = "add an [[issuer]] with its `name` and `directory`";
            Err(Refusal::new(Why::BadRequest, text).hint(hint))
        }
        _ => {
            let known: Vec<_> = issuers.iter().map(|it| it.name.as_str()).collect();
            let hint = format!("--issuer {}", known.join(" or --issuer "));
            Err(Refusal::new(Why::BadRequest, "from which CA?").hint(hint))
        }
    }
}

/// Whether other hosts share the key of a lineage: its file says so, or they are seen to.
fn keeps_key(target: &Target<'_>, old: Option<Lineage<'_>>) -> bool {
    old.is_some_and(|it| {
        it.place.renewal.as_ref().is_some_and(|it| it.keeps_key)
            || !share::sharing(target, it.leaf).is_empty()
    })
}

fn usual_key(renewal: Option<&Renewal>) -> Result<&'static Key, Refusal> {
    let own = renewal.and_then(|it| it.key_type.as_ref()).map(SafeText::as_str);
    own.map_or_else(|| Key::chosen("ecdsa"), Key::chosen)
}

/// The hook of the lineage's own file.
pub(super) fn own_hook(renewal: &Renewal) -> Option<SafeText> {
    let hook = renewal.hooks.iter().find(|it| it.stage == HookStage::Deploy)?;
    Some(hook.command.clone())
}

pub(super) fn named_impact(target: &Target<'_>, command: SafeText) -> Hook {
    Hook::deploy(target.inventory, command)
}

/// The files of a place that are written anew: where services load them.
fn files_of(file: &Place) -> Result<Vec<Install>, Refusal> {
    let unknown = |what: &str| {
        Refusal::new(Why::Unknown, format!("where the {what} of {} lies is not known", file.name))
    };
    let certificate = &file.layers.disk.as_ref().ok_or_else(|| unknown("certificate"))?.location;
    let key = &file.key.as_ref().ok_or_else(|| unknown("private key"))?.path;
    let install = |kind, path: &SafeText| Install { kind, path: path.clone() };
    Ok(if certificate == key {
        vec![install(InstallKind::Combined, certificate)]
    } else {
        vec![install(InstallKind::Key, key), install(InstallKind::Certificate, certificate)]
    })
}

fn leaf(place: &Place) -> Option<&Certificate> {
    Some(&place.layers.disk.as_ref()?.chain.leaf)
}

/// How it comes to be served, where nobody loads it.
pub(super) fn nothing_loads(target: &Target<'_>, live: &str) -> Vec<String> {
    let (certificate, key) = (format!("{live}/fullchain.pem"), format!("{live}/privkey.pem"));
    let is_apache = target.host.servers.iter().any(|it| it.kind == "apache");
    let lines = if is_apache {
        [format!("SSLCertificateFile {certificate}"), format!("SSLCertificateKeyFile {key}")]
    } else {
        [format!("ssl_certificate {certificate};"), format!("ssl_certificate_key {key};")]
    };
    let [first, second] = lines;
    vec!["nothing loads it yet; a server is told to by two lines:".to_owned(), first, second]
}

/// A name as profiles have them.
fn is_token(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain)
}
