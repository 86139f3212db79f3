//! What is asked before something is changed. The plans on it stand still; if what they were made
//! from changes, they are stale and must be made anew.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Log, Overlay, READING, Under, sheet};
use crate::action::{self, Ask, Chosen, DRY_RUN, NotConfirmed, Plan, Refusal, Review, Tier};
use crate::fleet::{Weight, human};
use crate::tui::desk::Desk;
use crate::tui::part::card::{self, Beside, TargetRow};
use crate::tui::part::detail;
use crate::tui::request::{Planned, Request, Wanted};

/// Plans on the table.
#[derive(Debug)]
pub(in crate::tui) struct Card {
    request: Request,
    items: Vec<Item>,
    /// What is chosen of them; `None` only while an answer is looked at.
    review: Option<Review>,
    field: Field,
    selected: usize,
    first: usize,
    tells_why: bool,
}

#[derive(Debug)]
struct Item {
    target: Wanted,
    plan: Result<Plan, Refusal>,
    is_in: bool,
}

impl Card {
    /// Puts these plans on the table; at least one of them must be possible.
    pub(in crate::tui) fn new(request: Request, planned: Vec<Planned>) -> Self {
        let items = planned
            .into_iter()
            .map(|Planned { target, plan }| Item { target, is_in: plan.is_ok(), plan })
            .collect();
        let mut card = Self {
            request,
            items,
            review: None,
            field: Field::default(),
            selected: 0,
            first: 0,
            tells_why: false,
        };
        card.gather();
        card
    }

    /// Takes what is chosen up for review.
    fn gather(&mut self) {
        let chosen = self.items.iter().filter(|it| it.is_in);
        let plans = chosen.filter_map(|it| it.plan.clone().ok()).collect();
        self.review = Some(self.request.review(plans));
        self.field = Field::default();
    }

    fn ask(&self) -> Ask {
        self.review.as_ref().map_or(Ask::Nothing, Review::ask)
    }

    fn tier(&self) -> Tier {
        self.review.as_ref().map_or(Tier::Safe, Review::tier)
    }

    /// Whether there is a list to choose from.
    fn has_list(&self) -> bool {
        self.items.len() > 1
    }

    fn plan(&self) -> Option<&Plan> {
        self.items.get(self.selected)?.plan.as_ref().ok()
    }

    fn stale(&self, desk: &Desk) -> Option<String> {
        self.review.as_ref()?.stale(&desk.fleet)
    }

    /// What is being changed now at a host that this would change.
    fn busy(&self, desk: &Desk) -> Option<String> {
        let plans = self.review.as_ref()?.plans();
        plans.iter().find_map(|it| busy(it, desk))
    }

    /// Asks for the same anew.
    fn anew(&self) -> Answer {
        Answer::Ask(self.request.clone())
    }

    fn dry_run(&self) -> Answer {
        let Some(kind) = action::named(DRY_RUN) else { return Answer::Stay };
        let chosen = self.items.iter().filter(|it| it.is_in).map(|it| it.target.clone());
        Answer::Ask(Request::at(kind, chosen.collect(), Chosen::default()))
    }

    /// Turns the choice of the selected target around; the last one stays chosen.
    fn toggle(&mut self) -> Answer {
        let chosen = self.items.iter().filter(|it| it.is_in).count();
        let Some(item) = self.items.get_mut(self.selected) else { return Answer::Stay };
        if let Err(refusal) = &item.plan {
            return Answer::Say(refusal.text.clone());
        }
        if item.is_in && chosen == 1 {
            return Answer::Say("the last one stays; esc does nothing at all".to_owned());
        }
        item.is_in = !item.is_in;
        let down = self.selected + 1;
        self.selected = down.min(self.items.len().saturating_sub(1));
        self.gather();
        Answer::Stay
    }

    /// Answers what is asked, if everything is as it must be.
    fn confirm(&mut self, answer: action::Answer<'_>, desk: &Desk, under: &Under<'_>) -> Answer {
        if let Some(why) = self.closed(desk, under) {
            return Answer::Say(why);
        }
        if under.seen < READING {
            return Answer::Say(
                "that was faster than anybody reads: the last key once more".into(),
            );
        }
        let Some(review) = self.review.take() else { return Answer::Stay };
        match review.confirm(answer, &desk.fleet, desk.now) {
            Ok(confirmed) => {
                let chosen = self.items.iter().filter(|it| it.is_in);
                let targets = chosen.map(|it| it.target.clone()).collect();
                Answer::Run(Request { targets, ..self.request.clone() }, confirmed)
            }
            Err((review, why)) => {
                self.review = Some(*review);
                Answer::Say(match why {
                    NotConfirmed::Stale(why) => format!("stale: {why}"),
                    NotConfirmed::Wrong(_) => "that is not what is asked for".to_owned(),
                })
            }
        }
    }

