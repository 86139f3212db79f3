//! What commands do.

use std::collections::BTreeSet;

use crossterm::event::{KeyCode, KeyEvent};

use super::App;
use crate::drill::Drill;
use crate::filter::Filter;
use crate::fleet::HostName;
use crate::tui::commands;
use crate::tui::keys::{Command, Place, binding};
use crate::tui::msg::{Effect, HandOver};
use crate::tui::overlay::{
    Answer, Do, Figures, FilterLine, Help, Log, Overlay, Palette, Search, Under,
};
use crate::tui::rows::{GroupBy, RowId};
use crate::tui::screen::{self, Outcome};
use crate::tui::theme::Theme;

impl App {
    /// Why a command cannot be given on this screen or now, if it cannot.
    pub(super) fn refusal(&self, command: Command) -> Option<String> {
        let place = self.trail.screen().place();
        let at = binding(command)?.place;
        if !at.is_on(place) {
            return Some(format!("only {}", at.title()));
        }
        let is_scanning = self.scan.is_some();
        let job = self.trail.screen().job(&self.desk);
        let why = match command {
            Command::Act(number) => return self.action_refusal(number),
            Command::Acknowledge | Command::Snooze | Command::TakeBack | Command::SignOff => {
                return self.remark_refusal(command);
            }
            Command::Again if job.is_none() => "no job is selected; w shows them",
            Command::Again if job.and_then(|it| self.desk.jobs.again(it)).is_none() => {
                "nothing failed there"
            }
            Command::Pause => {
                let run = job.and_then(|it| self.desk.jobs.run(it));
                match run.and_then(|it| it.rollout.as_ref()) {
                    None => "no roll-out is selected; w shows them",
                    Some(it) if it.at_it.is_none() => "nobody is at it; a a goes on with it",
                    Some(_) => return None,
                }
            }
            Command::Preflight => match self.looked_at() {
                Ok(_) => return None,
                Err(why) => why,
            },
            Command::Practice | Command::Hint | Command::GiveUp if self.desk.drill.is_none() => {
                "this is no drill; `certdeck practice` begins one"
            }
            Command::GiveUp if self.desk.drill.as_ref().is_some_and(Drill::is_over) => {
                "it is over already"
            }
            Command::Stop if job.is_none() && !is_scanning => "no scan is running",
            Command::Rescan | Command::RescanAll if is_scanning => {
                "a scan is running already; x stops it"
            }
            Command::Fold if self.desk.arrangement.group == GroupBy::Nothing => {
                "nothing is grouped yet; b groups"
            }
            Command::MarksClear if self.desk.marks.is_empty() => "no row is marked",
            _ => return None,
        };
        Some(why.to_owned())
    }

