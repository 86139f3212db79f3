//! TLS is served on a host, and neither the inventory nor a source tells of it.

use super::endpoint::{is_anothers, orphans};
use super::sight::told_probe;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Probe, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "uncovered",
    about: "TLS is served that the inventory does not know",
    advice: "Add an endpoint for the name to the inventory, and the source that keeps its certificate. What nobody watches is what expires: internal names and forgotten ports are behind many outages.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    if subject.place.is_some() {
        return None;
    }
    // What has expired is told of by a rule of its own.
    let is_open = |it: &&Probe| {
        let is_valid = it.served.as_ref().is_ok_and(|it| it.leaf.not_after >= now);
        !it.is_told && is_valid && !is_anothers(subject, it)
    };
    let open: Vec<_> = orphans(subject.host).filter(is_open).collect();
    let first = open.first()?;
    let more = match open.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let summary = format!("{} at {}{more} is served and not watched", first.name, first.address);
    let found = Finding::new(subject, Verdict::Ok, Severity::Info, summary)
        .cause("No endpoint and no source of the inventory covers what a server here serves.");
    let shown = open
        .iter()
        .take(SHOWN)
        .filter_map(|it| Some(told_probe(it, &it.served.as_ref().ok()?.leaf)));
    Some(shown.fold(found, Finding::evidence))
}

/// So many lines of evidence are enough.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::Probe;

    #[test]
    fn what_nobody_watches_is_told_once_and_quietly() {
        let mut host =
            host("web-01", vec![place("www", signed(leaf("www", &["www.example.net"], 90, 80)))]);
        for port in [8443, 9443] {
            let chain = signed(leaf("intranet", &["intranet.example.net"], 90, 80));
            let probe = probe("intranet.example.net", &format!("127.0.0.1:{port}"), chain);
            host.probes.push(Probe { is_told: false, ..probe });
        }
        check([host.clone()], "uncovered info ok web-01:");
        host.probes.iter_mut().for_each(|it| it.is_told = true);
        check([host], "");
    }
}
