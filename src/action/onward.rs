//! What follows from a change: a certificate that has come into service goes on to the stores of
//! secrets that its host names. It is told on the card and confirmed with it, and each delivery is
//! an action of its own, planned from what is there then. A private key never goes this way.

use super::plan::{Delivery, Plan, Promise};
use super::{Chosen, Find, Refusal, Target, Why, deliver};
use crate::fleet::Place;
use crate::inventory::SecretStore;

/// Adds to a plan what follows from it, if it brings a certificate into service.
pub(super) fn follow(target: &Target<'_>, chosen: &Chosen, plan: Plan) -> Plan {
    let brings = matches!(plan.promise, Promise::NewLeaf | Promise::Leaf(_) | Promise::Chain(_));
    if !brings {
        return plan;
    }
    let is_elsewhere = |it: &Place| {
        it.layers.disk.as_ref().is_some_and(|it| !it.location.as_str().starts_with('/'))
    };
    let hindrance = if chosen.get(STAGING).is_some() {
        Some("no client trusts what comes of a staging twin")
    } else if target.place.is_some_and(is_elsewhere) {
        Some("it is kept in no file of the host")
    } else {
        None
    };
    let stores = target.told.deliver.iter().filter_map(|it| target.inventory.secret_store(it));
    match hindrance {
        None => stores.fold(plan, then),
        Some(why) => stores.fold(plan, |plan, it| not(plan, it, why)),
    }
}

/// Adds the delivery to a store to what follows from a plan.
pub(super) fn then(mut plan: Plan, store: &SecretStore) -> Plan {
    match store.path_of(plan.host.as_str(), plan.name()) {
        Ok(path) => {
            let (name, kind) = (&store.name, store.kind.name());
            let text = format!("then delivered to {name} ({kind}) at {path}, without its key");
            plan.effect.push(text);
            plan.then.push(Delivery { store: name.clone(), path });
            plan
        }
        Err(why) => not(plan, store, &why),
    }
}

fn not(mut plan: Plan, store: &SecretStore, why: &str) -> Plan {
    plan.notes.push(format!("not delivered to {}: {why}", store.name));
    plan
}

/// Plans to deliver a certificate to a store, without its key.
pub fn delivery(target: &Target<'_>, store: &str) -> Result<Plan, Refusal> {
    let mut chosen = Chosen::default();
    chosen.set(deliver::TO, store);
    deliver::KIND.plan(target, &chosen)
}

impl Plan {
    /// Plans a delivery that follows from this plan, for what is in place now.
    pub fn onward(&self, delivery: &Delivery, find: Find<'_>) -> Result<Self, Refusal> {
        let lineage = self.place.as_ref().map(AsRef::as_ref);
        let gone = || Refusal::new(Why::Unknown, format!("{} is not known any more", self.host));
        let target = find.target(&self.host, lineage).ok_or_else(gone)?;
        let plan = self::delivery(&target, &delivery.store)?;
        // Nobody has seen another path, nor agreed to it.
        if plan.delivers.as_ref() != Some(delivery) || plan.source != self.source {
            let text = format!("{} is not what was confirmed any more", self.target());
            return Err(Refusal::new(Why::Unknown, text));
        }
        Ok(plan)
    }

    /// The command that does this delivery, if it is one.
    pub fn delivery_command(&self) -> Option<String> {
        let store = &self.delivers.as_ref()?.store;
        let key = if self.brings.as_ref().is_some_and(|it| it.key.is_some()) { KEY } else { "" };
        Some(format!("{} --to {store}{key}", command(&self.target())))
    }
}

/// The beginning of a command that delivers a certificate.
fn command(target: &str) -> String {
    format!("certdeck run deliver {}", crate::source::quote(target))
}

const KEY: &str = " --with-key";

/// The choice to order from a staging twin.
const STAGING: &str = "staging";

#[cfg(test)]
mod tests {
    use super::super::sample::{Sample, certificate, sample};
    use super::*;
    use crate::budget::History;
    use crate::fleet::DAY;

    const HERE: &str = "web-01/www.example.net";

    /// The same fleet, where the host delivers to these.
    fn delivering(stores: &[&str]) -> Sample {
        let mut it = sample();
        let host = it.inventory.hosts.iter_mut().find(|it| it.name.as_str() == "web-01").unwrap();
        host.deliver = stores.iter().map(|it| (*it).to_owned()).collect();
        it
    }

