//! The providers that `dns-update` knows, behind one adapter: a line of the table each. What holds
//! for all of them (values are added and never replaced, what was written is read again) is here.

use std::time::Duration;

use dns_update::providers::azuredns::{AzureDnsConfig, AzureEnvironment};
use dns_update::providers::edgedns::EdgeDnsConfig;
use dns_update::providers::google_cloud_dns::GoogleCloudDnsConfig;
use dns_update::providers::infoblox::InfobloxConfig;
use dns_update::providers::joker::JokerAuth;
use dns_update::providers::lightsail::LightsailConfig;
use dns_update::providers::ovh::OvhEndpoint;
use dns_update::providers::route53::Route53Config;
use dns_update::{DnsRecord, DnsRecordType, DnsUpdater, Error};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Fault, Given, Kind, Provider, Spot, Wanted};
use crate::resolve::Silence;
use crate::text::SafeText;

/// Every cloud, in the order of the alphabet.
pub(super) static KINDS: &[Kind] = &[
    Kind {
        takes: &["region"],
        ..parts("alidns", "Alibaba Cloud", &["access-key", "secret-key", "security-token?"], |it| {
            let (key, secret) = (it.part_needed("access-key")?, it.part_needed("secret-key")?);
            let token = it.part("security-token");
            let region = it.key("region");
            open(it, DnsUpdater::new_alidns(key, secret, region, token, None::<&str>, LIMIT))
        })
    },
    token("arvancloud", "ArvanCloud", |it| open(it, DnsUpdater::new_arvancloud(it.text()?, LIMIT))),
    of_user("autodns", "InterNetX AutoDNS", |it| {
        open(it, DnsUpdater::new_autodns(it.needed("user")?, it.text()?, None, LIMIT))
    }),
    parts("azure", "Azure DNS, as a service principal", AZURE, |it| {
        open(
            it,
            DnsUpdater::new_azuredns(AzureDnsConfig {
                tenant_id: it.part_needed("tenant-id")?.to_owned(),
                client_id: it.part_needed("client-id")?.to_owned(),
                client_secret: it.part_needed("client-secret")?.to_owned(),
                subscription_id: it.part_needed("subscription-id")?.to_owned(),
                resource_group: it.part_needed("resource-group")?.to_owned(),
                environment: AzureEnvironment::Public,
                request_timeout: LIMIT,
            }),
        )
    }),
    parts("baiducloud", "Baidu Cloud", &["access-key", "secret-key"], |it| {
        open(
            it,
            DnsUpdater::new_baiducloud(
                it.part_needed("access-key")?,
                it.part_needed("secret-key")?,
                LIMIT,
            ),
        )
    }),
    token("bunny", "bunny.net", |it| open(it, DnsUpdater::new_bunny(it.text()?, LIMIT))),
    token("cloudflare", "Cloudflare; the token needs Zone:Read and DNS:Edit", |it| {
        open(it, DnsUpdater::new_cloudflare(it.text()?, LIMIT))
    }),
    of_account("cloudns", "ClouDNS; `account` is its auth-id", |it| {
        let account = Some(it.needed("account")?);
        open(it, DnsUpdater::new_cloudns(account, None::<&str>, it.text()?, LIMIT))
    }),
    parts("constellix", "Constellix", &["api-key", "secret-key"], |it| {
        open(
            it,
            DnsUpdater::new_constellix(
                it.part_needed("api-key")?,
                it.part_needed("secret-key")?,
                LIMIT,
            ),
        )
    }),
    Kind {
        needs: &["url", "user"],
        ..token("cpanel", "cPanel, with an API token", |it| {
            let (url, user) = (it.needed("url")?, it.needed("user")?);
            open(it, DnsUpdater::new_cpanel(url, user, it.text()?, LIMIT))
        })
    },
    token("ddnss", "ddnss.de", |it| open(it, DnsUpdater::new_ddnss(it.text()?, LIMIT))),
    token("desec", "deSEC", |it| open(it, DnsUpdater::new_desec(it.text()?, LIMIT))),
    token("digitalocean", "DigitalOcean", |it| {
        open(it, DnsUpdater::new_digitalocean(it.text()?, LIMIT))
    }),
    of_account("dnsimple", "DNSimple; `account` is its number", |it| {
        open(it, DnsUpdater::new_dnsimple(it.text()?, it.needed("account")?, LIMIT))
    }),
    parts("dnsmadeeasy", "DNS Made Easy", &["api-key", "api-secret"], |it| {
        open(
            it,
            DnsUpdater::new_dnsmadeeasy(
                it.part_needed("api-key")?,
                it.part_needed("api-secret")?,
                LIMIT,
            ),
        )
    }),
    parts("domeneshop", "Domeneshop", &["api-token", "api-secret"], |it| {
        open(
            it,
            DnsUpdater::new_domeneshop(
                it.part_needed("api-token")?,
                it.part_needed("api-secret")?,
                LIMIT,
            ),
        )
    }),
    token("dreamhost", "DreamHost", |it| open(it, DnsUpdater::new_dreamhost(it.text()?, LIMIT))),
    token("duckdns", "Duck DNS", |it| open(it, DnsUpdater::new_duckdns(it.text()?, LIMIT))),
    token("dynu", "Dynu", |it| open(it, DnsUpdater::new_dynu(it.text()?, LIMIT))),
    parts("easydns", "easyDNS", &["api-token", "api-key"], |it| {
        open(
            it,
            DnsUpdater::new_easydns(
                it.part_needed("api-token")?,
                it.part_needed("api-key")?,
                LIMIT,
            ),
        )
    }),
    parts("edgedns", "Akamai Edge DNS", EDGE, |it| {
        open(
            it,
            DnsUpdater::new_edgedns(EdgeDnsConfig {
                host: it.part_needed("host")?.to_owned(),
                client_token: it.part_needed("client-token")?.to_owned(),
                client_secret: it.part_needed("client-secret")?.to_owned(),
                access_token: it.part_needed("access-token")?.to_owned(),
                account_switch_key: None,
                request_timeout: LIMIT,
            }),
        )
    }),
    parts("exoscale", "Exoscale", &["api-key", "api-secret"], |it| {
        open(
            it,
            DnsUpdater::new_exoscale(
                it.part_needed("api-key")?,
                it.part_needed("api-secret")?,
                LIMIT,
            ),
        )
    }),
    token("freemyip", "freemyip.com", |it| open(it, DnsUpdater::new_freemyip(it.text()?, LIMIT))),
    token("gandi", "Gandi LiveDNS", |it| open(it, DnsUpdater::new_gandiv5(it.text()?, LIMIT))),
    token("gcore", "Gcore", |it| open(it, DnsUpdater::new_gcore(it.text()?, LIMIT))),
    of_user("glesys", "GleSYS", |it| {
        open(it, DnsUpdater::new_glesys(it.needed("user")?, it.text()?, LIMIT))
    }),
    parts("godaddy", "GoDaddy", &["api-key", "api-secret"], |it| {
        open(
            it,
            DnsUpdater::new_godaddy(
                it.part_needed("api-key")?,
                it.part_needed("api-secret")?,
                LIMIT,
            ),
        )
    }),
    Kind {
        needs: &["project"],
        takes: &["zone-id"],
        secret: Wanted::Text("the JSON key of a service account"),
        ..token("google", "Google Cloud DNS", |it| {
            open(
                it,
                DnsUpdater::new_google_cloud_dns(GoogleCloudDnsConfig {
                    service_account_json: it.text()?.to_owned(),
                    project_id: it.needed("project")?.to_owned(),
                    managed_zone: it.key("zone-id").map(str::to_owned),
                    private_zone: false,
                    impersonate_service_account: None,
                    request_timeout: LIMIT,
                }),
            )
        })
    },
    token("hetzner", "Hetzner Cloud", |it| open(it, DnsUpdater::new_hetzner(it.text()?, LIMIT))),
    token("hostingde", "hosting.de", |it| open(it, DnsUpdater::new_hostingde(it.text()?, LIMIT))),
    token("hostinger", "Hostinger", |it| open(it, DnsUpdater::new_hostinger(it.text()?, LIMIT))),
    Kind {
        needs: &["region"],
        ..parts("huaweicloud", "Huawei Cloud", &["access-key", "secret-key"], |it| {
            let (key, secret) = (it.part_needed("access-key")?, it.part_needed("secret-key")?);
            open(it, DnsUpdater::new_huaweicloud(key, secret, it.needed("region")?, LIMIT))
        })
    },
    of_user("ibmcloud", "IBM Cloud (SoftLayer)", |it| {
        open(it, DnsUpdater::new_ibmcloud(it.needed("user")?, it.text()?, LIMIT))
    }),
    Kind {
        needs: &["server", "user"],
        ..token("infoblox", "Infoblox NIOS (WAPI)", |it| {
            open(
                it,
                DnsUpdater::new_infoblox(InfobloxConfig {
                    host: it.needed("server")?.to_owned(),
                    port: None,
                    username: it.needed("user")?.to_owned(),
                    password: it.text()?.to_owned(),
                    wapi_version: None,
                    dns_view: None,
                    request_timeout: LIMIT,
                }),
            )
        })
    },
    token("infomaniak", "Infomaniak", |it| open(it, DnsUpdater::new_infomaniak(it.text()?, LIMIT))),
    of_user("inwx", "INWX, without a second factor", |it| {
        open(it, DnsUpdater::new_inwx(it.needed("user")?, it.text()?, false, LIMIT))
    }),
    token("ionos", "IONOS", |it| open(it, DnsUpdater::new_ionos(it.text()?, LIMIT))),
    token("ipv64", "IPv64", |it| open(it, DnsUpdater::new_ipv64(it.text()?, LIMIT))),
    token("joker", "Joker.com, with an API key", |it| {
        open(it, DnsUpdater::new_joker(JokerAuth::api_key(it.text()?), LIMIT))
    }),
    Kind {
        takes: &["region"],
        ..parts("lightsail", "Amazon Lightsail", AWS, |it| {
            open(
                it,
                DnsUpdater::new_lightsail(LightsailConfig {
                    access_key_id: it.part_needed("access-key-id")?.to_owned(),
                    secret_access_key: it.part_needed("secret-access-key")?.to_owned(),
                    session_token: it.part("session-token").map(str::to_owned),
                    region: it.key("region").map(str::to_owned),
                    domain: None,
                    request_timeout: LIMIT,
                }),
            )
        })
    },
    token("linode", "Linode", |it| open(it, DnsUpdater::new_linode(it.text()?, LIMIT))),
    of_user("luadns", "LuaDNS", |it| {
        open(it, DnsUpdater::new_luadns(it.needed("user")?, it.text()?, LIMIT))
    }),
    of_user("mythicbeasts", "Mythic Beasts", |it| {
        open(it, DnsUpdater::new_mythicbeasts(it.needed("user")?, it.text()?, LIMIT))
    }),
    of_user("namedotcom", "Name.com", |it| {
        open(it, DnsUpdater::new_namedotcom(it.needed("user")?, it.text()?, LIMIT))
    }),
    token("namesilo", "NameSilo", |it| open(it, DnsUpdater::new_namesilo(it.text()?, LIMIT))),
    Kind {
        needs: &["account"],
        ..parts("netcup", "netcup; `account` is the customer", &["api-key", "api-password"], |it| {
            let (key, password) = (it.part_needed("api-key")?, it.part_needed("api-password")?);
            open(it, DnsUpdater::new_netcup(it.needed("account")?, key, password, LIMIT))
        })
    },
    token("netlify", "Netlify", |it| open(it, DnsUpdater::new_netlify(it.text()?, LIMIT))),
    parts("nifcloud", "NIFCLOUD", &["access-key", "secret-key"], |it| {
        open(
            it,
            DnsUpdater::new_nifcloud(
                it.part_needed("access-key")?,
                it.part_needed("secret-key")?,
                LIMIT,
            ),
        )
    }),
    token("ns1", "NS1", |it| open(it, DnsUpdater::new_ns1(it.text()?, LIMIT))),
    Kind {
        takes: &["region"],
        ..parts("ovh", "OVHcloud; `region` is eu, us or ca", OVH, |it| {
            let region = match it.key("region").unwrap_or("eu") {
                "eu" => OvhEndpoint::OvhEu,
                "us" => OvhEndpoint::OvhUs,
                "ca" => OvhEndpoint::OvhCa,
                _ => return Err(Fault::settings("`region` is none of eu, us, ca")),
            };
            let [key, secret, consumer] = [
                it.part_needed("application-key")?,
                it.part_needed("application-secret")?,
                it.part_needed("consumer-key")?,
            ];
            open(it, DnsUpdater::new_ovh(key, secret, consumer, region, LIMIT))
        })
    },
    Kind {
        needs: &["url"],
        takes: &["server"],
        ..token("pdns", "PowerDNS, over its HTTP API; `server` is `localhost`", |it| {
            let (url, server) = (Some(it.needed("url")?), it.key("server"));
            open(it, DnsUpdater::new_pdns(it.text()?, url, server, LIMIT))
        })
    },
    Kind {
        needs: &["url"],
        ..token("plesk", "Plesk", |it| {
            open(it, DnsUpdater::new_plesk(it.needed("url")?, it.text()?, LIMIT))
        })
    },
    parts("porkbun", "Porkbun", &["api-key", "secret-api-key"], |it| {
        open(
            it,
            DnsUpdater::new_porkbun(
                it.part_needed("api-key")?,
                it.part_needed("secret-api-key")?,
                LIMIT,
            ),
        )
    }),
    Kind {
        takes: &["region", "zone-id"],
        ..parts("route53", "Amazon Route 53", AWS, |it| {
            open(
                it,
                DnsUpdater::new_route53(Route53Config {
                    access_key_id: it.part_needed("access-key-id")?.to_owned(),
                    secret_access_key: it.part_needed("secret-access-key")?.to_owned(),
                    session_token: it.part("session-token").map(str::to_owned),
                    region: it.key("region").map(str::to_owned),
                    hosted_zone_id: it.key("zone-id").map(str::to_owned),
                    private_zone_only: None,
                    endpoint: None,
                }),
            )
        })
    },
    token("safedns", "UKFast SafeDNS", |it| open(it, DnsUpdater::new_safedns(it.text()?, LIMIT))),
    token("scaleway", "Scaleway", |it| open(it, DnsUpdater::new_scaleway(it.text()?, LIMIT))),
    Kind {
        needs: &["account", "project", "user"],
        ..token("selectel", "Selectel, as a service user", |it| {
            let [user, account, project] =
                [it.needed("user")?, it.needed("account")?, it.needed("project")?];
            open(it, DnsUpdater::new_selectel(user, it.text()?, account, project, LIMIT))
        })
    },
    of_account("simply", "Simply.com", |it| {
        open(it, DnsUpdater::new_simplycom(it.needed("account")?, it.text()?, LIMIT))
    }),
    parts("spaceship", "Spaceship", &["api-key", "api-secret"], |it| {
        open(
            it,
            DnsUpdater::new_spaceship(
                it.part_needed("api-key")?,
                it.part_needed("api-secret")?,
                LIMIT,
            ),
        )
    }),
    Kind {
        takes: &["region"],
        ..parts("tencentcloud", "Tencent Cloud DNSPod", TENCENT, |it| {
            let (id, key) = (it.part_needed("secret-id")?, it.part_needed("secret-key")?);
            let (region, token) = (it.key("region"), it.part("session-token"));
            open(it, DnsUpdater::new_tencentcloud(id, key, region, token, LIMIT))
        })
    },
    Kind {
        secret: Wanted::Text("the private key, in PEM"),
        ..of_user("transip", "TransIP", |it| {
            open(it, DnsUpdater::new_transip(it.needed("user")?, it.text()?, true, LIMIT))
        })
    },
    of_user("ultradns", "UltraDNS", |it| {
        open(it, DnsUpdater::new_ultradns(it.needed("user")?, it.text()?, None, LIMIT))
    }),
    Kind {
        takes: &["account"],
        ..token("vercel", "Vercel; `account` is the team", |it| {
            open(it, DnsUpdater::new_vercel(it.text()?, it.key("account"), LIMIT))
        })
    },
    token("vultr", "Vultr", |it| open(it, DnsUpdater::new_vultr(it.text()?, LIMIT))),
    parts("websupport", "WebSupport", &["api-key", "api-secret"], |it| {
        open(
            it,
            DnsUpdater::new_websupport(
                it.part_needed("api-key")?,
                it.part_needed("api-secret")?,
                LIMIT,
            ),
        )
    }),
    of_user("zoneeu", "Zone.eu", |it| {
        open(it, DnsUpdater::new_zoneeu(it.needed("user")?, it.text()?, LIMIT))
    }),
];

