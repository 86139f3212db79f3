//! What keys do: one table, from which key handling, help, palette, footer and `certdeck keys`
//! are made. Knows nothing of screens but where a key means something.

mod map;
mod stroke;

use std::slice;
use std::sync::LazyLock;

use crate::action;

pub use map::{Keymap, Lookup, parse_overrides};
pub use stroke::{Chord, Stroke};

/// Everything that a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Says of the selected finding that it is known.
    Acknowledge,
    /// An action, as its place in [`action::ALL`]: shows what it would do.
    Act(usize),
    /// Shows what it would be to do again what failed.
    Again,
    /// Let what remains of a roll-out wait, or go on.
    Pause,
    /// To the previous screen of the trail, and back.
    Back,
    /// Copies a command that shows the selection on its host.
    CopyCommand,
    /// Copies the name of the selection.
    CopyName,
    /// Copies the certificate in PEM.
    CopyPem,
    /// Copies the row as text.
    CopyRow,
    /// Copies the serial number.
    CopySerial,
    /// Shows figures about this program.
    Diagnostics,
    /// One row down.
    Down,
    /// Opens the editor on the inventory.
    Edit,
    /// Begins a guided run about the selection, or shows the one that is under way.
    Emergency,
    /// Asks for a filter.
    Filter,
    /// Shows everything that ends.
    FitAll,
    /// Folds or opens a group.
    Fold,
    /// Forward on the trail.
    Forward,
    /// Ends the drill unsolved.
    GiveUp,
    /// The next grouping.
    GroupNext,
    /// Half a page down.
    HalfDown,
    /// Half a page up.
    HalfUp,
    /// Shows the keys.
    Help,
    /// Gives the next hint of a drill.
    Hint,
    /// Writes the hand-over of the last day.
    Incident,
    /// Leaves, when pressed twice.
    Interrupt,
    /// The screen that was shown before this one.
    LastScreen,
    /// Shows which commands ran on which hosts.
    Log,
    /// Marks the selection.
    Mark,
    /// Marks from here to where the selection goes.
    MarkRange,
    /// Marks every row that is shown.
    MarkVisible,
    /// Takes all marks away.
    MarksClear,
    /// Listens to the mouse, or no more.
    Mouse,
    /// The next pane or screen.
    NextPane,
    /// The next tab.
    NextTab,
    /// Puts now into view.
    Now,
    /// Opens the selection.
    Open,
    /// A page down.
    PageDown,
    /// Shows what is to be solved in a drill, and what it was worth.
    Practice,
    /// Looks at what a CA will look at.
    Preflight,
    /// Shows the text of the screen in the pager.
    Pager,
    /// A page up.
    PageUp,
    /// Asks for a command.
    Palette,
    /// Moves the window of time back by an eighth.
    PanLeft,
    /// Moves the window of time on by an eighth.
    PanRight,
    /// Moves the window of time back by its width.
    PanFarLeft,
    /// Moves the window of time on by its width.
    PanFarRight,
    /// Moves the time cursor back.
    PointLeft,
    /// Moves the time cursor on.
    PointRight,
    /// The previous pane or screen.
    PreviousPane,
    /// The previous tab.
    PreviousTab,
    /// One step back, and out of the program at the beginning.
    Quit,
    /// Draws the screen anew.
    Redraw,
    /// Shows what changed since the last review, and what is to be looked at.
    Review,
    /// Scans the selection or the marks again.
    Rescan,
    /// Scans every host again.
    RescanAll,
    /// The first screen.
    Screen1,
    /// The second screen.
    Screen2,
    /// The third screen.
    Screen3,
    /// The fourth screen.
    Screen4,
    /// The fifth screen.
    Screen5,
    /// The sixth screen.
    Screen6,
    /// Follows what a job prints, or no more.
    Follow,
    /// Keeps what a job printed in a file.
    KeepOutput,
    /// Leaves out the current step of the guided run, for a reason.
    SkipStep,
    /// Shows the step of the guided run before the current one.
    StepBack,
    /// Opens the certificate or host that a cause is about.
    ShowPlace,
    /// Signs off the review.
    SignOff,
    /// Puts off the selected finding.
    Snooze,
    /// The next order.
    SortNext,
    /// Stops the running scan, or asks whether to stop the selected job.
    Stop,
    /// Hands the terminal back to the shell for a while.
    Suspend,
    /// Takes back what was said about the selected finding.
    TakeBack,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// One row up.
    Up,
    /// Closes what is in front, or goes back.
    Escape,
    /// A shorter window of time.
    ZoomIn,
    /// A longer window of time.
    ZoomOut,
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On every screen.
    Everywhere,
    /// Where there are rows: timeline, hosts, findings.
    Lists,
    /// On the timeline.
    Timeline,
    /// On a certificate or a host.
    Details,
    /// On a cause.
    Cause,
    /// In a guided run.
    Guide,
    /// On a job.
    Job,
}

