//! Certificates of cert-manager as actions use them: they are marked for renewal as `cmctl renew`
//! does it, and their controller orders. The mark is cert-manager's own interface for that: the
//! condition `Issuing`, with the reason `ManuallyTriggered`.

use super::card::{self, Lineage};
use super::gate::Gate;
use super::plan::{Command, Expect, Promise};
use super::{Chosen, Kind, Plan, Refusal, Target, Why};
use crate::budget::renewal_of;
use crate::fleet::{Failure, Moment, Place, PlaceName};
use crate::source::Client;
use crate::text::SafeText;

/// The name of the source, as in [`crate::source::ALL`].
pub(super) const KIND: &str = "cert-manager";

/// Whether the lineage is a Certificate of a cluster.
pub(super) fn holds(target: &Target<'_>) -> bool {
    target.place.is_some_and(|it| it.source == KIND)
}

/// The Certificate of the target, if its secret could be read.
pub(super) fn lineage<'a>(target: &'a Target<'a>) -> Result<Lineage<'a>, Refusal> {
    Lineage::of(target).map_err(|it| {
        let hint = "`kubectl describe certificate` tells what its controller is at";
        Refusal { hint: Some(hint.to_owned()), ..it }
    })
}

/// Why anything but a renewal is none of our business.
pub(super) fn only_there(place: &Place) -> Refusal {
    let text = format!(
        "{} is kept by its cluster: cert-manager renews it, from {}, and would undo what others do",
        place.name,
        issuer(place)
    );
    let hint =
        "`renew` and `force-renew` tell it to; the rest is changed in the Certificate itself";
    Refusal::new(Why::Pointless, text).hint(hint)
}

/// Refuses while cert-manager waits after a failure: who triggers it by hand passes that by, and
/// each try in vain brings the limits of the CA nearer.
pub(super) fn refuse_impatient(lineage: &Lineage<'_>) -> Result<(), Refusal> {
    let Lineage { target, place, .. } = *lineage;
    let Some((next, failure)) = waits(place, target.now) else { return Ok(()) };
    let text = format!(
        "cert-manager waits until {next} with {}, after what failed: {}",
        place.name, failure.text
    );
    let hint = "mend the cause first; it tries again by itself then, and `force-renew` does so now";
    Err(Refusal { until: Some(next), ..Refusal::new(Why::Pointless, text).hint(hint) })
}

/// Until when cert-manager waits after a failure, if that is still to come.
fn waits(place: &Place, now: Moment) -> Option<(Moment, &Failure)> {
    let next = place.renewal.as_ref()?.planned.filter(|it| *it > now)?;
    Some((next, place.last_failure()?))
}

fn issuer(place: &Place) -> &str {
    let issuer = place.renewal.as_ref().and_then(|it| it.account.as_ref());
    issuer.map_or("its issuer", SafeText::as_str)
}

/// A plan that renews it: the same for what is due and by force.
pub(super) fn renewal_plan(
    kind: &'static Kind,
    lineage: &Lineage<'_>,
    chosen: &Chosen,
) -> Result<Plan, Refusal> {
    let Lineage { target, place, leaf } = *lineage;
    let (space, name) = checked_name(place.name.as_str())?;
    let (kubeconfig, context) = cluster(target, space)?;
    let issuer = issuer(place);
    let wanted = renewal_of(place, target.now)
        .ok_or_else(|| Refusal::new(Why::Unknown, "what its secret holds is not known"))?;
    let gate = Gate::open(target, &wanted, chosen)?;
    let known = lineage.version().unwrap_or_default().to_string();
    let script = ["sh", "-c", SCRIPT, "renewal", space, name, &known, kubeconfig, context];
    let endpoints = card::endpoints(target, &leaf.names);
    let mut notes = lineage.notes();
    notes.extend(waits(place, target.now).map(|(next, _)| {
        format!("cert-manager would wait until {next}; this does not, and may fail for the same")
    }));
    Ok(gate.put(Plan {
        place: Some(PlaceName::new(place.name.as_str())),
        source: Some(KIND),
        effect: vec![
            format!("cert-manager is told to issue {space}/{name} again, from {issuer}"),
            "its secret then holds the new certificate; who mounts it takes it up by himself"
                .to_owned(),
        ],
        undo: format!(
            "it cannot be undone: the secret holds the new one alone; the old one stays valid until {}",
            leaf.not_after
        ),
        proof: card::proof("its secret holds another certificate", &endpoints),
        notes,
        files: vec![format!("the status of Certificate {space}/{name}, in the cluster")],
        commands: vec![Command { argv: script.map(str::to_owned).into(), env: Vec::new() }],
        config_dir: Some(if kubeconfig.is_empty() { KIND } else { kubeconfig }.to_owned()),
        // No file on the host has it: the script compares the revision.
        expect: Expect::Anything,
        promise: Promise::NewLeaf,
        endpoints,
        ..card::blank(kind, target, None)
    }))
}

