//! From plans that somebody has seen to plans that may be performed. There is no other way.

use super::{Expect, Plan, Promise, Tier};
use crate::fleet::{Fleet, Moment, Place, Reach};

/// Plans under review. They do not change any more; if the fleet does, they are stale.
#[derive(Debug)]
pub struct Review {
    plans: Vec<Plan>,
    reason: Option<String>,
    guide: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// A key.
    Key,
    /// This text.
    Type(String),
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing was asked.
    Nothing,
    /// The key.
    Key,
    /// The text that was typed.
    Typed(&'a str),
    /// The value of `--yes`: the name of the one target, or the number of targets.
    Yes(&'a str),
    /// Nobody is there: whoever set up the timer has answered once and for all, for renewals of
    /// what is due, for deliveries without a key to where the inventory says, and for nothing else.
    Standing,
}

/// Plans that may be performed. Only [`Review::confirm`] makes one.
#[derive(Debug)]
pub struct Confirmed {
    plans: Vec<Plan>,
    how: String,
    reason: Option<String>,
    guide: Option<String>,
    is_standing: bool,
}

/// Why an answer is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotConfirmed {
    /// Something else was asked for.
    Wrong(Ask),
    /// What a plan was made from has changed; what, for people.
    Stale(String),
}

impl Review {
    /// Puts plans up for review, at least one.
    pub fn new(plans: Vec<Plan>) -> Self {
        Self { plans, reason: None, guide: None }
    }

    /// Says why it is done, for the audit log.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Says in which guided run it is done, for the audit log.
    #[must_use]
    pub fn in_guide(mut self, run: String) -> Self {
        self.guide = Some(run);
        self
    }

    /// The plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The tier of all of them together.
    pub fn tier(&self) -> Tier {
        let worst = self.plans.iter().map(|it| it.tier).max().unwrap_or(Tier::Safe);
        if self.plans.len() > 1 && worst > Tier::Safe { Tier::Many } else { worst }
    }

    /// What is asked for.
    pub fn ask(&self) -> Ask {
        match (self.tier(), self.plans.as_slice()) {
            (Tier::Safe, _) => Ask::Nothing,
            (Tier::Change, _) => Ask::Key,
            (_, [one]) => Ask::Type(one.phrase.clone().unwrap_or_else(|| one.name().to_owned())),
            (_, many) => {
                let action = many.first().map_or("", |it| it.action.name);
                // What is typed for one of them, without its name.
                let what = many.iter().find_map(|it| it.phrase.as_ref()?.strip_suffix(it.name()));
                let what = what.map_or(action, str::trim_end);
                Ask::Type(format!("{what} {}", many.len()))
            }
        }
    }

    /// Leaves out the plan at that place of the list, unless it is the last one.
    pub fn leave_out(&mut self, at: usize) {
        if self.plans.len() > 1 && at < self.plans.len() {
            self.plans.remove(at);
        }
    }

    /// What has changed since the plans were made, if anything has.
    pub fn stale(&self, fleet: &Fleet) -> Option<String> {
        self.plans.iter().find_map(|it| stale(it, fleet))
    }

    /// Takes an answer.
    ///
    /// Only the answer that [`Self::ask`] asks for confirms, to the letter. `--yes` stands for
    /// it where nobody can be asked: with the name of the one target, or with the number of
    /// targets in digits, and of several targets only with their number.
    ///
    /// # Errors
    /// Gives the review back if the answer is not what was asked for, or if the plans are stale.
    pub fn confirm(
        self,
        answer: Answer<'_>,
        fleet: &Fleet,
        now: Moment,
    ) -> Result<Confirmed, (Box<Self>, NotConfirmed)> {
        if let Some(changed) = self.stale(fleet) {
            return Err((Box::new(self), NotConfirmed::Stale(changed)));
        }
        match self.how(answer) {
            Some(how) if !self.plans.is_empty() => {
                let how = format!("{how}, at {now}");
                let is_standing = answer == Answer::Standing;
                let Self { plans, reason, guide } = self;
                Ok(Confirmed { plans, how, reason, guide, is_standing })
            }
            _ => {
                let ask = self.ask();
                Err((Box::new(self), NotConfirmed::Wrong(ask)))
            }
        }
    }

