//! What changes something: arming, plans, what was confirmed, and what becomes of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::App;
use crate::action::{self, Answer, Choice, Chosen, Confirmed, Refusal, Subject, Tier, Why};
use crate::diagnose::Remedy;
use crate::fleet::Weight;
use crate::perform::preflight;
use crate::perform::{Ending, Progress, Reconciled};
use crate::preflight::Wanted;
use crate::rollout::Rollout;
use crate::secret_store::Seen;
use crate::store::Kept;
use crate::text::SafeText;
use crate::tui::arm::Bar;
use crate::tui::checks::ChecksId;
use crate::tui::jobs::{JobId, RunId, RunView, State, ending_word};
use crate::tui::keys::{Command, Lookup, binding};
use crate::tui::msg::Effect;
use crate::tui::overlay::{Card, Do, Form, Notice, Question};
use crate::tui::part::detail;
use crate::tui::part::menu::{self, MenuRow};
use crate::tui::request::{NOWHERE, Planned, Request};
use crate::tui::rollouts::Times;
use crate::tui::rows::RowId;
use crate::tui::screen;

impl App {
    pub(super) fn arm(&mut self, seconds: i64) {
        let text = match self.arming.arm(seconds, self.desk.now) {
            Ok(()) => "armed: actions ask, and are performed; :disarm ends it".to_owned(),
            Err(bar) => format!("arm: {bar}"),
        };
        self.say(&text);
    }

    pub(super) fn disarm(&mut self) {
        let was_armed = self.arming.disarm();
        self.say(if was_armed { "read-only again" } else { "it is read-only already" });
    }

    /// Ends armed mode when its time has come, and says so.
    pub(super) fn expire(&mut self) {
        if let Some(over) = self.arming.expire(self.desk.now) {
            self.say(&over.to_string());
        }
    }

    /// Shows what an action would do to what is marked or else selected.
    pub(super) fn plan(&mut self, number: usize) -> Vec<Effect> {
        match action::ALL.get(number) {
            Some(kind) => self.ask(self.request(kind, &self.chosen_rows())),
            None => Vec::new(),
        }
    }

    /// Shows what would mend something, with everything chosen.
    pub(super) fn mend(&mut self, remedies: &[Remedy]) -> Vec<Effect> {
        let all: Vec<&Remedy> = remedies.iter().collect();
        if let Some(request) = Request::mending(&all) {
            return self.ask(request);
        }
        let name = remedies.first().map_or("", |it| it.action);
        self.say(&format!("{name}: not an action of this version"));
        Vec::new()
    }

    /// An action as findings name it where they do, else at those rows.
    fn request(&self, kind: &'static action::Kind, rows: &[RowId]) -> Request {
        let named = self.trail.screen().mends(kind.name, &self.desk);
        Request::mending(&named).unwrap_or_else(|| Request::new(kind, rows, &self.desk))
    }

    /// Why an action can be done to nothing of what is marked or else selected.
    pub(super) fn action_refusal(&self, number: usize) -> Option<String> {
        let kind = action::ALL.get(number)?;
        let mut rows = self.chosen_rows();
        // Told for every action at each key; a look at a few is enough.
        rows.truncate(FEW);
        self.request(kind, &rows).refusal(&self.desk)
    }

