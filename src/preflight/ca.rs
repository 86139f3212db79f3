//! Whether the CA is there: its directory, a nonce, and whether it wants to be left alone.

use super::host::Reached;
use super::verdict::Tally;
use super::{Case, Client, Evidence, Kind, Outcome, Part, Verdict};
use crate::fleet::human;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "ca",
    about: "does the CA answer, and does it take requests?",
    needs: &[Part::Authority, Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let ca = SafeText::capped(case.ca.host(), 253);
    let authority = match &evidence.authority {
        Ok(it) => it,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    let second = "wait and look again, or order from another [[issuer]]: --issuer NAME of `issue`";
    let is_theirs = matches!(case.client, Client::OnHost(_));
    let from_host = evidence.host.as_ref().ok().and_then(|it| it.ca.as_ref());
    // Where a client orders, its own way to the CA is what counts.
    let bad = match from_host {
        Some(Reached::Answers(_)) if is_theirs => Outcome::Warning,
        _ => Outcome::Failed,
    };
    if let Some((until, said)) = &authority.busy {
        let wait = human(until.since(case.now).max(0));
        tally.mend(
            Outcome::Failed,
            format!("{said}"),
            format!("ask again after {until}, in {wait}; {second}"),
        );
    } else if let Some(trouble) = &authority.trouble {
        tally.mend(bad, trouble.as_str(), second);
    } else {
        let took = authority.took;
        tally.add(Outcome::Ok, format!("{ca}: the directory came in {took} ms"));
        match &authority.nonce {
            None => tally.add(Outcome::Ok, format!("{ca}: gives nonces")),
            Some(why) => tally.mend(bad, format!("{ca}: gives no nonce: {why}"), second),
        }
        if took > SLOW {
            tally.add(Outcome::Warning, format!("{ca}: slow, the directory took {took} ms"));
        }
    }
    let host = &case.host.name;
    match from_host {
        Some(Reached::Answers(how)) => tally.add(Outcome::Ok, format!("from {host}: {how}")),
        Some(Reached::Not(why)) => tally.mend(
            Outcome::Failed,
            format!("from {host}, where its client orders: {why}"),
            format!(
                "let {host} reach {ca} at port 443, or order by certdeck itself: --by certdeck"
            ),
        ),
        Some(Reached::NoProgram) => {
            tally.add(
                Outcome::Ok,
                format!("from {host}: not tried, neither curl nor wget is there"),
            );
        }
        None => {}
    }
    tally.verdict(format!("{ca} answers in {} ms and gives nonces", authority.took))
}

/// In milliseconds; the directory is a static file.
const SLOW: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::super::Authority;
    use super::super::host::Sight;
    use super::super::sample::*;
    use super::*;

    #[track_caller]
    fn check(authority: Authority, from_host: Option<Reached>, outcome: Outcome, text: &str) {
        let case = Case { client: Client::OnHost("certbot"), ..case() };
        let host = Ok(Sight { ca: from_host, ..Sight::default() });
        let evidence = Evidence { authority: Ok(authority), host, ..Evidence::default() };
        judged(&KIND, &case, &evidence, outcome, text);
    }

    #[test]
    fn a_ca_answers_or_is_busy_or_is_away() {
        let text = |it: &str| Some(SafeText::new(it));
        let good = || Authority { took: 40, ..Authority::default() };
        let answers = || Some(Reached::Answers(SafeText::new("answers 200")));
        check(good(), answers(), Outcome::Ok, "ca.test answers in 40 ms and gives nonces");
        let away = || Authority { trouble: text("ca.test: cannot be reached: x"), ..good() };
        check(away(), None, Outcome::Failed, "ca.test: cannot be reached: x");
        check(away(), answers(), Outcome::Warning, "ca.test: cannot be reached: x");
        let mute = Authority { nonce: text("answers 500"), ..good() };
        check(mute, None, Outcome::Failed, "ca.test: gives no nonce: answers 500");
        let busy = Authority {
            busy: Some((NOW.plus(90), SafeText::new("ca.test: asks to be left alone"))),
            ..good()
        };
        check(busy, answers(), Outcome::Failed, "ca.test: asks to be left alone");
        let refused = Some(Reached::Not(SafeText::new("curl: (7) refused")));
        check(
            good(),
            refused,
            Outcome::Failed,
            "from web-01, where its client orders: curl: (7) refused",
        );
        let slow = Authority { took: 6_000, ..good() };
        check(slow, None, Outcome::Warning, "ca.test: slow, the directory took 6000 ms");
    }
}
