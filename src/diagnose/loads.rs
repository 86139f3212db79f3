//! A server is configured to load a file that cannot be loaded.

use super::name::covering;
use super::remedy::Remedy;
use super::{Finding, Kind, Subject};
use crate::fleet::{Loaded, Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "loads",
    about: "a server is configured to load a file that is missing or broken",
    advice: "Do not restart or reload the server before this is mended: what runs may still serve from memory, and would not come up again. See where the file went: a lineage that was deleted or renamed is the usual reason. Point the server to a lineage that is there.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    if subject.place.is_some() {
        return None;
    }
    let host = subject.host;
    let broken = host.loaded.iter().filter_map(|it| Some((it, it.chain.as_ref().err()?)));
    // A lineage without files tells so itself.
    let is_lineages = |it: &Loaded| {
        let lost = host.places.iter().filter(|it| it.layers.disk.is_none());
        lost.into_iter().any(|place| it.path.as_str().contains(&format!("/{}/", place.name)))
    };
    let broken: Vec<_> = broken.filter(|it| !is_lineages(it.0)).collect();
    let is_ours = |kind| matches!(kind, ProblemKind::Unreadable | ProblemKind::TooLarge);
    let (file, problem) = broken.iter().min_by_key(|it| is_ours(it.1.kind))?;
    let loading = host.servers.iter().flat_map(|server| {
        server
            .sites
            .iter()
            .flat_map(move |site| site.loads.iter().map(move |it| (server, site, it)))
    });
    let loader = loading.into_iter().find(|it| it.2.certificate == file.path);
    let who = loader.map_or("a server", |it| it.0.kind);
    let (severity, what) = if is_ours(problem.kind) {
        (Severity::Warning, "could not be read")
    } else {
        (Severity::Critical, "cannot be loaded")
    };
    let text = &problem.text;
    let summary = format!("{who} is configured to load a file that {what}: {text}");
    let mut found = Finding::new(subject, Verdict::Unknown, severity, summary);
    for (_, problem) in &broken {
        found = found.evidence(&problem.text);
    }
    if let Some((server, _, load)) = loader {
        found = found.evidence(format!("{}: {} loads {}", load.told_at, server.kind, file.path));
    }
    if severity == Severity::Warning {
        return Some(found.cause(
            "The server may well be able to load it: it is this scan that cannot read it.",
        ));
    }
    let found = found.cause("A server that restarts or reloads now fails to load the file.");
    let Some((server, site, _)) = loader else { return Some(found) };
    let names: Vec<_> = site.names.iter().collect();
    let Some(to) = covering(subject, &names, now) else { return Some(found) };
    let why = format!("{} covers the names of that site; no order", to.name);
    let remedy = Remedy::new("repoint", &host.name, Some(&to.name));
    let remedy = remedy.choose("to", to.name.as_str()).choose("server", server.kind).why(why);
    Some(found.remedy(remedy))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, Problem, ProblemKind};
    use crate::text::SafeText;

    const NAMES: &[&str] = &["www.example.net"];

    fn with(kind: ProblemKind) -> Host {
        let chain = signed(leaf("www", NAMES, 90, 80));
        let mut host = host("web-01", vec![place("www", chain.clone())]);
        nginx(&mut host, NAMES, "/etc/ssl/gone.pem", &chain);
        let text = SafeText::new("is not there");
        host.loaded[0].chain = Err(Problem { kind, text, path: None });
        host
    }

    #[test]
    fn files_that_are_gone_are_found_before_the_restart() {
        check(
            [with(ProblemKind::Missing)],
            "loads critical unknown web-01: repoint web-01/www --to www --server nginx",
        );
        check([with(ProblemKind::Unreadable)], "loads warning unknown web-01:");
    }
}
