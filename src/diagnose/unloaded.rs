//! Renewed, and not loaded: the process serves another certificate than lies in its files.

use super::remedy::{is_possible, mends_files};
use super::sight::{Odd, is_of_lineage, is_placeholder, is_valid, loading, told_sighting};
use super::{Finding, Kind, Subject};
use crate::explain;
use crate::fleet::{Certificate, HookStage, Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "unloaded",
    about: "the process serves another certificate than lies on disk",
    advice: "Do not renew: a good certificate is on the host already, and an order would cost budget and change nothing on the wire. Test the server's configuration, reload it, and look at the wire again. Then find out why the hook did not do that: `systemctl reload … || true` hides it.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (place, disk) = subject.sound(now)?;
    let odds: Vec<_> = subject
        .odds
        .iter()
        .filter(|it| it.is_own() && !it.is_of_another_file(place))
        .filter(|it| it.is_of_its_file(place) || is_of_lineage(place, &it.chain.leaf))
        .collect();
    let odd = *odds.first()?;
    let served = &odd.chain.leaf;
    let server = odd.serving.map(|it| it.server);
    let who = server.map_or("the process", |it| it.kind);
    let is_older = is_older(served, &disk.chain.leaf);
    let (verdict, severity) = weight(served, now);
    let summary = if is_older {
        let state = if served.not_after < now {
            format!("expired {} ago", human(now.since(served.not_after)))
        } else {
            format!("{} left", human(served.left(now)))
        };
        format!("{who} still serves the old certificate ({state}); a newer one is on disk")
    } else {
        format!("{who} serves a certificate that is no longer on disk; a restart would lose it")
    };
    let mut found = Finding::new(subject, verdict, severity, summary);
    for it in odds.iter().take(SHOWN) {
        found = found.evidence(format!("served by {}", it.told()));
    }
    found = found.evidence(format!("on disk {}", told_sighting(disk)));
    if let Some(serving) = odd.serving {
        found = told_file(found, odd, serving.changed);
    }
    let (cause, evidence) = cause(subject, who, is_older);
    found = evidence.into_iter().fold(found, Finding::evidence).cause(&cause).shared(cause);
    if let Some(server) = server {
        let why = format!("{who} loads what is on disk; its configuration is tested first");
        found = found.remedy(subject.remedy("reload").choose("server", server.kind).why(why));
    }
    let why = "runs what the renewal should have run; no order";
    Some(found.remedy(subject.remedy("hook").why(why)))
}

/// So many lines of evidence are enough.
const SHOWN: usize = 4;

/// Whether `served` came before `disk`.
pub(super) fn is_older(served: &Certificate, disk: &Certificate) -> bool {
    (served.not_after, served.not_before) <= (disk.not_after, disk.not_before)
}

/// The verdict on what clients get though something better exists, and how soon that matters.
pub(super) fn weight(served: &Certificate, now: Moment) -> (Verdict, Severity) {
    if served.not_after < now {
        (Verdict::Expired, Severity::Critical)
    } else if now >= served.renewal_closes() || !is_valid(served, now) || is_placeholder(served) {
        (Verdict::Unloaded, Severity::Critical)
    } else {
        (Verdict::Unloaded, Severity::Warning)
    }
}

/// Which file the server reads, and when that changed.
fn told_file(found: Finding, odd: &Odd<'_>, changed: Option<Moment>) -> Finding {
    let Some(serving) = odd.serving else { return found };
    let Some(load) = serving.load else { return found };
    let kind = serving.server.kind;
    let when = changed.map(|it| format!(", changed at {it}")).unwrap_or_default();
    found.evidence(format!("{}: {kind} loads {}{when}", load.told_at, load.certificate))
}

/// Why nobody told the process, as far as it can be known, and what says so.
fn cause(subject: &Subject<'_>, who: &str, is_older: bool) -> (String, Vec<String>) {
    if !is_older {
        let text = "The files were changed or moved back after the process had loaded them.";
        return (text.to_owned(), Vec::new());
    }
    let Some(place) = subject.place else { return (String::new(), Vec::new()) };
    let failure = place
        .last_failure()
        .filter(|it| explain::certbot(it.text.as_str()).is_some_and(|it| it.name == "deploy-hook"));
    if let Some(failure) = failure {
        let when = failure.at.map(|it| format!(", at {it}")).unwrap_or_default();
        let line = format!("the client's log{when}: {}", failure.text);
        let text =
            format!("It was renewed, but the deploy hook failed, so that {who} was never told.");
        return (text, vec![line]);
    }
    let failed = place.renewal.as_ref().and_then(|it| it.failed_hook.as_ref());
    if let Some(failed) = failed.filter(|it| it.stage != HookStage::Pre) {
        let when = failed.at.map(|it| format!(", at {it}")).unwrap_or_default();
        let command = failed.command.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
        let line = format!(
            "the client's log{when}: the {} hook ended with {}{command}",
            failed.stage, failed.code
        );
        let text = format!(
            "It was renewed, but the {} hook failed, so that {who} was never told.",
            failed.stage
        );
        return (text, vec![line]);
    }
    let automation = subject.host.automation.iter().find(|it| it.source == place.source);
    let mut hooks =
        automation.iter().flat_map(|it| &it.hooks).filter(|it| it.stage != HookStage::Pre);
    let own = place.renewal.as_ref().is_some_and(|it| {
        it.installer.is_some() || it.hooks.iter().any(|it| it.stage != HookStage::Pre)
    });
    if let Some(hook) =
        hooks.clone().find(|it| !it.is_executable && !it.path.as_str().ends_with('~'))
    {
        let line = format!("{}: mode {:04o}", hook.path, hook.mode);
        let text = format!(
            "It was renewed, but the hook that should tell {who} is not executable, and the client skips it without a word."
        );
        return (text, vec![line]);
    }
    if automation.is_some() && place.renewal.is_some() && !own && hooks.next().is_none() {
        let text = format!("It was renewed, and no hook is there that tells {who} to load it.");
        return (text, Vec::new());
    }
    (format!("It was renewed on disk, and {who} was not reloaded since."), Vec::new())
}

