//! The console as a value: messages in, effects out. Never waits, never touches the world.

mod act;
mod change;
mod drill;
mod guide;
mod incident;
mod remark;
#[cfg(test)]
mod tests;
mod trail;

use std::collections::BTreeSet;
use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use super::Settings;
use super::arm::Arming;
use super::desk::Desk;
use super::escalation::Escalation;
use super::input::Input;
use super::jobs::{Job, RunView};
use super::keys::{Command, Keymap, Lookup, Stroke, binding, table};
use super::msg::{Effect, Msg, Time};
use super::overlay::{Meter, Notice, Overlay, Under};
use super::part::footer::{self, FooterView};
use super::part::header::{self, HeaderView, Mode};
use super::part::{MINIMUM, detail, practice, too_small};
use super::record::Record;
use crate::fleet::{HostName, Moment, Weight};
use crate::text::SafeText;
use incident::Attention;
use trail::Trail;

/// The whole console.
#[derive(Debug)]
pub struct App {
    desk: Desk,
    trail: Trail,
    overlay: Option<Box<dyn Overlay>>,
    /// Those that come back after it.
    below: Vec<Box<dyn Overlay>>,
    /// When the overlay was first to be seen.
    seen_at: Option<Duration>,
    arming: Arming,
    /// How long the console had been open at the last message.
    up: Duration,
    keymap: Keymap,
    settings: Settings,
    /// The beginning of a chord.
    pressed: Vec<Stroke>,
    toast: Option<SafeText>,
    /// Why stores of secrets could not be asked the last time.
    silent: Vec<SafeText>,
    scan: Option<Scanning>,
    record: Record,
    size: (u16, u16),
    /// Whether something is known that has not been judged yet.
    is_stale: bool,
    interrupted_at: Option<Moment>,
    hears_mouse: bool,
    escalation: Escalation,
    attention: Attention,
    /// Whether the end of the drill was shown.
    is_drill_told: bool,
    /// What this program costs; the loop takes the figures.
    pub meter: Meter,
}

/// A scan that is running.
#[derive(Debug, Default)]
struct Scanning {
    hosts: usize,
    ended: Vec<HostName>,
    running: BTreeSet<HostName>,
}

impl App {
    /// A console with that desk.
    pub fn new(mut desk: Desk, settings: Settings, keymap: Keymap) -> Self {
        desk.keymap = keymap.clone();
        let trail = Trail::new(&desk);
        let hears_mouse = settings.mouse;
        let mut app = Self {
            desk,
            trail,
            overlay: None,
            below: Vec::new(),
            seen_at: None,
            arming: Arming::new(settings.is_read_only),
            up: Duration::ZERO,
            keymap,
            settings,
            pressed: Vec::new(),
            toast: None,
            silent: Vec::new(),
            scan: None,
            record: Record::default(),
            size: (80, 24),
            is_stale: false,
            interrupted_at: None,
            hears_mouse,
            escalation: Escalation::default(),
            attention: Attention::default(),
            is_drill_told: false,
            meter: Meter::default(),
        };
        app.open_drill();
        app.settle();
        app
    }

