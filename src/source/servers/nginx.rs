//! nginx's configuration: <https://nginx.org/en/docs/dirindex.html>, read as
//! `ngx_conf_read_token` reads it. Knows only what has to do with TLS.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::files::{At, Files, from};
use super::{Program, Told};
use crate::fleet::{Listen, Load, Site};
use crate::text::SafeText;

pub(super) const PROGRAM: Program = Program { name: "nginx", read };

fn read(files: &mut Files<'_>, told: &Told) -> Vec<Site> {
    let mut sites = Vec::new();
    for root in &told.roots {
        let base = root.base.as_str();
        let mut reader = Reader { files, base, left: MAX_DIRECTIVES };
        let main = reader.file(&root.path, 0);
        for block in &main {
            let module = match block.name.as_str() {
                "http" => Module::Http,
                "mail" => Module::Mail,
                "stream" => Module::Stream,
                _ => continue,
            };
            sites.extend(served(module, &block.block, base));
        }
    }
    sites
}

/// A directive with its arguments and its block.
#[derive(Debug)]
struct Directive {
    name: String,
    args: Vec<String>,
    at: At,
    block: Vec<Self>,
}

/// Reads files into directives; what is included stands where it is included.
struct Reader<'r, 'a> {
    files: &'r mut Files<'a>,
    base: &'r str,
    left: usize,
}

impl Reader<'_, '_> {
    fn file(&mut self, path: &str, depth: usize) -> Vec<Directive> {
        let Some(text) = self.files.enter(path) else { return Vec::new() };
        let mut tokens = Tokens { rest: &text, file: path.into(), line: 1 };
        let mut all = Vec::new();
        // A brace too many ends no block: nginx would not start, and what follows is read.
        while !tokens.rest.is_empty() && self.left > 0 {
            all.append(&mut self.block(&mut tokens, depth, true));
        }
        self.files.leave();
        all
    }

    /// Everything up to the brace that closes the block, or the end. Of a block in which nothing
    /// about TLS can stand nothing is kept: maps may be long.
    fn block(&mut self, tokens: &mut Tokens<'_>, depth: usize, is_kept: bool) -> Vec<Directive> {
        let mut all = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut at = tokens.at();
        while self.left > 0 {
            let token = tokens.next();
            let begins_block = matches!(token, Some(Token::Open));
            match token {
                None | Some(Token::Close) => break,
                Some(Token::Word(word)) => {
                    if words.is_empty() {
                        at = tokens.at();
                    }
                    if words.len() < MAX_WORDS {
                        words.push(word);
                    }
                }
                Some(Token::End | Token::Open) => {
                    self.left -= 1;
                    let mut args = std::mem::take(&mut words).into_iter();
                    let name = args.next().unwrap_or_default();
                    let args: Vec<_> = args.collect();
                    let mut block = Vec::new();
                    if begins_block {
                        if name.ends_with("_by_lua_block") || depth >= MAX_DEPTH {
                            tokens.skip_block();
                        } else {
                            let is_kept = is_kept && BLOCKS.contains(&name.as_str());
                            block = self.block(tokens, depth + 1, is_kept);
                        }
                    }
                    if !is_kept {
                        continue;
                    }
                    if name == "include" {
                        all.append(&mut self.included(&args, depth));
                    } else {
                        all.push(Directive { name, args, at: at.clone(), block });
                    }
                }
            }
        }
        all
    }

    fn included(&mut self, args: &[String], depth: usize) -> Vec<Directive> {
        let mut all = Vec::new();
        let Some(pattern) = args.first().filter(|_| depth < MAX_DEPTH) else { return all };
        for path in self.files.fitting(&from(self.base, pattern), true) {
            all.append(&mut self.file(&path, depth + 1));
        }
        all
    }
}

/// Where servers and their certificates stand.
const BLOCKS: [&str; 4] = ["http", "mail", "server", "stream"];

/// More than any configuration has; a file may be included by a thousand others.
const MAX_DIRECTIVES: usize = 1_000_000;
/// Blocks and files in each other.
const MAX_DEPTH: usize = 24;
/// Names of one server.
const MAX_WORDS: usize = 5000;

#[derive(Debug)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

struct Tokens<'t> {
    rest: &'t str,
    file: Rc<str>,
    line: u32,
}