    /// How the answer confirms, for the audit log; `None` if it does not.
    fn how(&self, answer: Answer<'_>) -> Option<String> {
        match (self.ask(), answer) {
            (Ask::Nothing, Answer::Nothing) => Some("not asked for: it is safe".to_owned()),
            (Ask::Key, Answer::Key) => Some("by a key".to_owned()),
            (Ask::Type(text), Answer::Typed(typed)) => {
                (typed == text).then(|| format!("typed `{text}`"))
            }
            (_, Answer::Standing) => {
                let may_be = |it: &Plan| {
                    let is_meant = it.action.name == super::RENEW || it.delivers.is_some();
                    is_meant && it.phrase.is_none()
                };
                self.plans.iter().all(may_be).then(|| "unattended".to_owned())
            }
            (_, Answer::Yes(value)) => self.is_meant(value).then(|| format!("--yes {value}")),
            _ => None,
        }
    }

    /// Whether the value of `--yes` shows that its author knew what would be done.
    fn is_meant(&self, value: &str) -> bool {
        // What asks for more than a name is not confirmed by one, nor by a number.
        if let (true, Ask::Type(text)) =
            (self.plans.iter().any(|it| it.phrase.is_some()), self.ask())
        {
            return value == text;
        }
        let is_name = |one: &Plan| value == one.name() || value == one.target();
        let is_count = value == self.plans.len().to_string();
        is_count || matches!(self.plans.as_slice(), [one] if is_name(one))
    }
}

/// What has changed since the plan was made.
fn stale(plan: &Plan, fleet: &Fleet) -> Option<String> {
    let target = plan.target();
    let changed = |what: &str| Some(format!("{target}: {what}"));
    let Some(host) = fleet.host(&plan.host) else { return changed("the host is gone") };
    if host.reach != Reach::Up {
        return changed("the host could not be read the last time");
    }
    let place = plan.place.as_ref().and_then(|name| {
        let is_it =
            |it: &&Place| it.name == *name && plan.source.is_none_or(|kind| kind == it.source);
        host.places.iter().find(is_it)
    });
    let live = place.and_then(|it| Some(it.layers.disk.as_ref()?.chain.leaf.sha256));
    match (&plan.expect, place) {
        (Expect::NoLineage, Some(it)) if !it.is_bare() => {
            return changed("the lineage exists by now");
        }
        (Expect::Leaf(_), None) => return changed("the lineage is gone"),
        (Expect::Leaf(expected), Some(_)) if live != Some(*expected) => {
            return changed("the live certificate is another one by now");
        }
        (Expect::Anything, None) if plan.place.is_some() => return changed("the lineage is gone"),
        _ => {}
    }
    if let Some(bring) = &plan.brings {
        let from = fleet.host(&bring.host).filter(|it| it.reach == Reach::Up);
        let mut there =
            from.iter().flat_map(|it| &it.places).filter_map(|it| it.layers.disk.as_ref());
        let is_there = there.any(|it| it.chain.leaf.sha256 == bring.leaf);
        return if is_there {
            None
        } else {
            changed(&format!("{} has another one by now", bring.host))
        };
    }
    match &plan.promise {
        Promise::Leaf(wanted) => {
            let versions = place.map(|it| it.versions.as_slice()).unwrap_or_default();
            let mut kept = versions.iter().filter_map(|it| it.certificate.as_ref());
            if kept.any(|it| it.sha256 == *wanted) {
                return None;
            }
            changed("the version is not in the archive any more")
        }
        Promise::TimerArmed => {
            let mut triggers = host.automation.iter().flat_map(|it| it.schedule.starting_all());
            match triggers.next() {
                Some(it) => changed(&format!("{} is armed by now", it.name)),
                None => None,
            }
        }
        Promise::Executable(path) => {
            let mut hooks = host.automation.iter().flat_map(|it| &it.hooks);
            match hooks.find(|it| it.path == path.as_str()) {
                None => changed(&format!("{path} is gone")),
                Some(it) if it.is_executable => changed(&format!("{path} is executable by now")),
                Some(_) => None,
            }
        }
        Promise::ClockRight => {
            let is_off =
                host.clock_offset.is_none_or(|it| it.saturating_abs() > super::card::CLOCK);
            if is_off { None } else { changed("its clock is right by now") }
        }
        Promise::Chain(first) => {
            let disk = place.and_then(|it| it.layers.disk.as_ref());
            let is_there =
                disk.and_then(|it| it.chain.rest.first()).is_some_and(|it| it.sha256 == *first);
            if is_there { changed("the chain has been replaced by now") } else { None }
        }
        Promise::NewLeaf
        | Promise::SameLeaf
        | Promise::Served
        | Promise::Serves(_)
        | Promise::Delivered(_)
        | Promise::Renewable => None,
    }
}

impl Confirmed {
    /// The plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// How it was confirmed, for the audit log.
    pub fn how(&self) -> &str {
        &self.how
    }

