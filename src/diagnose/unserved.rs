//! An endpoint shows no certificate at all, or could not be looked at.

use super::sight::is_own;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, NotServed, Probe, Severity, Unserved, Vantage, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "unserved",
    about: "nothing was seen of what is served",
    advice: "This is no matter of the certificate until something answers: see whether the service runs, whether its configuration test passes and what its log says. A server that cannot load its key or certificate does not start. If it answers on the host and not from here, look at the firewall and at the address it listens on.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    failed(subject).or_else(|| unseen(subject))
}

/// No way led to any endpoint of the place: nothing is known of what is served, which is not good.
/// On the host that goes for what a server's own configuration tells of, too.
fn unseen(subject: &Subject<'_>) -> Option<Finding> {
    let is_asked = |it: &&Probe| it.is_told || it.vantage == Vantage::Loopback;
    let told = || subject.place.into_iter().flat_map(|it| &it.probes).filter(is_asked);
    let is_closed = |it: &Probe| it.served.as_ref().is_err_and(|it| it.why == NotServed::NoRoute);
    let first = told().next().filter(|_| told().all(is_closed))?;
    // From here a whole family of addresses may be out of reach; what is refused on a host is not.
    let is_on_host = told().any(|it| it.vantage == Vantage::Loopback);
    let severity = if is_on_host { Severity::Warning } else { Severity::Info };
    let summary = format!("{}: what is served could not be looked at", first.name);
    let found = Finding::new(subject, Verdict::Unknown, severity, summary).cause(CLOSED);
    let told = told().take(SHOWN).filter_map(|it| Some((it, it.served.as_ref().err()?)));
    Some(told.fold(found, |it, (probe, unserved)| it.evidence(evidence(probe, unserved))))
}

fn failed(subject: &Subject<'_>) -> Option<Finding> {
    let failed: Vec<_> = match subject.place {
        Some(place) => place.probes.iter().filter_map(told).collect(),
        None => super::endpoint::orphans(subject.host).filter_map(told).collect(),
    };
    // What an address that is nobody's does not answer is told of the record that leads there.
    let is_ours = |it: &(&Probe, &Unserved)| {
        let others = subject.place.map_or(&subject.host.probes, |it| &it.probes);
        let is_served = others.iter().any(|that| {
            that.vantage == Vantage::Public && that.name == it.0.name && that.served.is_ok()
        });
        it.0.vantage == Vantage::Loopback
            || it.0.is_added
            || !is_served
            || is_own(subject.around, subject.host, it.0)
    };
    let failed: Vec<_> = failed.into_iter().filter(is_ours).collect();
    // Nearest to the process first: if that shows nothing, nobody else can see anything.
    let (probe, unserved) =
        failed.iter().min_by_key(|it| (it.0.vantage, it.1.why != NotServed::Refused)).copied()?;
    let is_certain =
        matches!(unserved.why, NotServed::Refused | NotServed::NotTls | NotServed::Silent);
    let severity = match probe.vantage {
        Vantage::Loopback if is_certain => Severity::Critical,
        _ => Severity::Warning,
    };
    let (what, cause) = match unserved.why {
        NotServed::Refused => {
            ("nothing listens", "The service is down, or listens at another address or port.")
        }
        NotServed::Silent => {
            ("no answer in time", "The service hangs, or a firewall drops what is sent there.")
        }
        NotServed::NotTls => (
            "something answers, and it is not TLS",
            "The port is that of another service, or TLS is switched off there, or begins otherwise (`starttls` in the inventory).",
        ),
        NotServed::NoAddress => {
            ("the name has no address", "The name is not in the DNS, as seen from here.")
        }
        NotServed::NoRoute | NotServed::Broken => (
            "the handshake failed",
            "What is served there could not be seen, so that nothing is known of it.",
        ),
    };
    let summary = format!("{}: {what} at {} {}", probe.name, probe.address, probe.vantage.words());
    let mut found = Finding::new(subject, Verdict::Unknown, severity, summary).cause(cause);
    for (probe, unserved) in failed.iter().take(SHOWN) {
        found = found.evidence(evidence(probe, unserved));
    }
    Some(found)
}

fn evidence(probe: &Probe, unserved: &Unserved) -> String {
    format!(
        "{} {}, asked for {} at {}: {unserved}",
        probe.address,
        probe.vantage.words(),
        probe.name,
        probe.at
    )
}

const CLOSED: &str = "There was no way to the server, so that nothing is known of what it serves. \
                      Where sshd forbids to look on the host, `AllowTcpForwarding local` allows it.";

/// So many lines of evidence are enough.
const SHOWN: usize = 6;

/// A handshake that the inventory asks for and that failed. That no way leads there from here says
/// nothing about the server.
fn told(probe: &Probe) -> Option<(&Probe, &Unserved)> {
    let unserved = probe.served.as_ref().err()?;
    (probe.is_told && unserved.why != NotServed::NoRoute).then_some((probe, unserved))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, NotServed, Probe};

    const NAMES: &[&str] = &["www.example.net"];

    fn with(probes: impl IntoIterator<Item = Probe>) -> Host {
        let mut host = host("web-01", vec![place("www", signed(leaf("new", NAMES, 90, 80)))]);
        probes.into_iter().for_each(|it| serve(&mut host, it));
        host
    }

    #[test]
    fn what_should_be_served_and_is_not_is_found() {
        let local = |why| with([unserved(NAMES[0], "127.0.0.1:443", why)]);
        check([local(NotServed::Refused)], "unserved critical unknown web-01/www:");
        check([local(NotServed::NotTls)], "unserved critical unknown web-01/www:");
        check([local(NotServed::Broken)], "unserved warning unknown web-01/www:");
        check(
            [with([unserved(NAMES[0], NAMES[0], NotServed::NoAddress)])],
            "unserved warning unknown web-01/www:",
        );
        check(
            [with([unserved(NAMES[0], "192.0.2.1:443", NotServed::Silent)])],
            "unserved warning unknown web-01/www:",
        );
        let mut orphan = host("web-01", vec![place("www", signed(leaf("new", NAMES, 90, 80)))]);
        orphan.probes.push(unserved("other.example.org", "127.0.0.1:443", NotServed::Refused));
        check([orphan], "unserved critical unknown web-01:");
    }

    #[test]
    fn what_could_not_be_looked_at_is_not_good() {
        let closed = |at| with([unserved(NAMES[0], at, NotServed::NoRoute)]);
        check([closed("127.0.0.1:443")], "unserved warning unknown web-01/www:");
        check([closed("[2001:db8::1]:443")], "unserved info unknown web-01/www:");
        // What sshd does not let through is not known either where nginx tells of it.
        let found =
            Probe { is_told: false, ..unserved(NAMES[0], "127.0.0.1:443", NotServed::NoRoute) };
        check([with([found.clone()])], "unserved warning unknown web-01/www:");
        let shown = probe(NAMES[0], "[::1]:443", signed(leaf("new", NAMES, 90, 80)));
        check([with([found, shown])], "");
    }

    #[test]
    fn no_way_from_here_and_what_nobody_asked_for_say_nothing() {
        let new = signed(leaf("new", NAMES, 90, 80));
        let blind = || unserved(NAMES[0], "[2001:db8::1]:443", NotServed::NoRoute);
        check([with([blind(), probe(NAMES[0], "192.0.2.1:443", new)])], "");
        let untold =
            Probe { is_told: false, ..unserved(NAMES[0], "127.0.0.1:443", NotServed::Refused) };
        check([with([untold])], "");
    }
}
