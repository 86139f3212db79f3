//! What a login shell or sudo can do to a script, and that a script takes every value as it is.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use certdeck::fleet::{Unreached, Why};
use certdeck::inventory::Become;
use certdeck::remote::Limits;

use super::{Lab, host, visit};

/// Visits a host whose sshd runs this instead of what it was asked to.
async fn visit_forced(
    command: &str,
    r#become: Become,
    cap: usize,
) -> Option<Result<String, Unreached>> {
    let mut lab = Lab::new()?;
    let script = lab.path("forced");
    fs::write(&script, format!("#!/bin/sh\nPATH={}:$PATH\n{command}\n", lab.path("bin").display()))
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let sshd = lab.sshd(&format!("ForceCommand {}", script.display()));
    let sessions = lab.sessions();
    let mut web = host("web-01", sshd.port);
    web.r#become = r#become;
    let limits = Limits { time: web.scan_timeout, cap };
    let result = sessions.visit(&web, "echo begin; echo end\nexit 0\n", limits).await;
    sessions.close().await;
    lab.no_ssh_is_left();
    Some(
        result
            .map(|it| String::from_utf8_lossy(&it.bytes).into_owned())
            .map_err(|it| it.unreached(&web)),
    )
}

async fn check(command: &str, r#become: Become, why: Why, words: &str) {
    let Some(result) = visit_forced(command, r#become, 1 << 20).await else { return };
    let failed = result.unwrap_err();
    assert_eq!(failed.why, why, "{command}: {}", failed.text);
    let all = format!("{} | {}", failed.text, failed.hint.unwrap_or_default());
    assert!(all.contains(words), "{all}");
}

const ORIGINAL: &str = "exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"";

#[tokio::test]
async fn noise_of_a_login_shell_comes_before_the_answer() {
    let command = format!("echo welcome; echo 'stty: no tty' >&2\n{ORIGINAL}");
    let Some(answer) = visit_forced(&command, Become::None, 1 << 20).await else { return };
    assert_eq!(answer.unwrap(), "welcome\nbegin\nend\n");
}

#[tokio::test]
async fn no_shell_is_said_in_its_own_words() {
    let nologin = "echo 'This account is currently not available.'; exit 1";
    check(nologin, Become::None, Why::NoShell, "currently not available").await;
    check("exec /no/such/shell", Become::None, Why::NoShell, "not found").await;
}

#[tokio::test]
async fn an_answer_that_is_cut_short_or_never_ends_is_told_apart() {
    check("echo begin; kill -9 $PPID", Become::None, Why::CutShort, "broke").await;
    check("echo begin; kill -9 $$", Become::None, Why::CutShort, "broke").await;
    check("exec yes", Become::None, Why::TooLarge, "1024 KiB").await;
    check("exec cat /dev/zero", Become::None, Why::TooLarge, "1024 KiB").await;
    check("exec yes >&2", Become::None, Why::TimedOut, "15 s").await;
}

#[tokio::test]
async fn what_sudo_says_is_told_apart() {
    let fake = |words: &str| {
        let original = ORIGINAL.replace("exec ", "");
        format!(
            "sudo() {{ echo \"{words}\" >&2; exit 1; }}\n[ \"$SSH_ORIGINAL_COMMAND\" = 'exec sudo -n /bin/sh -s' ] && sudo\n{original}"
        )
    };
    let line = "ALL=(root) NOPASSWD: /bin/sh -s";
    check(&fake("sudo: a password is required"), Become::Sudo, Why::Sudo, line).await;
    let not_allowed =
        "Sorry, user deploy is not allowed to execute '/bin/sh -s' as root on web-01.";
    check(&fake(not_allowed), Become::Sudo, Why::Sudo, "does not allow").await;
    let no_tty = "sudo: sorry, you must have a tty to run sudo";
    check(&fake(no_tty), Become::Sudo, Why::Sudo, "!requiretty").await;
    let missing = format!("PATH=/nowhere\n{ORIGINAL}");
    check(&missing, Become::Sudo, Why::Sudo, "not installed").await;
}

#[tokio::test]
async fn sudo_runs_the_script() {
    let command = "exec ${SSH_ORIGINAL_COMMAND#exec sudo -n }";
    let Some(answer) = visit_forced(command, Become::Sudo, 1 << 20).await else { return };
    assert_eq!(answer.unwrap(), "begin\nend\n");
}

#[tokio::test]
async fn every_value_arrives_as_it_is_whatever_the_login_shell() {
    let shells = ["sh", "dash", "bash", "zsh", "fish", "csh", "tcsh", "ksh"];
    let installed = shells.iter().filter(|it| {
        ["/bin", "/usr/bin"].iter().any(|dir| fs::exists(format!("{dir}/{it}")).unwrap())
    });
    // Every byte that text can have, in no order that a shell could like.
    let mut state = 1_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let values: Vec<String> = (0..5_000)
        .map(|_| {
            let length = random() % 24;
            (0..length)
                .map(|_| match random() % 4 {
                    0 => ['\'', '"', '\\', '$', '`', '\n', '!', ';', '*', '~', '\r']
                        [random() as usize % 11],
                    1 => char::from_u32(0x80 + random() % 0x700).unwrap(),
                    _ => char::from_u32(1 + random() % 0x7f).unwrap(),
                })
                .collect()
        })
        .collect();
    let mut script = String::new();
    let mut expect = String::new();
    for value in &values {
        writeln!(script, "printf '<%s>' {}", certdeck::source::quote(value)).unwrap();
        write!(expect, "<{value}>").unwrap();
    }
    for shell in installed {
        let Some(mut lab) = Lab::new() else { return };
        let sshd = lab.sshd(&format!("ForceCommand {shell} -c \"$SSH_ORIGINAL_COMMAND\""));
        let sessions = lab.sessions();
        let answer = visit(&sessions, &host("web-01", sshd.port), &script).await.unwrap();
        assert!(answer == expect, "{shell}");
    }
}
