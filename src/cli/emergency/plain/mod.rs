//! A guided run with plain prompts: a step is told, a line is read, and so on.

mod checks;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::lines::{Gone, Lines};
use super::{is_known, not_taken, nothing, words};
use crate::action::{Answer as Typed, Ask, Confirmed, Find, NotConfirmed, Plan, Review};
use crate::budget::History;
use crate::cli::session::refused;
use crate::cli::survey::{self, note};
use crate::cli::{Context, Exit, Failure, notice, progress};
use crate::drill::Drill;
use crate::fleet::{Fleet, HostName, human};
use crate::guide::{Answer, Does, Given, Looked, Proof, Run, Scene, Step, whom_to_call};
use crate::notice::Event;
use crate::perform::{self, Ending, Reconciled, Tools, done_by, done_in};
use crate::report::plan::write_card;
use crate::scan::{Progress, Scan};
use crate::store::{Held, Runs, Store};
use crate::text::SafeText;

/// A guided run, and all that it needs.
pub(super) struct Guide<'a> {
    context: &'a Context,
    tools: Tools,
    run: Run,
    fleet: Fleet,
    /// What is known to have happened at CAs, as of the last look at hosts.
    history: History,
    lines: Lines,
    /// The hosts that were read in this session.
    read: BTreeSet<HostName>,
    /// What was looked at before an order, in this session.
    looked: Option<Looked>,
    /// How many steps were shown, and which was the last.
    shown: usize,
    last: Option<(&'static str, String)>,
    /// The drill that it is part of, where nothing is real.
    drill: Option<&'a mut Drill>,
    /// Whether it was said whom to call.
    is_reminded: bool,
}

/// How the walk goes on.
enum Next {
    /// With the step that is next now.
    On,
    /// Not here: it ends.
    Ends(Exit),
}

impl Next {
    /// Nobody is there to answer.
    const fn of(gone: Gone) -> Self {
        Self::Ends(match gone {
            Gone::End => Exit::Failed,
            Gone::Signal(number) => Exit::Code(128 + number),
        })
    }
}

impl<'a> Guide<'a> {
    pub(super) fn new(
        context: &'a Context,
        tools: Tools,
        run: Run,
        fleet: Fleet,
        lines: Lines,
    ) -> Self {
        let history = survey::history(context, &tools.inventory, &fleet);
        Self {
            context,
            tools,
            run,
            fleet,
            history,
            lines,
            read: BTreeSet::new(),
            looked: None,
            shown: 0,
            last: None,
            drill: None,
            is_reminded: false,
        }
    }

    /// The same as part of a drill.
    #[cfg(feature = "practice")]
    pub(super) fn for_practice(self, drill: &'a mut Drill) -> Self {
        Self { drill: Some(drill), ..self }
    }

    /// From the first look to the end, or until somebody leaves.
    pub(super) async fn walk(
        mut self,
        runs: &Runs,
        held: Option<Held<Run>>,
    ) -> Result<Exit, Failure> {
        // What is known to be about it is read first; of the rest of the fleet it needs to know
        // only afterwards.
        let known = self.scene().case().hosts();
        if known.is_empty() {
            self.read_rest().await?;
        }
        if !is_known(&self.scene()) {
            return Err(nothing(&self.run, &self.tools.inventory, self.context));
        }
        let is_new = held.is_none();
        let held = if let Some(held) = held {
            held
        } else {
            tell_others(runs, &self.run);
            let now = self.context.clock.now();
            runs.begin(&self.run, &self.tools.who, now).map_err(not_taken)?
        };
        self.record(if is_new { "begin" } else { "resume" }, &[("about", json!(self.run.about))])?;
        say(self.reminder());
        say(&format!(
            "Guided run about {}. Nothing is changed before you confirm it.\n\
             Anybody on this machine goes on with: {}\n",
            SafeText::new(&self.run.about),
            self.run.resume()
        ));
        self.settle().await?;
        self.read(known).await?;
        let ended = self.steps(&held).await;
        // A walk that ended without an answer, as after a failure, is left open as well.
        if self.run.ended.is_none() {
            self.leave()?;
        }
        ended
    }

