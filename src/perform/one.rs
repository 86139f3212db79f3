//! One plan, from its fresh look to its outcome.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::bring;
use super::case::{Case, leaf};
use super::conclude::{self, conclude, fresh, refused};
use super::course::{BEGUN, Course};
use super::deliver;
use super::follow::{self, From, Lost};
use super::judge::explanation;
use super::kept::KeptPlan;
use super::obtain::{self, NotObtained, Reach, obtain};
use super::onward::{self, Onward};
use super::owner::UnderWay;
use super::record::{self, Body, with_log};
use super::{Ending, Progress, Report, Tools, resume};
use crate::action::{Expect, Order, Plan};
use crate::audit::{self, Permit};
use crate::explain::Explanation;
use crate::fleet::{self, HostName, Moment, Why};
use crate::inventory::Host;
use crate::job::{self, Status};
use crate::text::SafeText;

/// What the plans of a run share.
pub(super) struct Crew {
    pub(super) tools: Tools,
    pub(super) run: record::Run,
    pub(super) tell: UnboundedSender<Progress>,
    /// The log has refused: nothing more begins, and nothing more is said to it.
    pub(super) refusal: AtomicBool,
    /// Whoever began it wants to leave: nothing more begins.
    pub(super) is_left: Arc<AtomicBool>,
    /// Hosts at which somebody else is at something, and what.
    pub(super) taken: HashMap<HostName, SafeText>,
    /// What is kept of a roll-out.
    pub(super) course: Course,
    /// Where nobody is there to be told again and again: the issuers that cannot be asked now, by
    /// name and whether it is the twin, and since when.
    pub(super) away: Option<Mutex<BTreeMap<(String, bool), Moment>>>,
    /// What follows from plans.
    pub(super) onward: Onward,
}

/// Something to be done: a plan that was asked for, or one that follows from one.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    /// Its place in the list.
    at: usize,
    plan: &'a Plan,
    /// The identity of the action that it follows from.
    of: Option<Uuid>,
}

impl<'a> Task<'a> {
    /// What was asked for.
    pub(super) fn asked(at: usize, plan: &'a Plan) -> Self {
        Self { at, plan, of: None }
    }

    /// Says in its intent what it follows from.
    fn link(&self, body: &mut Body) {
        if let Some(of) = self.of {
            body.insert("of".to_owned(), of.to_string().into());
        }
    }
}

/// A plan that may begin.
struct Ready<'a> {
    told: &'a Host,
    host: fleet::Host,
    case: Case,
}

impl Crew {
    pub(super) fn say(&self, progress: Progress) {
        if let Progress::Visited(visit) = &progress {
            self.onward.see(visit);
        }
        // Nobody listens any more only when the run is being dropped.
        self.tell.send(progress).ok();
    }

    /// Performs one plan and what follows from it; if something did not end well, says why nothing
    /// more may begin.
    pub(super) async fn perform(&self, at: usize, plan: &Plan) -> Option<SafeText> {
        let task = Task::asked(at, plan);
        let mut report = match self.begin(&task).await {
            Ok(report) => report,
            Err(why) => return Some(why),
        };
        let following = self.onward.following(plan, &mut report, &self.tools);
        let (mut why, of) = (not_well(plan, report.ending), report.op);
        self.course.ended(plan, report.ending, of).await;
        self.say(Progress::Ended { at, report: Box::new(report) });
        for plan in &following {
            // Nothing comes between the two, so that the places are told in their order.
            let next = self.onward.place();
            self.say(Progress::Follows { at: next, of: at, plan: Box::new(plan.clone()) });
            let not = match self.begin(&Task { at: next, plan, of }).await {
                Ok(report) => {
                    let not = not_well(plan, report.ending);
                    self.say(Progress::Ended { at: next, report: Box::new(report) });
                    not
                }
                Err(why) => Some(why),
            };
            why = why.or(not);
        }
        why
    }

    /// Performs one plan, unless nothing more may begin.
    async fn begin(&self, task: &Task<'_>) -> Result<Report, SafeText> {
        let (at, plan) = (task.at, task.plan);
        if self.refusal.load(Ordering::Acquire) {
            let why = SafeText::new("the audit log has refused");
            self.say(Progress::NotBegun { at, why: why.clone() });
            return Err(why);
        }
        let left = || SafeText::new("the run was stopped");
        let left = self.is_left.load(Ordering::Acquire).then(left);
        if let Some(why) = left.or_else(|| self.held(plan)) {
            self.leave_out(task, &why).await;
            return Err(why);
        }
        let ready = self.prepare(plan).await;
        // The look may have taken its time. What has not begun is theirs, and every word about it;
        // what follows from something of ours is nobody else's.
        if task.of.is_none()
            && let Some(why) = self.course.over().await
        {
            self.say(Progress::NotBegun { at, why: why.clone() });
            return Err(why);
        }
        Ok(match ready {
            Ok(ready) => self.carry_out(task, ready).await,
            Err((case, summary, why)) => {
                let mut report = refused(&case, &summary, Some(why));
                report.state.extend(onward::again(plan));
                self.put_down(task, &case, report, true).await
            }
        })
    }

