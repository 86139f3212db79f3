//! Signals that a terminal or a person sends to this process, and stopping it as a shell expects.

use std::io;

use rustix::process::{Signal, getpid, getsid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// The signals that are listened to.
#[derive(Debug)]
pub(super) struct Signals {
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    go_on: tokio::signal::unix::Signal,
    resize: tokio::signal::unix::Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end.
    End(Signal),
    /// To carry on after having been stopped from outside.
    GoOn,
    /// To look at the size of the window.
    Resize,
    /// To stop.
    Stop,
}

impl Signals {
    /// Begins to listen; from here on, none of them ends the process by itself.
    pub(super) fn listen() -> io::Result<Self> {
        let listen = |it: Signal| signal(SignalKind::from_raw(it.as_raw()));
        Ok(Self {
            hang_up: listen(Signal::HUP)?,
            interrupt: listen(Signal::INT)?,
            quit: listen(Signal::QUIT)?,
            terminate: listen(Signal::TERM)?,
            stop: listen(Signal::TSTP)?,
            go_on: listen(Signal::CONT)?,
            resize: listen(Signal::WINCH)?,
        })
    }

    /// Waits for the next.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hang_up.recv() => Asked::End(Signal::HUP),
            _ = self.interrupt.recv() => Asked::End(Signal::INT),
            _ = self.quit.recv() => Asked::End(Signal::QUIT),
            _ = self.terminate.recv() => Asked::End(Signal::TERM),
            _ = self.stop.recv() => Asked::Stop,
            _ = self.go_on.recv() => Asked::GoOn,
            _ = self.resize.recv() => Asked::Resize,
        }
    }

    /// Stops this process until somebody lets it go on.
    pub(super) async fn stop_here(&mut self) -> io::Result<()> {
        kill_process(getpid(), Signal::STOP)?;
        self.go_on.recv().await;
        Ok(())
    }
}

/// Whether there is a shell that can let this process go on again.
pub(super) fn can_stop() -> bool {
    getsid(None).is_ok_and(|leader| leader != getpid())
}
