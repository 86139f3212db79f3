//! Servers as actions use them: which of them load the files of a place, how their configuration
//! is tested, how they are told to load it again, and where it is then seen that they did.

use super::certbot::is_exact;
use super::plan::Command;
use super::{Offer, Refusal, Target, Why};
use crate::fleet::{Certificate, Host, Load, Place, Server, Site, Vantage};
use crate::inventory::{Endpoint, StartTls};
use crate::text::SafeText;

/// A server with what it loads of a place.
#[derive(Debug, Clone)]
pub(super) struct Serving<'a> {
    pub(super) server: &'a Server,
    /// The sites that load files of the place, each with the first of these; all sites where it
    /// is not about a place.
    pub(super) sites: Vec<(&'a Site, &'a Load)>,
}

/// Every server of a host that loads files of the place: by their path, or because what lies in
/// them is a version of it, as in a copy that a hook made.
pub(super) fn loading<'a>(host: &'a Host, place: &Place) -> Vec<Serving<'a>> {
    let servings = host
        .servers
        .iter()
        .map(|server| Serving { server, sites: sites(server, |load| is_of(host, place, load)) });
    servings.filter(|it| !it.sites.is_empty()).collect()
}

/// A server with everything that it loads.
fn whole(server: &Server) -> Serving<'_> {
    Serving { server, sites: sites(server, |_| true) }
}

fn sites(server: &Server, is_wanted: impl Fn(&Load) -> bool) -> Vec<(&Site, &Load)> {
    let sites = server.sites.iter();
    sites.filter_map(|site| Some((site, site.loads.iter().find(|it| is_wanted(it))?))).collect()
}

fn is_of(host: &Host, place: &Place, load: &Load) -> bool {
    if place.has_file(load.certificate.as_str()) {
        return true;
    }
    let Some(loaded) = host.loaded.iter().find(|it| it.path == load.certificate) else {
        return false;
    };
    let Ok(chain) = &loaded.chain else { return false };
    let kept = place.versions.iter().filter_map(|it| it.certificate.as_deref());
    let disk = place.layers.disk.iter().map(|it| &*it.chain.leaf);
    kept.chain(disk).any(|it| it.sha256 == chain.leaf.sha256)
}

/// The servers that were chosen by their kind or unit; without a choice, those that load the
/// files of the place, or the only one of the host.
pub(super) fn choose<'a>(
    target: &'a Target<'a>,
    wanted: Option<&str>,
) -> Result<Vec<Serving<'a>>, Refusal> {
    let host = target.host;
    let of_place = target.place.map(|it| loading(host, it));
    let is_it = |it: &Server| {
        let names = names(it);
        wanted.is_none_or(|wanted| names.iter().any(|it| it.as_str() == wanted))
    };
    let mut found: Vec<_> =
        of_place.iter().flatten().filter(|it| is_it(it.server)).cloned().collect();
    if found.is_empty() && (wanted.is_some() || of_place.is_none()) {
        found = host.servers.iter().filter(|it| is_it(it)).map(whole).collect();
    }
    let known = known(host);
    match (found.len(), wanted, target.place) {
        (0, Some(wanted), _) => {
            let text = format!("no server `{}` is known on {}", SafeText::new(wanted), host.name);
            Err(Refusal::new(Why::BadRequest, text).hint(known))
        }
        (0, None, Some(place)) => {
            let text =
                format!("no server on {} is known to load the files of {}", host.name, place.name);
            Err(Refusal::new(Why::Unknown, text).hint(known))
        }
        (0, None, None) => {
            let text = format!("no server that serves TLS is known on {}", host.name);
            Err(Refusal::new(Why::Unknown, text).hint(known))
        }
        (2.., None, None) => {
            let text = format!("{} has several servers", host.name);
            Err(Refusal::new(Why::BadRequest, text).hint(known))
        }
        _ => Ok(found),
    }
}

/// What can be chosen on a host, as a hint.
fn known(host: &Host) -> String {
    let mut all: Vec<&str> = host.servers.iter().map(|it| it.kind).collect();
    all.dedup();
    match all.as_slice() {
        [] => "`--server UNIT.service` reloads a unit of systemd".to_owned(),
        all => format!("choose with --server: {}, or a unit of systemd", all.join(", ")),
    }
}

/// By what a server can be chosen.
fn names(server: &Server) -> Vec<String> {
    let unit = server.unit.iter().map(SafeText::as_str);
    let short = unit.clone().filter_map(|it| it.strip_suffix(".service"));
    [server.kind].into_iter().chain(unit).chain(short).map(str::to_owned).collect()
}

