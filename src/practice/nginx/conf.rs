//! The configuration of nginx, as far as a practice host needs it: blocks, includes, and the sites
//! in it that are served with TLS.

use std::fs;
use std::path::{Path, PathBuf};

use crate::practice::stage;

/// A site that is served with TLS, as the configuration has it.
#[derive(Debug, Default)]
pub(super) struct Site {
    /// Its names; none if it is for whoever comes.
    pub(super) names: Vec<String>,
    /// The ports on which it is served with TLS.
    pub(super) ports: Vec<u16>,
    /// Certificate and key files, pair by pair.
    pub(super) pairs: Vec<(String, String)>,
}

/// Reads a configuration and what it includes, or says in nginx's words what is wrong. A path of
/// the host may stand there with its root or without.
pub(super) fn read(root: &Path, conf: &Path) -> Result<Vec<Site>, String> {
    let mut sites = Vec::new();
    let mut reader = Reader { root, conf, left: MOST_FILES };
    for directive in reader.file(conf)?.iter().filter(|it| it.is("http")) {
        for server in directive.block.iter().filter(|it| it.is("server")) {
            let site = server.site()?;
            sites.extend((!site.ports.is_empty()).then_some(site));
        }
    }
    Ok(sites)
}

/// A path of the host as this machine knows it.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    if Path::new(path).starts_with(root) {
        return PathBuf::from(path);
    }
    root.join(path.trim_start_matches('/'))
}

/// A directive with the block after it, if there is one.
#[derive(Debug)]
struct Directive {
    words: Vec<String>,
    block: Vec<Self>,
    at: String,
}

impl Directive {
    fn is(&self, name: &str) -> bool {
        self.words.first().is_some_and(|it| it == name)
    }

    fn values(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    fn site(&self) -> Result<Site, String> {
        let mut site = Site::default();
        let (mut certificates, mut keys) = (Vec::new(), Vec::new());
        for inner in &self.block {
            match inner.words.first().map(String::as_str) {
                Some("server_name") => site.names.extend_from_slice(inner.values()),
                Some("ssl_certificate") => certificates.extend_from_slice(inner.values()),
                Some("ssl_certificate_key") => keys.extend_from_slice(inner.values()),
                Some("listen") if inner.values().iter().any(|it| it == "ssl") => {
                    let place = inner.values().first().map_or("", String::as_str);
                    let port = place.rsplit(':').next().and_then(|it| it.parse().ok());
                    let port = port
                        .ok_or_else(|| format!("invalid parameter \"{place}\" in {}", inner.at))?;
                    if !site.ports.contains(&port) {
                        site.ports.push(port);
                    }
                }
                _ => {}
            }
        }
        if !site.ports.is_empty() && (certificates.is_empty() || keys.len() != certificates.len()) {
            let lack =
                if certificates.is_empty() { "ssl_certificate" } else { "ssl_certificate_key" };
            return Err(format!(
                "no \"{lack}\" is defined for the \"listen ... ssl\" directive in {}",
                self.at
            ));
        }
        site.pairs = certificates.into_iter().zip(keys).collect();
        Ok(site)
    }
}

struct Reader<'a> {
    root: &'a Path,
    /// The main file: what is included is looked for beside it.
    conf: &'a Path,
    left: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) -> Result<Vec<Directive>, String> {
        let show = path.display();
        self.left = self.left.checked_sub(1).ok_or("too many files are included")?;
        let text = stage::read(path)
            .map_err(|_| format!("open() \"{show}\" failed (2: No such file or directory)"))?;
        let mut tokens = Tokens { rest: &text, line: 1 };
        let block = self.block(&mut tokens, path, 0)?;
        match tokens.next() {
            None => Ok(block),
            Some(_) => Err(format!("unexpected \"}}\" in {show}:{}", tokens.line)),
        }
    }

    /// Reads directives up to the end of the block or of the file.
    fn block(
        &mut self,
        tokens: &mut Tokens<'_>,
        path: &Path,
        depth: usize,
    ) -> Result<Vec<Directive>, String> {
        let mut all = Vec::new();
        let mut words = Vec::new();
        let mut at = String::new();
        loop {
            let before = tokens.rest;
            let token = tokens.next();
            match token {
                Some(Token::Word(word)) => {
                    if words.is_empty() {
                        at = format!("{}:{}", path.display(), tokens.line);
                    }
                    words.push(word);
                }
                Some(Token::End) => {
                    let directive = Directive {
                        words: std::mem::take(&mut words),
                        block: vec![],
                        at: at.clone(),
                    };
                    if directive.is("include") {
                        for it in directive.values() {
                            all.extend(self.include(it)?);
                        }
                    } else {
                        all.push(directive);
                    }
                }
                Some(Token::Open) if depth < MOST_BLOCKS => {
                    let words = std::mem::take(&mut words);
                    let block = self.block(tokens, path, depth + 1)?;
                    match tokens.next() {
                        Some(Token::Close) => all.push(Directive { words, block, at: at.clone() }),
                        _ => {
                            return Err(format!(
                                "unexpected end of file, expecting \"}}\" in {}:{}",
                                path.display(),
                                tokens.line
                            ));
                        }
                    }
                }
                Some(Token::Open | Token::Close) | None if words.is_empty() => {
                    // For whoever opened the block.
                    tokens.rest = before;
                    return Ok(all);
                }
                Some(Token::Open | Token::Close) | None => {
                    return Err(format!(
                        "directive \"{}\" is not terminated by \";\" in {}:{}",
                        words.join(" "),
                        path.display(),
                        tokens.line
                    ));
                }
            }
        }
    }

    /// What an `include` brings in. The last part of its path may have one `*`.
    fn include(&mut self, pattern: &str) -> Result<Vec<Directive>, String> {
        let path = match pattern.strip_prefix('/') {
            Some(_) => below(self.root, pattern),
            None => self.conf.with_file_name(pattern),
        };
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let Some((begin, end)) = name.split_once('*') else { return self.file(&path) };
        let entries = path.parent().and_then(|it| fs::read_dir(it).ok());
        let mut found: Vec<_> =
            entries.into_iter().flatten().flatten().map(|it| it.path()).collect();
        found.retain(|it| {
            let name = it.file_name().and_then(|it| it.to_str()).unwrap_or(".");
            let fits = name.strip_prefix(begin).is_some_and(|it| it.ends_with(end));
            fits && !name.starts_with('.') && it.is_file()
        });
        found.sort_unstable();
        let mut all = Vec::new();
        for path in found {
            all.extend(self.file(&path)?);
        }
        Ok(all)
    }
}

