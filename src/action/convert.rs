//! `convert`.

use std::fmt::Write as _;

use super::card::{self, Lineage};
use super::certbot::{Certbot, checked_name, is_exact};
use super::dry_run;
use super::plan::{Command, Expect, Promise};
use super::{
    Choice, Chosen, Kind, Offer, Plan, Refusal, Subject, Target, Tier, Why, issue, script,
};
use crate::budget::authority::of_directory;
use crate::fleet::{Place, ProblemKind, Renewal};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "convert",
    keys: "a v",
    title: "convert",
    about: "let a lineage issued by hand renew by itself",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[
        Choice {
            name: "authenticator",
            value: "METHOD",
            about: "webroot, standalone, dns-PLUGIN, or what another lineage of the host uses",
            is_required: false,
            offers,
        },
        Choice {
            name: "webroot",
            value: "FOLDER",
            about: "the folder that is served at port 80, for webroot",
            is_required: false,
            offers: webroots,
        },
        Choice {
            name: "credentials",
            value: "FILE",
            about: "for dns-PLUGIN: its file of credentials on the host; else that of another lineage",
            is_required: false,
            offers: |_| Vec::new(),
        },
    ],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    let certbot = Certbot::of(target)?;
    let lineage = Lineage::of(target)?;
    let place = lineage.place;
    let name = checked_name(place.name.as_str())?;
    if let Some(broken) = lineage.problem(ProblemKind::BrokenConf) {
        let text = format!("certbot skips {name}: {}", broken.text);
        let hint = "`issue` writes a new renewal configuration";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    let Some(renewal) = &place.renewal else {
        let text = format!("how {name} renews could not be read");
        return Err(Refusal::new(Why::Unknown, text));
    };
    if renewal.is_unattended {
        let own = renewal.authenticator.as_ref().map_or("its method", SafeText::as_str);
        let text = format!("{name} renews by itself already, by {own}");
        let hint = "`dry-run` tries whether it works; `issue` orders by another method";
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    if let Some(newest) = lineage.pending() {
        let text = format!("certbot leads the links of {name} to version {newest} with any run");
        let hint = format!("`rollback --to {newest}` leads them there first");
        return Err(Refusal::new(Why::Pointless, text).hint(hint));
    }
    let method = method(target, chosen, &lineage)?;
    let server = renewal.server.as_ref().map_or("", SafeText::as_str);
    let proof = dry_run::command(target, &certbot, name, server);
    let is_new = certbot.version().is_some_and(|it| it >= RECONFIGURE);
    let is_known = of_directory(server).is_some();
    let conf = certbot.conf(name);
    let was = renewal.authenticator.as_ref().map_or("manual", SafeText::as_str);
    let mut effect = vec![format!("{name} renews by {} from now on; it was {was}", method.title)];
    let stamp = script::stamp(target.now);
    let (command, undo) = if is_new && is_known {
        effect.push(
            "certbot reconfigure tries it dry, and writes it only if that goes well".to_owned(),
        );
        let command = certbot.reconfigure(name, method.argv);
        (command, format!("certbot reconfigure --cert-name {name} with what it was"))
    } else {
        effect.push(format!("{conf} is written, then a dry run tries it; if that fails, the file from before is put back"));
        let mut argv: Vec<String> = ["/bin/sh", "-c"].map(str::to_owned).into();
        argv.extend([script::with_files(CONVERT), "convert".to_owned(), stamp.clone()]);
        argv.extend([conf.clone(), method.settings, method.like.unwrap_or_default()]);
        argv.extend(proof.argv);
        (Command { argv, env: Vec::new() }, script::undo(&stamp))
    };
    effect.push(
        "pre and post hooks run for real in the dry run; no certificate is written".to_owned(),
    );
    let mut notes = lineage.notes();
    notes.extend(method.notes);
    Ok(Plan {
        effect,
        cost: "nothing in production: the dry run asks the staging twin".to_owned(),
        undo,
        proof: "a dry run goes well, and certbot needs nobody at the keyboard".to_owned(),
        notes,
        files: vec![conf, certbot.log()],
        commands: vec![command],
        expect: Expect::Leaf(lineage.leaf.sha256),
        promise: Promise::Renewable,
        ..card::blank(&KIND, target, Some(&certbot))
    })
}

/// How control is proven from now on.
struct Method {
    title: String,
    /// For certbot.
    argv: Vec<String>,
    /// For the renewal configuration, line by line.
    settings: String,
    /// The configuration whose settings of the plugin are taken over.
    like: Option<String>,
    notes: Vec<String>,
}

fn method(target: &Target<'_>, chosen: &Chosen, lineage: &Lineage<'_>) -> Result<Method, Refusal> {
    let bad = |text: String, hint: &str| Err(Refusal::new(Why::BadRequest, text).hint(hint));
    let is_wild = lineage.leaf.names.iter().any(|it| it.as_str().starts_with("*."));
    let wanted = chosen.get("authenticator");
    let like = wanted.and_then(|wanted| {
        others(target).find(|it| it.1.authenticator.as_ref().is_some_and(|it| it == wanted))
    });
    let is_own = ["webroot", "standalone"].iter().any(|it| wanted == Some(it));
    let is_dns = wanted.is_some_and(|it| it.starts_with("dns-"));
    if is_wild && wanted.is_some() && !is_dns {
        return bad(
            "a wildcard can only be proven in the DNS".to_owned(),
            "--authenticator dns-PLUGIN",
        );
    }
    let port_80 = target.host.listeners.iter().any(|it| it.port == 80);
    if wanted == Some("standalone") && port_80 {
        let text =
            format!("something listens at port 80 of {}, which standalone needs", target.host.name);
        return Err(
            Refusal::new(Why::Pointless, text).hint("--authenticator webroot --webroot FOLDER")
        );
    }
    let (title, argv, notes) = match (wanted, like) {
        // What certbot knows by other lineages alone, as `nginx`.
        (Some(wanted), Some(_)) if !is_own && !is_dns => {
            if chosen.get("webroot").is_some()
                || !wanted.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            {
                return bad(
                    format!("{} uses no webroot", SafeText::new(wanted)),
                    "leave --webroot out",
                );
            }
            let argv = ["--authenticator", wanted].map(str::to_owned).into();
            (wanted.to_owned(), argv, Vec::new())
        }
        _ => {
            let method = issue::method(target, chosen, is_wild)?;
            (method.title, method.argv, method.notes)
        }
    };
    let mut settings = String::new();
    for pair in argv.chunks(2) {
        let [option, value] = pair else { continue };
        let value = match option.as_str() {
            "--webroot-path" => format!("{value},"),
            _ => value.clone(),
        };
        // A list, a comment or a quote to configobj, which reads the file.
        if value.trim_end_matches(',').contains([',', '#', '"', '\'', '\n']) {
            return bad(
                format!(
                    "`{}` cannot stand in {}'s configuration",
                    SafeText::new(&value),
                    lineage.place.name
                ),
                "choose a path of letters, digits, dots and dashes",
            );
        }
        let key = option.trim_start_matches('-').replace('-', "_");
        let _ = writeln!(settings, "{key} = {value}");
    }
    let like = like.filter(|_| is_dns && chosen.get("credentials").is_none());
    let like = like.map(|it| &it.0.name).filter(|it| is_exact(it));
    let certbot = Certbot::of(target)?;
    Ok(Method { title, argv, settings, like: like.map(|it| certbot.conf(it.as_str())), notes })
}

/// The lineages of the host that renew by themselves.
fn others<'a>(target: &Target<'a>) -> impl Iterator<Item = (&'a Place, &'a Renewal)> {
    let of_certbot = target.host.places.iter().filter(|it| it.source == super::certbot::KIND);
    let renewed = of_certbot.filter_map(|it| Some((it, it.renewal.as_ref()?)));
    renewed.filter(|it| it.1.is_unattended && it.1.is_enabled)
}

