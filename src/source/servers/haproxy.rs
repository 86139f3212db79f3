//! haproxy's configuration (configuration manual, sections 2.2, 3.1, 3.11 and 5.1): what its
//! `bind` lines load. haproxy takes the names of a certificate for those of a site.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;

use super::files::{At, Files, folder, from};
use super::{Program, Told};
use crate::fleet::{KeyKind, Listen, Load, Loaded, Site};
use crate::text::SafeText;

pub(super) const PROGRAM: Program = Program { name: "haproxy", read };

fn read(files: &mut Files<'_>, told: &Told) -> Vec<Site> {
    let mut reader = Reader {
        files,
        section: Section::Other,
        bases: Bases::default(),
        stores: Vec::new(),
        sites: Vec::new(),
    };
    // A store may stand after what loads from it.
    for is_first in [true, false] {
        reader.section = Section::Other;
        reader.bases = Bases::default();
        for root in &told.roots {
            let Some(text) = reader.files.text(&root.path) else { continue };
            reader.bases.file.clone_from(&root.base);
            for (at, words) in lines(&root.path, &text) {
                reader.line(is_first, &at, &words);
            }
        }
    }
    reader.sites
}

/// Gives sites without names those of the certificate, by which haproxy chooses. Two with the same
/// names and other kinds of keys are one site.
pub(super) fn name_sites(sites: &mut Vec<Site>, loaded: &[Loaded]) {
    let leaf = |site: &Site| {
        let load = site.loads.first()?;
        let at = loaded.binary_search_by(|it| it.path.cmp(&load.certificate)).ok()?;
        Some(Arc::clone(&loaded.get(at)?.chain.as_ref().ok()?.leaf))
    };
    let mut named: BTreeMap<Vec<SafeText>, Vec<(usize, KeyKind)>> = BTreeMap::new();
    let mut all: Vec<Site> = Vec::new();
    for mut site in sites.drain(..) {
        let Some(leaf) = leaf(&site) else {
            all.push(site);
            continue;
        };
        if site.names.is_empty() {
            site.names.clone_from(&leaf.names);
        }
        let same = named.entry(site.names.clone()).or_default();
        let is_pair = |(at, key): &&(usize, KeyKind)| {
            discriminant(key) != discriminant(&leaf.key)
                && all.get(*at).is_some_and(|it| it.listens == site.listens)
        };
        if let Some(pair) = same.iter().find(is_pair).and_then(|it| all.get_mut(it.0)) {
            pair.loads.append(&mut site.loads);
        } else {
            same.push((all.len(), leaf.key));
            all.push(site);
        }
    }
    *sites = all;
}