    /// Why a plan is left for the next run: its CA could not be asked for another.
    fn held(&self, plan: &Plan) -> Option<SafeText> {
        let order = plan.order.as_ref()?;
        let away = self.away.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let since = away.get(&(order.issuer.clone(), order.is_staging))?;
        Some(SafeText::new(&format!("held: CA {} down since {since}", order.issuer)))
    }

    /// Remembers that a CA could not be asked.
    fn hold(&self, order: &Order, not: &NotObtained) {
        let Some(away) = self.away.as_ref().filter(|_| not.reach == Reach::Ca) else { return };
        let mut away = away.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.tools.clock.now();
        away.entry((order.issuer.clone(), order.is_staging)).or_insert(now);
    }

    /// Looks at the host now: is everything as the plan expects it?
    async fn prepare(&self, plan: &Plan) -> Result<Ready<'_>, (Case, String, Explanation)> {
        let mut case = Case::of_plan(plan);
        let told = self.tools.inventory.host(plan.host.as_str());
        let Some(told) = told else {
            let why = explanation("unknown-host", "the inventory has changed", "plan again");
            return Err((case, format!("{} is not in the inventory", plan.host), why));
        };
        if let Some(why) = self.taken.get(&plan.host) {
            let next = "wait for it: `certdeck jobs list` shows what runs where";
            let why_not = explanation("taken", "one change at a time on one host", next);
            return Err((case, why.to_string(), why_not));
        }
        let known = conclude::unknown(told);
        let looked = fresh(&self.tools, told, known, |it| self.say(Progress::Visited(it.clone())));
        let host = match looked.await {
            Ok(host) => host,
            Err(unreached) => {
                let next = unreached.hint.clone().unwrap_or_default();
                let name = match unreached.why {
                    Why::ChangedKey => "changed-key",
                    Why::UnknownKey => "unknown-key",
                    _ => "unreachable",
                };
                let cause = "the host cannot be read now, so nothing was sent to it";
                return Err((
                    case,
                    unreached.text.to_string(),
                    explanation(name, cause, next.as_str()),
                ));
            }
        };
        let place = case.place(&host);
        case.before = leaf(place).map(|it| it.sha256);
        let is_as_planned = match &plan.expect {
            Expect::Anything => true,
            Expect::NoLineage => place.is_none_or(fleet::Place::is_bare),
            Expect::Leaf(wanted) => case.before == Some(*wanted),
        };
        if is_as_planned {
            return Ok(Ready { told, host, case });
        }
        let summary = match &plan.expect {
            Expect::NoLineage => "the plan is stale: there is such a lineage now",
            _ => "the plan is stale: the certificate is not the one that it was made for",
        };
        let why = explanation(
            "stale",
            "something has changed on the host since the plan was made",
            "plan again from what is there now",
        );
        Err((case, summary.to_owned(), why))
    }

    /// From the intent to the outcome.
    async fn carry_out(&self, task: &Task<'_>, ready: Ready<'_>) -> Report {
        let (at, plan) = (task.at, task.plan);
        let Ready { told, host, case } = ready;
        let place = case.place(&host);
        let mut body = record::intent(&self.run, plan, &case, told, place);
        task.link(&mut body);
        let began = with_log(&self.tools, move |log| UnderWay::begin(|| log.intent(&body))).await;
        let (permit, under_way) = match began {
            Ok(both) => both,
            Err(error) => return self.not_begun(&case, &error),
        };
        let op = permit.op();
        if task.of.is_none() {
            self.course.began(plan, op).await;
        }
        self.say(Progress::Began { at, op });
        let input = match &plan.brings {
            None => None,
            Some(bring) => match bring::fetch(&self.tools, bring, &permit).await {
                Ok(input) => Some(input),
                Err(text) => return self.end(permit, not_brought(plan, &case, &text)).await,
            },
        };
        if let (Some(delivery), Some(input)) = (&plan.delivers, &input) {
            let about = (&case, place);
            let mut report = deliver::deliver(&self.tools, delivery, input, about, &permit).await;
            if report.ending != Ending::Ok {
                report.state.extend(onward::again(plan));
            }
            return self.end(permit, report).await;
        }
        let mut request =
            job::Request { input, ..request(plan, &case, &host, &permit, &self.run.who) };
        if let Some(order) = &plan.order {
            if order.is_rehearsal {
                let report = self.rehearse(at, order, &permit, (told, &case, host)).await;
                return self.end(permit, report).await;
            }
            let kept = KeptPlan::of(order, &request);
            let mut tell = |step| self.say(Progress::Ordering { at, step });
            let obtained = obtain(&self.tools, told, order, &kept, &permit, &mut tell).await;
            request.input = match obtained {
                Ok(chain) => Some(chain),
                // No certificate came of it, and nothing was changed on the host.
                Err(not) => {
                    self.hold(order, &not);
                    return self.end(permit, resume::not_obtained(&case, not)).await;
                }
            };
        }
        let sessions = &self.tools.sessions;
        let from = From::Start(&request, &permit);
        let clock = self.tools.clock;
        let followed = follow::follow(sessions, told, op, from, clock, |look| {
            self.say(match look {
                Ok(look) => Progress::Looked { at, look: look.clone() },
                Err(why) => Progress::Lost { at, why: why.text.clone() },
            });
        });
        let ended = match followed.await {
            Ok(ended) => ended,
            Err(Lost::NotBegun) => {
                let why = SafeText::new("the host does not begin it");
                return Report { op: Some(op), ..conclude::lost(&case, &why) };
            }
            Err(Lost::Vanished) => {
                let why = SafeText::new("its folder on the host is gone");
                return Report { op: Some(op), ..conclude::lost(&case, &why) };
            }
            // The outcome stays open, for a time when the host can be asked.
            Err(Lost::Unreached(why)) => {
                return Report { op: Some(op), ..conclude::lost(&case, &why.text) };
            }
        };
        let visited = |it: &_| self.say(Progress::Visited(fleet::Visit::clone(it)));
        let ended = (&ended.0, ended.1.as_slice());
        let report = match conclude(&self.tools, told, &case, host, ended, visited).await {
            Ok(report) => Report { op: Some(op), ..report },
            Err(why) => return Report { op: Some(op), ..conclude::lost(&case, &why.text) },
        };
        resume::clear(&self.tools, told, op, ended.0).await;
        let report = self.write_outcome(permit, report, ended).await;
        if plan.order.is_some() && report.ending != Ending::NotAudited {
            resume::forget(&self.tools, op);
        }
        drop(under_way);
        report
    }

    /// Tries at the CA's twin whether an order would work; the host is given no job.
    async fn rehearse(
        &self,
        at: usize,
        order: &Order,
        permit: &Permit,
        (told, case, host): (&Host, &Case, fleet::Host),
    ) -> Report {
        let mut tell = |step| self.say(Progress::Ordering { at, step });
        match obtain::rehearse(&self.tools, told, order, permit, &mut tell).await {
            Err(not) => resume::not_obtained(case, not),
            Ok(left) => {
                let visited = |it: &_| self.say(Progress::Visited(fleet::Visit::clone(it)));
                conclude::rehearsed(&self.tools, told, case, host, left, visited).await
            }
        }
    }

    /// Records the end of an action of which the host was told nothing.
    async fn end(&self, permit: Permit, report: Report) -> Report {
        let report = Report { op: Some(permit.op()), ..report };
        let outcome = record::outcome(&report, None, None);
        match with_log(&self.tools, move |log| log.outcome(permit, &outcome)).await {
            Ok(()) => report,
            Err(error) => self.not_written(report, &error),
        }
    }

    async fn write_outcome(
        &self,
        permit: Permit,
        report: Report,
        ended: (&Status, &[u8]),
    ) -> Report {
        let exit = ended.0.exit();
        let output = ended.1.to_vec();
        let told = report.clone();
        let written = with_log(&self.tools, move |log| {
            // Output that cannot be kept is no reason to lose the outcome.
            let kept = (!output.is_empty()).then(|| log.keep(&output).ok()).flatten();
            let output = kept.as_deref().map(|it| (it, output.len()));
            log.outcome(permit, &record::outcome(&told, exit, output))
        });
        match written.await {
            Ok(()) => report,
            Err(error) => self.not_written(report, &error),
        }
    }

    /// Records a plan that nothing was sent for. What is left to the next run has not even begun.
    async fn put_down(&self, task: &Task<'_>, case: &Case, report: Report, begun: bool) -> Report {
        let told = self.tools.inventory.host(task.plan.host.as_str());
        let Some(told) = told else { return report };
        let mut intent = record::intent(&self.run, task.plan, case, told, None);
        task.link(&mut intent);
        let mut outcome = record::outcome(&report, None, None);
        if !begun {
            outcome.insert(BEGUN.to_owned(), false.into());
        }
        let written = with_log(&self.tools, move |log| {
            let (permit, _under_way) = UnderWay::begin(|| log.intent(&intent))?;
            let op = permit.op();
            log.outcome(permit, &outcome).map(|()| op)
        });
        match written.await {
            Ok(op) => Report { op: Some(op), ..report },
            Err(error) => self.not_begun(case, &error),
        }
    }

    /// Tells and records that a plan was not begun, because of what became of another one.
    pub(super) async fn leave_out(&self, task: &Task<'_>, why: &SafeText) {
        let at = task.at;
        if !self.refusal.load(Ordering::Acquire) {
            let case = Case::of_plan(task.plan);
            let summary = format!("not begun: {why}");
            let state = ["nothing was changed"];
            let report = conclude::report(&case, Ending::Cancelled, &summary, &state, None);
            self.put_down(task, &case, report, false).await;
        }
        self.say(Progress::NotBegun { at, why: why.clone() });
    }

    fn not_begun(&self, case: &Case, error: &audit::Error) -> Report {
        self.refusal.store(true, Ordering::Release);
        let why = explanation(
            "not-audited",
            "nothing is changed without a record of it",
            "see `certdeck audit verify`, make room or rights, and try again",
        );
        let state = ["nothing was changed"];
        conclude::report(case, Ending::NotAudited, &refusal(error), &state, Some(why))
    }

    fn not_written(&self, report: Report, error: &audit::Error) -> Report {
        self.refusal.store(true, Ordering::Release);
        let summary = format!("{}; {}", report.summary, refusal(error));
        let mut state = report.state;
        state.push(SafeText::new(
            "the job's folder stays on the host, and the next start of certdeck records what \
             became of it before anything else is changed there",
        ));
        Report { ending: Ending::NotAudited, summary: SafeText::new(&summary), state, ..report }
    }
}