    async fn steps(&mut self, held: &Held<Run>) -> Result<Exit, Failure> {
        loop {
            let Some(step) = self.scene().next() else {
                return Ok(Exit::Done);
            };
            // Siblings decide about causes and remedies.
            if step.kind.name != FIRST && self.read_rest().await? {
                continue;
            }
            self.remind();
            // The same once more, after another look, is no further step.
            let this = Some((step.kind.name, step.about.clone()));
            if self.last != this {
                self.shown += 1;
                self.last = this;
            }
            say(self.reminder());
            say(&words::step(&step, self.shown, width()));
            if let Next::Ends(exit) = self.answer(&step, held).await? {
                return Ok(exit);
            }
        }
    }

    /// Says whom to call, once, when the run has gone on for as long as the inventory allows.
    fn remind(&mut self) {
        let inventory = &self.tools.inventory;
        let Some(after) = inventory.defaults.escalate_after else { return };
        let since = self.context.clock.now().since(self.run.opened);
        if self.is_reminded || since < after {
            return;
        }
        self.is_reminded = true;
        let mut text = format!("\n{} and not over: call for help\n", human(since));
        for line in whom_to_call(&self.scene().case().hosts(), &self.tools.inventory) {
            let _ = writeln!(text, "  {}", SafeText::new(&line));
        }
        let _ = writeln!(text, "  So far: certdeck incident --op {}", self.run.id);
        say(&text);
    }

    /// Reads answers to a step until one leads on.
    async fn answer(&mut self, step: &Step, held: &Held<Run>) -> Result<Next, Failure> {
        loop {
            say(&format!("\n{}: ", words::question(step)));
            let line = match self.lines.next().await {
                Ok(line) => line,
                Err(gone) => return Ok(Next::of(gone)),
            };
            match (line.to_ascii_lowercase().as_str(), &step.does) {
                ("hint", _) if self.drill.is_some() => self.hint(),
                ("?" | "h" | "help", _) => say(&words::help(&self.run.resume())),
                ("q" | "quit", _) => return Ok(Next::Ends(Exit::Failed)),
                ("b" | "back", _) if !self.run.can_go_back() => {
                    say("This is the first step that can be shown.\n");
                }
                ("b" | "back", _) => {
                    self.given(step, Answer::Back, None, held)?;
                    return Ok(Next::On);
                }
                ("n" | "no", does) if !matches!(does, Does::Change(_)) => {
                    return self.again(step).await;
                }
                ("s" | "skip", Does::End) => {
                    say("The last step is not skipped: quit leaves the run open.\n");
                }
                ("s" | "skip", _) | ("n" | "no", Does::Change(_)) => match self.reason().await? {
                    Ok(Some(why)) => {
                        self.given(step, Answer::Skip, Some(why), held)?;
                        return Ok(Next::On);
                    }
                    Ok(None) => say("Nothing is left out without a reason.\n"),
                    Err(gone) => return Ok(Next::of(gone)),
                },
                ("y" | "yes", Does::Blocked) => {
                    say(
                        "Not yet: mend what is in the way and look again (n), or skip it for a reason.\n",
                    );
                }
                ("y" | "yes", Does::Check(wanted)) => {
                    return self.check(&step.about, wanted.clone()).await;
                }
                ("y" | "yes", Does::Other) => {
                    let why = self.looked.as_ref().map(Looked::obstacles);
                    self.given(step, Answer::Other, why, held)?;
                    return Ok(Next::On);
                }
                ("y" | "yes", Does::Look | Does::Wait) => {
                    self.given(step, Answer::Yes, None, held)?;
                    return Ok(Next::On);
                }
                ("y" | "yes", Does::Change(plans)) => {
                    return self.change(plans.clone(), held).await;
                }
                ("y" | "yes", Does::End) => {
                    return self.end(step, held).await.map(Next::Ends);
                }
                _ => say("y, n, skip, back, quit or ? is expected.\n"),
            }
        }
    }

    /// Looks again: at the hosts, and at what a CA will look at, if that was looked at.
    async fn again(&mut self, step: &Step) -> Result<Next, Failure> {
        self.settle().await?;
        let hosts = self.scene().case().hosts();
        self.read(hosts).await?;
        if self.looked.take().is_some_and(|it| it.about == step.about)
            && let Some(Step { about, does: Does::Check(wanted), .. }) = self.scene().next()
        {
            return self.check(&about, wanted).await;
        }
        Ok(Next::On)
    }