    /// Takes in what happened, and tells what is to be done.
    pub fn update(&mut self, msg: Msg, at: impl Into<Time>) -> Vec<Effect> {
        let Time { now, up } = at.into();
        self.desk.now = self.desk.now.max(now);
        self.up = self.up.max(up);
        self.expire();
        let mut effects = Vec::new();
        match msg {
            Msg::Input(input) => return self.take_input(input),
            Msg::InventoryRead(Ok(inventory)) => {
                self.desk.take_inventory(inventory);
                self.say("the inventory was read again");
            }
            Msg::InventoryRead(Err(complaints)) => {
                let title = "The inventory has errors; the one before it stays";
                self.lay(Notice::new(title, &complaints));
            }
            Msg::Guide(run) => self.take_guide(run),
            Msg::GuideLost(why) => self.lose_guide(&why),
            Msg::HandedOver(written) => effects = self.take_handed_over(written),
            Msg::LogOpened(opened) => effects = self.take_log_opened(opened),
            Msg::LogRead(book) => self.desk.take_book(*book),
            Msg::RolloutsRead(all, times) => self.take_rollouts(&all, &times),
            Msg::ReviewsRead(reviews) => self.take_reviews(*reviews),
            Msg::Ran(run, progress) => effects = self.take_progress(run, progress),
            Msg::RunEnded(run) => effects = self.end_run(run),
            Msg::Held(run, why) => self.desk.jobs.hold(run, &why),
            Msg::Watched(op, seen) => self.desk.jobs.watch(op, &seen),
            Msg::Unwatched(op) => self.desk.jobs.unwatch(op),
            Msg::Looked(id, progress) => effects = self.take_look(id, progress),
            Msg::LookEnded(id) => {
                self.desk.looks.end(id);
                self.desk.settle_guide();
            }
            Msg::Reconciled(found) => effects = self.take_reconciled(found),
            Msg::Learnt(windows, unattended_at) => {
                self.desk.fleet.unattended_at = unattended_at;
                if !windows.is_empty() {
                    self.desk.fleet.learn(windows);
                    effects.push(Effect::Save);
                }
                self.is_stale = true;
                return effects;
            }
            Msg::StoresSeen(seen) => self.take_stores(*seen),
            Msg::Second => {}
            Msg::Resized(width, height) => {
                self.size = (width, height);
                // What is not drawn in a small window cannot be read there.
                if self.is_too_small() {
                    self.seen_at = None;
                }
            }
            Msg::ScanBegan(hosts) => {
                let scan = Scanning { hosts: hosts.len(), ..Scanning::default() };
                self.scan = Some(scan);
            }
            Msg::ScanEnded => {
                let scan = self.scan.take().unwrap_or_default();
                let ended = scan.ended.len();
                if ended < scan.hosts {
                    self.say(&format!("stopped: {ended} of {} hosts were read", scan.hosts));
                }
                self.is_stale = true;
                let mut effects = vec![Effect::Save, Effect::Learn];
                effects.extend((ended > 0).then_some(Effect::Notify(scan.ended)));
                return effects;
            }
            Msg::Gathered(by, told) => match told {
                Ok(hosts) => {
                    self.desk.fleet.tell(&by, hosts);
                    self.is_stale = true;
                    return Vec::new();
                }
                Err(error) => self.say(&error.to_string()),
            },
            Msg::Tick => self.is_stale = true,
            Msg::Told(text) => self.toast = Some(text),
            Msg::VisitBegan(host) => {
                if let Some(scan) = &mut self.scan {
                    scan.running.insert(host);
                }
                return Vec::new();
            }
            Msg::VisitEnded(visit, took) => {
                if let Some(scan) = &mut self.scan {
                    scan.running.remove(&visit.host);
                    scan.ended.push(visit.host.clone());
                }
                self.record.add(&visit, took);
                self.desk.fleet.apply(visit);
                self.is_stale = true;
                return Vec::new();
            }
        }
        effects.extend(self.escalate());
        self.settle();
        effects
    }

    /// Takes in that everything is on screen now, as it was drawn last.
    pub fn drawn(&mut self, up: Duration) {
        if self.overlay.is_some() && !self.is_too_small() {
            self.seen_at.get_or_insert(up);
        }
    }

    /// Whether something is shown that counts seconds.
    pub fn counts_seconds(&self) -> bool {
        self.arming.left(self.desk.now).is_some() || self.desk.jobs.running().next().is_some()
    }

    /// What goes on at which hosts without this console, line by line.
    pub fn goes_on(&self) -> Vec<String> {
        let line = |(run, job): (&RunView, &Job)| {
            let op = job.op.map_or_else(String::new, |it| format!(" (job {it})"));
            format!("{}: {} {}{op}", job.host, run.action_of(job), job.state.word())
        };
        self.desk.jobs.running().map(line).collect()
    }

    /// Whether [`Self::refresh`] has something to do.
    pub fn is_stale(&self) -> bool {
        self.is_stale && self.overlay.is_none()
    }

    /// Judges and arranges what has come in. Not while something lies over the screen: the order
    /// of rows below it stays as it was.
    pub fn refresh(&mut self) {
        if self.is_stale() {
            self.is_stale = false;
            self.desk.judge();
            self.settle();
            self.tell_drill();
        }
    }

    /// The size of the window.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Whether the mouse is listened to.
    pub fn hears_mouse(&self) -> bool {
        self.hears_mouse
    }

