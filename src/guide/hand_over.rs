//! The last step: what was done, what is open, and where it is on record.

use super::tell::SHOWN;
use super::{Answer, Became, Does, Kind, Proof, Scene, Step};
use crate::diagnose::at;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "hand-over",
    title: "Hand over",
    why: "The next one should not have to ask: what was seen, what was done, and what is open.",
    step,
};

#[expect(clippy::unnecessary_wraps, reason = "other steps may have nothing to do")]
fn step(scene: &Scene<'_>) -> Option<Step> {
    let run = scene.run;
    let step = Step::look(&KIND);
    let (step, yes) = match scene.proof() {
        Proof::Proven if run.done.is_empty() => {
            (step.tell("Clients get a good certificate; nothing was changed."), "close the run")
        }
        Proof::Proven => (step.tell("Done and proven on the wire."), "close the run"),
        Proof::Broken(lines) => {
            let step = step.tell("STILL BROKEN:");
            let step = lines.iter().take(SHOWN).fold(step, |it, line| it.tell(format!("  {line}")));
            (step, "close the run all the same")
        }
        Proof::Unknown(lines) => {
            let step = step.tell("Whether it is mended cannot be told:");
            let step = lines.iter().take(SHOWN).fold(step, |it, line| it.tell(format!("  {line}")));
            (step, "close the run all the same")
        }
    };
    let mut step = step.tell(format!("begun {} by {}, about {}", run.opened, run.by, run.about));
    for it in &run.done {
        let became = match it.became {
            Became::Done => "done",
            Became::Failed => "failed",
            Became::Open => "open",
        };
        step = step.tell(format!("{became:<7} {} {}: {}", it.action, it.target(), it.summary));
    }
    for it in run.standing().into_iter().filter(|it| it.answer == Answer::Skip) {
        let what = if it.about.is_empty() { &it.step } else { &it.about };
        let why = it.reason.as_deref().unwrap_or("no reason given");
        step = step.tell(format!("skipped {what}: {why} ({})", it.who));
    }
    for it in scene.worries().into_iter().take(SHOWN) {
        step = step.tell(format!("open    {}: {}", at(&it.host, it.place.as_ref()), it.summary));
    }
    let log = format!("certdeck audit list --op {}", run.id);
    let expect = "nothing open that nobody has taken over";
    let if_not = "go back, or leave it open with `quit`: the run waits";
    for it in scene.replaced().into_iter().take(SHOWN) {
        step = step.tell(format!(
            "left    {}: {}; nobody loads it any more, so remove it when there is time",
            at(&it.host, it.place.as_ref()),
            it.summary
        ));
    }
    let report = format!("certdeck incident --op {}", run.id);
    let step = step.command(report).command(log).expect(expect, if_not);
    let undo = SafeText::new("a closed run stays on record; another one can be begun at any time");
    Some(Step { does: Does::End, yes, undo, ..step })
}
