//! Guided runs that are under way: one file each, written after every answer, whole or not at all.
//!
//! ```text
//! runs/             0700
//!   ID.json         0600, the run, and who is at it
//!   ID.lock         held while that file is read and written
//!   ID.TOKEN.held   held by who is at it as long as they live; a dead one holds nothing
//! ```
//!
//! One is at a run at a time. Somebody else may take it over: who was at it finds out with the
//! next answer, and does nothing more.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::replace;
use crate::fleet::Moment;
use crate::guide::{Answer, Given, Run};
use crate::text::SafeText;

/// Where guided runs are kept.
#[derive(Debug, Clone)]
pub struct Runs {
    dir: PathBuf,
}

/// A run that this process is at, until it is dropped or taken over.
#[derive(Debug)]
pub struct Held {
    runs: Runs,
    id: Uuid,
    token: Uuid,
    /// Locked as long as this process lives.
    _alive: File,
}

/// Who is at a run, or was the last to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// User and machine.
    pub who: SafeText,
    /// Since when.
    pub since: Moment,
    /// Whether they still are.
    pub is_there: bool,
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The run; what was done in it is in the audit log.
    pub run: Run,
    /// Who is at it, or was.
    pub holder: Option<Holder>,
}

/// Why a run cannot be kept or taken up.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Somebody is at it.
    #[error("{} is at it, since {}", .0.who, .0.since)]
    Busy(Holder),
    /// Somebody has taken it over.
    #[error("{} has taken it over, at {}", .0.who, .0.since)]
    TakenOver(Holder),
    /// There is none with that identity.
    #[error("there is no guided run `{0}`")]
    Unknown(SafeText),
    /// There are several whose identities begin or end so.
    #[error("`{0}` is the identity of {1} guided runs")]
    Ambiguous(SafeText, usize),
    /// The file is not what was written.
    #[error("{0}: this is no guided run as this version keeps them")]
    Damaged(PathBuf),
    /// The file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Runs {
    /// Runs in the state folder; nothing is touched yet.
    pub fn new(state: &Path) -> Self {
        Self { dir: state.join("runs") }
    }

    /// Keeps a run that begins, of which this process is the holder.
    pub fn begin(&self, run: &Run, who: &str, now: Moment) -> Result<Held, Trouble> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(on(&self.dir))?;
        let _alone = self.lock(run.id)?;
        let (held, holder) = self.hold(run.id, who, now)?;
        self.write(run, &holder)?;
        Ok(held)
    }

    /// Takes up a run. What is there of somebody who is still at it is taken over only if that is
    /// meant.
    pub fn take(
        &self,
        id: Uuid,
        who: &str,
        now: Moment,
        is_over: bool,
    ) -> Result<(Kept, Held), Trouble> {
        let _alone = self.lock(id)?;
        let (kept, _) = self.read(id)?;
        if let Some(holder) = kept.holder.as_ref().filter(|it| it.is_there && !is_over) {
            return Err(Trouble::Busy(holder.clone()));
        }
        let (held, holder) = self.hold(id, who, now)?;
        self.write(&kept.run, &holder)?;
        Ok((kept, held))
    }

    /// The run whose identity is that, or begins or ends with it.
    pub fn find(&self, text: &str) -> Result<Uuid, Trouble> {
        if let Ok(id) = Uuid::from_str(text)
            && self.path(id).exists()
        {
            return Ok(id);
        }
        let text = text.to_ascii_lowercase();
        let is_meant = |it: &Uuid| {
            let name = it.to_string();
            !text.is_empty() && (name.starts_with(&text) || name.ends_with(&text))
        };
        match self.ids().into_iter().filter(is_meant).collect::<Vec<_>>()[..] {
            [id] => Ok(id),
            [] => Err(Trouble::Unknown(SafeText::new(&text))),
            ref many => Err(Trouble::Ambiguous(SafeText::new(&text), many.len())),
        }
    }

    /// Every run, the newest first; files that are no runs are left out.
    pub fn all(&self) -> Vec<Kept> {
        let mut ids = self.ids();
        // An identity has its time in it.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.into_iter().filter_map(|it| Some(self.read(it).ok()?.0)).collect()
    }

    fn ids(&self) -> Vec<Uuid> {
        let files = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let id = |it: std::fs::DirEntry| {
            let name = it.file_name();
            Uuid::from_str(name.to_str()?.strip_suffix(".json")?).ok()
        };
        files.filter_map(id).collect()
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    fn held_path(&self, id: Uuid, token: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.{token}.held"))
    }

    /// Keeps others from reading and writing it, until the file is dropped.
    fn lock(&self, id: Uuid) -> Result<File, Trouble> {
        let path = self.dir.join(format!("{id}.lock"));
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = match open {
            Err(it) if it.kind() == io::ErrorKind::NotFound => {
                return Err(Trouble::Unknown(SafeText::new(&id.to_string())));
            }
            open => open.map_err(on(&path))?,
        };
        file.lock().map_err(on(&path))?;
        Ok(file)
    }

    fn hold(&self, id: Uuid, who: &str, now: Moment) -> Result<(Held, WireHolder), Trouble> {
        let token = Uuid::new_v4();
        let path = self.held_path(id, token);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(on(&path))?;
        file.lock().map_err(on(&path))?;
        let holder = WireHolder { who: who.to_owned(), since: now.to_string(), token };
        Ok((Held { runs: self.clone(), id, token, _alive: file }, holder))
    }

    fn write(&self, run: &Run, holder: &WireHolder) -> Result<(), Trouble> {
        let path = self.path(run.id);
        let wire = Wire::of(run, holder.clone());
        let write = || {
            let mut bytes = serde_json::to_vec_pretty(&wire).map_err(io::Error::other)?;
            bytes.push(b'\n');
            replace(&self.dir, &path, &bytes)
        };
        write().map_err(on(&path))
    }

    fn read(&self, id: Uuid) -> Result<(Kept, Option<WireHolder>), Trouble> {
        let path = self.path(id);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|it| it.take(MAX_BYTES).read_to_end(&mut bytes)) {
            Err(it) if it.kind() == io::ErrorKind::NotFound => {
                return Err(Trouble::Unknown(SafeText::new(&id.to_string())));
            }
            read => read.map_err(on(&path))?,
        };
        let wire: Option<Wire> = serde_json::from_slice(&bytes).ok();
        let read = wire.and_then(|it| Some((it.holder.clone(), it.run(id)?)));
        let (holder, run) = read.ok_or(Trouble::Damaged(path))?;
        let told = holder.as_ref().map(|it| it.told(self, id));
        Ok((Kept { run, holder: told }, holder))
    }
}

