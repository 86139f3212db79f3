//! The folders of the practice host that certbot runs on, and what certbot says there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::Options;
use crate::fleet::Moment;
use crate::practice::certbot::{ETC, FAULTS};
use crate::practice::words::{Failure, RULER, Voice, clock};
use crate::practice::{CA, HOSTS, PREFIX, stage};

/// A practice host, seen from inside.
pub(super) struct Host {
    /// The folder that stands for its root.
    pub(super) root: PathBuf,
    /// The folder in which the CAs of the fleet keep their keys.
    pub(super) ca: PathBuf,
    /// certbot's configuration folder.
    pub(super) etc: PathBuf,
    /// The folder of the log.
    logs: PathBuf,
    /// Held as long as certbot runs.
    _locks: Vec<File>,
}

/// Why certbot does not begin.
pub(super) enum Refused {
    /// This is no practice host, or the folders lie outside of it.
    Outside(PathBuf),
    /// Another one is at work.
    Locked(PathBuf),
    /// A folder cannot be made or locked.
    Folder(PathBuf, io::Error),
}

impl Host {
    /// Enters the host with that root, and locks certbot's folders.
    pub(super) fn enter(root: &Path, options: &Options) -> Result<Self, Refused> {
        let outside = || Refused::Outside(root.to_owned());
        let root = root.canonicalize().map_err(|_| outside())?;
        let hosts = root.parent().ok_or_else(outside)?;
        let fleet = hosts.parent().ok_or_else(outside)?;
        let is_fleet = fleet.file_name().and_then(|it| it.to_str());
        if !is_fleet.is_some_and(|it| it.starts_with(PREFIX)) || !hosts.ends_with(HOSTS) {
            return Err(outside());
        }
        let folder = |given: &Option<String>, usual: &str| {
            let path = given.as_ref().map_or_else(|| root.join(usual), PathBuf::from);
            if is_inside(&root, &path) { Ok(path) } else { Err(Refused::Outside(path)) }
        };
        let etc = folder(&options.config_dir, ETC)?;
        let work = folder(&options.work_dir, "var/lib/letsencrypt")?;
        let logs = folder(&options.logs_dir, "var/log/letsencrypt")?;
        // In certbot's order.
        let locks = [&logs, &etc, &work].map(|it| lock(&root, it));
        let locks = locks.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { ca: fleet.join(CA), etc, logs, root, _locks: locks })
    }

    /// Why attempts at a lineage or a name fail.
    pub(super) fn fault(&self, name: &str) -> Option<Failure> {
        let path = self.root.join(FAULTS).join(name);
        Failure::from_word(stage::read(&path).ok()?.trim())
    }

    /// A path of the host as this machine knows it.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        if Path::new(path).starts_with(&self.root) {
            return PathBuf::from(path);
        }
        self.root.join(path.trim_start_matches('/'))
    }

    /// The log.
    pub(super) fn log(&self) -> PathBuf {
        self.logs.join("letsencrypt.log")
    }
}

/// Whether a path, with all links followed as far as it exists, stays below `root`.
pub(super) fn is_inside(root: &Path, path: &Path) -> bool {
    let mut existing = path;
    while !existing.exists() {
        let Some(parent) = existing.parent() else { return false };
        existing = parent;
    }
    let climbs = path.components().any(|it| it == Component::ParentDir);
    !climbs && existing.canonicalize().is_ok_and(|it| it.starts_with(root))
}

fn lock(root: &Path, folder: &Path) -> Result<File, Refused> {
    let file = fs::create_dir_all(folder).and_then(|()| {
        let path = folder.join(".certbot.lock");
        OpenOptions::new().write(true).create(true).truncate(false).open(path)
    });
    let file = file.map_err(|error| Refused::Folder(folder.to_owned(), error))?;
    // A lock of the same kind as certbot's: whoever looks for its holder finds it.
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(Refused::Locked(root.join("tmp/certbot-log/log"))),
        Err(error) => Err(Refused::Folder(folder.to_owned(), error.into())),
    }
}

/// certbot's voice: the log, and the user's two streams.
pub(super) struct Mouth {
    log: File,
    began: Moment,
    clock: Instant,
    is_quiet: bool,
}

impl Mouth {
    /// Opens the log; time runs on from `now`.
    pub(super) fn open(host: &Host, now: Moment, is_quiet: bool) -> io::Result<Self> {
        let log = OpenOptions::new().append(true).create(true).open(host.log())?;
        log.set_permissions(fs::Permissions::from_mode(0o644))?;
        Ok(Self { log, began: now, clock: Instant::now(), is_quiet })
    }

    /// The time on the host.
    pub(super) fn now(&self) -> Moment {
        self.began.plus(self.clock.elapsed().as_secs().try_into().unwrap_or(i64::MAX))
    }

    /// Tells the user in a frame.
    pub(super) fn announce(&mut self, text: &str) {
        self.note(super::DISPLAY, &format!("Notifying user: {text}"));
        self.say(&format!("\n{RULER}\n{text}\n{RULER}"));
    }

    /// Talks to the user, and not to the log.
    fn say(&self, text: &str) {
        if !self.is_quiet {
            // Nobody is left to tell if it is closed.
            drop(writeln!(io::stdout(), "{text}"));
        }
    }
}

impl Voice for Mouth {
    fn note(&mut self, from: &str, text: &str) {
        let stamp = clock(self.now());
        let millis = self.clock.elapsed().subsec_millis();
        // A full disk ends the log, not certbot.
        drop(writeln!(self.log, "{stamp},{millis:03}:{from}:{text}"));
    }

    fn tell(&mut self, text: &str) {
        self.note(super::DISPLAY, &format!("Notifying user: {text}"));
        self.say(text);
    }

    fn warn(&mut self, from: &str, text: &str) {
        self.note(from, text);
        drop(writeln!(io::stderr(), "{text}"));
    }
}
