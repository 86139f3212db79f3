//! From an order as data to its chain: the host makes key and request, the CA is asked, and what
//! answers its challenges comes and goes.

use std::time::Duration;

use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

use super::judge::explanation;
use super::kept::KeptPlan;
use super::record::{Body, lock};
use super::solve::{Answers, Precheck};
use super::{Ending, Tools, csr};
use crate::acme::caa::{self, Forbidden};
use crate::acme::ledger::{Ledger, What};
use crate::acme::order::{self, Csr, Failure, Kept, Kind, Passing, Tell, Unanswered, Wanted, Work};
use crate::acme::{self, Problem, Stage, Step, Subproblem, account};
use crate::action::{Order, Prover};
use crate::audit::Permit;
use crate::budget::{self, Event, History, NameSet};
use crate::explain::{self, Explanation, Named};
use crate::fleet::{Fleet, Moment};
use crate::inventory::{Host, Issuer};
use crate::job::Secret;
use crate::text::SafeText;

/// Why there is no chain. Nothing was changed on the host.
#[derive(Debug)]
pub(super) struct NotObtained {
    /// What happened, in one line.
    pub(super) summary: String,
    /// What it means, and the next safe step.
    pub(super) explanation: Explanation,
    /// What is still lying about, line by line.
    pub(super) left: Vec<String>,
    /// What that says of other orders.
    pub(super) reach: Reach,
    /// [`Ending::Failed`], or [`Ending::Cancelled`] where somebody asked it to stop.
    pub(super) ending: Ending,
}

/// What it says of other orders that there is no chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing.
    One,
    /// The CA cannot be asked now: nothing would come of them either.
    Ca,
}

/// Carries an order out, from wherever it is. The intent is on record.
///
/// Boxed: the compiler cannot tell of so deep a future that it may go from thread to thread.
pub(super) fn obtain<'a>(
    tools: &'a Tools,
    told: &'a Host,
    order: &'a Order,
    plan: &'a KeptPlan,
    permit: &'a Permit,
    tell: &'a mut Tell<'_>,
) -> BoxFuture<'a, Result<Secret, NotObtained>> {
    Box::pin(carry_out(tools, told, order, plan, permit, tell))
}

async fn carry_out(
    tools: &Tools,
    told: &Host,
    order: &Order,
    plan: &KeptPlan,
    permit: &Permit,
    tell: &mut Tell<'_>,
) -> Result<Secret, NotObtained> {
    let office = &*tools.office;
    let op = permit.op();
    let desk = Desk::of(tools, told, order, permit)?;
    let _held = held(tools, permit).await?;
    let mut kept = Kept::read(office, op, false).map_err(of_ca)?.unwrap_or_else(|| {
        let job = serde_json::to_value(plan).unwrap_or_default();
        let mut new = Kept::new(op, &desk.wanted(false), job);
        new.adopt(office);
        new
    });
    // Whoever stopped it did not come to say so.
    if kept.passing == Passing::Stopped {
        return Err(stopped());
    }
    // Before anything is asked of anybody, the twin included: whoever comes later has to find it.
    kept.write(office).map_err(of_ca)?;
    if (kept.url.is_none() || kept.passing == Passing::Adopted)
        && let Err(mut not) = desk.look_up(tell).await
    {
        if kept.passing == Passing::Adopted {
            kept.passing = Passing::Stopped;
        }
        desk.put_away(&kept, &mut not);
        return Err(not);
    }
    desk.carry_out(&mut kept, tell).await
}

/// Lets the staging twin look whether control of the names can be proven, and nothing else: what
/// could not be taken away afterwards, line by line.
pub(super) fn rehearse<'a>(
    tools: &'a Tools,
    told: &'a Host,
    order: &'a Order,
    permit: &'a Permit,
    tell: &'a mut Tell<'_>,
) -> BoxFuture<'a, Result<Vec<String>, NotObtained>> {
    Box::pin(async move {
        let desk = Desk::of(tools, told, order, permit)?;
        let _held = held(tools, permit).await?;
        let mut kept = Kept::new(permit.op(), &desk.wanted(true), serde_json::Value::Null);
        let rehearsed = match desk.noted().and_then(|it| desk.check_hold(it, true)) {
            Ok(()) => desk.carry_out(&mut kept, tell).await,
            Err(not) => Err(not),
        };
        Kept::release(&tools.office, permit.op());
        rehearsed?;
        // An order for these names need not be rehearsed again.
        desk.note(What::Rehearsed)?;
        Ok(left(&kept).into_iter().collect())
    })
}