impl Tokens<'_> {
    fn at(&self) -> At {
        At { file: Rc::clone(&self.file), line: self.line }
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.take()? {
                '\n' | ' ' | '\t' | '\r' => {}
                '#' => while self.take()? != '\n' {},
                ';' => return Some(Token::End),
                '{' => return Some(Token::Open),
                '}' => return Some(Token::Close),
                quote @ ('"' | '\'') => return Some(Token::Word(self.quoted(quote))),
                first => return Some(Token::Word(self.bare(first))),
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next()?;
        self.rest = chars.as_str();
        self.line += u32::from(next == '\n');
        Some(next)
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut word = String::new();
        while let Some(next) = self.take() {
            match next {
                '\\' => self.escaped(&mut word),
                _ if next == quote => break,
                _ => word.push(next),
            }
        }
        word
    }

    fn bare(&mut self, first: char) -> String {
        let mut word = String::new();
        if first == '\\' {
            self.escaped(&mut word);
        } else {
            word.push(first);
        }
        loop {
            match self.rest.chars().next() {
                None | Some(' ' | '\t' | '\r' | '\n' | ';') => return word,
                // `${name}` is a variable, any other brace begins a block.
                Some('{') if !word.ends_with('$') => return word,
                Some('\\') => {
                    self.take();
                    self.escaped(&mut word);
                }
                Some(next) => {
                    word.push(next);
                    self.take();
                }
            }
        }
    }

    /// What a backslash makes of the next character.
    fn escaped(&mut self, word: &mut String) {
        match self.take() {
            Some(next @ ('"' | '\'' | '\\')) => word.push(next),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(next) => word.extend(['\\', next]),
            None => word.push('\\'),
        }
    }

    /// Skips a block of another language: a brace in a string of one line does not count.
    fn skip_block(&mut self) {
        let mut depth = 1_usize;
        let mut quote = None;
        while let Some(next) = self.take() {
            match (next, quote) {
                ('\n', _) => quote = None,
                ('\\', _) => drop(self.take()),
                ('"' | '\'', None) => quote = Some(next),
                (_, Some(open)) if open == next => quote = None,
                ('{', None) => depth += 1,
                ('}', None) => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Module {
    Http,
    Mail,
    Stream,
}

/// What a module's servers serve. A directive of a server counts, else that of the block around.
fn served(module: Module, block: &[Directive], base: &str) -> Vec<Site> {
    let servers: Vec<_> =
        block.iter().filter(|it| it.name == "server").map(|it| it.block.as_slice()).collect();
    let is_on = |server: &[Directive], name: &str| {
        [server, block].iter().find_map(|it| last(it, name)).is_some_and(|it| it == "on")
    };
    // Where one server of an address listens like that, all do: it is a property of the socket.
    let all_with = |word: &str| -> BTreeSet<Listen> {
        let listens = servers.iter().flat_map(|it| named(it, "listen"));
        listens.filter(|it| it.args.iter().any(|it| it == word)).filter_map(addresses).collect()
    };
    let (encrypted, proxied) = (all_with("ssl"), all_with("proxy_protocol"));
    let mut sites = Vec::new();
    for server in &servers {
        let is_ssl = is_on(server, "ssl");
        let listens: BTreeSet<_> = named(server, "listen")
            // QUIC has no TCP.
            .filter(|it| it.args.iter().all(|it| it != "quic" && it != "udp"))
            .filter_map(addresses)
            .filter(|it| is_ssl || encrypted.contains(it))
            .collect();
        let starts = module == Module::Mail
            && [server, block]
                .iter()
                .find_map(|it| last(it, "starttls"))
                .is_some_and(|it| it == "on" || it == "only");
        let has_quic = named(server, "listen").any(|it| it.args.iter().any(|it| it == "quic"));
        let rejects = is_on(server, "ssl_reject_handshake");
        if rejects || (listens.is_empty() && !starts && !has_quic && !is_ssl) {
            continue;
        }
        let names = match module {
            Module::Mail => Vec::new(),
            Module::Http | Module::Stream => names(server),
        };
        let proxied = listens.intersection(&proxied).copied().collect();
        let (listens, loads) = (listens.into_iter().collect(), loads(server, block, base));
        sites.push(Site { names, listens, proxied, loads });
    }
    sites
}

fn named<'d>(block: &'d [Directive], name: &'d str) -> impl Iterator<Item = &'d Directive> {
    block.iter().filter(move |it| it.name == name)
}

fn last<'d>(block: &'d [Directive], name: &str) -> Option<&'d str> {
    block.iter().rfind(|it| it.name == name)?.args.first().map(String::as_str)
}

/// The names of a server; a regular expression is no name.
fn names(server: &[Directive]) -> Vec<SafeText> {
    let mut names = Vec::new();
    for name in named(server, "server_name").flat_map(|it| &it.args) {
        if name.starts_with('~') || name.contains('$') || matches!(name.as_str(), "" | "_") {
            continue;
        }
        // `.example.net` stands for the name and all below.
        if let Some(bare) = name.strip_prefix('.') {
            names.extend([SafeText::new(bare), SafeText::new(&format!("*{name}"))]);
        } else {
            names.push(SafeText::new(name));
        }
    }
    names
}

/// The addresses of a `listen`: `443`, `*:443`, `[::]:443`, `192.0.2.1`, `localhost:443`. Any
/// other name has to be looked up on the host, and a UNIX socket is none.
fn addresses(listen: &Directive) -> Option<Listen> {
    let text = listen.args.first()?;
    if let Ok(port) = text.parse() {
        return Some(Listen { address: Ipv4Addr::UNSPECIFIED.into(), port });
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(Some(HTTP), |it| it.parse().ok())?;
        let address: Ipv6Addr = address.parse().ok()?;
        return Some(Listen { address: address.into(), port });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text.as_str(), HTTP),
    };
    let address: IpAddr = match host {
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => host.parse().ok()?,
    };
    Some(Listen { address, port })
}

/// The port of a `listen` that has none.
const HTTP: u16 = 80;

/// The certificates of a server: its own, or those of the block around if it has none.
fn loads(server: &[Directive], block: &[Directive], base: &str) -> Vec<Load> {
    let all = |name: &'static str| {
        let own: Vec<_> = named(server, name).collect();
        if own.is_empty() { named(block, name).collect() } else { own }
    };
    let keys = all("ssl_certificate_key");
    let mut loads = Vec::new();
    for (index, certificate) in all("ssl_certificate").into_iter().enumerate() {
        let Some(path) = certificate.args.first().filter(|it| is_file(it)) else { continue };
        let key = keys.get(index).and_then(|it| it.args.first()).filter(|it| is_file(it));
        let key = key.map(|it| from(base, it));
        loads.push(certificate.at.load(&from(base, path), key.as_deref()));
    }
    loads
}

