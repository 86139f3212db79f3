//! What is kept of a plan beside its order, so that another process can go on with both: the order
//! itself, and the job that its host is asked to do with the chain.

use serde::{Deserialize, Serialize};

use crate::action::{Counted, KeyPlan, KeyType, Order, Proof, Prover, Webroot};
use crate::audit::Permit;
use crate::fleet::{Fingerprint, HostName, Moment};
use crate::job::{Call, Expect, Request};

/// A plan with an order, as far as it is needed to go on. With a rehearsal nobody goes on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct KeptPlan {
    order: KeptOrder,
    job: KeptJob,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KeptOrder {
    issuer: String,
    is_staging: bool,
    contact: Option<String>,
    names: Vec<String>,
    profile: Option<String>,
    replaces: Option<String>,
    key: String,
    folder: String,
    lineage: String,
    proofs: Vec<KeptProof>,
    is_prechecked: bool,
    #[serde(default)]
    counted: Option<String>,
    /// Unix time.
    #[serde(default)]
    over: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KeptProof {
    name: String,
    /// The `[[dns]]`; else files.
    dns: Option<String>,
    /// Hosts with their folders.
    webroots: Vec<(String, String)>,
    port: u16,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KeptJob {
    title: String,
    who: String,
    lock: String,
    leaf: Option<String>,
    expect: String,
    commands: Vec<Call>,
}

impl KeptPlan {
    pub(super) fn of(order: &Order, request: &Request) -> Self {
        Self { order: KeptOrder::of(order), job: KeptJob::of(request) }
    }

    /// Reads what was kept; `None` where it makes no sense.
    pub(super) fn read(value: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }

    pub(super) fn order(&self) -> Option<Order> {
        let it = &self.order;
        let key = match it.key.as_str() {
            KEEP => KeyPlan::Keep,
            name => KeyPlan::New(KEYS.iter().find(|it| it.1 == name)?.0),
        };
        Some(Order {
            issuer: it.issuer.clone(),
            is_staging: it.is_staging,
            is_rehearsal: false,
            contact: it.contact.clone(),
            names: it.names.clone(),
            profile: it.profile.clone(),
            replaces: it.replaces.clone(),
            key,
            folder: it.folder.clone(),
            lineage: it.lineage.clone(),
            proofs: it.proofs.iter().map(KeptProof::proof).collect(),
            is_prechecked: it.is_prechecked,
            counted: COUNTED
                .iter()
                .find(|known| Some(known.1) == it.counted.as_deref())
                .map_or(Counted::New, |it| it.0),
            over: it.over.map(Moment::from_unix),
        })
    }

    pub(super) fn request(&self, permit: &Permit) -> Option<Request> {
        let it = &self.job;
        Some(Request {
            op: permit.op(),
            title: it.title.clone(),
            who: it.who.clone(),
            witness: (permit.seq(), permit.hash()),
            lock: it.lock.clone(),
            leaf: it.leaf.clone(),
            expect: match it.expect.as_str() {
                "anything" => Expect::Anything,
                "missing" => Expect::Missing,
                leaf => Expect::Leaf(Fingerprint::parse(leaf)?),
            },
            commands: it.commands.clone(),
            input: None,
        })
    }
}

impl KeptOrder {
    fn of(it: &Order) -> Self {
        let key = match it.key {
            KeyPlan::Keep => KEEP,
            KeyPlan::New(kind) => KEYS.iter().find(|it| it.0 == kind).map_or(KEEP, |it| it.1),
        };
        Self {
            issuer: it.issuer.clone(),
            is_staging: it.is_staging,
            contact: it.contact.clone(),
            names: it.names.clone(),
            profile: it.profile.clone(),
            replaces: it.replaces.clone(),
            key: key.to_owned(),
            folder: it.folder.clone(),
            lineage: it.lineage.clone(),
            proofs: it.proofs.iter().map(KeptProof::of).collect(),
            is_prechecked: it.is_prechecked,
            counted: COUNTED.iter().find(|known| known.0 == it.counted).map(|it| it.1.to_owned()),
            over: it.over.map(Moment::unix),
        }
    }
}

impl KeptProof {
    fn of(it: &Proof) -> Self {
        let name = it.name.clone();
        match &it.prover {
            Prover::Dns(dns) => {
                Self { name, dns: Some(dns.clone()), webroots: Vec::new(), port: 0 }
            }
            Prover::Webroots { spots, port } => {
                let spots = spots.iter().map(|it| (it.host.to_string(), it.folder.clone()));
                Self { name, dns: None, webroots: spots.collect(), port: *port }
            }
        }
    }

    fn proof(&self) -> Proof {
        let spot = |(host, folder): &(String, String)| Webroot {
            host: HostName::new(host),
            folder: folder.clone(),
        };
        let prover = match &self.dns {
            Some(dns) => Prover::Dns(dns.clone()),
            None => Prover::Webroots {
                spots: self.webroots.iter().map(spot).collect(),
                port: self.port,
            },
        };
        Proof { name: self.name.clone(), prover }
    }
}

impl KeptJob {
    fn of(it: &Request) -> Self {
        Self {
            title: it.title.clone(),
            who: it.who.clone(),
            lock: it.lock.clone(),
            leaf: it.leaf.clone(),
            expect: match it.expect {
                Expect::Anything => "anything".to_owned(),
                Expect::Missing => "missing".to_owned(),
                Expect::Leaf(leaf) => leaf.to_string(),
            },
            commands: it.commands.clone(),
        }
    }
}

const KEEP: &str = "keep";

/// Kinds of keys, as they are written down.
const KEYS: [(KeyType, &str); 4] = [
    (KeyType::Ecdsa256, "ecdsa-p256"),
    (KeyType::Ecdsa384, "ecdsa-p384"),
    (KeyType::Rsa2048, "rsa-2048"),
    (KeyType::Rsa4096, "rsa-4096"),
];

/// As what orders are counted; as any other, if nothing is written down.
const COUNTED: [(Counted, &str); 2] =
    [(Counted::Renewal, "renewal"), (Counted::Replacing, "replacing")];

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let webroot = Webroot { host: HostName::new("web-01"), folder: "/var/www".to_owned() };
        let proofs = [
            Prover::Webroots { spots: vec![webroot], port: 80 },
            Prover::Dns("zone-main".to_owned()),
        ];
        let proof = |prover| Proof { name: "a.test".to_owned(), prover };
        let mut order = Order {
            issuer: "ca".to_owned(),
            is_staging: true,
            is_rehearsal: false,
            contact: Some("a@b.test".to_owned()),
            names: vec!["a.test".to_owned()],
            profile: None,
            replaces: Some("x.y".to_owned()),
            key: KeyPlan::Keep,
            folder: "/etc/certdeck".to_owned(),
            lineage: "a".to_owned(),
            proofs: proofs.map(proof).into(),
            is_prechecked: false,
            counted: Counted::New,
            over: Some(Moment::from_unix(7)),
        };
        let request = Request {
            op: Uuid::nil(),
            title: "issue a".to_owned(),
            who: "x".to_owned(),
            witness: (1, String::new()),
            lock: "l".to_owned(),
            leaf: None,
            expect: Expect::Missing,
            commands: vec![(vec![("A".to_owned(), "b".to_owned())], vec!["true".to_owned()])],
            input: None,
        };
        for key in KEYS.iter().map(|it| KeyPlan::New(it.0)).chain([KeyPlan::Keep]) {
            order.key = key;
            order.counted = match order.counted {
                Counted::New => Counted::Renewal,
                Counted::Renewal => Counted::Replacing,
                Counted::Replacing => Counted::New,
            };
            let text = serde_json::to_string(&KeptPlan::of(&order, &request)).unwrap();
            let kept = KeptPlan::read(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(kept.order(), Some(order.clone()));
            assert_eq!(kept.job.commands, request.commands);
        }
        assert!(KeptPlan::read(&serde_json::json!({"order": 1})).is_none());
    }
}