struct Reader<'r, 'a> {
    files: &'r mut Files<'a>,
    section: Section,
    bases: Bases,
    stores: Vec<Stored>,
    sites: Vec<Site>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Section {
    Other,
    /// A frontend, or both in one.
    Front,
    /// Certificates with names of their own: `@STORE/NAME`.
    Store {
        name: String,
        crt: Option<String>,
        key: Option<String>,
    },
}

/// Where paths begin that do not begin at the root.
#[derive(Debug, Default)]
struct Bases {
    /// Where haproxy was started.
    file: String,
    crt: Option<String>,
    key: Option<String>,
}

/// A certificate of a store.
#[derive(Debug)]
struct Stored {
    name: String,
    load: Load,
}

/// The addresses of a `bind` line, and those of them that want the PROXY protocol first.
#[derive(Clone)]
struct Bind {
    listens: Vec<Listen>,
    proxied: Vec<Listen>,
}

impl Reader<'_, '_> {
    fn line(&mut self, is_first: bool, at: &At, words: &[String]) {
        let Some((first, args)) = words.split_first() else { return };
        match (first.as_str(), &mut self.section) {
            ("frontend" | "listen", _) => self.section = Section::Front,
            ("crt-store", _) => {
                let name = args.first().cloned().unwrap_or_default();
                self.section = Section::Store { name, crt: None, key: None };
            }
            (other, _) if SECTIONS.contains(&other) => self.section = Section::Other,
            ("crt-base", Section::Store { crt, .. }) => *crt = args.first().cloned(),
            ("key-base", Section::Store { key, .. }) => *key = args.first().cloned(),
            ("crt-base", _) => self.bases.crt = args.first().cloned(),
            ("key-base", _) => self.bases.key = args.first().cloned(),
            ("default-path", _) => match args {
                [kind, ..] if kind == "config" => folder(&at.file).clone_into(&mut self.bases.file),
                [kind, path, ..] if kind == "origin" => self.bases.file.clone_from(path),
                _ => {}
            },
            ("load", Section::Store { name, crt, key }) if is_first => {
                let value = |word| after(args, word);
                let Some(path) = value("crt").filter(|it| is_file(it)) else { return };
                let crt = crt.as_ref().or(self.bases.crt.as_ref()).unwrap_or(&self.bases.file);
                let keys = key.as_ref().or(self.bases.key.as_ref()).unwrap_or(&self.bases.file);
                let key = value("key").filter(|it| is_file(it)).map(|it| from(keys, it));
                let name = match value("alias") {
                    Some(alias) => format!("@{name}/{alias}"),
                    None => format!("@{name}/{path}"),
                };
                if self.stores.len() < MAX_ENTRIES {
                    let load = at.load(&from(crt, path), key.as_deref());
                    self.stores.push(Stored { name, load });
                }
            }
            ("bind", Section::Front) if !is_first => self.bind(at, args),
            _ => {}
        }
    }

    fn bind(&mut self, at: &At, args: &[String]) {
        let Some((addresses, params)) = args.split_first() else { return };
        if !params.iter().any(|it| it == "ssl") {
            return;
        }
        let listens: Vec<_> = addresses.split(',').flat_map(listens).take(MAX_LISTENS).collect();
        let is_proxied = params.iter().any(|it| it == "accept-proxy");
        let bind = Bind { proxied: if is_proxied { listens.clone() } else { Vec::new() }, listens };
        for pair in params.windows(2) {
            let [option, path] = pair else { continue };
            match option.as_str() {
                "crt" | "default-crt" => {
                    for loads in self.certificates(at, path) {
                        self.site(&bind, Vec::new(), loads);
                    }
                }
                "crt-list" => self.list(&bind, &from(&self.bases.file, path)),
                _ => {}
            }
        }
    }

    /// What one `crt` loads, certificate by certificate, each with its files for several kinds
    /// of keys.
    fn certificates(&mut self, at: &At, path: &str) -> Vec<Vec<Load>> {
        if path.starts_with('@') {
            let load = self.stores.iter().find(|it| it.name == path).map(|it| it.load.clone());
            return load.into_iter().map(|it| vec![it]).collect();
        }
        if !is_file(path) {
            return Vec::new();
        }
        let path = from(self.bases.crt.as_ref().unwrap_or(&self.bases.file), path);
        if !self.files.is_known(&path) {
            return Vec::new();
        }
        let Some(files) = self.files.instead(&path) else {
            return vec![vec![at.load(&path, None)]];
        };
        let mut all: Vec<(&str, Vec<Load>)> = Vec::new();
        for file in files {
            let name = KINDS.iter().find_map(|it| file.strip_suffix(it)).unwrap_or(file);
            let load = at.load(file, None);
            match all.last_mut().filter(|it| it.0 == name) {
                Some(last) => last.1.push(load),
                None => all.push((name, vec![load])),
            }
        }
        all.into_iter().map(|it| it.1).collect()
    }

