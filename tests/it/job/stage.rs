//! A host on real sshd whose certbot is a script: it takes as long as it is told to, counts its
//! runs, and leads the links of a lineage to the next version.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use certdeck::acme::Office;
use certdeck::action::{self, Answer, Chosen, Confirmed, Find, Plan, Review};
use certdeck::audit::Log;
use certdeck::audit::read::{Record, open_intents, records};
use certdeck::budget::History;
use certdeck::clock::Clock;
use certdeck::fleet::{Fleet, HostName};
use certdeck::inventory;
use certdeck::perform::{Ending, Progress, Report, Run, Tools};
use certdeck::remote::{Sessions, Settings, Variables};
use certdeck::scan;
use certdeck::store::Rollouts;
use rcgen::{CertificateParams, KeyPair};

use crate::lab::Lab;

/// A lab with hosts of that kind.
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    inventory: String,
}

impl Stage {
    /// A host for each name, with a lineage `www` of that many versions of which the first is
    /// live.
    pub(crate) fn new(names: &[&str], versions: usize) -> Option<Self> {
        Self::with(names, versions, "")
    }

    /// The same, with more lines for each `sshd_config`.
    pub(crate) fn with(names: &[&str], versions: usize, extra: &str) -> Option<Self> {
        let mut lab = Lab::new()?;
        let mut inventory = String::new();
        for name in names {
            let dir = lab.path(name);
            make_host(&dir, versions);
            let environment =
                format!("\"CERTDECK_ROOT={0}/root\" \"PATH={0}/bin:/usr/bin:/bin\"", dir.display());
            let sshd = lab.sshd(&format!("{extra}\nSetEnv {environment}\n"));
            write!(
                inventory,
                "[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = {}\n\
                 [[host.source]]\nkind = 'certbot'\nconfig-dir = '{1}/le'\n\
                 work-dir = '{1}/work'\nlogs-dir = '{1}/log'\n",
                sshd.port,
                dir.display()
            )
            .unwrap();
        }
        fs::write(lab.path("inventory.toml"), &inventory).unwrap();
        Some(Self { lab, inventory })
    }

    pub(crate) fn inventory(&self) -> &str {
        &self.inventory
    }

    /// A file of a host.
    pub(crate) fn path(&self, host: &str, name: &str) -> PathBuf {
        self.lab.path(host).join(name)
    }

    /// Tells certbot on a host how long to take, in seconds as `sleep` has them.
    pub(crate) fn slow(&self, host: &str, seconds: &str) {
        fs::write(self.path(host, "slow"), seconds).unwrap();
    }

    /// Gives a host a deploy hook.
    pub(crate) fn hook(&self, host: &str, text: &str) {
        fs::write(self.path(host, "hook"), text).unwrap();
    }

    /// How often certbot has run on a host.
    pub(crate) fn runs(&self, host: &str) -> usize {
        fs::read_to_string(self.path(host, "runs")).unwrap_or_default().lines().count()
    }

    /// The version that is live on a host, if all four links lead to the same.
    #[track_caller]
    pub(crate) fn live(&self, host: &str) -> usize {
        let versions: Vec<usize> = ["cert", "chain", "fullchain", "privkey"]
            .iter()
            .map(|kind| {
                let link = fs::read_link(self.path(host, &format!("le/live/www/{kind}.pem")));
                let name = link.unwrap().file_stem().unwrap().to_str().unwrap().to_owned();
                name.trim_start_matches(kind).parse().unwrap()
            })
            .collect();
        assert!(versions.iter().all(|it| *it == versions[0]), "half done: {versions:?}");
        versions[0]
    }

    /// Starts a host anew, as far as a job can see it.
    pub(crate) fn reboot(&self, host: &str) {
        boot(&self.path(host, "root"), &uuid::Uuid::new_v4().to_string());
    }

    pub(crate) fn desk(&self) -> Desk {
        Desk::open(self.lab.path("").as_path(), "anna@laptop")
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        records(&self.lab.path("state")).unwrap()
    }

