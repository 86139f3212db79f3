//! Apache's configuration: <https://httpd.apache.org/docs/2.4/configuring.html> and
//! <https://httpd.apache.org/docs/2.4/mod/mod_ssl.html>. Macros are not expanded.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::files::{At, Files, folder, from};
use super::{Program, Told};
use crate::fleet::{Listen, Load, Site};
use crate::text::SafeText;

pub(super) const PROGRAM: Program = Program { name: "apache", read };

fn read(files: &mut Files<'_>, told: &Told) -> Vec<Site> {
    let mut sites = Vec::new();
    for root in &told.roots {
        let mut reader = Reader::new(files, &root.base);
        reader.defined_by(&told.args);
        reader.environment(&format!("{}/envvars", folder(&root.path)));
        reader.file(&root.path, 0);
        sites.extend(reader.sites());
    }
    sites
}

struct Reader<'r, 'a> {
    files: &'r mut Files<'a>,
    base: String,
    variables: HashMap<String, String>,
    modules: BTreeSet<String>,
    listens: BTreeSet<Listen>,
    /// The server outside of every virtual host.
    main: Host,
    hosts: Vec<Host>,
    /// The virtual host whose lines are read.
    open: Option<Host>,
    /// Whether the lines count, for each `<If…>` around them.
    conditions: Vec<bool>,
    lines_left: usize,
}

/// A virtual host, as far as TLS goes.
#[derive(Debug, Default)]
struct Host {
    addresses: Vec<String>,
    names: Vec<SafeText>,
    is_on: Option<bool>,
    certificates: Vec<(At, String)>,
    keys: Vec<String>,
    chain: Option<String>,
}

impl<'r, 'a> Reader<'r, 'a> {
    fn new(files: &'r mut Files<'a>, base: &str) -> Self {
        Self {
            files,
            base: base.to_owned(),
            variables: HashMap::new(),
            modules: BTreeSet::new(),
            listens: BTreeSet::new(),
            main: Host::default(),
            hosts: Vec::new(),
            open: None,
            conditions: Vec::new(),
            lines_left: MAX_LINES,
        }
    }

    /// `-D NAME` defines a name without a value.
    fn defined_by(&mut self, args: &[String]) {
        let mut is_name = false;
        for arg in args {
            if is_name {
                self.variables.insert(arg.clone(), String::new());
            } else if let Some(name) = arg.strip_prefix("-D").filter(|it| !it.is_empty()) {
                self.variables.insert(name.to_owned(), String::new());
            }
            is_name = arg == "-D";
        }
    }

    /// Debian's `apachectl` takes variables from there.
    fn environment(&mut self, path: &str) {
        if !self.files.has(path) {
            return;
        }
        let text = self.files.text(path).unwrap_or_default();
        for line in text.lines() {
            let Some(rest) = line.trim_start().strip_prefix("export ") else { continue };
            let Some((name, value)) = rest.trim().split_once('=') else { continue };
            let value = value.replace(['"', '\''], "").replace("${SUFFIX}", "");
            let value = value.replace("$SUFFIX", "");
            self.variables.entry(name.to_owned()).or_insert(value);
        }
    }

    fn file(&mut self, path: &str, depth: usize) {
        let Some(text) = self.files.enter(path) else { return };
        let file: Rc<str> = path.into();
        let mut lines = text.lines().zip(1..);
        while let Some((first, line)) = lines.next() {
            let Some(left) = self.lines_left.checked_sub(1) else { break };
            self.lines_left = left;
            let mut whole = first.trim_end_matches('\r').to_owned();
            while whole.ends_with('\\') {
                whole.pop();
                let Some((next, _)) = lines.next() else { break };
                whole.push_str(next.trim_end_matches('\r'));
            }
            let at = At { file: Rc::clone(&file), line };
            self.line(&at, whole.trim(), depth);
        }
        self.files.leave();
    }

