//! nginx of a practice host: reads what its configuration names, says what is wrong with it in
//! nginx's words, and serves what it has loaded until it is reloaded.

mod conf;
mod loaded;
mod tls;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::stage::{self, Stage};
use super::{Error, HOSTS, PREFIX};
use conf::below;
use loaded::Unloaded;

pub(super) use loaded::Loaded;
pub(super) use tls::{listen, listens, serve};

/// The port of HTTPS.
pub(super) const PORT: u16 = 443;

/// Runs nginx on the practice host with that root, as `nginx TYPED…`; returns its exit code.
pub fn run_nginx(root: &Path, typed: &[OsString]) -> u8 {
    let Some(root) = practice_host(root) else {
        complain("[emerg] this is no host of a practice fleet");
        return 1;
    };
    let mut conf = root.join(CONF);
    let (mut is_test, mut signal) = (false, None);
    let mut typed = typed.iter().filter_map(|it| it.to_str());
    while let Some(option) = typed.next() {
        match option {
            "-t" | "-T" => is_test = true,
            "-s" => signal = typed.next(),
            "-c" => conf = below(&root, typed.next().unwrap_or_default()),
            // Directives and folders of whoever started it: there is but one.
            "-e" | "-g" | "-p" => drop(typed.next()),
            "-q" => {}
            "-v" | "-V" => {
                drop(writeln!(io::stderr(), "nginx version: nginx/1.22.1"));
                return 0;
            }
            other => {
                complain(&format!("invalid option: \"{other}\""));
                return 1;
            }
        }
    }
    let show = conf.display();
    let sites = match load(&root, &conf) {
        Ok(sites) => sites,
        Err(error) => {
            complain(&format!("[emerg] {error}"));
            complain(&format!("configuration file {show} test failed"));
            return 1;
        }
    };
    match (is_test, signal) {
        (true, _) => {
            complain(&format!("the configuration file {show} syntax is ok"));
            complain(&format!("configuration file {show} test is successful"));
            0
        }
        (false, Some("reload")) => match loaded::write(&root, &sites) {
            Ok(()) => 0,
            Err(error) => {
                complain(&format!("[emerg] {error}"));
                1
            }
        },
        (false, _) => {
            complain("[emerg] nginx of a practice host can only be tested and reloaded");
            1
        }
    }
}

/// Has nginx run on a host, with what its configuration names.
pub(super) fn start(stage: &Stage<'_>) -> Result<(), Error> {
    let conf = stage.root.join(CONF);
    let failed = |text: String| Error::Write { path: conf.clone(), source: io::Error::other(text) };
    let sites = load(&stage.root, &conf).map_err(failed)?;
    start_with(stage, &sites)
}

/// Has nginx run on a host, with something else than its configuration names by now.
pub(super) fn start_with(stage: &Stage<'_>, sites: &[Loaded]) -> Result<(), Error> {
    stage.shared_file(PID, 0o644, &format!("{NO_PROCESS}\n"))?;
    let process = |file: &str| format!("proc/{NO_PROCESS}/{file}");
    stage.shared_file(&process("comm"), 0o644, "nginx\n")?;
    // By its bare name: the one that is first in the host's PATH.
    stage.shared_file(&process("cmdline"), 0o644, "nginx: master process nginx")?;
    if stage.root.join("run/systemd/system").exists() {
        stage.shared_file(&process("cgroup"), 0o644, "0::/system.slice/nginx.service\n")?;
    }
    load_at(&stage.root, sites)
}

/// Has something that answers for no host serve these.
pub(super) fn load_at(root: &Path, sites: &[Loaded]) -> Result<(), Error> {
    loaded::write(root, sites).map_err(|source| Error::Write { path: root.to_owned(), source })
}

/// Writes the configuration that includes that of every site.
pub(super) fn configure(stage: &Stage<'_>) -> Result<(), Error> {
    stage.shared_file(CONF, 0o644, MAIN)
}

/// Writes the configuration of a site; paths are those below the root of its host.
pub(super) fn add_site(
    stage: &Stage<'_>,
    file: &str,
    names: &[String],
    port: u16,
    [certificate, key]: &[String; 2],
) -> Result<(), Error> {
    let root = stage.root.display();
    let mut text = format!("server {{\n    listen {port} ssl;\n    listen [::]:{port} ssl;\n");
    let _ = write!(
        text,
        "    server_name {};\n    ssl_certificate {root}/{certificate};\n    ssl_certificate_key \
         {root}/{key};\n    root /var/www/html;\n}}\n",
        names.join(" ")
    );
    stage.file(&format!("{SITES}/{file}.conf"), 0o644, text)
}

/// Loads everything that a configuration names, or says what is wrong.
fn load(root: &Path, conf: &Path) -> Result<Vec<Loaded>, String> {
    let sites = conf::read(root, conf)?;
    sites.into_iter().map(|site| load_site(root, site)).collect()
}

fn load_site(root: &Path, site: conf::Site) -> Result<Loaded, String> {
    let mut pems = Vec::new();
    for (certificate, key) in &site.pairs {
        let read = |what: &str, path: &str| {
            stage::read(&below(root, path)).map_err(|error| {
                let why = match error.kind() {
                    io::ErrorKind::PermissionDenied => "Permission denied",
                    _ => "No such file or directory",
                };
                format!(
                    "cannot load {what} \"{path}\": BIO_new_file() failed (SSL: error:80000002:system \
                     library::{why}:calling fopen({path}, r) error:10000080:BIO routines::no such \
                     file)"
                )
            })
        };
        let (chain, private) = (read("certificate", certificate)?, read("certificate key", key)?);
        loaded::pair(&chain, &private).map_err(|it| match it {
            Unloaded::NoCertificate => format!(
                "cannot load certificate \"{certificate}\": PEM_read_bio_X509_AUX() failed (SSL: \
                 error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)"
            ),
            Unloaded::NoKey => format!(
                "cannot load certificate key \"{key}\": PEM_read_bio_PrivateKey() failed (SSL: \
                 error:0480006C:PEM routines::no start line:Expecting: ANY PRIVATE KEY)"
            ),
            Unloaded::Mismatch => format!(
                "SSL_CTX_use_PrivateKey(\"{key}\") failed (SSL: error:05800074:x509 certificate \
                 routines::key values mismatch)"
            ),
        })?;
        // A file may hold both, as haproxy has it.
        pems.push(if certificate == key { chain } else { format!("{chain}{private}") });
    }
    Ok(Loaded { names: site.names, ports: site.ports, pems })
}

/// The root, if it is that of a practice host: nothing else is ever written to.
fn practice_host(root: &Path) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    let hosts = root.parent()?;
    let fleet = hosts.parent()?.file_name()?.to_str()?;
    (hosts.ends_with(HOSTS) && fleet.starts_with(PREFIX)).then_some(root)
}

fn complain(text: &str) {
    // Nobody is left to tell if it is closed.
    drop(writeln!(io::stderr(), "nginx: {text}"));
}

const CONF: &str = "etc/nginx/nginx.conf";
const SITES: &str = "etc/nginx/sites-enabled";
const PID: &str = "run/nginx.pid";

/// More than Linux ever gives to a process (`PID_MAX_LIMIT`, 2^22): whoever signals it hits none.
const NO_PROCESS: u32 = 4_194_999;

const MAIN: &str = "user www-data;
worker_processes auto;
pid /run/nginx.pid;

events {
    worker_connections 768;
}

http {
    sendfile on;
    access_log /var/log/nginx/access.log;
    error_log /var/log/nginx/error.log;
    include sites-enabled/*;
}
";