    /// Whether the plans have nothing to do with each other: they were confirmed once and for
    /// all, and one that fails is no reason to leave out the next.
    pub fn is_standing(&self) -> bool {
        self.is_standing
    }

    /// Why it is done.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The guided run in which it is done.
    pub fn guide(&self) -> Option<&str> {
        self.guide.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample::{NOW, Sample, certificate, place, sample, sighting};
    use super::*;
    use crate::fleet::{DAY, HostName, Outcome, Seen, Unreached, Visit, Why};
    use crate::text::SafeText;

    fn plan(fleet: &Sample, action: &str, host: &str) -> Plan {
        fleet.plan(action, &format!("{host}/www.example.net"), &[]).unwrap()
    }

    /// One plan of each tier, and what confirms it beside `--yes`.
    fn reviews(fleet: &Sample) -> [(Review, Answer<'static>); 5] {
        let one = |action, host| Review::new(vec![plan(fleet, action, host)]);
        let both = |action| {
            Review::new(vec![plan(fleet, action, "web-01"), plan(fleet, action, "web-02")])
        };
        [
            (one("dry-run", "web-01"), Answer::Nothing),
            (one("renew", "web-01"), Answer::Key),
            (one("force-renew", "web-01"), Answer::Typed("www.example.net")),
            // The group of web-02 wants names to be typed.
            (one("renew", "web-02"), Answer::Typed("www.example.net")),
            (both("renew"), Answer::Typed("renew 2")),
        ]
    }

    #[test]
    fn what_is_asked_for_confirms() {
        let fleet = sample();
        for (review, answer) in reviews(&fleet) {
            let review = review.because(Some("practice".to_owned()));
            let confirmed = review.confirm(answer, &fleet.fleet, NOW).unwrap();
            assert!(!confirmed.how().is_empty());
            assert_eq!(confirmed.reason(), Some("practice"));
        }
    }

    #[test]
    fn yes_needs_the_name_or_the_number() {
        let fleet = sample();
        for at in 0..4 {
            for yes in ["www.example.net", "1"] {
                let (review, _) = reviews(&fleet).into_iter().nth(at).unwrap();
                assert!(review.confirm(Answer::Yes(yes), &fleet.fleet, NOW).is_ok(), "{at} {yes}");
            }
        }
        for (yes, is_right) in
            [("2", true), ("1", false), ("www.example.net", false), ("02", false)]
        {
            let [.., (many, _)] = reviews(&fleet);
            assert_eq!(
                many.confirm(Answer::Yes(yes), &fleet.fleet, NOW).is_ok(),
                is_right,
                "{yes}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_the_name_is_not_it() {
        let fleet = sample();
        for typed in [
            "",
            " www.example.net",
            "www.example.net\n",
            "WWW.example.net",
            "www.example.net.",
            // A Cyrillic е.
            "www.\u{435}xample.net",
            "www\u{200b}.example.net",
            "web-01/www.example.net",
            "1",
        ] {
            let [_, _, (review, _), ..] = reviews(&fleet);
            let (review, why) =
                review.confirm(Answer::Typed(typed), &fleet.fleet, NOW).unwrap_err();
            assert_eq!(why, NotConfirmed::Wrong(Ask::Type("www.example.net".to_owned())));
            assert_eq!(review.plans().len(), 1);
        }
    }

    /// Answers that are near to right ones, and any others.
    fn answers() -> impl Strategy<Value = (u8, String)> {
        let texts = ["www.example.net", "web-01/www.example.net", "1", "2", "renew 2", "y", "yes"];
        (
            0..4_u8,
            prop_oneof![prop::sample::select(texts.to_vec()).prop_map(str::to_owned), ".{0,20}"],
        )
    }

    proptest! {
        #[test]
        fn no_other_answer_confirms((kind, text) in answers(), which in 0..5_usize) {
            let fleet = sample();
            let (review, wanted) = reviews(&fleet).into_iter().nth(which).unwrap();
            let answer = match kind {
                0 => Answer::Nothing,
                1 => Answer::Key,
                2 => Answer::Typed(&text),
                _ => Answer::Yes(&text),
            };
            let count = review.plans().len();
            let target = review.plans()[0].target();
            let is_meant = match count {
                1 => [target.as_str(), "www.example.net", "1"].contains(&text.as_str()),
                _ => text == "2",
            };
            let is_right = answer == wanted || (kind == 3 && is_meant);
            prop_assert_eq!(review.confirm(answer, &fleet.fleet, NOW).is_ok(), is_right);
        }
    }

    /// Whoever set up a timer has not agreed to anything else.
    #[test]
    fn with_nobody_there_only_renewals_and_deliveries_without_a_key_are_confirmed() {
        let fleet = sample();
        let confirms = |action: &str, choices: &[(&'static str, &str)]| {
            let plan = fleet.plan(action, "web-01/www.example.net", choices).unwrap();
            Review::new(vec![plan]).confirm(Answer::Standing, &fleet.fleet, NOW).is_ok()
        };
        assert!(confirms("renew", &[]) && confirms("deliver", &[("to", "edge")]));
        assert!(!confirms("force-renew", &[]) && !confirms("dry-run", &[]));
        assert!(!confirms("deliver", &[("to", "edge"), ("with-key", "yes")]));
    }

    #[test]
    fn nothing_confirms_nothing() {
        let fleet = sample();
        for answer in [Answer::Nothing, Answer::Yes("0")] {
            assert!(Review::new(Vec::new()).confirm(answer, &fleet.fleet, NOW).is_err());
        }
    }

    #[track_caller]
    fn check_stale(action: &str, outcome: Outcome, expect: &str) {
        let mut fleet = sample();
        let review = Review::new(vec![plan(&fleet, action, "web-01")]);
        assert_eq!(review.stale(&fleet.fleet), None);
        fleet.fleet.apply(Visit { host: HostName::new("web-01"), at: NOW, outcome, probes: None });
        let right = if action == "dry-run" { Answer::Nothing } else { Answer::Key };
        let (_, why) = review.confirm(right, &fleet.fleet, NOW).unwrap_err();
        assert_eq!(why, NotConfirmed::Stale(format!("web-01/www.example.net: {expect}")));
    }

    #[test]
    fn plans_grow_stale() {
        let seen = |places| Outcome::Seen(Box::new(Seen { places, ..Seen::default() }));
        let mut renewed = place();
        renewed.layers.disk = Some(sighting(certificate(3, -DAY, 89 * DAY), "/x"));
        check_stale("renew", seen(vec![renewed]), "the live certificate is another one by now");
        check_stale("renew", seen(vec![]), "the lineage is gone");
        check_stale("dry-run", seen(vec![]), "the lineage is gone");
        let text = SafeText::new("connection refused");
        let down = Outcome::Unreached(Unreached { why: Why::Refused, text, hint: None });
        check_stale("renew", down, "the host could not be read the last time");
    }

    #[test]
    fn the_last_plan_is_never_left_out() {
        let [.., (mut many, _)] = reviews(&sample());
        many.leave_out(5);
        assert_eq!(many.ask(), Ask::Type("renew 2".to_owned()));
        many.leave_out(1);
        assert_eq!(many.ask(), Ask::Key);
        many.leave_out(0);
        assert_eq!(many.plans().len(), 1);
    }
}
