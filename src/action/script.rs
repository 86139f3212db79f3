//! What the scripts of several actions share: files are replaced as a whole, with what they had
//! before in a folder of its own, and put back if a step fails.

use crate::fleet::Moment;

/// A script after the functions that it uses. Its first argument is the stamp.
///
/// - `begin` makes the folder for what is replaced, `$B`;
/// - `stage FILE COMMAND…` makes what will replace a file from what a command prints, its mode and
///   owner kept; `land` replaces all that was staged; `swap` does both with one file;
/// - `back WHY` puts all files back, calls `undone` and ends;
/// - `refuse WHY` ends before anything was changed.
///
/// What was replaced does not stay beside it: servers load whole folders. What will replace it is
/// made there under a name with a dot before it, which none of them loads, should it be left.
pub(super) fn with_files(script: &str) -> String {
    format!("{FILES}{}", script.trim_start())
}

/// The name of the folder for what is replaced: the moment of the plan.
pub(super) fn stamp(now: Moment) -> String {
    now.to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}

/// How what was replaced comes back.
pub(super) fn undo(stamp: &str) -> String {
    format!(
        "the files from before are kept on the host, in certdeck's folder: /var/lib/certdeck/backup/{stamp} for root"
    )
}

const FILES: &str = r#"
me=$0 stamp=$1 staged= done= umask=$(umask)
if [ -n "$CERTDECK_ROOT" ] || [ "$(id -u)" = 0 ]; then B=$CERTDECK_ROOT/var/lib/certdeck/backup/$stamp
else B=${XDG_STATE_HOME:-$HOME/.local/state}/certdeck/backup/$stamp; fi
say() { printf '%s: %s\n' "$me" "$*" >&2; }
tidy() { rm -f "$B/before" "$B/edited" "$B/leaf" "$B/new-chain"; rmdir "$B" 2>/dev/null; }
refuse() { say "$*; nothing was changed"; tidy; exit 3; }
need() { command -v "$1" >/dev/null || refuse "there is no $1"; }
begin() { umask 077; mkdir -p "$B" || refuse "$B cannot be made"; umask "$umask"; }
kept() { printf '%s/%s' "$B" "$(printf '%s' "$1" | tr / %)"; }
beside() { printf '%s/.%s.certdeck' "${1%/*}" "${1##*/}"; }
back() {
  trap '' TERM INT HUP
  say "$1; the files from before are put back"
  set -f
  IFS='
'
  for f in $staged; do rm -f "$(beside "$f")"; done
  for f in $done; do
    k=$(kept "$f")
    t=$(beside "$f")
    cp -p "$k" "$t" && mv -f "$t" "$f" || say "$f could not be put back: it is in $k"
  done
  unset IFS
  undone
  tidy
  exit 1
}
undone() { :; }
stage() {
  f=$1; shift
  k=$(kept "$f")
  [ -e "$k" ] || cp -p "$f" "$k" || back "$f could not be kept"
  staged="$staged
$f"
  t=$(beside "$f")
  cp -p "$f" "$t" && "$@" >"$t" && [ -s "$t" ] && sync "$t" || back "$f could not be written"
}
land() {
  set -f
  IFS='
'
  for f in $staged; do
    done="$done
$f"
    mv -f "$(beside "$f")" "$f" || back "$f could not be written"
  done
  unset IFS
  set +f
  staged=
}
swap() { stage "$@"; land; }
digest() { openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//; s/://g' | tr A-F a-f; }
spki() { openssl x509 -in "$1" -noout -pubkey 2>/dev/null; }
own() { openssl pkey -in "$1" -pubout -passin pass: </dev/null 2>/dev/null; }
fits() { c=$(spki "$1") && k=$(own "$2") && [ "$c" ] && [ "$c" = "$k" ]; }
trap 'back "told to stop"' TERM INT HUP
"#;
