//! Versions that come into our store, or are there already, without an order.

use super::super::card::{self, Lineage};
use super::super::certbot::checked_name;
use super::super::plan::{Bring, Expect, Plan, Promise};
use super::super::store::{self, Conf, Steps, Store, Version};
use super::super::{Kind, Refusal, Target, Tier, Why, hook, script, server};
use super::loading::Loading;
use super::native::{named_impact, nothing_loads, own_hook};
use crate::fleet::{Certificate, Place, Renewal, human};
use crate::inventory::Impact;
use crate::text::SafeText;

/// A plan that takes the certificate of another host into our store here.
pub(in crate::action) fn brought_plan(
    kind: &'static Kind,
    target: &Target<'_>,
    (leaf, bring): (&Certificate, Bring),
    from: &Place,
) -> Result<Plan, Refusal> {
    let mut effect = vec![format!(
        "the certificate of {} comes here: valid until {} ({} left)",
        bring.host,
        leaf.not_after,
        human(leaf.left(target.now))
    )];
    let is_kept = bring.key.is_none();
    effect.push(if is_kept {
        "the private key here fits it and stays; none moves".to_owned()
    } else {
        card::moved_key(&bring.host, &target.host.name)
    });
    let version = Version::Brought { leaf: leaf.sha256.to_string(), is_kept };
    let from = from.renewal.as_ref().filter(|_| from.is_own());
    let plan = unordered(kind, target, leaf, &version, from, effect)?;
    Ok(Plan {
        tier: if is_kept { Tier::Change } else { Tier::Risky },
        phrase: (!is_kept).then(|| format!("move key {}", plan.name())),
        brings: Some(bring),
        ..plan
    })
}

/// A plan that leads the links of a lineage of our store to another of its versions.
pub(in crate::action) fn kept_plan(
    kind: &'static Kind,
    target: &Target<'_>,
    number: u32,
    leaf: &Certificate,
) -> Result<Plan, Refusal> {
    let effect = vec![format!(
        "version {number} is live then, valid until {} ({} left)",
        leaf.not_after,
        human(leaf.left(target.now))
    )];
    let plan = unordered(kind, target, leaf, &Version::Kept(number), None, effect)?;
    Ok(Plan { tier: kind.tier, ..plan })
}

/// A plan that does once more what follows when the live version of a lineage becomes live: files
/// of services are written, the hook runs, servers load it.
pub(in crate::action) fn again_plan(
    kind: &'static Kind,
    lineage: &Lineage<'_>,
) -> Result<Plan, Refusal> {
    let Lineage { target, place, leaf } = *lineage;
    let number = lineage.version().ok_or_else(|| {
        let text = format!("which version of {} is live is not known", place.name);
        Refusal::new(Why::Unknown, text).hint("`rollback` leads its link to one")
    })?;
    let own = place.renewal.as_ref();
    let is_used = own.is_some_and(|it| !it.hooks.is_empty() || !it.installs.is_empty());
    if !is_used && server::loading(target.host, place).is_empty() {
        let text = format!("nothing is known to load {}: no hook, no server", place.name);
        let hint =
            "`--hook NAME` runs a [[hook]] of the inventory; `issue --deploy-hook NAME` keeps it";
        return Err(Refusal::new(Why::BadRequest, text).hint(hint));
    }
    let effect = vec![format!("version {number} stays live, and is put in place once more")];
    let plan = unordered(kind, target, leaf, &Version::Kept(number), None, effect)?;
    Ok(Plan {
        tier: if plan.impact == Impact::Restart { Tier::Risky } else { kind.tier },
        undo: hook::UNDO.to_owned(),
        proof: card::proof(
            "every step ends with 0, and the live certificate is the same",
            &plan.endpoints,
        ),
        files: own.iter().flat_map(|it| &it.installs).map(|it| it.path.to_string()).collect(),
        promise: Promise::SameLeaf,
        ..plan
    })
}