pub(super) fn offers(target: &Target<'_>) -> Vec<Offer> {
    let own = target.place.map(|it| loading(target.host, it)).unwrap_or_default();
    let mut offers: Vec<Offer> = Vec::new();
    for serving in own.iter().cloned().chain(target.host.servers.iter().map(whole)) {
        let kind = serving.server.kind;
        if offers.iter().all(|it| it.value != kind) {
            let about = match serving.sites.first() {
                Some((_, load)) => format!("loads {} ({})", load.certificate, load.told_at),
                None => format!("its configuration is {}", serving.server.conf),
            };
            offers.push(Offer::new(kind, about));
        }
    }
    offers
}

/// The commands that test the configuration of every one of these, and then those that tell every
/// one to load it, with what they do, line by line.
pub(super) fn reload(servings: &[Serving<'_>]) -> Result<(Vec<Command>, Vec<String>), Refusal> {
    let mut commands = Vec::new();
    let mut effect = Vec::new();
    for it in servings {
        let server = Exact::of(it.server)?;
        commands.push(server.test());
        effect.push(format!(
            "{} tests its configuration ({}); if that fails, nothing is reloaded",
            server.kind, server.conf
        ));
    }
    for it in servings {
        let server = Exact::of(it.server)?;
        let (command, how) = server.reload()?;
        commands.push(command);
        effect.push(how);
        if let Some((_, load)) = it.sites.first() {
            effect.push(format!("it loads {} ({})", load.certificate, load.told_at));
        }
    }
    Ok((commands, effect))
}

/// What makes the servers of a place load it once its files are changed.
#[derive(Debug, Default)]
pub(super) struct Afterwards {
    pub(super) commands: Vec<Command>,
    pub(super) effect: Vec<String>,
    /// Where it is seen that they did.
    pub(super) endpoints: Vec<Endpoint>,
}

/// The reload that belongs to a change of a place's files. Where a server cannot be reloaded, that
/// is said and nothing else. `leaf` is what will be on disk then.
pub(super) fn afterwards(target: &Target<'_>, leaf: &Certificate) -> Afterwards {
    let servings = target.place.map(|it| loading(target.host, it)).unwrap_or_default();
    match reload(&servings) {
        Ok((commands, effect)) => {
            let endpoints = endpoints(target, &servings, Some(leaf));
            Afterwards { commands, effect, endpoints }
        }
        Err(refusal) => {
            let effect = vec![format!("no reload: {}", refusal.text)];
            Afterwards { effect, ..Afterwards::default() }
        }
    }
}

/// The command that tests the configuration of a server, and changes nothing.
///
/// # Errors
/// Where the server was started with what cannot be given on.
pub fn test(server: &Server) -> Result<Command, Refusal> {
    Ok(Exact::of(server)?.test())
}

/// The servers of a host that have that kind or unit, or all of them.
pub(super) fn named<'a>(host: &'a Host, wanted: Option<&str>) -> Vec<Serving<'a>> {
    let is_it = |it: &&Server| {
        let names = names(it);
        wanted.is_none_or(|wanted| names.iter().any(|it| it.as_str() == wanted))
    };
    host.servers.iter().filter(is_it).map(whole).collect()
}

/// A unit of systemd of which nothing else is known.
pub(super) fn unit(name: &str) -> Option<Command> {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-@:".contains(it);
    let is_unit = name.ends_with(".service") && !name.starts_with(['-', '.']);
    (is_unit && name.chars().all(is_plain) && name.len() < 256)
        .then(|| run(&["systemctl", "reload", name]))
}

/// A server, letter by letter as it is on its host.
#[derive(Debug)]
struct Exact<'a> {
    kind: &'static str,
    conf: &'a str,
    program: &'a str,
    args: Vec<&'a str>,
    pid: Option<u32>,
    unit: Option<&'a str>,
}

impl<'a> Exact<'a> {
    fn of(server: &'a Server) -> Result<Self, Refusal> {
        let texts = server.args.iter().chain([&server.conf]).chain(&server.program);
        if let Some(odd) = texts.into_iter().find(|it| !is_exact(it)) {
            let text =
                format!("{} was started with `{odd}`, which cannot be given on", server.kind);
            return Err(Refusal::new(Why::Unknown, text).hint("reload it on the host itself"));
        }
        // A server that somebody started in a login or from another service is in the unit of that.
        let is_own = |unit: &&str| {
            let names: &[&str] = match server.kind {
                "nginx" => &["nginx", "openresty", "angie"],
                "apache" => &["apache", "httpd"],
                kind => &[kind],
            };
            names.iter().any(|it| unit.contains(it))
        };
        Ok(Self {
            kind: server.kind,
            conf: server.conf.as_str(),
            program: server.program.as_ref().map_or(server.kind, SafeText::as_str),
            args: server.args.iter().map(SafeText::as_str).collect(),
            pid: server.pid,
            unit: server.unit.as_ref().map(SafeText::as_str).filter(is_own),
        })
    }

