//! When CAs want certificates to be renewed: asked for at the CAs of the inventory, and only so
//! often (RFC 9773). What fails is tried again later, and nobody is told: a window is good to
//! know, and certificates are renewed without one.
//!
//! `windows.json` in the folder of state says when which certificate may be asked about again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use http::header::{DATE, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::Office;
use super::directory::Directory;
use super::error::Error;
use super::http::{Http, Pace};
use crate::fleet::{
    Certificate, DAY, Fingerprint, Fleet, HOUR, Moment, Place, Window, host_of, is_example,
};
use crate::https::retry_after;
use crate::inventory::{Inventory, Issuer};
use crate::text::SafeText;

/// Asks for the windows of certificates that are on the disks of the fleet, of those that are
/// due to be asked about: what was told. `patience` is how long that may take in all; what has
/// not answered then is asked another time.
pub async fn refresh(
    office: &Office,
    inventory: &Inventory,
    fleet: &Fleet,
    patience: Duration,
) -> Vec<Arc<Window>> {
    let now = office.clock.now();
    let path = office.state.join("windows.json");
    let mut book = Book::read(&path);
    let mut by_ca = ByCa::new();
    for (_, place) in fleet.places() {
        let Some(disk) = &place.layers.disk else { continue };
        let leaf = &disk.chain.leaf;
        let is_asked = leaf.renewal_id.is_some() && leaf.not_after > now && book.is_due(leaf, now);
        let maker = is_asked.then(|| maker(inventory, place, leaf)).flatten();
        // Nobody looks for a CA of examples outside.
        let Some((issuer, is_staging)) = maker.filter(|it| !is_example(&it.0.directory)) else {
            continue;
        };
        let (_, leaves) =
            by_ca.entry((&issuer.name, is_staging)).or_insert_with(|| (issuer, Vec::new()));
        if !leaves.iter().any(|it| it.sha256 == leaf.sha256) {
            leaves.push(Arc::clone(leaf));
        }
    }
    if by_ca.is_empty() {
        return Vec::new();
    }
    let all = by_ca.values().flat_map(|it| &it.1);
    let mut unheard: HashSet<_> = all.map(|it| it.sha256).collect();
    let asked: Vec<_> = by_ca
        .into_iter()
        .map(|((_, is_staging), (issuer, leaves))| ask(office, issuer, is_staging, leaves))
        .collect();
    let mut answers = stream::select_all(asked.into_iter().map(|it| Box::pin(stream::once(it))));
    let mut told = Vec::new();
    let all = async {
        while let Some(some) = answers.next().await {
            for Told { of, window, again_at } in some {
                unheard.remove(&of);
                book.again.insert(of.to_string(), again_at.unix());
                told.extend(window.map(Arc::new));
            }
        }
    };
    // What was told before the time was up counts. Whoever lets it pass in silence must not keep
    // the next one waiting as well.
    if tokio::time::timeout(patience, all).await.is_err() {
        book.again.extend(unheard.iter().map(|it| (it.to_string(), now.plus(HOUR).unix())));
    }
    book.forget(fleet);
    // Without the file the CAs are asked more often, within their limits.
    book.write(&office.state, &path).ok();
    told
}