    /// How many intents have no outcome.
    pub(crate) fn open(&self) -> usize {
        open_intents(&self.records()).len()
    }
}

/// Somebody at a lab with everything that performing needs.
pub(crate) struct Desk {
    pub(crate) tools: Tools,
}

impl Desk {
    /// A desk at the lab in that folder.
    pub(crate) fn open(lab: &Path, who: &str) -> Self {
        Self::with_state(lab, &lab.join("state"), who)
    }

    /// The same, with a state of its own, as on another machine.
    pub(crate) fn with_state(lab: &Path, state: &Path, who: &str) -> Self {
        let text = fs::read_to_string(lab.join("inventory.toml")).unwrap();
        let (inventory, complaints) = inventory::read(&text);
        assert!(complaints.is_empty());
        let settings = Settings {
            runtime_dir: lab.join("run"),
            ssh_config: Some(lab.join("ssh_config")),
            keep_warm: 8,
            variables: Variables::default(),
        };
        let clock = Clock::default();
        fs::create_dir_all(state).unwrap();
        let tools = Tools {
            inventory: Arc::new(inventory),
            sessions: Sessions::open(settings).unwrap(),
            log: Arc::new(Mutex::new(Log::open(state, clock).unwrap())),
            clock,
            who: who.to_owned(),
            office: Arc::new(Office::new(state, clock)),
            rollouts: Rollouts::new(state),
        };
        Self { tools }
    }

    pub(crate) fn host(&self, name: &str) -> &inventory::Host {
        self.tools.inventory.hosts.iter().find(|it| it.name.as_str() == name).unwrap()
    }

    pub(crate) async fn fleet(&self) -> Fleet {
        let Tools { inventory, sessions, clock, .. } = &self.tools;
        let mut fleet = inventory.fleet();
        for host in &inventory.hosts {
            let known = fleet.host(&host.name).unwrap().clone();
            fleet.apply(scan::visit(sessions, host, known, *clock).await);
        }
        fleet
    }

    /// Plans an action for `www` on these hosts, as they are now.
    pub(crate) async fn plans(&self, action: &str, hosts: &[&str]) -> (Vec<Plan>, Fleet) {
        let fleet = self.fleet().await;
        let now = self.tools.clock.now();
        let find = Find {
            inventory: &self.tools.inventory,
            fleet: &fleet,
            history: &History::default(),
            now,
        };
        let kind = action::named(action).unwrap();
        let plan = |host: &&str| {
            let target = find.target(&HostName::new(host), Some("www")).unwrap();
            kind.plan(&target, &Chosen::default()).unwrap()
        };
        (hosts.iter().map(plan).collect(), fleet)
    }

    /// Plans and confirms.
    pub(crate) async fn confirmed(&self, action: &str, hosts: &[&str]) -> Confirmed {
        let (plans, fleet) = self.plans(action, hosts).await;
        let count = plans.len().to_string();
        let now = self.tools.clock.now();
        Review::new(plans).confirm(Answer::Yes(&count), &fleet, now).unwrap()
    }

    /// Performs, and tells what became of each plan; `None` where it was not begun.
    pub(crate) async fn perform(&self, confirmed: Confirmed) -> Vec<Option<Report>> {
        let mut reports: Vec<_> = confirmed.plans().iter().map(|_| None).collect();
        let mut run = Run::start(self.tools.clone(), confirmed);
        while let Some(progress) = run.next().await {
            if let Progress::Ended { at, report } = progress {
                reports[at] = Some(*report);
            }
        }
        reports
    }

    /// Plans, confirms and performs on one host.
    pub(crate) async fn run(&self, action: &str, host: &str) -> Report {
        let confirmed = self.confirmed(action, &[host]).await;
        self.perform(confirmed).await.remove(0).unwrap()
    }

    pub(crate) async fn close(self) {
        self.tools.sessions.close().await;
    }
}

