//! `certdeck export`: metrics for a monitoring server, over HTTP or in a file. Holds no key and
//! needs no permit: it looks at hosts as `scan` does, and changes nothing.

mod beside;
mod unit;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::survey::{self, Signals, note};
use super::{Context, Exit, Failure, open, runtime};
use crate::diagnose;
use crate::export::{self, Listener, Page};
use crate::filter::Filter;
use crate::fleet::Fleet;
use crate::inventory::Inventory;
use crate::remote::Sessions;
use crate::report::prometheus::{Beside, Exposition, Scanned};
use crate::report::{self, Report};
use crate::scan::{Progress, Scan};
use crate::store::Store;
use crate::text::SafeText;

/// Hand out metrics for Prometheus: over HTTP, or in a file for a textfile collector
///
/// Hosts are read again and again in the background, and what is handed out is the last complete
/// scan: nobody who scrapes waits for one. The inventory is read anew for each. SIGTERM ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to look at, as in the console: group=prod, host:edge-*
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// Serve them over HTTP, at /metrics
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        required_unless_present_any = ["textfile", "unit"],
        conflicts_with = "textfile",
        value_parser = socket
    )]
    listen: Option<SocketAddr>,

    /// Write them to a file, whole or not at all: once, or with --every again and again
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,

    /// How often hosts are read: 90s, 5m, 1h [default with --listen: 5m]
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    every: Option<Duration>,

    /// Print a hardened systemd unit that does it, and do nothing
    #[arg(long)]
    unit: bool,
}

const EXAMPLES: &str = "\
Examples:
  certdeck export --listen 127.0.0.1:9117
  certdeck export --textfile /var/lib/node_exporter/certdeck.prom --every 15m
  certdeck export --listen 127.0.0.1:9117 --unit
  certdeck rules      alert rules for these metrics
  certdeck dashboard  a dashboard of Grafana

Exit codes: 0 written, or ended by SIGTERM; 1 it cannot be handed out; 2 the request or the
inventory was wrong. Interrupted: 130. A host that cannot be read is a metric, and no failure.";

/// How metrics are handed out.
#[derive(Debug, Clone, Copy)]
enum Way<'a> {
    File(&'a Path),
    Http(SocketAddr),
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let way = match (&args.textfile, args.listen) {
        (Some(path), _) => Way::File(path),
        (None, address) => Way::Http(address.unwrap_or(LOOPBACK)),
    };
    let every = args.every.or_else(|| matches!(way, Way::Http(_)).then_some(EVERY));
    if args.unit {
        return unit::print(context, &args.filter, way, every.unwrap_or(EVERY));
    }
    let exporter = Exporter {
        context,
        filter: survey::filter(&args.filter, context)?,
        every,
        store: Store::new(&context.paths.state),
        silent: RefCell::default(),
    };
    // What is wrong with it is said at once; later it only keeps the old metrics in place.
    let inventory = open::inventory(context)?;
    runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let sessions = survey::sessions(context, 0)?;
        let ended = tokio::select! {
            number = signals.next() => Ok(exporter.end(number)),
            ended = exporter.go(way, &inventory, &sessions) => ended.map(|()| Exit::Done),
        };
        sessions.close().await;
        ended
    })
}

/// Scans, and hands out what was seen.
struct Exporter<'a> {
    context: &'a Context,
    filter: Filter,
    every: Option<Duration>,
    store: Store,
    /// Why stores of secrets could not be asked the last time: it is said once.
    silent: RefCell<Vec<SafeText>>,
}

