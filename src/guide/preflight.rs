//! If a new one is needed: will it work?

use super::order::{Closed, Next};
use super::tell::SHOWN;
use super::{Answer, Does, Kind, Looked, Scene, Step};
use crate::action::Plan;
use crate::diagnose::{Finding, Remedy, at, command, word};
use crate::fleet::{HOUR, Severity};
use crate::inventory::Inventory;
use crate::preflight::Wanted;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "preflight",
    title: "Before an order: will it work?",
    why: "An order that fails uses up what the CA allows for the same name, and five failures in an hour lock it out. What can be known before is looked at before.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    match scene.next_order() {
        Some(next) if next.is_proven => None,
        Some(next) => before(scene, &next),
        None => in_vain(scene),
    }
}

/// Before an order that can be placed.
fn before(scene: &Scene<'_>, next: &Next) -> Option<Step> {
    let key = next.key();
    if scene.is_checked(&key) {
        return None;
    }
    let (remedy, plan) = next.at.first()?;
    let in_the_way = scene.in_the_way(remedy, next.is_by_client);
    let mut step = tell_closed(Step::look(&KIND), &next.closed)
        .tell(format!("order  {}", remedy.why))
        .tell(format!("cost   {}", plan.cost));
    for it in in_the_way.iter().take(SHOWN) {
        step =
            step.tell(format!("in the way: {}: {}", at(&it.host, it.place.as_ref()), it.summary));
        step = step.tell(format!("  {}", it.cause));
    }
    let last = scene.last_renewal(remedy);
    step = last.into_iter().fold(step, Step::tell);
    let failures: Vec<_> = scene
        .run
        .done
        .iter()
        .filter(|it| it.became == super::Became::Failed && it.host == remedy.host)
        .collect();
    for it in failures.iter().take(SHOWN) {
        step = step.tell(format!("before: {} {}: {}", it.action, it.target(), it.summary));
    }
    let looked = scene.looked.filter(|it| it.about == key);
    step = looked.into_iter().fold(step, |step, it| it.tell(step));
    let other = scene.other_order(remedy);
    let is_in_the_way = !in_the_way.is_empty() || looked.is_some_and(Looked::is_in_the_way);
    if let Some(other) = other.as_ref().filter(|_| is_in_the_way) {
        step = step.tell(format!("what still works, maybe (y leaves this one for it): {other}"));
    }
    let wanted = wanted(plan, scene.find.inventory);
    let command = check(&wanted, &plan.target());
    let does = match (looked, is_in_the_way) {
        (None, _) => Does::Check(wanted),
        (Some(it), _) if !it.is_over => Does::Wait,
        (Some(_), false) => Does::Look,
        (Some(_), true) if other.is_some() => Does::Other,
        (Some(_), true) => Does::Blocked,
    };
    let step = step
        .command(command)
        .command(format!("certdeck plan {}", key.trim_start_matches("certdeck run ")))
        .expect("nothing in the way", IF_NOT);
    let step = Step { about: key, ..step };
    Some(match does {
        Does::Check(_) => Step {
            effects: EFFECTS.map(SafeText::new).to_vec(),
            undo: SafeText::new("what is placed goes again, however this program ends"),
            yes: "run the checks",
            does,
            ..step
        },
        Does::Other => Step { yes: "leave this way, look at the other", does, ..step },
        does => Step { does, ..step },
    })
}

/// Where every order would be refused: that is said, and when it is not any more.
fn in_vain(scene: &Scene<'_>) -> Option<Step> {
    let (target, closed) = scene.in_vain()?;
    let about = format!("no order {target}");
    if scene.run.is_past(KIND.name, &about) {
        return None;
    }
    let step = Step::look(&KIND).tell(format!("NO ORDER IS POSSIBLE NOW for {target}."));
    let step = tell_closed(step, &closed)
        .command(format!("certdeck budget {}", word(&scene.run.about)))
        .expect("a time at which an order is possible, or another way", NO_WAY);
    Some(Step { about, yes: "go on without an order", ..step })
}

fn tell_closed(step: Step, closed: &[Closed]) -> Step {
    closed.iter().take(SHOWN).fold(step, |step, (what, why)| {
        let step = step.tell(format!("not possible now: {what}: {}", why.text));
        why.hint.iter().fold(step, |step, it| step.tell(format!("  {it}")))
    })
}

