//! The shell text.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Expect, Nonce, Request, Uuid};
use crate::source::{Script, quote};
use crate::text::SafeText;

/// Starts a job, unless it has begun already, and tells how it is. Can be sent again and again:
/// it begins once.
pub fn start(request: &Request, nonce: &Nonce) -> String {
    let runner = runner(request);
    let end = end_mark(&runner, nonce);
    let text = format!(
        "trap : HUP INT QUIT PIPE TERM\nJ=$D/{}\nrequest() {{\nput \"$J/request\" <<'{end}'\n{runner}{end}\n}}\n{}{START}",
        request.op,
        *input(request, &end),
    );
    let text = Zeroizing::new(text);
    script(&text, nonce)
}

/// A line that ends a text which has none like it.
///
/// Where a line begins as this one does and goes on with a byte that is not ASCII, dash drops that
/// byte (0.5.12). So it begins with a letter or digit with which no such line begins; that all
/// of them do is too odd to be asked for.
fn end_mark(text: &str, nonce: &Nonce) -> String {
    let is_safe = |first: &char| {
        let mut lines = text.lines().filter(|it| it.starts_with(*first));
        lines.all(str::is_ascii)
    };
    let first = ('a'..='z').chain('A'..='Z').chain('0'..='9').find(is_safe).unwrap_or('e');
    format!("{first}-end-of-request-{}", nonce.as_str())
}

/// Writes what the commands need, on stdin like everything else: in no argument, in no variable.
fn input(request: &Request, end: &str) -> Zeroizing<String> {
    let text = request.input.as_ref().map(|it| it.0.as_str());
    Zeroizing::new(match text {
        Some(text) => format!("input() {{\nput \"$J/input\" <<'{end}'\n{text}{end}\n}}\n"),
        None => "input() { :; }\n".to_owned(),
    })
}

/// Tells how a job is, with output from that byte on.
pub fn look(op: Uuid, from: u64, nonce: &Nonce) -> String {
    let from = from.saturating_add(1);
    script(
        &format!(
            "J=$D/{op}\nfacts \"$J\"\nmark frame output\n[ -L \"$J\" ] || ! [ -f \"$J/out\" ] || printed \"$J\" | tail -c +{from} | head -c {OUTPUT_BYTES}\n"
        ),
        nonce,
    )
}

/// Rules that a job never begins if it has not yet, and tells how it is.
pub fn void(op: Uuid, nonce: &Nonce) -> String {
    script(
        &format!(
            "umask 077\nJ=$D/{op}\nmkdir -p \"$D\"\nmkdir \"$J\"\n[ -L \"$J\" ] || rule_out \"$J\"\nfacts \"$J\"\n"
        ),
        nonce,
    )
}

/// Asks a job to stop: SIGTERM to its process group, on which certbot undoes what is half done.
pub fn stop(op: Uuid, nonce: &Nonce) -> String {
    script(&format!("umask 077\nJ=$D/{op}\n{STOP}facts \"$J\"\n"), nonce)
}

/// Lists the jobs of a host, newest first, at most [`LISTED`] of them.
pub fn list(nonce: &Nonce) -> String {
    script(
        &format!(
            "ls -r \"$D\" | head -n {LISTED} | while read -r op; do\nmark frame job \"$op\"\nfacts \"$D/$op\"\ndone\n"
        ),
        nonce,
    )
}

/// Removes the folders of these jobs, but for those that run, and tells which.
pub fn clean(ops: &[Uuid], nonce: &Nonce) -> String {
    let mut text = format!("umask 077\n{CLEAN}");
    for op in ops {
        let _ = writeln!(text, "clean {op}");
    }
    script(&text, nonce)
}

fn script(text: &str, nonce: &Nonce) -> String {
    let mut script = Script::new(nonce);
    script.begin_section();
    script.push(include_str!("prelude.sh"));
    script.push(text);
    script.finish()
}

/// The text that a host keeps and runs: for people first, then what is asked for, then how.
fn runner(request: &Request) -> String {
    let (seq, hash) = &request.witness;
    let line = |text: &str| SafeText::capped(text, LINE_CHARS).to_string();
    let (title, who) = (line(&request.title), line(&request.who));
    let mut text =
        format!("# title {title}\n# who {who}\n# audit {seq} {hash}\n# job {}\n", request.op);
    let expect = match request.expect {
        Expect::Anything => "any".to_owned(),
        Expect::Missing => "missing".to_owned(),
        Expect::Leaf(fingerprint) => fingerprint.to_string(),
    };
    for (name, value) in [
        ("title", title.as_str()),
        ("who", &who),
        ("witness", &format!("{seq} {hash}")),
        ("leaf", request.leaf.as_deref().unwrap_or_default()),
        ("expect", &expect),
    ] {
        let _ = writeln!(text, "{name}={}", quote(value));
    }
    let _ = writeln!(text, "L=$2/locks/{}", quote(&lock_file(&request.lock)));
    text.push_str("commands() {\n");
    for (env, argv) in &request.commands {
        text.push_str("run");
        if !env.is_empty() {
            text.push_str(" env");
            for (name, value) in env {
                let _ = write!(text, " {}", quote(&format!("{name}={value}")));
            }
        }
        for word in argv {
            let _ = write!(text, " {}", quote(word));
        }
        text.push_str(" || return\n");
    }
    text.push_str("}\n");
    text.push_str(include_str!("runner.sh"));
    text
}

