//! What checks before an order rest on: looked at side by side, each part with a deadline of its
//! own, and judged as soon as it is there.
//!
//! Two parts change something for a moment: a file is placed on hosts, a record is written into
//! the DNS. Both are on record in the audit log before, and go again however this program ends:
//! what a crash leaves is taken away when it starts the next time, as that of an order is.

mod authority;
mod host;
mod names;
mod once;
mod record;
mod trial;
mod web;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use once::Once;

use super::{Past, Tools};
use crate::acme::health::Health;
use crate::acme::ledger::Ledger;
use crate::action::Find;
use crate::budget::{Event, History};
use crate::fleet::{Fleet, HostName, Reach, Visit};
use crate::preflight::{self, Case, Evidence, Kind, Part, Refusal, Verdict, Wanted};
use crate::scan;
use crate::text::SafeText;

/// Checks under way. Dropping it ends them where they are; what was placed then goes when the
/// program starts again.
#[derive(Debug)]
pub struct Preflight {
    progress: mpsc::UnboundedReceiver<Progress>,
    stop: watch::Sender<bool>,
    /// Owns the work.
    _work: JoinSet<()>,
}

/// What checks tell, as it happens. `at` is the place of the certificate in the list.
#[derive(Debug)]
pub enum Progress {
    /// It is known what would be ordered.
    Began {
        /// Which.
        at: usize,
        /// What.
        case: Box<Case>,
    },
    /// A check is done.
    Checked {
        /// Which.
        at: usize,
        /// What was checked.
        kind: &'static Kind,
        /// What it says.
        verdict: Verdict,
    },
    /// Every check is done.
    Ended {
        /// Which.
        at: usize,
    },
    /// Nothing can be checked.
    Refused {
        /// Which.
        at: usize,
        /// Why.
        refusal: Refusal,
    },
    /// A host was looked at again.
    Visited(Visit),
}

impl Preflight {
    /// Starts to look. `fleet` is what is known now; each host is looked at anew. `read_only` says
    /// why nothing may be placed anywhere, if nothing may. Needs a tokio runtime around it.
    pub fn start(
        tools: Tools,
        fleet: Fleet,
        wanted: Vec<Wanted>,
        read_only: Option<SafeText>,
    ) -> Self {
        let (tell, progress) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let mut work = JoinSet::new();
        let shared = Arc::new(Shared {
            tools,
            fleet: Mutex::new(fleet),
            read_only,
            tell,
            stopped,
            turns: Semaphore::new(AT_ONCE),
            noted: OnceLock::new(),
            visits: Once::default(),
            healths: Once::default(),
        });
        for (at, it) in wanted.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            work.spawn(async move { Box::pin(shared.check(at, it)).await });
        }
        Self { progress, stop, _work: work }
    }

    /// What happened next; `None` once everything is done. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Progress> {
        self.progress.recv().await
    }

    /// Looks at nothing more, and takes away what was placed: [`Self::next`] tells when that is
    /// done.
    pub fn stop(&self) {
        // Nobody listens once everything is done.
        self.stop.send(true).ok();
    }
}

/// What all checks share.
struct Shared {
    tools: Tools,
    fleet: Mutex<Fleet>,
    read_only: Option<SafeText>,
    tell: mpsc::UnboundedSender<Progress>,
    stopped: watch::Receiver<bool>,
    turns: Semaphore,
    /// What this machine has noted of CAs.
    noted: OnceLock<Vec<Event>>,
    /// The hosts that were looked at.
    visits: Once<HostName, ()>,
    /// The CAs that were asked how they are, by issuer and directory.
    healths: Once<(String, String), Health>,
}

/// What this machine has noted of what happened at CAs. Without it, a little is known less.
fn noted(tools: &Tools) -> Vec<Event> {
    let mut past = Past::default();
    let records = super::record::lock(&tools.log).records().unwrap_or_default();
    for it in &records {
        past.add(it);
    }
    let ledger = Ledger::of(&tools.office).events(tools.clock.now()).unwrap_or_default();
    past.told().events.into_iter().chain(ledger).collect()
}

impl Shared {
    fn say(&self, progress: Progress) {
        // Nobody listens any more only when the checks are being dropped.
        self.tell.send(progress).ok();
    }

    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        // What was taken in is whole whatever happened to whoever did.
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves once nothing more is to be looked at.
    async fn stopped(&self) {
        let mut stopped = self.stopped.clone();
        if stopped.wait_for(|it| *it).await.is_err() {
            // Whoever could have said so is gone, and with it this work.
            std::future::pending::<()>().await;
        }
    }