impl Exporter<'_> {
    /// How it ends when a signal asks for it.
    fn end(&self, number: u8) -> Exit {
        // What is meant to run until then has done what it was asked to do.
        if self.every.is_some() && number == TERM { Exit::Done } else { Exit::Code(128 + number) }
    }

    async fn go(
        &self,
        way: Way<'_>,
        inventory: &Inventory,
        sessions: &Arc<Sessions>,
    ) -> Result<(), Failure> {
        let clock = self.context.clock;
        match way {
            Way::File(path) => {
                if path.extension().is_none_or(|it| it != "prom") {
                    note("warning: the textfile collector of node_exporter reads *.prom only\n");
                }
                let write = |it: Exposition| Ok(export::write(path, &it, clock.now())?);
                self.scans(sessions, write).await
            }
            Way::Http(address) => {
                let listener = Listener::bind(address).await.map_err(cannot_listen)?;
                let address = listener.address();
                if !address.ip().is_loopback() {
                    note("warning: whoever reaches this port can read which hosts there are\n");
                }
                let (tell, page) = watch::channel(self.recalled(inventory));
                // A task of its own, so that no work of a scan keeps it from answering. It ends
                // with this set.
                let mut serving = JoinSet::new();
                serving.spawn(listener.serve(page, clock));
                note(&format!("serving http://{address}/metrics\n"));
                let publish = |it| {
                    tell.send_replace(Some(Arc::new(it)));
                    Ok(())
                };
                self.scans(sessions, publish).await
            }
        }
    }

    /// Scans once, or as often as was asked for, and hands on what was seen. What fails later than
    /// the first time is told, and tried again.
    async fn scans(
        &self,
        sessions: &Arc<Sessions>,
        hand_on: impl Fn(Exposition) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(every) = self.every else { return hand_on(self.scan(sessions).await?) };
        let mut turns = tokio::time::interval(every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_first = true;
        loop {
            turns.tick().await;
            match self.scan(sessions).await.and_then(&hand_on) {
                Err(failure) if is_first => return Err(failure),
                Err(failure) => note(&told(&failure)),
                Ok(()) => is_first = false,
            }
        }
    }

    /// Reads every host once. What the last snapshot knows of those that are down stays.
    async fn scan(&self, sessions: &Arc<Sessions>) -> Result<Exposition, Failure> {
        let began = Instant::now();
        let inventory = Arc::new(open::inventory(self.context)?);
        let mut fleet = inventory.fleet();
        self.store.recall(&mut fleet).ok();
        let hosts = fleet.hosts().filter(|it| self.filter.may_keep(it));
        let hosts = hosts.map(|it| it.name.clone()).collect();
        let clock = self.context.clock;
        let mut scan =
            Scan::start(Arc::clone(&inventory), Arc::clone(sessions), &fleet, hosts, clock);
        while let Some(progress) = scan.next().await {
            if let Progress::Ended(visit) = progress {
                fleet.apply(visit);
            }
        }
        let silent = survey::learn(self.context, &inventory, &mut fleet).await;
        if *self.silent.borrow() != silent {
            survey::say(&silent);
        }
        self.silent.replace(silent);
        if let Err(error) = self.store.save(&fleet) {
            let error = anyhow::Error::new(error);
            note(&format!("warning: {error:#}; the next scan will not remember this one\n"));
        }
        Ok(self.metrics(&inventory, &fleet, Some(began.elapsed())))
    }

    /// What the last scan of this machine saw, so that a restart leaves no gap.
    fn recalled(&self, inventory: &Inventory) -> Page {
        let mut fleet = inventory.fleet();
        fleet.scanned_at = self.store.recall(&mut fleet).unwrap_or_default();
        fleet.scanned_at.map(|_| Arc::new(self.metrics(inventory, &fleet, None)))
    }

    fn metrics(&self, inventory: &Inventory, fleet: &Fleet, took: Option<Duration>) -> Exposition {
        let now = self.context.clock.now();
        let mut diagnosis = diagnose::diagnose(fleet, now);
        survey::acknowledge(self.context, &mut diagnosis, now);
        let page = report::Page::default();
        let report = Report { fleet, diagnosis: &diagnosis, now, filter: &self.filter, page };
        let history = survey::history(self.context, inventory, fleet);
        let beside = Beside {
            took,
            every: self.every,
            attempts: beside::attempts(&self.context.paths.state),
            rooms: beside::rooms(&history, inventory, now),
            buckets: history.buckets(now),
        };
        Exposition::of(&Scanned::new(&report, &beside))
    }
}

fn cannot_listen(error: export::Error) -> Failure {
    let is_used = matches!(error, export::Error::InUse(_));
    let failure = Failure::new(Exit::Failed, error);
    if is_used {
        failure.with_hint("see `ss -ltnp` for whose it is; --listen takes another port")
    } else {
        failure
    }
}

fn told(failure: &Failure) -> String {
    let lines = failure.lines();
    lines.iter().flat_map(|it| ["warning: ", it, "\n"]).collect()
}

fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address with a port, as in 127.0.0.1:9117".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    crate::fleet::seconds(text)
        .and_then(|it| u64::try_from(it).ok())
        .filter(|it| (1..=MOST_SECONDS).contains(it))
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a length from 1s to 7d, as in 90s, 5m or 1h".to_owned())
}

/// Nobody's but ours in the list of default ports of the Prometheus project, and on this machine
/// alone.
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9117);
const EVERY: Duration = Duration::from_secs(300);
const MOST_SECONDS: u64 = 7 * 86_400;
const TERM: u8 = 15;
