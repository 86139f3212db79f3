//! Jobs of a user who is not root and becomes it with sudo: the real one, with a line of sudoers
//! of their own. What they see as `/var/lib` and `/etc/sudoers` is the lab's, in a namespace of
//! mounts that ends with each session, so nothing is left on the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use certdeck::inventory::Become;
use certdeck::job::{self, State};
use certdeck::perform::jobs;

use super::{nonce, sh};
use crate::lab::{Lab, host, until, visit};

#[tokio::test]
async fn a_job_of_a_user_with_sudo_runs_as_root_and_can_be_stopped() {
    let Some(mut lab) = Lab::new() else { return };
    let (lib, sudoers) = (lab.path("lib"), lab.path("sudoers"));
    fs::create_dir(&lib).unwrap();
    fs::write(&sudoers, "nobody ALL=(root) NOPASSWD: /bin/sh -s\n").unwrap();
    fs::set_permissions(&sudoers, fs::Permissions::from_mode(0o440)).unwrap();
    let script = lab.path("login");
    let text = format!(
        "#!/bin/sh\nexec unshare -m sh -c 'mount --bind \"$0\" /var/lib && mount --bind \"$1\" /etc/sudoers && \
         exec setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c \"$SSH_ORIGINAL_COMMAND\"' '{}' '{}'\n",
        lib.display(),
        sudoers.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let can = Command::new("unshare").args(["-m", "mount", "--bind", "/", "/mnt"]).output();
    if !can.is_ok_and(|it| it.status.success()) || Command::new("sudo").arg("-V").output().is_err()
    {
        eprintln!("skipped: no sudo, or no namespaces of mounts");
        return;
    }
    let before = fs::exists("/var/lib/certdeck").unwrap();
    let sshd = lab.sshd(&format!("ForceCommand {}", script.display()));
    let mut web = host("web-01", sshd.port);
    web.r#become = Become::Sudo;
    let sessions = lab.sessions();

    let job = sh(
        "id -u; trap 'echo taken back; exit 3' TERM; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done",
    );
    let nonce = nonce();
    let answer = visit(&sessions, &web, &job::start(&job, &nonce)).await.unwrap();
    job::read(answer.as_bytes(), &nonce).unwrap();
    // Its session is over, and it runs on.
    let folder = lib.join(format!("certdeck/jobs/{}", job.op));
    until("its output", async || {
        let look = jobs::look(&sessions, &web, job.op, 0).await.unwrap();
        (look.status.state == State::Running && look.output == b"0\n").then_some(())
    })
    .await;
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(lib.join("certdeck/jobs")), mode(folder.clone())), (0o700, 0o700));
    // The same start again begins nothing.
    visit(&sessions, &web, &job::start(&job, &nonce)).await.unwrap();
    let stop = visit(&sessions, &web, &job::stop(job.op, &nonce)).await.unwrap();
    assert!(job::read(stop.as_bytes(), &nonce).unwrap().status.is_stopped);
    let look = until("its end", async || {
        let look = jobs::look(&sessions, &web, job.op, 0).await.unwrap();
        (look.status.state != State::Running).then_some(look)
    })
    .await;
    assert_eq!(look.status.state, State::Done(3), "{look:?}");
    assert!(look.output.ends_with(b"taken back\n"), "{look:?}");
    let listed = jobs::list(&sessions, &web).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.op).collect::<Vec<_>>(), [job.op]);
    assert_eq!(fs::exists("/var/lib/certdeck").unwrap(), before);
    sessions.close().await;
    lab.no_ssh_is_left();
}
