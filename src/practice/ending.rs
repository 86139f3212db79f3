//! Ends what a fleet has left behind: a job on a host has a session of its own and outlives its
//! connection, and is known only by the root that every command of a host is given.

use std::path::Path;

/// Kills every process of this user whose `CERTDECK_ROOT` lies in that folder of a fleet. The
/// name of such a folder is never used twice, so no one else's can.
#[cfg(target_os = "linux")]
pub(super) fn end_all(folder: &Path) {
    // One that starts another while it is being killed is caught the next time round.
    for _ in 0..ROUNDS {
        if end_some(folder) == 0 {
            return;
        }
    }
}

/// Elsewhere a job ends by itself, a few seconds later.
#[cfg(not(target_os = "linux"))]
pub(super) fn end_all(_folder: &Path) {}

#[cfg(target_os = "linux")]
fn end_some(folder: &Path) -> usize {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let pids = processes.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    pids.filter(|pid| end(*pid, folder) == Some(())).count()
}

/// Kills a process if it belongs to the fleet; tells whether it did.
#[cfg(target_os = "linux")]
fn end(pid: i32, folder: &Path) -> Option<()> {
    use std::os::unix::ffi::OsStrExt as _;

    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    // Held before it is looked at: the number may be another's a moment later.
    let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let begin = [b"CERTDECK_ROOT=", folder.as_os_str().as_bytes(), b"/"].concat();
    environment.split(|it| *it == 0).find(|it| it.starts_with(&begin))?;
    pidfd_send_signal(&process, Signal::KILL).ok()
}

/// More than any job has steps that could start between two looks.
#[cfg(target_os = "linux")]
const ROUNDS: usize = 50;