    fn line(&mut self, at: &At, line: &str, depth: usize) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        if let Some(section) = line.strip_prefix('<') {
            return self.section(section.trim_end_matches('>'));
        }
        if self.conditions.contains(&false) {
            return;
        }
        let mut words = words(line).into_iter();
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let args: Vec<_> = words.map(|it| self.expanded(&it)).collect();
        let Some(value) = args.first() else { return };
        match name.as_str() {
            "include" | "includeoptional" if depth < MAX_DEPTH => {
                let pattern = from(&self.base, value);
                for path in self.files.fitting(&pattern, name == "include") {
                    self.file(&path, depth + 1);
                }
            }
            "define" => {
                let text = args.get(1).cloned().unwrap_or_default();
                self.variables.insert(value.clone(), text);
            }
            "undefine" => drop(self.variables.remove(value)),
            "listen" => self.listens.extend(listen(value)),
            "loadmodule" => drop(self.modules.insert(value.clone())),
            "serverroot" => value.trim_end_matches('/').clone_into(&mut self.base),
            _ => self.directive(at, &name, &args),
        }
    }

    /// A directive of a server.
    fn directive(&mut self, at: &At, name: &str, args: &[String]) {
        let base = &self.base;
        let host = self.open.as_mut().unwrap_or(&mut self.main);
        let path = args.first().filter(|it| is_file(it)).map(|it| from(base, it));
        match name {
            "servername" | "serveralias" => {
                let names = args.iter().map(|it| bare_name(it)).filter(|it| is_name(it));
                let room = MAX_NAMES.saturating_sub(host.names.len());
                host.names.extend(names.take(room).map(SafeText::new));
            }
            "sslengine" => {
                host.is_on = args.first().map(|it| it.eq_ignore_ascii_case("on"));
            }
            "sslcertificatefile" => host.certificates.extend(path.map(|it| (at.clone(), it))),
            "sslcertificatekeyfile" => host.keys.extend(path),
            "sslcertificatechainfile" => host.chain = path,
            _ => {}
        }
    }

    /// The beginning or the end of a section, without its brackets.
    fn section(&mut self, text: &str) {
        let words = words(text);
        let Some((name, args)) = words.split_first() else { return };
        let is_counted = !self.conditions.contains(&false);
        let negated = |it: &str| match it.strip_prefix('!') {
            Some(rest) => (rest.to_owned(), true),
            None => (it.to_owned(), false),
        };
        match name.to_ascii_lowercase().as_str() {
            "virtualhost" if is_counted => {
                self.close();
                let addresses = args.iter().map(|it| self.expanded(it)).collect();
                self.open = Some(Host { addresses, ..Host::default() });
            }
            "/virtualhost" if is_counted => self.close(),
            "ifdefine" => {
                let (name, is_not) = negated(args.first().map_or("", String::as_str));
                self.conditions.push(self.variables.contains_key(&name) != is_not);
            }
            "ifmodule" => {
                let (name, is_not) = negated(args.first().map_or("", String::as_str));
                self.conditions.push(self.has_module(&name).is_none_or(|it| it != is_not));
            }
            // A macro is text for later.
            "macro" => self.conditions.push(false),
            "/ifdefine" | "/ifmodule" | "/macro" => drop(self.conditions.pop()),
            _ => {}
        }
    }

    /// Whether a module is there, where it matters: any other may be built in, and both what is
    /// said for it and what is said against it are read.
    fn has_module(&self, name: &str) -> Option<bool> {
        let bare = name.strip_prefix("mod_").and_then(|it| it.strip_suffix(".c"));
        let name = bare.map_or_else(|| name.to_owned(), |it| format!("{it}_module"));
        let is_known = matches!(name.as_str(), "ssl_module" | "gnutls_module");
        (is_known && !self.modules.is_empty()).then(|| self.modules.contains(&name))
    }

    fn close(&mut self) {
        if let Some(host) = self.open.take()
            && self.hosts.len() < MAX_HOSTS
        {
            self.hosts.push(host);
        }
    }

    /// Puts values in the place of `${NAME}`; a name without a value stays.
    fn expanded(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let value = after
                .split_once('}')
                .and_then(|(name, after)| Some((self.variables.get(name)?, after)));
            if let Some((value, after)) = value {
                out.push_str(value);
                rest = after;
            } else {
                out.push_str("${");
                rest = after;
            }
        }
        out + rest
    }

    fn sites(mut self) -> Vec<Site> {
        self.close();
        let mut sites = Vec::new();
        let mut left = self.listens.clone();
        for host in &self.hosts {
            let listens: Vec<_> =
                self.listens.iter().filter(|it| host.takes(**it)).copied().collect();
            left.retain(|it| !listens.contains(it));
            if host.is_on.or(self.main.is_on) == Some(true) {
                let loads = host.loads().or_else(|| self.main.loads()).unwrap_or_default();
                sites.push(Site { names: host.names.clone(), listens, proxied: Vec::new(), loads });
            }
        }
        if self.main.is_on == Some(true)
            && !left.is_empty()
            && let Some(loads) = self.main.loads()
        {
            let listens = left.into_iter().collect();
            sites.push(Site {
                names: self.main.names.clone(),
                listens,
                proxied: Vec::new(),
                loads,
            });
        }
        sites
    }
}