impl Held {
    /// Keeps the run as it is now.
    ///
    /// # Errors
    /// Nothing is written if somebody has taken it over.
    pub fn save(&self, run: &Run) -> Result<(), Trouble> {
        let _alone = self.runs.lock(self.id)?;
        let holder = self.own()?;
        self.runs.write(run, &holder)
    }

    /// Makes sure that nobody has taken it over.
    pub fn check(&self) -> Result<(), Trouble> {
        let _alone = self.runs.lock(self.id)?;
        self.own().map(drop)
    }

    fn own(&self) -> Result<WireHolder, Trouble> {
        let (kept, holder) = self.runs.read(self.id)?;
        match (holder, kept.holder) {
            (Some(it), _) if it.token == self.token => Ok(it),
            (_, Some(other)) => Err(Trouble::TakenOver(other)),
            (_, None) => Err(Trouble::Damaged(self.runs.path(self.id))),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The lock goes with the file; a file that stays behind says nothing.
        std::fs::remove_file(self.runs.held_path(self.id, self.token)).ok();
    }
}

fn on(path: &Path) -> impl Fn(io::Error) -> Trouble + use<> {
    let path = path.to_owned();
    move |source| Trouble::File { path: path.clone(), source }
}

/// The file of a run. Keys are added, never renamed, within a version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    version: u32,
    about: String,
    opened: String,
    by: String,
    ended: Option<String>,
    holder: Option<WireHolder>,
    answers: Vec<WireGiven>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireHolder {
    who: String,
    since: String,
    token: Uuid,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireGiven {
    at: String,
    who: String,
    step: String,
    about: String,
    answer: String,
    reason: Option<String>,
}

impl Wire {
    fn of(run: &Run, holder: WireHolder) -> Self {
        let given = |it: &Given| WireGiven {
            at: it.at.to_string(),
            who: it.who.to_string(),
            step: it.step.clone(),
            about: it.about.clone(),
            answer: it.answer.word().to_owned(),
            reason: it.reason.clone(),
        };
        Self {
            version: VERSION,
            about: run.about.clone(),
            opened: run.opened.to_string(),
            by: run.by.to_string(),
            ended: run.ended.map(|it| it.to_string()),
            holder: Some(holder),
            answers: run.answers.iter().map(given).collect(),
        }
    }

    /// The run; `None` if it was not written by this version.
    fn run(self, id: Uuid) -> Option<Run> {
        let given = |it: WireGiven| {
            Some(Given {
                at: Moment::parse(&it.at)?,
                who: SafeText::new(&it.who),
                step: it.step,
                about: it.about,
                answer: Answer::ALL.into_iter().find(|answer| answer.word() == it.answer)?,
                reason: it.reason,
            })
        };
        let ended = match &self.ended {
            Some(it) => Some(Moment::parse(it)?),
            None => None,
        };
        (self.version == VERSION).then_some(())?;
        Some(Run {
            id,
            about: self.about,
            opened: Moment::parse(&self.opened)?,
            by: SafeText::new(&self.by),
            answers: self.answers.into_iter().map(given).collect::<Option<_>>()?,
            done: Vec::new(),
            ended,
        })
    }
}

impl WireHolder {
    fn told(&self, runs: &Runs, id: Uuid) -> Holder {
        Holder {
            who: SafeText::new(&self.who),
            since: Moment::parse(&self.since).unwrap_or_default(),
            is_there: is_held(&runs.held_path(id, self.token)),
        }
    }
}

/// Whether a process lives that holds this file.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

const VERSION: u32 = 1;
/// A thousand answers with their reasons take less.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn run() -> Run {
        let mut run = Run::new(Uuid::now_v7(), "www.example.net", "ada@bastion", NOW);
        run.answers.push(Given {
            at: NOW,
            who: SafeText::new("ada@bastion"),
            step: "repair".to_owned(),
            about: "certdeck run reload web-01/www".to_owned(),
            answer: Answer::Skip,
            reason: Some("the load balancer has it".to_owned()),
        });
        run
    }

