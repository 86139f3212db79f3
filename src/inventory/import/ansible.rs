//! The hosts of an Ansible inventory: INI, YAML, or the JSON of `ansible-inventory --list`. Only
//! what says how a host is reached is taken; templates are not evaluated.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Imported, ImportedHost, Kind, MAX_HOSTS, Names, ansible_ini};
use crate::inventory::grammar::{Grammar, HostText, LabelText, PathText, UserText};
use crate::inventory::{Become, Connection};

pub(super) const KIND: Kind = Kind {
    name: "ansible",
    about: "an Ansible inventory: INI, YAML, or JSON of `ansible-inventory --list`",
    read,
};

fn read(text: &str) -> Imported {
    let mut draft = Draft::default();
    match format(text) {
        Format::Ini => ansible_ini::read(text, &mut draft),
        Format::Json => match serde_json::from_str(text) {
            Ok(document) => draft.add_document(&document),
            Err(error) => draft.imported.skip(Some(error.line()), &format!("no JSON: {error}")),
        },
        Format::Yaml => match serde_saphyr::from_str_with_options(text, bounded()) {
            Ok(document) => draft.add_document(&document),
            Err(error) => {
                let line = error.location().map(|it| it.line());
                let line = line.and_then(|it| usize::try_from(it).ok());
                let text = error.without_snippet().to_string();
                draft.imported.skip(line, &format!("cannot be read as YAML: {text}"));
            }
        },
    }
    draft.finish()
}

enum Format {
    Ini,
    Json,
    Yaml,
}

/// The format, by the first line that says something.
fn format(text: &str) -> Format {
    let mut lines = text.lines().map(str::trim);
    match lines.find(|it| !it.is_empty() && !it.starts_with(['#', ';'])) {
        Some(line) if line.starts_with('{') => Format::Json,
        Some(line) if line.starts_with('[') => Format::Ini,
        Some(line) if line == "---" || line.ends_with(':') || line.contains(": ") => Format::Yaml,
        _ => Format::Ini,
    }
}

/// A few lines of YAML aliases can stand for gigabytes; host lists repeat little.
fn bounded() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_recorded_anchor_events: MAX_REPEATED },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
    }
}

/// What is known before groups are applied to hosts.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) imported: Imported,
    /// Names of hosts in the order of the file.
    order: Vec<String>,
    hosts: BTreeMap<String, Host>,
    groups: BTreeMap<String, Group>,
}

pub(super) type Vars = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Host {
    line: Option<usize>,
    groups: BTreeSet<String>,
    vars: Vars,
}

#[derive(Debug, Default)]
struct Group {
    parents: BTreeSet<String>,
    vars: Vars,
}

