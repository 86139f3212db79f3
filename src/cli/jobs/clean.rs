//! `certdeck jobs clean`.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::list::{audited, began};
use super::{Desk, Found, is_asked, is_typed, not_done, note, state};
use crate::cli::{Exit, Failure, print};
use crate::fleet::{HostName, human, seconds};
use crate::inventory::Host;
use crate::perform::jobs;

impl Desk<'_> {
    pub(super) async fn clean(
        &self,
        filter: &[String],
        older_than: &str,
        yes: Option<usize>,
    ) -> Result<Exit, Failure> {
        let age = seconds(older_than).filter(|it| *it >= jobs::OLD).ok_or_else(|| {
            Failure::say(Exit::BadRequest, format!("`{older_than}` is not an age of a day or more"))
                .with_hint("write 1d, 30d, 12w")
        })?;
        let now = self.context.clock.now();
        let survey = self.survey(self.hosts(filter)?).await;
        for (host, why) in &survey.silent {
            note(&format!("{}: {}\n", host.name, why.text));
        }
        let before = now.plus(-age);
        // What the log of this machine has no end of may have to be looked up there yet.
        let is_old = |it: &&Found<'_>| {
            jobs::is_old(&it.job, before) && audited(it.job.op, &self.records) != "open"
        };
        let old: Vec<_> = survey.found.iter().filter(is_old).collect();
        if old.is_empty() {
            print(|out| writeln!(out, "no job is older than {older_than}"))?;
            return Ok(if survey.silent.is_empty() { Exit::Done } else { Exit::Unknown });
        }
        print(|out| {
            old.iter().try_for_each(|Found { host, job }| {
                let age = human(now.since(began(job)));
                let (op, title) = (job.op, &job.status.title);
                writeln!(out, "{op}  {}  {age} ago  {}  {title}", host.name, state(job))
            })
        })?;
        let Some(how) = how(old.len(), yes)? else { return Ok(Exit::Failed) };
        self.remove(&old, &how).await
    }

    async fn remove(&self, old: &[&Found<'_>], how: &str) -> Result<Exit, Failure> {
        let mut by_host: BTreeMap<&HostName, (&Host, Vec<Uuid>)> = BTreeMap::new();
        for Found { host, job } in old {
            by_host.entry(&host.name).or_insert((host, Vec::new())).1.push(job.op);
        }
        let tools = self.tools()?;
        let mut removed = 0;
        let mut worst = None;
        for (host, ops) in by_host.into_values() {
            match jobs::clean(&tools, host, &ops, how).await {
                Ok(gone) => removed += gone.len(),
                // One host that cannot be reached is no reason to leave the others.
                Err(error @ jobs::NotDone::NotAudited(..)) => return Err(not_done(error, host)),
                Err(error) => {
                    let failure = not_done(error, host);
                    failure.lines().iter().for_each(|it| note(&format!("{it}\n")));
                    worst = Some(Exit::Unknown);
                }
            }
        }
        print(|out| writeln!(out, "{removed} of {} removed", old.len()))?;
        let is_all = removed == old.len();
        Ok(worst.unwrap_or(if is_all { Exit::Done } else { Exit::Failed }))
    }
}

/// How it was confirmed; `None` if it was not.
fn how(count: usize, yes: Option<usize>) -> Result<Option<String>, Failure> {
    let refuse = |text: &str| {
        Err(Failure::say(Exit::BadRequest, text).with_hint(format!("--yes {count} removes them")))
    };
    match yes {
        Some(said) if said == count => Ok(Some(format!("--yes {count}"))),
        Some(said) => refuse(&format!("--yes {said}, and there are {count}; nothing was removed")),
        None if !is_asked() => refuse("nothing was removed"),
        None => {
            let wanted = count.to_string();
            if is_typed("Remove these folders from their hosts?", &wanted)? {
                return Ok(Some(format!("typed `{wanted}`")));
            }
            note("nothing was removed\n");
            Ok(None)
        }
    }
}