#[track_caller]
pub(crate) fn assert_ending(report: &Report, ending: Ending, words: &str) {
    let all = format!("{report:#?}");
    assert_eq!(report.ending, ending, "{all}");
    assert!(all.contains(words), "`{words}` is not in {all}");
}

/// Kills every ssh of this lab.
pub(crate) fn kill_all(run_dir: &str) {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let pid = entry.file_name().to_string_lossy().parse::<i32>();
        if let Ok(pid) = pid
            && line.starts_with("ssh ")
            && line.contains(run_dir)
        {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
        }
    }
}

fn make_host(dir: &Path, versions: usize) {
    for folder in
        ["bin", "root", "work", "log", "le/renewal", "le/live/www", "le/archive/www", "next"]
    {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    boot(&dir.join("root"), "first");
    for version in 1..=versions {
        let params = CertificateParams::new(vec!["www.example.net".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let chain = params.self_signed(&key).unwrap().pem();
        let folder = if version == 1 { "le/archive/www" } else { "next" };
        for (kind, text) in [
            ("cert", &chain),
            ("chain", &chain),
            ("fullchain", &chain),
            ("privkey", &key.serialize_pem()),
        ] {
            let name = format!("{kind}{version}.pem");
            fs::write(dir.join(folder).join(&name), text).unwrap();
            if version == 1 {
                let link = dir.join(format!("le/live/www/{kind}.pem"));
                symlink(format!("../../archive/www/{name}"), link).unwrap();
            }
        }
    }
    let le = dir.join("le").display().to_string();
    let conf = format!(
        "version = 2.1.0\narchive_dir = {le}/archive/www\ncert = {le}/live/www/cert.pem\n\
         privkey = {le}/live/www/privkey.pem\nchain = {le}/live/www/chain.pem\n\
         fullchain = {le}/live/www/fullchain.pem\n[renewalparams]\naccount = 1\n\
         authenticator = webroot\nwebroot_path = /var/www,\nserver = https://ca.example/dir\n"
    );
    fs::write(dir.join("le/renewal/www.conf"), conf).unwrap();
    fs::write(dir.join("slow"), "0").unwrap();
    let script = CERTBOT.replace("DIR", &dir.display().to_string());
    fs::write(dir.join("bin/certbot"), script).unwrap();
    fs::set_permissions(dir.join("bin/certbot"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn boot(root: &Path, id: &str) {
    let dir = root.join("proc/sys/kernel/random");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("boot_id"), format!("{id}\n")).unwrap();
}

/// As certbot does it: what it was asked, the new version in the archive, four links one after
/// the other, the hooks, and 0 even if one of those fails.
const CERTBOT: &str = r#"#!/bin/sh
cd 'DIR' || exit 9
echo run >>runs
echo "Renewing $*"
case "$*" in *--dry-run*) exit 0;; esac
[ -e fail ] && { echo 'Failed to renew certificate www with error: no'; exit 1; }
trap 'echo taken back; exit 143' TERM
i=0; while [ $i -lt 20 ]; do sleep "$(cat slow)"; i=$((i+1)); [ "$(cat slow)" = 0 ] && break; done
set -- $(ls next/fullchain*.pem | tr -dc '0-9\n' | sort -n)
[ $# -gt 0 ] || { echo 'there is no other version'; exit 1; }
trap '' TERM
for kind in cert chain fullchain privkey; do
mv next/$kind$1.pem le/archive/www/
done
for kind in cert chain fullchain privkey; do
ln -sfn ../../archive/www/$kind$1.pem le/live/www/$kind.pem
done
if [ -e hook ]; then
out=$(sh ./hook 2>&1); code=$?
[ $code -eq 0 ] || { echo "Hook 'deploy-hook' reported error code $code"
echo "Hook 'deploy-hook' ran with error output:"; echo "$out" | sed 's/^/ /'; } >&2
fi
echo 'Congratulations, all renewals succeeded:'
"#;
