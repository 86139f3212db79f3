//! Whether the signatures of the zones hold: CAs have to check them, and take a zone whose
//! signatures do not for one that does not answer.

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Outcome, Part, Verdict};
use crate::resolve::{End, Seal};

pub(super) const KIND: Kind = Kind {
    name: "dnssec",
    about: "do the signatures of the zones hold?",
    needs: &[Part::Names],
    judge,
};

fn judge(_case: &Case, evidence: &Evidence) -> Verdict {
    let names = match &evidence.names {
        Ok(names) => names,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    for it in names {
        let name = &it.name;
        match (it.look.seal, &it.look.end) {
            (Seal::Broken, _) => tally.mend(
                Outcome::Failed,
                format!("{name}: SERVFAIL with the check of signatures, an answer without: DNSSEC is broken"),
                format!("sign the zone of {name} again, or take its DS record out of the zone above until it is mended"),
            ),
            (Seal::Good, _) => tally.add(Outcome::Ok, format!("{name}: signed, and the signatures hold")),
            (Seal::None, _) => {
                tally.add(Outcome::Ok, format!("{name}: the answer is not signed"));
            }
            (Seal::Unchecked, _) => tally.mend(
                Outcome::Unknown,
                format!("{name}: signed, and the resolver does not check signatures"),
                "name a resolver that does in `resolvers` of [defaults]",
            ),
            (Seal::Unknown, End::Refused(code)) => tally.add(
                Outcome::Unknown,
                format!("{name}: {code} with and without the check of signatures"),
            ),
            (Seal::Unknown, _) => tally.add(Outcome::Unknown, format!("{name}: no answer")),
        }
    }
    tally.verdict("no signature is in the way")
}

#[cfg(test)]
mod tests {
    use super::super::Name;
    use super::super::sample::*;
    use super::*;
    use crate::resolve::Look;
    use crate::text::SafeText;

    #[track_caller]
    fn check(seal: Seal, end: End, outcome: Outcome, text: &str) {
        let look = Look { seal, ..look(&[], end) };
        let names = Ok(vec![Name { look, ..name(&[]) }]);
        judged(&KIND, &case(), &Evidence { names, ..Evidence::default() }, outcome, text);
    }

    #[test]
    fn signatures_hold_or_not_or_nobody_knows() {
        let servfail = || End::Refused(SafeText::new("SERVFAIL"));
        check(Seal::Good, End::Found, Outcome::Ok, "no signature is in the way");
        check(Seal::None, End::NoSuchName, Outcome::Ok, "no signature is in the way");
        check(
            Seal::Broken,
            servfail(),
            Outcome::Failed,
            "www.example.net: SERVFAIL with the check of signatures, an answer without: DNSSEC is broken",
        );
        check(
            Seal::Unchecked,
            End::Found,
            Outcome::Unknown,
            "www.example.net: signed, and the resolver does not check signatures",
        );
        check(
            Seal::Unknown,
            servfail(),
            Outcome::Unknown,
            "www.example.net: SERVFAIL with and without the check of signatures",
        );
    }
}