/// The certificates of each issuer, or of its staging twin.
type ByCa<'a> = BTreeMap<(&'a str, bool), (&'a Issuer, Vec<Arc<Certificate>>)>;

/// What came of one question.
struct Told {
    of: Fingerprint,
    window: Option<Window>,
    again_at: Moment,
}

/// Asks one CA about its certificates, the most urgent first.
async fn ask(
    office: &Office,
    issuer: &Issuer,
    is_staging: bool,
    mut leaves: Vec<Arc<Certificate>>,
) -> Vec<Told> {
    let now = office.clock.now();
    let later = |leaf: &Certificate, again_at| Told { of: leaf.sha256, window: None, again_at };
    let http = Http::of(office, issuer).ok();
    let Some((url, http)) = issuer.url(is_staging).zip(http) else { return Vec::new() };
    // Nobody waits for these answers, so nothing is asked twice in a row.
    let http = http.with_pace(Pace { question: QUESTION, tries: 1, ..Pace::default() });
    let info = match Directory::get(&http, url).await {
        Ok(directory) => directory.renewal_info,
        Err(error) => {
            let again_at = after(&error, now);
            return leaves.iter().map(|it| later(it, again_at)).collect();
        }
    };
    let Some(info) = info else {
        return leaves.iter().map(|it| later(it, now.plus(DAY))).collect();
    };
    leaves.sort_by_key(|it| it.renewal_opens());
    leaves.truncate(MOST);
    let asked = leaves.into_iter().map(|leaf| {
        let (http, info) = (http.clone(), info.trim_end_matches('/').to_owned());
        async move {
            let id = leaf.renewal_id.as_ref().map_or("", SafeText::as_str);
            match get(&http, &format!("{info}/{id}"), &leaf, now).await {
                Ok((window, again_at)) => Told { of: leaf.sha256, window: Some(window), again_at },
                Err(error) => later(&leaf, after(&error, now)),
            }
        }
    });
    stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
}

/// Asks about one certificate: its window, and when to ask again.
async fn get(
    http: &Http,
    url: &str,
    leaf: &Certificate,
    now: Moment,
) -> Result<(Window, Moment), Error> {
    let answer = http.get(url).await?;
    let window = read(&answer.body, leaf.sha256, now).ok_or_else(|| Error::Answer {
        ca: super::directory::ca_of(url),
        status: 200,
        why: SafeText::new("tells no renewal window"),
    })?;
    let header = |name| answer.headers.get(name).and_then(|it| it.to_str().ok());
    let told = header(RETRY_AFTER).and_then(|it| retry_after(it, header(DATE), now));
    // RFC 9773, section 4.3: what lies beyond a day may be taken for a day. And nobody is
    // asked more than four times a day, whatever they say.
    let again_at = told.unwrap_or_else(|| now.plus(12 * HOUR));
    Ok((window, again_at.clamp(now.plus(6 * HOUR), now.plus(DAY))))
}

/// Reads a renewal window (RFC 9773, section 4.2). One that ends before it begins is none.
fn read(body: &[u8], of: Fingerprint, now: Moment) -> Option<Window> {
    let shape: Shape = serde_json::from_slice(body).ok()?;
    let start = Moment::parse(&shape.suggested_window.start)?;
    let end = Moment::parse(&shape.suggested_window.end)?;
    let explanation = shape.explanation_url.map(|it| SafeText::capped(&it, 500));
    (start < end).then_some(Window { of, start, end, explanation, asked_at: now })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    suggested_window: Suggested,
    #[serde(rename = "explanationURL")]
    explanation_url: Option<String>,
}

#[derive(Deserialize)]
struct Suggested {
    start: String,
    end: String,
}

/// When to ask again after a failure.
fn after(error: &Error, now: Moment) -> Moment {
    match error {
        Error::Busy { until, .. } => (*until).max(now.plus(6 * HOUR)),
        // The CA does not know it, or not any more.
        Error::Problem { .. } | Error::Answer { .. } => now.plus(DAY),
        _ => now.plus(HOUR),
    }
}

/// The issuer of the inventory whose CA made this certificate, and whether at its staging twin:
/// the one whose directory the client names, or else the one whose CA bears the name of who
/// signed. CAs that are not in the inventory are not asked.
fn maker<'a>(
    inventory: &'a Inventory,
    place: &Place,
    leaf: &Certificate,
) -> Option<(&'a Issuer, bool)> {
    let server = place.renewal.as_ref().and_then(|it| it.server.as_ref());
    if let Some(server) = server.filter(|it| it.as_str().contains("://")) {
        return inventory.issuer_at(server.as_str());
    }
    let (_, domain) = SIGNERS.iter().find(|it| leaf.issuer.as_str().contains(it.0))?;
    let is_of = |url: &str| {
        let host = host_of(url).unwrap_or_default();
        host == *domain || host.strip_suffix(domain).is_some_and(|it| it.ends_with('.'))
    };
    let is_staging = leaf.is_of_staging();
    inventory.issuers.iter().find_map(|it| is_of(it.url(is_staging)?).then_some((it, is_staging)))
}

/// What stands in the names of signers, and the domain of their CA's directory (seen in chains
/// of November 2026).
const SIGNERS: [(&str, &str); 3] = [
    ("O=Google Trust Services", "pki.goog"),
    ("Let's Encrypt", "letsencrypt.org"),
    ("ZeroSSL", "zerossl.com"),
];

/// When which certificate may be asked about again.
#[derive(Default, Serialize, Deserialize)]
struct Book {
    /// By the SHA-256 of the certificate in hex: seconds since the epoch.
    again: HashMap<String, i64>,
}

