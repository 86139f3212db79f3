//! Whether a record that proves control can be written, is seen everywhere, and goes again.

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Outcome, Part, Proven, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "dns-01",
    about: "can a record be written beside others, is it seen, does it go?",
    needs: &[Part::Record],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let mut plugins = case.proofs.iter().filter_map(|it| match &it.by {
        Proven::Plugin(name) => Some(name),
        _ => None,
    });
    if let Some(plugin) = plugins.next() {
        let text =
            format!("{plugin} of the client has credentials of its own, which are on the host");
        return Verdict::unknown(text)
            .fix(format!("a dry run tries them: certdeck run dry-run {}", case.target()));
    }
    if !case.proofs.iter().any(|it| matches!(it.by, Proven::Records(_))) {
        return Verdict::not_needed("no name is proven by a record");
    }
    let records = match &evidence.records {
        Ok(records) => records,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    for it in records {
        if it.others > 0 {
            tally.mend(
                Outcome::Warning,
                format!("{}: {} more of its kind stand there", it.name, it.others),
                "what an order has left behind: `certdeck dns orphans` lists it, `certdeck dns remove` takes it away",
            );
        }
        match &it.done {
            Ok(text) => tally.add(Outcome::Ok, format!("{}: {text}", it.name)),
            Err((text, hint)) => {
                tally.mend(Outcome::Failed, format!("{}: {text}", it.name), hint.as_str());
            }
        }
    }
    tally.verdict("a record can be written, is seen at every server, and goes again")
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::super::sample::*;
    use super::*;
    use crate::text::SafeText;

    #[track_caller]
    fn check(done: Result<&str, (&str, &str)>, outcome: Outcome, text: &str) {
        let done = done.map(SafeText::new).map_err(|it| (SafeText::new(it.0), SafeText::new(it.1)));
        let record = Record { dns: "lab".into(), name: "www.example.net".into(), others: 0, done };
        let evidence = Evidence { records: Ok(vec![record]), ..Evidence::default() };
        judged(&KIND, &by_records(), &evidence, outcome, text);
    }

    #[test]
    fn a_record_comes_and_goes_or_not() {
        check(
            Ok("seen at 2 of 2 servers"),
            Outcome::Ok,
            "a record can be written, is seen at every server, and goes again",
        );
        check(
            Err(("dns lab: the key is refused (BADSIG)", "compare `key-name`")),
            Outcome::Failed,
            "www.example.net: dns lab: the key is refused (BADSIG)",
        );
    }

    #[test]
    fn what_orders_have_left_behind_is_told_with_what_takes_it_away() {
        let done = Ok(SafeText::new("seen at 2 of 2 servers"));
        let record = Record { dns: "lab".into(), name: "www.example.net".into(), others: 3, done };
        let evidence = Evidence { records: Ok(vec![record]), ..Evidence::default() };
        let verdict = KIND.judge(&by_records(), &evidence);
        assert_eq!(verdict.outcome, Outcome::Warning);
        assert!(verdict.fix[0].as_str().contains("certdeck dns orphans"), "{verdict:?}");
    }

    #[test]
    fn what_only_the_client_can_write_is_left_to_a_dry_run() {
        let mut case = case();
        assert_eq!(KIND.judge(&case, &Evidence::default()).outcome, Outcome::NotNeeded);
        case.proofs[0].by = Proven::Plugin(SafeText::new("dns-cloudflare"));
        let verdict = KIND.judge(&case, &Evidence::default());
        assert_eq!(verdict.outcome, Outcome::Unknown);
        assert_eq!(
            verdict.fix,
            [SafeText::new("a dry run tries them: certdeck run dry-run web-01/www")]
        );
    }
}
