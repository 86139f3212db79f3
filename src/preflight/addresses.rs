//! Where the names lead: a CA asks any of their addresses, IPv6 first where there is one.

use std::net::IpAddr;

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Name, Outcome, Part, Verdict};
use crate::fleet::HostName;
use crate::resolve::End;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "addresses",
    about: "do the names lead to the hosts that answer for them, over IPv6, too?",
    needs: &[Part::Names],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let is_over_http = |name: &str| {
        let proof = case.proofs.iter().find(|it| it.name == name);
        proof.is_some_and(|it| it.by.method() != Some("dns-01"))
    };
    if !case.names().any(is_over_http) {
        return Verdict::not_needed(
            "control is proven in the DNS, where it does not matter where the names lead",
        );
    }
    let names = match &evidence.names {
        Ok(names) => names,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    for name in names.iter().filter(|it| is_over_http(&it.name)) {
        one(case, name, &mut tally);
    }
    tally.verdict("every name leads to the hosts that answer for it")
}

fn one(case: &Case, it: &Name, tally: &mut Tally) {
    let name = &it.name;
    match &it.look.end {
        End::NoSuchName => {
            let text = format!("{name}: there is no such name (NXDOMAIN)");
            return tally.mend(Outcome::Failed, text, case.without(name));
        }
        End::NoAddress => {
            let text = format!("{name}: it has neither an A nor an AAAA record");
            return tally.mend(Outcome::Failed, text, case.without(name));
        }
        End::Refused(code) => {
            let text = format!("{name}: the resolver answers {code}");
            let fix = format!(
                "see what its zone lacks (`authorities`, `dnssec`); or {}",
                case.without(name)
            );
            return tally.mend(Outcome::Failed, text, fix);
        }
        End::Silent(server, silence) => {
            let text = format!("{name}: the resolver {server} {silence}");
            let fix = "name a resolver that answers in `resolvers` of [defaults]";
            return tally.mend(Outcome::Unknown, text, fix);
        }
        End::NoResolver => {
            let text = format!("{name}: this machine names no resolver");
            let fix = "name one in `resolvers` of [defaults]";
            return tally.mend(Outcome::Unknown, text, fix);
        }
        End::Found => {}
    }
    let via = it.look.aliases.iter().map(SafeText::as_str).collect::<Vec<_>>().join(" -> ");
    let via = if via.is_empty() { via } else { format!(" by {via}") };
    let expected = case.expected(name);
    let is_ours = |address: &IpAddr| owners(case, *address).iter().any(|it| expected.contains(it));
    let has_own = it.addresses().iter().any(is_ours);
    for address in it.addresses() {
        let owners = owners(case, *address);
        if let Some(own) = owners.iter().find(|it| expected.contains(it)) {
            tally.add(Outcome::Ok, format!("{name} leads{via} to {address}, {own}"));
            continue;
        }
        let whose = match owners.first() {
            Some(other) => format!("{other}, which is not known to answer for it"),
            None => "no known address of a host of the fleet".to_owned(),
        };
        let text = format!("{name} leads{via} to {address}: {whose}");
        match (address, has_own) {
            (IpAddr::V6(_), true) => tally.mend(
                Outcome::Failed,
                text,
                format!("remove the AAAA record {address} of {name}, or let {} answer there: CAs ask IPv6 first", case.host.name),
            ),
            (IpAddr::V4(_), true) => tally.mend(
                Outcome::Failed,
                text,
                format!("remove the A record {address} of {name}, or let that machine answer, too: a CA may ask any of them"),
            ),
            // Behind a balancer or a translator of addresses no host knows its own.
            (_, false) => tally.mend(
                Outcome::Warning,
                text,
                "if a balancer or a firewall stands there, it has to pass port 80 on: `http` tells whether it does",
            ),
        }
    }
}

fn owners(case: &Case, address: IpAddr) -> Vec<&HostName> {
    let has = |it: &&(HostName, Vec<IpAddr>)| it.1.contains(&address);
    case.addresses.iter().filter(has).map(|it| &it.0).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Proof;
    use super::super::sample::*;
    use super::*;

    #[track_caller]
    fn check(name: Name, outcome: Outcome, text: &str) {
        let evidence = Evidence { names: Ok(vec![name]), ..Evidence::default() };
        judged(&KIND, &case(), &evidence, outcome, text);
    }

    #[test]
    fn addresses_are_those_of_the_hosts_or_not() {
        check(
            name(&["192.0.2.1", "2001:db8::1"]),
            Outcome::Ok,
            "every name leads to the hosts that answer for it",
        );
        check(
            name(&["192.0.2.1", "2001:db8::99"]),
            Outcome::Failed,
            "www.example.net leads to 2001:db8::99: no known address of a host of the fleet",
        );
        check(
            name(&["192.0.2.1", "192.0.2.2"]),
            Outcome::Failed,
            "www.example.net leads to 192.0.2.2: web-02, which is not known to answer for it",
        );
        check(
            name(&["198.51.100.7"]),
            Outcome::Warning,
            "www.example.net leads to 198.51.100.7: no known address of a host of the fleet",
        );
    }

    #[test]
    fn names_that_are_not_there_are_told_from_servers_that_are_silent() {
        let with = |end| Name { look: look(&[], end), ..name(&[]) };
        check(
            with(End::NoSuchName),
            Outcome::Failed,
            "www.example.net: there is no such name (NXDOMAIN)",
        );
        check(
            with(End::NoAddress),
            Outcome::Failed,
            "www.example.net: it has neither an A nor an AAAA record",
        );
        check(
            with(End::Refused(SafeText::new("SERVFAIL"))),
            Outcome::Failed,
            "www.example.net: the resolver answers SERVFAIL",
        );
        let silent = End::Silent("192.0.2.53:53".parse().unwrap(), crate::resolve::Silence::Late);
        check(
            with(silent),
            Outcome::Unknown,
            "www.example.net: the resolver 192.0.2.53:53 did not answer within 5 s",
        );
    }

    #[test]
    fn a_name_that_is_gone_can_be_left_out() {
        let mut case = case();
        case.proofs.push(Proof { name: "old.example.net".into(), ..case.proofs[0].clone() });
        let gone =
            Name { name: "old.example.net".into(), look: look(&[], End::NoSuchName), ..name(&[]) };
        let evidence = Evidence { names: Ok(vec![gone]), ..Evidence::default() };
        let verdict = KIND.judge(&case, &evidence);
        let fix = verdict.fix[0].as_str();
        assert!(fix.contains("certdeck run issue web-01/www --names www.example.net "), "{fix}");
    }

    #[test]
    fn in_the_dns_it_does_not_matter() {
        let verdict = KIND.judge(&by_records(), &Evidence::default());
        assert_eq!(verdict.outcome, Outcome::NotNeeded);
    }
}
