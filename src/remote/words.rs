//! What ssh, sudo and shells say when something is wrong, and what it means. Text in, meaning
//! out; the messages are those of OpenSSH 9.2 (`sshconnect.c`, `sshconnect2.c`, `packet.c`) and
//! sudo 1.9.

/// What went wrong on the way to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No key of ours was accepted.
    Authentication,
    /// The host key is not the one that is known.
    ChangedKey,
    /// The server hung up before anything was said: too many at once, or it is unwell.
    Dropped,
    /// No route to the address.
    NoRoute,
    /// The name has no address.
    NoSuchName,
    /// Our configuration has something that this ssh does not know.
    OldClient,
    /// Nothing else fits.
    Other,
    /// Nothing listens there.
    Refused,
    /// The host key was withdrawn by the operator.
    RevokedKey,
    /// No answer in time.
    TimedOut,
    /// The host key is not known.
    UnknownKey,
}

/// Why `sudo -n` did not run the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SudoFault {
    /// sudo is not installed.
    Missing,
    /// sudoers does not allow it.
    NotAllowed,
    /// sudoers allows it with a password only.
    Password,
    /// sudoers has `requiretty`.
    Terminal,
}

/// Why a host does not connect to one of its own ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardFault {
    /// Its sshd may not.
    Forbidden,
    /// Nothing else fits.
    Other,
    /// Nothing listens there.
    Refused,
}

/// What became of the shell of this machine, where it did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HereFault {
    /// It did not read the script.
    Failed,
    /// Somebody ended it.
    Killed,
    /// There is none.
    NotStarted,
}

/// Reads what ssh said when it failed to connect: which hop it is about, counted from the host
/// itself, and what happened.
pub(super) fn connecting(said: &str, jumps: usize) -> (usize, Fault) {
    let fault = FAULTS.iter().find(|(_, words)| words.iter().any(|it| said.contains(it)));
    let fault = fault.map_or(Fault::Other, |it| it.0);
    // Each ssh whose way was cut off before a greeting came adds this: all those nearer to the
    // host than the one that failed, and that one too if it was hung up on.
    let cut_off = said.matches("kex_exchange_identification:").count();
    let hop = if said.contains("ssh: connect to host") || said.contains("Could not resolve") {
        // Only the first connection is a TCP one of ours.
        jumps
    } else if said.contains("stdio forwarding failed") || fault == Fault::Dropped {
        cut_off.saturating_sub(1)
    } else {
        cut_off
    };
    (hop.min(jumps), fault)
}

/// Reads what was printed when `sudo -n` did not end well; `None` if it was not for sudo.
pub(super) fn sudo(said: &str, was_found: bool) -> Option<SudoFault> {
    let says = |words: &[&str]| words.iter().any(|it| said.contains(it));
    if says(&["must have a tty"]) {
        Some(SudoFault::Terminal)
    } else if says(&["not in the sudoers file", "is not allowed to execute", "may not run sudo"]) {
        Some(SudoFault::NotAllowed)
    } else if says(&["a password is required", "a terminal is required", "no askpass program"]) {
        Some(SudoFault::Password)
    } else if said.contains("sudo") && (!was_found || says(&["not found", "No such file"])) {
        Some(SudoFault::Missing)
    } else {
        None
    }
}

/// Reads what `ssh -W` said: why there was no connection, and sshd's reason (`reason2txt` in
/// `channels.c`).
pub(super) fn forwarding(said: &str) -> (ForwardFault, &str) {
    let reason = |it: &str| it.starts_with("channel ") && it.contains("open failed: ");
    let Some(line) = said.lines().rfind(|it| reason(it)) else {
        return (ForwardFault::Other, gist(said));
    };
    let line = line.trim_end_matches('\r');
    let reason = line.split_once("open failed: ").map_or(line, |it| it.1);
    let fault = if reason.starts_with("administratively prohibited") {
        ForwardFault::Forbidden
    } else if reason.contains("Connection refused") {
        ForwardFault::Refused
    } else {
        ForwardFault::Other
    };
    (fault, reason)
}

