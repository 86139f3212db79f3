//! Whether there is room where something will be written.

use super::host::Space;
use super::verdict::Tally;
use super::{Case, Evidence, Kind, Outcome, Part, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "disk",
    about: "is there room where certificates, logs and answers are written?",
    needs: &[Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let host = &case.host.name;
    let sight = match &evidence.host {
        Ok(sight) => sight,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    for Space { folder, free, files } in &sight.spaces {
        let fix = format!("make room on {host}: what is written half is worse than nothing");
        match free {
            None => tally.add(Outcome::Unknown, format!("{folder}: df tells nothing of it")),
            Some(kib @ ..LEAST) => {
                tally.mend(Outcome::Failed, format!("{folder}: {kib} KiB are free"), fix.as_str());
            }
            Some(kib) if *kib < FEW => tally.mend(
                Outcome::Warning,
                format!("{folder}: {} MiB are free", kib / 1024),
                fix.as_str(),
            ),
            Some(kib) => tally.add(Outcome::Ok, format!("{folder}: {} MiB are free", kib / 1024)),
        }
        match files {
            Some(files @ ..LEAST_FILES) => tally.mend(
                Outcome::Failed,
                format!("{folder}: only {files} more files can be made (inodes)"),
                fix,
            ),
            Some(files) => {
                tally.add(Outcome::Ok, format!("{folder}: {files} more files can be made"));
            }
            None => {}
        }
    }
    tally.verdict("there is room wherever something is written")
}

/// In KiB: a certificate with its chain, its key and its files takes some dozen, a log more.
const LEAST: u64 = 1024;
/// In KiB: the logs of a day of trouble.
const FEW: u64 = 64 * 1024;
/// A lineage takes ten.
const LEAST_FILES: u64 = 32;

#[cfg(test)]
mod tests {
    use super::super::host::Sight;
    use super::super::sample::*;
    use super::*;
    use crate::text::SafeText;

    #[track_caller]
    fn check(free: Option<u64>, files: Option<u64>, outcome: Outcome, text: &str) {
        let space = Space { folder: SafeText::new("/etc/x"), free, files };
        let host = Ok(Sight { spaces: vec![space], ..Sight::default() });
        judged(&KIND, &case(), &Evidence { host, ..Evidence::default() }, outcome, text);
    }

    #[test]
    fn room_is_bytes_and_files() {
        let good = "there is room wherever something is written";
        check(Some(9_000_000), Some(1_000_000), Outcome::Ok, good);
        check(Some(9_000_000), None, Outcome::Ok, good);
        check(Some(12), None, Outcome::Failed, "/etc/x: 12 KiB are free");
        check(Some(20_000), None, Outcome::Warning, "/etc/x: 19 MiB are free");
        check(
            Some(9_000_000),
            Some(0),
            Outcome::Failed,
            "/etc/x: only 0 more files can be made (inodes)",
        );
        check(None, None, Outcome::Unknown, "/etc/x: df tells nothing of it");
    }
}
