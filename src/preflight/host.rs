//! What a host is asked for beyond a scan: room on its disks, who holds a lock, the test of a
//! configuration, its way to the CA. Shell text out, answers in; it changes nothing there.

use crate::action::Command;
use crate::fleet::Moment;
use crate::source::{Answer, Incomplete, Nonce, Script, Section, quote};
use crate::text::SafeText;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Folders in which something will be written.
    pub folders: Vec<String>,
    /// The commands that test a configuration, each with what it tests.
    pub tests: Vec<(SafeText, Command)>,
    /// The process that holds a lock.
    pub holder: Option<u32>,
    /// The file of a client in which its account's URL stands.
    pub account: Option<String>,
    /// The URL of a directory that the host itself has to reach.
    pub ca: Option<String>,
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// Room in each folder.
    pub spaces: Vec<Space>,
    /// What each test said.
    pub tests: Vec<Tested>,
    /// Who holds the lock.
    pub holder: Option<Holder>,
    /// The URL of the client's account.
    pub account: Option<SafeText>,
    /// How the CA is seen from there; none where it was not asked for.
    pub ca: Option<Reached>,
    /// Jobs of ours that run there: what, whose, since when.
    pub jobs: Vec<(SafeText, SafeText, Option<Moment>)>,
}

/// Room in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// The folder.
    pub folder: SafeText,
    /// KiB that are free to whoever was asked; `None` if that was not told.
    pub free: Option<u64>,
    /// Files that may still be made; `None` where the file system does not count them.
    pub files: Option<u64>,
}

/// What the test of a configuration said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// What was tested.
    pub what: SafeText,
    /// Its exit code, if it ended.
    pub exit: Option<u8>,
    /// What it printed last.
    pub said: SafeText,
}

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// For how long it has run, in seconds, by the host's own clock.
    pub age: Option<i64>,
    /// Its command line.
    pub command: SafeText,
}

/// How a CA is seen from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It answers.
    Answers(SafeText),
    /// It does not; why.
    Not(SafeText),
    /// Nothing is there to ask it with.
    NoProgram,
}