    /// The certificate that is to be looked at before an order, or why there is none.
    pub(super) fn looked_at(&self) -> Result<(RowId, Wanted), &'static str> {
        let rows = self.chosen_rows();
        let [row] = rows.as_slice() else {
            return Err(if rows.is_empty() { NOWHERE } else { "one at a time" });
        };
        let RowId::Place { host, place, .. } = row else {
            return Err("select a certificate");
        };
        let (host, lineage) = (host.clone(), Some(place.to_string()));
        Ok((row.clone(), Wanted { host, lineage, chosen: Chosen::default() }))
    }

    /// Looks at what a CA will look at. Nothing is placed anywhere from a console that is not
    /// armed.
    pub(super) fn preflight(&mut self) -> Vec<Effect> {
        let Ok((row, wanted)) = self.looked_at() else { return Vec::new() };
        let lineage = wanted.lineage.as_deref().unwrap_or_default();
        let target = SafeText::new(&format!("{}/{lineage}", wanted.host)).to_string();
        let id = self.desk.looks.begin(row, target, self.desk.now);
        self.trail.open(screen::open_checks(id));
        vec![Effect::Preflight(id, wanted, self.unplaced())]
    }

    /// Looks at what a CA will look at before the order of the current step of the guided run.
    pub(super) fn check_step(&mut self) -> Vec<Effect> {
        let Some((id, wanted)) = self.desk.begin_look() else { return Vec::new() };
        vec![Effect::Preflight(id, wanted, self.unplaced())]
    }

    /// Why nothing may be placed anywhere, if nothing may.
    fn unplaced(&self) -> Option<SafeText> {
        let why = match (self.arming.bar(), self.arming.is_armed(self.desk.now)) {
            (Some(bar), _) => bar.to_string(),
            (None, false) => "the console is read-only; :arm lets it be tried".to_owned(),
            (None, true) => return None,
        };
        Some(SafeText::new(&why))
    }

    /// Takes in what a look before an order tells.
    pub(super) fn take_look(&mut self, id: ChecksId, progress: preflight::Progress) -> Vec<Effect> {
        let is_end = matches!(progress, preflight::Progress::Ended { .. });
        if let preflight::Progress::Visited(visit) = progress {
            self.desk.fleet.apply(visit);
            self.is_stale = true;
            return vec![Effect::Save];
        }
        self.desk.looks.take(id, progress);
        self.desk.settle_guide();
        if is_end && let Some(checks) = self.desk.looks.find(id) {
            let text = format!("preflight {}: {}", checks.target, checks.summary());
            self.say(&text);
            return vec![Effect::ReadLog];
        }
        Vec::new()
    }

    /// The marked rows, or else those that are selected.
    fn chosen_rows(&self) -> Vec<RowId> {
        // Marks are seen on the timeline; elsewhere what is selected is meant.
        if self.trail.number() == Some(0) && !self.desk.marks.is_empty() {
            return self.desk.marks.iter().cloned().collect();
        }
        self.trail.screen().targets(&self.desk)
    }

    /// Asks for what is open, then for a confirmation, as careful as the plans ask for.
    pub(super) fn ask(&mut self, request: Request) -> Vec<Effect> {
        let title = request.kind.title;
        if request.targets.is_empty() {
            self.say(&format!("{title}: {NOWHERE}"));
            return Vec::new();
        }
        if request.kind.subject == Subject::Lineage && request.targets.len() > 1 {
            self.say(&format!("{title}: one at a time"));
            return Vec::new();
        }
        let planned = request.plan(&self.desk);
        if must_choose(&request, &planned) {
            let complaint = complaint(&request, &planned);
            self.lay(Form::new(request, complaint, &self.desk));
            return Vec::new();
        }
        if planned.iter().all(|it| it.plan.is_err()) {
            self.lay(Notice::new(format!("{title}: not possible"), &refusals(&planned)));
            return Vec::new();
        }
        let is_safe =
            planned.iter().all(|it| it.plan.as_ref().is_ok_and(|it| it.tier == Tier::Safe));
        let is_busy = planned.iter().any(|it| self.desk.jobs.at_host(&it.target.host).is_some());
        if is_safe && !is_busy && planned.len() == 1 && self.arming.is_armed(self.desk.now) {
            return self.run_at_once(request, planned);
        }
        self.lay(Card::new(request, planned));
        Vec::new()
    }

    /// Does what is safe without a question.
    fn run_at_once(&mut self, request: Request, planned: Vec<Planned>) -> Vec<Effect> {
        let plans = planned.into_iter().filter_map(|it| it.plan.ok()).collect();
        let review = request.review(plans);
        let Ok(confirmed) = review.confirm(Answer::Nothing, &self.desk.fleet, self.desk.now) else {
            self.say("things have changed meanwhile: once more");
            return Vec::new();
        };
        self.run(request, confirmed)
    }

    /// Does what was confirmed.
    pub(super) fn run(&mut self, request: Request, confirmed: Confirmed) -> Vec<Effect> {
        if !self.arming.is_armed(self.desk.now) {
            self.say("read-only: nothing was changed");
            return Vec::new();
        }
        let plans = confirmed.plans();
        let is_safe = plans.iter().all(|it| it.tier == Tier::Safe);
        let what = match plans {
            [one] => format!("{} {}", request.kind.title, one.target()),
            many => format!("{} {} times", request.kind.title, many.len()),
        };
        let rollout = request.rollout;
        let run = self.desk.jobs.begin(request, plans, self.desk.now);
        self.desk.list_jobs();
        let key = self.keymap.key(Command::Screen4).unwrap_or_default();
        self.say(&format!("{what}: begun; {key} shows it"));
        // What was asked for with care is watched; what is safe only tells how it went.
        if !is_safe && let Some(line) = self.line_of(run) {
            self.trail.open(screen::open_job(line, &self.desk));
        }
        match rollout {
            Some(it) => vec![Effect::Resume(run, it, confirmed)],
            None => vec![Effect::Run(run, confirmed)],
        }
    }

    /// The line of a run: of its only job, or of all of them.
    fn line_of(&self, run: RunId) -> Option<JobId> {
        let mut lines = self.desk.job_lines.iter().copied();
        lines.find(|it| matches!(it, JobId::Run(id) | JobId::Job(id, _) if *id == run))
    }

    pub(super) fn again(&mut self) -> Vec<Effect> {
        let job = self.trail.screen().job(&self.desk);
        match job.and_then(|it| self.desk.jobs.again(it)) {
            Some(request) => self.ask(request),
            None => Vec::new(),
        }
    }

    /// Lets what remains of the selected roll-out wait, or go on. It takes no arming: nothing is
    /// changed by waiting, and what goes on was confirmed.
    pub(super) fn pause(&mut self) -> Vec<Effect> {
        let job = self.trail.screen().job(&self.desk);
        let standing = job.and_then(|it| self.desk.jobs.run(it)?.rollout.as_ref());
        standing.map(|it| Effect::Pause(it.id, it.paused.is_none())).into_iter().collect()
    }

    /// Takes in the roll-outs that are kept, and tells of one that was left.
    pub(super) fn take_rollouts(&mut self, all: &[Kept<Rollout>], times: &Times) {
        let left = self.desk.jobs.learn_rollouts(all, times);
        self.desk.list_jobs();
        if let Some(text) = left {
            let key = self.keymap.key(Command::Screen4).unwrap_or_default();
            self.say(&format!("{text} ({key} shows it)"));
        }
    }

    /// Stops the scan, or asks whether to stop the selected job.
    pub(super) fn stop(&mut self) -> Vec<Effect> {
        let Some(id) = self.trail.screen().job(&self.desk) else { return vec![Effect::StopScan] };
        let Some((run, job)) = self.desk.jobs.run(id).zip(self.desk.jobs.job(id)) else {
            self.say("stop: select one of its jobs; each is stopped by itself");
            return Vec::new();
        };
        let Some(op) = job.op.filter(|_| !job.is_over()) else {
            self.say("stop: it is not running");
            return Vec::new();
        };
        // Not armed is no reason: a job that does harm is stopped first.
        if let Some(bar) = self.arming.bar() {
            let text = format!("stop: {bar}; `certdeck jobs stop {op}` does it elsewhere");
            self.say(&text);
            return Vec::new();
        }
        let title = format!("{} {}, job {op}", run.action_of(job), job.target());
        if job.state == State::Ordering {
            let lines = vec![
                title,
                String::new(),
                "A CA is being asked. What answers it is taken away first; nothing is changed on \
                 the host."
                    .to_owned(),
                "The order is kept for a day: the same, begun again, goes on with it.".to_owned(),
                "Once the CA has the request it is too late: the certificate comes, and is not \
                 used."
                    .to_owned(),
            ];
            self.lay(Question::stop(lines, Do::StopJob(job.host.clone(), op)));
            return Vec::new();
        }
        let lines = vec![
            title,
            String::new(),
            "It is sent SIGTERM, never SIGKILL. certbot then takes back what it has begun; a hook \
             or a service that is being reloaded may be left half way."
                .to_owned(),
            "If the CA has issued already, the certificate counts against its limits all the same."
                .to_owned(),
            "Afterwards the host is looked at again, and what is live is told.".to_owned(),
        ];
        let does = Do::StopJob(job.host.clone(), op);
        self.lay(Question::stop(lines, does));
        Vec::new()
    }

    pub(super) fn open_job(&mut self, id: JobId) -> Vec<Effect> {
        self.trail.open(screen::open_job(id, &self.desk));
        // Those of a roll-out are told by whoever is at it.
        if self.desk.jobs.run(id).is_none_or(RunView::is_attended) {
            return Vec::new();
        }
        let Some(job) = self.desk.jobs.job_mut(id) else { return Vec::new() };
        match job.op {
            Some(op) if job.state == State::Open => {
                job.state = State::Starting;
                vec![Effect::Attach(job.host.clone(), op)]
            }
            _ => Vec::new(),
        }
    }

    /// Leaves, or asks first if jobs run.
    pub(super) fn leave(&mut self) -> Vec<Effect> {
        let goes_on = self.goes_on();
        if goes_on.is_empty() {
            return vec![Effect::Leave];
        }
        self.lay(Question::leave(&goes_on));
        Vec::new()
    }

    pub(super) fn take_log_opened(&mut self, opened: Result<(), SafeText>) -> Vec<Effect> {
        match opened {
            Ok(()) => self.arming.log_is_open(),
            Err(why) => self.arming.log_refuses(why),
        }
        vec![Effect::ReadLog]
    }

    pub(super) fn take_progress(&mut self, run: RunId, mut progress: Progress) -> Vec<Effect> {
        self.record.follow(&self.desk.jobs, run, &progress, self.desk.now);
        self.desk.jobs.take(run, &mut progress, self.desk.now);
        let mut effects = Vec::new();
        match progress {
            Progress::Visited(visit) => {
                self.desk.fleet.apply(visit);
                self.is_stale = true;
                effects.push(Effect::Save);
            }
            Progress::Ended { at, report } => {
                if report.ending == Ending::NotAudited {
                    self.arming.log_refuses(report.summary.clone());
                }
                let job = JobId::Job(run, at);
                if let Some((run, job)) = self.desk.jobs.run(job).zip(self.desk.jobs.job(job)) {
                    let word = ending_word(report.ending);
                    let text = format!(
                        "{} {}: {word}; {}",
                        run.action_of(job),
                        job.target(),
                        report.summary
                    );
                    let waited = self.desk.now.since(job.asked);
                    self.say(&text);
                    effects.extend(self.ring(waited, &text));
                }
                effects.push(Effect::ReadLog);
            }
            // What is kept tells what remains.
            Progress::NotBegun { .. } | Progress::Began { .. } | Progress::Kept(_) => {
                effects.push(Effect::ReadLog);
            }
            _ => {}
        }
        self.desk.list_jobs();
        effects
    }

    /// What has ended without a word about a job: nobody looks at it any more.
    /// What stores hold may be another thing by now.
    pub(super) fn end_run(&mut self, run: RunId) -> Vec<Effect> {
        let was_rollout = self.desk.jobs.leave(run);
        self.desk.list_jobs();
        // Whether something of a roll-out remains is known once it was put away.
        let reads = was_rollout.then_some(Effect::ReadLog);
        reads.into_iter().chain([Effect::Learn]).collect()
    }

    /// Takes in what stores hold. One that cannot be asked is told of once, and again when it has
    /// another reason.
    pub(super) fn take_stores(&mut self, seen: Seen) {
        for (host, place, stored) in seen.places {
            self.desk.fleet.learn_stored(&host, &place, stored);
        }
        for why in seen.silent.iter().filter(|it| !self.silent.contains(it)) {
            self.toast = Some(why.clone());
        }
        self.silent = seen.silent;
        self.is_stale = true;
    }

    pub(super) fn take_reconciled(
        &mut self,
        found: Result<Vec<Reconciled>, SafeText>,
    ) -> Vec<Effect> {
        match found {
            Err(why) => self.say(&format!("earlier actions could not be looked at: {why}")),
            Ok(found) if found.is_empty() => return Vec::new(),
            Ok(found) => {
                let texts: Vec<_> = found.iter().map(|it| it.text.to_string()).collect();
                for it in found {
                    self.desk.jobs.reconcile(it, self.desk.now);
                }
                let key = self.keymap.key(Command::Screen4).unwrap_or_default();
                match texts.as_slice() {
                    [one] => self.say(&format!("{one} ({key} shows it)")),
                    many => {
                        let many = many.len();
                        self.say(&format!(
                            "{many} earlier actions were looked at; {key} shows them"
                        ));
                    }
                }
            }
        }
        vec![Effect::ReadLog]
    }

    /// That the audit log refuses, why, and what to do.
    pub(super) fn banner(&self) -> Option<Line<'static>> {
        let Some(Bar::Refused(why)) = self.arming.bar() else { return None };
        let style = self.desk.theme.weight(Weight::Wrong);
        let sign = self.desk.theme.glyphs().weight(Weight::Wrong);
        let text = format!("nothing can be changed: {why}");
        let text = self.desk.page().shown(&text).into_owned();
        Some(Line::from(vec![Span::styled(format!(" {sign} "), style), Span::styled(text, style)]))
    }

    pub(super) fn draw_banner(&self, area: Rect, buf: &mut Buffer) {
        let lines: Vec<_> = self.banner().into_iter().collect();
        detail::draw(&lines, 0, &self.desk.page(), area, buf);
    }

    /// The actions that may follow the keys pressed so far.
    pub(super) fn menu_rows(&self) -> Vec<MenuRow> {
        if self.pressed.is_empty() || self.overlay.is_some() {
            return Vec::new();
        }
        let place = self.trail.screen().place();
        let Lookup::Prefix(follow) = self.keymap.lookup(&self.pressed, place) else {
            return Vec::new();
        };
        if !follow.iter().any(|(_, command)| matches!(command, Command::Act(_))) {
            return Vec::new();
        }
        let row = |(stroke, command): &(crate::tui::keys::Stroke, Command)| {
            let binding = binding(*command)?;
            let tier = match command {
                Command::Act(number) => tier_word(action::ALL.get(*number)?.tier),
                _ => "",
            };
            Some(MenuRow {
                key: stroke.to_string(),
                title: binding.title,
                about: binding.help,
                tier,
                refusal: self.refusal(*command),
            })
        };
        follow.iter().filter_map(row).collect()
    }

    pub(super) fn draw_menu(&self, area: Rect, buf: &mut Buffer) {
        let rows = self.menu_rows();
        if rows.is_empty() {
            return;
        }
        let targets = self.chosen_rows();
        let on = match targets.as_slice() {
            [] => NOWHERE.to_owned(),
            [one] => super::act::name_of(one),
            many => format!("{} rows", many.len()),
        };
        menu::draw(&format!("Actions: {on}"), &rows, &self.desk.page(), area, buf);
    }
}

