//! What the console leaves to others: the clipboard, files for the operator, the editor, the pager,
//! and the shell that it is suspended to.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{Console, GRACE};
use crate::fleet::HostName;
use crate::text::SafeText;
use crate::tui::input::Reader;
use crate::tui::msg::Msg;
use crate::tui::signals::{self, Asked};
use crate::tui::{Ending, Error, editor, terminal};

impl Console {
    /// Offers text to the terminal's clipboard and keeps it in a file as well, because terminals
    /// do not say whether they took it.
    pub(super) fn copy(&mut self, what: &str, text: &str) -> Result<SafeText, Error> {
        self.terminal.copy(text)?;
        let path = self.deck.state_dir.join("copied");
        let told = match keep(&path, text) {
            Ok(()) => format!("copied {what}; also in {}", path.display()),
            Err(error) => format!("copied {what}, if this terminal allows it ({error})"),
        };
        Ok(SafeText::new(&told))
    }

    pub(super) async fn edit(&mut self, host: Option<HostName>) -> Result<(), Error> {
        let path = self.deck.inventory_path.clone();
        let text = read_text(&path).unwrap_or_default();
        let line = host.and_then(|it| editor::line_of(&text, &it));
        let editor = self.deck.settings.editor.clone().unwrap_or_else(|| "vi".to_owned());
        let ran = self.run_outside(editor::command(&editor, &path, line), None).await?;
        if self.ending.is_some() {
            return Ok(());
        }
        if let Err(error) = ran {
            return self.tell(Msg::Told(SafeText::new(&format!("{editor}: {error}")))).await;
        }
        let read = (self.deck.reread)(&path).map(Arc::new);
        self.tell(Msg::InventoryRead(read)).await
    }

    pub(super) async fn page(&mut self, text: String) -> Result<(), Error> {
        let pager = self.deck.settings.pager.clone().unwrap_or_else(|| "less".to_owned());
        let ran = self.run_outside(editor::shell(&pager), Some(text)).await?;
        match ran {
            Ok(()) => Ok(()),
            Err(error) => self.tell(Msg::Told(SafeText::new(&format!("{pager}: {error}")))).await,
        }
    }

    /// Runs another program in the terminal, with that text to read. The outer error is ours, the
    /// inner one that of the program.
    async fn run_outside(
        &mut self,
        mut command: Command,
        text: Option<String>,
    ) -> Result<io::Result<()>, Error> {
        self.give_up_terminal();
        let ran = self.wait_for(&mut command, text).await;
        self.come_back().await?;
        Ok(ran)
    }

    async fn wait_for(&mut self, command: &mut Command, text: Option<String>) -> io::Result<()> {
        if text.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn()?;
        let feed = child.stdin.take().zip(text).map(|(mut stdin, text)| async move {
            // A pager that is left early does not read everything.
            drop(stdin.write_all(text.as_bytes()).await);
        });
        let mut feed = std::pin::pin!(async {
            if let Some(feed) = feed {
                feed.await;
            }
        });
        let mut is_fed = false;
        loop {
            tokio::select! {
                status = child.wait() => {
                    let status = status?;
                    return match status.code() {
                        Some(0) | None => Ok(()),
                        Some(127) => Err(io::Error::other("no such program")),
                        Some(code) => Err(io::Error::other(format!("ended with status {code}"))),
                    };
                }
                () = &mut feed, if !is_fed => is_fed = true,
                asked = self.signals.next() => match asked {
                    // The terminal sends these to the program as well, and they are meant for it.
                    Asked::End(Signal::INT | Signal::QUIT) | Asked::GoOn | Asked::Resize => {}
                    Asked::End(signal) => {
                        self.ending = Some(Ending::Signal(signal));
                        return child.kill().await;
                    }
                    Asked::Stop => self.signals.stop_here().await?,
                },
            }
        }
    }

    pub(super) async fn suspend(&mut self) -> Result<(), Error> {
        if !signals::can_stop() {
            let why = "there is no shell to come back from, so the console stays";
            return self.tell(Msg::Told(SafeText::new(why))).await;
        }
        self.give_up_terminal();
        self.signals.stop_here().await?;
        self.come_back().await
    }

    /// Gives the terminal to somebody else, and reads it no more.
    fn give_up_terminal(&mut self) {
        self.reader = None;
        self.terminal.leave();
    }

    /// Takes the terminal back.
    pub(super) async fn come_back(&mut self) -> Result<(), Error> {
        if self.ending.is_some() {
            return Ok(());
        }
        self.terminal.enter()?;
        if self.app.hears_mouse() {
            self.terminal.listen_to_mouse(true)?;
        }
        if self.reader.is_none() {
            self.reader = Some(Reader::start(self.to_inputs.clone(), GRACE)?);
        }
        let (width, height) = terminal::size();
        self.tell(Msg::Resized(width, height)).await?;
        self.tell(Msg::Tick).await
    }
}

/// Writes a file that only its owner can read.
pub(in crate::tui) fn keep(path: &Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// Writes a file that only its owner can read, and that is not there yet.
pub(in crate::tui) fn keep_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// Reads a file of this machine.
#[expect(clippy::disallowed_methods, reason = "the loop is a shell: it opens files for the app")]
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}
