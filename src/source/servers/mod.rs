//! Programs that serve TLS, as their own configuration says, and what listens. Reads files and
//! `/proc` alone: no server is started, asked or touched.

mod apache;
mod ask;
mod files;
mod haproxy;
mod nginx;
#[cfg(test)]
mod sample;
mod system;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use self::files::Files;
use self::system::System;
use super::bundle::read_chain;
use super::found::{Found, folders, problem};
use super::{AbsolutePath, Kind, Reading, Script, Section, Source, pem};
use crate::fleet::{Host, Load, Loaded, Problem, ProblemKind, Roots, Seen, Server, Site};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "servers",
    about: "what nginx, Apache and haproxy are configured to load, and what listens",
    schema: |generator| generator.subschema_for::<Servers>(),
    build: |table| Ok(Arc::new(table.read::<Servers>()?)),
};

/// Where servers have their configuration, if it cannot be found out: by default it is found
/// through the processes that run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[expect(clippy::struct_field_names, reason = "the names of the keys")]
pub(super) struct Servers {
    /// Main configuration files of nginx.
    nginx_conf: Vec<AbsolutePath>,
    /// Main configuration files of Apache.
    apache_conf: Vec<AbsolutePath>,
    /// Configuration files of haproxy.
    haproxy_conf: Vec<AbsolutePath>,
}

impl Source for Servers {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn ask(&self, script: &mut Script, _known: &Host) {
        for part in [ask::FUNCTIONS, ask::NGINX, ask::APACHE, ask::HAPROXY, ask::LOOK, ask::FIND] {
            script.push(part);
        }
        let told = [
            (nginx::PROGRAM, &self.nginx_conf),
            (apache::PROGRAM, &self.apache_conf),
            (haproxy::PROGRAM, &self.haproxy_conf),
        ];
        for (program, files) in told {
            for file in files {
                script.push(&format!("srv_told {} {}", program.name, file.quoted()));
            }
        }
        script.push(pem::FILTER);
        script.push(ask::CERTIFICATES);
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let system = System::read(section);
        let found = Found::new(section);
        let globs = files::globs(section);
        let mut servers = Vec::new();
        for (kind, told) in running(told(section), &system) {
            let mut files = Files::new(&found, &globs);
            let sites = (kind.read)(&mut files, &told);
            servers.push(server(kind, &told, sites, files.problems, &system));
        }
        let is_cut = section.with("toomany").any(|it| it.key == b"certificates");
        let loaded = loaded(&found, &servers, &system, is_cut, reading.roots);
        for server in servers.iter_mut().filter(|it| it.kind == haproxy::PROGRAM.name) {
            haproxy::name_sites(&mut server.sites, &loaded);
        }
        seen.loaded.extend(loaded);
        seen.problems.extend(folders(section));
        if section.with("toomany").any(|it| it.key == b"conf") {
            let text = SafeText::new(
                "servers have more than 3000 configuration files; the rest are not read",
            );
            seen.problems.push(Problem { kind: ProblemKind::TooLarge, text, path: None });
        }
        if section.with("hidden").next().is_some() {
            let text = "shows no processes of others: servers cannot be found";
            seen.problems.push(problem(ProblemKind::Unreadable, text, b"/proc"));
        }
        if is_cut {
            let text = "more than 400 certificate files are loaded; the rest are not read";
            let text = SafeText::new(text);
            seen.problems.push(Problem { kind: ProblemKind::TooLarge, text, path: None });
        }
        seen.servers.append(&mut servers);
        seen.listeners.extend(system.listeners);
        seen.addresses.extend(system.addresses);
        seen.machine = system.machine.or_else(|| seen.machine.take());
    }
}

