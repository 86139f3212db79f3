//! Configurations for the tests of this room: files as a host shows them, sites as lines.

use super::super::found::Found;
use super::super::{Frame, Section};
use super::files::{self, Files};
use super::{Program, Root, Told};
use crate::fleet::{Load, Problem, Site};
use crate::text::SafeText;

/// Reads files as that server does that opens the first of them first; gives every site as
/// `names | addresses | certificates with their keys and chains`, and what is wrong.
pub(super) fn read(
    program: &Program,
    base: &str,
    args: &[&str],
    texts: &[(&str, &str)],
) -> (Vec<String>, Vec<Problem>) {
    let (sites, problems) = sites(program, base, args, texts);
    (sites.iter().map(line).collect(), problems)
}

/// The ports at which anybody can ask the sites of one file.
pub(super) fn doors(program: &Program, text: &str) -> Vec<u16> {
    let (sites, problems) = sites(program, "/etc/x", &[], &[("/etc/x/x.conf", text)]);
    assert!(problems.is_empty(), "{problems:?}");
    sites.iter().flat_map(Site::doors).map(|it| it.port).collect()
}

fn sites(
    program: &Program,
    base: &str,
    args: &[&str],
    texts: &[(&str, &str)],
) -> (Vec<Site>, Vec<Problem>) {
    let mut frames = Vec::new();
    for (path, text) in texts {
        frames.push(Frame { word: b"file", key: path.as_bytes(), body: text.as_bytes() });
        frames.push(Frame { word: b"glob", key: path.as_bytes(), body: path.as_bytes() });
    }
    let section = Section { clock: None, frames };
    let (found, globs) = (Found::new(&section), files::globs(&section));
    let root = Root { path: texts[0].0.to_owned(), base: base.to_owned() };
    let args = args.iter().map(|it| (*it).to_owned()).collect();
    let told = Told { roots: vec![root], args, ..Told::default() };
    let mut files = Files::new(&found, &globs);
    let sites = (program.read)(&mut files, &told);
    (sites, files.problems)
}

fn line(site: &Site) -> String {
    let names: Vec<_> = site.names.iter().map(SafeText::as_str).collect();
    let listens: Vec<_> =
        site.listens.iter().map(|it| format!("{}:{}", it.address, it.port)).collect();
    let load = |it: &Load| {
        let files = [Some(&it.certificate), it.key.as_ref(), it.chain.as_ref()];
        files.into_iter().flatten().map(SafeText::as_str).collect::<Vec<_>>().join("+")
    };
    let loads: Vec<_> = site.loads.iter().map(load).collect();
    format!("{} | {} | {}", names.join(" "), listens.join(" "), loads.join(" "))
}
