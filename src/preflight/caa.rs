//! Whether the zones let this CA issue, for this account and by this method.

use super::verdict::Tally;
use super::{Case, Client, Evidence, Kind, Outcome, Part, Verdict};
use crate::resolve::{Caa, Error, Ruling};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "caa",
    about: "do CAA records let this CA issue, for this account, by this method?",
    needs: &[Part::Names, Part::Authority, Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let names = match &evidence.names {
        Ok(names) => names,
        Err(why) => return Verdict::unknown(why),
    };
    let identities = match &evidence.authority {
        Ok(it) => it.identities.iter().map(SafeText::as_str).collect(),
        Err(_) => Vec::new(),
    };
    let account = account(case, evidence);
    let account = account.as_ref().map(SafeText::as_str);
    let mut tally = Tally::default();
    for it in names {
        let name = &it.name;
        let proof = case.proofs.iter().find(|proof| proof.name == *name);
        let method = proof.and_then(|it| it.by.method());
        let caa = match &it.caa {
            Ok(caa) => caa,
            // A CA that is refused an answer does not issue (RFC 8659, section 5.1).
            Err(why @ Error::Answer { code, .. }) if code.as_str() == "SERVFAIL" => {
                tally.mend(
                    Outcome::Failed,
                    format!("{name}: {why}, and a CA that is refused CAA records does not issue"),
                    "let the servers of the zone answer questions for CAA records",
                );
                continue;
            }
            Err(why) => {
                tally.add(Outcome::Unknown, format!("{name}: {why}"));
                continue;
            }
        };
        let Some(at) = &caa.at else {
            tally.add(Outcome::Ok, format!("{name}: no CAA record, every CA may issue"));
            continue;
        };
        let records = caa.lines().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let shown = format!("{name}: CAA of {at}: {records}");
        let (Some(identity), Some(method)) = (identities.first(), method) else {
            let why = if method.is_none() {
                "how control is proven is not known"
            } else if evidence.authority.is_err() {
                "what the CA is called there is not known, as it does not answer"
            } else {
                "the CA does not say what it is called there"
            };
            tally.add(Outcome::Unknown, format!("{shown}; {why}"));
            continue;
        };
        let is_wildcard = name.starts_with("*.");
        match caa.judge(is_wildcard, &identities, account, method) {
            Ruling::Allowed => tally.add(Outcome::Ok, shown),
            Ruling::Forbidden(_) if account.is_none() && names_accounts(caa) => {
                tally.add(
                    Outcome::Unknown,
                    format!("{shown}; whether our account is one of these is not known"),
                );
            }
            Ruling::Forbidden(_) => {
                let record = caa.to_publish(is_wildcard, identity, account, method);
                tally.mend(
                    Outcome::Failed,
                    format!("{shown}: forbids {identity} by {method}{}", whose(account, caa)),
                    format!("publish `{at}. CAA {record}`, or order from a CA that they allow"),
                );
            }
        }
    }
    tally.verdict("the CA may issue for every name")
}

/// The URL of the account that would order.
fn account(case: &Case, evidence: &Evidence) -> Option<SafeText> {
    match case.client {
        Client::Us => evidence.authority.as_ref().ok()?.account.as_ref()?.clone().ok(),
        Client::OnHost(_) => evidence.host.as_ref().ok()?.account.clone(),
    }
}

fn names_accounts(caa: &Caa) -> bool {
    caa.lines().iter().any(|it| it.as_str().contains("accounturi="))
}

fn whose(account: Option<&str>, caa: &Caa) -> String {
    match account.filter(|_| names_accounts(caa)) {
        Some(account) => format!(" for the account {}", SafeText::new(account)),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::super::{Authority, Name};
    use super::*;

    const ACCOUNT: &str = "https://ca.test/acct/1";

    #[track_caller]
    fn check(case: &Case, records: &[(&str, &str)], outcome: Outcome, fix: &str) -> Verdict {
        let caa = Caa::sample("example.net", records);
        let names = Ok(vec![Name { caa: Ok(caa), ..name(&["192.0.2.1"]) }]);
        let authority = Ok(Authority {
            identities: vec![SafeText::new("ca.test")],
            account: Some(Ok(SafeText::new(ACCOUNT))),
            ..Authority::default()
        });
        let evidence = Evidence { authority, names, ..Evidence::default() };
        let verdict = KIND.judge(case, &evidence);
        assert_eq!(verdict.outcome, outcome, "{verdict:?}");
        assert_eq!(verdict.fix.first().map_or("", SafeText::as_str), fix);
        verdict
    }

    #[test]
    fn the_exact_record_to_publish_is_printed() {
        let ours = case();
        check(&ours, &[], Outcome::Ok, "");
        check(&ours, &[("issue", "ca.test")], Outcome::Ok, "");
        check(
            &ours,
            &[("issue", "other.test")],
            Outcome::Failed,
            "publish `example.net. CAA 0 issue \"ca.test\"`, or order from a CA that they allow",
        );
        check(
            &ours,
            &[("issue", "ca.test; validationmethods=dns-01")],
            Outcome::Failed,
            "publish `example.net. CAA 0 issue \"ca.test; validationmethods=http-01\"`, or order from a CA that they allow",
        );
        let other = check(
            &ours,
            &[("issue", "ca.test; accounturi=https://ca.test/acct/2")],
            Outcome::Failed,
            "publish `example.net. CAA 0 issue \"ca.test; accounturi=https://ca.test/acct/1\"`, or order from a CA that they allow",
        );
        assert!(
            other.text.as_str().ends_with("for the account https://ca.test/acct/1"),
            "{other:?}"
        );
        check(
            &ours,
            &[("issue", "ca.test; accounturi=https://ca.test/acct/1; validationmethods=http-01")],
            Outcome::Ok,
            "",
        );
    }

    #[test]
    fn an_account_that_is_not_known_is_not_said_to_be_forbidden() {
        let theirs = Case { client: Client::OnHost("certbot"), ..case() };
        check(&theirs, &[("issue", "ca.test; accounturi=x")], Outcome::Unknown, "");
        check(
            &theirs,
            &[("issue", ";")],
            Outcome::Failed,
            "publish `example.net. CAA 0 issue \"ca.test\"`, or order from a CA that they allow",
        );
    }

    #[test]
    fn a_zone_that_refuses_an_answer_is_told_from_one_that_is_silent() {
        let with = |error| {
            let names = Ok(vec![Name { caa: Err(error), ..name(&[]) }]);
            KIND.judge(&case(), &Evidence { names, ..Evidence::default() }).outcome
        };
        let (server, name) = ("192.0.2.53:53".parse().unwrap(), SafeText::new("a.test"));
        let answer = |code| Error::Answer { server, name: name.clone(), code: SafeText::new(code) };
        assert_eq!(with(answer("SERVFAIL")), Outcome::Failed);
        // Whom we ask does not ask others: a CA will.
        assert_eq!(with(answer("REFUSED")), Outcome::Unknown);
        assert_eq!(with(Error::NoResolver), Outcome::Unknown);
    }

    #[test]
    fn a_ca_that_does_not_answer_leaves_it_open() {
        let caa = Caa::sample("example.net", &[("issue", "ca.test")]);
        let names = Ok(vec![Name { caa: Ok(caa), ..name(&[]) }]);
        let evidence = Evidence { names, ..Evidence::default() };
        assert_eq!(KIND.judge(&case(), &evidence).outcome, Outcome::Unknown);
    }
}