    #[test]
    fn a_run_comes_back_as_it_was_once_nobody_is_at_it() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let mut run = run();
        let held = runs.begin(&run, "ada@bastion", NOW).unwrap();
        run.ended = Some(NOW);
        held.save(&run).unwrap();
        drop(held);
        let (kept, _held) = runs.take(run.id, "ben@bastion", NOW, false).unwrap();
        assert_eq!(kept.run, run);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&runs.path(run.id)), 0o600);
        assert_eq!(mode(&runs.dir), 0o700);
    }

    #[test]
    fn one_is_at_a_run_and_another_takes_it_over_only_if_that_is_meant() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = run();
        let ada = runs.begin(&run, "ada@bastion", NOW).unwrap();
        let busy = runs.take(run.id, "ben@bastion", NOW.plus(60), false).unwrap_err();
        assert_eq!(busy.to_string(), "ada@bastion is at it, since 2026-11-23T03:12:44Z");
        let (_, ben) = runs.take(run.id, "ben@bastion", NOW.plus(60), true).unwrap();
        let over = ada.save(&run).unwrap_err();
        assert_eq!(over.to_string(), "ben@bastion has taken it over, at 2026-11-23T03:13:44Z");
        assert!(ada.check().is_err());
        ben.save(&run).unwrap();
        // Who was at it goes away: that changes nothing for the one who is.
        drop(ada);
        ben.check().unwrap();
        assert!(runs.all()[0].holder.as_ref().unwrap().is_there);
    }

    #[test]
    fn a_run_is_found_by_a_part_of_its_identity() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        assert!(matches!(runs.find("0193"), Err(Trouble::Unknown(_))));
        let [first, second] = [run(), run()];
        for it in [&first, &second] {
            runs.begin(it, "ada@bastion", NOW).unwrap();
        }
        let name = second.id.to_string();
        assert_eq!(runs.find(&name).unwrap(), second.id);
        assert_eq!(runs.find(&name[24..]).unwrap(), second.id);
        assert!(matches!(runs.find(&name[..2]), Err(Trouble::Ambiguous(_, 2))));
        assert_eq!(
            runs.all().iter().map(|it| it.run.id).collect::<Vec<_>>(),
            [second.id, first.id]
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test damages a file on purpose")]
    fn what_is_no_run_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = run();
        runs.begin(&run, "ada@bastion", NOW).unwrap();
        let text = std::fs::read_to_string(runs.path(run.id)).unwrap();
        for bad in ["", "{}", &text.replace("\"version\": 1", "\"version\": 2")] {
            std::fs::write(runs.path(run.id), bad).unwrap();
            let refused = runs.take(run.id, "ben", NOW, false).unwrap_err();
            assert!(matches!(refused, Trouble::Damaged(_)), "{refused}");
        }
    }
}
