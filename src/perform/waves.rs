//! Plans wave by wave: the canary, then some at once; nothing more once one has failed, and nothing
//! more while somebody wants it to wait.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;
use uuid::Uuid;

use super::course::{Course, Go};
use super::one::{Crew, Task, refusal};
use super::onward::Onward;
use super::reconcile::{reconcile, unsettled};
use super::record;
use super::{Pause, Progress, Tools};
use crate::action::Confirmed;
use crate::fleet::HostName;
use crate::rollout::{self, Rollout};
use crate::store::Held;
use crate::text::SafeText;

/// Performs plans wave by wave, and tells of everything.
pub(super) async fn perform_all(
    tools: Tools,
    confirmed: Confirmed,
    (id, held): (Uuid, Option<Held<Rollout>>),
    tell: UnboundedSender<Progress>,
    is_left: Arc<AtomicBool>,
) {
    let run = record::Run {
        id,
        how: confirmed.how().to_owned(),
        reason: confirmed.reason().map(str::to_owned),
        guide: confirmed.guide().map(str::to_owned),
        who: tools.who.clone(),
    };
    let plans = confirmed.plans();
    let hosts: Vec<HostName> = plans.iter().map(|it| it.host.clone()).collect();
    let waves = rollout::waves(plans, rollout::width(plans, &tools.inventory));
    let course = match Course::begin(&tools, id, &confirmed, &waves, held).await {
        Ok(course) => course,
        Err(why) => {
            let why = SafeText::new(&format!("the roll-out cannot be kept: {why}"));
            for at in 0..plans.len() {
                tell.send(Progress::NotBegun { at, why: why.clone() }).ok();
            }
            return;
        }
    };
    let (taken, mut stopped) = match reconcile(&tools, Some(&hosts)).await {
        Ok(all) => (unsettled(all), None),
        Err(error) => (HashMap::new(), Some(SafeText::new(&refusal(&error)))),
    };
    let refusal = AtomicBool::new(stopped.is_some());
    let away = confirmed.is_standing().then(Mutex::default);
    let onward = Onward::after(plans.len(), &tools.inventory);
    let crew = Crew { tools, run, tell, refusal, is_left, taken, course, away, onward };
    if let Some(id) = crew.course.id() {
        crew.say(Progress::Kept(id));
    }
    for (number, wave) in waves.iter().enumerate() {
        let wave_plans = wave.0.iter().filter_map(|at| Some((*at, plans.get(*at)?)));
        let go = match (&stopped, crew.course.over().await) {
            (_, Some(why)) => Go::Over(why),
            (None, None) => crew.wait().await,
            (Some(_), None) => Go::On,
        };
        match go {
            Go::On | Go::Wait(_) => {}
            Go::Stop(why) => stopped = Some(why),
            // What remains is theirs, and so is every word about it.
            Go::Over(why) => {
                for at in waves.iter().skip(number).flat_map(|it| &it.0) {
                    crew.say(Progress::NotBegun { at: *at, why: why.clone() });
                }
                return;
            }
        }
        if let Some(why) = &stopped {
            for (at, plan) in wave_plans {
                crew.leave_out(&Task::asked(at, plan), why).await;
            }
            continue;
        }
        crew.say(Progress::Wave(number + 1, waves.len()));
        let all = join_all(wave_plans.map(|(at, plan)| crew.perform(at, plan)));
        let reports = tokio::select! {
            reports = all => reports,
            never = crew.heed() => match never {},
        };
        let failed = reports.into_iter().flatten().next();
        // What has nothing to do with each other goes on, as long as there is a log.
        let goes_on = confirmed.is_standing() && !crew.refusal.load(Ordering::Acquire);
        stopped = failed.filter(|_| !goes_on);
    }
    crew.course.close().await;
}

impl Crew {
    /// Waits as long as somebody wants what remains to wait, or whoever began it wants to leave.
    async fn wait(&self) -> Go {
        let mut is_told = false;
        loop {
            match self.course.go().await {
                Go::Wait(paused) if !self.is_left.load(Ordering::Acquire) => {
                    if !is_told {
                        self.say(Progress::Pause(Pause::Reached(paused.who)));
                    }
                    is_told = true;
                    sleep(LOOK).await;
                }
                go => {
                    if is_told {
                        self.say(Progress::Pause(Pause::Over));
                    }
                    return go;
                }
            }
        }
    }

    /// While a wave is under way, tells when somebody wants what remains to wait, and when they do
    /// not any more.
    async fn heed(&self) -> Infallible {
        let mut is_told = false;
        loop {
            match self.course.go().await {
                Go::Wait(paused) if !is_told => {
                    self.say(Progress::Pause(Pause::Asked(paused.who)));
                    is_told = true;
                }
                Go::On if is_told => {
                    self.say(Progress::Pause(Pause::Over));
                    is_told = false;
                }
                _ => {}
            }
            sleep(LOOK).await;
        }
    }
}

/// How long somebody who wants it to wait waits for it to be noticed, at the most.
const LOOK: Duration = Duration::from_millis(500);