    /// A list of certificates: `PATH [OPTIONS] NAME…` on each line.
    fn list(&mut self, bind: &Bind, path: &str) {
        if !is_file(path) {
            return;
        }
        let Some(text) = self.files.text(path) else { return };
        for (at, words) in lines(path, &text) {
            let Some((first, rest)) = words.split_first() else { continue };
            let mut is_option = false;
            let mut names = Vec::new();
            for word in rest {
                is_option |= word.starts_with('[');
                if !is_option && !word.starts_with('!') && word != "*" {
                    names.push(SafeText::new(word));
                }
                is_option &= !word.ends_with(']');
            }
            let first = first.split('[').next().unwrap_or_default();
            for loads in self.certificates(&at, first) {
                self.site(bind, names.clone(), loads);
            }
        }
    }

    /// Adds a site; the same on another address is the same site.
    fn site(&mut self, bind: &Bind, names: Vec<SafeText>, loads: Vec<Load>) {
        let is_same = |it: &&mut Site| {
            let files =
                |all: &[Load]| all.iter().map(|it| it.certificate.clone()).collect::<Vec<_>>();
            it.names == names && files(&it.loads) == files(&loads)
        };
        if let Some(site) = self.sites.iter_mut().rev().take(MAX_ENTRIES).find(is_same) {
            for (all, new) in
                [(&mut site.listens, &bind.listens), (&mut site.proxied, &bind.proxied)]
            {
                let new: Vec<_> = new.iter().filter(|it| !all.contains(it)).collect();
                all.extend(new);
            }
        } else if self.sites.len() < MAX_ENTRIES {
            let Bind { listens, proxied } = bind.clone();
            self.sites.push(Site { names, listens, proxied, loads });
        }
    }
}

/// The files that haproxy loads as one, in the order in which it looks for them.
const KINDS: [&str; 3] = [".rsa", ".dsa", ".ecdsa"];

/// More than is read of a host.
const MAX_ENTRIES: usize = 2000;

/// Ranges of ports may be long.
const MAX_LISTENS: usize = 64;

/// Every other section, so that one ends where the next begins.
const SECTIONS: [&str; 16] = [
    "acme",
    "backend",
    "cache",
    "defaults",
    "fcgi-app",
    "global",
    "http-errors",
    "log-forward",
    "log-profile",
    "mailers",
    "peers",
    "program",
    "resolvers",
    "ring",
    "traces",
    "userlist",
];

fn after<'w>(words: &'w [String], name: &str) -> Option<&'w str> {
    let at = words.iter().position(|it| it == name)?;
    words.get(at + 1).map(String::as_str)
}

/// What is in the environment of haproxy is not known.
fn is_file(path: &str) -> bool {
    !path.is_empty() && !path.contains('$')
}

/// `:443`, `*:443`, `192.0.2.1:443`, `[::]:443`, `:::443`, `ipv6@:443`, `:8000-8010`. Sockets
/// that have no TCP port are none.
fn listens(text: &str) -> Vec<Listen> {
    let (text, is_v6) = match text.split_once('@') {
        Some(("ipv4" | "tcp4" | "tcp", rest)) => (rest, false),
        Some(("ipv6" | "tcp6", rest)) => (rest, true),
        Some(_) => return Vec::new(),
        None => (text, false),
    };
    let Some((host, ports)) = text.rsplit_once(':') else { return Vec::new() };
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let any = || if is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let address: IpAddr = match host {
        "" | "*" => any(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => match host.parse() {
            Ok(address) => address,
            Err(_) => return Vec::new(),
        },
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        return Vec::new();
    };
    (first..=last).take(MAX_LISTENS).map(|port| Listen { address, port }).collect()
}

/// The words of every line that has some.
fn lines<'t>(path: &str, text: &'t str) -> impl Iterator<Item = (At, Vec<String>)> + 't {
    let file: Rc<str> = path.into();
    text.lines().zip(1..).filter_map(move |(text, line)| {
        let words = words(text);
        (!words.is_empty()).then(|| (At { file: Rc::clone(&file), line }, words))
    })
}