    /// Gives a command.
    pub(super) fn act(&mut self, command: Command) -> Vec<Effect> {
        if let Command::Act(number) = command {
            return self.plan(number);
        }
        if let Some(why) = self.refusal(command) {
            let title = binding(command).map_or("", |it| it.title);
            self.say(&format!("{title}: {why}"));
            return Vec::new();
        }
        if let Some(number) = screen::ALL.iter().position(|it| it.command == command) {
            self.trail.go_to(number);
            // What others have done meanwhile belongs there, too.
            let reads = matches!(command, Command::Screen4 | Command::Screen5);
            return if reads { vec![Effect::ReadLog] } else { Vec::new() };
        }
        match command {
            Command::Acknowledge | Command::Snooze | Command::TakeBack | Command::SignOff => {
                self.remark(command);
            }
            Command::Again => return self.again(),
            Command::Practice | Command::Hint | Command::GiveUp => self.drill(command),
            Command::Pause => return self.pause(),
            Command::Review => self.open_review(),
            Command::Preflight => return self.preflight(),
            Command::Stop => return self.stop(),
            Command::Interrupt => return self.interrupt(),
            Command::Suspend => return vec![Effect::Suspend],
            Command::Redraw => return vec![Effect::Redraw],
            Command::Help => self.lay(Help::default()),
            Command::Palette => self.lay(Palette::default()),
            Command::Filter => return self.filter(),
            Command::Log => self.lay(Log::default()),
            Command::Diagnostics => self.lay(Figures),
            Command::Back => self.walk(|it| it.trail.back(), "this is where the trail begins"),
            Command::Forward => self.walk(|it| it.trail.forward(), "this is where the trail ends"),
            Command::LastScreen => self.walk(|it| it.trail.swap(), "no other screen was shown yet"),
            Command::Mouse => {
                self.hears_mouse = !self.hears_mouse;
                self.say(if self.hears_mouse {
                    "mouse on: select text with Shift held down"
                } else {
                    "mouse off"
                });
                return vec![Effect::Mouse(self.hears_mouse)];
            }
            Command::Edit => {
                return vec![Effect::Edit(
                    self.trail.screen().hosts(&self.desk).into_iter().next(),
                )];
            }
            Command::Pager => {
                let text = self.trail.screen().text(&self.desk);
                if text.is_empty() {
                    self.say("nothing is selected");
                    return Vec::new();
                }
                return vec![Effect::Page(self.masked(text))];
            }
            Command::Incident => return self.hand_over(),
            Command::Rescan => {
                // What was looked at before an order is looked at again with its hosts.
                let is_in_guide = self.trail.screen().place() == Place::Guide;
                let mut effects = self.rescan();
                if is_in_guide && self.desk.forget_look() {
                    effects.extend(self.check_step());
                }
                return effects;
            }
            Command::RescanAll => {
                let all = self.desk.fleet.hosts().map(|it| it.name.clone()).collect();
                return vec![Effect::Scan(all)];
            }
            Command::CopyName
            | Command::CopyCommand
            | Command::CopySerial
            | Command::CopyPem
            | Command::CopyRow => return self.copy(command),
            Command::Emergency => return self.emergency(),
            Command::Quit => return self.quit(),
            _ => return self.give_to_screen(command),
        }
        Vec::new()
    }