impl Ask {
    /// The script that asks.
    pub fn script(&self, nonce: &Nonce) -> String {
        let mut script = Script::new(nonce);
        script.begin_section();
        script.push(FUNCTIONS);
        for folder in &self.folders {
            script.push(&format!("space {}", quote(folder)));
        }
        if let Some(pid) = self.holder {
            script.push(&format!("holder {pid}"));
        }
        if let Some(file) = &self.account {
            script.push(&format!("account {}", quote(file)));
        }
        if let Some(url) = &self.ca {
            script.push(&format!("ca {}", quote(url)));
        }
        for (at, (_, command)) in self.tests.iter().enumerate() {
            let env = command.env.iter().map(|(name, value)| format!("{name}={} ", quote(value)));
            let env: String = env.collect();
            let argv: Vec<_> = command.argv.iter().map(|it| quote(it)).collect();
            script.push(&format!("mark frame test {at}"));
            script.push(&format!(
                "{{ ( {env}{} ) 2>&1; echo \"exit $?\"; }} | tail -c 4096",
                argv.join(" ")
            ));
        }
        script.finish()
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// Where it is cut short, or none.
    pub fn read(&self, bytes: &[u8], nonce: &Nonce) -> Result<Sight, Incomplete> {
        let answer = Answer::read(bytes, nonce)?;
        let empty = Section::default();
        let section = answer.sections.first().unwrap_or(&empty);
        let now = section.clock.map(Moment::unix);
        let mut sight = Sight::default();
        for frame in &section.frames {
            let body = String::from_utf8_lossy(frame.body);
            let body = body.trim();
            let key = String::from_utf8_lossy(frame.key);
            match frame.word {
                b"space" => sight.spaces.push(Space {
                    folder: SafeText::new(&key),
                    // Filesystem, blocks, used, available, capacity, where (POSIX, df -P).
                    free: column(body, 3),
                    files: None,
                }),
                b"inodes" => {
                    if let Some(space) = sight.spaces.last_mut() {
                        // btrfs and others count none, and say that there are 0 of 0.
                        space.files = column(body, 3).filter(|_| column(body, 1) > Some(0));
                    }
                }
                b"holder" => {
                    let (began, command) = body.split_once('\n').unwrap_or((body, ""));
                    let age = began.trim().parse::<i64>().ok().zip(now).map(|(at, now)| now - at);
                    sight.holder = Some(Holder { age, command: SafeText::capped(command, 200) });
                }
                b"account" => {
                    let told: Option<serde_json::Value> = serde_json::from_str(body).ok();
                    let uri = told.and_then(|it| Some(SafeText::new(it.get("uri")?.as_str()?)));
                    sight.account = uri;
                }
                b"ca" => sight.ca = Some(reached(&key, body)),
                b"test" => {
                    let at = key.parse::<usize>().ok();
                    let Some((what, _)) = at.and_then(|it| self.tests.get(it)) else { continue };
                    let (said, exit) = body.rsplit_once("exit ").unwrap_or((body, ""));
                    let last = said.trim().lines().rev().take(6).collect::<Vec<_>>();
                    let said = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
                    let said = SafeText::capped(&said, 600);
                    sight.tests.push(Tested { what: what.clone(), exit: exit.parse().ok(), said });
                }
                _ => {}
            }
        }
        Ok(sight)
    }
}

fn column(line: &str, number: usize) -> Option<u64> {
    line.lines().last()?.split_whitespace().nth(number)?.parse().ok()
}

fn reached(program: &str, said: &str) -> Reached {
    if program == "none" {
        return Reached::NoProgram;
    }
    let last = said.lines().last().unwrap_or_default().trim();
    let (code, took) = last.split_once(' ').unwrap_or((last, ""));
    let took = took.parse::<f32>().map(|it| format!(" in {it:.1} s")).unwrap_or_default();
    match code.parse::<u16>() {
        Ok(200..=299) => Reached::Answers(SafeText::new(&format!("answers {code}{took}"))),
        Ok(100..) => Reached::Not(SafeText::new(&format!("answers {code}"))),
        _ => {
            let why = said.lines().next().unwrap_or("no answer");
            Reached::Not(SafeText::capped(why, 200))
        }
    }
}

/// `df` is asked for the nearest folder that is there, as what is missing will be made. `-k` with
/// certificates not looked at: here it only matters whether there is a way.
const FUNCTIONS: &str = r#"
space() {
p=$1
[ "$R" ] && [ -e "$R$1" ] && p=$R$1
while [ "$p" ] && ! [ -e "$p" ]; do p=${p%/*}; done
mark frame space "$1"
df -P -k "${p:-/}" | tail -n 1
mark frame inodes "$1"
df -P -i "${p:-/}" | tail -n 1
}
holder() {
p=/proc/$1
[ "$R" ] && [ -d "$R/proc/$1" ] && p=$R/proc/$1
[ -d "$p" ] || return
mark frame holder "$1"
stat -c %Y "$p"
head -c 400 "$p/cmdline" | tr '\0\n' '  '
}
account() {
mark frame account "$1"
if [ -r "$1" ]; then head -c 65536 "$1"
elif [ "$R" ] && [ -r "$R$1" ]; then head -c 65536 "$R$1"; fi
}
ca() {
if command -v curl >/dev/null; then mark frame ca curl
curl -s -S -k -o /dev/null -m 10 -w '\n%{http_code} %{time_total}' "$1" 2>&1
elif command -v wget >/dev/null; then mark frame ca wget
wget -q -O /dev/null -T 10 --no-check-certificate "$1" 2>&1 && echo 200
else mark frame ca none; fi
}
"#;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a shell is what is tried")]
mod tests {
    use std::process::{Command as Program, Stdio};

    use super::*;

    fn run(ask: &Ask, path: &str) -> Sight {
        use std::io::Write as _;
        let nonce = Nonce::new([9; 16]);
        let mut child = Program::new("sh")
            .arg("-s")
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(ask.script(&nonce).as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        ask.read(&output.stdout, &nonce).unwrap()
    }

    #[test]
    fn a_host_tells_of_its_disks_and_processes() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("not/yet").to_str().unwrap().to_owned();
        let argv = |text: &str| ["sh", "-c", text].map(str::to_owned).to_vec();
        let command =
            |text: &str| Command { argv: argv(text), env: vec![("A".into(), "b c".into())] };
        let account = folder.path().join("regr.json");
        std::fs::write(&account, r#"{"body": {}, "uri": "https://ca.test/acct/1"}"#).unwrap();
        let ask = Ask {
            folders: vec![missing.clone()],
            tests: vec![
                (SafeText::new("one"), command("echo \"it's $A\"")),
                (SafeText::new("two"), command("echo first; echo last >&2; exit 7")),
            ],
            holder: Some(std::process::id()),
            account: account.to_str().map(str::to_owned),
            ca: Some("http://127.0.0.1:1/dir".to_owned()),
        };
        let sight = run(&ask, "/usr/sbin:/usr/bin:/bin");
        assert_eq!(sight.spaces[0].folder.as_str(), missing);
        assert!(sight.spaces[0].free.is_some_and(|it| it > 0), "{sight:?}");
        let said = |at: usize| (sight.tests[at].exit, sight.tests[at].said.as_str());
        assert_eq!(said(0), (Some(0), "it's b c"));
        assert_eq!(said(1), (Some(7), "first | last"));
        let holder = sight.holder.unwrap();
        assert!(holder.age.is_some_and(|it| (-1..36_000).contains(&it)), "{holder:?}");
        assert!(holder.command.as_str().contains("certdeck"), "{holder:?}");
        assert_eq!(sight.account, Some(SafeText::new("https://ca.test/acct/1")));
        assert!(matches!(sight.ca, Some(Reached::Not(_) | Reached::NoProgram)), "{:?}", sight.ca);
    }

    #[test]
    fn what_a_host_says_is_read_with_care() {
        assert_eq!(column("Filesystem 1 2 3\n/dev/x 10 5 4 60% /\n", 3), Some(4));
        assert_eq!(column("df: no such file", 3), None);
        assert_eq!(
            reached("curl", "\n200 0.0321"),
            Reached::Answers(SafeText::new("answers 200 in 0.0 s"))
        );
        assert_eq!(reached("curl", "503 0.1"), Reached::Not(SafeText::new("answers 503")));
        let refused = "curl: (7) Failed to connect\n000 0.000";
        assert_eq!(
            reached("curl", refused),
            Reached::Not(SafeText::new("curl: (7) Failed to connect"))
        );
        assert_eq!(reached("none", ""), Reached::NoProgram);
    }
}
