//! Roll-outs that are under way, as they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::held::{Lasting, Shelf};
use crate::fleet::{HostName, Moment};
use crate::rollout::{Became, Paused, Rollout, Target};
use crate::text::SafeText;

/// Where roll-outs are kept.
pub type Rollouts = Shelf<Rollout>;

/// The file of a roll-out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    action: String,
    chosen: BTreeMap<String, String>,
    reason: Option<String>,
    opened: String,
    by: String,
    paused: Option<WirePaused>,
    ended: Option<String>,
    targets: Vec<WireTarget>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WirePaused {
    who: String,
    since: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireTarget {
    host: String,
    lineage: Option<String>,
    wave: usize,
    became: String,
    op: Option<Uuid>,
}

impl Lasting for Rollout {
    const FOLDER: &'static str = "rollouts";
    const WHAT: &'static str = "roll-out";
    /// Fifty thousand targets take less.
    const MAX_BYTES: u64 = 16 * 1024 * 1024;

    fn id(&self) -> Uuid {
        self.id
    }

    fn wire(&self) -> serde_json::Result<Value> {
        let target = |it: &Target| WireTarget {
            host: it.host.to_string(),
            lineage: it.lineage.clone(),
            wave: it.wave,
            became: it.became.word().to_owned(),
            op: it.op,
        };
        let paused = self.paused.as_ref();
        serde_json::to_value(Wire {
            action: self.action.clone(),
            chosen: self.chosen.iter().cloned().collect(),
            reason: self.reason.clone(),
            opened: self.opened.to_string(),
            by: self.by.to_string(),
            paused: paused
                .map(|it| WirePaused { who: it.who.to_string(), since: it.since.to_string() }),
            ended: self.ended.map(|it| it.to_string()),
            targets: self.targets.iter().map(target).collect(),
        })
    }

    fn read(id: Uuid, wire: Value) -> Option<Self> {
        let wire: Wire = serde_json::from_value(wire).ok()?;
        let target = |it: WireTarget| {
            Some(Target {
                host: HostName::new(&it.host),
                lineage: it.lineage,
                wave: it.wave,
                became: Became::ALL.into_iter().find(|became| became.word() == it.became)?,
                op: it.op,
            })
        };
        let time = |it: Option<String>| match it {
            Some(it) => Moment::parse(&it).map(Some),
            None => Some(None),
        };
        let paused = match wire.paused {
            Some(it) => {
                let since = Moment::parse(&it.since)?;
                Some(Paused { who: SafeText::new(&it.who), since })
            }
            None => None,
        };
        Some(Self {
            id,
            action: wire.action,
            chosen: wire.chosen.into_iter().collect(),
            reason: wire.reason,
            opened: Moment::parse(&wire.opened)?,
            by: SafeText::new(&wire.by),
            targets: wire.targets.into_iter().map(target).collect::<Option<_>>()?,
            paused,
            ended: time(wire.ended)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Trouble;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn rollout() -> Rollout {
        let target = |(at, became): (usize, Became)| Target {
            host: HostName::new(&format!("web-0{at}")),
            lineage: (at > 0).then(|| "www".to_owned()),
            wave: 1 + at / 2,
            became,
            op: (became != Became::Waiting).then(Uuid::now_v7),
        };
        Rollout {
            action: "rollback".to_owned(),
            chosen: vec![("to".to_owned(), "3".to_owned())],
            reason: Some("the new key is refused".to_owned()),
            targets: Became::ALL.into_iter().enumerate().map(target).collect(),
            paused: Some(Paused { who: SafeText::new("ben@bastion"), since: NOW }),
            ended: Some(NOW.plus(60)),
            ..Rollout::new(Uuid::now_v7(), &[], None, "ada@bastion", NOW)
        }
    }

    #[test]
    fn a_roll_out_comes_back_as_it_was() {
        let state = tempfile::tempdir().unwrap();
        let rollouts = Rollouts::new(state.path());
        let it = rollout();
        drop(rollouts.begin(&it, "ada@bastion", NOW).unwrap());
        let (kept, _held) = rollouts.take(it.id, "ben@bastion", NOW, false).unwrap();
        assert_eq!(kept.run, it);
    }

    /// Whoever is at it writes what happens, and whoever pauses it writes that: neither undoes the
    /// other.
    #[test]
    fn what_others_change_of_it_stays() {
        let state = tempfile::tempdir().unwrap();
        let rollouts = Rollouts::new(state.path());
        let mut it = rollout();
        it.paused = None;
        let held = rollouts.begin(&it, "ada@bastion", NOW).unwrap();
        let paused = Paused { who: SafeText::new("ben@bastion"), since: NOW };
        let beside = rollouts.change(it.id, |it| it.paused = Some(paused.clone())).unwrap();
        assert!(beside.holder.is_some_and(|it| it.is_there));
        let after = held.change(|it| it.targets[0].became = Became::Done).unwrap();
        assert_eq!((&after.paused, after.targets[0].became), (&Some(paused), Became::Done));
        held.check().unwrap();
        // Nobody would find out any more: whoever goes on would wait for no reason.
        drop(held);
        let left = rollouts.change(it.id, |it| it.paused = None).unwrap_err();
        assert!(matches!(left, Trouble::Left), "{left}");
        assert_eq!(rollouts.get(it.id).unwrap().run.paused, after.paused);
    }

    #[test]
    fn what_is_of_no_more_use_is_forgotten_unless_somebody_is_at_it() {
        let state = tempfile::tempdir().unwrap();
        let rollouts = Rollouts::new(state.path());
        let [left, busy] = [rollout(), rollout()];
        drop(rollouts.begin(&left, "ada@bastion", NOW).unwrap());
        let _held = rollouts.begin(&busy, "ada@bastion", NOW).unwrap();
        rollouts.sweep(|_| false);
        assert_eq!(rollouts.all().len(), 2);
        rollouts.sweep(|_| true);
        let all: Vec<_> = rollouts.all().into_iter().map(|it| it.run.id).collect();
        assert_eq!(all, [busy.id]);
        assert!(matches!(rollouts.get(left.id), Err(Trouble::Unknown { .. })));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test damages a file on purpose")]
    fn what_is_no_roll_out_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let rollouts = Rollouts::new(state.path());
        let it = rollout();
        drop(rollouts.begin(&it, "ada@bastion", NOW).unwrap());
        let path = rollouts.path(it.id);
        let text = std::fs::read_to_string(&path).unwrap();
        let cut = &text[..text.len() / 2];
        let other = text.replace("\"waiting\"", "\"flying\"");
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        for bad in ["", "null", "[]", "{}", cut, &other, &newer] {
            std::fs::write(&path, bad).unwrap();
            let refused = rollouts.take(it.id, "ben", NOW, true).unwrap_err();
            assert!(matches!(refused, Trouble::Damaged { .. }), "{refused}");
            // Nothing is made of it, and it is left as it is.
            assert!(rollouts.all().is_empty());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
        // Keys of a newer version that means the same are no reason.
        std::fs::write(&path, text.replacen('{', "{\"colour\": \"blue\",", 1)).unwrap();
        assert_eq!(rollouts.get(it.id).unwrap().run, it);
    }
}