/// What these have: a version is put in place that nobody has to order. `from` tells how it is
/// ordered again, if that is not known here.
fn unordered(
    kind: &'static Kind,
    target: &Target<'_>,
    leaf: &Certificate,
    version: &Version,
    from: Option<&Renewal>,
    effect: Vec<String>,
) -> Result<Plan, Refusal> {
    let store = Store::of(target)?;
    let name = checked_name(target.lineage.unwrap_or_default())?;
    let target = &Target { place: store.place(name), ..*target };
    let store = Store::of(target)?;
    let old = in_place(target)?;
    let names: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();
    let own = target.place.and_then(|it| it.renewal.as_ref());
    let loading = Loading {
        names: &names,
        installs: own.map(|it| it.installs.clone()).unwrap_or_default(),
        hook: own.and_then(own_hook).map(|it| named_impact(target, it)),
        is_served: old.is_none(),
    };
    let conf = |steps: &Steps<'_>| {
        let Some(it) = from else { return String::new() };
        let word = |it: &Option<SafeText>| it.as_ref().map(ToString::to_string).unwrap_or_default();
        let conf = Conf {
            names: &names,
            issuer: &word(&it.account),
            directory: &word(&it.server),
            method: &word(&it.authenticator),
            webroot: it.webroot.as_ref().map(SafeText::as_str),
            key: it.key_type.as_ref().map_or("ecdsa", SafeText::as_str),
            is_shared: true,
            profile: it.profile.as_ref().map(SafeText::as_str),
            hook: steps.hooks.first().map(|it| it.command.as_str()),
            installs: &steps.installs,
        };
        conf.text()
    };
    let placing = Placing { kind, target, store: &store, name, old, version, loading: &loading };
    let plan = placing.plan(effect, conf)?;
    let held = format!("the files hold {}…, and the key fits", leaf.sha256.short());
    Ok(Plan {
        cost: "nothing at the CA".to_owned(),
        proof: card::proof(&held, &plan.endpoints),
        promise: Promise::Leaf(leaf.sha256),
        ..plan
    })
}

/// The lineage of the target, if anything of it is in place.
pub(super) fn in_place<'a>(target: &'a Target<'a>) -> Result<Option<Lineage<'a>>, Refusal> {
    let place = target.place.filter(|it| !it.is_bare());
    place.map(|_| Lineage::of(target)).transpose()
}

/// A version on its way into our store.
pub(super) struct Placing<'a> {
    pub(super) kind: &'static Kind,
    pub(super) target: &'a Target<'a>,
    pub(super) store: &'a Store<'a>,
    pub(super) name: &'a str,
    pub(super) old: Option<Lineage<'a>>,
    pub(super) version: &'a Version,
    pub(super) loading: &'a Loading<'a>,
}

impl Placing<'_> {
    /// The plan that puts it in place and makes services load it, but for where it comes from:
    /// what that costs, proves and promises. `effect` is what happens before; `conf` tells how it
    /// is ordered again, an empty text nothing new.
    pub(super) fn plan(
        &self,
        mut effect: Vec<String>,
        conf: impl FnOnce(&Steps<'_>) -> String,
    ) -> Result<Plan, Refusal> {
        let Self { kind, target, store, name, old, version, loading } = *self;
        let live = store.live(name);
        let (steps, told) = loading.steps(target, &live, old);
        let activation =
            store::activate(store, name, version, &conf(&steps), loading.names, &steps)?;
        effect.extend(told);
        effect.extend(activation.effect);
        let safe: Vec<_> = loading.names.iter().map(|it| SafeText::new(it)).collect();
        let (endpoints, notes) = if activation.is_loaded {
            (store::endpoints(target, &safe, &steps.servings), Vec::new())
        } else {
            (Vec::new(), nothing_loads(target, &live))
        };
        let mut files = store.written(name);
        files.extend(steps.edits.iter().map(|it| it.file.clone()));
        files.extend(steps.installs.iter().map(|it| it.path.to_string()));
        let blank = store::blank(kind, store, name);
        let impact = card::impact_of(&steps.hooks);
        Ok(Plan {
            what: match old {
                Some(_) => blank.what.clone(),
                None => format!("{} (a new lineage)", blank.what),
            },
            effect,
            undo: match old {
                Some(old) => old.undo(),
                None if steps.edits.is_empty() && steps.installs.is_empty() => {
                    format!("nothing loads it yet; `rm -r {live}` on the host removes it")
                }
                None => script::undo(&script::stamp(target.now)),
            },
            notes,
            files,
            commands: vec![activation.command],
            expect: old.map_or(Expect::NoLineage, |it| Expect::Leaf(it.leaf.sha256)),
            impact: if steps.servings.is_empty() { impact } else { impact.max(Impact::Reload) },
            endpoints,
            ..blank
        })
    }
}