impl Place {
    /// Whether a key of `self` can be pressed where one of `other` can.
    pub const fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) | (_, Self::Everywhere) => true,
            (Self::Lists | Self::Timeline, it) => matches!(it, Self::Lists | Self::Timeline),
            (Self::Details, it) => matches!(it, Self::Details),
            (Self::Cause, it) => matches!(it, Self::Cause),
            (Self::Guide, it) => matches!(it, Self::Guide),
            (Self::Job, it) => matches!(it, Self::Job),
        }
    }

    /// The heading in the help.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Lists => "in lists",
            Self::Timeline => "on the timeline",
            Self::Details => "on a certificate or host",
            Self::Cause => "on a cause",
            Self::Guide => "in a guided run",
            Self::Job => "on a job",
        }
    }

    /// Every place, in the order of the help.
    pub const ALL: [Self; 7] = [
        Self::Everywhere,
        Self::Lists,
        Self::Timeline,
        Self::Details,
        Self::Cause,
        Self::Guide,
        Self::Job,
    ];
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Binding {
    /// What is done.
    pub command: Command,
    /// Its name in `[keys]` and in the palette.
    pub name: &'static str,
    /// The keys, unless configured otherwise; the first is the one that is shown.
    pub keys: &'static [&'static str],
    /// Where.
    pub place: Place,
    /// One or two words, for the footer.
    pub title: &'static str,
    /// One line, for the help.
    pub help: &'static str,
}

/// Every command, in the order of the help.
pub fn table() -> &'static [Binding] {
    &ALL
}

/// The line of a command.
pub fn binding(command: Command) -> Option<&'static Binding> {
    ALL.iter().find(|it| it.command == command)
}

/// The table, and a line for each action before the last ones, which are about the console.
static ALL: LazyLock<Vec<Binding>> = LazyLock::new(|| {
    let actions = action::ALL.iter().enumerate().map(|(at, kind)| Binding {
        command: Command::Act(at),
        name: kind.name,
        keys: slice::from_ref(&kind.keys),
        place: Place::Everywhere,
        title: kind.title,
        help: kind.about,
    });
    let mut all: Vec<_> = TABLE.to_vec();
    let before = all.iter().position(|it| it.command == Command::Again).unwrap_or(all.len());
    all.splice(before..before, actions);
    all
});

macro_rules! table {
    ($($command:ident $name:literal $place:ident [$($key:literal)*] $title:literal: $help:literal)*) => {
        &[$(Binding {
            command: Command::$command,
            name: $name,
            keys: &[$($key),*],
            place: Place::$place,
            title: $title,
            help: $help,
        }),*]
    };
}