/// A cloud with one token.
const fn token(name: &'static str, about: &'static str, open: Open) -> Kind {
    Kind { name, about, needs: &[], takes: &[], secret: Wanted::Text("the API token"), open }
}

/// A cloud with a user and a password or key.
const fn of_user(name: &'static str, about: &'static str, open: Open) -> Kind {
    Kind {
        needs: &["user"],
        secret: Wanted::Text("the API key or password"),
        ..token(name, about, open)
    }
}

/// A cloud with the number of an account and a token.
const fn of_account(name: &'static str, about: &'static str, open: Open) -> Kind {
    Kind { needs: &["account"], ..token(name, about, open) }
}

/// A cloud with a secret of several parts.
const fn parts(
    name: &'static str,
    about: &'static str,
    parts: &'static [&'static str],
    open: Open,
) -> Kind {
    Kind { secret: Wanted::Parts(parts), ..token(name, about, open) }
}

type Open = fn(&Given<'_>) -> Result<Box<dyn Provider>, Fault>;

const AWS: &[&str] = &["access-key-id", "secret-access-key", "session-token?"];
const AZURE: &[&str] =
    &["tenant-id", "client-id", "client-secret", "subscription-id", "resource-group"];
const EDGE: &[&str] = &["host", "client-token", "client-secret", "access-token"];
const OVH: &[&str] = &["application-key", "application-secret", "consumer-key"];
const TENCENT: &[&str] = &["secret-id", "secret-key", "session-token?"];

/// What holds for every cloud.
struct Cloud {
    updater: DnsUpdater,
    /// What must not stand in a message: some clouds repeat what they were sent.
    secrets: Vec<zeroize::Zeroizing<String>>,
}

fn open(
    given: &Given<'_>,
    updater: dns_update::Result<DnsUpdater>,
) -> Result<Box<dyn Provider>, Fault> {
    let words = given.secret.split(|it: char| it.is_whitespace() || "\"'=,:".contains(it));
    // Shorter ones are names and numbers.
    let secrets = words.filter(|it| it.len() >= 8).map(|it| it.to_owned().into()).collect();
    match updater {
        Ok(updater) => Ok(Box::new(Cloud { updater, secrets })),
        Err(error) => Err(Cloud::fault(&secrets, &error)),
    }
}

impl Cloud {
    async fn values(&self, owner: &str, zone: &str) -> Result<Vec<String>, Fault> {
        let listed = self.updater.list_rrset(owner, DnsRecordType::TXT, zone).await;
        let records = match listed {
            Ok(records) => records,
            // Some say so where a name has no records yet.
            Err(Error::NotFound) => Vec::new(),
            Err(error) => return Err(Self::fault(&self.secrets, &error)),
        };
        Ok(records
            .into_iter()
            .filter_map(|it| match it {
                DnsRecord::TXT(text) => Some(text.trim_matches('"').to_owned()),
                _ => None,
            })
            .collect())
    }

    /// Many clouds can only replace the whole set of a name, so that two who write at once lose
    /// one of the values: whether ours is there is read again, and written again if it is not.
    async fn add(&self, spot: &Spot) -> Result<(), Fault> {
        let before = self.values(&spot.owner, &spot.zone).await;
        if before.as_ref().is_ok_and(|it| it.contains(&spot.value)) {
            return Ok(());
        }
        let is_slow = matches!(self.updater, DnsUpdater::NameSilo(_));
        let ttl = if is_slow { LONG_TTL } else { TTL };
        let mut pause = Duration::from_millis(200);
        for _ in 0..ATTEMPTS {
            let record = vec![DnsRecord::TXT(spot.value.clone())];
            let kind = DnsRecordType::TXT;
            let added = self.updater.add_to_rrset(&spot.owner, kind, ttl, record, &spot.zone).await;
            added.map_err(|it| Self::fault(&self.secrets, &it))?;
            match self.values(&spot.owner, &spot.zone).await {
                Ok(values) if values.contains(&spot.value) => return Ok(()),
                Ok(_) => {}
                // Whoever cannot list has told so before, too: the DNS will show it.
                Err(_) if before.is_err() => return Ok(()),
                Err(fault) => return Err(fault),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Fault::failed("took the record and does not list it: somebody else writes there, too"))
    }

    async fn remove(&self, spot: &Spot) -> Result<(), Fault> {
        let before = self.values(&spot.owner, &spot.zone).await;
        if before.is_ok_and(|it| !it.contains(&spot.value)) {
            return Ok(());
        }
        let record = vec![DnsRecord::TXT(spot.value.clone())];
        let kind = DnsRecordType::TXT;
        match self.updater.remove_from_rrset(&spot.owner, kind, record, &spot.zone).await {
            Ok(()) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(Self::fault(&self.secrets, &error)),
        }
    }

    /// What the library says in strings, in our words.
    fn fault(secrets: &[zeroize::Zeroizing<String>], error: &Error) -> Fault {
        let mut said = match error {
            Error::Protocol(it)
            | Error::Parse(it)
            | Error::Client(it)
            | Error::Response(it)
            | Error::Api(it)
            | Error::Serialize(it)
            | Error::Unsupported(it) => it.clone(),
            Error::Unauthorized => "HTTP 401 or 403".to_owned(),
            Error::NotFound => "it knows no such zone or record".to_owned(),
            Error::BadRequest => "it did not understand the request".to_owned(),
            Error::InvalidRegion => "there is no such `region`".to_owned(),
            other => other.to_string(),
        };
        for secret in secrets {
            said = said.replace(secret.as_str(), "***");
        }
        let said = SafeText::capped(&said, 300);
        let has = |it: &[&str]| it.iter().any(|it| said.as_str().contains(it));
        match error {
            Error::Unauthorized => Fault::Unauthorized(said),
            Error::InvalidRegion | Error::Unsupported(_) => Fault::Settings(said),
            _ if has(&["403", "Forbidden", "AccessDenied", "not authorized"]) => {
                Fault::Refused(said)
            }
            _ if has(&["401", "Unauthorized", "InvalidClientTokenId", "SignatureDoesNotMatch"]) => {
                Fault::Unauthorized(said)
            }
            _ if has(&["429", "Too Many Requests", "Throttling"]) => Fault::Busy(said),
            _ if has(&["error sending request", "timed out", "connect"]) => {
                let server = SafeText::new("the provider");
                Fault::Silent { server, silence: Silence::Refused(said) }
            }
            _ => Fault::Failed(said),
        }
    }
}

impl Provider for Cloud {
    fn add<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.add(spot).boxed()
    }

    fn remove<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.remove(spot).boxed()
    }

    fn list<'a>(
        &'a self,
        owner: &'a str,
        zone: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, Fault>> {
        async move {
            match self.values(owner, zone).await {
                Ok(values) => Ok(Some(values)),
                Err(Fault::Settings(_)) => Ok(None),
                Err(fault) => Err(fault),
            }
        }
        .boxed()
    }
}