    /// Asks why something is left out; `None` if nothing is said.
    async fn reason(&mut self) -> Result<Result<Option<String>, Gone>, Failure> {
        say("Why? One line, for the audit log: ");
        Ok(self.lines.next().await.map(|it| (!it.is_empty()).then_some(it)))
    }

    /// Reviews plans, and does them once they are confirmed.
    async fn change(&mut self, plans: Vec<Plan>, held: &Held<Run>) -> Result<Next, Failure> {
        // Whoever took it over is at it now.
        held.check().map_err(not_taken)?;
        let about = SafeText::new(&self.run.about).to_string();
        let reason = format!("emergency: {about}");
        let review = Review::new(plans).because(Some(reason)).in_guide(self.run.id.to_string());
        let mut cards = Vec::new();
        for plan in review.plans().iter().skip(1).take(CARDS) {
            write_card(plan, &mut cards)?;
        }
        say(&String::from_utf8_lossy(&cards));
        let confirmed = match self.confirm(review).await? {
            Ok(Some(confirmed)) => confirmed,
            Ok(None) => return Ok(Next::On),
            Err(gone) => return Ok(Next::of(gone)),
        };
        self.perform(confirmed, held).await
    }

    async fn confirm(
        &mut self,
        review: Review,
    ) -> Result<Result<Option<Confirmed>, Gone>, Failure> {
        let ask = review.ask();
        let line = match &ask {
            Ask::Nothing | Ask::Key => String::new(),
            Ask::Type(text) => {
                let text = SafeText::new(text);
                say(&format!("Type {text} to do it, anything else keeps all as it is: "));
                match self.lines.next().await {
                    Ok(line) => line,
                    Err(gone) => return Ok(Err(gone)),
                }
            }
        };
        let typed = match &ask {
            Ask::Nothing => Typed::Nothing,
            // The step with its card was on the screen when `y` was typed.
            Ask::Key => Typed::Key,
            Ask::Type(_) => Typed::Typed(&line),
        };
        match review.confirm(typed, &self.fleet, self.context.clock.now()) {
            Ok(confirmed) => Ok(Ok(Some(confirmed))),
            Err((_, NotConfirmed::Wrong(_))) => {
                say("Not confirmed; nothing was changed.\n");
                Ok(Ok(None))
            }
            Err((_, NotConfirmed::Stale(what))) => {
                let what = SafeText::new(&what);
                say(&format!(
                    "Things have changed meanwhile ({what}); nothing was changed here.\n"
                ));
                let hosts = self.scene().case().hosts();
                self.read(hosts).await?;
                Ok(Ok(None))
            }
        }
    }

    async fn perform(&mut self, confirmed: Confirmed, held: &Held<Run>) -> Result<Next, Failure> {
        // Somebody may have taken it over while it was being confirmed.
        held.check().map_err(not_taken)?;
        let plans = confirmed.plans().to_vec();
        let mut run = perform::Run::start(self.tools.clone(), confirmed);
        let mut told = progress::follow(&mut run, &plans, &mut self.lines.signals).await;
        drop(run);
        for visit in told.take_visits() {
            self.fleet.apply(visit);
        }
        self.history = survey::history(self.context, &self.tools.inventory, &self.fleet);
        let outcomes = told.outcomes(&plans);
        let mut text = Vec::new();
        for it in &outcomes {
            it.write(&mut text)?;
        }
        say(&String::from_utf8_lossy(&text));
        let now = self.context.clock.now();
        let reports = outcomes.iter().filter_map(|it| Some((it.plan, it.report.ok()?)));
        let reports: Vec<_> = reports.collect();
        let is_refused = reports.iter().any(|it| it.1.ending == Ending::NotAudited);
        self.run.done.extend(reports.into_iter().map(|(plan, it)| done_by(plan, it, now)));
        if is_refused {
            return Ok(Next::Ends(Exit::AuditRefused));
        }
        if let exit @ Exit::Code(_) = told.exit() {
            return Ok(Next::Ends(exit));
        }
        held.save(&self.run).map_err(not_taken)?;
        let hosts = self.scene().case().hosts();
        self.read(hosts).await?;
        Ok(Next::On)
    }

