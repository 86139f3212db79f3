//! Hosts with everything that makes them healthy: a server where it is looked for, a timer, a
//! machine of their own.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::authority::Issued;
use super::scene::{Scene, program};
use crate::certificate;
use crate::lab::certbot_host::CertbotHost;
use crate::lab::nginx::Nginx;
use crate::lab::{Sshd, are_here, end_processes_with, free_port, wait_for};

/// A host with certbot, a CA, nginx and a timer that is enabled.
pub(super) fn certbot(scene: &mut Scene, name: &str) -> Option<CertbotHost> {
    let host = CertbotHost::start(&mut scene.lab, name)?;
    let dir = host.path("");
    machine(&dir);
    found(&dir, &dir.join("nginx"));
    timer(&dir);
    Some(host)
}

/// A host to which certificates are brought as files, and nginx or another server.
pub(super) struct Plain {
    pub(super) name: String,
    dir: PathBuf,
    sshd: Sshd,
}

impl Plain {
    pub(super) fn start(scene: &mut Scene, name: &str) -> Self {
        Self::start_with(scene, name, "")
    }

    /// The same with more lines for its `sshd_config`.
    pub(super) fn start_with(scene: &mut Scene, name: &str, more: &str) -> Self {
        let dir = scene.lab.path(name);
        for folder in ["bin", "tls", "root", "home"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        machine(&dir);
        let sshd = scene.lab.sshd(&format!("{more}\n{}", environment(&dir)));
        Self { name: name.to_owned(), dir, sshd }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    pub(super) const fn ssh_port(&self) -> u16 {
        self.sshd.port
    }

    /// The host for an inventory, up to its source.
    pub(super) fn inventory(&self) -> String {
        let (name, port, dir) = (&self.name, self.sshd.port, self.dir.display());
        let mut files = fs::read_dir(self.path("tls")).unwrap().map(|it| it.unwrap().path());
        let has_keys = files.any(|it| it.extension().is_some_and(|it| it == "key"));
        // haproxy has both in one file.
        let keys = if has_keys { "key = '{dir}/{name}.key'\n" } else { "" };
        format!(
            "[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = {port}\n\
             [[host.source]]\nkind = 'pem'\npaths = ['{dir}/tls/*.pem']\n{keys}"
        )
    }

    /// The name of the place of a file.
    pub(super) fn place(&self, name: &str) -> String {
        self.path(&format!("tls/{name}.pem")).display().to_string()
    }

    /// Puts a certificate and its key there.
    pub(super) fn put(&self, name: &str, it: &Issued) {
        fs::write(self.path(&format!("tls/{name}.pem")), it.full()).unwrap();
        fs::write(self.path(&format!("tls/{name}.key")), &it.key).unwrap();
    }

    /// An nginx that serves these names with these files.
    pub(super) fn nginx(&self, names: &[&str]) -> Nginx {
        let nginx = Nginx::start(&self.path("nginx"));
        found(&self.dir, &self.path("nginx"));
        for name in names {
            let file = |kind: &str| self.path(&format!("tls/{name}.{kind}"));
            nginx.serve(name, &file("pem"), &file("key"));
        }
        nginx
    }

    /// Has its nginx serve a name at that address with its next reload; tells the address.
    pub(super) fn serve(&self, name: &str, at: &str) -> String {
        let file = |kind: &str| self.path(&format!("tls/{name}.{kind}")).display().to_string();
        let site = format!(
            "server {{ listen {at} ssl; server_name {name}; ssl_certificate {}; \
             ssl_certificate_key {}; }}\n",
            file("pem"),
            file("key")
        );
        fs::write(self.path(&format!("nginx/sites/{name}.conf")), site).unwrap();
        at.to_owned()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // Jobs outlive everybody else, which is what they are for.
        end_processes_with(&self.path("root/var/lib/certdeck"));
    }
}

/// A haproxy that ends TLS with one file, until it is dropped.
pub(super) struct Haproxy {
    pub(super) port: u16,
    master: Child,
}

impl Haproxy {
    /// Starts one on the host: `tls/NAME.pem` holds certificate and key.
    pub(super) fn start(host: &Plain, name: &str) -> Option<Self> {
        if !are_here(&[HAPROXY]) {
            return None;
        }
        let port = free_port();
        let dir = host.dir.display();
        for folder in ["root/run", "root/etc/haproxy"] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        let conf = host.path("root/etc/haproxy/haproxy.cfg");
        let text = format!(
            "global\n  stats socket {dir}/root/run/haproxy.sock mode 600 level admin\n\
             defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
             frontend www\n  bind 127.0.0.1:{port} ssl crt {dir}/tls/{name}.pem\n\
             \x20 http-request return status 200\n"
        );
        fs::write(&conf, text).unwrap();
        let pid = host.path("root/run/haproxy.pid");
        let master = Command::new(HAPROXY)
            .args(["-W", "-q", "-f"])
            .arg(&conf)
            .arg("-p")
            .arg(&pid)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let it = Self { port, master };
        wait_for("haproxy", || TcpStream::connect(("127.0.0.1", port)).is_ok() && pid.exists());
        Some(it)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        end(&mut self.master);
    }
}

/// An Apache that ends TLS for one name, until it is dropped.
pub(super) struct Apache {
    pub(super) port: u16,
    master: Child,
}

impl Apache {
    /// Starts one on the host: `tls/NAME.pem` and `tls/NAME.key` are what it serves.
    pub(super) fn start(host: &Plain, name: &str) -> Option<Self> {
        if !are_here(&["apache2", "apachectl"]) {
            return None;
        }
        let port = free_port();
        let (dir, modules) = (host.dir.display(), "/usr/lib/apache2/modules");
        for folder in ["root/run/apache2", "root/etc", "apache"] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        let conf = host.path("apache/apache2.conf");
        let text = format!(
            "PidFile {dir}/apache/pid\nErrorLog {dir}/apache/error.log\n\
             DefaultRuntimeDir {dir}/apache\nServerName here.test\n\
             LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
             LoadModule authz_core_module {modules}/mod_authz_core.so\n\
             LoadModule ssl_module {modules}/mod_ssl.so\n\
             Listen 127.0.0.1:{port}\n\
             <VirtualHost *:{port}>\nServerName {name}\nSSLEngine on\n\
             SSLCertificateFile {dir}/tls/{name}.pem\n\
             SSLCertificateKeyFile {dir}/tls/{name}.key\n</VirtualHost>\n"
        );
        fs::write(&conf, text).unwrap();
        let pid = host.path("apache/pid");
        symlink(&pid, host.path("root/run/apache2/apache2.pid")).unwrap();
        symlink(host.path("apache"), host.path("root/etc/apache2")).unwrap();
        let master = Command::new("apache2")
            .arg("-d")
            .arg(host.path("apache"))
            .arg("-f")
            .arg(&conf)
            .args(["-D", "FOREGROUND"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let it = Self { port, master };
        wait_for("apache", || TcpStream::connect(("127.0.0.1", port)).is_ok() && pid.exists());
        Some(it)
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        end(&mut self.master);
    }
}

/// Asks a master process to end, which takes its workers with it unless it is killed.
fn end(master: &mut Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(master.id().cast_signed()) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
    }
    master.wait().ok();
}

/// What root types on a host with systemd.
#[track_caller]
pub(super) fn systemctl(host: &CertbotHost, words: &str) {
    shell(&format!("{} {words}", host.path("bin/systemctl").display()));
}

/// What root types on the machine.
#[track_caller]
pub(super) fn shell(line: &str) {
    let output = Command::new("/bin/sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The fingerprint of what is served at a port of loopback for a name, as openssl sees it.
pub(super) fn served(at: &str, name: &str) -> Option<String> {
    let told = Command::new("openssl")
        .args(["s_client", "-connect", at, "-servername", name])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &told.stdout).unwrap();
    certificate::openssl(file.path()).map(|it| it.sha256)
}

/// Whether openssl finds a way from what is served to that root.
pub(super) fn verifies(port: u16, name: &str, root: &str) -> bool {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), root).unwrap();
    let at = format!("127.0.0.1:{port}");
    let status = Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-connect", &at, "-servername", name])
        .arg("-CAfile")
        .arg(file.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

/// What sshd is told of the environment of a host.
pub(super) fn environment(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "SetEnv CERTDECK_ROOT={dir}/root HOME={dir}/home \
         PATH={dir}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )
}

/// The host is a machine of its own.
pub(crate) fn machine(dir: &Path) {
    let folder = dir.join("root/proc/sys/kernel/random");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("boot_id"), uuid::Uuid::new_v4().to_string() + "\n").unwrap();
}

/// Where nginx is looked for on a host with a root of its own.
pub(crate) fn found(dir: &Path, nginx: &Path) {
    let root = dir.join("root");
    for folder in ["run", "etc"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    symlink(nginx.join("pid"), root.join("run/nginx.pid")).unwrap();
    symlink(nginx, root.join("etc/nginx")).unwrap();
}

/// systemd with certbot's timer, as far as systemctl tells.
pub(crate) fn timer(dir: &Path) {
    for folder in ["bin", "units", "root/run/systemd/system"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    program(&dir.join("bin/systemctl"), include_str!("../../../src/practice/bin/systemctl.sh"));
    fs::write(dir.join("units/certbot.timer"), TIMER).unwrap();
    fs::write(dir.join("units/certbot.service"), SERVICE).unwrap();
}

const HAPROXY: &str = "/usr/sbin/haproxy";

const TIMER: &str = "\
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
Result=success
LastTriggerUSec=
NextElapseUSecRealtime=
";

const SERVICE: &str = "\
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=static
Result=success
ExecMainStatus=0
";