/// Whether something is to be chosen before there is a plan. What cannot be done whatever is
/// chosen is not asked for.
fn must_choose(request: &Request, planned: &[Planned]) -> bool {
    let lacks_name = request.kind.subject == Subject::Lineage
        && request.targets.iter().any(|it| it.lineage.is_none());
    let is_over = |it: &Planned| it.plan.as_ref().is_err_and(|it| it.why == Why::OverBudget);
    if request.kind.choices.iter().all(Choice::is_override) && !lacks_name {
        // There is something to choose only where it is refused without.
        return planned.iter().all(is_over);
    }
    let could_be = |it: &Planned| it.plan.as_ref().err().is_none_or(|it| it.why.may_be_chosen());
    let is_possible = planned.iter().any(|it| it.plan.is_ok());
    planned.iter().any(could_be) && !(request.is_filled && is_possible)
}

/// What is wrong with what was chosen.
fn complaint(request: &Request, planned: &[Planned]) -> Option<String> {
    let mut refusals = planned.iter().filter_map(|it| it.plan.as_ref().err());
    let is_told = |it: &&Refusal| match it.why {
        Why::BadRequest => request.is_filled,
        Why::OverBudget => {
            request.is_filled || request.kind.choices.iter().all(Choice::is_override)
        }
        _ => false,
    };
    let wrong = refusals.find(is_told)?;
    let hint = wrong.hint.as_ref().map_or_else(String::new, |it| format!("; {it}"));
    Some(format!("{}{hint}", wrong.text))
}

/// Why nothing can be done, target by target, with what to do instead.
fn refusals(planned: &[Planned]) -> String {
    let told = |it: &Planned| {
        let refusal = it.plan.as_ref().err()?;
        let hint = refusal.hint.as_ref().map_or_else(String::new, |it| format!("  {it}\n"));
        Some(format!("{}: {}\n{hint}", it.target.name(), refusal.text))
    };
    planned.iter().filter_map(told).collect()
}

const fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Safe => "safe",
        Tier::Change => "asks",
        Tier::Risky | Tier::Many => "typed",
    }
}

/// As many targets as an action is tried on to see whether it can be done at all.
const FEW: usize = 8;