/// What an order is carried out with.
struct Desk<'a> {
    tools: &'a Tools,
    told: &'a Host,
    order: &'a Order,
    issuer: &'a Issuer,
    ledger: Ledger,
    permit: &'a Permit,
}

impl<'a> Desk<'a> {
    fn of(
        tools: &'a Tools,
        told: &'a Host,
        order: &'a Order,
        permit: &'a Permit,
    ) -> Result<Self, NotObtained> {
        let issuer = tools.inventory.issuers.iter().find(|it| it.name == order.issuer);
        let issuer = issuer.ok_or_else(|| {
            let summary = format!("there is no [[issuer]] `{}` in the inventory", order.issuer);
            not(summary, "no-issuer", "the inventory has changed", "plan again")
        })?;
        Ok(Self { tools, told, order, issuer, ledger: Ledger::of(&tools.office), permit })
    }

    /// The URL of the directory that is asked.
    fn directory(&self, is_staging: bool) -> &str {
        self.issuer.url(is_staging).unwrap_or(&self.issuer.directory)
    }

    fn wanted(&self, is_rehearsal: bool) -> Wanted<'_> {
        let Self { order, issuer, .. } = self;
        Wanted {
            issuer,
            is_staging: order.is_staging || is_rehearsal,
            is_rehearsal,
            names: &order.names,
            // A twin may have other profiles, and knows no certificate that could be replaced.
            profile: order.profile.as_deref().filter(|_| !is_rehearsal),
            replaces: order.replaces.as_deref().filter(|_| !is_rehearsal),
        }
    }

    /// What has happened at CAs, as it was noted on this machine, up to now.
    fn noted(&self) -> Result<Vec<Event>, NotObtained> {
        self.ledger.events(self.tools.clock.now()).map_err(of_ca)
    }

    fn history(&self, noted: Vec<Event>) -> History {
        let told = self.tools.inventory.order_limits();
        History::new(&Fleet::default(), &told, noted, self.tools.clock.now())
    }

    /// Looks up whether the CA may be asked now: since the order was planned, others may have been
    /// placed, or the CA may have asked to be left alone.
    fn check_hold(&self, mut noted: Vec<Event>, is_staging: bool) -> Result<(), NotObtained> {
        let Self { order, issuer, .. } = self;
        if let Some(over) = order.over {
            // Whoever has said that it is placed all the same was told of what was before. What the
            // CA has said since then is news.
            noted.retain(|it| it.at > over && matches!(it.what, budget::What::Refused { .. }));
        }
        let wanted = order.wanted(self.directory(is_staging));
        let now = self.tools.clock.now();
        let Some(bucket) = self.history(noted).against(&wanted, now).into_iter().next() else {
            return Ok(());
        };
        let (why, until) = (bucket.refusal(), bucket.free_at(now));
        let when = until.map_or_else(String::new, |it| format!(" before {it}"));
        let summary = format!("{}: nothing is asked{when}: {why}", issuer.name);
        let after = until.map_or_else(String::new, |it| format!("order after {it}, or "));
        let next = format!("{after}from another [[issuer]] with --issuer; {}", bucket.kind.instead);
        Err(not(summary, "held", why.as_str(), &next))
    }

    /// Looks up what came of earlier orders: whether the CA may be asked now, and whether its
    /// twin is asked first.
    async fn look_up(&self, tell: &mut Tell<'_>) -> Result<(), NotObtained> {
        let Self { order, issuer, .. } = self;
        let noted = self.noted()?;
        self.check_hold(noted.clone(), order.is_staging)?;
        let wanted = order.wanted(self.directory(order.is_staging));
        let is_wanted = self.history(noted).wants_rehearsal(&wanted);
        if !is_wanted || order.is_staging || issuer.staging.is_none() {
            return Ok(());
        }
        let text = "control could not be proven the last time, so the staging twin is asked first";
        tell(Step { stage: Stage::Begun, text: SafeText::new(text) });
        let known = Kept::read(&self.tools.office, self.permit.op(), true).map_err(of_ca)?;
        let new = || Kept::new(self.permit.op(), &self.wanted(true), serde_json::Value::Null);
        self.carry_out(&mut known.unwrap_or_else(new), tell).await?;
        self.note(What::Rehearsed)
    }

    fn note(&self, what: What) -> Result<(), NotObtained> {
        let directory = self.directory(self.order.is_staging);
        let now = self.tools.clock.now();
        let names = NameSet::new(&self.order.names);
        self.ledger.note(directory, &names, what, now).map_err(of_ca)
    }

    /// Writes down that a CA has asked to be left alone.
    fn leave_alone(&self, is_staging: bool, until: Moment) -> Result<(), NotObtained> {
        let (directory, now) = (self.directory(is_staging), self.tools.clock.now());
        let nobody = NameSet::default();
        self.ledger.note(directory, &nobody, What::Held(until.unix()), now).map_err(of_ca)
    }

    /// Carries out an order or a rehearsal, and cleans up after it.
    async fn carry_out(&self, kept: &mut Kept, tell: &mut Tell<'_>) -> Result<Secret, NotObtained> {
        let Self { tools, told, order, permit, .. } = *self;
        let office = &*tools.office;
        kept.write(office).map_err(of_ca)?;
        let is_public = budget::orders_at(self.directory(false)).is_some();
        let precheck = match (order.is_prechecked, is_public) {
            (false, _) => Precheck::No,
            (true, true) => Precheck::Public,
            (true, false) => Precheck::Private,
        };
        let mut answers = Answers::new(tools, &order.proofs, precheck, permit);
        let stop = Kept::stop_asked(office, permit.op(), kept.is_rehearsal);
        let obtained = tokio::select! {
            biased;
            obtained = self.go_on(kept, &mut answers, tell) => obtained,
            () = stop => Err(stopped()),
        };
        let mut not = match obtained {
            Ok(chain) => {
                // An order is forgotten once its job has ended.
                if kept.is_rehearsal && kept.placed.is_empty() {
                    kept.forget(office).map_err(of_ca)?;
                }
                return Ok(chain);
            }
            Err(not) => not,
        };
        // Also where it failed before it came to the challenges of this time.
        if let Err(error) = order::clear(office, &mut answers, kept, tell).await {
            not.left.push(error.to_string());
        }
        if !order.is_rehearsal {
            csr::forget(tools, told, &order.folder, permit).await;
        }
        let is_known = kept.url.is_some() && !kept.is_rehearsal;
        if is_known && not.ending == Ending::Cancelled {
            kept.passing = Passing::Stopped;
        }
        self.put_away(kept, &mut not);
        Err(not)
    }

    /// Forgets an order of which nothing came, unless somebody may go on with it, or something of
    /// it is still in place.
    fn put_away(&self, kept: &Kept, not: &mut NotObtained) {
        let office = &*self.tools.office;
        let still = left(kept);
        let done = if kept.passing == Passing::Stopped {
            Kept::release(office, kept.op);
            kept.write(office)
        } else if still.is_none() {
            kept.forget(office)
        } else {
            Ok(())
        };
        not.left.extend(done.err().map(|it| it.to_string()));
        not.left.extend(still);
    }

    async fn go_on(
        &self,
        kept: &mut Kept,
        answers: &mut Answers<'_>,
        tell: &mut Tell<'_>,
    ) -> Result<Secret, NotObtained> {
        let Self { tools, told, order, issuer, permit, .. } = *self;
        let office = &*tools.office;
        let say = |tell: &mut Tell<'_>, text: &str| {
            tell(Step { stage: Stage::Begun, text: SafeText::new(text) });
        };
        let request = if kept.is_rehearsal {
            None
        } else {
            say(tell, "the host makes key and request; the key stays there");
            Some(csr::fetch(tools, told, order, permit).await.map_err(|it| {
                let cause = "the host could not make a key and a request for it";
                let next = "install openssl there, or see what is in the way";
                not(it.to_string(), "no-request", cause, next)
            })?)
        };
        say(tell, &format!("the account at {} is opened", issuer.name));
        let contact = order.contact.as_deref();
        let account = account::open(office, issuer, kept.is_staging, contact, permit).await;
        if let Err(acme::Error::Busy { until, .. }) = &account {
            self.leave_alone(kept.is_staging, *until)?;
        }
        let account = account.map_err(of_ca)?;
        let named = order.proofs.iter().map(|it| (it.name.as_str(), method(&it.prover)));
        let resolvers = &tools.inventory.defaults.resolvers;
        if let Err(Forbidden { text, hint }) = caa::check(resolvers, &account, named).await {
            let cause = "the CAA records of the zone forbid this CA, this account or this method, \
                         so it was not asked";
            return Err(not(text.to_string(), "caa", cause, hint.as_str()));
        }
        let csr = request.as_ref().map(|it| Csr { der: &it.der, spki: it.spki });
        if (kept.url.is_none() || kept.passing == Passing::Adopted) && !kept.is_rehearsal {
            // Before it is asked: an answer that is lost counts at the CA all the same.
            self.note(What::Ordered)?;
        }
        let mut work = Work { office, account: &account, csr, solver: answers };
        let mut obtained = work.obtain(kept, tell, permit).await;
        let is_unknown =
            |it: &Failure| matches!(it, Failure::Ca(error) if error.is("accountDoesNotExist"));
        if kept.url.is_none() && obtained.as_ref().is_err_and(is_unknown) {
            let text = "the CA does not know the account: its key is registered there again";
            say(tell, text);
            let is_staging = kept.is_staging;
            let account = account::register_again(office, issuer, is_staging, permit).await;
            let account = account.map_err(of_ca)?;
            let mut work = Work { office, account: &account, csr, solver: answers };
            obtained = work.obtain(kept, tell, permit).await;
        }
        if let Some(url) = &kept.url {
            let mut body = Body::new();
            body.insert("what".to_owned(), "ordered".into());
            body.insert("order".to_owned(), url.as_str().into());
            // A log that refuses now refuses the outcome as well, and that is told.
            lock(&tools.log).step(permit, &body).ok();
        }
        match &obtained {
            Err(Failure::Unproven { names, .. }) => {
                let directory = self.directory(kept.is_staging);
                let names = NameSet::new(names.iter().map(|it| it.0.as_str()));
                let now = tools.clock.now();
                self.ledger.note(directory, &names, What::Failed, now).map_err(of_ca)?;
                if !kept.is_rehearsal {
                    self.note(What::Unproven)?;
                }
            }
            Err(Failure::Ca(acme::Error::Busy { until, .. })) => {
                self.leave_alone(kept.is_staging, *until)?;
            }
            Ok(_) if !kept.is_rehearsal => self.note(What::Issued)?,
            _ => {}
        }
        let chain = obtained.map_err(|it| of_order(&it))?;
        // Certificates are public: the wrapping is that of what a job may be given.
        Ok(Secret::new(Zeroizing::new(chain)))
    }
}