/// The line of ssh's complaint that says most, without its line end.
pub(super) fn gist(said: &str) -> &str {
    let lines =
        || said.lines().map(|it| it.trim_end_matches('\r').trim()).filter(|it| !it.is_empty());
    let is_echo = |it: &&str| {
        it.contains("UNKNOWN port 65535")
            || it.starts_with("kex_exchange_identification:")
            || it.starts_with("stdio forwarding failed")
            || it.starts_with("Host key verification failed")
            || it.starts_with('@')
    };
    lines().rfind(|it| !is_echo(it)).or_else(|| lines().next_back()).unwrap_or_default()
}

/// The first that fits counts: a changed key is said together with words for an unknown one, and
/// a failed jump is said together with words for a dropped connection.
const FAULTS: &[(Fault, &[&str])] = &[
    (Fault::OldClient, &["Bad configuration option", "unknown option --", "Unsupported option"]),
    (Fault::RevokedKey, &["REVOKED HOST KEY"]),
    (Fault::ChangedKey, &["HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested"]),
    (Fault::UnknownKey, &["host key is known for", "Host key verification failed"]),
    (Fault::Authentication, &["Permission denied", "Too many authentication failures"]),
    (Fault::NoSuchName, &["Could not resolve hostname", "Name or service not known"]),
    (Fault::Refused, &["Connection refused"]),
    (Fault::NoRoute, &["No route to host", "Network is unreachable", "Host is down"]),
    (Fault::TimedOut, &["timed out", "Timeout, server"]),
    (Fault::Other, &["Unable to negotiate", "open failed:"]),
    (
        Fault::Dropped,
        &["kex_exchange_identification", "Connection closed by", "Connection reset by"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, jumps: usize, hop: usize, fault: Fault) {
        assert_eq!(connecting(said, jumps), (hop, fault), "{said}");
    }

    const CHANGED: &str = "\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
Host key for [127.0.0.1]:2222 has changed and you have requested strict checking.\r
Host key verification failed.\r
";
    const UNKNOWN: &str = "\
No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking.\r
Host key verification failed.\r
";
    const CLOSED: &str = "kex_exchange_identification: Connection closed by remote host\r\n";

    #[test]
    fn faults_of_a_direct_connection() {
        check("ssh: connect to host a port 1: Connection refused\r\n", 0, 0, Fault::Refused);
        check("ssh: connect to host a port 22: Connection timed out\r\n", 0, 0, Fault::TimedOut);
        check(
            "Connection timed out during banner exchange\r\nConnection to 127.0.0.1 port 2 timed out\r\n",
            0,
            0,
            Fault::TimedOut,
        );
        check("ssh: connect to host a port 22: No route to host\r\n", 0, 0, Fault::NoRoute);
        check("ssh: connect to host a port 22: Network is unreachable\r\n", 0, 0, Fault::NoRoute);
        for why in ["Name or service not known", "Temporary failure in name resolution"] {
            let said = format!("ssh: Could not resolve hostname nope.example: {why}\r\n");
            check(&said, 0, 0, Fault::NoSuchName);
        }
        check(UNKNOWN, 0, 0, Fault::UnknownKey);
        check(CHANGED, 0, 0, Fault::ChangedKey);
        check("deploy@127.0.0.1: Permission denied (publickey).\r\n", 0, 0, Fault::Authentication);
        check(
            "Received disconnect from 127.0.0.1 port 22:2: Too many authentication failures\r\n",
            0,
            0,
            Fault::Authentication,
        );
        check(
            "kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 127.0.0.1 port 22\r\n",
            0,
            0,
            Fault::Dropped,
        );
        check(
            "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 127.0.0.1 port 22\r\n",
            0,
            0,
            Fault::Dropped,
        );
        check(
            "/run/x.conf: line 3: Bad configuration option: requiredrsasize\r\n",
            0,
            0,
            Fault::OldClient,
        );
        check(
            "Unable to negotiate with 127.0.0.1 port 22: no matching cipher found.",
            0,
            0,
            Fault::Other,
        );
    }

    #[test]
    fn faults_behind_jump_hosts_name_the_right_one() {
        let refused = "channel 0: open failed: connect failed: Connection refused\r\nstdio forwarding failed\r\n";
        check(&format!("{refused}{CLOSED}"), 1, 0, Fault::Refused);
        check(&format!("{refused}{CLOSED}{CLOSED}"), 2, 1, Fault::Refused);
        check(
            &format!("ops@127.0.0.1: Permission denied (publickey).\r\n{CLOSED}"),
            1,
            1,
            Fault::Authentication,
        );
        check("ops@127.0.0.1: Permission denied (publickey).\r\n", 1, 0, Fault::Authentication);
        check(&format!("{UNKNOWN}{CLOSED}"), 1, 1, Fault::UnknownKey);
        check(UNKNOWN, 1, 0, Fault::UnknownKey);
        check(&format!("{CHANGED}{CLOSED}{CLOSED}"), 2, 2, Fault::ChangedKey);
        check(
            &format!(
                "{CLOSED}channel 0: open failed: administratively prohibited: open failed\r\nstdio forwarding failed\r\n"
            ),
            1,
            0,
            Fault::Other,
        );
        check(CLOSED, 1, 0, Fault::Dropped);
        check(
            &format!("ssh: connect to host bastion port 22: Connection refused\r\n{CLOSED}"),
            1,
            1,
            Fault::Refused,
        );
        check(
            &format!(
                "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.1 port 22\r\n{CLOSED}"
            ),
            1,
            1,
            Fault::Dropped,
        );
    }

    #[test]
    fn sudo_is_told_apart() {
        let of = |said| sudo(said, true);
        assert_eq!(of("sudo: a password is required\n"), Some(SudoFault::Password));
        assert_eq!(
            of("sudo: a terminal is required to read the password; either use the -S option …"),
            Some(SudoFault::Password)
        );
        assert_eq!(of("sudo: sorry, you must have a tty to run sudo\n"), Some(SudoFault::Terminal));
        assert_eq!(
            of("Sorry, user deploy is not allowed to execute '/bin/sh -s' as root on web-1.\n"),
            Some(SudoFault::NotAllowed)
        );
        assert_eq!(of("deploy is not in the sudoers file.\n"), Some(SudoFault::NotAllowed));
        assert_eq!(sudo("sh: 1: exec: sudo: not found\n", false), Some(SudoFault::Missing));
        assert_eq!(sudo("sudo: Command not found.\n", true), Some(SudoFault::Missing));
        assert_eq!(of("something else"), None);
    }

    #[test]
    fn what_is_in_the_way_of_a_forwarding_is_told_apart() {
        let of = |reason: &str| {
            let said = format!("Welcome\r\nchannel 0: open failed: {reason}\r\n{FAILED}");
            forwarding(&said).0
        };
        assert_eq!(of("administratively prohibited: open failed"), ForwardFault::Forbidden);
        assert_eq!(of("connect failed: Connection refused"), ForwardFault::Refused);
        assert_eq!(of("connect failed: No route to host"), ForwardFault::Other);
        let said = "ops@127.0.0.1: Permission denied (publickey).\r\n";
        assert_eq!(forwarding(said), (ForwardFault::Other, said.trim_end()));
    }

    const FAILED: &str = "stdio forwarding failed\r\n";

    #[test]
    fn the_gist_is_the_line_that_says_most() {
        assert_eq!(
            gist(UNKNOWN),
            "No ED25519 host key is known for [127.0.0.1]:2222 and you have requested strict checking."
        );
        assert_eq!(
            gist(&format!("ops@b: Permission denied (publickey).\r\n{CLOSED}")),
            "ops@b: Permission denied (publickey)."
        );
        assert_eq!(gist(""), "");
    }
}
