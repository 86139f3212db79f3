//! What hosts answer. A host may say anything: whatever makes no sense is as if it were not there.

use super::{Listed, Look, Nonce, State, Status, Uuid};
use crate::fleet::{Fingerprint, Moment};
use crate::source::{Answer, Frame, Incomplete};
use crate::text::SafeText;

/// Reads the answer to start, look, void and stop.
pub fn read(bytes: &[u8], nonce: &Nonce) -> Result<Look, Incomplete> {
    let answer = Answer::read(bytes, nonce)?;
    let mut facts = Facts::default();
    let mut output = Vec::new();
    for frame in answer.sections.iter().flat_map(|it| &it.frames) {
        facts.take_in(frame);
        if frame.word == b"output" {
            output = frame.body.to_vec();
        }
    }
    Ok(Look { status: facts.status(), output })
}

/// Reads a list.
pub fn read_list(bytes: &[u8], nonce: &Nonce) -> Result<Vec<Listed>, Incomplete> {
    let answer = Answer::read(bytes, nonce)?;
    let mut boot: &[u8] = b"";
    let mut jobs: Vec<(Option<Uuid>, Facts<'_>)> = Vec::new();
    for frame in answer.sections.iter().flat_map(|it| &it.frames) {
        if frame.word == b"boot" {
            boot = frame.key;
        } else if frame.word == b"job" {
            // A folder with another name is no job, and its facts belong to nobody.
            jobs.push((uuid(frame.key), Facts { boot, ..Facts::default() }));
        } else if let Some((_, facts)) = jobs.last_mut() {
            facts.take_in(frame);
        }
    }
    Ok(jobs
        .into_iter()
        .filter_map(|(op, facts)| Some(Listed { op: op?, status: facts.status() }))
        .collect())
}

/// Reads which jobs were removed.
pub fn read_removed(bytes: &[u8], nonce: &Nonce) -> Result<Vec<Uuid>, Incomplete> {
    let answer = Answer::read(bytes, nonce)?;
    let frames = answer.sections.iter().flat_map(|it| it.with("removed"));
    Ok(frames.filter_map(|it| uuid(it.key)).collect())
}

/// What is told of one job.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact that is there or not")]
struct Facts<'a> {
    boot: &'a [u8],
    is_absent: bool,
    left: Left,
    is_begun: bool,
    is_stopped: bool,
    is_cut: bool,
    printed: u64,
    impossible: Option<&'a [u8]>,
    title: SafeText,
    who: SafeText,
    witness: Option<(u64, String)>,
    /// The lines of the status file; of a key that is there twice, the last counts.
    told: Vec<(&'a [u8], &'a [u8])>,
}

/// Who is left of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Left {
    #[default]
    Nobody,
    /// Its runner holds the lock.
    Runner,
    /// There is a process group of that number.
    Group,
}

impl<'a> Facts<'a> {
    fn take_in(&mut self, frame: &Frame<'a>) {
        match frame.word {
            b"boot" => self.boot = frame.key,
            b"absent" => self.is_absent = true,
            b"impossible" => self.impossible = Some(frame.key),
            b"left" => {
                self.left = match frame.key {
                    b"runner" => Left::Runner,
                    b"group" => Left::Group,
                    _ => Left::Nobody,
                };
            }
            b"began" => self.is_begun = true,
            b"stopped" => self.is_stopped = true,
            b"cut" => self.is_cut = true,
            b"printed" => self.printed = number(frame.key.trim_ascii()).unwrap_or_default(),
            b"about" => {
                for line in lines(frame.body) {
                    if let Some(title) = line.strip_prefix(b"# title ") {
                        self.title = text(title);
                    } else if let Some(who) = line.strip_prefix(b"# who ") {
                        self.who = text(who);
                    } else if let Some(record) = line.strip_prefix(b"# audit ") {
                        self.witness = witness(record);
                    }
                }
            }
            b"status" => self.told = lines(frame.body).take(MAX_LINES).map(split).collect(),
            _ => {}
        }
    }

    fn status(&self) -> Status {
        Status {
            state: self.state(),
            began: self.moment(b"began"),
            ended: self.moment(b"ended"),
            before: self.last(b"before").and_then(fingerprint),
            after: self.last(b"after").and_then(fingerprint),
            command: usize::try_from(self.command().unwrap_or_default()).unwrap_or_default(),
            is_stopped: self.is_stopped,
            printed: self.printed,
            is_cut: self.is_cut,
            title: self.title.clone(),
            who: self.who.clone(),
            witness: self.witness.clone(),
        }
    }