impl Draft {
    /// Adds hosts to a group; `pattern` may hold ranges.
    pub(super) fn add_host(
        &mut self,
        group: &str,
        pattern: &str,
        vars: &Vars,
        line: Option<usize>,
    ) {
        let Some(names) = ansible_ini::expand(pattern, MAX_HOSTS) else {
            let text = format!("`{pattern}` stands for more than {MAX_HOSTS} hosts");
            return self.imported.skip(line, &text);
        };
        for name in names {
            if !self.hosts.contains_key(&name) {
                if self.order.len() >= MAX_HOSTS {
                    return self.imported.skip(line, &format!("`{name}` is one host too many"));
                }
                self.order.push(name.clone());
            }
            let host = self.hosts.entry(name).or_insert_with(|| Host { line, ..Host::default() });
            host.groups.insert(group.to_owned());
            host.vars.extend(vars.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }

    /// Puts a group into another.
    pub(super) fn add_child(&mut self, group: &str, child: &str, line: Option<usize>) {
        if let Some(child) = self.group(child, line) {
            child.parents.insert(group.to_owned());
        }
    }

    /// Sets a variable for all hosts of a group.
    pub(super) fn add_var(&mut self, group: &str, key: &str, value: &str, line: Option<usize>) {
        if let Some(group) = self.group(group, line) {
            group.vars.insert(key.to_owned(), value.to_owned());
        }
    }

    fn group(&mut self, name: &str, line: Option<usize>) -> Option<&mut Group> {
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(name) {
            self.imported.skip(line, &format!("group `{name}` is one group too many"));
            return None;
        }
        Some(self.groups.entry(name.to_owned()).or_default())
    }

    /// Adds a whole document. YAML and JSON have the same shape, with maps in one where the
    /// other has lists.
    fn add_document(&mut self, document: &Value) {
        let Value::Object(document) = document else {
            return self.imported.skip(None, "there are no groups at the top");
        };
        for (name, body) in document {
            if name == "_meta" {
                for (host, vars) in entries(body.get("hostvars")) {
                    self.add_host("ungrouped", host, &scalars(Some(vars)), None);
                }
            } else {
                self.add_group(name, body, 0);
            }
        }
    }

    fn add_group(&mut self, name: &str, body: &Value, depth: usize) {
        if depth > MAX_DEPTH {
            return self.imported.skip(None, &format!("group `{name}` is too deep in others"));
        }
        // The oldest form of dynamic inventories: a group is a list of hosts.
        let hosts = if body.is_array() { Some(body) } else { body.get("hosts") };
        if !(body.is_array() || body.is_object() || body.is_null()) {
            self.imported.skip(None, &format!("group `{name}` holds no hosts"));
        }
        for (host, vars) in entries(hosts) {
            self.add_host(name, host, &scalars(Some(vars)), None);
        }
        for (child, inner) in entries(body.get("children")) {
            self.add_child(name, child, None);
            self.add_group(child, inner, depth + 1);
        }
        for (key, value) in scalars(body.get("vars")) {
            self.add_var(name, &key, &value, None);
        }
    }

    fn finish(mut self) -> Imported {
        let mut names = Names::default();
        for name in std::mem::take(&mut self.order) {
            let Some(host) = self.hosts.remove(&name) else { continue };
            let groups = self.general_to_near(&host.groups);
            let mut vars = Vars::new();
            for group in std::iter::once("all").chain(groups.iter().map(String::as_str)) {
                let known = self.groups.get(group).map(|it| &it.vars);
                vars.extend(known.into_iter().flatten().map(|it| (it.0.clone(), it.1.clone())));
            }
            vars.extend(host.vars);
            let mut reader =
                HostVars { name: &name, line: host.line, vars, out: &mut self.imported };
            if let Some(mut host) = reader.lower(&mut names) {
                let is_own = |it: &String| LabelText::fault(it).is_none();
                host.groups = groups.into_iter().filter(is_own).collect();
                self.imported.hosts.push(host);
            }
        }
        self.imported.skipped.sort_by_key(|it| it.line);
        self.imported
    }

    /// These groups and all that contain them; `all` and `ungrouped` say nothing.
    fn general_to_near(&self, groups: &BTreeSet<String>) -> Vec<String> {
        let mut ordered: Vec<_> = self
            .above(groups)
            .into_iter()
            .filter(|it| !["all", "ungrouped"].contains(&it.as_str()))
            // The more groups lie above one, the nearer it is to the host.
            .map(|it| (self.above(&BTreeSet::from([it.clone()])).len(), it))
            .collect();
        ordered.sort();
        ordered.into_iter().map(|it| it.1).collect()
    }

    /// These groups and all that contain them. Groups that contain each other are an error in
    /// Ansible; here they end the walk.
    fn above(&self, groups: &BTreeSet<String>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = groups.iter().collect();
        while let Some(group) = next.pop() {
            if seen.insert(group.clone()) {
                next.extend(self.groups.get(group).into_iter().flat_map(|it| &it.parents));
            }
        }
        seen
    }
}

/// The variables that hold for one host.
struct HostVars<'h> {
    name: &'h str,
    line: Option<usize>,
    vars: Vars,
    out: &'h mut Imported,
}

impl HostVars<'_> {
    fn lower(&mut self, names: &mut Names) -> Option<ImportedHost> {
        let connection = match self.vars.get("ansible_connection").map_or("ssh", String::as_str) {
            "ssh" | "smart" | "paramiko" | "paramiko_ssh" => Connection::Ssh,
            "local" => Connection::Local,
            other => {
                let text = format!("`{}` is reached by `{other}`, not over SSH", self.name);
                self.out.skip(self.line, &text);
                return None;
            }
        };
        let name = names.near(self.name);
        if name != self.name {
            self.out.skip(self.line, &format!("`{}` is called `{name}` here", self.name));
        }
        let address = self.text::<HostText>(&["ansible_host", "ansible_ssh_host"]);
        let port = self.value(&["ansible_port", "ansible_ssh_port"]).and_then(|(key, value)| {
            let port = value.parse().ok().filter(|it| *it != 0);
            if port.is_none() {
                self.leave_out(key, "a port is a number from 1 to 65535");
            }
            port
        });
        let keys = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
        let is_root = self.value(&["ansible_become"]).map(|(_, value)| is_true(&value));
        let r#become = is_root.map(|it| if it { Become::Sudo } else { Become::None });
        if connection == Connection::Local {
            // What holds for all hosts of a group is said of this one as well, and means nothing.
            return Some(ImportedHost { name, connection, r#become, ..ImportedHost::default() });
        }
        Some(ImportedHost {
            connection,
            address: address.filter(|it| *it != name),
            name,
            port,
            user: self.text::<UserText>(&["ansible_user", "ansible_ssh_user"]),
            identity_file: self.text::<PathText>(&keys),
            r#become,
            groups: Vec::new(),
        })
    }

    /// The first of these variables that is set, if it keeps to the grammar.
    fn text<G: Grammar>(&mut self, keys: &[&'static str]) -> Option<String> {
        let (key, value) = self.value(keys)?;
        let Some(fault) = G::fault(&value) else { return Some(value) };
        self.leave_out(key, &fault);
        None
    }

    /// The first of these variables that is set, unless it is a template.
    fn value(&mut self, keys: &[&'static str]) -> Option<(&'static str, String)> {
        let (key, value) = keys.iter().find_map(|it| Some((*it, self.vars.get(*it)?.clone())))?;
        if value.contains("{{") {
            self.leave_out(key, "templates are not evaluated");
            return None;
        }
        Some((key, value))
    }

    fn leave_out(&mut self, key: &str, why: &str) {
        self.out.skip(self.line, &format!("`{key}` of `{}` is left out: {why}", self.name));
    }
}

/// What Ansible takes for yes (`ansible.module_utils.parsing.convert_bool`).
fn is_true(value: &str) -> bool {
    ["y", "yes", "on", "1", "true", "t", "1.0"].contains(&value.to_ascii_lowercase().as_str())
}

/// The entries of a map, or the names of a list, which hold nothing.
fn entries(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let map = value.and_then(Value::as_object);
    let list = value.and_then(Value::as_array);
    let named = list.into_iter().flatten().filter_map(|it| Some((it.as_str()?, &Value::Null)));
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).chain(named)
}

/// The variables whose values are plain.
fn scalars(value: Option<&Value>) -> Vars {
    let text = |value: &Value| match value {
        Value::String(it) => Some(it.clone()),
        Value::Number(it) => Some(it.to_string()),
        Value::Bool(it) => Some(it.to_string()),
        _ => None,
    };
    entries(value).filter_map(|(key, value)| Some((key.to_owned(), text(value)?))).collect()
}

/// The most parts of a YAML file that aliases may repeat.
const MAX_REPEATED: usize = 50_000;
/// Deeper than groups are nested by people.
const MAX_DEPTH: usize = 32;
/// More groups than anybody names, and few enough to compare each with each.
const MAX_GROUPS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const INI: &str = r#"
# a comment
; another
bastion.example.net:2222 ansible_user=ops
[web]
web[01:03].example.net   # three of them
db-[a:c] ansible_host="10.0.0.7"
[web:vars]
ansible_user = deploy
ansible_port = 22022
[edge:children]
web
[edge:vars]
ansible_become = yes
ansible_user = nobody
[other]
local ansible_connection=local ansible_host=127.0.0.1
box ansible_connection=docker
tpl ansible_host="{{ x }}" ansible_port=0
"bad name"
"#;

    fn by_name<'a>(imported: &'a Imported, name: &str) -> &'a ImportedHost {
        imported.hosts.iter().find(|it| it.name == name).unwrap()
    }

