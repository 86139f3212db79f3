//! What happens to the console, and what the console wants to be done. Values only.

use std::sync::Arc;
use std::time::Duration;

use crate::fleet::{HostName, Visit};
use crate::inventory::Inventory;
use crate::text::SafeText;

use super::input::Input;

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A scan of these hosts began.
    ScanBegan(Vec<HostName>),
    /// A visit to this host began.
    VisitBegan(HostName),
    /// A visit ended, after so long.
    VisitEnded(Visit, Duration),
    /// The scan ended, by itself or because it was stopped.
    ScanEnded,
    /// Somebody did something at the terminal.
    Input(Input),
    /// The inventory was read again: it, or the complaints as they are printed.
    InventoryRead(Result<Arc<Inventory>, String>),
    /// The window has so many columns and rows.
    Resized(u16, u16),
    /// There is something to be told.
    Told(SafeText),
    /// Time has passed.
    Tick,
}

/// Something that the loop is to do. None of it changes a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Offer this text to the clipboard; what it is, for people.
    Copy {
        /// What is copied, in a word or two.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// Open the editor on the inventory, at that host, and read it again.
    Edit(Option<HostName>),
    /// Leave the program.
    Leave,
    /// Listen to the mouse, or no more.
    Mouse(bool),
    /// Show this text in the pager.
    Page(String),
    /// Fall over, to see that the terminal survives it.
    #[cfg(debug_assertions)]
    Panic,
    /// Draw everything anew.
    Redraw,
    /// Keep what is known for the next start.
    Save,
    /// Look at these hosts.
    Scan(Vec<HostName>),
    /// Stop the running scan.
    StopScan,
    /// Give the terminal to the shell for a while.
    Suspend,
}