    /// Why nothing can be confirmed now, whatever is answered.
    fn closed(&self, desk: &Desk, under: &Under<'_>) -> Option<String> {
        if let Some(why) = self.stale(desk) {
            return Some(format!("stale: {why}; r makes the plan anew"));
        }
        if let Some(busy) = self.busy(desk) {
            return Some(format!("busy: {busy}"));
        }
        if under.arming.is_armed(desk.now) {
            return None;
        }
        Some(under.arming.bar().map_or_else(
            || "read-only: esc, then :arm 15m lets things be changed".to_owned(),
            |bar| format!("nothing can be changed: {bar}"),
        ))
    }

    fn typed(&mut self, key: KeyEvent, wanted: &str, desk: &Desk, under: &Under<'_>) -> Answer {
        if let Some(why) = self.closed(desk, under) {
            return Answer::Say(why);
        }
        let is_new = self.field.key(key);
        // Where names are hidden, nobody can read the one that is asked for.
        let typed = self.field.text();
        if is_new && (typed == wanted || typed == desk.page().shown(wanted)) {
            let wanted = wanted.to_owned();
            return self.confirm(action::Answer::Typed(&wanted), desk, under);
        }
        Answer::Stay
    }

    /// Keys that move or look, if this is one.
    fn look(&mut self, key: KeyEvent, is_free: bool) -> Option<Answer> {
        let last = self.items.len().saturating_sub(1);
        let has_list = self.has_list();
        match key.code {
            KeyCode::PageDown => self.first += 5,
            KeyCode::PageUp => self.first = self.first.saturating_sub(5),
            KeyCode::Down if has_list => self.select((self.selected + 1).min(last)),
            KeyCode::Char('j') if has_list && is_free => self.select((self.selected + 1).min(last)),
            KeyCode::Up if has_list => self.select(self.selected.saturating_sub(1)),
            KeyCode::Char('k') if has_list && is_free => {
                self.select(self.selected.saturating_sub(1));
            }
            KeyCode::Down => self.first += 1,
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::Char('?') => {
                self.tells_why = !self.tells_why;
                self.first = if self.tells_why { usize::MAX / 2 } else { 0 };
            }
            KeyCode::Char('@') => return Some(Answer::Lay(Box::new(Log::default()))),
            KeyCode::Char(' ') if has_list && is_free => return Some(self.toggle()),
            _ => return None,
        }
        Some(Answer::Stay)
    }

