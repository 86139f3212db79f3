//! Hosts of the file, with where certificates lie and what is served there.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::grammar::{Checked, Count};
use super::named::Named;
use super::plain::plain;
use super::read::{Known, Names, Reader};
use super::{Connection, Defaults, Endpoint, Group, Host, shape};
use crate::fleet::{HostName, Roots, Vantage};
use crate::source;
use crate::spanned::{Diagnostic, Table};

impl Reader<'_, '_> {
    pub(super) fn hosts(
        &mut self,
        given: Vec<Spanned<shape::Host>>,
        groups: &[Group],
        known: &Known<'_>,
        defaults: &Defaults,
    ) -> Vec<Host> {
        let named = groups.iter().map(|it| &it.name);
        let named = Named::new(("a", "group"), named, self.is_whole);
        let roots = Arc::new(Roots::public());
        let mut names = Names::new("host");
        let mut hosts = Vec::new();
        for table in given {
            let (span, host) = (table.span(), table.into_inner());
            let connection = host.connection.unwrap_or_default();
            if connection == Connection::Local {
                self.without_ssh(span.start);
            }
            let name = self.name(host.name, &mut names, span);
            let (connect_timeout, scan_timeout) =
                self.timeouts(host.connect_timeout, host.scan_timeout, defaults);
            let member_of = named.each(&host.groups, &mut self.complaints);
            let mut sources: Vec<_> =
                host.source.iter().filter_map(|it| self.source(it.span())).collect();
            let told_sources = sources.len();
            if host.discover.unwrap_or(defaults.discover) {
                source::discover(&mut sources);
            }
            let endpoints = host.endpoint.into_iter().filter_map(|it| self.endpoint(it)).collect();
            let issuer = known.issuers.one(host.issuer.as_ref(), &mut self.complaints);
            let deliver = host.deliver.map(|it| known.stores.each(&it, &mut self.complaints));
            let deliver = deliver.or_else(|| Group::deliver_of(groups, &member_of));
            let Some(name) = name else { continue };
            let address = host.address.map(Checked::into_string);
            let address = address.unwrap_or_else(|| match connection {
                Connection::Local => "localhost".to_owned(),
                Connection::Ssh => name.clone(),
            });
            hosts.push(Host {
                name: HostName::new(&name),
                connection,
                address,
                port: host.port.map(Count::value),
                user: host.user.map(Checked::into_string),
                identity_file: host.identity_file.map(Checked::into_string),
                r#become: host.r#become.unwrap_or(defaults.r#become),
                connect_timeout,
                scan_timeout,
                groups: member_of,
                sources,
                told_sources,
                webroot: host.webroot.map(Checked::into_string),
                issuer: issuer.or_else(|| defaults.issuer.clone()),
                deliver: deliver.unwrap_or_else(|| defaults.deliver.clone()),
                endpoints,
                roots: Arc::clone(&roots),
            });
        }
        hosts
    }

    /// Complains about what only ssh would be told, of a host that it does not go to.
    fn without_ssh(&mut self, table: usize) {
        let raw = self.tables.get(&table).and_then(|it| it.get_ref().as_table());
        let keys = raw.into_iter().flat_map(DeTable::keys);
        for key in keys.filter(|it| shape::OF_SSH.contains(&it.get_ref().as_ref())) {
            let message =
                format!("`{}` is for ssh, and this host is reached without", key.get_ref());
            let hint = "leave it out, or `connection = \"local\"`";
            self.complaints.push(Diagnostic::new(message, key.span()).with_hint(hint));
        }
    }

    fn source(&mut self, span: Range<usize>) -> Option<Arc<dyn source::Source>> {
        let table = match self.tables.get(&span.start) {
            Some(table) => Table::new(Spanned::clone(table)),
            None => Err(Diagnostic::new("expected a table", span)),
        };
        table.and_then(source::build).map_err(|it| self.complaints.push(plain(it))).ok()
    }

    fn endpoint(&mut self, table: Spanned<shape::Endpoint>) -> Option<Endpoint> {
        let (span, endpoint) = (table.span(), table.into_inner());
        let name = self.required(endpoint.name, "host.endpoint", "name", span)?;
        Some(Endpoint {
            name: name.into_string(),
            port: endpoint.port.map_or(443, Count::value),
            starttls: endpoint.starttls.unwrap_or_default(),
            probe: match endpoint.probe {
                None => vec![Vantage::Loopback, Vantage::Public],
                Some(told) => told.into_iter().map(vantage).collect(),
            },
            listen: endpoint.listen.and_then(|it| it.address()),
            addresses: endpoint.addresses.iter().filter_map(Checked::door).collect(),
        })
    }
}

fn vantage(told: shape::From) -> Vantage {
    match told {
        shape::From::Loopback => Vantage::Loopback,
        shape::From::Public => Vantage::Public,
    }
}