    #[test]
    fn ini_is_read() {
        let imported = read(INI);
        let names: Vec<_> = imported.hosts.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "bastion.example.net",
                "web01.example.net",
                "web02.example.net",
                "web03.example.net",
                "db-a",
                "db-b",
                "db-c",
                "local",
                "tpl",
                "bad-name"
            ]
        );
        let bastion = by_name(&imported, "bastion.example.net");
        assert_eq!((bastion.port, bastion.user.as_deref()), (Some(2222), Some("ops")));
        assert_eq!(bastion.groups, Vec::<String>::new());
        let local = by_name(&imported, "local");
        assert_eq!((local.connection, &local.address), (Connection::Local, &None));
        let web = by_name(&imported, "db-a");
        let expect = ImportedHost {
            name: "db-a".into(),
            connection: Connection::Ssh,
            address: Some("10.0.0.7".into()),
            port: Some(22022),
            user: Some("deploy".into()),
            identity_file: None,
            r#become: Some(Become::Sudo),
            groups: vec!["edge".into(), "web".into()],
        };
        assert_eq!(*web, expect);
        let notes: Vec<_> = imported.skipped.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "line 18: `box` is reached by `docker`, not over SSH",
                "line 19: `ansible_host` of `tpl` is left out: templates are not evaluated",
                "line 19: `ansible_port` of `tpl` is left out: a port is a number from 1 to 65535",
                "line 20: `bad name` is called `bad-name` here",
            ]
        );
    }

    #[test]
    fn yaml_is_read() {
        let imported = read(
            "---
all:
  vars:
    ansible_user: ops
  hosts:
    mail.example.net:
  children:
    prod:
      children:
        web:
          hosts:
            web[1:2].example.net:
              ansible_host: 192.0.2.1
              ansible_port: 2222
              ansible_ssh_private_key_file: ~/.ssh/web
              ansible_become: true
              http:
                port: 80
      vars: {ansible_user: deploy, secret: !vault '$ANSIBLE_VAULT;1.1;AES256'}
    empty:
",
        );
        assert_eq!(imported.skipped, []);
        let [mail, web, _] = imported.hosts.as_slice() else { panic!("{imported:?}") };
        assert_eq!((mail.user.as_deref(), mail.groups.len()), (Some("ops"), 0));
        let expect = ImportedHost {
            name: "web1.example.net".into(),
            connection: Connection::Ssh,
            address: Some("192.0.2.1".into()),
            port: Some(2222),
            user: Some("deploy".into()),
            identity_file: Some("~/.ssh/web".into()),
            r#become: Some(Become::Sudo),
            groups: vec!["prod".into(), "web".into()],
        };
        assert_eq!(*web, expect);
    }

    #[test]
    fn json_is_read() {
        let imported = read(
            r#"{
  "_meta": {"hostvars": {"a.example.net": {"ansible_host": "192.0.2.1", "ansible_port": 2222}}},
  "all": {"children": ["ungrouped", "web"]},
  "web": {"hosts": ["a.example.net", "b.example.net"], "vars": {"ansible_become": "no"}},
  "old": ["b.example.net"]
}"#,
        );
        let a = by_name(&imported, "a.example.net");
        assert_eq!((a.port, a.address.as_deref()), (Some(2222), Some("192.0.2.1")));
        assert_eq!(
            (a.groups.as_slice(), a.r#become),
            (&["web".to_owned()][..], Some(Become::None))
        );
        let b = by_name(&imported, "b.example.net");
        assert_eq!(b.groups, ["old", "web"]);
    }

    #[track_caller]
    fn skips(text: &str, note: &str) {
        let imported = read(text);
        let notes: Vec<_> = imported.skipped.iter().map(ToString::to_string).collect();
        assert!(notes.iter().any(|it| it.contains(note)), "{notes:?}");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        skips("{ \"all\": ", "no JSON");
        skips(
            "all:
  hosts:
   - a
  - b
",
            "cannot be read as YAML",
        );
        skips(
            "all: 5
",
            "group `all` holds no hosts",
        );
        skips(
            "--- 
- a
",
            "there are no groups at the top",
        );
        skips(
            "[web
a", "line 1: ",
        );
        skips("a 'b", "line 1: a quote is never closed");
        skips("web[0:99999999]", "more than 10000 hosts");
        skips(
            "[a:wat]
x",
            "line 1: ",
        );
    }

    #[test]
    fn groups_that_contain_each_other_come_to_an_end() {
        let imported = read(
            "[a]
x
[a:children]
b
[b:children]
a
",
        );
        assert_eq!(imported.hosts[0].groups, ["a", "b"]);
    }

    #[test]
    fn aliases_cannot_blow_up() {
        let mut text = String::from(
            "a0: &a0 {x: 1, y: 2}
",
        );
        for level in 1..60 {
            let below = format!("*a{}", level - 1);
            text += &[&format!("a{level}: &a{level} ["), &*[&*below; 4].join(", "), "]\n"].concat();
        }
        skips(&text, "cannot be read as YAML");
    }
}