    async fn check(&self, at: usize, wanted: Wanted) {
        let _turn = self.turns.acquire().await;
        match self.case(&wanted).await {
            Err(refusal) => self.say(Progress::Refused { at, refusal }),
            Ok(case) => {
                self.say(Progress::Began { at, case: Box::new(case.clone()) });
                let desk = Desk { at, shared: self, case, board: Mutex::default() };
                Box::pin(desk.look()).await;
                self.say(Progress::Ended { at });
            }
        }
    }

    /// What would be ordered, by how its host is now.
    async fn case(&self, wanted: &Wanted) -> Result<Case, Refusal> {
        let Tools { inventory, sessions, clock, .. } = &self.tools;
        let unknown = || Refusal {
            text: SafeText::new(&format!("{}: it is not in the inventory", wanted.host)),
            hint: SafeText::new("`certdeck scan` lists hosts and lineages"),
        };
        let told = inventory.host(wanted.host.as_str()).ok_or_else(unknown)?;
        let known = self.fleet().shared(&wanted.host).ok_or_else(unknown)?;
        let visit = async {
            let visit = scan::visit(sessions, told, known, *clock).await;
            self.say(Progress::Visited(visit.clone()));
            self.fleet().apply(visit);
        };
        Box::pin(self.visits.see(wanted.host.clone(), visit)).await;
        // A copy: hosts are shared, and the other certificates are not to wait for what follows.
        let fleet = self.fleet().clone();
        let now = clock.now();
        let noted = self.noted.get_or_init(|| noted(&self.tools)).clone();
        let history = &History::new(&fleet, &inventory.order_limits(), noted, now);
        let find = Find { inventory, fleet: &fleet, history, now };
        let lineage = wanted.lineage.as_deref();
        let target = find.target(&wanted.host, lineage).ok_or_else(unknown)?;
        let host = fleet.shared(&wanted.host).ok_or_else(unknown)?;
        let mut case = Case::of(&target, host, &wanted.chosen)?;
        if let Some(why) = &self.read_only {
            case.read_only = Some(why.clone());
        }
        Ok(case)
    }
}

/// The checks of one certificate.
struct Desk<'a> {
    at: usize,
    shared: &'a Shared,
    case: Case,
    board: Mutex<Board>,
}

/// What was looked at so far, and what was judged by it.
#[derive(Default)]
struct Board {
    evidence: Evidence,
    parts: BTreeSet<Part>,
    judged: BTreeSet<&'static str>,
}

impl Desk<'_> {
    /// Looks at every part, and tells of each check once all of its parts are there.
    async fn look(&self) {
        let case = &self.case;
        let tools = &self.shared.tools;
        let names = async {
            let names = names::look(case, tools).await;
            self.pin(Part::Names, |it| it.names = Ok(names.clone()));
            let web = web::look(self, &names).await;
            self.pin(Part::Web, |it| it.web = web);
        };
        let zones = async {
            let zones = names::zones(case, tools).await;
            self.pin(Part::Zones, |it| it.zones = Ok(zones));
        };
        let authority = async {
            let authority = authority::look(case, self.shared).await;
            self.pin(Part::Authority, |it| it.authority = authority);
        };
        let host = async {
            let host = match &case.host.reach {
                Reach::Up => host::look(case, tools).await,
                Reach::Down(why) => Err(why.text.clone()),
                Reach::Never => Err(SafeText::new("the host was not read")),
            };
            self.pin(Part::Host, |it| it.host = host);
        };
        let records = async {
            let records = record::look(self).await;
            self.pin(Part::Record, |it| it.records = records);
        };
        // What needs nothing is judged at once.
        self.judge();
        tokio::join!(names, zones, authority, host, records);
    }

    /// Takes in what was seen of a part.
    fn pin(&self, part: Part, take_in: impl FnOnce(&mut Evidence)) {
        let mut board = self.board();
        take_in(&mut board.evidence);
        board.parts.insert(part);
        drop(board);
        self.judge();
    }

    fn judge(&self) {
        let mut board = self.board();
        let Board { evidence, parts, judged } = &mut *board;
        for kind in preflight::ALL.iter().filter(|it| it.is_ready(parts)) {
            if judged.insert(kind.name) {
                let verdict = kind.judge(&self.case, evidence);
                self.shared.say(Progress::Checked { at: self.at, kind, verdict });
            }
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many certificates are looked at at once.
const AT_ONCE: usize = 8;