    /// The command that reads the configuration as the server would, and says what is wrong.
    fn test(&self) -> Command {
        match self.kind {
            "apache" => self.apachectl(&["-t"]),
            "haproxy" => {
                let mut argv = vec![self.program.to_owned(), "-c".to_owned()];
                argv.extend(self.haproxy_files());
                Command { argv, env: Vec::new() }
            }
            _ => self.nginx(&["-t"]),
        }
    }

    /// The command that makes it load its configuration and files again, and what it is.
    fn reload(&self) -> Result<(Command, String), Refusal> {
        if let Some(unit) = self.unit {
            let how = format!("{unit} is reloaded: connections stay, workers are replaced");
            return Ok((run(&["systemctl", "reload", unit]), how));
        }
        let kind = self.kind;
        match (kind, self.pid) {
            ("apache", _) => {
                let how = "apache is reloaded (graceful): connections stay".to_owned();
                Ok((self.apachectl(&["-k", "graceful"]), how))
            }
            // The master of `-W` and `-Ws` reads its configuration again on SIGUSR2 (haproxy 2.6,
            // management guide, section 4).
            ("haproxy", Some(pid)) if self.args.iter().any(|it| it.starts_with("-W")) => {
                let how = format!("haproxy (process {pid}) is reloaded (USR2): connections stay");
                let argv = ["/bin/sh", "-c", SIGNAL, "haproxy", &pid.to_string()];
                Ok((run(&argv), how))
            }
            // One that is in the background is replaced by another, which takes its sockets.
            ("haproxy", Some(pid)) if self.args.contains(&"-D") => {
                let mut argv: Vec<_> = [self.program].into_iter().chain(self.unstarted()).collect();
                let pid_text = pid.to_string();
                argv.extend(["-sf", &pid_text]);
                let how = format!(
                    "another haproxy takes over from process {pid}, which ends with its connections"
                );
                Ok((run(&argv), how))
            }
            ("haproxy", _) => {
                let text = "haproxy runs without a master process (-W) and without systemd: it cannot be reloaded";
                let hint = "restart it where it is started from";
                Err(Refusal::new(Why::Pointless, text).hint(hint))
            }
            _ => {
                let how = format!("{kind} is reloaded: connections stay, workers are replaced");
                Ok((self.nginx(&["-s", "reload"]), how))
            }
        }
    }

    /// nginx with the folders and files that it was started with. It shows its arguments with
    /// spaces between them, so that directives after `-g` are put together again.
    fn nginx(&self, more: &[&str]) -> Command {
        let mut argv = vec![self.program.to_owned()];
        let is_option = |it: &&str| it.starts_with('-') && it.len() <= 2;
        let mut args = self.args.iter().copied().peekable();
        let mut has_conf = false;
        while let Some(word) = args.next() {
            has_conf |= word.starts_with("-c");
            match word {
                "-g" => {
                    let mut all = Vec::new();
                    while let Some(it) = args.next_if(|it| !is_option(it)) {
                        all.push(it);
                    }
                    argv.extend(["-g".to_owned(), all.join(" ")]);
                }
                "-c" | "-e" | "-p" => {
                    argv.push(word.to_owned());
                    argv.extend(args.next().map(str::to_owned));
                }
                word if ["-c", "-e", "-g", "-p"].iter().any(|it| word.starts_with(it)) => {
                    argv.push(word.to_owned());
                }
                _ => {}
            }
        }
        // Of a process nobody knows the arguments; its configuration was told.
        if self.pid.is_none() && !has_conf && !self.conf.is_empty() {
            argv.extend(["-c".to_owned(), self.conf.to_owned()]);
        }
        argv.extend(more.iter().map(|it| (*it).to_owned()));
        Command { argv, env: Vec::new() }
    }