/// What is to be looked at before a plan.
fn wanted(plan: &Plan, inventory: &Inventory) -> Wanted {
    let lineage = plan.place.as_ref().map(ToString::to_string);
    let mut chosen = plan.chosen.clone();
    // What a test made, for one, is ordered anew from another CA than it would be renewed at.
    if chosen.get("issuer").is_none()
        && let Some(issuer) = issuer(plan, inventory)
    {
        chosen.set("issuer", issuer);
    }
    Wanted { host: plan.host.clone(), lineage, chosen }
}

/// Whom a plan names to order from, as an order of ours, or on the command line of a client: the
/// `[[issuer]]`, or the directory of a CA that is none.
fn issuer<'a>(plan: &'a Plan, inventory: &'a Inventory) -> Option<&'a str> {
    if let Some(order) = &plan.order {
        return Some(&order.issuer);
    }
    let mut words = plan.commands.iter().flat_map(|it| it.argv.windows(2));
    let server = words.find_map(|it| match it {
        [option, url] if option == "--server" => Some(url),
        _ => None,
    })?;
    match inventory.issuer_at(server) {
        Some((issuer, false)) => Some(&issuer.name),
        _ => Some(server),
    }
}

/// The command that looks at the same.
fn check(wanted: &Wanted, target: &str) -> String {
    let mut line = format!("certdeck preflight {}", word(target));
    for (name, value) in wanted.chosen.all().filter(|it| CHOICES.contains(&it.0)) {
        line.extend([" --", name, " ", &word(value)]);
    }
    line
}

impl Scene<'_> {
    /// Whether what is before an order was looked at and found good a short while ago, or is to be
    /// passed over for a reason.
    fn is_checked(&self, key: &str) -> bool {
        let is_it = |it: &&super::Given| it.step == KIND.name && it.about == key;
        let mut standing = self.run.standing().into_iter().filter(is_it);
        standing.any(|it| match it.answer {
            Answer::Yes => self.find.now.since(it.at) < FRESH,
            Answer::Skip => true,
            Answer::Other | Answer::Back => false,
        })
    }

    /// The command of the order that would come at the same place if this one were left: what is
    /// in the way of it is in the way at other places, mostly.
    fn other_order(&self, remedy: &Remedy) -> Option<String> {
        let next = self.next_order_but(Some(&key(remedy)))?;
        let is_there = next.at.first().is_some_and(|it| it.0.target() == remedy.target());
        is_there.then(|| next.key())
    }

    /// What was read of the host and lets an order fail.
    fn in_the_way(&self, remedy: &Remedy, is_by_client: bool) -> Vec<&Finding> {
        let is_here = |it: &&Finding| {
            it.host == remedy.host && (it.place.is_none() || it.place == remedy.place)
        };
        let rules = if is_by_client { OF_CLIENT } else { OF_ANY };
        let is_meant = |it: &&Finding| it.severity >= Severity::Warning && rules.contains(&it.rule);
        self.diagnosis.findings.iter().filter(is_here).filter(is_meant).collect()
    }

    /// How the last renewal by the client failed, which the next one may do as well.
    fn last_renewal(&self, remedy: &Remedy) -> Option<String> {
        let host = self.find.fleet.host(&remedy.host)?;
        let place = host.places.iter().find(|it| remedy.place.as_ref() == Some(&it.name))?;
        let failure = place.last_failure()?;
        let when = failure.at.map(|it| format!(", {it}")).unwrap_or_default();
        Some(format!("the last renewal failed{when}: {}", failure.text))
    }
}

/// The key of the order of a remedy.
pub(super) fn key(remedy: &Remedy) -> String {
    command(&[remedy])
}

/// Rules that tell of what any order fails for.
const OF_ANY: &[&str] = &["clock"];
/// Rules that tell of what an order by the host's client fails for.
const OF_CLIENT: &[&str] = &["clock", "needs", "credential", "lock", "authenticator"];
/// What `preflight` takes of what is chosen about an order.
const CHOICES: [&str; 5] = ["authenticator", "by", "issuer", "names", "webroot"];
/// So long what was looked at holds.
const FRESH: i64 = HOUR;
const EFFECTS: [&str; 2] = [
    "nothing is ordered; names, zones, the CA and the host are looked at",
    "a name that is proven by a file or a record: a random one is placed for a moment, looked for and removed, on record in the audit log",
];
const IF_NOT: &str = "mend what is in the way and look again (n), or skip for a reason: the order is then placed all the same. What was looked at is not kept: whoever takes the run up looks again";
const NO_WAY: &str = "wait, and look again (n); whoever must order all the same: `certdeck run ... --over-budget yes`, which is typed and on record";

