//! Orders that are stopped: at a point where nothing is lost, and kept for whoever asks for the
//! same again.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use super::super::{Error, Office, Stage};
use super::keep::{Kept, Passing, file, folder};

impl Kept {
    /// Whether it can be stopped and nothing is lost: the CA does not have the request yet. From
    /// then on a certificate comes of it, which counts there.
    pub fn is_stoppable(&self) -> bool {
        self.stage < Stage::Finalizing && self.passing != Passing::Stopped
    }

    /// Asks whoever is at the order of an action to stop; `false` if there is none, or none that
    /// can be stopped any more.
    ///
    /// # Errors
    /// Where the folder of orders cannot be used.
    pub fn ask_to_stop(office: &Office, op: Uuid) -> Result<bool, Error> {
        if !Self::may_stop(office, op, false)? && !Self::may_stop(office, op, true)? {
            return Ok(false);
        }
        let path = mark(office, op);
        let made: Result<File, _> =
            OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        made.map(|_| true).map_err(|it| file(&path, &format!("cannot be made: {it}")))
    }

    /// Waits until somebody has asked to stop the order of an action, or its rehearsal, as long as
    /// it can be stopped. Whoever is at it is then dropped, as if it were killed: what is on the
    /// disk tells all that there is to take away.
    pub async fn stop_asked(office: &Office, op: Uuid, is_rehearsal: bool) {
        loop {
            sleep(LOOK).await;
            let is_asked = mark(office, op).exists();
            // Nothing is stopped on the word of a file that cannot be read.
            if is_asked && Self::may_stop(office, op, is_rehearsal).unwrap_or(false) {
                return;
            }
        }
    }

    fn may_stop(office: &Office, op: Uuid, is_rehearsal: bool) -> Result<bool, Error> {
        Ok(Self::read(office, op, is_rehearsal)?.is_some_and(|it| it.is_stoppable()))
    }

    /// Forgets that somebody asked.
    pub(super) fn unmark(office: &Office, op: Uuid) {
        // An empty file that is left says nothing of another action.
        std::fs::remove_file(mark(office, op)).ok();
    }

    /// Goes on with the order of an action that was stopped, if there is one for the same: the CA
    /// need not be asked for another. Whoever takes the file away has it.
    pub fn adopt(&mut self, office: &Office) {
        for (op, is_rehearsal) in Self::all(office) {
            let Ok(Some(old)) = Self::read(office, op, is_rehearsal) else { continue };
            let is_same = (&old.issuer, old.is_staging, &old.names, &old.profile)
                == (&self.issuer, self.is_staging, &self.names, &self.profile);
            let is_left =
                old.passing == Passing::Stopped && old.placed.is_empty() && old.url.is_some();
            if is_same && is_left && old.forget(office).is_ok() {
                self.url = old.url;
                self.stage = Stage::Ordered;
                self.passing = Passing::Adopted;
                return;
            }
        }
    }
}

fn mark(office: &Office, op: Uuid) -> PathBuf {
    folder(office).join(format!("{op}.stop"))
}

/// How soon somebody is heard.
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::super::Wanted;
    use super::*;
    use crate::clock::Clock;

    fn kept(names: &[String]) -> Kept {
        let (inventory, complaints) =
            crate::inventory::read("[[issuer]]\nname = \"x\"\ndirectory = \"https://ca.test/d\"\n");
        assert_eq!(complaints, []);
        let wanted = Wanted {
            issuer: &inventory.issuers[0],
            is_staging: false,
            is_rehearsal: false,
            names,
            profile: None,
            replaces: None,
        };
        Kept::new(Uuid::now_v7(), &wanted, serde_json::Value::Null)
    }

    #[tokio::test]
    async fn an_order_is_stopped_until_the_ca_has_the_request() {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::new(folder.path(), Clock::default());
        let mut order = kept(&["a.test".to_owned()]);
        assert_eq!(Kept::ask_to_stop(&office, order.op), Ok(false));
        order.stage = Stage::Finalizing;
        order.write(&office).unwrap();
        assert_eq!(Kept::ask_to_stop(&office, order.op), Ok(false));
        order.stage = Stage::Triggered;
        order.write(&office).unwrap();
        assert_eq!(Kept::ask_to_stop(&office, order.op), Ok(true));
        let asked = Kept::stop_asked(&office, order.op, false);
        tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
        // It was faster than whoever asked.
        order.stage = Stage::Finalizing;
        order.write(&office).unwrap();
        let asked = Kept::stop_asked(&office, order.op, false);
        assert!(tokio::time::timeout(LOOK * 3, asked).await.is_err());
        order.forget(&office).unwrap();
        assert!(!mark(&office, order.op).exists());
    }

    #[test]
    fn what_was_stopped_is_taken_over_once_by_who_wants_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::new(folder.path(), Clock::default());
        let names = ["a.test".to_owned()];
        let mut old = kept(&names);
        old.url = Some("https://ca.test/order/1".to_owned());
        let adopts = |names: &[String]| {
            let mut new = kept(names);
            new.adopt(&office);
            new.url.filter(|_| new.passing == Passing::Adopted)
        };
        old.write(&office).unwrap();
        assert_eq!(adopts(&names), None);
        old.passing = Passing::Stopped;
        old.write(&office).unwrap();
        assert_eq!(adopts(&["b.test".to_owned()]), None);
        assert_eq!(adopts(&names), old.url);
        assert_eq!(adopts(&names), None);
    }
}