    /// Apache through the script that knows its environment, if there is one.
    fn apachectl(&self, more: &[&str]) -> Command {
        let mut argv: Vec<_> = ["/bin/sh", "-c", APACHECTL, self.program].map(str::to_owned).into();
        let mut args = self.args.iter().copied();
        while let Some(word) = args.next() {
            match word {
                "-C" | "-c" | "-d" | "-f" => {
                    argv.push(word.to_owned());
                    argv.extend(args.next().map(str::to_owned));
                }
                "-D" => {
                    let name = args.next().filter(|it| !IS_HOW.contains(it));
                    argv.extend(name.into_iter().flat_map(|it| ["-D".to_owned(), it.to_owned()]));
                }
                "-k" | "-E" | "-e" => drop(args.next()),
                word if word.strip_prefix("-D").is_some_and(|it| !IS_HOW.contains(&it)) => {
                    argv.push(word.to_owned());
                }
                _ => {}
            }
        }
        argv.extend(more.iter().map(|it| (*it).to_owned()));
        Command { argv, env: Vec::new() }
    }

    /// The files of haproxy's configuration, and the folder they are read from.
    fn haproxy_files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut args = self.args.iter().copied();
        while let Some(word) = args.next() {
            if matches!(word, "-f" | "-C") {
                files.push(word.to_owned());
                files.extend(args.next().map(str::to_owned));
            }
        }
        if files.is_empty() {
            files.extend(["-f".to_owned(), self.conf.to_owned()]);
        }
        files
    }

    /// The arguments of haproxy without those that tell which process it replaces.
    fn unstarted(&self) -> Vec<&'a str> {
        let is_replacing = |it: &&&str| matches!(**it, "-sf" | "-st");
        let end = self.args.iter().position(|it| is_replacing(&it)).unwrap_or(self.args.len());
        self.args.get(..end).unwrap_or_default().to_vec()
    }
}

/// What Apache is told of how it runs, and not of its configuration.
const IS_HOW: [&str; 2] = ["FOREGROUND", "NO_DETACH"];

/// Debian and others keep its environment in a file that only this script reads.
const APACHECTL: &str = r#"exec "$(command -v apachectl || echo "$0")" "$@""#;

/// Only as long as the process is the one that was seen.
const SIGNAL: &str = r#"[ "$(cat "/proc/$1/comm")" = "$0" ] && kill -USR2 "$1""#;

fn run(words: &[&str]) -> Command {
    Command { argv: words.iter().map(|it| (*it).to_owned()).collect(), env: Vec::new() }
}