/// Lets an order be that is too old to be taken up: what answers challenges is taken away.
pub(super) async fn give_up(
    tools: &Tools,
    told: &Host,
    order: &Order,
    kept: &mut Kept,
    permit: &Permit,
) -> NotObtained {
    let mut answers = Answers::new(tools, &order.proofs, Precheck::No, permit);
    let cleared = order::clear(&tools.office, &mut answers, kept, &mut |_| ()).await;
    csr::forget(tools, told, &order.folder, permit).await;
    let cause = "whoever began it did not come to its end, and it is too old to be taken up";
    let next = "see what is there now, and plan again";
    let mut not = not("the order was left lying".to_owned(), "left-lying", cause, next);
    not.left.extend(cleared.err().map(|it| it.to_string()));
    not
}

/// Nobody else is at the order of this action while this is held.
async fn held(tools: &Tools, permit: &Permit) -> Result<std::fs::File, NotObtained> {
    for _ in 0..HOLD_TRIES {
        if let Some(held) = Kept::hold(&tools.office, permit.op()).map_err(of_ca)? {
            return Ok(held);
        }
        tokio::time::sleep(HOLD_PAUSE).await;
    }
    let cause = "another certdeck on this machine is at the same order";
    Err(not("somebody is at it".to_owned(), "busy", cause, "wait for it: `certdeck jobs list`"))
}

