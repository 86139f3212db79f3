//! Is a good one already somewhere? What mends it without an order, the cheapest first.

use super::{Kind, Scene, Step};
use crate::diagnose::Does;

pub(super) const KIND: Kind = Kind {
    name: "repair",
    title: "Repair without an order",
    why: "A good certificate is often there already: newer on the disk, in the archive, or on a sibling. Bringing it into use takes seconds, needs no CA, and uses up no limit.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    let offers = scene.offers(&KIND, &scene.faults(), &[Does::Mends]);
    Some(offers.all.into_iter().next()?.step(&KIND))
}

#[cfg(test)]
mod tests {
    use super::super::run::{Answer, Became};
    use super::super::sample::{answer, check_step, done, next_name, run, unloaded};

    const LOOKED: &[&str] = &["certificate", "cause", "extent"];

    #[test]
    fn the_cheapest_is_offered_at_every_place_that_needs_it() {
        let told = [
            "offer  reload: nginx loads",
            "certdeck run reload web-01/shop web-02/shop --server nginx",
        ];
        check_step(&unloaded(), LOOKED, "repair", &told);
    }

    #[test]
    fn what_was_done_is_not_offered_again_and_what_remains_is() {
        let fleet = unloaded();
        let mut part = run(LOOKED);
        part.done.push(done("reload", "web-01", Became::Done));
        part.done.push(done("reload", "web-02", Became::Open));
        let step = fleet.next(&part).unwrap();
        assert_eq!(step.about, "certdeck run reload web-02/shop --server nginx");
    }

    #[test]
    fn what_failed_comes_once_more_and_then_never_again() {
        let fleet = unloaded();
        let mut twice = run(LOOKED);
        twice.done.push(done("reload", "web-01", Became::Failed));
        // The other one first.
        assert_eq!(
            fleet.next(&twice).unwrap().about,
            "certdeck run reload web-02/shop --server nginx"
        );
        twice.done.push(done("reload", "web-02", Became::Done));
        let again = fleet.next(&twice).unwrap();
        assert_eq!(again.about, "certdeck run reload web-01/shop --server nginx");
        assert!(again.tells.iter().any(|it| it.as_str().contains("no third try")), "{again:?}");
        twice.done.push(done("reload", "web-01", Became::Failed));
        assert_ne!(fleet.next(&twice).unwrap().kind.name, "repair");
    }

    #[test]
    fn what_is_skipped_is_left_out_until_somebody_goes_back() {
        let fleet = unloaded();
        let mut skipped = run(LOOKED);
        let about = fleet.next(&skipped).unwrap().about;
        skipped.answers.push(answer("repair", &about, Answer::Skip));
        assert_ne!(fleet.next(&skipped).unwrap().kind.name, "repair");
        skipped.answers.push(answer("proof", "", Answer::Back));
        assert_eq!(next_name_of(&fleet, &skipped), "repair");
    }

    fn next_name_of(fleet: &super::super::sample::Sample, run: &super::super::Run) -> String {
        fleet.next(run).map_or_else(String::new, |it| it.kind.name.to_owned())
    }

    #[test]
    fn nothing_is_offered_where_nothing_is_wrong() {
        assert_ne!(next_name(&super::super::sample::healthy(), LOOKED), "repair");
    }
}
