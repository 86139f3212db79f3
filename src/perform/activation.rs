//! What the script says that puts a version of our store in place, where it did not come to its
//! end: why, and what is left to do.

use super::case::{Case, leaf};
use super::judge::{REPAIR, explanation, is_fault};
use crate::explain::Explanation;
use crate::fleet::{OWN, Place, Version};

/// Why a version is not in place; `None` if it was not about our store, or nothing was said.
pub(super) fn explained(case: &Case, place: Option<&Place>, output: &str) -> Option<Explanation> {
    if case.source.as_deref() != Some(OWN) {
        return None;
    }
    let lines: Vec<&str> = output.lines().collect();
    let said = |end: &str| {
        let mut all = lines.iter().enumerate();
        all.find_map(|(at, it)| Some((at, it.strip_prefix(WHO)?.strip_suffix(end)?)))
    };
    if let Some((_, why)) = said(REFUSED) {
        return Some(explanation("not-activated", why, "mend that, and plan again"));
    }
    let (at, why) = said(LED_BACK)?;
    let is_foreign = |it: &&&str| !it.trim().is_empty() && !it.starts_with(WHO);
    let mut before = lines.iter().take(at).filter(is_foreign);
    let more = before.clone().find(|it| is_fault(it)).or_else(|| before.next_back());
    // What stands before the other words is about something that went well.
    let is_said = why.contains("failed with") || why.ends_with("not sound");
    let cause = match more.filter(|_| is_said) {
        Some(more) => format!("{why}: {}", more.trim()),
        None => why.to_owned(),
    };
    if case.action == "hook" {
        return Some(explanation("hook-failed", &cause, REPAIR));
    }
    let waiting = place.and_then(waiting);
    let next = waiting.filter(|_| case.action != "rollback").map_or_else(
        || "mend that, and plan again".to_owned(),
        |number| {
            format!(
                "mend that; then `certdeck run rollback {}` puts version {number} in place, which \
                 is there already: nothing has to be ordered",
                case.place_name()
            )
        },
    );
    Some(explanation("led-back", &cause, &next))
}

/// The newest version, if it is not the one in place.
fn waiting(place: &Place) -> Option<u32> {
    let Version { number, certificate } = place.versions.iter().max_by_key(|it| it.number)?;
    let live = leaf(Some(place)).map(|it| it.sha256);
    (certificate.as_ref().map(|it| it.sha256) != live).then_some(*number)
}

/// What begins each of its lines.
const WHO: &str = "activate: ";

/// What ends the line that says why.
const REFUSED: &str = "; nothing was changed";
const LED_BACK: &str = "; the files from before are put back";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Promise;
    use crate::fleet::HostName;

    fn cause(source: &str, output: &str) -> Option<String> {
        let case = Case {
            action: "renew".to_owned(),
            host: HostName::new("web-01"),
            lineage: Some("www".to_owned()),
            source: Some(source.to_owned()),
            promise: Promise::NewLeaf,
            before: None,
            endpoints: Vec::new(),
        };
        Some(explained(&case, None, output)?.cause.to_string())
    }

    #[test]
    fn the_cause_is_what_stands_before_the_way_back() {
        let check = |said: &str, why: &str, expect: &str| {
            let output =
                format!("{said}\nactivate: {why}; the files from before are put back\nx\n");
            assert_eq!(cause(OWN, &output).as_deref(), Some(expect));
            assert_eq!(cause("certbot", &output), None);
        };
        check("a\nb\n", "the reload failed with 1", "the reload failed with 1: b");
        check(
            "nginx: [emerg] no such file\nnginx: test failed",
            "the configuration is not sound",
            "the configuration is not sound: nginx: [emerg] no such file",
        );
        check("a", "it is not served", "it is not served");
        let refused = "activate: there is no openssl; nothing was changed\n";
        assert_eq!(cause(OWN, refused).as_deref(), Some("there is no openssl"));
        assert_eq!(cause(OWN, "something else\n"), None);
    }
}