    fn select(&mut self, to: usize) {
        self.selected = to;
        self.first = 0;
    }

    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        let page = desk.page();
        match self.items.get(self.selected).map(|it| (&it.target, &it.plan)) {
            Some((target, Ok(plan))) => {
                let why = if self.tells_why { self.why(target, desk) } else { Vec::new() };
                let beside =
                    Beside { dry_run: self.last_dry_run(plan, desk), busy: busy(plan, desk), why };
                card::lines(plan, &beside, &page)
            }
            Some((_, Err(refusal))) => {
                let style = desk.theme.weight(Weight::Unknown);
                let mut lines = vec![Line::from(vec![
                    Span::raw(" "),
                    Span::styled(page.shown(&refusal.text).into_owned(), style),
                ])];
                lines.extend(refusal.hint.iter().map(|it| {
                    Line::from(vec![Span::raw(" "), Span::raw(page.shown(it).into_owned())])
                }));
                lines
            }
            None => Vec::new(),
        }
    }

    fn why(&self, target: &Wanted, desk: &Desk) -> Vec<String> {
        let mut why = vec![format!("{}: {}", self.request.kind.title, self.request.kind.about)];
        why.push(card::tier_words(self.tier()).to_owned());
        let lineage = target.lineage.as_deref();
        let of_target = desk.diagnosis.findings.iter().filter(|it| {
            it.host == target.host
                && it.place.as_ref().is_none_or(|it| Some(it.as_str()) == lineage)
        });
        for finding in of_target {
            why.push(format!("{} {}: {}", finding.severity, finding.verdict, finding.summary));
            if !finding.cause.is_empty() {
                why.push(finding.cause.to_string());
            }
        }
        why
    }

    /// What the audit log has of the last dry run there.
    fn last_dry_run(&self, plan: &Plan, desk: &Desk) -> Option<String> {
        let place = plan.place.as_ref().filter(|_| self.request.kind.name != DRY_RUN)?;
        let Some((record, at)) = desk.book.dry_run(&plan.host, place.as_str()) else {
            return Some("none is in the audit log".to_owned());
        };
        let ending = record.text("ending").unwrap_or("unknown");
        let ago = human(desk.now.since(at).max(0));
        Some(format!("{ending} {ago} ago, {at} (#{})", record.seq))
    }

    fn rows(&self) -> Vec<TargetRow> {
        let row = |it: &Item| TargetRow {
            name: it.target.name(),
            text: match &it.plan {
                Ok(plan) => plan.what.clone(),
                Err(refusal) => refusal.text.clone(),
            },
            is_in: it.plan.is_ok().then_some(it.is_in),
            is_hidden: it.target.is_hidden,
        };
        self.items.iter().map(row).collect()
    }

    fn title(&self, desk: &Desk) -> String {
        let chosen = self.items.iter().filter(|it| it.is_in).count();
        let what = match (self.plan().map(|it| it.place.is_some()), chosen) {
            (Some(false), 1) => "1 host".to_owned(),
            (Some(false), many) => format!("{many} hosts"),
            (_, 1) => "1 certificate".to_owned(),
            (_, many) => format!("{many} certificates"),
        };
        let mut action = self.request.kind.title.to_owned();
        if let Some(first) = action.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let host = self.items.get(self.selected).map(|it| &it.target.host);
        let told = host.and_then(|it| desk.inventory.host(it.as_str()));
        let groups = told.map(|it| it.groups.join(" ").to_uppercase()).unwrap_or_default();
        // Not even a card is to look as it does where things are real.
        let groups = if desk.is_practice() { "PRACTICE".to_owned() } else { groups };
        let rule = desk.theme.glyphs().rule;
        if groups.is_empty() {
            format!("{action} {what}")
        } else {
            format!("{action} {what} {rule} {groups}")
        }
    }

    /// What is asked, in one or two lines.
    fn question(&self, desk: &Desk, under: &Under<'_>) -> [Line<'static>; 2] {
        let theme = &desk.theme;
        let page = desk.page();
        let key = |it: &'static str| Span::styled(it, theme.key());
        let dim = |it: &'static str| Span::styled(it, theme.dim());
        if let Some(why) = self.closed(desk, under) {
            let style = theme.weight(Weight::Wrong);
            let why = Line::styled(page.shown(&why).into_owned(), style);
            let keys = Line::from(vec![key("esc"), dim(" close   "), key("?"), dim(" why")]);
            return [why, keys];
        }
        let keep = [Span::styled(" Keep as is ", theme.badge()), key(" esc")];
        match self.ask() {
            Ask::Nothing | Ask::Key => {
                let mut line = Line::from(keep.to_vec());
                line.extend([Span::raw("      "), key("y"), Span::raw(" ")]);
                let plans = self.review.as_ref().map_or(&[][..], Review::plans);
                let what = match plans {
                    [one] => format!("{} {}", self.request.kind.title, one.target()),
                    many => format!("{} {} times", self.request.kind.title, many.len()),
                };
                line.push_span(Span::styled(page.shown(&what).into_owned(), theme.text()));
                let more = [key("?"), dim(" why   "), key("d"), dim(" dry run first   ")];
                let mut keys = Line::from(more.to_vec());
                keys.extend([key("@"), dim(" command log")]);
                [line, keys]
            }
            Ask::Type(wanted) => {
                let wanted = page.shown(&wanted).into_owned();
                let mut line = Line::from(vec![
                    Span::styled("Type  ", theme.text()),
                    Span::styled(wanted, theme.title()),
                    Span::styled("  to go on:  ", theme.text()),
                ]);
                line.extend(self.field.line(None, theme).spans);
                let mut keys = Line::from(keep.to_vec());
                keys.extend([key("   ?"), dim(" why   "), key("ctrl-d"), dim(" dry run first   ")]);
                keys.extend([key("@"), dim(" command log")]);
                [line, keys]
            }
        }
    }
}