// `-` zooms out, the twin of `+`. The last screen is on Backspace, as in browsers, and on ctrl-o,
// as in vi.
#[rustfmt::skip]
static TABLE: &[Binding] = table! {
    Down "down" Everywhere ["j" "down"] "down": "one row down"
    Up "up" Everywhere ["k" "up"] "up": "one row up"
    Top "top" Everywhere ["g g" "home"] "top": "to the first row"
    Bottom "bottom" Everywhere ["G" "end"] "bottom": "to the last row"
    HalfDown "half-page-down" Everywhere ["ctrl-d"] "half down": "half a page down"
    HalfUp "half-page-up" Everywhere ["ctrl-u"] "half up": "half a page up"
    PageDown "page-down" Everywhere ["pgdn"] "page down": "a page down"
    PageUp "page-up" Everywhere ["pgup"] "page up": "a page up"
    Open "open" Everywhere ["enter"] "open": "open what is selected"
    Escape "escape" Everywhere ["esc"] "back": "close, go back, clear the filter, stop a scan"
    NextPane "next-pane" Everywhere ["tab"] "next": "next tab or screen"
    PreviousPane "previous-pane" Everywhere ["s-tab"] "previous": "previous tab or screen"
    Screen1 "timeline" Everywhere ["1"] "timeline": "everything that expires, on one line of time"
    Screen2 "hosts" Everywhere ["2"] "hosts": "every host, how it is reached and how it renews"
    Screen3 "findings" Everywhere ["f" "3"] "findings": "what is wrong, one line per cause"
    Screen4 "jobs" Everywhere ["4" "w"] "jobs": "what was changed from here, and what is still running"
    Screen5 "audit" Everywhere ["5"] "audit": "the audit log: who changed what, and what came of it"
    Screen6 "budget" Everywhere ["6"] "budget": "what CAs still allow, by names, domain and account"
    Review "review" Everywhere ["W"] "review": "since the last review: what changed, ends, crowds"
    Back "history-back" Everywhere ["["] "back": "back on the trail of screens"
    Forward "history-forward" Everywhere ["]"] "forward": "forward on the trail of screens"
    LastScreen "last-screen" Everywhere ["backspace" "ctrl-o"] "last screen": "the screen before this one"
    Filter "filter" Lists ["/"] "filter": "show only what matches: state:due left<7d !host:edge-*"
    Palette "palette" Everywhere [":" "ctrl-p"] "commands": "find and run any command by its name"
    Help "help" Everywhere ["?" "f1"] "help": "these keys, searchable"
    Rescan "rescan" Everywhere ["r"] "rescan": "look again at the marked hosts, or the selected one"
    RescanAll "rescan-all" Everywhere ["R"] "rescan all": "look again at every host"
    Stop "stop" Everywhere ["x"] "stop": "stop the scan; on a job, ask whether to stop that"
    Preflight "preflight" Everywhere ["p"] "preflight": "look at what the CA will look at, before an order"
    Again "again" Everywhere ["a a"] "again": "do what failed again; go on with a left roll-out"
    Pause "pause" Everywhere ["a w"] "pause": "let the rest of a roll-out wait, or go on"
    Emergency "emergency" Everywhere ["a e"] "emergency": "step by step, from the first look to proof on every node"
    Acknowledge "acknowledge" Everywhere ["n n"] "acknowledge": "say that the selected finding is known, until when"
    Snooze "snooze" Everywhere ["n z"] "snooze": "put off the selected finding until a day"
    TakeBack "unack" Everywhere ["n u"] "take back": "take back what was said about the selected finding"
    SignOff "sign-off" Everywhere ["n s"] "sign off": "sign off the review; the next is compared with it"
    Mark "mark" Timeline ["space"] "mark": "mark the row and go on to the next"
    MarkRange "mark-range" Timeline ["v"] "range": "mark from here to where you go; again marks it"
    MarkVisible "mark-visible" Timeline ["ctrl-a"] "mark all": "mark every row that the filter shows"
    MarksClear "clear-marks" Timeline ["\\"] "unmark": "take all marks away, hidden ones too"
    SortNext "sort" Timeline ["s"] "sort": "next order: urgency, time left, host, name, ..."
    GroupNext "group" Timeline ["b"] "group": "next grouping: host, group, issuer, name set, verdict"
    Fold "fold" Timeline ["z"] "fold": "hide or show the rows of a group"
    ZoomIn "zoom-in" Timeline ["+" "="] "zoom in": "a shorter window around the time cursor"
    ZoomOut "zoom-out" Timeline ["-"] "zoom out": "a longer window around the time cursor"
    FitAll "fit" Timeline ["0"] "fit all": "a window that holds every end"
    Now "now" Timeline ["t"] "now": "now at a quarter of the width"
    PanLeft "pan-left" Timeline ["h" "left"] "earlier": "an eighth of the window back"
    PanRight "pan-right" Timeline ["l" "right"] "later": "an eighth of the window on"
    PanFarLeft "pan-far-left" Timeline ["H"] "far back": "a whole window back"
    PanFarRight "pan-far-right" Timeline ["L"] "far on": "a whole window on"
    PointLeft "cursor-left" Timeline ["," "ctrl-left"] "cursor": "time cursor back; tells how much expires before it"
    PointRight "cursor-right" Timeline ["." "ctrl-right"] "cursor": "time cursor on; tells how much expires before it"
    NextTab "next-tab" Details ["l" "right"] "next tab": "next tab of a certificate"
    PreviousTab "previous-tab" Details ["h" "left"] "previous tab": "previous tab of a certificate"
    ShowPlace "show-place" Cause ["c"] "where": "open the certificate or host that it is about"
    SkipStep "skip-step" Guide ["s"] "skip": "leave the step out, for a reason that is recorded"
    StepBack "step-back" Guide ["b"] "back": "the step before once more; what was done stays done"
    Follow "follow" Job ["space"] "follow": "follow what is printed, or stay here"
    KeepOutput "keep-output" Job ["s"] "save": "keep what was printed in a file"
    CopyName "copy-name" Everywhere ["y n"] "copy name": "copy the name of the selection"
    CopyCommand "copy-command" Everywhere ["y c"] "copy command": "copy a command that shows the certificate there"
    CopySerial "copy-serial" Everywhere ["y s"] "copy serial": "copy the serial number"
    CopyPem "copy-pem" Everywhere ["y p"] "copy PEM": "copy a command that prints the PEM there"
    CopyRow "copy-row" Everywhere ["y r"] "copy row": "copy the row as text"
    Log "log" Everywhere ["@"] "command log": "what ran on which host, what came back, how long it took"
    Incident "incident" Everywhere ["i"] "hand-over": "hand-over of the last day, with a status for the chat"
    Edit "edit" Everywhere ["e"] "edit": "$EDITOR on the inventory, at the selected host"
    Pager "pager" Everywhere ["o"] "pager": "everything about the selection, in $PAGER"
    Practice "practice" Everywhere ["P"] "practice": "in a drill: what is to be solved, and what it was worth"
    Hint "hint" Everywhere ["f2"] "hint": "in a drill: the next hint, for ten points"
    GiveUp "give-up" Everywhere [] "give up": "in a drill: end it unsolved, and see what it was"
    Mouse "mouse" Everywhere ["m"] "mouse": "mouse on or off; off, the terminal selects text"
    Diagnostics "diagnostics" Everywhere ["f12"] "figures": "what this program costs: frames, rows, memory"
    Redraw "redraw" Everywhere ["ctrl-l"] "redraw": "draw the screen anew"
    Suspend "suspend" Everywhere ["ctrl-z"] "suspend": "to the shell; `fg` comes back"
    Quit "quit" Everywhere ["q"] "quit": "back; from a list, leave"
    Interrupt "interrupt" Everywhere ["ctrl-c"] "leave": "twice within a second: leave from anywhere"
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_keys_are_keys() {
        let mut names = HashSet::new();
        for it in table() {
            assert!(names.insert(it.name), "{} twice", it.name);
            // What fits beside its keys in 80 columns.
            assert!(it.help.chars().count() <= 56, "{}", it.help);
            for key in it.keys {
                let chord = Chord::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
                assert_eq!(chord.to_string(), *key);
            }
        }
    }

    #[test]
    fn no_key_means_two_things_at_one_place() {
        let (keymap, complaints) = Keymap::new(&[]);
        assert_eq!(complaints, Vec::<String>::new());
        drop(keymap);
    }
}