/// Why nothing more may begin after a plan that ended so.
fn not_well(plan: &Plan, ending: Ending) -> Option<SafeText> {
    let what = match ending {
        Ending::Ok => return None,
        Ending::Refused => "was refused",
        Ending::Cancelled => "was stopped",
        Ending::Unknown => "is not known to have ended",
        Ending::NotAudited => "could not be audited",
        Ending::Failed => "failed",
    };
    Some(SafeText::new(&format!("{} {what}", plan.target())))
}

/// What a plan needs could not be read on the other host.
fn not_brought(plan: &Plan, case: &Case, text: &SafeText) -> Report {
    let why = explanation(
        "not-brought",
        "what should be brought could not be read on the other host",
        "scan both hosts, and plan again from what is there now",
    );
    let mut report = refused(case, text.as_str(), Some(why));
    report.state.extend(onward::again(plan));
    report
}

/// What a host is asked to do for a plan.
fn request(
    plan: &Plan,
    case: &Case,
    host: &fleet::Host,
    permit: &Permit,
    who: &str,
) -> job::Request {
    let disk = case.place(host).and_then(|it| it.layers.disk.as_ref());
    let usual = || {
        let (dir, place) = (plan.config_dir.as_ref()?, plan.place.as_ref()?);
        Some(format!("{dir}/live/{place}/fullchain.pem"))
    };
    job::Request {
        op: permit.op(),
        title: case.title(),
        who: who.to_owned(),
        witness: (permit.seq(), permit.hash()),
        lock: plan.lock(),
        // Where the lineage itself says that it is, if that is a file.
        leaf: match disk.map(|it| it.location.as_str()) {
            Some(it) => it.starts_with('/').then(|| it.to_owned()),
            None => usual(),
        },
        expect: match &plan.expect {
            Expect::Anything => job::Expect::Anything,
            Expect::NoLineage => job::Expect::Missing,
            Expect::Leaf(leaf) => job::Expect::Leaf(*leaf),
        },
        commands: plan.commands.iter().map(|it| (it.env.clone(), it.argv.clone())).collect(),
        input: None,
    }
}

pub(super) fn refusal(error: &audit::Error) -> String {
    let cause = std::error::Error::source(error).map(|it| format!(": {it}"));
    format!("the audit log refused: {error}{}", cause.unwrap_or_default())
}
