//! certbot of a practice host: does what certbot 2.1.0 does, says it in the same words, and has
//! its certificates issued by the CAs of the fleet. Works in the folder of its host and nowhere
//! else; hooks are what whoever wrote them makes of them.

mod certificates;
mod certonly;
mod conf;
mod hooks;
mod host;
mod lineage;
mod options;
mod order;
mod renew;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use self::hooks::Hooks;
use self::host::{Host, Mouth, Refused};
use self::options::Options;
use super::authority::Ca;
use super::certbot::{VERSION, ca_of};
use super::words::{DISPLAY, LOG_ERROR, MAIN, Stop, Voice as _};
use crate::fleet::Moment;

/// Runs certbot on the practice host with that root, at that time, as `certbot TYPED…`; returns
/// its exit code.
pub fn run_certbot(root: &Path, now: Moment, typed: &[OsString]) -> u8 {
    let options = match Options::read(typed) {
        Ok(options) => options,
        Err(usage) => {
            complain(&usage);
            return 2;
        }
    };
    if options.version {
        drop(writeln!(io::stdout(), "certbot {VERSION}"));
        return 0;
    }
    let begun = Host::enter(root, &options).and_then(|host| {
        let mouth = Mouth::open(&host, now, options.quiet);
        match mouth {
            Ok(mouth) => Ok(Session { host, mouth, options, hooks: Hooks::default() }),
            Err(error) => Err(Refused::Folder(host.log(), error)),
        }
    });
    match begun {
        Ok(session) => session.run(typed),
        Err(refused) => {
            refused.complain();
            1
        }
    }
}

/// One run of certbot.
struct Session {
    host: Host,
    mouth: Mouth,
    options: Options,
    hooks: Hooks,
}

impl Session {
    fn run(mut self, typed: &[OsString]) -> u8 {
        let log = self.host.log().display().to_string();
        if !self.options.quiet {
            complain(&format!("Saving debug log to {log}"));
        }
        let verb = self.options.verb.take();
        let arguments = typed.iter().map(|it| format!("'{}'", it.display()));
        let arguments: Vec<_> =
            arguments.filter(|it| Some(it.trim_matches('\'')) != verb.as_deref()).collect();
        self.mouth.note(MAIN, &format!("certbot version: {VERSION}"));
        self.mouth.note(MAIN, "Location of certbot entry point: /usr/bin/certbot");
        self.mouth.note(MAIN, &format!("Arguments: [{}]", arguments.join(", ")));
        let ended = match verb.as_deref() {
            Some("certificates") => {
                certificates::list(&self.host, &mut self.mouth);
                Ok(())
            }
            Some("certonly") => self.certonly(),
            Some("renew") => self.renew(),
            verb => Err(Stop::Own(format!(
                "a practice host cannot do this: certbot {}",
                verb.unwrap_or_default()
            ))),
        };
        self.hooks.post(&mut self.mouth);
        let Err(stop) = ended else { return 0 };
        match stop {
            Stop::Order(_, _, detail) => {
                self.mouth.warn(LOG_ERROR, "An unexpected error occurred:");
                self.mouth.warn(LOG_ERROR, &detail);
            }
            stop => self.mouth.warn(LOG_ERROR, &stop.error()),
        }
        if !self.options.quiet {
            complain(&advice(&log));
        }
        1
    }

    /// The CA that is asked, where the configuration names `usual`.
    fn ca(&self, usual: Option<&str>) -> Result<Ca, Stop> {
        let given = self.options.server.as_deref();
        let server = match (given, self.options.staging || self.options.dry_run) {
            (Some(server), _) => server,
            (None, true) => return Ok(Ca::Staging),
            (None, false) => match usual {
                Some(usual) => usual,
                None => return Ok(Ca::Public),
            },
        };
        let host = server.trim_start_matches("https://").split(['/', ':']).next();
        ca_of(server).ok_or_else(|| {
            Stop::Own(format!(
                "HTTPSConnectionPool(host='{}', port=443): Max retries exceeded with url: \
                 /directory (Caused by NewConnectionError('<urllib3.connection.HTTPSConnection \
                 object at 0x7fc71bc27750>: Failed to establish a new connection: [Errno -3] \
                 Temporary failure in name resolution'))",
                host.unwrap_or_default()
            ))
        })
    }
}

impl Refused {
    fn complain(&self) {
        match self {
            Self::Locked(log) => {
                complain("Another instance of Certbot is already running.");
                complain(&advice(&log.display().to_string()));
            }
            Self::Outside(path) => complain(&format!(
                "The following error was encountered:\n[Errno 13] Permission denied: '{}'\nEither \
                 run as root, or set --config-dir, --work-dir, and --logs-dir to writeable paths.",
                path.display()
            )),
            Self::Folder(path, error) => complain(&format!(
                "The following error was encountered:\n{error}: '{}'\nEither run as root, or set \
                 --config-dir, --work-dir, and --logs-dir to writeable paths.",
                path.display()
            )),
        }
    }
}

/// The names of all lineages, sorted.
fn lineages(host: &Host) -> Vec<String> {
    let Ok(entries) = fs::read_dir(host.etc.join("renewal")) else { return Vec::new() };
    let names = entries.flatten().filter_map(|it| it.file_name().into_string().ok());
    let mut names: Vec<_> =
        names.filter_map(|it| Some(it.strip_suffix(".conf")?.to_owned())).collect();
    names.sort_unstable();
    names
}

fn advice(log: &str) -> String {
    format!(
        "Ask for help or search for solutions at https://community.letsencrypt.org. See the \
         logfile {log} or re-run Certbot with -v for more details."
    )
}

fn complain(text: &str) {
    // Nobody is left to tell if it is closed.
    drop(writeln!(io::stderr(), "{text}"));
}