impl Host {
    /// Whether it answers at that address: `*:443`, `_default_:443`, `192.0.2.1`, `[::1]:443`.
    fn takes(&self, listen: Listen) -> bool {
        self.addresses.iter().any(|it| {
            let (host, port) = match it.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, port),
                _ => (it.as_str(), "*"),
            };
            let fits_port = port == "*" || port.parse() == Ok(listen.port);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let fits_host = match host.parse::<IpAddr>() {
                Ok(address) => listen.address.is_unspecified() || listen.address == address,
                // A name has to be looked up on the host.
                Err(_) => true,
            };
            fits_port && fits_host
        })
    }

    fn loads(&self) -> Option<Vec<Load>> {
        let load = |(index, (at, path)): (usize, &(At, String))| {
            let key = self.keys.get(index).map(String::as_str);
            Load { chain: self.chain.as_deref().map(SafeText::new), ..at.load(path, key) }
        };
        let loads: Vec<_> = self.certificates.iter().enumerate().map(load).collect();
        (!loads.is_empty()).then_some(loads)
    }
}

/// More than any configuration has.
const MAX_LINES: usize = 1_000_000;
const MAX_HOSTS: usize = 5000;
const MAX_NAMES: usize = 1000;
const MAX_DEPTH: usize = 16;

/// `443`, `192.0.2.1:443`, `[::]:443`. Without an address it is every one of both kinds.
fn listen(text: &str) -> Option<Listen> {
    if let Ok(port) = text.parse() {
        return Some(Listen { address: Ipv4Addr::UNSPECIFIED.into(), port });
    }
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host {
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        _ => host.split('%').next()?.parse().ok()?,
    };
    Some(Listen { address, port: port.parse().ok()? })
}

/// A name without the scheme and the port that `ServerName` may have.
fn bare_name(text: &str) -> &str {
    let text = text.split_once("://").map_or(text, |it| it.1);
    text.split_once(':').map_or(text, |it| it.0)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains("${")
}

/// A key in a token is no file, and what a variable holds may not be known.
fn is_file(path: &str) -> bool {
    !path.is_empty() && !path.contains("${") && !path.starts_with("pkcs11:")
}