/// For one request.
const LIMIT: Option<Duration> = Some(Duration::from_secs(30));
/// Seconds: the least that GoDaddy and Porkbun take. CAs keep answers for a minute at most.
const TTL: u32 = 600;
/// Seconds: the least that NameSilo takes.
const LONG_TTL: u32 = 3600;
const ATTEMPTS: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::KEYS;
    use super::*;
    use crate::clock::Clock;

    /// Every line of the table opens with the keys and parts that it says it needs, and no other:
    /// but those that look at the form of a key or region.
    #[test]
    fn every_cloud_opens_with_what_it_asks_for() {
        for kind in
            KINDS.iter().filter(|it| !["google", "huaweicloud", "transip"].contains(&it.name))
        {
            let keys = kind.needs.iter().map(|it| (*it, "https://a.test".to_owned()));
            let keys: BTreeMap<_, _> = keys.collect();
            let secret = match kind.secret {
                Wanted::Parts(parts) => {
                    let lines: Vec<_> = parts.iter().map(|it| format!("{it} = part")).collect();
                    lines.join("\n")
                }
                _ => "token".to_owned(),
            };
            let given = Given { keys: &keys, secret: &secret, clock: Clock::default() };
            let opened = kind.open(&given).map(drop);
            assert_eq!(opened, Ok(()), "{}", kind.name);
            let given = Given { secret: "", ..given };
            assert!(kind.open(&given).is_err(), "{} opens without a secret", kind.name);
        }
        assert!(KEYS.is_sorted());
        assert!(KINDS.is_sorted_by_key(|it| it.name));
    }

    #[test]
    fn what_clouds_say_is_told_in_our_words_and_without_secrets() {
        let secrets = ["hunter2hunter2".to_owned().into()];
        let fault = |it: Error| Cloud::fault(&secrets, &it);
        assert!(matches!(fault(Error::Unauthorized), Fault::Unauthorized(_)));
        let busy = fault(Error::Api("HTTP 429: hunter2hunter2 calls too often".into()));
        assert_eq!(
            busy.to_string(),
            "asks to be left alone for a while: HTTP 429: *** calls too often"
        );
        let down = fault(Error::Api("error sending request for url (https://a.test/)".into()));
        assert!(matches!(down, Fault::Silent { .. }), "{down}");
    }
}
