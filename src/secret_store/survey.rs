//! What stores hold of the certificates that are delivered to them: read, and compared by nobody
//! here. A store that does not answer in time, or cannot be opened, is not known.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::{Fault, Found, Store};
use crate::clock::Clock;
use crate::fleet::{self, Fleet, Held, HostName, Place, PlaceName, Reach, Stored};
use crate::inventory::{self, Inventory};
use crate::text::SafeText;

/// What was seen in stores.
#[derive(Debug, Default)]
pub struct Seen {
    /// Of each place, what each of its stores holds.
    pub places: Vec<(HostName, PlaceName, Vec<Stored>)>,
    /// Of each store that could not be asked, why.
    pub silent: Vec<SafeText>,
}

/// Looks into the stores that hosts of the inventory deliver to, all at the same time.
pub async fn survey(
    inventory: &Inventory,
    fleet: &Fleet,
    clock: Clock,
    patience: Duration,
) -> Seen {
    let until = Instant::now() + patience;
    let wanted = wanted(inventory, fleet);
    let of_store = |told: &inventory::SecretStore| {
        let all = wanted.iter().filter(|it| it.stores.contains(&told.name));
        all.filter_map(|it| Some((it.at, told.path_of(it.host.as_str(), it.name.as_str()).ok()?)))
            .collect::<Vec<_>>()
    };
    let asked = inventory.secret_stores.iter().map(|told| (told, of_store(told)));
    let asked = asked.filter(|it| !it.1.is_empty());
    let mut answers: stream::FuturesUnordered<_> =
        asked.map(|(told, paths)| ask(told, paths, clock, until)).collect();
    let mut seen = Seen::default();
    let mut stored: Vec<Vec<Stored>> = wanted.iter().map(|_| Vec::new()).collect();
    while let Some((all, silent)) = answers.next().await {
        seen.silent.extend(silent);
        for (at, it) in all {
            if let Some(of_place) = stored.get_mut(at) {
                of_place.push(it);
            }
        }
    }
    seen.silent.sort();
    for (it, mut stored) in wanted.iter().zip(stored) {
        stored.sort_by(|a, b| a.store.cmp(&b.store));
        seen.places.push((it.host.clone(), it.name.clone(), stored));
    }
    seen
}

/// A place whose certificate is delivered.
struct Wanted<'a> {
    /// Its place in the list.
    at: usize,
    host: &'a HostName,
    name: &'a PlaceName,
    stores: &'a [String],
}

/// The places that were read, and whose certificates go somewhere. A file beside a lineage with
/// the same certificate is a copy of it, and of two lineages with one name that of our own counts.
fn wanted<'a>(inventory: &'a Inventory, fleet: &'a Fleet) -> Vec<Wanted<'a>> {
    let is_original = |host: &fleet::Host, place: &Place| {
        let Some(disk) = &place.layers.disk else { return false };
        let leaf = disk.chain.leaf.sha256;
        let has_it = |it: &Place| {
            it.layers.disk.as_ref().is_some_and(|it| it.chain.leaf.sha256 == leaf)
                && it.renewal.is_some()
        };
        let is_copy = place.renewal.is_none() && host.places.iter().any(has_it);
        let is_hidden =
            !place.is_own() && host.places.iter().any(|it| it.name == place.name && it.is_own());
        disk.location.as_str().starts_with('/') && !is_copy && !is_hidden
    };
    let mut all = Vec::new();
    for told in inventory.hosts.iter().filter(|it| !it.deliver.is_empty()) {
        let host = fleet.host(&told.name).filter(|it| it.reach == Reach::Up);
        for (host, place) in host.iter().flat_map(|it| it.places.iter().map(move |at| (it, at))) {
            if is_original(host, place) {
                let (at, stores) = (all.len(), told.deliver.as_slice());
                all.push(Wanted { at, host: &host.name, name: &place.name, stores });
            }
        }
    }
    all
}