/// Adds a reload to what mends the files, where a server is known that loads them.
pub(super) fn then_reload(found: Finding, subject: &Subject<'_>, now: Moment) -> Finding {
    let is_mended =
        found.remedies.iter().any(|it| mends_files(it) && is_possible(it, subject, now));
    let server = subject.place.and_then(|it| loading(subject.host, it).next());
    let Some((server, ..)) = server.filter(|_| is_mended) else { return found };
    let why = "afterwards, so that the process has it too";
    found.remedy(subject.remedy("reload").choose("server", server.kind).why(why))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Failure, Hook, HookStage, Host};
    use crate::text::SafeText;

    const NAMES: &[&str] = &["www.example.net"];

    /// An nginx that serves `served` days of the old certificate where the new one is on disk.
    fn stale(left: i64) -> Host {
        let (old, new) = (signed(leaf("old", NAMES, 90, left)), signed(leaf("new", NAMES, 90, 89)));
        let mut host = host("web-01", vec![renewed("www", &old, new.clone())]);
        nginx(&mut host, NAMES, &live("www"), &new);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", old));
        host
    }

    #[test]
    fn a_process_that_serves_the_old_one_is_reloaded() {
        let reload = "reload web-01/www --server nginx";
        check([stale(25)], &format!("unloaded warning unloaded web-01/www: {reload}"));
        check([stale(5)], &format!("unloaded critical unloaded web-01/www: {reload}"));
        check([stale(-1)], &format!("unloaded critical expired web-01/www: {reload}"));
    }

    #[test]
    fn the_hook_is_named() {
        let mut failed = stale(25);
        let text = SafeText::new("Hook 'deploy-hook' reported error code 1");
        failed.places[0].renewal.as_mut().unwrap().last_failure = Some(Failure { at: None, text });
        let found = found([failed]);
        assert!(found[0].cause.as_str().contains("the deploy hook failed"), "{found:?}");

        let mut skipped = stale(25);
        skipped.automation[0].hooks.push(Hook {
            stage: HookStage::Deploy,
            path: SafeText::new("/etc/letsencrypt/renewal-hooks/deploy/nginx"),
            mode: 0o644,
            is_executable: false,
        });
        let found = super::super::sample::found([skipped]);
        assert!(found[0].cause.as_str().contains("not executable"), "{found:?}");
        assert_eq!(found[0].remedies[0].action, "reload");
    }

    #[test]
    fn what_is_served_as_it_lies_on_disk_is_fine() {
        let new = signed(leaf("new", NAMES, 90, 80));
        let mut host = host("web-01", vec![place("www", new.clone())]);
        nginx(&mut host, NAMES, &live("www"), &new);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", new));
        check([host], "");
    }

    #[test]
    fn keys_of_two_kinds_are_shown_to_some_clients_each() {
        let elliptic = signed(leaf("ecdsa", NAMES, 90, 80));
        let mut rsa = leaf("rsa", NAMES, 90, 75);
        rsa.key = crate::fleet::KeyKind::Rsa(2048);
        let rsa = signed(rsa);
        let mut both =
            host("web-01", vec![place("www", elliptic.clone()), place("rsa", rsa.clone())]);
        nginx(&mut both, NAMES, &live("www"), &elliptic);
        let load = crate::fleet::Load {
            certificate: SafeText::new(&live("rsa")),
            ..both.servers[0].sites[0].loads[0].clone()
        };
        both.servers[0].sites[0].loads.push(load);
        for chain in [elliptic, rsa] {
            let probe = probe(NAMES[0], "127.0.0.1:443", chain);
            both.places.iter_mut().for_each(|it| give(it, &probe));
            both.probes.push(probe);
        }
        check([both], "");
    }
}