/// The method by which a name is proven (RFC 8555, section 8).
fn method(prover: &Prover) -> &'static str {
    match prover {
        Prover::Webroots { .. } => Kind::Http01.name(),
        Prover::Dns(_) => Kind::Dns01.name(),
    }
}

/// That what answered challenges is still in place, if it is.
fn left(kept: &Kept) -> Option<String> {
    let text = "what answered the challenges is still in place: the next start of certdeck tries \
                again to remove it";
    (!kept.placed.is_empty()).then(|| text.to_owned())
}

/// Somebody asked it to stop.
fn stopped() -> NotObtained {
    let cause = "somebody asked it to stop before the CA had the request of the host";
    let next = "the same, begun again within a day, goes on with its order";
    let not = not("the order was stopped".to_owned(), "stopped", cause, next);
    NotObtained { ending: Ending::Cancelled, ..not }
}

fn not(summary: String, name: &'static str, cause: &str, next: &str) -> NotObtained {
    explained_by(summary, explanation(name, cause, next))
}

fn explained_by(summary: String, explanation: Explanation) -> NotObtained {
    NotObtained {
        summary,
        explanation,
        left: Vec::new(),
        reach: Reach::One,
        ending: Ending::Failed,
    }
}

/// What an order came to, in words.
fn of_order(failure: &Failure) -> NotObtained {
    match failure {
        Failure::Ca(error) => of_ca(error.clone()),
        Failure::Unproven { ca, names } => {
            let told: Vec<_> = names.iter().map(|(name, it)| format!("{name}: {it}")).collect();
            let summary = format!("{ca} could not verify {}", told.join("; "));
            explained_by(summary, explained(&Problem::default(), names, None))
        }
        Failure::Unanswered(Unanswered { text, hint }) => {
            let cause = "the answer to the CA's challenge is not in place, so the CA was not asked \
                         to look";
            let next =
                hint.as_ref().map_or("mend that first; then plan it again", |it| it.as_str());
            not(text.to_string(), "unanswered", cause, next)
        }
        Failure::Wrong { ca, why } => {
            let cause = "what came from the CA is not what was ordered, and nothing of it was used";
            not(
                format!("{ca}: {why}"),
                "wrong-certificate",
                cause,
                "ask the CA; order elsewhere meanwhile",
            )
        }
        Failure::Stuck { ca, why } => {
            let cause = "the CA did not come to an end with the order";
            let next = "see the CA's status page; order from another [[issuer]] if it cannot wait";
            not(format!("{ca}: {why}"), "stuck", cause, next)
        }
    }
}

