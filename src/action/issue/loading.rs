//! What makes services use a version of our store: servers that are led to it, files that are
//! written anew, a hook.

use super::super::Target;
use super::super::card::{self, Lineage};
use super::super::certbot::Hook;
use super::super::repoint::{self, Paths};
use super::super::server::{self, Serving};
use super::super::store::Steps;
use crate::fleet::{Install, InstallKind, Load, Site};
use crate::text::SafeText;

/// What is known of how a lineage is to be loaded.
pub(super) struct Loading<'a> {
    /// The names that it is for.
    pub(super) names: &'a [String],
    pub(super) installs: Vec<Install>,
    pub(super) hook: Option<Hook>,
    /// Whether servers that load other files for these names are told to load it.
    pub(super) is_served: bool,
}

impl Loading<'_> {
    /// What makes services use it, and what is left to people.
    pub(super) fn steps<'t>(
        &self,
        target: &'t Target<'t>,
        live: &str,
        old: Option<Lineage<'t>>,
    ) -> (Steps<'t>, Vec<String>) {
        let mut steps = Steps {
            installs: self.installs.clone(),
            hooks: self.hook.iter().cloned().collect(),
            ..Steps::default()
        };
        let mut told = Vec::new();
        let (certificate, key) = (format!("{live}/fullchain.pem"), format!("{live}/privkey.pem"));
        let paths = Paths { certificate: &certificate, key: &key, folder: live };
        let is_asked = |site: &Site| {
            let mut names = site.names.iter();
            names.any(|it| self.names.iter().any(|name| card::covers(name, it.as_str())))
        };
        for serving in server::named(target.host, None) {
            let sites = serving.server.sites.iter();
            let loads = sites.flat_map(|site| site.loads.iter().map(move |it| (site, it)));
            let mut of_ours = Vec::new();
            for (site, load) in loads {
                let path = load.certificate.as_str();
                let is_ours = path.starts_with(&format!("{live}/"))
                    || old.is_some_and(|it| it.place.has_file(path))
                    || steps.installs.iter().any(|it| it.path == load.certificate);
                if is_ours {
                    of_ours.push((site, load));
                } else if self.is_served && is_asked(site) {
                    match self.serve(target, &serving, site, load, &paths, &mut steps) {
                        Ok(()) => of_ours.push((site, load)),
                        Err(why) => told.push(why),
                    }
                }
            }
            // A hook that is known to reload does it for servers that are left as they are.
            if !of_ours.is_empty() {
                steps.showing.push(Serving { sites: of_ours.clone(), ..serving.clone() });
            }
            let is_changed = !steps.edits.is_empty() || !steps.installs.is_empty();
            if !of_ours.is_empty() && (is_changed || !card::reloads(&steps.hooks)) {
                steps.servings.push(Serving { sites: of_ours, ..serving });
            }
        }
        told.sort();
        told.dedup();
        (steps, told)
    }

    /// Lets a server load it where it loads another file for one of its names.
    fn serve<'t>(
        &self,
        target: &Target<'_>,
        serving: &Serving<'t>,
        site: &Site,
        load: &'t Load,
        paths: &Paths<'_>,
        steps: &mut Steps<'t>,
    ) -> Result<(), String> {
        let path = &load.certificate;
        let left = |why: String| format!("{} goes on with {path}: {why}", serving.server.kind);
        let is_covered =
            |it: &SafeText| self.names.iter().any(|name| card::covers(name, it.as_str()));
        let is_name = |it: &&SafeText| !it.as_str().starts_with(['~', '_', '*', '.']);
        if path.as_str().starts_with(&format!("{}/", lineages(paths.folder))) {
            let why = "that is another lineage of ours; `repoint` leads it elsewhere";
            return Err(left(why.to_owned()));
        }
        if let Some(lost) = site.names.iter().filter(is_name).find(|it| !is_covered(it)) {
            return Err(left(format!("it serves {lost}, too, which is not ordered")));
        }
        if serving.server.kind == "haproxy" {
            let loaded = target.host.loaded.iter().find(|it| it.path == *path);
            let leaf = loaded.and_then(|it| it.chain.as_ref().ok()).map(|it| &it.leaf);
            let leaf = leaf.ok_or_else(|| left("what is in it is not known".to_owned()))?;
            if let Some(lost) = leaf.names.iter().find(|it| !is_covered(it)) {
                return Err(left(format!("it is for {lost}, too, which is not ordered")));
            }
            let separate = load.key.as_ref().filter(|it| *it != path);
            let kinds = match separate {
                None => vec![(InstallKind::Combined, path)],
                Some(key) => vec![(InstallKind::Key, key), (InstallKind::Certificate, path)],
            };
            for (kind, path) in kinds {
                let it = Install { kind, path: path.clone() };
                if !steps.installs.contains(&it) {
                    steps.installs.push(it);
                }
            }
            return Ok(());
        }
        let edit = repoint::edit(serving.clone(), load, paths).map_err(|it| left(it.text))?;
        let is_it = |it: &repoint::Edit<'_>| (&it.file, &it.pairs) == (&edit.file, &edit.pairs);
        if !steps.edits.iter().any(is_it) {
            steps.edits.push(edit);
        }
        Ok(())
    }
}

/// The folder of all lineages, from that of one.
fn lineages(live: &str) -> &str {
    live.rsplit_once('/').map_or(live, |it| it.0)
}
