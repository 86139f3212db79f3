//! Whether a file that is placed on the hosts is found by its name: from here, from the host
//! itself and from other hosts of the fleet.

use super::verdict::Tally;
use super::{Case, Evidence, Fetch, From, Kind, Outcome, Part, Proven, Saw, Verdict, Web};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "http",
    about: "is a file that is placed there found at port 80, from everywhere?",
    needs: &[Part::Web],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let all = || case.proofs.iter().filter(|it| it.by.port().is_some());
    if all().next().is_none() {
        return match case.proofs.iter().find_map(|it| match &it.by {
            Proven::Nobody(why) => Some(why),
            _ => None,
        }) {
            Some(why) => Verdict::unknown(why),
            None => Verdict::not_needed("no name is proven over HTTP"),
        };
    }
    let web = match &evidence.web {
        Ok(web) => web,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    for it in &web.placed {
        let (host, folder) = (&it.host, &it.folder);
        match &it.done {
            Ok(()) => tally.add(Outcome::Ok, format!("{host}: the file lay in {folder}")),
            Err(why) => tally.mend(
                Outcome::Failed,
                format!("{host}: nothing could be placed in {folder}: {why}"),
                format!("see that {folder} is there on {host} and may be written"),
            ),
        }
    }
    for left in &web.left {
        tally.mend(
            Outcome::Warning,
            format!("{left}: the file stays there for now"),
            "it is removed when certdeck starts again",
        );
    }
    for proof in all() {
        let seen: Vec<_> = web.fetches.iter().filter(|it| it.name == proof.name).collect();
        if seen.is_empty() {
            let text = format!("{}: no address is known here that could be asked", proof.name);
            tally.add(Outcome::Unknown, text);
        }
        for fetch in seen {
            one(&proof.by, fetch, web, &mut tally);
        }
    }
    if let Some(why) = &web.unplaced {
        // Port 80 was looked at all the same.
        tally.add(Outcome::Unknown, format!("no file was placed: {why}"));
    }
    tally.verdict(if web.is_placed() {
        "the file is found by every name"
    } else {
        "a server answers at port 80 for every name"
    })
}

fn one(by: &Proven, it: &Fetch, web: &Web, tally: &mut Tally) {
    let from = match &it.from {
        From::Here => "from here".to_owned(),
        From::Itself(host) => format!("from {host} itself"),
        From::Other(host) => format!("from {host}"),
    };
    let at = it.address.map(|it| format!(" at {it}")).unwrap_or_default();
    let way = match it.hops.as_slice() {
        [] => String::new(),
        all if all.len() <= MOST_HOPS => {
            format!(", by {}", all.iter().map(SafeText::as_str).collect::<Vec<_>>().join(" -> "))
        }
        [first, rest @ ..] => format!(", by {first} and {} more", rest.len()),
    };
    let head = format!("{}{at} {from}{way}", it.name);
    let serves = matches!(by, Proven::Files { .. });
    // A machine may well not reach itself by its public address.
    let bad = match it.from {
        From::Here => Outcome::Failed,
        From::Itself(_) | From::Other(_) => Outcome::Warning,
    };
    match &it.saw {
        Saw::Token => tally.add(Outcome::Ok, format!("{head}: it is found")),
        Saw::NoRoute => tally.add(Outcome::Ok, format!("{head}: there is no way there")),
        Saw::Untried(why) => tally.add(Outcome::Ok, format!("{head}: not tried, {why}")),
        Saw::Other(why) if leads_astray(why) => {
            tally.mend(bad, format!("{head}: {why}"), REDIRECT);
        }
        Saw::Other(why) if serves && web.is_placed() => {
            tally.mend(bad, format!("{head}: {why}, and not the file"), WEBROOT);
        }
        // Without a file there, any answer shows that the way is open.
        Saw::Other(why) => tally.add(Outcome::Ok, format!("{head}: {why}: the way is open")),
        Saw::Closed(why) if matches!(by, Proven::Listener(_)) => tally.add(
            Outcome::Warning,
            format!("{head}: {why}, as nothing listens there until the client does; whether it is let through shows only then"),
        ),
        Saw::Closed(why) | Saw::Nothing(why) => {
            let fix = if it.address.is_some_and(|it| it.is_ipv6()) { OPEN_6 } else { OPEN };
            tally.mend(bad, format!("{head}: {why}"), fix);
        }
    }
}