/// The same of what a CA said, or did not say.
#[expect(clippy::needless_pass_by_value, reason = "where it is mapped, it is given away")]
fn of_ca(error: acme::Error) -> NotObtained {
    let hint = error.hint().unwrap_or("see what it says");
    let explanation = match &error {
        acme::Error::Busy { until, problem, status, .. } => {
            let problem = problem
                .clone()
                .unwrap_or_else(|| Problem { status: *status, ..Problem::default() });
            explained(&problem, &[], Some(*until))
        }
        acme::Error::Problem { problem, .. } => explained(problem, &[], None),
        acme::Error::Unreached { .. } | acme::Error::Answer { .. } => {
            explanation("ca-down", "the CA does not answer as it should", hint)
        }
        _ => explanation("refused-by-ca", "the order could not be placed", hint),
    };
    let is_away = match &error {
        acme::Error::Unreached { .. } | acme::Error::Busy { .. } => true,
        acme::Error::Answer { status, .. } => *status >= 500,
        acme::Error::Problem { problem, .. } => problem.status >= 500,
        _ => false,
    };
    let reach = if is_away { Reach::Ca } else { Reach::One };
    NotObtained { reach, ..explained_by(error.to_string(), explanation) }
}

/// A problem in words.
fn explained(
    problem: &Problem,
    names: &[(SafeText, Problem)],
    until: Option<Moment>,
) -> Explanation {
    let named = |it: &'_ Subproblem| -> (String, String, String) {
        let name = it.name.as_ref().map(ToString::to_string).unwrap_or_default();
        (name, it.kind.to_string(), it.detail.to_string())
    };
    let told: Vec<_> = problem.subproblems.iter().map(named).collect();
    let told = told.iter().map(|(name, kind, detail)| Named { name, kind, detail });
    let seen = names.iter().map(|(name, it)| Named {
        name: name.as_str(),
        kind: it.kind.as_str(),
        detail: it.detail.as_str(),
    });
    explain::acme(&explain::Problem {
        kind: problem.kind.as_str(),
        detail: problem.detail.as_str(),
        status: problem.status,
        names: seen.chain(told).collect(),
        until,
    })
}

const HOLD_TRIES: u32 = 10;
const HOLD_PAUSE: Duration = Duration::from_millis(200);