/// Words with quotes of both kinds; a backslash in quotes keeps a quote.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars().peekable();
    while let Some(next) = chars.next() {
        match (next, quote) {
            ('\\', Some(open)) if chars.peek() == Some(&open) => {
                word.get_or_insert_default().extend(chars.next());
            }
            ('"' | '\'', None) if word.is_none() => {
                quote = Some(next);
                word = Some(String::new());
            }
            (_, Some(open)) if open == next => {
                quote = None;
                words.extend(word.take());
            }
            (' ' | '\t', None) => words.extend(word.take()),
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

    const CONF: &str = "/etc/apache2/apache2.conf";

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let (sites, problems) =
            sample::read(&PROGRAM, "/etc/apache2", &["-D", "X"], &[(CONF, text)]);
        assert_eq!(problems, []);
        assert_eq!(sites.join("; "), expect);
    }

    #[test]
    fn the_site_of_the_package_is_read() {
        let main = include_str!("../../../tests/fixtures/servers/apache2-2.4.71-debian12.conf");
        let mut main = main.to_owned();
        for pattern in ["mods-enabled/*.load", "mods-enabled/*.conf", "conf-enabled/*.conf"] {
            main = main.replace(pattern, "none");
        }
        main = main.replace("sites-enabled/*.conf", "site");
        let envvars =
            include_str!("../../../tests/fixtures/servers/apache2-envvars-2.4.71-debian12");
        let site = include_str!(
            "../../../tests/fixtures/servers/apache2-default-ssl-2.4.71-debian12.conf"
        );
        let files = [
            (CONF, main.as_str()),
            ("/etc/apache2/none", ""),
            ("/etc/apache2/ports.conf", "Listen 80\nListen 443\n"),
            ("/etc/apache2/site", site),
            ("/etc/apache2/envvars", envvars),
        ];
        let (sites, problems) = sample::read(&PROGRAM, "/etc/apache2", &[], &files);
        assert_eq!(problems, []);
        let (cert, key) =
            ("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key");
        assert_eq!(sites, [format!(" | 0.0.0.0:443 | {cert}+{key}")]);
    }

    #[test]
    fn where_a_virtual_host_answers() {
        let host = |listen: &str, host: &str| {
            format!("{listen}\n<VirtualHost {host}>\nSSLEngine on\n</VirtualHost>")
        };
        check(&host("Listen 443", "*:443"), " | 0.0.0.0:443 | ");
        check(&host("Listen 443", "*"), " | 0.0.0.0:443 | ");
        check(&host("Listen 443\nListen 80", "_default_:443"), " | 0.0.0.0:443 | ");
        check(&host("Listen [::]:443 https", "[2001:db8::1]:443"), " | :::443 | ");
        check(&host("Listen 192.0.2.1:443", "192.0.2.2:443"), " |  | ");
        check(
            &host("Listen 443\nListen 8443", "192.0.2.1:443 192.0.2.1:8443"),
            " | 0.0.0.0:443 0.0.0.0:8443 | ",
        );
    }

    #[test]
    fn a_virtual_host_inherits() {
        let text = "Listen 1\nListen 2\nSSLEngine on\nSSLCertificateFile main.pem\nServerName m\n\
                    <VirtualHost *:1>\nServerName a\nSSLCertificateFile /a\nSSLCertificateFile /b\n\
                    SSLCertificateKeyFile /k\n</VirtualHost>\n\
                    <VirtualHost *:1>\nServerName b\n</VirtualHost>\n\
                    <VirtualHost *:1>\nServerName c\nSSLEngine Off\n</VirtualHost>";
        let main = "/etc/apache2/main.pem";
        let expect =
            format!("a | 0.0.0.0:1 | /a+/k /b; b | 0.0.0.0:1 | {main}; m | 0.0.0.0:2 | {main}");
        check(text, &expect);
    }

    #[test]
    fn what_does_not_count_is_not_read() {
        let host = "<VirtualHost *>\nSSLEngine on\n</VirtualHost>";
        check(&format!("Listen 1\n<IfDefine Y>\n{host}\n</IfDefine>"), "");
        check(&format!("Listen 1\n<IfDefine !X>\n{host}\n</IfDefine>"), "");
        check(&format!("Listen 1\n<IfDefine X>\n{host}\n</IfDefine>"), " | 0.0.0.0:1 | ");
        check(&format!("LoadModule a_module x\n<IfModule mod_ssl.c>\n{host}\n</IfModule>"), "");
        check(&format!("Listen 1\n<IfModule mod_ssl.c>\n{host}\n</IfModule>"), " | 0.0.0.0:1 | ");
        check(&format!("<Macro X $a>\n{host}\n</Macro>"), "");
        check("#<VirtualHost *>\n# SSLEngine on\n", "");
    }

    #[test]
    fn variables_are_known_or_left() {
        let host = |path: &str| {
            format!(
                "Listen 1\nDefine A /a\nDefine B ${{A}}/b\n<VirtualHost *>\nSSLEngine on\nSSLCertificateFile {path}\n</VirtualHost>"
            )
        };
        check(&host("${B}/c.pem"), " | 0.0.0.0:1 | /a/b/c.pem");
        check(&host("\"${A}/x y.pem\""), " | 0.0.0.0:1 | /a/x y.pem");
        check(&host("${UNKNOWN}/c.pem"), " | 0.0.0.0:1 | ");
        check(&host("${A"), " | 0.0.0.0:1 | ");
    }
}
