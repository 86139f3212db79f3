//! The systemd unit of an exporter, hardened: it needs a network and two folders, and nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Way;
use crate::cli::timer::systemd;
use crate::cli::{Context, Exit, Failure, print as print_out};

/// Prints it, with how to install it.
pub(super) fn print(
    context: &Context,
    filter: &[String],
    way: Way<'_>,
    every: Duration,
) -> Result<Exit, Failure> {
    let unit = Unit {
        program: std::env::current_exe()?,
        inventory: std::path::absolute(&context.paths.inventory)?,
        filter,
        way,
        every,
    };
    print_out(|out| out.write_all(unit.text().as_bytes()))?;
    Ok(Exit::Done)
}

struct Unit<'a> {
    program: PathBuf,
    inventory: PathBuf,
    filter: &'a [String],
    way: Way<'a>,
    every: Duration,
}

impl Unit<'_> {
    fn text(&self) -> String {
        let (program, copied_program) = reachable(&self.program, "/usr/local/bin/certdeck");
        let (inventory, copied_inventory) =
            reachable(&self.inventory, "/etc/certdeck/inventory.toml");
        let mut text = String::from(
            "# Save it as /etc/systemd/system/certdeck-export.service, then:\n\
             #   useradd --system --home-dir /var/lib/certdeck --shell /usr/sbin/nologin certdeck\n",
        );
        for (from, to) in copied_program.into_iter().chain(copied_inventory) {
            // Writing to a string does not fail.
            writeln!(text, "#   install -D {} {}", from.display(), to.display()).ok();
        }
        text.push_str(
            "#   systemctl daemon-reload && systemctl enable --now certdeck-export.service\n\
             # Its key and the keys of the hosts lie in /var/lib/certdeck/.ssh, for certdeck alone.\n\
             # On the hosts that key needs to read, and nothing else.\n\n\
             [Unit]\n\
             Description=Metrics of the certificates of a fleet\n\
             Wants=network-online.target\n\
             After=network-online.target\n\n\
             [Service]\n",
        );
        writeln!(text, "ExecStart={}", self.command(program, inventory)).ok();
        text.push_str(SERVICE);
        if let Way::File(path) = self.way {
            let folder = path.parent().unwrap_or(path).to_string_lossy();
            writeln!(text, "ReadWritePaths={}", systemd(&folder)).ok();
        }
        text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
        text
    }

    fn command(&self, program: &Path, inventory: &Path) -> String {
        let mut words = vec![
            systemd(&program.to_string_lossy()),
            "--inventory".to_owned(),
            systemd(&inventory.to_string_lossy()),
            "export".to_owned(),
        ];
        match self.way {
            Way::File(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                words.extend(["--textfile".to_owned(), systemd(&path.to_string_lossy())]);
            }
            Way::Http(address) => words.extend(["--listen".to_owned(), address.to_string()]),
        }
        words.extend(["--every".to_owned(), format!("{}s", self.every.as_secs())]);
        words.extend(self.filter.iter().map(|it| systemd(it)));
        words.join(" ")
    }
}

/// Where the unit finds a file: in homes, which are closed to it, it finds none.
fn reachable<'a>(path: &'a Path, other: &'a str) -> (&'a Path, Option<(&'a Path, &'a Path)>) {
    let is_closed = CLOSED.iter().any(|it| path.starts_with(it));
    let other = Path::new(other);
    if is_closed { (other, Some((path, other))) } else { (path, None) }
}

/// What `ProtectHome` and `PrivateTmp` hide (systemd.exec(5)).
const CLOSED: &[&str] = &["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// `PrivateNetwork` and `IPAddressDeny` would keep it from the hosts.
const SERVICE: &str = "\
Environment=CERTDECK_STATE_DIR=/var/lib/certdeck/state XDG_RUNTIME_DIR=/run/certdeck-export
User=certdeck
Restart=on-failure
RestartSec=30s
StateDirectory=certdeck
StateDirectoryMode=0700
RuntimeDirectory=certdeck-export
RuntimeDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
DevicePolicy=closed
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
";

#[cfg(test)]
mod tests {
    use super::*;

    fn unit<'a>(way: Way<'a>, filter: &'a [String]) -> Unit<'a> {
        Unit {
            program: "/usr/bin/certdeck".into(),
            inventory: "/home/ops/inventory.toml".into(),
            filter,
            way,
            every: Duration::from_secs(300),
        }
    }

    #[test]
    fn a_unit_says_how_it_is_installed() {
        insta::assert_snapshot!(unit(Way::Http(super::super::LOOPBACK), &[]).text());
    }

    #[test]
    fn a_unit_may_write_where_the_file_goes() {
        let filter = ["group=prod".to_owned(), "left<50% $x".to_owned()];
        let text =
            unit(Way::File(Path::new("/var/lib/node exporter/certdeck.prom")), &filter).text();
        assert!(text.contains("ReadWritePaths=\"/var/lib/node exporter\"\n"), "{text}");
        let command = text.lines().find(|it| it.starts_with("ExecStart=")).unwrap();
        assert_eq!(
            command,
            r#"ExecStart="/usr/bin/certdeck" --inventory "/etc/certdeck/inventory.toml" export --textfile "/var/lib/node exporter/certdeck.prom" --every 300s "group=prod" "left<50%% $$x""#
        );
    }
}
