//! Whether the clocks agree: that of the host, ours, and that of the CA.

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Outcome, Part, Verdict};
use crate::fleet::human;

pub(super) const KIND: Kind = Kind {
    name: "clock",
    about: "do the clocks of the host, of this machine and of the CA agree?",
    needs: &[Part::Authority, Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let host = &case.host.name;
    if let Err(why) = &evidence.host {
        return Verdict::unknown(why);
    }
    let Some(offset) = case.host.clock_offset else {
        return Verdict::unknown(format!("{host}: what time it is there is not known"));
    };
    let of_ca = evidence.authority.as_ref().ok().and_then(|it| it.offset);
    let mut tally = Tally::default();
    let fix = format!(
        "certdeck run sync-clock {host}; order nothing before: the certificate would not be valid yet, or the CA would refuse"
    );
    compare(&mut tally, &format!("the clock of {host}"), "this machine", offset, &fix);
    match of_ca {
        Some(of_ca) => {
            let ca = "the CA";
            compare(&mut tally, &format!("the clock of {host}"), ca, offset - of_ca, &fix);
            let ours = "set the clock of this machine";
            compare(&mut tally, "the clock of this machine", ca, -of_ca, ours);
        }
        None => tally.add(Outcome::Ok, "the CA does not tell the time"),
    }
    tally.verdict(format!("{host} is {} off", far(offset)))
}

fn compare(tally: &mut Tally, whose: &str, from: &str, offset: i64, fix: &str) {
    let direction = if offset < 0 { "behind" } else { "ahead of" };
    let text = format!("{whose} is {} {direction} that of {from}", far(offset));
    match offset.abs() {
        FAR.. => tally.mend(Outcome::Failed, text, fix),
        NOTED.. => tally.add(Outcome::Warning, text),
        _ => tally.add(Outcome::Ok, text),
    }
}

fn far(offset: i64) -> String {
    match offset.abs() {
        0..FAR => format!("{} s", offset.abs()),
        more => human(more),
    }
}

/// From here on nothing is ordered, in seconds: certificates are dated by the clock of the CA, and
/// a service that is behind does not take them.
const FAR: i64 = 61;
/// From here on it is told: a visit measures to a second or two.
const NOTED: i64 = 10;

#[cfg(test)]
mod tests {
    use super::super::Authority;
    use super::super::sample::*;
    use super::*;

    #[track_caller]
    fn check(of_host: i64, of_ca: Option<i64>, outcome: Outcome, text: &str) {
        let mut case = case();
        host_of(&mut case).clock_offset = Some(of_host);
        let authority = Ok(Authority { offset: of_ca, ..Authority::default() });
        judged(&KIND, &case, &Evidence { authority, ..read() }, outcome, text);
    }

    #[test]
    fn a_minute_is_too_much() {
        check(1, Some(0), Outcome::Ok, "web-01 is 1 s off");
        check(
            60,
            None,
            Outcome::Warning,
            "the clock of web-01 is 60 s ahead of that of this machine",
        );
        check(
            -90,
            Some(0),
            Outcome::Failed,
            "the clock of web-01 is 1m behind that of this machine (and 1 more)",
        );
        check(
            0,
            Some(-7200),
            Outcome::Failed,
            "the clock of web-01 is 2h ahead of that of the CA (and 1 more)",
        );
    }

    #[test]
    fn a_host_that_was_not_read_is_not_on_time() {
        let mut case = case();
        host_of(&mut case).clock_offset = None;
        let text = "web-01: what time it is there is not known";
        judged(&KIND, &case, &read(), Outcome::Unknown, text);
    }
}