    #[test]
    fn what_comes_into_service_goes_on_to_the_stores_of_its_host() {
        let it = delivering(&["vault-main", "edge"]);
        let card = it.card("renew", &[]);
        let told: Vec<_> = card.lines().filter(|it| it.contains("delivered")).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        Effect then delivered to vault-main (vault-kv2) at certdeck/web-01/www.example.net, without its key
        Effect then delivered to edge (aws-secrets-manager) at tls/www.example.net, without its key
        ");
        let plan = it.plan("renew", HERE, &[]).unwrap();
        let of = |store: &str, path: &str| Delivery { store: store.into(), path: path.into() };
        let path = "certdeck/web-01/www.example.net";
        assert_eq!(plan.then, [of("vault-main", path), of("edge", "tls/www.example.net")]);
        let follows = |action: &str, choices: &[(&'static str, &str)]| {
            it.plan(action, HERE, choices).unwrap().then.len()
        };
        assert_eq!(follows("force-renew", &[]), 2);
        assert_eq!(follows("dry-run", &[]), 0);
        assert_eq!(follows("hook", &[("hook", "note")]), 0);
        assert_eq!(sample().plan("renew", HERE, &[]).unwrap().then, []);
    }

    #[test]
    fn what_no_store_should_have_does_not_follow() {
        let it = delivering(&["vault-main"]);
        let issue = [("authenticator", "standalone"), ("issuer", "letsencrypt")];
        assert_eq!(it.plan("issue", HERE, &issue).unwrap().then.len(), 1);
        let staging = [issue[0], issue[1], (STAGING, "yes"), ("names", "test.example.net")];
        let staging = it.plan("issue", "web-01/test.example.net", &staging).unwrap();
        assert_eq!(staging.then, []);
        let told = "not delivered to vault-main: no client trusts what comes of a staging twin";
        assert!(staging.notes.iter().any(|it| it == told), "{:?}", staging.notes);
        let mut odd = delivering(&["vault-main"]);
        odd.inventory.secret_stores[0].path = "tls//{name}".to_owned();
        let plan = odd.plan("renew", HERE, &[]).unwrap();
        assert_eq!(plan.then, []);
        assert!(plan.notes.iter().any(|it| it.starts_with("not delivered to vault-main: `tls//")));
    }

    #[test]
    fn a_delivery_that_follows_is_planned_from_what_is_there_then() {
        let it = delivering(&["vault-main"]);
        let confirmed = it.plan("renew", HERE, &[]).unwrap();
        let onward = |it: &Sample| {
            let history = &History::default();
            let now = super::super::sample::NOW;
            let find = Find { inventory: &it.inventory, fleet: &it.fleet, history, now };
            confirmed.onward(&confirmed.then[0], find)
        };
        let new = || certificate(3, -DAY, 89 * DAY);
        let renewed = |change: fn(&mut crate::fleet::Certificate)| {
            delivering(&["vault-main"]).with(|it| {
                let mut leaf = new();
                change(&mut leaf);
                let path = "/etc/letsencrypt/live/www.example.net/fullchain.pem";
                it.layers.disk = Some(super::super::sample::sighting(leaf, path));
            })
        };
        let plan = onward(&renewed(|_| ())).unwrap();
        assert_eq!(plan.expect, super::super::Expect::Leaf(new().sha256));
        assert_eq!(
            (plan.action.name, plan.brings.unwrap().key, plan.then.len()),
            ("deliver", None, 0)
        );
        let staging = renewed(|it| it.issuer = crate::text::SafeText::new("CN=(STAGING) R12"));
        assert!(onward(&staging).unwrap_err().text.contains("staging authority"));
        // What the inventory says by now is not what was confirmed.
        let mut moved = renewed(|_| ());
        moved.inventory.secret_stores[0].path = "elsewhere/{name}".to_owned();
        assert!(onward(&moved).unwrap_err().text.contains("not what was confirmed"));
        let gone = delivering(&[]).with(|it| it.layers.disk = None);
        assert!(onward(&gone).is_err());
    }

    #[test]
    fn the_command_that_delivers_again_is_told() {
        let choices: &[(&str, &str)] = &[("to", "edge")];
        let plan = sample().plan("deliver", HERE, choices).unwrap();
        let command = "certdeck run deliver 'web-01/www.example.net' --to edge";
        assert_eq!(plan.delivery_command().as_deref(), Some(command));
        assert_eq!(sample().plan("renew", HERE, &[]).unwrap().delivery_command(), None);
    }
}