    /// Closes the run.
    async fn end(&mut self, step: &Step, held: &Held<Run>) -> Result<Exit, Failure> {
        let proof = self.scene().proof();
        self.run.ended = Some(self.context.clock.now());
        self.given(step, Answer::Yes, None, held)?;
        let word = proof.word();
        let exit = match proof {
            Proof::Proven => Exit::Done,
            Proof::Broken(_) => Exit::Failed,
            Proof::Unknown(_) => Exit::Unknown,
        };
        self.record("end", &[("answer", json!(word))])?;
        say(&format!("The run is closed: {word}.\n"));
        let summary = SafeText::new(&format!("closed by {}", self.tools.who));
        let id = self.run.id.to_string();
        let event = Event::emergency_ended(&id, &self.run.about, word, &summary);
        notice::tell(&[event], &self.tools.inventory, self.context).await;
        Ok(exit)
    }

    /// Leaves the run open, and says how it is taken up again.
    fn leave(&mut self) -> Result<(), Failure> {
        self.record("left", &[])?;
        if self.drill.is_some() {
            say("\nThe run ends with the drill.\n");
            return Ok(());
        }
        let resume = self.run.resume();
        say(&format!("\nThe run stays open. Anybody on this machine goes on with:\n  {resume}\n"));
        Ok(())
    }

    /// Keeps an answer: in the audit log, then in the file of the run.
    fn given(
        &mut self,
        step: &Step,
        answer: Answer,
        reason: Option<String>,
        held: &Held<Run>,
    ) -> Result<(), Failure> {
        held.check().map_err(not_taken)?;
        let given = Given {
            at: self.context.clock.now(),
            who: SafeText::new(&self.tools.who),
            step: step.kind.name.to_owned(),
            about: step.about.clone(),
            answer,
            reason,
        };
        self.record(
            "answer",
            &[
                ("step", json!(given.step)),
                ("about", json!(given.about)),
                ("answer", json!(answer.word())),
                ("reason", json!(given.reason)),
            ],
        )?;
        self.run.answers.push(given);
        held.save(&self.run).map_err(not_taken)
    }

    /// Writes down what happens to the run.
    fn record(&self, event: &str, more: &[(&str, Value)]) -> Result<(), Failure> {
        let mut body = Map::new();
        body.insert("event".to_owned(), json!(event));
        body.insert("who".to_owned(), json!(self.tools.who));
        for (key, value) in more.iter().filter(|it| !it.1.is_null()) {
            body.insert((*key).to_owned(), value.clone());
        }
        let mut log = self.tools.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        log.guide(self.run.id, &body).map_err(refused)
    }

    /// Finds out what became of what was begun before, here or elsewhere. What still runs is waited
    /// for: nothing else may begin there, and its end decides what is next.
    async fn settle(&mut self) -> Result<(), Failure> {
        let hosts = self.scene().case().hosts();
        let mut told = String::new();
        loop {
            let found = perform::reconcile(&self.tools, Some(&hosts)).await.map_err(refused)?;
            let Some(running) = found.iter().find(|it| it.is_running) else {
                tell_found(&found);
                break;
            };
            let text = format!("{} runs at {}", running.op, running.host);
            if told != text {
                let text = &running.text;
                say(&format!(
                    "From before: {text}.\nWaiting for its end (Ctrl-C leaves; it goes on there) ...\n"
                ));
            }
            told = text;
            tokio::select! {
                () = tokio::time::sleep(BETWEEN) => {}
                number = self.lines.signals.next() => {
                    let text = "left while a job ran; it goes on on its host";
                    return Err(Failure::say(Exit::Code(128 + number), text));
                }
            }
        }
        let log = self.tools.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.run.done = done_in(&log.records().map_err(refused)?, self.run.id);
        Ok(())
    }

    /// Reads the hosts that were not read yet; whether there were any.
    async fn read_rest(&mut self) -> Result<bool, Failure> {
        let rest: Vec<_> = self.fleet.hosts().map(|it| it.name.clone()).collect();
        let rest: Vec<_> = rest.into_iter().filter(|it| !self.read.contains(it)).collect();
        let is_any = !rest.is_empty();
        self.read(rest).await?;
        Ok(is_any)
    }

