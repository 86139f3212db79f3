//! Where certificates live on a host. A source contributes a fragment of POSIX shell that is run
//! once per scan, and reads what the fragment printed. No source does I/O.
//!
//! # Adding a source
//! 1. A file here with `KIND`, its settings, `ask` and `read`.
//! 2. Two lines below: `mod` and the entry in [`ALL`].
//! 3. Recorded output of the real client under `tests/fixtures/<kind>/`, read by its tests.

mod acme_sh;
mod assign;
mod bundle;
mod cert_manager;
mod certbot;
mod certdeck;
mod dehydrated;
mod found;
mod key;
mod lego;
mod need;
mod pem;
mod schedule;
mod script;
mod servers;
mod sight;

use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::fleet::{Host, HostName, Moment, Roots, Seen};
use crate::spanned::{Diagnostic, Table};

pub use cert_manager::Namespaces;
pub use script::{Answer, Frame, Incomplete, Nonce, Script, Section, quote};

/// Every kind of source, in the order they are shown.
pub static ALL: &[Kind] = &[
    certdeck::KIND,
    certbot::KIND,
    acme_sh::KIND,
    dehydrated::KIND,
    lego::KIND,
    cert_manager::KIND,
    pem::KIND,
    servers::KIND,
];

/// What the rest of the program knows about a kind of source.
#[derive(Debug)]
pub struct Kind {
    /// The name used in the inventory.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// The JSON Schema of its keys.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    build: fn(Table<'_>) -> Result<Arc<dyn Source>, Diagnostic>,
}

/// A client that orders certificates and renews them, and where it keeps things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client<'a> {
    /// certbot with its three folders.
    Certbot {
        /// `live`, `archive`, `renewal`.
        config_dir: &'a str,
        /// Locks and backups.
        work_dir: &'a str,
        /// `letsencrypt.log`.
        logs_dir: &'a str,
    },
    /// This program, which orders itself.
    Certdeck {
        /// Its store: `live`, `archive`, `renewal`, `orders`.
        dir: &'a str,
    },
    /// cert-manager, in a cluster that the host's kubectl reaches.
    CertManager {
        /// The kubeconfig, if it is not the one that is found.
        kubeconfig: Option<&'a str>,
        /// The context, if it is not the current one.
        context: Option<&'a str>,
        /// What of the cluster is read.
        is_read: Namespaces<'a>,
    },
}

/// A place on a host where certificates are kept.
pub trait Source: fmt::Debug + Send + Sync {
    /// What kind it is.
    fn kind(&self) -> &'static Kind;

    /// Writes the shell fragment. `known` is the last known state of the host, so that what has
    /// not changed (private keys, above all) need not be read again.
    fn ask(&self, script: &mut Script, known: &Host);

    /// The client that it belongs to, if one renews what is there.
    fn client(&self) -> Option<Client<'_>> {
        None
    }

    /// Reads what the fragment printed, and adds it to what is seen of the host.
    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen);
}

/// What reading an answer takes beside the answer.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The last known state of the host: the same as when it was asked.
    pub known: &'a Host,
    /// The authorities at which chains may end.
    pub roots: &'a Roots,
    /// Our clock when the answer came.
    pub now: Moment,
}

/// Builds a source from its table in the inventory.
pub fn build(table: Table<'_>) -> Result<Arc<dyn Source>, Diagnostic> {
    match ALL.iter().find(|it| it.name == table.kind()) {
        Some(kind) => (kind.build)(table),
        None => Err(table.unknown_kind(&ALL.iter().map(|it| it.name).collect::<Vec<_>>())),
    }
}

/// The kinds of servers whose configuration can be read, by name.
pub fn servers() -> impl Iterator<Item = &'static str> {
    servers::PROGRAMS.iter().map(|it| it.name)
}

/// Adds what every host is asked for unless it says otherwise: what this program has ordered for
/// it, its servers and listeners.
pub fn discover(sources: &mut Vec<Arc<dyn Source>>) {
    if sources.iter().all(|it| it.kind().name != certdeck::KIND.name) {
        sources.push(Arc::new(certdeck::Certdeck::default()));
    }
    if sources.iter().all(|it| it.kind().name != servers::KIND.name) {
        sources.push(Arc::new(servers::Servers::default()));
    }
}

/// The script for one visit to a host with these sources. The answer is read with
/// [`read_answer`] and the same `nonce`.
pub fn ask_all(sources: &[Arc<dyn Source>], known: &Host, nonce: &Nonce) -> String {
    let mut script = Script::new(nonce);
    for source in sources {
        script.begin_section();
        source.ask(&mut script, known);
    }
    script.finish()
}

/// Reads the whole answer of a host, as it came, into what is seen there. `asked` is
/// our clock when it was asked, for the offset of the host's clock.
pub fn read_answer(
    sources: &[Arc<dyn Source>],
    answer: &[u8],
    nonce: &Nonce,
    asked: Moment,
    reading: &Reading<'_>,
) -> Result<Seen, Incomplete> {
    let answer = Answer::read(answer, nonce)?;
    let now = reading.now;
    let mut seen = Seen {
        // The host's clock was read at some moment between the two.
        clock_offset: answer.clock.map(|it| it.since(asked.plus(now.since(asked) / 2))),
        ..Seen::default()
    };
    for (source, section) in sources.iter().zip(&answer.sections) {
        source.read(section, reading, &mut seen);
    }
    Ok(seen)
}

/// A parser of foreign bytes, with whatever it gives dropped.
pub(crate) type Parser = fn(&[u8]);

/// The parsers in this room, for [`crate::fuzz`].
pub(crate) const PARSERS: [(&str, Parser); 13] = [
    ("acme-sh-conf", acme_sh::read_conf),
    ("answer", |bytes| {
        let sources: [Arc<dyn Source>; 4] = [
            Arc::new(certdeck::Certdeck::default()),
            Arc::new(certbot::Certbot::default()),
            Arc::new(pem::Pem::default()),
            Arc::new(servers::Servers::default()),
        ];
        let host = Host::new(HostName::new("x"), "x", &[]);
        let at = Moment::default();
        let reading = Reading { known: &host, roots: &Roots::none(), now: at };
        drop(read_answer(&sources, bytes, &Nonce::new([0; 16]), at, &reading));
    }),
    ("apache-conf", servers::read_apache),
    ("cert-manager-listing", cert_manager::read_listing),
    ("certbot-log", certbot::read_log),
    ("certdeck-conf", certdeck::read_conf),
    ("haproxy-conf", servers::read_haproxy),
    ("nginx-conf", servers::read_nginx),
    ("pem-chain", |bytes| drop(bundle::read_chain("/x", bytes, &Roots::none(), &mut Vec::new()))),
    ("dehydrated-conf", dehydrated::read_conf),
    ("lego-command", lego::read_command),
    ("renewal-conf", certbot::read_conf),
    ("systemctl", certbot::read_units),
];

/// A path on a host, from the root, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct AbsolutePath(String);

impl AbsolutePath {
    /// Takes a path that is known to be right.
    fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    fn as_str(&self) -> &str {
        &self.0
    }

    /// The shell word for it.
    fn quoted(&self) -> String {
        quote(&self.0)
    }
}

impl TryFrom<String> for AbsolutePath {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err(format!("`{path}` must begin with `/`"));
        }
        if path.contains(['\0', '\n']) {
            return Err("a path has no line breaks and no NUL".to_owned());
        }
        let short = path.trim_end_matches('/');
        Ok(Self(short.to_owned()))
    }
}
