//! The screens that were visited, in order, and which of them is shown.

use crate::tui::desk::Desk;
use crate::tui::screen::{self, Screen};

/// The trail. The screens that have keys exist once; others live as long as they are on it.
#[derive(Debug)]
pub(super) struct Trail {
    /// The first of the screens that have keys.
    home: Box<dyn Screen>,
    /// The others, in their order.
    others: Vec<Box<dyn Screen>>,
    spots: Vec<Spot>,
    at: usize,
    before: usize,
}

#[derive(Debug)]
enum Spot {
    /// One of those that have keys, counted from 0.
    List(usize),
    /// A screen of its own.
    Own(Box<dyn Screen>),
}

impl Trail {
    /// A trail that begins with the first screen.
    pub(super) fn new(desk: &Desk) -> Self {
        Self {
            home: screen::home(desk),
            others: screen::ALL.iter().skip(1).map(|it| (it.open)(desk)).collect(),
            spots: vec![Spot::List(0)],
            at: 0,
            before: 0,
        }
    }

    /// The screen that is shown.
    pub(super) fn screen(&self) -> &dyn Screen {
        match self.spots.get(self.at) {
            Some(Spot::Own(screen)) => &**screen,
            Some(Spot::List(number @ 1..)) => {
                self.others.get(number - 1).map_or(&*self.home, |it| &**it)
            }
            Some(Spot::List(0)) | None => &*self.home,
        }
    }

    /// The same, to be changed.
    pub(super) fn screen_mut(&mut self) -> &mut dyn Screen {
        match self.spots.get_mut(self.at) {
            Some(Spot::Own(screen)) => &mut **screen,
            Some(Spot::List(number @ 1..)) => match self.others.get_mut(*number - 1) {
                Some(other) => &mut **other,
                None => &mut *self.home,
            },
            Some(Spot::List(0)) | None => &mut *self.home,
        }
    }

    /// The number of the screen that is shown, if it has a key.
    pub(super) fn number(&self) -> Option<usize> {
        match self.spots.get(self.at) {
            Some(Spot::List(number)) => Some(*number),
            _ => None,
        }
    }

    /// Shows a screen that has a key.
    pub(super) fn go_to(&mut self, number: usize) {
        if self.number() != Some(number) {
            self.push(Spot::List(number));
        }
    }

    /// Shows a new screen.
    pub(super) fn open(&mut self, screen: Box<dyn Screen>) {
        self.push(Spot::Own(screen));
    }

    /// Goes back; whether there was somewhere to go.
    pub(super) fn back(&mut self) -> bool {
        let Some(at) = self.at.checked_sub(1) else { return false };
        self.before = std::mem::replace(&mut self.at, at);
        true
    }

    /// Goes forward again; whether there was somewhere to go.
    pub(super) fn forward(&mut self) -> bool {
        let can = self.at + 1 < self.spots.len();
        if can {
            self.before = self.at;
            self.at += 1;
        }
        can
    }

    /// Goes to where one was before; whether there was somewhere to go.
    pub(super) fn swap(&mut self) -> bool {
        let can = self.before != self.at && self.before < self.spots.len();
        if can {
            std::mem::swap(&mut self.before, &mut self.at);
        }
        can
    }

    fn push(&mut self, spot: Spot) {
        self.spots.truncate(self.at + 1);
        if self.spots.len() >= MAX_SPOTS {
            self.spots.remove(0);
        }
        self.before = self.spots.len().saturating_sub(1);
        self.spots.push(spot);
        self.at = self.spots.len() - 1;
    }
}

/// Further back than this nobody remembers.
const MAX_SPOTS: usize = 64;