/// A variable is known only when a client asks; `data:` is no file, and an engine has none.
fn is_file(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('$')
        && !["data:", "engine:", "store:"].iter().any(|it| path.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    /// Every site as one line.
    fn sites(text: &str) -> Vec<String> {
        let files = [("/etc/nginx/nginx.conf", text)];
        let (sites, problems) = sample::read(&PROGRAM, "/etc/nginx", &[], &files);
        assert_eq!(problems, []);
        sites
    }

    #[track_caller]
    fn check(server: &str, expect: &str) {
        assert_eq!(sites(&format!("http {{ server {{ {server} }} }}")).join("; "), expect);
    }

    #[test]
    fn who_wants_the_proxy_protocol_is_not_asked_alone() {
        let text = "http { server { listen 1 ssl proxy_protocol; listen 2 ssl; server_name a; } \
                    server { listen 1 ssl; server_name b; } }";
        assert_eq!(sample::doors(&PROGRAM, text), [2]);
    }

    #[test]
    fn where_a_server_listens() {
        check("listen 443 ssl; ssl_certificate /a;", " | 0.0.0.0:443 | /a");
        check("listen [::]:443 ssl ipv6only=off;", " | :::443 | ");
        check(
            "listen 192.0.2.1:8443 ssl http2; listen *:443 ssl;",
            " | 0.0.0.0:443 192.0.2.1:8443 | ",
        );
        check("listen localhost:443 ssl;", " | 127.0.0.1:443 | ");
        check("listen 192.0.2.1; ssl on;", " | 192.0.2.1:80 | ");
        check("listen 80; listen 443 ssl;", " | 0.0.0.0:443 | ");
        check("listen 443 quic; listen 443 ssl;", " | 0.0.0.0:443 | ");
        check("listen unix:/run/x ssl;", "");
        check("listen 80;", "");
        check("", "");
        check("listen 443 ssl; ssl_reject_handshake on;", "");
    }

    #[test]
    fn tls_is_a_property_of_the_address() {
        let text = "http { server { listen 443 ssl; server_name a; } \
                    server { listen 443; server_name b; } server { listen 80; server_name c; } }";
        assert_eq!(sites(text), ["a | 0.0.0.0:443 | ", "b | 0.0.0.0:443 | "]);
    }

    #[test]
    fn which_names_a_server_has() {
        check(
            "listen 1 ssl; server_name a.test *.b.test\n .c.test;",
            "a.test *.b.test c.test *.c.test | 0.0.0.0:1 | ",
        );
        check(r#"listen 1 ssl; server_name _ "" ~^x\.(.+)$ $hostname;"#, " | 0.0.0.0:1 | ");
        check("listen 1 ssl; server_name a; server_name 'b';", "a b | 0.0.0.0:1 | ");
    }

    #[test]
    fn which_files_a_server_loads() {
        check(
            "listen 1 ssl; ssl_certificate rsa.pem; ssl_certificate_key rsa.key; \
             ssl_certificate \"/e c.pem\"; ssl_certificate_key /ec.key;",
            " | 0.0.0.0:1 | /etc/nginx/rsa.pem+/etc/nginx/rsa.key /e c.pem+/ec.key",
        );
        check(
            "listen 1 ssl; ssl_certificate $ssl_server_name.pem; ssl_certificate data:$x; \
             ssl_certificate /a; ssl_certificate_key engine:x:y;",
            " | 0.0.0.0:1 | /a",
        );
        let text = "http { ssl_certificate /all; server { listen 1 ssl; } \
                    server { listen 2 ssl; ssl_certificate /own; } ssl_certificate_key /k; }";
        assert_eq!(sites(text), [" | 0.0.0.0:1 | /all+/k", " | 0.0.0.0:2 | /own+/k"]);
    }

    #[test]
    fn other_modules_serve_too() {
        let text = "stream { server { listen 853 ssl; ssl_certificate /s; } \
                    server { listen 53 udp; } } \
                    mail { ssl_certificate /m; server { listen 993 ssl; server_name x; } \
                    server { listen 25; starttls on; } server { listen 110; } }";
        assert_eq!(sites(text), [" | 0.0.0.0:853 | /s", " | 0.0.0.0:993 | /m", " |  | /m"]);
    }

    #[test]
    fn what_is_no_directive_does_no_harm() {
        check("# listen 1 ssl;\n listen 2 ssl; # }\n", " | 0.0.0.0:2 | ");
        check("add_header X \"a { \\\" ; b\"; listen 2 ssl;", " | 0.0.0.0:2 | ");
        check("set $a ${b}c; if ($x = '}') { return 1; } listen 2 ssl;", " | 0.0.0.0:2 | ");
        check(
            "content_by_lua_block { x = \"}\" y = { 'it' }\n -- it's }\n listen 3 ssl; } listen 2 ssl;",
            " | 0.0.0.0:2 | ",
        );
        check("listen 2 ssl; } } } server { listen 3 ssl;", " | 0.0.0.0:2 | ");
        assert_eq!(sites(&"a {".repeat(5000)), [""; 0]);
        assert_eq!(sites("http { server { listen 1 ssl"), [""; 0]);
    }

    /// certbot's own words in a site of Debian, and a snippet that all sites share.
    #[test]
    fn what_certbot_writes_is_read() {
        let site = "server {
    server_name www.example.net; # managed by Certbot
    root /var/www/html;
    location / { try_files $uri $uri/ =404; }
    listen [::]:443 ssl ipv6only=on; # managed by Certbot
    listen 443 ssl; # managed by Certbot
    ssl_certificate /etc/letsencrypt/live/www.example.net/fullchain.pem; # managed by Certbot
    ssl_certificate_key /etc/letsencrypt/live/www.example.net/privkey.pem; # managed by Certbot
    include /etc/letsencrypt/options-ssl-nginx.conf; # managed by Certbot
    ssl_dhparam /etc/letsencrypt/ssl-dhparams.pem; # managed by Certbot
}
server {
    if ($host = www.example.net) {
        return 301 https://$host$request_uri;
    } # managed by Certbot
    listen 80 default_server;
    server_name www.example.net;
    return 404; # managed by Certbot
}
";
        let main = include_str!("../../../tests/fixtures/servers/nginx-1.22.1-debian12.conf");
        let main = main.replace("/etc/nginx/sites-enabled/*", "/etc/nginx/sites-enabled/www");
        let main = main.replace("/etc/nginx/conf.d/*.conf", "options.conf");
        let main = main.replace("/etc/nginx/modules-enabled/*.conf", "options.conf");
        let files = [
            ("/etc/nginx/nginx.conf", main.as_str()),
            ("/etc/nginx/sites-enabled/www", site),
            ("/etc/nginx/options.conf", ""),
            ("/etc/nginx/mime.types", "types { text/html html; }"),
            ("/etc/letsencrypt/options-ssl-nginx.conf", "ssl_protocols TLSv1.2 TLSv1.3;"),
        ];
        let (sites, problems) = sample::read(&PROGRAM, "/etc/nginx", &[], &files);
        assert_eq!(problems, []);
        let live = "/etc/letsencrypt/live/www.example.net";
        let expect = format!(
            "www.example.net | 0.0.0.0:443 :::443 | {live}/fullchain.pem+{live}/privkey.pem"
        );
        assert_eq!(sites, [expect]);
    }
}
