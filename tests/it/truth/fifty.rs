//! Fifty healthy hosts, each with a server of its own, of which nothing is said. Every fault is
//! looked for among them.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::authority::{Authority, Life, lineage};
use super::node;
use super::scene::{Scan, Scene};
use crate::lab::nginx::Nginx;
use crate::lab::{Lab, free_port, hosts};

/// Healthy hosts, with a port of their own at an sshd that they share with others.
pub(super) struct Crowd {
    _members: Vec<Member>,
    pub(super) scene: Scene,
}

/// One of them.
struct Member {
    name: String,
    dir: PathBuf,
    /// What its server is asked for.
    site: String,
    ssh_port: u16,
    tls_port: u16,
    _nginx: Nginx,
}

impl Crowd {
    /// The one that is there as long as somebody has it; `None` where there is no sshd and none is
    /// required.
    pub(super) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Crowd>> = Mutex::new(Weak::new());
        // A test that failed has not harmed it.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(crowd) = shared.upgrade() {
            return Some(crowd);
        }
        let crowd = Arc::new(Self::new(hosts(50))?);
        *shared = Arc::downgrade(&crowd);
        Some(crowd)
    }

    /// Lets somebody else log in to its hosts.
    pub(super) fn let_in(&self, other: &Lab) {
        let append = |to: PathBuf, from: PathBuf| {
            let text = fs::read(from).unwrap();
            OpenOptions::new().append(true).open(to).unwrap().write_all(&text).unwrap();
        };
        append(self.scene.lab.path("authorized_keys"), other.path("user.pub"));
        append(other.path("known_hosts"), self.scene.lab.path("known_hosts"));
    }

    fn new(count: usize) -> Option<Self> {
        let mut scene = Scene::alone()?;
        let ca = Authority::new("Fjord");
        scene.trust(&ca.root());
        let members: Vec<_> = (0..count).map(|at| Member::start(&scene, &ca, at)).collect();
        for (number, some) in members.chunks(SOCKETS).enumerate() {
            let (mut ports, mut matches) = (String::new(), String::new());
            for it in some {
                writeln!(ports, "Port {}", it.ssh_port).unwrap();
                let environment = node::environment(&it.dir);
                writeln!(matches, "Match LocalPort {}\n  {environment}", it.ssh_port).unwrap();
                scene.tell(&it.inventory());
            }
            let file = scene.lab.path(&format!("matches-{number}"));
            fs::write(&file, matches).unwrap();
            let include = file.display();
            let sshd = scene.lab.sshd(&format!("{ports}MaxStartups 500\nInclude {include}"));
            for it in some {
                scene.lab.know(it.ssh_port, &format!("host-{}", sshd.port));
            }
        }
        Some(Self { _members: members, scene })
    }
}

