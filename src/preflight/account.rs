//! Whether whoever orders has an account at the CA.

use super::{Case, Client, Evidence, Kind, Outcome, Part, Verdict};
use crate::fleet::{NeedKind, NeedState};

pub(super) const KIND: Kind = Kind {
    name: "account",
    about: "is there an account at the CA?",
    needs: &[Part::Authority, Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    match case.client {
        Client::Us => ours(case, evidence),
        Client::OnHost(_) => theirs(case, evidence),
    }
}

fn ours(case: &Case, evidence: &Evidence) -> Verdict {
    let Some(issuer) = &case.ca.issuer else {
        return Verdict::new(Outcome::Failed, "the inventory names no CA to order from")
            .fix("add an [[issuer]] with its `name` and `directory`");
    };
    let account = match &evidence.authority {
        Ok(it) => it.account.as_ref(),
        Err(why) => return Verdict::unknown(why),
    };
    match account {
        Some(Ok(url)) => Verdict::new(Outcome::Ok, format!("{}: {url}", issuer.name)),
        Some(Err(why)) => Verdict::new(Outcome::Warning, why.as_str())
            .fix(format!("certdeck issuer register {}", issuer.name))
            .evidence("the first order makes one, and agrees to the terms of the CA"),
        None => Verdict::unknown(format!("{}: nobody has looked", issuer.name)),
    }
}

fn theirs(case: &Case, evidence: &Evidence) -> Verdict {
    if let Err(why) = &evidence.host {
        return Verdict::unknown(why);
    }
    let renewal = case.renewal();
    let need = renewal.into_iter().flat_map(|it| &it.needs);
    let Some(need) = need.into_iter().find(|it| it.kind == NeedKind::Account) else {
        return Verdict::unknown("which account its client uses is not known");
    };
    let path = &need.path;
    match need.state {
        NeedState::There => {
            let url = evidence.host.as_ref().ok().and_then(|it| it.account.as_ref());
            let url = url.map(|it| format!(": {it}")).unwrap_or_default();
            Verdict::new(Outcome::Ok, format!("its key is there{url}"))
                .evidence(format!("{path} is there"))
        }
        NeedState::Unseen => Verdict::unknown(format!("{path} could not be seen")),
        _ => Verdict::new(Outcome::Failed, format!("the key of its account is not there: {path}"))
            .fix("bring the key back, or order anew: the client then makes an account"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Authority;
    use super::super::host::Sight;
    use super::super::sample::*;
    use super::*;
    use crate::fleet::Need;
    use crate::text::SafeText;

    #[test]
    fn our_account_is_known_or_made_with_the_first_order() {
        let with = |account: Result<&str, &str>| {
            let account = Some(account.map(SafeText::new).map_err(SafeText::new));
            let authority = Ok(Authority { account, ..Authority::default() });
            Evidence { authority, ..Evidence::default() }
        };
        judged(
            &KIND,
            &case(),
            &with(Ok("https://ca.test/1")),
            Outcome::Ok,
            "lab: https://ca.test/1",
        );
        let none = "lab: there is no account yet";
        judged(&KIND, &case(), &with(Err(none)), Outcome::Warning, none);
        let mut nobody = case();
        nobody.ca.issuer = None;
        let text = "the inventory names no CA to order from";
        judged(&KIND, &nobody, &Evidence::default(), Outcome::Failed, text);
    }

    #[test]
    fn the_account_of_a_client_is_a_file() {
        let check = |state, outcome, text: &str| {
            let mut case = Case { client: Client::OnHost("certbot"), ..case() };
            let need =
                Need { kind: NeedKind::Account, path: SafeText::new("/k"), state, mode: None };
            renewal_of(&mut case).needs.push(need);
            let account = Some(SafeText::new("https://ca.test/2"));
            let host = Ok(Sight { account, ..Sight::default() });
            judged(&KIND, &case, &Evidence { host, ..Evidence::default() }, outcome, text);
        };
        check(NeedState::There, Outcome::Ok, "its key is there: https://ca.test/2");
        check(NeedState::Unseen, Outcome::Unknown, "/k could not be seen");
        check(NeedState::Missing, Outcome::Failed, "the key of its account is not there: /k");
    }
}