    /// Looks at these hosts anew.
    async fn read(&mut self, hosts: Vec<HostName>) -> Result<(), Failure> {
        if hosts.is_empty() {
            return Ok(());
        }
        say(&format!("Reading {} ...\n", words::hosts(hosts.len())));
        self.read.extend(hosts.iter().cloned());
        let Tools { inventory, sessions, clock, .. } = &self.tools;
        let mut left = hosts.len();
        let mut scan = Scan::start(inventory.clone(), sessions.clone(), &self.fleet, hosts, *clock);
        // What others tell of other fleets is not waited for.
        while left > 0 {
            tokio::select! {
                progress = scan.next() => match progress {
                    None => break,
                    Some(Progress::Began(_) | Progress::Gathered(_)) => {}
                    Some(Progress::Ended(visit)) => {
                        left -= 1;
                        self.fleet.apply(visit);
                    }
                },
                number = self.lines.signals.next() => {
                    return Err(Failure::say(Exit::Code(128 + number), "stopped while hosts were read"));
                }
            }
        }
        // The snapshot is a memory, not a record: nothing depends on it.
        Store::new(&self.context.paths.state).save(&self.fleet).ok();
        self.history = survey::history(self.context, &self.tools.inventory, &self.fleet);
        self.look();
        Ok(())
    }

    /// Says that a drill is solved, as soon as it is.
    fn look(&mut self) {
        let (inventory, fleet, history) = (&*self.tools.inventory, &self.fleet, &self.history);
        let find = Find { inventory, fleet, history, now: self.context.clock.now() };
        let is_solved = self.drill.as_mut().is_some_and(|it| it.look(find));
        if is_solved {
            say(
                "\nSOLVED: all is well again, and proven. What is left of the guide may be left.\n",
            );
        }
    }

    fn hint(&mut self) {
        let hint = self.drill.as_mut().and_then(|it| it.hint());
        say(&format!("  {}\n", hint.unwrap_or("there is no plainer hint")));
    }

    /// What stands before every step where nothing is real.
    fn reminder(&self) -> &'static str {
        if self.tools.inventory.defaults.practice { PRACTICE } else { "" }
    }

    fn scene(&self) -> Scene<'_> {
        let (inventory, fleet) = (&*self.tools.inventory, &self.fleet);
        let (history, now) = (&self.history, self.context.clock.now());
        Scene::new(Find { inventory, fleet, history, now }, &self.run).after(self.looked.as_ref())
    }
}

/// Says what became of what was begun before.
fn tell_found(found: &[Reconciled]) {
    for it in found {
        say(&format!("From before: {} [{}]\n", it.text, it.op));
    }
}

/// Says that there are open runs about the same.
fn tell_others(runs: &Runs, run: &Run) {
    let mut text = String::new();
    let is_same =
        |it: &crate::store::Kept<Run>| it.run.about == run.about && it.run.ended.is_none();
    for it in runs.all().into_iter().filter(is_same) {
        let who = it.holder.as_ref().map_or(&it.run.by, |it| &it.who);
        let what = match &it.holder {
            Some(holder) if holder.is_there => "is at another run about it",
            _ => "has left another run about it open",
        };
        let _ = writeln!(text, "Note: {who} {what}: {}", it.run.resume());
    }
    say(&text);
}

/// Writes to stdout at once: somebody is waiting for it. Whoever has gone away is noticed where
/// answers are read.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        note("warning: nobody reads what is said\n");
    }
}

/// How wide the terminal is, if it is one.
fn width() -> Option<usize> {
    let out = io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok())??;
    // A serial console says that it has none.
    Some(usize::from(size.ws_col)).filter(|it| *it >= NARROW).or(Some(USUAL))
}

/// How long a job is left alone before it is asked again.
const BETWEEN: Duration = Duration::from_secs(2);
const FIRST: &str = "certificate";
/// It stands alone, so that a screen reader reads it as a sentence.
const PRACTICE: &str = "\nPRACTICE: nothing here is real.\n";
/// So many cards beside the first are shown before a question.
const CARDS: usize = 2;
const NARROW: usize = 40;
const USUAL: usize = 80;