impl Overlay for Card {
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, under: &Under<'_>) -> Answer {
        let ask = self.ask();
        let is_control = key.modifiers.contains(crossterm::event::KeyModifiers::CONTROL);
        // While nothing is typed yet, letters that no action begins with move in the list.
        let is_free = self.field.text().is_empty();
        match key.code {
            KeyCode::Esc => return Answer::CloseAnd("kept as is: nothing was changed".to_owned()),
            KeyCode::Enter if matches!(ask, Ask::Type(_)) => {
                return Answer::Say("enter confirms nothing: type what is asked for".to_owned());
            }
            KeyCode::Enter => {
                return Answer::CloseAnd("kept as is: enter confirms nothing".to_owned());
            }
            KeyCode::Char('r') if self.stale(desk).is_some() => return self.anew(),
            KeyCode::Char('d') if is_control => return self.dry_run(),
            KeyCode::Char('d') if !matches!(ask, Ask::Type(_)) => return self.dry_run(),
            _ => {}
        }
        if let Some(answer) = self.look(key, is_free) {
            self.first = self.first.min(self.lines(desk).len());
            return answer;
        }
        match ask {
            Ask::Type(wanted) => self.typed(key, &wanted, desk, under),
            Ask::Key if key.code == KeyCode::Char('y') && !is_control => {
                self.confirm(action::Answer::Key, desk, under)
            }
            Ask::Nothing if key.code == KeyCode::Char('y') && !is_control => {
                self.confirm(action::Answer::Nothing, desk, under)
            }
            Ask::Key | Ask::Nothing => {
                Answer::Say("y goes on; esc keeps things as they are".into())
            }
        }
    }

    fn is_guarded(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        if self.has_list() {
            &[
                ("esc", "keep as is"),
                ("up down", "choose"),
                ("space", "leave out"),
                ("pgdn", "more"),
            ]
        } else {
            &[("esc", "keep as is"), ("up down", "scroll"), ("?", "why"), ("@", "command log")]
        }
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let (theme, page) = (&desk.theme, desk.page());
        let lines = self.lines(desk);
        let width = area.width.min(WIDTH);
        let list = if self.has_list() { self.items.len() + 2 } else { 0 };
        let list = u16::try_from(list).unwrap_or(u16::MAX).min(area.height * 2 / 5);
        let text = detail::height(&lines, width.saturating_sub(2));
        let height = text.saturating_add(list).saturating_add(5);
        let room = sheet::lay(&self.title(desk), (width, height), theme, area, buf);
        let [list, text, more, ask] = room.layout(&Layout::vertical([
            Constraint::Length(list),
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Length(2),
        ]));
        self.draw_list(desk, list, buf);
        let first = detail::settled(self.first, &lines, text);
        detail::draw(&lines, first, &page, text, buf);
        let below = lines.get(first..).unwrap_or_default();
        if detail::height(below, text.width) > text.height {
            let rest = format!("{} more below: pgdn", theme.glyphs().arrow);
            sheet::put(0, &Line::styled(rest, theme.dim()), more, buf);
        } else if first > 0 {
            let rest = format!("{} more above: pgup", theme.glyphs().arrow);
            sheet::put(0, &Line::styled(rest, theme.dim()), more, buf);
        }
        for (row, line) in (0..).zip(self.question(desk, under)) {
            sheet::put(row, &line, ask, buf);
        }
    }
}

impl Card {
    fn draw_list(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let rows = self.rows();
        let chosen = rows.iter().filter(|it| it.is_in == Some(true)).count();
        let mut head = format!(" {chosen} of {} chosen", rows.len());
        let hidden = match rows.iter().filter(|it| it.is_hidden).count() {
            0 => String::new(),
            1 => "; 1 marked row is hidden by the filter".to_owned(),
            many => format!("; {many} marked rows are hidden by the filter"),
        };
        head.push_str(&hidden);
        if chosen > 1 {
            head.push_str("; one first, then the others in waves");
        }
        sheet::put(0, &Line::styled(head, desk.theme.title()), area, buf);
        let [_, list, _] = area.layout(&Layout::vertical([
            Constraint::Length(1),
            Constraint::Fill(1),
            Constraint::Length(1),
        ]));
        let first = sheet::first_shown(self.selected, rows.len(), list.height);
        card::draw_targets(&rows, first, self.selected, &desk.page(), list, buf);
    }
}

fn busy(plan: &Plan, desk: &Desk) -> Option<String> {
    let (run, job) = desk.jobs.at_host(&plan.host)?;
    let how = job.elapsed(desk.now).map_or_else(
        || "waits for its wave".to_owned(),
        |it| format!("has been running for {}", human(it)),
    );
    Some(format!("{} of {} {how}; one change per host at a time", run.action_of(job), job.target()))
}

/// Wider lines are harder to read.
const WIDTH: u16 = 100;
