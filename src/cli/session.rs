//! Who sits here, and with what: for the audit log and for the hosts on which something is done.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};

use super::survey::{self, note};
use super::{Context, Exit, Failure, runtime};
use crate::acme::Office;
use crate::audit::{self, Log, Session};
use crate::fleet::Fingerprint;
use crate::inventory::Inventory;
use crate::perform::Tools;
use crate::store::{Rollouts, Trouble};
use crate::text::SafeText;

/// Works at hosts as a session of its own: its beginning is in the audit log before, and its end
/// after, whatever came of the work.
pub(super) fn attend(
    what: &'static str,
    context: &Context,
    (inventory, mut log): (Arc<Inventory>, Log),
    work: impl AsyncFnOnce(Tools) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let who = Session { practice: inventory.defaults.practice, ..context.session(what) };
    if who.practice {
        note("PRACTICE: nothing here is real\n");
    }
    let session = log.begin_session(&who.body()).map_err(refused)?;
    let log = Arc::new(Mutex::new(log));
    let ended = runtime()?.block_on(async {
        let sessions = survey::sessions(context, inventory.defaults.keep_warm)?;
        let tools = Tools {
            inventory,
            sessions: sessions.clone(),
            log: log.clone(),
            clock: context.clock,
            who: who.who(),
            office: Arc::new(Office::new(&context.paths.state, context.clock)),
            rollouts: Rollouts::new(&context.paths.state),
        };
        let ended = work(tools).await;
        sessions.close().await;
        ended
    });
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = log.end_session(session) {
        note(&format!("warning: the end of this session is not in the audit log: {error}\n"));
    }
    ended
}

/// The audit log, to be written.
pub(super) fn open_log(context: &Context) -> Result<Log, Failure> {
    Log::open(&context.paths.state, context.clock).map_err(refused)
}

/// What is said where the audit log cannot be read or written before anything is done.
pub(super) fn refused(error: audit::Error) -> Failure {
    Failure::new(Exit::AuditRefused, error)
        .with_hint("nothing was changed: no change without a record of it")
}

/// Why what was begun before is not taken up, and what to do instead.
pub(super) fn not_taken(trouble: Trouble, hint: Option<&str>) -> Failure {
    let exit = match &trouble {
        Trouble::File { .. } | Trouble::TakenOver(_) => Exit::Failed,
        _ => Exit::BadRequest,
    };
    let failure = Failure::new(exit, trouble);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

impl Context {
    /// Who works here, and with what.
    pub fn session(&self, what: &'static str) -> Session {
        let uid = rustix::process::getuid().as_raw();
        // An inventory that cannot be read has no hash, and whoever needs it says why.
        let inventory = std::fs::read(&self.paths.inventory).ok();
        Session {
            what,
            version: env!("CARGO_PKG_VERSION"),
            inventory: inventory.map(|it| Fingerprint::of(&it).to_string()),
            user: text(self.environment.user.as_ref()).unwrap_or_else(|| format!("uid {uid}")),
            uid,
            sudo_user: text(self.environment.sudo_user.as_ref()),
            tty: terminal(),
            ssh_client: text(self.environment.ssh_connection.as_ref()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            practice: false,
        }
    }
}

fn terminal() -> Option<String> {
    let stdin = io::stdin();
    let name = stdin.is_terminal().then(|| rustix::termios::ttyname(&stdin, Vec::new()).ok())?;
    name.map(|it| it.to_string_lossy().into_owned())
}

fn text(value: Option<&OsString>) -> Option<String> {
    value.map(|it| SafeText::new(&it.to_string_lossy()).to_string())
}