/// A kind of server whose configuration can be read.
pub(super) struct Program {
    pub(super) name: &'static str,
    read: fn(&mut Files<'_>, &Told) -> Vec<Site>,
}

/// All of them; the shell fragment knows them by the same names.
pub(super) static PROGRAMS: [Program; 3] = [nginx::PROGRAM, apache::PROGRAM, haproxy::PROGRAM];

/// A server as the host tells of it.
#[derive(Debug, Default)]
struct Told {
    pid: Option<u32>,
    program: Option<String>,
    args: Vec<String>,
    /// The files that it opens first.
    roots: Vec<Root>,
}

/// A file that a server opens first.
#[derive(Debug)]
struct Root {
    path: String,
    /// Where paths in it begin that do not begin at the root.
    base: String,
}

fn told(section: &Section<'_>) -> Vec<(&'static Program, Told)> {
    let mut all: Vec<(&'static Program, Told)> = Vec::new();
    let mut is_known = false;
    for frame in &section.frames {
        if frame.word == b"server" {
            let (kind, pid) = super::script::split_word(frame.key);
            let program = PROGRAMS.iter().find(|it| it.name.as_bytes() == kind);
            is_known = program.is_some();
            let Some(kind) = program else { continue };
            let body = String::from_utf8_lossy(frame.body);
            let mut lines = body.lines().map(str::to_owned);
            let program = lines.next().filter(|it| it.starts_with('/'));
            let args = lines.filter(|it| !it.is_empty()).take(MAX_ARGS).collect();
            let pid = super::script::number(pid).filter(|it| *it > 0);
            all.push((kind, Told { pid, program, args, roots: Vec::new() }));
        } else if frame.word == b"root" && is_known {
            let path = String::from_utf8_lossy(frame.key).into_owned();
            let base = String::from_utf8_lossy(frame.body.trim_ascii_end()).into_owned();
            if let Some((_, told)) = all.last_mut() {
                told.roots.push(Root { path, base });
            }
        }
    }
    all
}

/// Leaves out a server that another one with the same files has taken the place of and that only
/// ends what it began: haproxy without a master is reloaded so.
fn running(all: Vec<(&'static Program, Told)>, system: &System) -> Vec<(&'static Program, Told)> {
    let start = |told: &Told| told.pid.and_then(|it| system.start(it));
    let mut kept: Vec<(&'static Program, Told)> = Vec::new();
    for (kind, told) in all {
        let is_same = |it: &&mut (&Program, Told)| {
            let paths = |it: &Told| it.roots.iter().map(|it| it.path.clone()).collect::<Vec<_>>();
            it.0.name == kind.name && paths(&it.1) == paths(&told)
        };
        match kept.iter_mut().find(is_same) {
            Some(other) if start(&other.1) < start(&told) => other.1 = told,
            Some(_) => {}
            None => kept.push((kind, told)),
        }
    }
    kept
}

/// More than any server is started with.
const MAX_ARGS: usize = 64;

fn server(
    kind: &Program,
    told: &Told,
    sites: Vec<Site>,
    problems: Vec<Problem>,
    system: &System,
) -> Server {
    Server {
        kind: kind.name,
        conf: SafeText::new(told.roots.first().map_or("", |it| &it.path)),
        program: told.program.as_deref().map(SafeText::new),
        args: told.args.iter().map(|it| SafeText::new(it)).collect(),
        pid: told.pid,
        unit: told.pid.and_then(|it| system.unit(it)),
        read_by: told.pid.and_then(|it| system.read_by(it)),
        sites,
        problems,
    }
}

/// Every certificate file that a server loads, once.
fn loaded(
    found: &Found<'_>,
    servers: &[Server],
    system: &System,
    is_cut: bool,
    roots: &Roots,
) -> Vec<Loaded> {
    let loads = servers.iter().flat_map(|it| &it.sites).flat_map(|it| &it.loads);
    let mut loads: Vec<&Load> = loads.collect();
    loads.sort_by(|a, b| (&a.certificate, &a.chain).cmp(&(&b.certificate, &b.chain)));
    loads.dedup_by(|a, b| a.certificate == b.certificate);
    let text = |path: &str| found.file(path).ok_or_else(|| found.why_not(path));
    let mut all = Vec::new();
    for Load { certificate, chain, .. } in loads {
        let path = certificate.as_str();
        // Of those beyond the limit nothing is known.
        if is_cut && !found.is_told(path) {
            continue;
        }
        let whole = text(path).and_then(|it| match chain {
            Some(rest) => Ok([it, b"\n", text(rest.as_str())?].concat()),
            None => Ok(it.to_vec()),
        });
        let chain = whole.and_then(|text| {
            let mut problems = Vec::new();
            read_chain(path, &text, roots, &mut problems).ok_or_else(|| {
                let bad = || problem(ProblemKind::BadCertificate, "is not read", path.as_bytes());
                problems.pop().unwrap_or_else(bad)
            })
        });
        all.push(Loaded { path: certificate.clone(), chain, changed: system.changed(path) });
    }
    all
}

/// Reads a configuration that is one file, for [`super::PARSERS`].
fn read_alone(program: &Program, text: &[u8]) {
    let section = Section {
        clock: None,
        frames: vec![super::Frame { word: b"file", key: b"/etc/x.conf", body: text }],
    };
    let found = Found::new(&section);
    let globs = files::globs(&section);
    let root = Root { path: "/etc/x.conf".to_owned(), base: "/etc".to_owned() };
    let told = Told { roots: vec![root], ..Told::default() };
    drop((program.read)(&mut Files::new(&found, &globs), &told));
}

/// For [`super::PARSERS`].
pub(super) fn read_nginx(text: &[u8]) {
    read_alone(&nginx::PROGRAM, text);
}

/// For [`super::PARSERS`].
pub(super) fn read_apache(text: &[u8]) {
    read_alone(&apache::PROGRAM, text);
}

/// For [`super::PARSERS`].
pub(super) fn read_haproxy(text: &[u8]) {
    read_alone(&haproxy::PROGRAM, text);
}
