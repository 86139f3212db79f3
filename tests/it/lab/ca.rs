//! A real CA on loopback: Pebble, which asks a name server of its own where names are, and there
//! every name is 127.0.0.1.

use std::collections::HashMap;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{CertificateParams, KeyPair};

use super::{free_port, wait_for};

/// What it takes to order from a CA of one's own.
pub(crate) const PROGRAMS: &[&str] = &["certbot", "pebble", "pebble-challtestsrv"];

/// A Pebble, until it is dropped.
pub(crate) struct Ca {
    dir: PathBuf,
    pub(crate) port: u16,
    /// Where it looks for the files of http-01.
    pub(crate) http_port: u16,
    /// Its name server.
    pub(crate) names: u16,
    management: u16,
    /// Where its name server is told what to answer.
    names_management: u16,
    processes: Vec<Child>,
}

/// How it is seen that somebody controls a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Checks {
    /// It is believed.
    Believed,
    /// The file of http-01 is asked for at this port of 127.0.0.1.
    Http(u16),
    /// Its name server answers both kinds of challenges, as it is told.
    Told,
    /// The name server at this port of 127.0.0.1 is asked.
    Zone(u16),
}

/// How hard a CA makes it for its clients.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Habits<'a> {
    /// Of a hundred good nonces, how many are refused.
    pub(crate) refused_nonces: u8,
    /// The key identifier and HMAC key of its one customer, if it wants customers only.
    pub(crate) customer: Option<(&'a str, &'a str)>,
    /// Variables of Pebble, in place of those that every Pebble here has.
    pub(crate) env: &'a [(&'a str, &'a str)],
}

impl Ca {
    /// Starts one that signs for `days`, with its files in a new folder.
    pub(crate) fn start(dir: &Path, checks: Checks, days: u32) -> Self {
        Self::start_with(dir, checks, days, Habits::default())
    }

    /// Starts one with habits of its own.
    pub(crate) fn start_with(dir: &Path, checks: Checks, days: u32, habits: Habits<'_>) -> Self {
        fs::create_dir_all(dir).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let [certificate, private_key] = ["cert.pem", "key.pem"].map(|it| dir.join(it));
        fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&private_key, key.serialize_pem()).unwrap();
        let [port, management, names, names_management, unused] = [(); 5].map(|()| free_port());
        let http_port = match checks {
            Checks::Believed | Checks::Told | Checks::Zone(_) => unused,
            Checks::Http(port) => port,
        };
        let settings = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": certificate,
            "privateKey": private_key,
            "httpPort": http_port,
            "tlsPort": unused,
            "certificateValidityPeriod": u64::from(days) * 24 * 60 * 60,
            "externalAccountBindingRequired": habits.customer.is_some(),
            "externalAccountMACKeys": habits.customer.into_iter().collect::<HashMap<_, _>>(),
        }});
        fs::write(dir.join("settings.json"), settings.to_string()).unwrap();
        let mut ca = Self {
            dir: dir.to_owned(),
            port,
            http_port,
            names,
            management,
            names_management,
            processes: Vec::new(),
        };
        let mut names_server = Command::new("pebble-challtestsrv");
        // With an IPv6 address to give, Pebble would try that first.
        names_server.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
        names_server.args(["-dns01", &format!("127.0.0.1:{names}")]);
        names_server.args(["-management", &format!("127.0.0.1:{names_management}")]);
        names_server.args(["-https01", "", "-tlsalpn01", ""]);
        match checks {
            Checks::Told => names_server.args(["-http01", &format!("127.0.0.1:{http_port}")]),
            Checks::Believed | Checks::Http(_) | Checks::Zone(_) => {
                names_server.args(["-http01", ""])
            }
        };
        ca.run(names_server, names_management);
        let names = if let Checks::Zone(port) = checks { port } else { names };
        let mut pebble = Command::new("pebble");
        pebble.arg("-config").arg(dir.join("settings.json"));
        pebble.args(["-strict", "-dnsserver", &format!("127.0.0.1:{names}")]);
        pebble.env("PEBBLE_VA_NOSLEEP", "1");
        pebble.env("PEBBLE_WFE_NONCEREJECT", habits.refused_nonces.to_string());
        // Every order is checked anew, also that of a name that was checked before.
        pebble.env("PEBBLE_AUTHZREUSE", "0");
        if let Checks::Believed = checks {
            pebble.env("PEBBLE_VA_ALWAYS_VALID", "1");
        }
        pebble.envs(habits.env.iter().copied());
        ca.run(pebble, port);
        ca
    }

    fn run(&mut self, mut command: Command, port: u16) {
        let name = command.get_program().to_str().unwrap();
        let log = fs::File::create(self.dir.join(format!("{name}.log"))).unwrap();
        command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
        self.processes.push(command.spawn().unwrap());
        wait_for(&format!("{command:?}"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// The URL of its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// What a client has to trust to talk to it, as in `REQUESTS_CA_BUNDLE`.
    pub(crate) fn trust(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// The root of what it signs, in PEM: another one with every start.
    pub(crate) fn root(&self) -> PathBuf {
        let file = self.dir.join("root.pem");
        let url = format!("https://localhost:{}/roots/0", self.management);
        let mut curl = Command::new("curl");
        curl.arg("--silent").arg("--cacert").arg(self.trust()).arg("--output").arg(&file);
        assert!(curl.arg(url).status().unwrap().success());
        file
    }

    /// Orders of which it has made a certificate, as often as it has.
    pub(crate) fn issued(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.join("pebble.log")).unwrap();
        let lines = log.lines().filter(|it| it.contains("Issued certificate serial "));
        lines.filter_map(|it| it.rsplit(' ').next()).map(str::to_owned).collect()
    }

    /// How often its directory was asked for.
    pub(crate) fn directories(&self) -> usize {
        fs::read_to_string(self.dir.join("pebble.log")).unwrap().matches("GET /dir ").count()
    }

    /// Tells its name server something, as JSON: `add-http01`, `set-txt`, …
    pub(crate) fn tell(&self, what: &str, body: &serde_json::Value) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--output", "/dev/null", "--data", &body.to_string()]);
        curl.arg(format!("http://127.0.0.1:{}/{what}", self.names_management));
        assert!(curl.status().unwrap().success(), "{what} {body}");
    }

    /// Ends it: nobody answers any more.
    pub(crate) fn stop(&mut self) {
        for process in &mut self.processes {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        self.stop();
    }
}