/// Section 2.2: quotes of both kinds, backslashes, comments.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(next) = chars.next() {
        match (next, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(chars.next()),
            ('"' | '\'', None) => {
                quote = Some(next);
                word.get_or_insert_default();
            }
            (_, Some(open)) if open == next => quote = None,
            ('#', None) => break,
            (' ' | '\t' | '\r', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(next),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let all: Vec<_> =
            listens(text).iter().map(|it| format!("{} {}", it.address, it.port)).collect();
        assert_eq!(all.join(", "), expect);
    }

    #[test]
    fn addresses_of_bind() {
        check(":443", "0.0.0.0 443");
        check("*:443", "0.0.0.0 443");
        check("192.0.2.1:8443", "192.0.2.1 8443");
        check("[2001:db8::1]:443", "2001:db8::1 443");
        check(":::443", ":: 443");
        check("ipv6@:443", ":: 443");
        check("ipv4@192.0.2.1:443", "192.0.2.1 443");
        check(":8000-8002", "0.0.0.0 8000, 0.0.0.0 8001, 0.0.0.0 8002");
        check("quic4@:443", "");
        check("/run/haproxy.sock", "");
        check("unix@/run/x:1", "");
        check("\"${HOST}\":443", "");
    }

    #[test]
    fn words_are_quoted_as_haproxy_has_them() {
        let all = words(r#"bind  :443 ssl crt "/a b" crt /c\ d '#x' "" # rest"#);
        assert_eq!(all, ["bind", ":443", "ssl", "crt", "/a b", "crt", "/c d", "#x", ""]);
    }

    fn sites(text: &str) -> Vec<String> {
        let files = [("/etc/haproxy/haproxy.cfg", text), ("/etc/haproxy/list", LIST)];
        let (sites, problems) = sample::read(&PROGRAM, "/run", &[], &files);
        assert_eq!(problems, []);
        sites
    }

    const LIST: &str = "# comment\n/a.pem [alpn h2 ocsp-update on] *.a.test !b.a.test\nb.pem\n";

    #[test]
    fn the_file_of_the_package_serves_nothing() {
        let text = include_str!("../../../tests/fixtures/servers/haproxy-2.6.12-debian12.cfg");
        assert_eq!(sites(text), [""; 0]);
    }

    #[test]
    fn who_wants_the_proxy_protocol_is_not_asked_alone() {
        let text = "frontend x\n bind :1 ssl crt /a accept-proxy\n bind :2 ssl crt /a";
        assert_eq!(sample::doors(&PROGRAM, text), [2]);
    }

    #[test]
    fn what_a_bind_line_loads() {
        let text = "frontend x\n bind :1 ssl crt a.pem\nglobal\n crt-base /base\n\
                    backend z\n bind :9 ssl crt /never\n\
                    listen y\n bind :2 ssl crt a.pem\n bind [::]:2 ssl crt a.pem\n bind :3 crt /x\n\
                    \x20bind :4 ssl crt-list /etc/haproxy/list";
        let expect = [
            " | 0.0.0.0:1 | /run/a.pem",
            " | 0.0.0.0:2 :::2 | /base/a.pem",
            "*.a.test | 0.0.0.0:4 | /a.pem",
            " | 0.0.0.0:4 | /base/b.pem",
        ];
        assert_eq!(sites(text), expect);
        let text = "global\n default-path config\nlisten y\n bind :2 ssl crt a.pem";
        assert_eq!(sites(text), [" | 0.0.0.0:2 | /etc/haproxy/a.pem"]);
    }

    /// Configuration manual of 3.0, section 3.11.
    #[test]
    fn certificates_of_a_store_are_found() {
        let text = "frontend x\n bind :1 ssl crt @web/site1 crt @web/b.pem crt @web/none\n\
                    crt-store web\n crt-base /crts\n key-base /keys\n\
                    load crt \"a.pem\" key \"a.key\" alias \"site1\"\n load crt b.pem\n";
        let expect = [" | 0.0.0.0:1 | /crts/a.pem+/keys/a.key", " | 0.0.0.0:1 | /crts/b.pem"];
        assert_eq!(sites(text), expect);
    }
}