fn offers(target: &Target<'_>) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for (place, renewal) in others(target) {
        let Some(method) = &renewal.authenticator else { continue };
        if offers.iter().all(|it| it.value != method.as_str()) {
            offers.push(Offer::new(method.as_str(), format!("as {} on this host", place.name)));
        }
    }
    let known = [
        Offer::new("webroot", "files in a folder that a server serves at port 80"),
        Offer::new("standalone", "certbot's own server at port 80, which must be free"),
    ];
    for it in known {
        if offers.iter().all(|other| other.value != it.value) {
            offers.push(it);
        }
    }
    offers
}

fn webroots(target: &Target<'_>) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    for (place, renewal) in others(target) {
        let Some(folder) = &renewal.webroot else { continue };
        if offers.iter().all(|it| it.value != folder.as_str()) {
            offers.push(Offer::new(folder.as_str(), format!("as {} on this host", place.name)));
        }
    }
    offers
}

/// `certbot reconfigure` came with certbot 2.3.0 (its changelog, 2023-02-08).
const RECONFIGURE: (u32, u32) = (2, 3);

/// Arguments: the stamp, the renewal configuration, its new lines, another configuration whose
/// settings of the plugin are taken over, and the dry run.
const CONVERT: &str = r#"
conf=$2 settings=$3 like=$4
shift 4
[ -f "$conf" ] && [ -w "$conf" ] || refuse "$conf is no file that can be written"
begin
edit() { settings=$settings like=$like awk '
  BEGIN {
    n = split(ENVIRON["settings"], lines, "\n")
    for (i = 1; i <= n; i++) if (lines[i] ~ /^authenticator = dns-/) { plugin = substr(lines[i], 17); gsub(/-/, "_", plugin) }
    if (plugin != "" && ENVIRON["like"] != "")
      while ((getline line < ENVIRON["like"]) > 0) if (index(line, plugin "_") == 1) lines[++n] = line
  }
  /^[ \t]*\[\[webroot_map\]\]/ { map = 1; next }
  /^[ \t]*\[/ { map = 0 }
  map { next }
  /^[ \t]*(authenticator|webroot_path|pref_challs|manual_[a-z_]+)[ \t]*=/ { next }
  { print }
  /^[ \t]*\[renewalparams\]/ { for (i = 1; i <= n; i++) if (lines[i] != "") { print lines[i]; done = 1 } }
  END { if (!done) exit 1 }
' "$conf"; }
edit >"$B/edited" || refuse "$conf has no [renewalparams]"
diff "$conf" "$B/edited"
swap "$conf" cat "$B/edited"
rm -f "$B/edited"
"$@" || back "the dry run failed"
"#;

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, place, sample};
    use super::*;
    use crate::fleet::{Listen, Seen};

    fn manual(change: impl FnOnce(&mut Place)) -> Sample {
        sample().with(|it| {
            let renewal = it.renewal.as_mut().unwrap();
            renewal.is_unattended = false;
            renewal.authenticator = Some(SafeText::new("manual"));
            change(it);
        })
    }

    const BY: &[(&str, &str)] = &[("webroot", "/srv/www")];

    #[test]
    fn the_configuration_is_written_and_tried() {
        let fleet = manual(|_| ());
        let plan = fleet.plan("convert", "web-01/www.example.net", BY).unwrap();
        let [only] = &plan.commands[..] else { panic!("{:?}", plan.commands) };
        let conf = "/etc/letsencrypt/renewal/www.example.net.conf";
        let settings = "authenticator = webroot\nwebroot_path = /srv/www,\n";
        assert_eq!(only.argv[5..8], [conf, settings, ""]);
        let dry =
            "certbot renew -n --no-random-sleep-on-renew --cert-name www.example.net --dry-run";
        assert_eq!(only.argv[8..].join(" "), dry);
        assert_eq!(plan.promise, Promise::Renewable);
    }

    #[test]
    fn newer_certbots_do_it_themselves() {
        let mut fleet = manual(|_| ());
        let places = fleet.fleet.hosts().next().unwrap().places.clone();
        let mut automation = super::super::sample::automation();
        automation.version = Some(SafeText::new("2.11.0"));
        let automation = vec![automation];
        fleet.see("web-01", Seen { places, automation, ..Seen::default() });
        let plan = fleet.plan("convert", "web-01/www.example.net", BY).unwrap();
        assert_eq!(
            plan.commands[0].line(),
            "certbot reconfigure -n --cert-name www.example.net --authenticator webroot --webroot-path /srv/www"
        );
    }

    #[test]
    fn what_another_lineage_uses_is_taken_over() {
        let mut fleet = manual(|_| ());
        let mut places = fleet.fleet.hosts().next().unwrap().places.clone();
        let mut other = place();
        other.name = SafeText::new("other");
        other.renewal.as_mut().unwrap().authenticator = Some(SafeText::new("dns-rfc2136"));
        places.push(other);
        fleet.see("web-01", Seen { places, ..Seen::default() });
        let by = [("authenticator", "dns-rfc2136")];
        let plan = fleet.plan("convert", "web-01/www.example.net", &by).unwrap();
        assert_eq!(
            plan.commands[0].argv[6..8],
            ["authenticator = dns-rfc2136\n", "/etc/letsencrypt/renewal/other.conf"]
        );
    }

    #[test]
    fn what_cannot_renew_is_refused() {
        sample().refuses("convert", BY, Why::Pointless, "by itself already");
        manual(|_| ()).refuses("convert", &[], Why::BadRequest, "by which method");
        manual(|_| ()).refuses(
            "convert",
            &[("authenticator", "nginx")],
            Why::BadRequest,
            "no method `nginx`",
        );
        let mut busy = manual(|_| ());
        let places = busy.fleet.hosts().next().unwrap().places.clone();
        let listeners = vec![Listen { address: std::net::IpAddr::from([0, 0, 0, 0]), port: 80 }];
        busy.see("web-01", Seen { places, listeners, ..Seen::default() });
        busy.refuses("convert", &[("authenticator", "standalone")], Why::Pointless, "port 80");
        let odd = [("webroot", "/srv/a,b")];
        manual(|_| ()).refuses("convert", &odd, Why::BadRequest, "cannot stand");
    }
}
