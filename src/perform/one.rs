//! One plan, from its fresh look to its outcome.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::bring;
use super::case::{Case, leaf};
use super::conclude::{self, conclude, fresh, refused};
use super::course::{BEGUN, Course};
use super::deliver;
use super::follow::{self, From, Lost};
use super::judge::explanation;
use super::kept::KeptPlan;
use super::obtain::{self, NotObtained, Reach, obtain};
use super::owner::UnderWay;
use super::record::{self, with_log};
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
}

/// A plan that may begin.
struct Ready<'a> {
    told: &'a Host,
    host: fleet::Host,
    case: Case,
}

impl Crew {
    pub(super) fn say(&self, progress: Progress) {
        // Nobody listens any more only when the run is being dropped.
        self.tell.send(progress).ok();
    }

    /// Performs one plan; if it did not end well, says why nothing more may begin.
    pub(super) async fn perform(&self, at: usize, plan: &Plan) -> Option<SafeText> {
        if self.refusal.load(Ordering::Acquire) {
            let why = SafeText::new("the audit log has refused");
            self.say(Progress::NotBegun { at, why: why.clone() });
            return Some(why);
        }
        let left = || SafeText::new("the run was stopped");
        let left = self.is_left.load(Ordering::Acquire).then(left);
        if let Some(why) = left.or_else(|| self.held(plan)) {
            self.leave_out(at, plan, &why).await;
            return Some(why);
        }
        let report = match self.prepare(plan).await {
            Ok(ready) => self.carry_out(at, plan, ready).await,
            Err((case, summary, why)) => {
                self.put_down(plan, &case, refused(&case, &summary, Some(why)), true).await
            }
        };
        let why = (report.ending != Ending::Ok).then(|| {
            let what = match report.ending {
                Ending::Refused => "was refused",
                Ending::Cancelled => "was stopped",
                Ending::Unknown => "is not known to have ended",
                Ending::NotAudited => "could not be audited",
                Ending::Ok | Ending::Failed => "failed",
            };
            SafeText::new(&format!("{} {what}", plan.target()))
        });
        self.course.ended(plan, report.ending, report.op).await;
        self.say(Progress::Ended { at, report: Box::new(report) });
        why
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
    async fn carry_out(&self, at: usize, plan: &Plan, ready: Ready<'_>) -> Report {
        let Ready { told, host, case } = ready;
        let place = case.place(&host);
        let body = record::intent(&self.run, plan, &case, told, leaf(place));
        let began = with_log(&self.tools, move |log| UnderWay::begin(|| log.intent(&body))).await;
        let (permit, under_way) = match began {
            Ok(both) => both,
            Err(error) => return self.not_begun(&case, &error),
        };
        let op = permit.op();
        self.course.began(plan, op).await;
        self.say(Progress::Began { at, op });
        let input = match &plan.brings {
            None => None,
            Some(bring) => match bring::fetch(&self.tools, bring, &permit).await {
                Ok(input) => Some(input),
                Err(text) => return self.end(permit, not_brought(&case, &text)).await,
            },
        };
        if let (Some(delivery), Some(input)) = (&plan.delivers, &input) {
            let about = (&case, place);
            let report = deliver::deliver(&self.tools, delivery, input, about, &permit).await;
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
            Ok(rehearsed) => {
                let visited = |it: &_| self.say(Progress::Visited(fleet::Visit::clone(it)));
                conclude::rehearsed(&self.tools, told, case, host, rehearsed, visited).await
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
    async fn put_down(&self, plan: &Plan, case: &Case, report: Report, begun: bool) -> Report {
        let told = self.tools.inventory.host(plan.host.as_str());
        let Some(told) = told else { return report };
        let intent = record::intent(&self.run, plan, case, told, None);
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
    pub(super) async fn leave_out(&self, at: usize, plan: &Plan, why: &SafeText) {
        if !self.refusal.load(Ordering::Acquire) {
            let case = Case::of_plan(plan);
            let summary = format!("not begun: {why}");
            let state = ["nothing was changed"];
            let report = conclude::report(&case, Ending::Cancelled, &summary, &state, None);
            self.put_down(plan, &case, report, false).await;
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

/// What a plan needs could not be read on the other host.
fn not_brought(case: &Case, text: &SafeText) -> Report {
    let why = explanation(
        "not-brought",
        "what should be brought could not be read on the other host",
        "scan both hosts, and plan again from what is there now",
    );
    refused(case, text.as_str(), Some(why))
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
