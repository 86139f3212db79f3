//! `certdeck jobs list`.

use std::io::{self, Write};

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;
use uuid::Uuid;

use super::{Desk, Found, Survey, note, state};
use crate::audit::read::Record;
use crate::cli::{Exit, Failure, print, rollout};
use crate::fleet::{Moment, human};
use crate::job::{LISTED, Listed};
use crate::rollout::{Rollout, Target};
use crate::store::{Kept, Rollouts};

impl Desk<'_> {
    pub(super) async fn list(&self, filter: &[String], is_json: bool) -> Result<Exit, Failure> {
        let now = self.context.clock.now();
        let hosts = self.hosts(filter)?;
        let mut rollouts = rollout::open(&Rollouts::new(&self.context.paths.state), &self.records);
        let is_there = |it: &Target| hosts.iter().any(|host| host.name == it.host);
        rollouts.retain(|it| filter.is_empty() || it.run.targets.iter().any(is_there));
        if !is_json {
            // They are known before any host has answered.
            print(|out| {
                rollouts.iter().try_for_each(|it| write!(out, "{}", rollout::lines(it, now)))
            })?;
        }
        let survey = self.survey(hosts).await;
        if is_json {
            let value = json(&survey, &self.records, &rollouts);
            print(|out| writeln!(out, "{value:#}"))?;
        } else {
            print(|out| table(&survey, &self.records, now, out))?;
            for (host, hint) in
                survey.silent.iter().filter_map(|it| Some((it.0, it.1.hint.as_ref()?)))
            {
                note(&format!("hint: {}: {hint}\n", host.name));
            }
        }
        Ok(if survey.silent.is_empty() { Exit::Done } else { Exit::Unknown })
    }
}

fn table(
    survey: &Survey<'_>,
    records: &[Record],
    now: Moment,
    out: &mut dyn Write,
) -> io::Result<()> {
    let ops: Vec<Uuid> = survey.found.iter().map(|it| it.job.op).collect();
    let length = short(&ops);
    let mut rows =
        vec![["JOB", "HOST", "STATE", "BEGAN", "AUDIT", "WHO", "WHAT"].map(str::to_owned)];
    for Found { host, job } in &survey.found {
        let mut id = job.op.to_string();
        id.truncate(length);
        rows.push([
            id,
            host.name.to_string(),
            state(job),
            format!("{} ago", human(now.since(began(job)).max(0))),
            audited(job.op, records).to_owned(),
            job.status.who.to_string(),
            job.status.title.to_string(),
        ]);
    }
    // What is not known is a row as well, or it would look as if there were no jobs.
    for (host, why) in &survey.silent {
        let [none, name] = ["-", host.name.as_str()].map(str::to_owned);
        let state = "not known".to_owned();
        rows.push([
            none.clone(),
            name,
            state,
            none.clone(),
            none.clone(),
            none,
            why.text.to_string(),
        ]);
    }
    if rows.len() == 1 {
        return writeln!(out, "no jobs");
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    for row in &rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', 2 + width.saturating_sub(cell.width())));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    let hosts = survey.found.chunk_by(|a, b| a.host.name == b.host.name);
    if hosts.into_iter().any(|it| it.len() >= LISTED) {
        writeln!(out, "a host tells of its {LISTED} newest jobs only")?;
    }
    Ok(())
}

fn json(survey: &Survey<'_>, records: &[Record], rollouts: &[Kept<Rollout>]) -> Value {
    let time = |it: Option<Moment>| it.map(|it| it.to_string());
    let jobs = survey.found.iter().map(|Found { host, job: Listed { op, status } }| {
        json!({
            "id": op.to_string(),
            "host": host.name.as_str(),
            "title": status.title.as_str(),
            "who": status.who.as_str(),
            "state": status.state.name(),
            "exit": status.exit(),
            "stopped": status.is_stopped,
            "began": time(status.began),
            "ended": time(status.ended),
            "before": status.before.map(|it| it.to_string()),
            "after": status.after.map(|it| it.to_string()),
            "printed": status.printed,
            "cut": status.is_cut,
            "audit": audited(*op, records),
        })
    });
    let silent = survey
        .silent
        .iter()
        .map(|(host, why)| json!({"host": host.name.as_str(), "error": why.text.as_str()}));
    json!({
        "roll-outs": rollouts.iter().map(|it| rollout::value(&it.run)).collect::<Vec<_>>(),
        "jobs": jobs.collect::<Vec<_>>(),
        "unreached": silent.collect::<Vec<_>>(),
    })
}

/// What the audit log of this machine says of a job: its ending, `open`, or `-` for nothing.
pub(super) fn audited(op: Uuid, records: &[Record]) -> &str {
    let of_it = || records.iter().rev().filter(|it| it.op == op);
    let ending = of_it().find_map(|it| it.text("ending"));
    match (ending, of_it().next()) {
        (Some(ending), _) => ending,
        (None, Some(_)) => "open",
        (None, None) => "-",
    }
}

/// When it began, or was asked for where it never did.
pub(super) fn began(job: &Listed) -> Moment {
    job.status.began.unwrap_or_else(|| asked(job.op))
}

/// When it was asked for, by the clock of who asked.
pub(super) fn asked(op: Uuid) -> Moment {
    let (seconds, _) = op.get_timestamp().map_or((0, 0), |it| it.to_unix());
    Moment::from_unix(i64::try_from(seconds).unwrap_or_default())
}

/// How much of an identity tells all of these apart; the first 13 characters are its time.
fn short(ops: &[Uuid]) -> usize {
    let mut all: Vec<String> = ops.iter().map(ToString::to_string).collect();
    all.sort();
    let same = |pair: &[String]| match pair {
        [a, b] => a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let longest = all.windows(2).map(same).max().unwrap_or_default();
    (longest + 1).clamp(13, 36)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_cut_where_they_are_still_told_apart() {
        let op = |text: &str| text.parse::<Uuid>().unwrap();
        let one = op("0199e6f2-1c3d-7000-8000-000000000001");
        let later = op("0199e6f2-1c3e-7000-8000-000000000001");
        let same = op("0199e6f2-1c3d-7000-8000-000000000002");
        assert_eq!(short(&[]), 13);
        assert_eq!(short(&[one, later]), 13);
        assert_eq!(short(&[one, later, same]), 36);
    }
}