    /// The choices that hold as long as the console runs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is known now.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Draws everything.
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let page = self.desk.page();
        buf.set_style(area, self.desk.theme.base());
        if area.width < MINIMUM.0 || area.height < MINIMUM.1 {
            too_small(&page, area, buf);
            if self.desk.is_practice() {
                practice::draw(&page, Rect { y: area.bottom().max(1) - 1, ..area }, buf);
            }
            return;
        }
        let parts = self.areas(area);
        practice::draw(&page, parts.practice, buf);
        self.draw_header(parts.header, buf);
        self.draw_banner(parts.banner, buf);
        self.trail.screen().draw(&self.desk, parts.body, buf);
        self.draw_filter(parts.filter, buf);
        self.draw_footer(parts.footer, buf);
        self.draw_menu(parts.body, buf);
        if let Some(overlay) = &self.overlay {
            let refusals = self.refusals();
            let at = if overlay.is_line() { parts.filter } else { parts.body };
            overlay.draw(&self.desk, &self.under(&refusals), at, buf);
        }
    }

    fn take_input(&mut self, input: Input) -> Vec<Effect> {
        let effects = match input {
            Input::Key(key) => self.take_key(key),
            Input::Paste(text) => {
                self.take_paste(&text);
                Vec::new()
            }
            Input::Click(column, row) => {
                let body = self.areas(self.whole()).body;
                if self.overlay.is_none() {
                    self.trail.screen_mut().click(&self.desk, body, (column, row));
                }
                Vec::new()
            }
            Input::Wheel(rows) => {
                let command = if rows < 0 { Command::Up } else { Command::Down };
                let mut effects = Vec::new();
                for _ in 0..rows.unsigned_abs() {
                    if self.overlay.is_none() {
                        effects.extend(self.act(command));
                    }
                }
                effects
            }
            Input::Blur => {
                self.attention.has_focus = Some(false);
                Vec::new()
            }
            Input::Focus => {
                self.attention.has_focus = Some(true);
                self.is_stale = true;
                Vec::new()
            }
            Input::Vanished => vec![Effect::Leave],
        };
        self.settle();
        self.follow_drill();
        effects
    }

    fn take_paste(&mut self, text: &str) {
        match &mut self.overlay {
            Some(overlay) => {
                if !overlay.paste(text, &mut self.desk) {
                    self.say("pasted text does not count here");
                }
            }
            None => self.say("pasted text is no command: / or : take it"),
        }
    }

    fn take_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        self.toast = None;
        self.attention.key_at = Some(self.up);
        self.arming.touch(self.desk.now);
        let stroke = Stroke::from(key);
        let place = self.trail.screen().place();
        // Leaving, suspending and drawing anew work wherever one is.
        if let Lookup::Command(command) = self.keymap.lookup(&[stroke], place)
            && matches!(command, Command::Interrupt | Command::Suspend | Command::Redraw)
        {
            self.pressed.clear();
            return self.act(command);
        }
        self.interrupted_at = None;
        if self.overlay.is_some() {
            return self.take_overlay_key(key);
        }
        self.pressed.push(stroke);
        match self.keymap.lookup(&self.pressed, place) {
            Lookup::Command(command) => {
                self.pressed.clear();
                self.act(command)
            }
            Lookup::Prefix(_) => Vec::new(),
            Lookup::Elsewhere(command, place) => {
                self.pressed.clear();
                let title = binding(command).map_or("", |it| it.title);
                self.say(&format!("{stroke}: {title} works only {}", place.title()));
                Vec::new()
            }
            Lookup::Unknown => {
                self.say(&unknown(&self.pressed));
                self.pressed.clear();
                Vec::new()
            }
        }
    }

    fn draw_header(&self, area: Rect, buf: &mut Buffer) {
        let rows = &self.desk.rows;
        let weights = [Weight::Expired, Weight::Wrong, Weight::Due, Weight::Unknown, Weight::Fine];
        let view = HeaderView {
            fleet: &self.settings.fleet_name,
            mode: self.arming.left(self.desk.now).map_or(Mode::ReadOnly, Mode::Armed),
            hosts: self.desk.fleet.hosts().len(),
            places: self.desk.fleet.places().count(),
            counts: weights.map(|it| (it, rows.count(it))),
            filtered: self.desk.is_filtered().then(|| (rows.shown(), rows.total())),
            progress: self.scan.as_ref().map(|it| (it.ended.len(), it.hosts)),
            scanned_at: self.desk.fleet.scanned_at,
            now: self.desk.now,
        };
        header::draw(&view, &self.desk.page(), area, buf);
    }

    /// The filter that holds, while nobody types it.
    fn draw_filter(&self, area: Rect, buf: &mut Buffer) {
        if area.height == 0 || self.overlay.as_ref().is_some_and(|it| it.is_line()) {
            return;
        }
        let theme = &self.desk.theme;
        let (shown, total) = (self.desk.rows.shown(), self.desk.rows.total());
        let text = SafeText::new(&self.desk.filter_text);
        let line = Line::from(vec![
            Span::styled(" / ", theme.key()),
            Span::styled(self.desk.page().shown(text.as_str()).into_owned(), theme.text()),
            Span::styled(format!("  {shown} of {total}  (esc clears)"), theme.dim()),
        ]);
        line.render(area, buf);
    }

    fn draw_footer(&self, area: Rect, buf: &mut Buffer) {
        let place = self.trail.screen().place();
        let chord = match self.keymap.lookup(&self.pressed, place) {
            Lookup::Prefix(follow) if !self.pressed.is_empty() => follow,
            _ => Vec::new(),
        };
        let hints: Vec<(String, &str)> = if let Some(overlay) = &self.overlay {
            overlay.hints().iter().map(|(key, title)| ((*key).to_owned(), *title)).collect()
        } else if chord.is_empty() {
            let hints = self.trail.screen().hints().iter();
            hints.filter_map(|it| Some((self.keymap.key(*it)?, binding(*it)?.title))).collect()
        } else {
            chord
                .iter()
                .filter_map(|(stroke, command)| {
                    Some((stroke.to_string(), binding(*command)?.title))
                })
                .collect()
        };
        let hints =
            if self.menu_rows().is_empty() { hints } else { vec![("esc".to_owned(), "close")] };
        let keys: Vec<_> = hints.iter().map(|(key, title)| (key.as_str(), *title)).collect();
        let running = self.running();
        let view = FooterView { keys: &keys, toast: self.toast.as_ref().or(running.as_ref()) };
        footer::draw(&view, &self.desk.page(), area, buf);
    }

    /// What a running scan is waiting for.
    fn running(&self) -> Option<SafeText> {
        let scan = self.scan.as_ref()?;
        let names: Vec<_> = scan.running.iter().take(2).map(HostName::as_str).collect();
        let more = scan.running.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" +{more}") } else { String::new() };
        let stop = self.keymap.key(Command::Stop)?;
        Some(SafeText::new(&format!("reading {}{more} ({stop} stops)", names.join(", "))))
    }

    fn areas(&self, area: Rect) -> Areas {
        let has_filter =
            self.desk.is_filtered() || self.overlay.as_ref().is_some_and(|it| it.is_line());
        let banner =
            self.banner().map_or(0, |it| detail::height(&[it], area.width).min(MAX_BANNER));
        let [practice, header, banner, body, filter, footer] = area.layout(&Layout::vertical([
            Constraint::Length(u16::from(self.desk.is_practice())),
            Constraint::Length(1),
            Constraint::Length(banner),
            Constraint::Fill(1),
            Constraint::Length(u16::from(has_filter)),
            Constraint::Length(1),
        ]));
        Areas { practice, header, banner, body, filter, footer }
    }

    fn whole(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// Lets the screen find its way again after anything has changed.
    fn settle(&mut self) {
        let body = self.areas(self.whole()).body;
        self.trail.screen_mut().settle(&self.desk, body);
    }

    fn is_too_small(&self) -> bool {
        self.size.0 < MINIMUM.0 || self.size.1 < MINIMUM.1
    }

    fn under<'a>(&'a self, refusals: &'a [(Command, String)]) -> Under<'a> {
        Under {
            keymap: &self.keymap,
            refusals,
            record: &self.record,
            meter: &self.meter,
            arming: &self.arming,
            seen: self.seen(),
        }
    }

    /// For how long the overlay has been to be seen.
    fn seen(&self) -> Duration {
        self.seen_at.map_or(Duration::ZERO, |it| self.up.saturating_sub(it))
    }

    /// Why each command cannot be given on this screen or now.
    fn refusals(&self) -> Vec<(Command, String)> {
        table().iter().filter_map(|it| Some((it.command, self.refusal(it.command)?))).collect()
    }

    fn say(&mut self, text: &str) {
        self.toast = Some(SafeText::new(text));
    }
}

/// The most rows that a banner takes.
const MAX_BANNER: u16 = 4;

/// Where things are drawn.
struct Areas {
    /// That nothing here is real.
    practice: Rect,
    header: Rect,
    /// That the audit log refuses.
    banner: Rect,
    body: Rect,
    filter: Rect,
    footer: Rect,
}

/// Why keys do nothing, in words.
fn unknown(pressed: &[Stroke]) -> String {
    let keys = pressed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    format!("{keys} does nothing here; ? shows the keys")
}