    /// Takes a key while something lies over the screen.
    pub(super) fn take_overlay_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(mut overlay) = self.overlay.take() else { return Vec::new() };
        // Whoever typed ahead has not read what is asked. Esc changes nothing at any time.
        let is_early = self.seen_at.is_none_or(|it| self.up < it);
        if overlay.is_guarded() && is_early && key.code != KeyCode::Esc {
            self.overlay = Some(overlay);
            return Vec::new();
        }
        let refusals = self.refusals();
        let seen = self.seen();
        let Self { desk, keymap, record, meter, arming, .. } = self;
        let under = Under { keymap, refusals: &refusals, record, meter, arming, seen };
        match overlay.key(key, desk, &under) {
            Answer::Ask(request) => {
                self.uncover();
                return self.ask(request);
            }
            Answer::Close => self.uncover(),
            Answer::CloseAnd(text) => {
                self.uncover();
                self.say(&text);
            }
            Answer::Stay => self.overlay = Some(overlay),
            Answer::Say(text) => {
                self.overlay = Some(overlay);
                self.say(&text);
            }
            Answer::Lay(above) => {
                self.below.push(overlay);
                self.overlay = Some(above);
                self.seen_at = None;
            }
            Answer::Put(asked, words) => {
                self.uncover();
                return self.put(asked, words);
            }
            Answer::Run(request, confirmed) => {
                self.uncover();
                return self.run(request, confirmed);
            }
            Answer::Do(chosen) => {
                self.uncover();
                return self.choose(chosen);
            }
        }
        Vec::new()
    }

    /// What lay below the overlay that went away comes back, to be read again.
    fn uncover(&mut self) {
        self.overlay = self.below.pop();
        self.seen_at = None;
    }

    fn choose(&mut self, chosen: Do) -> Vec<Effect> {
        match chosen {
            Do::Command(command) => return self.act(command),
            Do::Arm(seconds) => self.arm(seconds),
            Do::Disarm => self.disarm(),
            Do::HandOver(seconds, path) => {
                return vec![Effect::HandOver(HandOver { seconds, only: None, path })];
            }
            Do::Leave => return vec![Effect::Leave],
            Do::StopJob(host, op) => {
                self.say(&format!("{host}: the job is asked to stop"));
                return vec![Effect::Stop(host, op)];
            }
            #[cfg(debug_assertions)]
            Do::Panic => return vec![Effect::Panic],
            Do::Filter(text) => match Filter::parse(&text) {
                Ok(filter) => {
                    self.desk.filter = filter;
                    self.desk.filter_text = text;
                    self.desk.arrange();
                }
                Err(complaint) => self.say(&format!("filter: {}", complaint.message)),
            },
            Do::SkipStep(why) => {
                return self.answer_guide(crate::guide::Answer::Skip, Some(why));
            }
            Do::Sort(sort) => {
                self.desk.arrangement.sort = sort;
                self.desk.arrange();
                self.say(&format!("sorted by {}", sort.word()));
            }
            Do::Group(group) => {
                self.desk.arrangement.group = group;
                self.desk.arrangement.folded.clear();
                self.desk.arrange();
                self.say(&format!("grouped by {}", group.word()));
            }
            Do::Theme(name) => {
                let theme = Theme::named(name, self.settings.depth, self.settings.is_ascii);
                match theme {
                    Some(theme) if theme.name == name => self.desk.theme = theme,
                    _ => self.say("this terminal was said to have no colours (NO_COLOR)"),
                }
            }
            Do::Zoom(seconds) => {
                self.trail.go_to(0);
                self.trail.screen_mut().zoom_to(seconds, &self.desk);
            }
        }
        Vec::new()
    }

    /// Asks for a filter of the fleet, unless the screen has a search of its own.
    fn filter(&mut self) -> Vec<Effect> {
        let area = self.areas(self.whole()).body;
        match self.trail.screen_mut().run(Command::Filter, &mut self.desk, area) {
            Outcome::Search => self.lay(Search::new(&self.desk)),
            Outcome::Say(text) => self.say(&text),
            _ => self.lay(FilterLine::new(&self.desk)),
        }
        Vec::new()
    }

    fn give_to_screen(&mut self, command: Command) -> Vec<Effect> {
        let area = self.areas(self.whole()).body;
        match self.trail.screen_mut().run(command, &mut self.desk, area) {
            Outcome::Done => {}
            Outcome::Keep { name, text } => return vec![Effect::Keep { name, text }],
            Outcome::Guide(answer) => return self.answer_guide(answer, None),
            Outcome::Mend(remedies) => return self.mend(&remedies),
            Outcome::Step => return self.ask_step(),
            Outcome::Check => return self.check_step(),
            Outcome::SkipStep => self.skip_step(),
            Outcome::Open(screen) => self.trail.open(screen),
            Outcome::OpenJob(id) => return self.open_job(id),
            Outcome::Say(text) => self.say(&text),
            Outcome::Search => self.lay(Search::new(&self.desk)),
            Outcome::Ignored => match command {
                Command::Escape => return self.escape(),
                Command::NextPane => self.next_screen(1),
                Command::PreviousPane => self.next_screen(screen::ALL.len() - 1),
                _ => {
                    let title = binding(command).map_or("", |it| it.title);
                    self.say(&format!("{title} means nothing here"));
                }
            },
        }
        Vec::new()
    }

    /// Undoes the nearest thing: a screen of its own, the filter, the scan.
    fn escape(&mut self) -> Vec<Effect> {
        if self.trail.number().is_none() && self.trail.back() {
            return Vec::new();
        }
        if self.desk.is_filtered() {
            self.desk.filter = Filter::default();
            self.desk.filter_text.clear();
            self.desk.arrange();
            self.say("no filter");
            return Vec::new();
        }
        if self.scan.is_some() {
            return vec![Effect::StopScan];
        }
        self.say("there is nothing to go back from; q leaves");
        Vec::new()
    }

    fn quit(&mut self) -> Vec<Effect> {
        if self.trail.number().is_none() && self.trail.back() {
            return Vec::new();
        }
        self.leave()
    }

    fn interrupt(&mut self) -> Vec<Effect> {
        let now = self.desk.now;
        let last = self.interrupted_at.replace(now);
        // Moments are whole seconds, so two presses a second apart may differ by one.
        if last.is_some_and(|it| now.since(it) <= 1) {
            return vec![Effect::Leave];
        }
        self.say("press ctrl-c again within a second to leave");
        Vec::new()
    }

    fn rescan(&mut self) -> Vec<Effect> {
        let marked: BTreeSet<HostName> =
            self.desk.marks.iter().filter_map(|it| it.host().cloned()).collect();
        let hosts: Vec<_> = if marked.is_empty() {
            self.trail.screen().hosts(&self.desk)
        } else {
            marked.into_iter().collect()
        };
        let hosts: Vec<_> =
            hosts.into_iter().filter(|it| self.desk.fleet.host(it).is_some()).collect();
        if hosts.is_empty() {
            self.say("no host is selected");
            return Vec::new();
        }
        let hidden = self.desk.hidden_marks();
        match hidden {
            0 => {}
            1 => self.say("1 marked row is hidden by the filter; its host is scanned too"),
            _ => self.say(&format!(
                "{hidden} marked rows are hidden by the filter; their hosts are scanned too"
            )),
        }
        vec![Effect::Scan(hosts)]
    }

    fn copy(&mut self, command: Command) -> Vec<Effect> {
        let line = self.trail.screen().line(&self.desk);
        if let (Command::CopyRow, Some(text)) = (command, line) {
            return vec![Effect::Copy { what: "the record", text }];
        }
        let Some(id) = self.trail.screen().selected(&self.desk) else {
            self.say("nothing is selected");
            return Vec::new();
        };
        match self.copied(command, &id) {
            Ok((what, text)) => vec![Effect::Copy { what, text }],
            Err(why) => {
                self.say(why);
                Vec::new()
            }
        }
    }

    fn copied(&self, command: Command, id: &RowId) -> Result<(&'static str, String), &'static str> {
        let found = self.desk.find(id);
        let place = found.and_then(|it| it.1);
        let told = id.host().and_then(|it| self.desk.inventory.host(it.as_str()));
        let config = self.desk.ssh_config.as_deref();
        match command {
            Command::CopyName => Ok(("the name", name_of(id))),
            Command::CopyRow => Ok(("the row", self.row_text(id))),
            Command::CopyCommand => {
                let told = told.ok_or("no host is selected")?;
                let command = place.map_or_else(
                    || commands::login(config, told),
                    |it| commands::show(config, told, it),
                );
                Ok(("the command", command?))
            }
            Command::CopyPem => {
                let (told, place) = told.zip(place).ok_or("no certificate is selected")?;
                Ok(("a command that prints the PEM", commands::print(config, told, place)?))
            }
            _ => {
                let leaf = place.and_then(|it| it.leaf()).ok_or("no certificate is selected")?;
                Ok(("the serial number", leaf.serial.to_string()))
            }
        }
    }

    /// A row as one line of text, its fields separated by tabs.
    fn row_text(&self, id: &RowId) -> String {
        let host = id.host().map_or("", HostName::as_str);
        let row = self.desk.rows.iter().find(|it| it.id == *id);
        let until = row.and_then(|it| it.life).map_or_else(String::new, |it| it.until.to_string());
        let verdict = self.desk.findings_of(id).0;
        format!("{host}\t{}\t{verdict}\t{until}", name_of(id))
    }

    pub(super) fn masked(&self, text: String) -> String {
        match &self.desk.mask {
            Some(mask) => mask.text(&text).into_owned(),
            None => text,
        }
    }

    fn next_screen(&mut self, steps: usize) {
        let number = self.trail.number().unwrap_or(0);
        self.trail.go_to((number + steps) % screen::ALL.len());
    }

    fn walk(&mut self, step: impl FnOnce(&mut Self) -> bool, otherwise: &str) {
        if !step(self) {
            self.say(otherwise);
        }
    }

    pub(super) fn lay(&mut self, overlay: impl Overlay + 'static) {
        self.overlay = Some(Box::new(overlay));
        self.below.clear();
        self.seen_at = None;
    }
}

/// The name that people use for a row.
pub(super) fn name_of(id: &RowId) -> String {
    match id {
        RowId::Expiry(name) | RowId::Place { place: name, .. } => name.to_string(),
        RowId::Group(title) => title.clone(),
        RowId::Host(host) => host.to_string(),
    }
}