fn leads_astray(why: &SafeText) -> bool {
    why.as_str().starts_with("leads ")
}

/// More of a way are counted.
const MOST_HOPS: usize = 4;
const WEBROOT: &str = "the folder is not the one that is served for this name, or the name leads to another machine: set `webroot` of the [[host]] or of the client to the `root` of the site at port 80";
const REDIRECT: &str = "let /.well-known/acme-challenge/ out of the redirect: CAs follow ten, to ports 80 and 443 only";
const OPEN: &str =
    "open port 80 to the whole world and let a server listen there, or prove the name in the DNS";
const OPEN_6: &str =
    "let a server listen at port 80 over IPv6, too, or remove the AAAA record: CAs ask IPv6 first";

#[cfg(test)]
mod tests {
    use super::super::Placed;
    use super::super::sample::*;
    use super::*;

    fn fetch(from: From, saw: Saw) -> Fetch {
        let address = Some("192.0.2.1:80".parse().unwrap());
        Fetch { name: "www.example.net".into(), from, address, hops: vec![], saw }
    }

    fn placed(done: Result<(), &str>) -> Placed {
        let done = done.map_err(SafeText::new);
        Placed { host: host_name("web-01"), folder: "/srv/www".into(), done }
    }

    #[track_caller]
    fn check(case: &Case, web: Web, outcome: Outcome, text: &str) {
        let evidence = Evidence { web: Ok(web), ..Evidence::default() };
        judged(&KIND, case, &evidence, outcome, text);
    }

    #[track_caller]
    fn seen(from: From, saw: Saw, outcome: Outcome, text: &str) {
        let fetches = vec![fetch(from, saw)];
        check(
            &case(),
            Web { placed: vec![placed(Ok(()))], fetches, ..Web::default() },
            outcome,
            text,
        );
    }

    #[test]
    fn a_file_is_found_or_something_else_is() {
        seen(From::Here, Saw::Token, Outcome::Ok, "the file is found by every name");
        let text = |it: &str| SafeText::new(it);
        seen(
            From::Here,
            Saw::Other(text("answers 404, says nginx")),
            Outcome::Failed,
            "www.example.net at 192.0.2.1:80 from here: answers 404, says nginx, and not the file",
        );
        seen(
            From::Here,
            Saw::Closed(text("nobody listens at port 80")),
            Outcome::Failed,
            "www.example.net at 192.0.2.1:80 from here: nobody listens at port 80",
        );
        seen(
            From::Other(host_name("web-02")),
            Saw::Nothing(text("Connection timed out")),
            Outcome::Warning,
            "www.example.net at 192.0.2.1:80 from web-02: Connection timed out",
        );
        seen(From::Here, Saw::NoRoute, Outcome::Ok, "the file is found by every name");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        let web =
            Web { placed: vec![placed(Err("there is no folder /srv/www"))], ..Web::default() };
        check(
            &case(),
            web,
            Outcome::Failed,
            "web-01: nothing could be placed in /srv/www: there is no folder /srv/www",
        );
    }

    #[test]
    fn what_is_not_placed_is_never_found() {
        let fetches = vec![fetch(From::Here, Saw::Other(SafeText::new("answers 404")))];
        let unplaced = Some(SafeText::new("the group frozen is read-only"));
        check(
            &case(),
            Web { unplaced, fetches, ..Web::default() },
            Outcome::Unknown,
            "no file was placed: the group frozen is read-only",
        );
    }

    #[test]
    fn a_client_that_listens_itself_does_so_only_then() {
        let mut case = case();
        case.proofs[0].by = Proven::Listener(80);
        let closed = Saw::Closed(SafeText::new("nobody listens at port 80"));
        let fetches = vec![fetch(From::Here, closed)];
        check(
            &case,
            Web { fetches, ..Web::default() },
            Outcome::Warning,
            "www.example.net at 192.0.2.1:80 from here: nobody listens at port 80, as nothing listens there until the client does; whether it is let through shows only then",
        );
    }
}
