//! What a renewal needs on the host beside the client: webroots, credentials, programs. A
//! configuration names them; whether they are there is asked of the shell, so that it is known
//! long before the renewal is due.

use std::collections::HashMap;

use super::Section;
use super::script::{number, split_word};
use crate::fleet::{Need, NeedKind, NeedState};
use crate::text::SafeText;

/// Shell functions for a fragment that has collected what is needed, one a line, in `$X`:
/// `p PATH` for a file or folder, `h COMMAND` for a command. Each is told once: as
/// `frame need STATE PATH`, and the modes of those that are there as lines of `stat`.
///
/// Whether something is missing can only be told if the nearest folder that is there may be
/// entered; certbot run by root sees more than whoever looks. On a practice host a path may lie
/// below `$R` or say so itself.
pub(super) const ASK: &str = r#"
needs() {
set -f
set --
IFS=$NL
n=0
for f in $X; do
unset IFS
n=$((n+1))
[ $n -le 400 ] || break
case $f in
'h '*) f=${f#h }; f=${f#[\"\']}; f=${f%%[ \;\&\|\<\>\"\'\(]*}
case $f in ''|*[\$\`=\\\{\~!]*) continue;; /*) ;; *)
if command -v "$f" >/dev/null; then mark frame need program "$f"; else mark frame need missing "$f"; fi
continue;; esac;;
*) f=${f#p };;
esac
case $f in /*) ;; *) continue;; esac
q=$f
[ "$R" ] && [ -e "$R$f" ] && q=$R$f
if [ -d "$q" ]; then s=folder
elif [ -f "$q" ]; then s=file
[ -x "$q" ] && s=program
elif [ -e "$q" ]; then s=other
else
s=missing p=$f
while [ "$p" ] && ! [ -d "$p" ]; do p=${p%/*}; done
[ -x "${p:-/}" ] || s=unseen
fi
mark frame need $s "$f"
[ $s = missing ] || [ $s = unseen ] || [ "$q" != "$f" ] || set -- "$@" "$f"
done
unset IFS
set +f
if [ $# -gt 0 ]; then mark frame modes; stat -L -c '%a %n' "$@"; fi
}
"#;

/// What a section tells of what is needed.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    states: HashMap<&'a [u8], &'a [u8]>,
    modes: HashMap<&'a [u8], u32>,
}

impl<'a> Needs<'a> {
    /// Collects it.
    pub(super) fn new(section: &Section<'a>) -> Self {
        let states = section
            .with("need")
            .map(|it| split_word(it.key))
            .map(|(state, path)| (path, state))
            .collect();
        let modes = section.body("modes").unwrap_or_default().split(|it| *it == b'\n');
        let modes = modes.map(split_word).filter_map(|(mode, path)| Some((path, octal(mode)?)));
        Self { states, modes: modes.collect() }
    }

    /// A file or a folder; `None` if the host was not asked for it.
    pub(super) fn path(&self, kind: NeedKind, path: &str) -> Option<Need> {
        let state = match (*self.states.get(path.as_bytes())?, kind) {
            (b"missing", _) => NeedState::Missing,
            (b"unseen", _) => NeedState::Unseen,
            (b"folder", NeedKind::Webroot)
            | (b"program", NeedKind::Hook(_) | NeedKind::ProofHook)
            | (b"file" | b"program", NeedKind::Account | NeedKind::Credentials) => NeedState::There,
            (b"file", NeedKind::Hook(_) | NeedKind::ProofHook) => NeedState::NotExecutable,
            _ => NeedState::Different,
        };
        let mode = self.modes.get(path.as_bytes()).copied();
        Some(Need { kind, path: SafeText::new(path), state, mode })
    }

    /// The program of a command; `None` if the shell alone knows which that is.
    pub(super) fn program(&self, kind: NeedKind, command: &str) -> Option<Need> {
        self.path(kind, program(command)?)
    }
}

/// The first word of a command, if it is plain: the same that `needs` takes.
fn program(command: &str) -> Option<&str> {
    let command = command.strip_prefix(['"', '\'']).unwrap_or(command);
    let word = command.split([' ', ';', '&', '|', '<', '>', '"', '\'', '(']).next()?;
    (!word.is_empty() && !word.contains(['$', '`', '=', '\\', '{', '~', '!'])).then_some(word)
}

fn octal(mode: &[u8]) -> Option<u32> {
    // A mode has four digits at most, so the decimal reading cannot be out of range.
    number::<u32>(mode)?;
    u32::from_str_radix(std::str::from_utf8(mode).ok()?.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HookStage;
    use crate::source::Frame;

    #[test]
    fn what_is_there_is_told_from_what_is_needed() {
        let frame = |key: &'static str| Frame { word: b"need", key: key.as_bytes(), body: b"" };
        let mut frames: Vec<_> = [
            "folder /srv/www",
            "missing /srv/gone",
            "file /etc/dns.ini",
            "program /usr/bin/reload",
            "unseen /root/x",
            "missing reload-all",
        ]
        .map(frame)
        .into();
        frames.push(Frame { word: b"modes", key: b"", body: b"755 /srv/www\n644 /etc/dns.ini\n" });
        let needs = Needs::new(&Section { frames, ..Section::default() });
        let hook = NeedKind::Hook(HookStage::Deploy);
        for (kind, path, expect) in [
            (NeedKind::Webroot, "/srv/www", Some(NeedState::There)),
            (NeedKind::Webroot, "/srv/gone", Some(NeedState::Missing)),
            (NeedKind::Webroot, "/etc/dns.ini", Some(NeedState::Different)),
            (NeedKind::Credentials, "/etc/dns.ini", Some(NeedState::There)),
            (NeedKind::Credentials, "/root/x", Some(NeedState::Unseen)),
            (hook, "/etc/dns.ini", Some(NeedState::NotExecutable)),
            (hook, "/usr/bin/reload", Some(NeedState::There)),
            (hook, "/srv/www", Some(NeedState::Different)),
            (hook, "/not/asked", None),
        ] {
            assert_eq!(needs.path(kind, path).map(|it| it.state), expect, "{kind:?} {path}");
        }
        let mode = |path| needs.path(NeedKind::Credentials, path).unwrap().mode;
        assert_eq!((mode("/etc/dns.ini"), mode("/root/x")), (Some(0o644), None));
        let state = |command| needs.program(hook, command).map(|it| it.state);
        assert_eq!(state("/usr/bin/reload nginx"), Some(NeedState::There));
        assert_eq!(state("reload-all && echo"), Some(NeedState::Missing));
    }

    #[test]
    fn programs_are_told_from_what_only_a_shell_knows() {
        for (command, expect) in [
            ("systemctl reload nginx", Some("systemctl")),
            ("/etc/hook.sh", Some("/etc/hook.sh")),
            ("'/etc/a b' x", Some("/etc/a")),
            ("nginx -t&&nginx -s reload", Some("nginx")),
            ("A=1 x", None),
            ("$HOME/x", None),
            ("~/x", None),
            ("! x", None),
            ("(cd /; x)", None),
            ("{ x; }", None),
            ("", None),
        ] {
            assert_eq!(program(command), expect, "{command}");
        }
    }
}