/// Asks one store about its paths. What is not answered in time is not known, and neither is the
/// rest once it cannot be asked at all.
async fn ask(
    told: &inventory::SecretStore,
    paths: Vec<(usize, String)>,
    clock: Clock,
    until: Instant,
) -> (Vec<(usize, Stored)>, Option<SafeText>) {
    let now = clock.now();
    let name = SafeText::new(&told.name);
    let unknown =
        |path: &str| Stored { store: name.clone(), path: SafeText::new(path), held: None, at: now };
    let mut all: Vec<_> = paths.iter().map(|(at, path)| (*at, unknown(path))).collect();
    let mut why = None;
    let looked = async {
        let store = Store::open(told, clock).await?;
        let mut looks = Vec::new();
        for (number, (_, path)) in paths.iter().enumerate() {
            looks.push(look(&store, number, path));
        }
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some((number, found)) = looks.next().await {
            match found {
                Ok(found) => {
                    if let Some((_, stored)) = all.get_mut(number) {
                        stored.held = Some(held(found));
                    }
                }
                // What it does not let us read here, it may let us read elsewhere.
                Err(fault) if fault.name == "forbidden" => {
                    why.get_or_insert(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    };
    let fault = match timeout_at(until, looked).await {
        Ok(Ok(())) => why.map(|it| it.text),
        Ok(Err(Fault { text, .. })) => Some(text),
        Err(_) => Some(SafeText::new("it has not answered in time")),
    };
    let silent = fault.map(|it| {
        SafeText::new(&format!("what {name} holds is not known, or not all of it: {it}"))
    });
    (all, silent)
}

/// What lies at one path, with its number.
async fn look(store: &Store, number: usize, path: &str) -> (usize, Result<Found, Fault>) {
    (number, store.look(path).await)
}

fn held(found: Found) -> Held {
    let version = found.version.filter(|it| !it.is_empty());
    found.kept.unwrap_or_default().held(version.map(|it| SafeText::capped(&it, 64)))
}

/// A store has better things to do.
const AT_ONCE: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use tokio::net::TcpListener;

    use super::*;
    use crate::fleet::{Chain, Host, Moment, Renewal, Roots, Sighting};

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// A host with a lineage, a file that is a copy of it, and one that is not.
    fn fleet() -> Fleet {
        let chain = |name: &str| {
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let leaf = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            Arc::new(Chain::read(&[leaf.der().clone()], &Roots::public()).unwrap())
        };
        let place = |source, name: &str, chain: &Arc<Chain>| {
            let mut place = Place::new(source, PlaceName::new(name));
            let location = SafeText::new("/x.pem");
            place.layers.disk = Some(Sighting { chain: Arc::clone(chain), location, at: NOW });
            place
        };
        let (own, other) = (chain("a.test"), chain("b.test"));
        let lineage =
            Place { renewal: Some(Renewal::default()), ..place("certbot", "a.test", &own) };
        let mut host = Host::new(HostName::new("a"), "a", &[]);
        host.reach = Reach::Up;
        host.places =
            vec![lineage, place("pem", "/tls/copy.pem", &own), place("pem", "/tls/b.pem", &other)];
        let mut fleet = Fleet::new([host.clone()]);
        fleet.recall(host);
        fleet
    }

    /// Of a store that is silent nothing is known when the time is up, and others count.
    #[tokio::test]
    async fn a_silent_store_keeps_nobody_waiting() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = listener.local_addr().unwrap();
        let store = |name: &str, port: u16, secret: &str| {
            format!(
                "[[secret-store]]\nname = '{name}'\nkind = 'vault-kv2'\n\
                 url = 'http://127.0.0.1:{port}'\n{secret}\n"
            )
        };
        let text = [
            "[defaults]\ndeliver = ['none', 'silent']\n[[host]]\nname = 'a'\n".to_owned(),
            store("silent", silent.port(), "secret-command = 'echo t'"),
            store("none", 1, "secret-env = 'CERTDECK_NOBODY_SETS_THIS'"),
        ];
        let (inventory, complaints) = inventory::read(&text.concat());
        assert_eq!(complaints, []);
        let begin = Instant::now();
        let patience = Duration::from_millis(300);
        let seen = survey(&inventory, &fleet(), Clock::fixed(NOW), patience).await;
        assert!(begin.elapsed() < patience * 10, "{:?}", begin.elapsed());
        let told: Vec<_> = seen
            .places
            .iter()
            .map(|(_, name, stored)| {
                let known = stored.iter().filter(|it| it.held.is_some()).count();
                (name.as_str(), stored.len(), known)
            })
            .collect();
        assert_eq!(told, [("a.test", 2, 0), ("/tls/b.pem", 2, 0)]);
        let [none, silent] = seen.silent.as_slice() else { panic!("{:?}", seen.silent) };
        assert!(none.as_str().starts_with("what none holds is not known"), "{none}");
        assert!(silent.as_str().ends_with("it has not answered in time"), "{silent}");
    }
}
