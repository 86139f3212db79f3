//! What an order would use up at the CA, and whether it has that much left.

use super::{Case, Evidence, Kind, Outcome, Verdict};
use crate::budget::exact;

pub(super) const KIND: Kind = Kind {
    name: "budget",
    about: "does the CA still allow it, by all that is known?",
    needs: &[],
    judge,
};

fn judge(case: &Case, _evidence: &Evidence) -> Verdict {
    let cost = &case.cost;
    match cost.against.first() {
        Some(bucket) => {
            let when = bucket.free_at(case.now).map_or_else(
                || "somebody has to visit the page that the CA names".to_owned(),
                |until| format!("order again after {until}, in {}", exact(until.since(case.now))),
            );
            Verdict::new(Outcome::Failed, format!("{} ({})", bucket.refusal(), cost.text))
                .fix(when)
                .fix(bucket.kind.instead)
                .fix(
                    "a version that is kept, or a sibling, costs nothing: `rollback`, `transplant`",
                )
        }
        None if !cost.is_known => Verdict::not_needed(&cost.text),
        None => Verdict::new(Outcome::Ok, &cost.text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::*;

    #[test]
    fn what_is_used_up_is_told_with_the_time_at_which_it_comes_back() {
        let mut case = case();
        let directory = "https://acme-v02.api.letsencrypt.org/directory";
        order_from(&mut case, directory);
        assert_eq!(KIND.judge(&case, &Evidence::default()).outcome, Outcome::Ok);
        for _ in 0..5 {
            issue(&mut case);
        }
        order_from(&mut case, directory);
        let verdict = KIND.judge(&case, &Evidence::default());
        assert_eq!(verdict.outcome, Outcome::Failed, "{verdict:?}");
        assert!(verdict.fix[0].as_str().starts_with("order again after "), "{verdict:?}");
    }
}