enum Token {
    Word(String),
    End,
    Open,
    Close,
}

struct Tokens<'a> {
    rest: &'a str,
    line: usize,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        loop {
            let first = self.rest.chars().next()?;
            match first {
                '#' => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
                it if it.is_whitespace() => self.skip(it.len_utf8()),
                _ => break,
            }
        }
        let first = self.rest.chars().next()?;
        let mark = match first {
            ';' => Some(Token::End),
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            _ => None,
        };
        if let Some(mark) = mark {
            self.skip(1);
            return Some(mark);
        }
        let (from, to) = if first == '"' || first == '\'' {
            let inner = self.rest.get(1..).unwrap_or_default();
            (1, 1 + inner.find(first).unwrap_or(inner.len()))
        } else {
            let ends = |it: char| it.is_whitespace() || matches!(it, ';' | '{' | '}');
            (0, self.rest.find(ends).unwrap_or(self.rest.len()))
        };
        let word = self.rest.get(from..to).unwrap_or_default().to_owned();
        self.skip((to + from).min(self.rest.len()));
        Some(Token::Word(word))
    }

    fn skip(&mut self, bytes: usize) {
        let (past, rest) = self.rest.split_at(bytes);
        self.line += past.matches('\n').count();
        self.rest = rest;
    }
}

const MOST_FILES: usize = 100;
const MOST_BLOCKS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(main: &str, site: &str) -> Result<Vec<Site>, String> {
        let root = tempfile::tempdir().unwrap();
        let conf = root.path().join("etc/nginx/nginx.conf");
        stage::write(&conf, 0o644, main.as_bytes()).unwrap();
        stage::write(&conf.with_file_name("sites").join("a.conf"), 0o644, site.as_bytes()).unwrap();
        read(root.path(), &conf)
    }

    #[test]
    fn sites_are_found_behind_includes() {
        let site = "# two\nserver { listen 80; server_name a.example; }\nserver {\n  listen [::]:443 \
                    ssl; listen 443 ssl http2;\n  server_name 'a.example' \"*.b.example\";\n  \
                    location / { return 200 ok; }\n  ssl_certificate /c; ssl_certificate_key /k; }";
        for include in ["sites/*", "/etc/nginx/sites/*.conf", "sites/a.conf"] {
            let sites =
                check(&format!("events {{}}\nhttp {{ include {include}; }}"), site).unwrap();
            let [site] = sites.as_slice() else { panic!("{sites:?}") };
            assert_eq!(site.names, ["a.example", "*.b.example"]);
            assert_eq!(site.ports, [443]);
            assert_eq!(site.pairs, [("/c".to_owned(), "/k".to_owned())]);
        }
    }

    #[test]
    fn mistakes_are_told() {
        let main = "http { include sites/*; }";
        for (site, expect) in [
            ("server { listen 443 ssl", "directive \"listen 443 ssl\" is not terminated by \";\""),
            ("server { listen 443 ssl;", "unexpected end of file, expecting \"}\""),
            ("}", "unexpected \"}\""),
            ("server { listen 443 ssl; }", "directive in"),
            ("\n\nserver { listen 443 ssl; }", "sites/a.conf:3"),
            ("server { listen 443 ssl; }", "no \"ssl_certificate\" is defined"),
            ("server { listen 443 ssl; ssl_certificate /c; }", "no \"ssl_certificate_key\" is"),
            ("server { listen x:y ssl; }", "invalid parameter \"x:y\""),
        ] {
            let error = check(main, site).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
        assert!(check("http { include none.conf; }", "").unwrap_err().contains("No such file"));
    }
}