/// Why it is not tried dry.
pub(super) fn no_rehearsal(target: &Target<'_>) -> Refusal {
    let name = SafeText::new(target.lineage.unwrap_or_default());
    let text = format!("{name} is renewed by cert-manager, which has no dry run");
    let hint = "a Certificate of a staging issuer, beside it, shows whether it would work";
    Refusal::new(Why::Pointless, text).hint(hint)
}

/// The kubeconfig and the context by which the namespace is read; empty where kubectl chooses.
fn cluster<'a>(target: &Target<'a>, space: &str) -> Result<(&'a str, &'a str), Refusal> {
    let clients = target.told.sources.iter().filter_map(|it| it.client());
    let mut all = clients.filter_map(|it| match it {
        Client::CertManager { kubeconfig, context, is_read } if is_read.holds(space) => {
            Some((kubeconfig.unwrap_or_default(), context.unwrap_or_default()))
        }
        _ => None,
    });
    let host = &target.host.name;
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            let text = format!("{host} has no source `{KIND}` that reads the namespace {space}");
            Err(Refusal::new(Why::BadRequest, text))
        }
        (Some(_), Some(_)) => {
            let text = format!("{host} reads the namespace {space} of several clusters");
            let hint = "give each of these sources its `namespaces`, or a host of its own";
            Err(Refusal::new(Why::Unknown, text).hint(hint))
        }
    }
}

/// Namespace and name, as Kubernetes allows them (RFC 1123, labels and subdomains).
fn checked_name(name: &str) -> Result<(&str, &str), Refusal> {
    let is_label = |it: &str| {
        let is_plain = |it: u8| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=63).contains(&it.len())
            && it.bytes().all(is_plain)
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    let parts = name.split_once('/').filter(|(space, name)| {
        is_label(space) && name.len() <= 253 && name.split('.').all(is_label)
    });
    parts.ok_or_else(|| {
        let text = format!("`{}` is no name of a Certificate", SafeText::new(name));
        Refusal::new(Why::BadRequest, text).hint("NAMESPACE/NAME, of small letters, digits, dashes")
    })
}