impl Member {
    fn start(scene: &Scene, ca: &Authority, at: usize) -> Self {
        let name = format!("app-{at:02}");
        let dir = scene.lab.path(&name);
        for folder in ["bin", "home", "le", "work", "log", "tls", "nginx/sites", "root/usr/lib"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        node::machine(&dir);
        node::timer(&dir);
        symlink("/usr/lib/python3", dir.join("root/usr/lib/python3")).unwrap();
        // Every length of life that there is, at every age at which nothing is due.
        let days = [90, 47, 198, 6][at % 4];
        let share = i64::try_from(at * 60 / 50).unwrap();
        let share = if days < 10 { share * 3 / 4 } else { share };
        let life = Life(days * share / 100, days - days * share / 100);
        let is_public = at.is_multiple_of(5);
        let zone = if is_public { "localhost" } else { "test" };
        let site = format!("{name}.{zone}");
        let names = match at % 3 {
            0 => vec![site.clone()],
            1 => vec![site.clone(), format!("www.{site}")],
            _ => vec![format!("*.{zone}"), format!("mail.{site}")],
        };
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let issued = ca.issue(&names, life);
        let file = |kind: &str| match (at % 7, kind) {
            (0, "fullchain") => dir.join("tls/www.pem"),
            (0, _) => dir.join("tls/www.key"),
            _ => dir.join(format!("le/live/www/{kind}.pem")),
        };
        if at.is_multiple_of(7) {
            fs::write(file("fullchain"), issued.full()).unwrap();
            fs::write(file("privkey"), &issued.key).unwrap();
        } else {
            let conf = "authenticator = webroot\nserver = https://ca.example/dir\n\
                 webroot_path = WEBROOT,\nrenew_hook = true\n";
            let conf = conf.replace("WEBROOT", dir.join("nginx/www").to_str().unwrap());
            lineage(&dir.join("le"), "www", &[&issued], 1, &conf);
            if days < 10 {
                // Or certbot 2.1.0 would renew it with every run.
                let path = dir.join("le/renewal/www.conf");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, format!("renew_before_expiry = 2 days\n{text}")).unwrap();
            }
        }
        let (ssh_port, tls_port) = (free_port(), free_port());
        let listen = format!("listen 127.0.0.1:{tls_port} ssl; listen [::1]:{tls_port} ssl;");
        let [chain, key] = ["fullchain", "privkey"].map(|it| file(it).display().to_string());
        let site_text = format!(
            "server {{ {listen} server_name {site}; ssl_certificate {chain}; \
             ssl_certificate_key {key}; }}\n"
        );
        fs::write(dir.join("nginx/sites/www.conf"), site_text).unwrap();
        let nginx = Nginx::start(&dir.join("nginx"));
        node::found(&dir, &dir.join("nginx"));
        Self { name, dir, site, ssh_port, tls_port, _nginx: nginx }
    }

    fn inventory(&self) -> String {
        let (dir, name, port) = (self.dir.display(), &self.name, self.ssh_port);
        let source = if self.has_certbot() {
            format!(
                "kind = 'certbot'\nconfig-dir = '{dir}/le'\nwork-dir = '{dir}/work'\n\
                 logs-dir = '{dir}/log'"
            )
        } else {
            format!("kind = 'pem'\npaths = ['{dir}/tls/*.pem']\nkey = '{{dir}}/{{name}}.key'")
        };
        let probe = if self.site.ends_with(".localhost") { "" } else { "probe = ['loopback']" };
        format!(
            "[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = {port}\n\
             [[host.source]]\n{source}\n\
             [[host.endpoint]]\nname = '{}'\nport = {}\n{probe}\n",
            self.site, self.tls_port
        )
    }

    fn has_certbot(&self) -> bool {
        self.dir.join("le/live/www").exists()
    }
}

/// One less than sshd listens at (`MAX_LISTEN_SOCKS` of OpenSSH 9.2), for the port of its own.
const SOCKETS: usize = 15;

/// Stops with an assertion unless every place was seen on the wire and is called good.
#[track_caller]
fn assert_healthy(scan: &Scan, count: usize) {
    scan.assert_clean();
    let rows = scan.0["hosts"].as_array().unwrap();
    assert_eq!(rows.len(), count);
    for row in rows {
        assert_eq!(row["reach"], "up", "{row:#}");
        let places = row["places"].as_array().unwrap();
        assert_eq!(places.len(), 1, "{row:#}");
        let (place, layers) = (&places[0], &places[0]["layers"]);
        assert_eq!(place["verdict"], "ok", "{row:#}");
        assert_eq!(layers["loaded"]["sha256"], layers["disk"]["sha256"], "{row:#}");
    }
}

#[test]
fn of_a_healthy_fleet_nothing_is_said() {
    let Some(crowd) = Crowd::shared() else { return };
    let scene = &crowd.scene;
    assert_healthy(&scene.scan(), hosts(50));
    for line in ["certdeck scan", "certdeck check"] {
        assert_eq!(scene.shell(line).status.code(), Some(0), "{line}");
    }
}