/// Where it is seen on the host that these servers have loaded what is on disk: the endpoints of
/// the inventory that they serve, and what else they listen on.
pub(super) fn endpoints(
    target: &Target<'_>,
    servings: &[Serving<'_>],
    leaf: Option<&Certificate>,
) -> Vec<Endpoint> {
    let is_name = |it: &str| leaf.is_none_or(|leaf| leaf.covers(it)) && !it.contains('*');
    let mut all: Vec<Endpoint> = Vec::new();
    for (site, _) in servings.iter().flat_map(|it| &it.sites) {
        for listen in site.doors() {
            let told = target.told.endpoints.iter().filter(|it| it.port == listen.port);
            let is_of_site = |it: &&Endpoint| {
                site.names.is_empty()
                    || site.names.iter().any(|name| is_served_as(name.as_str(), &it.name))
            };
            let mut told: Vec<_> =
                told.filter(|it| is_name(&it.name)).filter(is_of_site).cloned().collect();
            if told.is_empty() {
                let names = site.names.iter().map(SafeText::as_str);
                let of_leaf = leaf.into_iter().flat_map(|it| &it.names).map(SafeText::as_str);
                let name = names.chain(of_leaf).find(|it| is_name(it) && is_dns(it));
                let address = Some(listen.address).filter(|it| !it.is_unspecified());
                told.extend(name.map(|it| Endpoint {
                    name: it.to_owned(),
                    port: listen.port,
                    starttls: StartTls::None,
                    probe: Vec::new(),
                    listen: address,
                    addresses: Vec::new(),
                }));
            }
            for endpoint in told {
                let it =
                    Endpoint { probe: vec![Vantage::Loopback], addresses: Vec::new(), ..endpoint };
                let is_there = |that: &Endpoint| (&that.name, that.port) == (&it.name, it.port);
                if !all.iter().any(is_there) && all.len() < MOST_ENDPOINTS {
                    all.push(it);
                }
            }
        }
    }
    all
}

/// Whether a server answers to a name with a site of that name.
fn is_served_as(site: &str, name: &str) -> bool {
    let tail = site.strip_prefix('*').filter(|it| it.starts_with('.'));
    site.eq_ignore_ascii_case(name)
        || tail.is_some_and(|it| name.to_ascii_lowercase().ends_with(&it.to_ascii_lowercase()))
}

/// Whether a name can be asked for.
fn is_dns(name: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._".contains(&it);
    name.len() <= 253 && name.contains('.') && name.bytes().all(is_plain)
}

/// So many are looked at to see that a server has loaded something.
const MOST_ENDPOINTS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(kind: &'static str, args: &str, pid: Option<u32>, unit: Option<&str>) -> Server {
        let program = match kind {
            "apache" => "/usr/sbin/apache2",
            "haproxy" => "/usr/sbin/haproxy",
            _ => "/usr/sbin/nginx",
        };
        Server {
            kind,
            conf: SafeText::new("/etc/x.conf"),
            program: Some(SafeText::new(program)),
            args: args.split_whitespace().map(SafeText::new).collect(),
            pid,
            unit: unit.map(SafeText::new),
            read_by: None,
            sites: Vec::new(),
            problems: Vec::new(),
        }
    }

    #[track_caller]
    fn check(server: &Server, expect: &[&str]) {
        let (commands, _) = reload(&[whole(server)]).unwrap();
        assert_eq!(commands.iter().map(Command::line).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn nginx_is_tested_with_its_own_arguments() {
        let debian =
            server("nginx", "-g daemon on; master_process on;", Some(7), Some("nginx.service"));
        check(
            &debian,
            &[
                "/usr/sbin/nginx -g 'daemon on; master_process on;' -t",
                "systemctl reload nginx.service",
            ],
        );
        let own = server(
            "nginx",
            "-p /srv/n -c /srv/n/nginx.conf -e /srv/n/log",
            Some(7),
            Some("ssh.service"),
        );
        check(
            &own,
            &[
                "/usr/sbin/nginx -p /srv/n -c /srv/n/nginx.conf -e /srv/n/log -t",
                "/usr/sbin/nginx -p /srv/n -c /srv/n/nginx.conf -e /srv/n/log -s reload",
            ],
        );
        let told = server("nginx", "", None, None);
        check(
            &told,
            &["/usr/sbin/nginx -c /etc/x.conf -t", "/usr/sbin/nginx -c /etc/x.conf -s reload"],
        );
    }

    #[test]
    fn apache_is_asked_through_its_script() {
        let own = server(
            "apache",
            "-d /srv/a -f /srv/a/a.conf -DFOREGROUND -D SSL -k start",
            Some(7),
            None,
        );
        let (commands, _) = reload(&[whole(&own)]).unwrap();
        let [test, graceful] = &commands[..] else { panic!("{commands:?}") };
        assert_eq!(
            test.argv[3..],
            ["/usr/sbin/apache2", "-d", "/srv/a", "-f", "/srv/a/a.conf", "-D", "SSL", "-t"]
        );
        assert_eq!(graceful.argv[9..], ["SSL", "-k", "graceful"]);
        let httpd = server("apache", "-DFOREGROUND", Some(7), Some("httpd.service"));
        let (commands, _) = reload(&[whole(&httpd)]).unwrap();
        assert_eq!(commands[1].line(), "systemctl reload httpd.service");
    }

    #[test]
    fn haproxy_is_reloaded_as_it_was_started() {
        let master = server("haproxy", "-Ws -f /etc/h.cfg -p /run/h.pid", Some(7), None);
        let (commands, _) = reload(&[whole(&master)]).unwrap();
        assert_eq!(commands[0].line(), "/usr/sbin/haproxy -c -f /etc/h.cfg");
        assert_eq!(commands[1].argv[3..], ["haproxy", "7"]);
        let background = server("haproxy", "-f /etc/h.cfg -D -p /run/h.pid -sf 5", Some(7), None);
        check(
            &background,
            &[
                "/usr/sbin/haproxy -c -f /etc/h.cfg",
                "/usr/sbin/haproxy -f /etc/h.cfg -D -p /run/h.pid -sf 7",
            ],
        );
        let foreground = server("haproxy", "-f /etc/h.cfg -db", Some(7), None);
        assert_eq!(reload(&[whole(&foreground)]).unwrap_err().why, Why::Pointless);
    }

    #[test]
    fn what_cannot_be_given_on_letter_by_letter_is_not() {
        let odd = server("nginx", "-c /etc/\u{202e}x", Some(7), None);
        assert_eq!(reload(&[whole(&odd)]).unwrap_err().why, Why::Unknown);
        for wrong in ["nginx", "-x.service", "a b.service", "$(reboot).service", ".service"] {
            assert!(unit(wrong).is_none(), "{wrong}");
        }
        assert_eq!(unit("postfix.service").unwrap().line(), "systemctl reload postfix.service");
    }
}
