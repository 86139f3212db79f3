//! Whether the client can prove control at all: with nobody at a keyboard, at a port that is
//! free, with the files that it needs.

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Outcome, Part, Proven, Verdict};
use crate::fleet::{HookStage, Need, NeedKind, NeedState};

pub(super) const KIND: Kind = Kind {
    name: "authenticator",
    about: "can whoever orders prove control, with what is there now?",
    needs: &[Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let mut tally = Tally::default();
    let target = case.target();
    for proof in &case.proofs {
        let name = &proof.name;
        let is_wildcard = name.starts_with("*.");
        match &proof.by {
            by if is_wildcard && by.method() == Some("http-01") => tally.mend(
                Outcome::Failed,
                format!("{name}: a wildcard cannot be proven over HTTP"),
                "prove it in the DNS: a [[dns]] of the inventory, or a plugin of the client",
            ),
            Proven::Hand => tally.mend(
                Outcome::Failed,
                format!("{name}: `manual` needs somebody at a keyboard"),
                format!("certdeck run convert {target}"),
            ),
            Proven::Nobody(why) => tally.mend(
                Outcome::Unknown,
                format!("{name}: {why}"),
                "choose with --authenticator or --webroot of `issue`, or set `webroot` of the [[host]]",
            ),
            Proven::Listener(port) => listener(case, *port, &mut tally),
            Proven::Files { unknown, .. } => {
                for host in unknown {
                    tally.mend(
                        Outcome::Warning,
                        format!("{name}: {host} is behind it, too, and its webroot is not known"),
                        format!("set `webroot` of the [[host]] {host}: the CA may ask there"),
                    );
                }
                tally.add(Outcome::Ok, format!("{name}: by files"));
            }
            Proven::Server(server, _) => tally.add(Outcome::Ok, format!("{name}: by {server}")),
            Proven::Records(dns) => tally.add(Outcome::Ok, format!("{name}: by records of {dns}")),
            Proven::Plugin(plugin) => tally.add(Outcome::Ok, format!("{name}: by {plugin}")),
        }
    }
    let needs = case.renewal().into_iter().flat_map(|it| &it.needs);
    for need in needs {
        needed(need, &mut tally);
    }
    if case.renewal().is_some_and(|it| !it.is_enabled) {
        tally.mend(
            Outcome::Warning,
            "its renewal is switched off (autorenew = False)",
            format!("certdeck run convert {target}, or take the line out of its renewal file"),
        );
    }
    if let Err(why) = &evidence.host {
        tally.add(Outcome::Unknown, why.as_str());
    }
    tally.verdict("control can be proven with what is there")
}

/// A client that listens itself needs a port that nobody else has.
fn listener(case: &Case, port: u16, tally: &mut Tally) {
    let is_taken = case.host.listeners.iter().any(|it| it.port == port);
    let stops = case.renewal().into_iter().flat_map(|it| &it.hooks);
    let stops = stops.filter(|it| it.stage == HookStage::Pre).count() > 0;
    match (is_taken, stops) {
        (false, _) => {
            tally.add(Outcome::Ok, format!("standalone: nothing listens at port {port}"));
        }
        (true, true) => tally.add(
            Outcome::Warning,
            format!("standalone: something listens at port {port}; a pre-hook may stop it"),
        ),
        (true, false) => tally.mend(
            Outcome::Failed,
            format!("standalone: something listens at port {port}, so the client cannot"),
            format!("hand it over to webroot: certdeck run convert {}", case.target()),
        ),
    }
}

fn needed(need: &Need, tally: &mut Tally) {
    let what = match need.kind {
        NeedKind::Credentials => "the file of credentials",
        NeedKind::ProofHook => "the program that proves control",
        NeedKind::Webroot => "the webroot",
        // Those have checks of their own.
        NeedKind::Account | NeedKind::Hook(_) => return,
    };
    let path = &need.path;
    match need.state {
        NeedState::There => {}
        NeedState::Unseen => {
            tally.add(Outcome::Unknown, format!("{what} {path} could not be seen"));
        }
        NeedState::Missing => tally.mend(
            Outcome::Failed,
            format!("{what} {path} is not there"),
            "put it back, or hand the lineage over to another method",
        ),
        NeedState::Different => {
            tally.add(Outcome::Failed, format!("{what} {path} is something else"));
        }
        NeedState::NotExecutable => tally.mend(
            Outcome::Failed,
            format!("{what} {path} is not executable"),
            format!("chmod +x {path}"),
        ),
    }
    let is_open = need.kind == NeedKind::Credentials && need.mode.is_some_and(|it| it & 0o077 != 0);
    if is_open {
        tally.mend(
            Outcome::Warning,
            format!("{what} {path} can be read by others"),
            format!("chmod 600 {path}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Sight;
    use super::super::sample::*;
    use super::*;
    use crate::fleet::Listen;
    use crate::text::SafeText;

    fn seen() -> Evidence {
        Evidence { host: Ok(Sight::default()), ..Evidence::default() }
    }

    #[track_caller]
    fn check(by: Proven, outcome: Outcome, text: &str) {
        let mut case = case();
        case.proofs[0].by = by;
        judged(&KIND, &case, &seen(), outcome, text);
    }

    #[test]
    fn somebody_or_something_has_to_answer() {
        check(
            Proven::Hand,
            Outcome::Failed,
            "www.example.net: `manual` needs somebody at a keyboard",
        );
        check(
            Proven::Nobody(SafeText::new("by which method?")),
            Outcome::Unknown,
            "www.example.net: by which method?",
        );
        check(Proven::Listener(8080), Outcome::Ok, "control can be proven with what is there");
        check(
            Proven::Records("lab".into()),
            Outcome::Ok,
            "control can be proven with what is there",
        );
        let unknown = vec![host_name("web-02")];
        check(
            Proven::Files { spots: vec![], unknown, port: 80 },
            Outcome::Warning,
            "www.example.net: web-02 is behind it, too, and its webroot is not known",
        );
    }

    #[test]
    fn a_port_that_is_taken_is_in_the_way_unless_a_hook_frees_it() {
        let mut case = case();
        let listen = Listen { address: [0, 0, 0, 0].into(), port: 80 };
        host_of(&mut case).listeners.push(listen);
        case.proofs[0].by = Proven::Listener(80);
        judged(
            &KIND,
            &case,
            &seen(),
            Outcome::Failed,
            "standalone: something listens at port 80, so the client cannot",
        );
    }

    #[test]
    fn a_wildcard_needs_the_dns() {
        let mut case = case();
        case.proofs[0].name = "*.example.net".into();
        judged(
            &KIND,
            &case,
            &seen(),
            Outcome::Failed,
            "*.example.net: a wildcard cannot be proven over HTTP",
        );
    }

    #[test]
    fn what_the_client_needs_is_there_or_not() {
        let with = |kind, state, mode| {
            let mut case = case();
            let path = SafeText::new("/etc/x");
            renewal_of(&mut case).needs.push(Need { kind, path, state, mode });
            KIND.judge(&case, &seen()).outcome
        };
        assert_eq!(with(NeedKind::Webroot, NeedState::Missing, None), Outcome::Failed);
        assert_eq!(with(NeedKind::Credentials, NeedState::There, Some(0o600)), Outcome::Ok);
        assert_eq!(with(NeedKind::Credentials, NeedState::There, Some(0o644)), Outcome::Warning);
        assert_eq!(with(NeedKind::ProofHook, NeedState::NotExecutable, None), Outcome::Failed);
        assert_eq!(with(NeedKind::Account, NeedState::Missing, None), Outcome::Ok);
    }
}