const SCRIPT: &str = include_str!("cluster.sh");

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, Sample, certificate, sample, sighting};
    use super::*;
    use crate::fleet::{DAY, HOUR, HostName, Renewal, Seen, Version};
    use std::sync::Arc;

    /// A host that reads a cluster with one Certificate.
    fn cluster(name: &str, ends: i64) -> Sample {
        let mut it = sample();
        let mut place = Place::new(KIND, SafeText::new(name));
        let leaf = certificate(3, ends - 90 * DAY, ends);
        let version = Version { number: 3, certificate: Some(Arc::new(leaf.clone())) };
        place.versions = vec![version];
        place.layers.disk = Some(sighting(leaf, "secret web/www-tls"));
        place.renewal = Some(Renewal {
            account: Some(SafeText::new("ClusterIssuer letsencrypt")),
            is_enabled: true,
            is_unattended: true,
            ..Renewal::default()
        });
        it.see("worker-01", Seen { places: vec![place], ..Seen::default() });
        it
    }

    #[test]
    fn it_is_marked_as_its_own_tool_does() {
        let plan = cluster("web/www", 20 * DAY).plan("renew", "worker-01/web/www", &[]).unwrap();
        let argv = &plan.commands[0].argv;
        assert_eq!(argv[4..], ["web", "www", "3", "/etc/k.conf", "blue"], "{argv:?}");
        assert_eq!((&plan.expect, &plan.promise), (&Expect::Anything, &Promise::NewLeaf));
        assert!(plan.cost.starts_with("1 of 5 for this exact set of names"), "{}", plan.cost);
        assert!(plan.undo.starts_with("it cannot be undone"), "{}", plan.undo);
        assert!(plan.proof.starts_with("its secret holds another"), "{}", plan.proof);
    }

    #[test]
    fn what_is_not_due_takes_force() {
        let it = cluster("web/www", 89 * DAY);
        let refusal = it.plan("renew", "worker-01/web/www", &[]).unwrap_err();
        assert!(refusal.text.contains("is not due"), "{refusal:?}");
        it.plan("force-renew", "worker-01/web/www", &[]).unwrap();
    }

    #[test]
    fn who_waits_after_a_failure_is_not_hurried() {
        let mut it = cluster("web/www", 20 * DAY);
        let mut host = it.fleet.host(&HostName::new("worker-01")).unwrap().clone();
        let renewal = host.places[0].renewal.as_mut().unwrap();
        renewal.planned = Some(NOW.plus(HOUR));
        let text = SafeText::new("Failed: order is invalid (2 in a row)");
        renewal.last_failure = Some(Failure { at: Some(NOW.plus(-HOUR)), text });
        it.see("worker-01", Seen { places: host.places, ..Seen::default() });
        let refusal = it.plan("renew", "worker-01/web/www", &[]).unwrap_err();
        assert_eq!((refusal.why, refusal.until), (Why::Pointless, Some(NOW.plus(HOUR))));
        assert!(refusal.text.ends_with("order is invalid (2 in a row)"), "{refusal:?}");
        let plan = it.plan("force-renew", "worker-01/web/www", &[]).unwrap();
        assert!(plan.notes.iter().any(|it| it.contains("this does not")), "{:?}", plan.notes);
    }

    #[test]
    fn all_else_is_left_to_its_cluster() {
        let it = cluster("web/www", 20 * DAY);
        let mut told = 0;
        for kind in crate::action::ALL {
            let Err(refusal) = it.plan(kind.name, "worker-01/web/www", &[]) else { continue };
            assert!(!refusal.text.contains("no client renews"), "{}: {refusal:?}", kind.name);
            told += usize::from(refusal.text.contains("kept by its cluster: cert-manager"));
        }
        assert!(told > 2, "{told}");
    }

    #[test]
    fn what_cannot_be_done_there_is_refused_in_words() {
        #[track_caller]
        fn check(action: &str, name: &str, why: Why, text: &str) {
            let it = cluster(name, 20 * DAY);
            let refusal = it.plan(action, &format!("worker-01/{name}"), &[]).unwrap_err();
            assert_eq!(refusal.why, why, "{refusal:?}");
            assert!(refusal.text.contains(text), "{refusal:?}");
        }
        check("dry-run", "web/www", Why::Pointless, "which has no dry run");
        for odd in ["www", "-n/www", "web/--all", "web/a b", "web/a..b", "Web/www", "web/a/b"] {
            check("force-renew", odd, Why::BadRequest, "no name of a Certificate");
        }
        check("force-renew", "mail/www", Why::BadRequest, "reads the namespace mail");
        check("force-renew", "twice/www", Why::Unknown, "of several clusters");
    }

    #[test]
    fn without_its_secret_its_controller_is_asked() {
        let mut it = cluster("web/www", 20 * DAY);
        let place = Place::new(KIND, SafeText::new("web/www"));
        it.see("worker-01", Seen { places: vec![place], ..Seen::default() });
        let refusal = it.plan("force-renew", "worker-01/web/www", &[]).unwrap_err();
        assert_eq!(refusal.why, Why::Unknown);
        assert!(refusal.hint.unwrap().contains("kubectl describe certificate"));
    }
}