    fn state(&self) -> State {
        if let Some(words) = self.impossible {
            return State::Impossible(text(words));
        }
        if self.is_absent {
            return State::Absent;
        }
        let (word, _) = split(self.last(b"state").unwrap_or_default());
        match word {
            b"void" => State::Void,
            b"stale" => State::Stale,
            b"impossible" => State::Impossible(self.last(b"why").map(text).unwrap_or_default()),
            b"busy" => State::Busy {
                holder: self.last(b"holder").map(text).unwrap_or_default(),
                since: self.moment(b"since"),
            },
            b"running" => self.running(),
            b"done" => match self.last(b"exit").and_then(number).map(u8::try_from) {
                Some(Ok(code)) => State::Done(code),
                // It ended, and nobody can tell how.
                _ => State::Interrupted { is_rebooted: false },
            },
            _ if !self.is_begun => State::Starting,
            _ if self.left == Left::Runner => State::Starting,
            // Whoever begins a job says so before its first command.
            _ => State::Void,
        }
    }

    fn running(&self) -> State {
        let is_same_boot = self.last(b"boot").unwrap_or_default() == self.boot;
        match self.left {
            Left::Runner => State::Running,
            // The number of a process says nothing of those before the boot.
            Left::Group if is_same_boot => State::Running,
            _ => State::Interrupted { is_rebooted: !is_same_boot },
        }
    }

    fn command(&self) -> Option<u64> {
        number(split(self.last(b"state")?).1)
    }

    fn moment(&self, key: &[u8]) -> Option<Moment> {
        let seconds = number(self.last(key)?)?;
        Some(Moment::from_unix(i64::try_from(seconds).ok()?))
    }

    fn last(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.told.iter().rev().find(|it| it.0 == key).map(|it| it.1)
    }
}

/// Whole lines: what follows the last line break was torn.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|it| *it == b'\n').filter_map(|it| it.strip_suffix(b"\n"))
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let at = line.iter().position(|it| *it == b' ').unwrap_or(line.len());
    (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default())
}

fn text(bytes: &[u8]) -> SafeText {
    let text = SafeText::from_bytes(bytes);
    SafeText::capped(text.as_str(), MAX_TEXT)
}

fn number(bytes: &[u8]) -> Option<u64> {
    let is_number = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

fn uuid(bytes: &[u8]) -> Option<Uuid> {
    let op = Uuid::try_parse_ascii(bytes).ok()?;
    // Only the form in which we name folders.
    (op.to_string().as_bytes() == bytes).then_some(op)
}

fn witness(record: &[u8]) -> Option<(u64, String)> {
    let (seq, hash) = split(record);
    let is_hash = hash.len() == 64 && hash.iter().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| Some((number(seq)?, String::from_utf8_lossy(hash).into_owned())))?
}

fn fingerprint(hex: &[u8]) -> Option<Fingerprint> {
    Fingerprint::parse(std::str::from_utf8(hex).ok()?)
}

/// A status has a dozen.
const MAX_LINES: usize = 64;