/// The name of a lock as the name of a file: one to one, and readable unless it is very long.
fn lock_file(name: &str) -> String {
    let mut file = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => file.push(char::from(byte)),
            // Not as the first: such a file is hidden, and `.` and `..` are taken.
            b'.' if !file.is_empty() => file.push('.'),
            _ => {
                let _ = write!(file, "%{byte:02X}");
            }
        }
    }
    if file.is_empty() || file.len() > NAME_BYTES {
        // No name of the first kind has this sign without two digits after it.
        file = String::from("%sha256-");
        for byte in Sha256::digest(name) {
            let _ = write!(file, "{byte:02x}");
        }
    }
    file
}

const START: &str = r#"
begin() {
mkdir -p "$D" "$S/locks" || { mark frame impossible "it cannot make a folder in $S"; return; }
if mkdir -m 700 "$J"; then sync "$D"
elif [ -L "$J" ] || ! [ -d "$J" ]; then
mark frame impossible "it cannot make a folder in $D"; return
# Whoever made it may not have come to the end of this: nothing begins twice all the same.
elif [ -d "$J/began" ]; then return; fi
if ! request || ! input; then
mark frame impossible "it cannot write in $D"
rule_out "$J"
return
fi
launch 9<>"$J/alive"
i=0
while ! [ -e "$J/status" ] && [ $i -lt 10 ]; do sleep 0.1 || sleep 1; i=$((i+1)); done
}
# The lock goes to the runner with the descriptor: there is no moment in which nobody has it.
# Who looks at the job has it for a moment; a runner has it until its end.
launch() {
i=0
until flock -n 9; do
[ -d "$J/began" ] || [ $i -eq 10 ] && return
sleep 0.1 || sleep 1; i=$((i+1))
done
setsid sh "$J/request" "$J" "$S" </dev/null >/dev/null 2>&1 3>&- &
}
umask 077
missing=
for program in base64 flock mkfifo setsid sha256sum; do
command -v $program >/dev/null || missing="$missing $program"
done
if [ -n "$missing" ]; then mark frame impossible "it lacks$missing"
else begin; fi
facts "$J"
"#;

const STOP: &str = r#"
if [ -d "$J" ] && ! [ -L "$J" ] && ! rule_out "$J"; then
: >"$J/stop"
a=nobody
left "$J" 9<"$J/alive"
[ $a != nobody ] && grep -q '^state running' "$J/status" && group "$J" &&
[ "$(sed -n 's/^boot //p' "$J/status")" = "$(boot)" ] && kill -TERM "-$p"
fi
"#;

const CLEAN: &str = r#"
G=$S/gone
mkdir -p "$G"
clean() {
J=$D/$1
[ -d "$J" ] && ! [ -L "$J" ] || return
rule_out "$J"
a=nobody
[ -f "$J/alive" ] && left "$J" 9<"$J/alive"
[ $a = nobody ] && mv "$J" "$G/$1" && rm -rf "$G/$1" && mark frame removed "$1"
}
"#;

/// How many jobs a host tells of.
pub const LISTED: usize = 200;

/// How much output comes with one look.
pub const OUTPUT_BYTES: usize = 65_536;

/// How much of an answer is read: what a full list or a look has to say, twice.
pub const ANSWER_CAP: usize = 4 * 1024 * 1024;

/// How long a title is kept.
const LINE_CHARS: usize = 200;

/// Names of files have at most 255 bytes.
const NAME_BYTES: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, file: &str) {
        assert_eq!(lock_file(name), file);
    }

    #[test]
    fn no_line_that_dash_would_spoil_begins_as_the_end_does() {
        let nonce = Nonce::new([7; 16]);
        let check = |text: &str, letter| assert!(end_mark(text, &nonce).starts_with(letter));
        check("", 'a');
        check("a\u{e4}\nb\u{e4}\n", 'c');
        check("ab\n a\u{e4}\n", 'a');
    }

    #[test]
    fn locks_have_names_of_files() {
        check("host", "host");
        check("/etc/letsencrypt/www.example.com", "%2Fetc%2Fletsencrypt%2Fwww.example.com");
        check("..", "%2E.");
        check("a b%\n", "a%20b%25%0A");
        check("", "%sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(lock_file(&"x/".repeat(200)).len(), 72);
    }

    #[test]
    fn no_line_of_a_request_is_the_end_of_it() {
        let nonce = Nonce::new([7; 16]);
        let request = Request {
            op: Uuid::nil(),
            title: "a\nb".to_owned(),
            who: "c\nd".to_owned(),
            witness: (1, "00".to_owned()),
            lock: "host".to_owned(),
            leaf: Some("/etc/it's".to_owned()),
            expect: Expect::Missing,
            commands: vec![(
                vec![("A".to_owned(), "b c".to_owned())],
                vec!["echo".to_owned(), "x'y\nz".to_owned()],
            )],
            input: None,
        };
        let text = runner(&request);
        assert!(
            text.starts_with("# title a^Jb\n# who c^Jd\n# audit 1 00\n# job 00000000"),
            "{text}"
        );
        assert!(text.contains("\nrun env 'A=b c' 'echo' 'x'\\''y\nz' || return\n"), "{text}");
        assert!(text.contains("\nleaf='/etc/it'\\''s'\n"), "{text}");
        let script = start(&request, &nonce);
        assert_eq!(script.matches(nonce.as_str()).count(), 3, "two ends and the nonce itself");
    }
}
