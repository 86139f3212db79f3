//! Whether every authoritative server of the zones answers, and all say the same: CAs ask from
//! several places, and so reach several of them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Listed, Outcome, Part, Verdict, Zone};
use crate::resolve::{Said, Server};

pub(super) const KIND: Kind = Kind {
    name: "authorities",
    about: "do all authoritative servers answer, and do they say the same?",
    needs: &[Part::Zones],
    judge,
};

fn judge(_case: &Case, evidence: &Evidence) -> Verdict {
    let zones = match &evidence.zones {
        Ok(zones) => zones,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    for zone in zones {
        one(zone, &mut tally);
    }
    tally.verdict("every authoritative server answers, and all say the same")
}

fn one(it: &Zone, tally: &mut Tally) {
    let servers = match &it.servers {
        Ok(servers) => servers,
        Err(why) => return tally.add(Outcome::Unknown, format!("{}: {why}", it.name)),
    };
    let said: Vec<(&Server, &Said)> = servers
        .iter()
        .filter_map(|(server, listed)| match listed {
            Listed::Said(said) => Some((server, said)),
            _ => None,
        })
        .collect();
    let zone = &it.zone;
    for (server, listed) in servers {
        let named = named(server);
        match listed {
            Listed::Said(_) => {}
            Listed::NoRoute => {
                tally.add(
                    Outcome::Ok,
                    format!("{zone}: {named}: not asked, this machine has no route there"),
                );
            }
            Listed::Trouble(why) => {
                let outcome = if said.is_empty() { Outcome::Failed } else { Outcome::Warning };
                let text = format!("{zone}: {named} {why}");
                tally.mend(outcome, text, MPIC);
            }
        }
    }
    let newest = said.iter().filter_map(|it| it.1.serial).max();
    let what: BTreeSet<_> = said.iter().map(|it| shown(it.1)).collect();
    for (server, said) in &said {
        let named = named(server);
        let serial = said.serial.map(|it| format!(", serial {it}")).unwrap_or_default();
        let text = format!("{zone}: {named} says {} for {}{serial}", shown(said), it.name);
        // Serial numbers go round (RFC 1982); this only tells apart, it does not order.
        let lags = said.serial != newest;
        match (what.len() > 1, lags) {
            (true, _) => tally.mend(
                Outcome::Failed,
                text,
                format!("let the servers of {zone} agree: a secondary that lags has to be notified and to transfer the zone"),
            ),
            (false, true) => tally.mend(
                Outcome::Warning,
                text,
                format!("a server of {zone} has another serial number: a record that is written now may be seen there late"),
            ),
            (false, false) => tally.add(Outcome::Ok, text),
        }
    }
}

fn shown(said: &Said) -> String {
    match (&said.alias, said.knows, said.addresses.as_slice()) {
        (_, false, _) => "no such name".to_owned(),
        (Some(alias), ..) => format!("alias {alias}"),
        (None, true, []) => "no address".to_owned(),
        (None, true, all) => all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
    }
}

fn named(server: &Server) -> String {
    if server.name.is_empty() {
        server.address.to_string()
    } else {
        format!("{} [{}]", server.name, server.address.ip())
    }
}

/// CA/Browser Forum, Ballot SC-067: of five or more places, one may see something else.
const MPIC: &str = "CAs look from several places (MPIC), and at most one may be in vain: mend that server, or take it out of the delegation";

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::*;
    use crate::text::SafeText;

    fn said(serial: u32, address: &str) -> Listed {
        let addresses = vec![address.parse().unwrap()];
        Listed::Said(Said { serial: Some(serial), addresses, knows: true, alias: None })
    }

    #[track_caller]
    fn check(all: Vec<Listed>, outcome: Outcome, text: &str) {
        let server = |at: usize| Server {
            name: SafeText::new(&format!("ns{at}.test")),
            address: format!("192.0.2.{at}:53").parse().unwrap(),
        };
        let servers = (1..).map(server).zip(all).collect();
        let zone = Zone { zone: "test".into(), name: "a.test".into(), servers: Ok(servers) };
        let evidence = Evidence { zones: Ok(vec![zone]), ..Evidence::default() };
        judged(&KIND, &case(), &evidence, outcome, text);
    }

    #[test]
    fn servers_answer_and_agree_or_not() {
        let trouble = |why| Listed::Trouble(SafeText::new(why));
        let good = || said(7, "192.0.2.80");
        check(
            vec![good(), good(), Listed::NoRoute],
            Outcome::Ok,
            "every authoritative server answers, and all say the same",
        );
        check(
            vec![good(), trouble("answers SERVFAIL")],
            Outcome::Warning,
            "test: ns2.test [192.0.2.2] answers SERVFAIL",
        );
        check(
            vec![trouble("did not answer within 5 s")],
            Outcome::Failed,
            "test: ns1.test [192.0.2.1] did not answer within 5 s",
        );
        check(
            vec![good(), said(6, "192.0.2.80")],
            Outcome::Warning,
            "test: ns2.test [192.0.2.2] says 192.0.2.80 for a.test, serial 6",
        );
        check(
            vec![good(), said(6, "192.0.2.81")],
            Outcome::Failed,
            "test: ns1.test [192.0.2.1] says 192.0.2.80 for a.test, serial 7 (and 1 more)",
        );
    }
}