/// How long a title or a reason is shown.
const MAX_TEXT: usize = 240;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([7; 16])
    }

    /// An answer of these frames, each with its body.
    fn answer(frames: &[(&str, &str)]) -> Vec<u8> {
        let nonce = nonce();
        let n = nonce.as_str();
        let mut text = format!("welcome\n\n{n} open\n\n{n} section\n");
        for (frame, body) in frames {
            let _ = write!(text, "\n{n} frame {frame}\n{body}");
        }
        let _ = write!(text, "\n{n} done\n");
        text.into_bytes()
    }

    #[track_caller]
    fn check(frames: &[(&str, &str)], state: &State) {
        assert_eq!(read(&answer(frames), &nonce()).unwrap().status.state, *state, "{frames:?}");
    }

    const RUNNING: (&str, &str) = ("status", "boot b1\npid 77\nbegan 5\nstate running 2\n");

    #[test]
    fn how_a_job_is_follows_from_what_is_there() {
        let interrupted = |is_rebooted| State::Interrupted { is_rebooted };
        let done = ("status", "boot b1\nexit 3\nstate done 1\n");
        check(&[("absent", "")], &State::Absent);
        check(&[("boot b1", ""), ("left nobody", "")], &State::Starting);
        check(&[("left runner", ""), ("began", "")], &State::Starting);
        // Who begins says so before anything else is done.
        check(&[("left nobody", ""), ("began", "")], &State::Void);
        check(&[("left nobody", ""), ("began", ""), ("status", "state void\n")], &State::Void);
        check(&[("boot b1", ""), ("left runner", ""), RUNNING], &State::Running);
        check(&[("boot b1", ""), ("left group", ""), RUNNING], &State::Running);
        check(&[("boot b1", ""), ("left nobody", ""), RUNNING], &interrupted(false));
        // After a boot, a process of that number is another one.
        check(&[("boot b2", ""), ("left group", ""), RUNNING], &interrupted(true));
        check(&[("boot b2", ""), ("left nobody", ""), RUNNING], &interrupted(true));
        check(&[("boot b2", ""), ("left nobody", ""), done], &State::Done(3));
        check(&[("status", "state stale\n")], &State::Stale);
        let busy = "holder anna@laptop: renew www\nsince 1795403564\nstate busy\n";
        let since = Moment::parse("2026-11-23T03:12:44Z");
        let holder = SafeText::new("anna@laptop: renew www");
        check(&[("status", busy)], &State::Busy { holder, since });
        let lacks = State::Impossible(SafeText::new("it lacks flock"));
        check(&[("impossible it lacks flock", ""), ("absent", "")], &lacks);
    }

    #[test]
    fn a_status_that_was_added_to_counts_from_its_last_line() {
        let text = "began 5\nstate running 1\nbegan 5\nended 9\nexit 0\nstate done 1\n";
        check(&[("left nobody", ""), ("status", text)], &State::Done(0));
        // Torn in the middle of the last line.
        let torn = "boot b\nbegan 5\nstate running 1\nexit 0\nstate don";
        let interrupted = State::Interrupted { is_rebooted: false };
        check(&[("boot b", ""), ("left nobody", ""), ("status", torn)], &interrupted);
    }

    #[test]
    fn what_a_hostile_host_says_is_bounded() {
        let gone = State::Interrupted { is_rebooted: false };
        check(&[("status", "exit 999\nstate done 1\n")], &gone);
        check(&[("status", "exit -1\nstate done 1\n")], &gone);
        check(&[("status", "state \n"), ("left sideways", "")], &State::Starting);
        let long = format!(
            "began 99999999999999999999\nbefore {}\nholder {}\nstate busy\n",
            "z".repeat(64),
            "\x1b".repeat(4000)
        );
        let look = read(&answer(&[("status", &long), ("printed 1e9", "")]), &nonce()).unwrap();
        assert_eq!((look.status.began, look.status.before, look.status.printed), (None, None, 0));
        let State::Busy { holder, .. } = look.status.state else { panic!() };
        assert!(
            holder.as_str().chars().count() <= MAX_TEXT + 1 && !holder.as_str().contains('\x1b')
        );
    }

    #[test]
    fn folders_that_are_no_jobs_are_not_listed() {
        let op = Uuid::from_u128(7);
        let upper = Uuid::from_u128(0xabc).to_string().to_uppercase();
        let list = answer(&[
            ("boot b1", ""),
            ("left runner", ""),
            ("job ../../etc", ""),
            ("status", "state stale\n"),
            (&format!("job {op}"), ""),
            ("left runner", ""),
            ("about", "# title renew www\n# who anna\n"),
            RUNNING,
            (&format!("job {upper}"), ""),
            ("absent", ""),
        ]);
        let list = read_list(&list, &nonce()).unwrap();
        let [Listed { op: seen, status }] = &list[..] else { panic!("{list:?}") };
        assert_eq!((*seen, &status.state, status.command), (op, &State::Running, 2));
        assert_eq!((status.title.as_str(), status.who.as_str()), ("renew www", "anna"));
    }

    #[test]
    fn an_answer_without_its_end_is_none() {
        let whole = answer(&[("absent", "")]);
        let cut = &whole[..whole.len() - 8];
        assert_eq!(read(cut, &nonce()).unwrap_err(), Incomplete::CutShort);
        assert_eq!(read(b"Last login: never\n", &nonce()).unwrap_err(), Incomplete::NeverOpened);
    }

    proptest! {
        #[test]
        fn nothing_that_a_host_says_is_too_much(
            frames in prop::collection::vec(("(job|left|status|about|boot|began|output|printed)? ?.{0,9}", "(?s).{0,60}"), 0..20),
        ) {
            let frames: Vec<_> = frames.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            drop(read(&answer(&frames), &nonce()));
            drop(read_list(&answer(&frames), &nonce()));
        }
    }
}
