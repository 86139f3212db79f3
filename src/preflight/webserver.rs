//! Whether the servers of the host would take what they are told to load.

use super::verdict::Tally;
use super::{Case, Evidence, Kind, Outcome, Part, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "webserver",
    about: "is the configuration sound, so that the server can be reloaded?",
    needs: &[Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let host = &case.host.name;
    let sight = match &evidence.host {
        Ok(sight) => sight,
        Err(why) => return Verdict::unknown(why),
    };
    if case.host.servers.is_empty() {
        return Verdict::not_needed(format!("{host}: no web server is known there"));
    }
    let mut tally = Tally::default();
    for test in &sight.tests {
        let what = &test.what;
        match test.exit {
            Some(0) => tally.add(Outcome::Ok, format!("{what}: the configuration is sound")),
            Some(126 | 127) | None => tally.add(
                Outcome::Unknown,
                format!("{what}: the configuration could not be tested: {}", test.said),
            ),
            Some(code) => tally.mend(
                Outcome::Failed,
                format!("{what}: the test of the configuration ends with {code}: {}", test.said),
                format!(
                    "mend it on {host}: no reload will succeed before, of whatever certificate"
                ),
            ),
        }
    }
    if sight.tests.is_empty() {
        return Verdict::unknown(format!("{host}: no configuration could be tested"));
    }
    tally.verdict("the configuration is sound")
}

#[cfg(test)]
mod tests {
    use super::super::host::{Sight, Tested};
    use super::super::sample::*;
    use super::*;
    use crate::text::SafeText;

    #[track_caller]
    fn check(exit: Option<u8>, outcome: Outcome, text: &str) {
        let [what, said] = ["nginx", "bad line 7"].map(SafeText::new);
        let host = Ok(Sight { tests: vec![Tested { what, exit, said }], ..Sight::default() });
        let mut case = case();
        host_of(&mut case).servers.push(server());
        judged(&KIND, &case, &Evidence { host, ..Evidence::default() }, outcome, text);
    }

    #[test]
    fn a_configuration_is_sound_or_not_or_was_not_tested() {
        check(Some(0), Outcome::Ok, "the configuration is sound");
        check(
            Some(1),
            Outcome::Failed,
            "nginx: the test of the configuration ends with 1: bad line 7",
        );
        check(
            Some(127),
            Outcome::Unknown,
            "nginx: the configuration could not be tested: bad line 7",
        );
        let bare = Evidence { host: Ok(Sight::default()), ..Evidence::default() };
        assert_eq!(KIND.judge(&case(), &bare).outcome, Outcome::NotNeeded);
    }
}