#[cfg(test)]
mod tests {
    use super::super::sample::{answer, expired, run, tested};
    use super::*;
    use crate::preflight::{ALL, Kind, Outcome, Verdict};

    const PAST: &[&str] = &["certificate", "cause", "extent"];

    /// The step before the order, after a look at which this check ended so.
    #[track_caller]
    fn seen(outcomes: &[(&str, Outcome)]) -> Step {
        let fleet = expired();
        let run = run(PAST);
        let first = fleet.next(&run).unwrap();
        let Does::Check(wanted) = &first.does else { panic!("{first:?}") };
        assert_eq!((wanted.host.as_str(), wanted.lineage.as_deref()), ("web-01", Some("shop")));
        let of = |kind: &'static Kind| {
            let outcome = outcomes.iter().find(|it| it.0 == kind.name).map(|it| it.1);
            let mut verdict = Verdict::unknown("what was seen");
            verdict.outcome = outcome.unwrap_or(Outcome::Ok);
            verdict.fix = vec![SafeText::new("what to do")];
            (kind, verdict)
        };
        let verdicts = ALL.iter().map(of).collect();
        let looked = Looked { about: first.about, verdicts, is_over: true, ..Looked::default() };
        fleet.next_after(&run, &looked).unwrap()
    }

    #[test]
    fn what_is_well_and_what_can_be_lived_with_lets_it_go_on() {
        for fine in [&[][..], &[("clock", Outcome::Warning), ("http", Outcome::Unknown)]] {
            let step = seen(fine);
            assert!(matches!(step.does, Does::Look), "{step:?}");
        }
        let step = seen(&[("clock", Outcome::Warning)]);
        assert!(step.tells.contains(&SafeText::new("warning  clock: what was seen")), "{step:?}");
    }

    /// The test came from the twin, and what is ordered now does not.
    #[test]
    fn the_ca_that_is_asked_is_the_one_that_is_looked_at() {
        let step = tested().next(&run(PAST)).unwrap();
        let Does::Check(wanted) = &step.does else { panic!("{step:?}") };
        let url = "https://acme-v02.api.letsencrypt.org/directory";
        assert_eq!(wanted.chosen.get("issuer"), Some(url));
        let command = format!("certdeck preflight web-01/shop --issuer {url}");
        assert!(step.commands.iter().any(|it| it == &SafeText::new(&command)), "{step:?}");
    }

    #[test]
    fn what_fails_blocks_with_what_was_seen_and_what_to_do() {
        let step = seen(&[("ca", Outcome::Failed)]);
        assert!(matches!(step.does, Does::Blocked), "{step:?}");
        for line in ["FAILED   ca: what was seen", "  fix    what to do"] {
            assert!(step.tells.contains(&SafeText::new(line)), "{step:?}");
        }
    }

    #[test]
    fn a_look_that_goes_on_is_waited_for_and_one_of_another_order_does_not_count() {
        let fleet = expired();
        let run = run(PAST);
        let about = fleet.next(&run).unwrap().about;
        let going = Looked { about, ..Looked::default() };
        let step = fleet.next_after(&run, &going).unwrap();
        assert!(matches!(step.does, Does::Wait), "{step:?}");
        let other = Looked { about: "certdeck run renew web-09/x".into(), ..going };
        let step = fleet.next_after(&run, &other).unwrap();
        assert!(matches!(step.does, Does::Check(_)), "{step:?}");
    }

    #[test]
    fn what_was_found_good_holds_for_an_hour_and_an_override_for_the_run() {
        let fleet = expired();
        let about = fleet.next(&run(PAST)).unwrap().about;
        for (given, age, is_asked) in [
            (Answer::Yes, HOUR - 1, false),
            (Answer::Yes, HOUR, true),
            (Answer::Skip, 9 * HOUR, false),
        ] {
            let mut run = run(PAST);
            let mut given = answer(KIND.name, &about, given);
            given.at = given.at.plus(-age);
            run.answers.push(given);
            let step = fleet.next(&run).unwrap();
            assert_eq!(step.kind.name == KIND.name, is_asked, "{age}: {step:?}");
        }
    }
}
