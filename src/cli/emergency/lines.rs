//! What is typed, line by line, or that a signal came.

use std::io::{self, BufRead as _};

use rustix::termios::QueueSelector;
use tokio::sync::mpsc;

use crate::cli::survey::Signals;

/// Lines of the standard input.
pub(super) struct Lines {
    typed: mpsc::UnboundedReceiver<String>,
    pub(super) signals: Signals,
    is_terminal: bool,
}

/// What came instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The input has ended.
    End,
    /// A signal of that number.
    Signal(u8),
}

impl Lines {
    /// Begins to read.
    pub(super) fn read(signals: Signals, is_terminal: bool) -> Self {
        let (tell, typed) = mpsc::unbounded_channel();
        // Not a task of the runtime, which would wait for a line at the end.
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                if line.is_err() || tell.send(line.unwrap_or_default()).is_err() {
                    break;
                }
            }
        });
        Self { typed, signals, is_terminal }
    }

    /// The next line. On a terminal, what was typed before it was asked is no answer.
    pub(super) async fn next(&mut self) -> Result<String, Gone> {
        if self.is_terminal {
            rustix::termios::tcflush(io::stdin(), QueueSelector::IFlush).ok();
            while self.typed.try_recv().is_ok() {}
        }
        tokio::select! {
            line = self.typed.recv() => line.map(|it| it.trim().to_owned()).ok_or(Gone::End),
            number = self.signals.next() => Err(Gone::Signal(number)),
        }
    }
}
