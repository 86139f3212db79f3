//! Files that answer http-01 challenges (RFC 8555, section 8.3), on the hosts behind a name.
//!
//! A webroot may be written by others than root, so nothing is written through a link of theirs:
//! folders are entered one by one and must be where they seem to be, and a file is made anew or
//! not at all.

use super::Nonce;
use crate::source::{Answer, Incomplete, Script, quote};
use crate::text::SafeText;

/// A file that answers a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// The folder that is served.
    pub webroot: &'a str,
    /// Its name below `.well-known/acme-challenge`.
    pub token: &'a str,
    /// What is in it.
    pub content: &'a str,
}

/// Puts files in place. Can be sent again and again.
pub fn place_tokens(files: &[Token<'_>], nonce: &Nonce) -> String {
    script("place", files, nonce)
}

/// Takes files away: those that hold what was put into them, and the folders that were made for
/// them. Can be sent again and again.
pub fn remove_tokens(files: &[Token<'_>], nonce: &Nonce) -> String {
    script("remove", files, nonce)
}

/// Which of the files are in place, or are gone; the others with the reason.
///
/// # Errors
/// In words, where the answer cannot be read.
pub fn read_tokens(bytes: &[u8], nonce: &Nonce) -> Result<Vec<Result<usize, SafeText>>, SafeText> {
    let answer = Answer::read(bytes, nonce).map_err(|it| match it {
        Incomplete::CutShort => SafeText::new("the answer was cut short"),
        Incomplete::NeverOpened => SafeText::new("the answer makes no sense"),
    })?;
    let frames = answer.sections.iter().flat_map(|it| &it.frames);
    Ok(frames
        .filter_map(|it| match it.word {
            b"done" => std::str::from_utf8(it.key).ok()?.trim().parse().ok().map(Ok),
            b"refused" => Some(Err(SafeText::from_bytes(it.key))),
            _ => None,
        })
        .collect())
}

fn script(verb: &str, files: &[Token<'_>], nonce: &Nonce) -> String {
    let mut script = Script::new(nonce);
    script.begin_section();
    script.push(TOKEN);
    for (at, it) in files.iter().enumerate().filter(|(_, it)| is_token(it.token)) {
        let [webroot, token, content] = [it.webroot, it.token, it.content].map(quote);
        // Of its own shell: whatever it enters and changes ends with it.
        script.push(&format!("( {verb} {at} {webroot} {token} {content} )"));
    }
    script.finish()
}

/// Whether a token is what RFC 8555, section 8.3, lets it be: base64url, and so the name of a file
/// that leads nowhere else.
pub fn is_token(token: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
    !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(is_letter)
}

/// Tokens have 43 letters at Let's Encrypt.
const MAX_TOKEN: usize = 200;

/// `enter` goes on from folder to folder with the folder that it is in, so that what is moved
/// meanwhile leads nowhere; `set -C` makes a file only where there is none, not even a link.
/// Which folders were made stands in a file beside the tokens. One token in 64 begins with `-`, and
/// would be an option without its `./`.
const TOKEN: &str = r#"
refuse() { mark frame refused "$*"; exit; }
root() {
w=$1
[ -d "$R$w" ] && w=$R$w
cd -P "$w" || refuse "there is no folder $1"
w=$(pwd -P)
w=${w%/}
}
enter() {
[ -L "$1" ] && refuse "$w/$1 is a link, and is not followed"
[ -d "$1" ] || {
[ "$2" ] || exit
mkdir "$1" || refuse "$w/$1 cannot be made"
made="$made $1"; }
cd -P "$1" || refuse "$w/$1 cannot be entered"
w=$w/$1
[ "$(pwd -P)" = "$w" ] || refuse "$w is not where it seems to be"
}
place() {
umask 022; made=
root "$2"
enter .well-known make; enter acme-challenge make
[ -z "$made" ] || { set -C; printf '%s\n' "$made" >.certdeck-made; set +C; }
if [ -L "./$3" ] || [ -d "./$3" ]; then refuse "$w/$3 is there, and is no file"; fi
[ -f "./$3" ] && [ "$(head -c 1000 "./$3")" = "$4" ] || {
t=.certdeck-$3
rm -f "$t"
( set -C; printf '%s' "$4" >"$t" ) && mv -fT "$t" "./$3" || { rm -f "$t"; refuse "$w/$3 cannot be written"; }; }
mark frame done "$1"
}
remove() {
[ -d "$R$2" ] || [ -d "$2" ] || { mark frame done "$1"; return; }
root "$2"
for f in .well-known acme-challenge; do
[ -d "$f" ] || { mark frame done "$1"; return; }
enter "$f"
done
rm -f ".certdeck-$3"
if [ -f "./$3" ] && ! [ -L "./$3" ] && [ "$(head -c 1000 "./$3")" = "$4" ]; then
rm -f "./$3" || refuse "$w/$3 cannot be removed"; fi
mark frame done "$1"
[ -f .certdeck-made ] || return
made=$(head -c 100 .certdeck-made)
[ "$(ls -A)" = .certdeck-made ] || return
rm -f .certdeck-made
cd ..
case $made in *acme-challenge*) rmdir acme-challenge;; esac
cd ..
case $made in *.well-known*) rmdir .well-known;; esac
}
"#;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a shell and files are what is tried")]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([7; 16])
    }

    /// Runs a script as a host does.
    fn run(script: &str, shell: &str) -> Vec<Result<usize, SafeText>> {
        use std::io::Write as _;
        let mut child = Command::new(shell)
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        read_tokens(&output.stdout, &nonce()).unwrap()
    }

    fn token(webroot: &Path) -> Token<'_> {
        Token { webroot: webroot.to_str().unwrap(), token: "-bc-_1", content: "-bc-_1.thumb" }
    }

    #[test]
    fn files_come_and_go_with_the_folders_that_were_made_for_them() {
        for shell in ["sh", "bash"] {
            let folder = tempfile::tempdir().unwrap();
            let webroot = folder.path().canonicalize().unwrap();
            let file = webroot.join(".well-known/acme-challenge/-bc-_1");
            for _ in 0..2 {
                assert_eq!(run(&place_tokens(&[token(&webroot)], &nonce()), shell), [Ok(0)]);
                assert_eq!(fs::read_to_string(&file).unwrap(), "-bc-_1.thumb");
            }
            for _ in 0..2 {
                assert_eq!(run(&remove_tokens(&[token(&webroot)], &nonce()), shell), [Ok(0)]);
                assert_eq!(fs::read_dir(&webroot).unwrap().count(), 0);
            }
            // What was there before stays.
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file.with_file_name("other"), "x").unwrap();
            run(&place_tokens(&[token(&webroot)], &nonce()), shell);
            run(&remove_tokens(&[token(&webroot)], &nonce()), shell);
            let left = fs::read_dir(file.parent().unwrap()).unwrap();
            assert_eq!(left.map(|it| it.unwrap().file_name()).collect::<Vec<_>>(), ["other"]);
            // And so does what somebody else has put in its place.
            fs::write(&file, "not ours").unwrap();
            run(&remove_tokens(&[token(&webroot)], &nonce()), shell);
            assert_eq!(fs::read_to_string(&file).unwrap(), "not ours");
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let webroot = folder.path().canonicalize().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let refused = |words: &str| {
            let told = run(&place_tokens(&[token(&webroot)], &nonce()), "sh");
            assert!(told[0].as_ref().unwrap_err().as_str().contains(words), "{told:?}");
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        };
        symlink(elsewhere.path(), webroot.join(".well-known")).unwrap();
        refused("is a link");
        fs::remove_file(webroot.join(".well-known")).unwrap();
        fs::create_dir(webroot.join(".well-known")).unwrap();
        symlink(elsewhere.path(), webroot.join(".well-known/acme-challenge")).unwrap();
        refused("is a link");
        fs::remove_file(webroot.join(".well-known/acme-challenge")).unwrap();
        fs::create_dir(webroot.join(".well-known/acme-challenge")).unwrap();
        let file = webroot.join(".well-known/acme-challenge/-bc-_1");
        symlink(elsewhere.path().join("x"), &file).unwrap();
        refused("is no file");
        fs::remove_file(&file).unwrap();
        symlink(elsewhere.path().join("x"), file.with_file_name(".certdeck--bc-_1")).unwrap();
        assert_eq!(run(&place_tokens(&[token(&webroot)], &nonce()), "sh"), [Ok(0)]);
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_in_the_way_is_told() {
        let gone = Path::new("/nowhere/at all");
        let told = run(&place_tokens(&[token(gone)], &nonce()), "sh");
        assert_eq!(told, [Err(SafeText::new("there is no folder /nowhere/at all"))]);
        assert_eq!(run(&remove_tokens(&[token(gone)], &nonce()), "sh"), [Ok(0)]);
        for odd in ["", "../x", "a/b", "a.b", "$(x)", &"a".repeat(201)] {
            assert!(!is_token(odd), "{odd}");
        }
    }
}
