//! A real nginx on loopback: challenges on one port, TLS for every site on another.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use std::time::{Duration, Instant};

use super::{free_port, wait_for};

/// An nginx, until it is dropped.
pub(crate) struct Nginx {
    dir: PathBuf,
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    master: Child,
}

impl Nginx {
    /// Starts one without sites, with its files in a new folder.
    pub(crate) fn start(dir: &Path) -> Self {
        for folder in ["www", "sites", "temp"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let [http_port, tls_port] = [(); 2].map(|()| free_port());
        let dir_text = dir.to_str().unwrap();
        let mut config = String::new();
        if rustix::process::geteuid().is_root() {
            // The folder is closed to everybody else.
            config += "user root;\n";
        }
        write!(
            config,
            "daemon off;\npid {dir_text}/pid;\nerror_log {dir_text}/error.log;\n\
             worker_processes 1;\nevents {{ worker_connections 64; }}\nhttp {{\n\
             access_log {dir_text}/access.log;\n"
        )
        .unwrap();
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(config, "{kind}_temp_path {dir_text}/temp/{kind};").unwrap();
        }
        write!(
            config,
            "server {{ listen 127.0.0.1:{http_port}; root {dir_text}/www; }}\n\
             include {dir_text}/sites/*.conf;\n}}\n"
        )
        .unwrap();
        fs::write(dir.join("nginx.conf"), config).unwrap();
        let master = Command::new(NGINX)
            .args(["-p", dir_text, "-c", &format!("{dir_text}/nginx.conf")])
            .args(["-e", &format!("{dir_text}/error.log")])
            // With its workers, which outlive a master that is killed.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { dir: dir.to_owned(), http_port, tls_port, master };
        wait_for(&format!("nginx, see {dir_text}/error.log"), || {
            // It listens before it says who it is, and the file is there before its content.
            let pid = fs::read_to_string(nginx.dir.join("pid"));
            TcpStream::connect(("127.0.0.1", http_port)).is_ok()
                && pid.is_ok_and(|it| it.trim().parse::<u32>().is_ok())
        });
        nginx
    }

    /// Where files for challenges go.
    pub(crate) fn webroot(&self) -> PathBuf {
        self.dir.join("www")
    }

    /// Serves a name with that chain and key, from now on.
    pub(crate) fn serve(&self, name: &str, chain: &Path, key: &Path) {
        let site = format!(
            "server {{ listen 127.0.0.1:{} ssl; server_name {name}; ssl_certificate {}; \
             ssl_certificate_key {}; location / {{ return 200 \"{name}\\n\"; }} }}\n",
            self.tls_port,
            chain.display(),
            key.display()
        );
        fs::write(self.dir.join("sites").join(format!("{name}.conf")), site).unwrap();
        let reload = Command::new("/bin/sh").args(["-c", &self.reload()]).output().unwrap();
        assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
        let expect = crate::certificate::openssl(chain).unwrap().sha256;
        wait_for(&format!("nginx to serve {name}"), || {
            self.served(name).is_some_and(|it| it == expect)
        });
    }

    /// Takes a part of a configuration of any content, and reads it if it can.
    pub(crate) fn configure(&self, name: &str, text: &str) {
        fs::write(self.dir.join("sites").join(format!("{name}.conf")), text).unwrap();
        // What it cannot read it leaves out, and goes on as before.
        Command::new("/bin/sh").args(["-c", &self.reload()]).output().unwrap();
    }

    /// The command that makes it read its configuration and certificates again.
    pub(crate) fn reload(&self) -> String {
        let dir = self.dir.display();
        format!("{NGINX} -p {dir} -c {dir}/nginx.conf -e {dir}/error.log -s reload")
    }

    /// The fingerprint of what is served for a name, as openssl sees it.
    pub(crate) fn served(&self, name: &str) -> Option<String> {
        let address = format!("127.0.0.1:{}", self.tls_port);
        let told = Command::new("openssl")
            .args(["s_client", "-connect", &address, "-servername", name])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&told.stdout).unwrap();
        crate::certificate::openssl(file.path()).map(|it| it.sha256)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.master.id()).ok().and_then(Pid::from_raw) else {
            return;
        };
        // A master that is asked to end waits for its workers.
        kill_process(group, Signal::TERM).ok();
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.master.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                kill_process_group(group, Signal::KILL).ok();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) const NGINX: &str = "/usr/sbin/nginx";
