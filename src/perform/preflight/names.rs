//! The names and their zones, as resolvers and authoritative servers tell of them.

use std::net::SocketAddr;

use futures_util::stream::{self, StreamExt as _};

use crate::acme;
use crate::perform::Tools;
use crate::preflight::{Case, Listed, Name, Zone};
use crate::resolve::{Resolver, Server, Silence, said};
use crate::text::SafeText;

/// Asks for every name.
pub(super) async fn look(case: &Case, tools: &Tools) -> Vec<Name> {
    let resolver = acme::resolver(&tools.inventory.defaults.resolvers).await;
    let resolver = &resolver;
    let names: Vec<String> = case.names().map(str::to_owned).collect();
    let looks = names.into_iter().map(|name| async move {
        let (look, caa) = tokio::join!(resolver.look(&name), resolver.caa(&name));
        Name { name, look, caa }
    });
    stream::iter(looks).buffered(AT_ONCE).collect().await
}

/// Asks every authoritative server for every name.
pub(super) async fn zones(case: &Case, tools: &Tools) -> Vec<Zone> {
    let resolver = acme::resolver(&tools.inventory.defaults.resolvers).await;
    let resolver = &resolver;
    let names: Vec<String> = case.names().take(MOST).map(str::to_owned).collect();
    let looks = names.into_iter().map(|name| async move {
        // Where a provider of the inventory names servers, records must be seen there.
        let told = tools.inventory.dns_of(&name).map(|it| it.nameservers.clone());
        zone(name.strip_prefix("*.").unwrap_or(&name), &told.unwrap_or_default(), resolver).await
    });
    stream::iter(looks).buffered(AT_ONCE).collect().await
}

async fn zone(name: &str, told: &[SocketAddr], resolver: &Resolver) -> Zone {
    let known = Resolver::new(told.to_vec());
    let asked = if told.is_empty() { resolver } else { &known };
    let found = async {
        let zone = asked.zone_of(name).await?;
        let servers = if told.is_empty() {
            resolver.servers_of(&zone).await?
        } else {
            let server = |it: &SocketAddr| Server { name: SafeText::default(), address: *it };
            told.iter().map(server).collect()
        };
        Ok::<_, crate::resolve::Error>((zone, servers))
    };
    let (zone, servers) = match found.await {
        Ok(found) => found,
        Err(error) => {
            let why = SafeText::new(&error.to_string());
            return Zone { zone: String::new(), name: name.to_owned(), servers: Err(why) };
        }
    };
    let zone_name = zone.as_str();
    let answers = servers.into_iter().map(|server| async move {
        let listed = match said(server.address, zone_name, name).await {
            Ok(Ok(said)) => Listed::Said(said),
            Ok(Err(why)) => Listed::Trouble(why),
            Err(Silence::NoRoute) => Listed::NoRoute,
            Err(silence) => Listed::Trouble(SafeText::new(&silence.to_string())),
        };
        (server, listed)
    });
    let servers = futures_util::future::join_all(answers).await;
    Zone { zone: zone.clone(), name: name.to_owned(), servers: Ok(servers) }
}

/// So many names are asked for at once.
const AT_ONCE: usize = 8;
/// So many names are asked for at every server: the others lie in the same zones, mostly.
const MOST: usize = 32;