impl Book {
    /// A file that cannot be used costs a question too many.
    fn read(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|it| it.take(MAX_BYTES).read_to_end(&mut bytes));
        read.ok().and_then(|_| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn is_due(&self, leaf: &Certificate, now: Moment) -> bool {
        let again = self.again.get(&leaf.sha256.to_string());
        // A time far away is that of a clock that was wrong.
        again.is_none_or(|it| *it <= now.unix() || *it > now.plus(FAR).unix())
    }

    /// Keeps what is at a place.
    fn forget(&mut self, fleet: &Fleet) {
        let disks = fleet.places().filter_map(|(_, it)| it.layers.disk.as_ref());
        let here: HashSet<_> = disks.map(|it| it.chain.leaf.sha256.to_string()).collect();
        self.again.retain(|of, _| here.contains(of));
    }

    fn write(&self, folder: &Path, path: &Path) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, self)?;
        file.flush()?;
        file.persist(path)?;
        Ok(())
    }
}

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(10);
/// Let's Encrypt takes 1000 of these questions a second from one address (its page on rate
/// limits, 2026-08-05), smaller CAs fewer.
const AT_ONCE: usize = 8;
/// More are asked about another time.
const MOST: usize = 1000;
/// Nothing is put off longer, in seconds.
const FAR: i64 = 400 * DAY;
/// A hundred bytes for each of a hundred thousand certificates.
const MAX_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::Clock;
    use crate::fleet::{Chain, Host, HostName, PlaceName, Renewal, Roots, Sighting};

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn a_window_is_read_with_its_reason() {
        let body = br#"{"suggestedWindow": {"start": "2026-11-20T00:00:00Z",
            "end": "2026-11-21T00:00:00.5Z"}, "explanationURL": "https://ca.test/\u001b[2J"}"#;
        let of = Fingerprint::of(b"leaf");
        let window = read(body, of, NOW).unwrap();
        assert_eq!(window.start, Moment::parse("2026-11-20").unwrap());
        assert_eq!((window.of, window.asked_at), (of, NOW));
        assert_eq!(window.explanation.unwrap(), "https://ca.test/^[[2J");
        for wrong in [
            &br#"{"suggestedWindow": {"start": "2026-11-21T00:00:00Z", "end": "2026-11-20T00:00:00Z"}}"#[..],
            br#"{"suggestedWindow": {"start": "soon", "end": "later"}}"#,
            b"{}",
            b"<html>",
            b"",
        ] {
            assert_eq!(read(wrong, of, NOW), None);
        }
    }

    /// A host with a certificate of a CA that tells windows.
    fn fleet(directory: &str) -> Fleet {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &ca).unwrap();
        let chain = Chain::read(&[leaf.der().clone()], &Roots::public()).unwrap();
        let mut place = Place::new("certdeck", PlaceName::new("a"));
        place.renewal =
            Some(Renewal { server: Some(SafeText::new(directory)), ..Renewal::default() });
        place.layers.disk =
            Some(Sighting { chain: Arc::new(chain), location: SafeText::new("/a.pem"), at: NOW });
        let mut host = Host::new(HostName::new("a"), "a", &[]);
        host.places.push(place);
        let mut fleet = Fleet::new([host.clone()]);
        fleet.recall(host);
        fleet
    }

    #[tokio::test]
    async fn who_is_silent_keeps_nobody_waiting_twice() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let directory = format!("http://{}/dir", listener.local_addr().unwrap());
        let text = format!("[[issuer]]\nname = \"x\"\ndirectory = \"{directory}\"\n");
        let (inventory, complaints) = crate::inventory::read(&text);
        assert_eq!(complaints, []);
        let folder = tempfile::tempdir().unwrap();
        let office = Office::new(folder.path(), Clock::fixed(NOW));
        let fleet = fleet(&directory);
        let patience = Duration::from_millis(200);
        assert!(refresh(&office, &inventory, &fleet, patience).await.is_empty());
        let (_silent, _) = listener.accept().await.unwrap();
        // It is not even knocked at.
        assert!(refresh(&office, &inventory, &fleet, patience).await.is_empty());
        assert!(tokio::time::timeout(patience, listener.accept()).await.is_err());
    }

    #[test]
    fn nobody_is_asked_before_the_time() {
        let busy = Error::Busy {
            ca: SafeText::new("ca.test"),
            status: 429,
            until: NOW.plus(3 * DAY),
            is_told: true,
            problem: None,
        };
        assert_eq!(after(&busy, NOW), NOW.plus(3 * DAY));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.json");
        assert!(Book::read(&path).again.is_empty());
        File::create(&path).unwrap().write_all(b"{\"again\": 5").unwrap();
        assert!(Book::read(&path).again.is_empty());
        let mut book = Book::default();
        book.again.insert(Fingerprint::of(b"leaf").to_string(), NOW.unix());
        book.write(folder.path(), &path).unwrap();
        assert_eq!(Book::read(&path).again, book.again);
    }
}
