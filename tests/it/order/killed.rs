//! Killed at every request, before the CA gets it and after it has answered: whoever takes the
//! order up comes to one certificate, and nothing is left in place.

use std::path::Path;
use std::sync::Arc;

use certdeck::acme::order::{Kept, Kind, Work};
use certdeck::audit::Permit;
use futures_util::{StreamExt as _, stream};
use tempfile::TempDir;

use super::proxy::{Proxy, Strike};
use super::{Host, Machine, PROGRAMS, Told, strict};
use crate::lab::are_here;
use crate::lab::ca::Ca;

/// An order that is begun, killed and taken up.
struct Trial {
    machine: Machine,
    host: Host,
    permit: Permit,
    solver: Told,
    proxy: Proxy,
    strike: Strike,
}

impl Trial {
    async fn new(ca: &Arc<Ca>, kind: Kind, strike: Strike, dir: &Path) -> Self {
        let name = match strike {
            Strike::Never => "never".to_owned(),
            Strike::Before(at) => format!("before{at}"),
            Strike::After(at) => format!("after{at}"),
        };
        let proxy = Proxy::start(ca, strike).await;
        let machine = Machine::new(&dir.join(&name), ca, proxy.directory());
        let permit = machine.permit();
        let names = [format!("{name}.test"), format!("www.{name}.test")];
        let host = Host::new(&names.each_ref().map(String::as_str));
        Self { machine, host, permit, solver: Told::new(ca, kind), proxy, strike }
    }

    /// One life of the program: from what is on the disk to the chain.
    async fn live(&mut self) -> Result<String, String> {
        let Self { machine, permit, host, solver, .. } = self;
        let account = machine.account(permit).await.map_err(|it| it.to_string())?;
        let kept = Kept::read(&machine.office, permit.op(), false).unwrap();
        let mut kept = kept.unwrap_or_else(|| machine.kept(permit, &host.names));
        let csr = Some(host.csr());
        let mut work = Work { office: &machine.office, account: &account, csr, solver };
        let obtained = work.obtain(&mut kept, &mut |_| (), permit).await;
        obtained.map_err(|it| format!("{it:?}"))
    }

    /// Lives until it is killed, and then again; whether it was killed at all.
    async fn check(mut self, ca: &Ca) -> bool {
        let proxy = std::mem::replace(&mut self.proxy, Proxy::start(ca, Strike::Never).await);
        let is_killed = tokio::select! {
            lived = self.live() => {
                lived.unwrap_or_else(|it| panic!("{:?}: {it}", self.strike));
                false
            }
            () = proxy.struck() => true,
        };
        if is_killed {
            let lived = self.live().await;
            lived.unwrap_or_else(|it| panic!("{:?}, taken up: {it}", self.strike));
        }
        let again = self.live().await;
        again.unwrap_or_else(|it| panic!("{:?}, asked for again: {it}", self.strike));
        self.solver.assert_clear();
        let orders: Vec<_> = proxy
            .seen()
            .into_iter()
            .filter(|it| it.line == "POST /order-plz")
            .filter_map(|it| it.location?.rsplit('/').next().map(str::to_owned))
            .collect();
        let issued = ca.issued();
        let ours = orders.iter().map(|it| issued.iter().filter(|that| *that == it).count());
        assert_eq!(ours.sum::<usize>(), 1, "{:?}: {orders:?}", self.strike);
        is_killed
    }
}

async fn check(kind: Kind) {
    let dir = TempDir::new().unwrap();
    let ca = strict(&dir.path().join("ca"), &[]);
    let (ca, dir) = (&ca, dir.path());
    let usual = Trial::new(ca, kind, Strike::Never, dir).await;
    assert!(!usual.check(ca).await);
    let strikes = (1..=MOST).flat_map(|it| [Strike::Before(it), Strike::After(it)]);
    let all = stream::iter(strikes)
        .map(|strike| async move { Trial::new(ca, kind, strike, dir).await.check(ca).await });
    let killed: Vec<_> = all.buffered(6).collect().await;
    let count = killed.iter().filter(|it| **it).count();
    // The last ones come too late: every request there is has been struck.
    assert!(count >= 20 && killed.last() == Some(&false), "{count} of {}", killed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_request_over_http() {
    if are_here(PROGRAMS) {
        check(Kind::Http01).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_request_in_the_dns() {
    if are_here(PROGRAMS) {
        check(Kind::Dns01).await;
    }
}

/// More requests than an order of two names takes.
const MOST: usize = 30;
