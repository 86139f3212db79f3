//! A name and its wildcard, proven by records that a provider writes into a real zone, which the
//! CA asks for them.

use certdeck::acme::desk::{Desk, Record};
use certdeck::acme::order::{Challenge, Kind, Placed, Solver, Tell, Unanswered, Work};
use certdeck::audit::Permit;
use certdeck::dns::Spot;
use futures_util::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;

use super::{Host, Machine};
use crate::dns::{Named, Told};
use crate::lab::are_here;
use crate::lab::ca::{Ca, Checks, Habits};

/// Answers challenges through one provider.
struct Zone<'a> {
    desk: Desk,
    permit: &'a Permit,
    placed: Vec<Spot>,
}

impl Zone<'_> {
    fn spots(placed: &[Placed]) -> Vec<Spot> {
        let spot = |it: &Placed| match it {
            Placed::Record { spot, .. } => serde_json::from_value(spot.clone()).unwrap(),
            Placed::File { .. } => panic!("{it:?}"),
        };
        placed.iter().map(spot).collect()
    }
}

impl Solver for Zone<'_> {
    fn kind(&self, _: &str, _: bool) -> Kind {
        Kind::Dns01
    }

    fn prepare<'a>(
        &'a mut self,
        it: &'a Challenge,
    ) -> BoxFuture<'a, Result<Vec<Placed>, Unanswered>> {
        Box::pin(async {
            let record =
                Record { name: format!("_acme-challenge.{}", it.name), value: it.record.clone() };
            let spot = self.desk.locate(&record).await.unwrap();
            Ok(vec![Placed::Record { dns: "lab".to_owned(), spot: json!(spot) }])
        })
    }

    fn place<'a>(
        &'a mut self,
        placed: &'a [Placed],
        tell: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Result<(), Unanswered>> {
        Box::pin(async {
            let spots = Self::spots(placed);
            for spot in &spots {
                self.desk.add(spot, self.permit).await.unwrap();
            }
            self.desk.wait(&spots, tell).await.unwrap();
            self.placed.extend(spots);
            Ok(())
        })
    }

    fn remove<'a>(
        &'a mut self,
        placed: &'a [Placed],
        _: &'a mut Tell<'_>,
    ) -> BoxFuture<'a, Vec<Placed>> {
        Box::pin(async {
            for spot in Self::spots(placed) {
                self.desk.remove(&spot, self.permit).await.unwrap();
            }
            Vec::new()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_its_wildcard_are_proven_in_a_real_zone() {
    if !are_here(super::PROGRAMS) {
        return;
    }
    let Some(primary) = Named::primary() else { return };
    let dir = TempDir::new().unwrap();
    let checks = Checks::Zone(primary.port);
    let ca = Ca::start_with(&dir.path().join("ca"), checks, 90, Habits::default());
    let machine = Machine::new(&dir.path().join("state"), &ca, ca.directory());
    let told = Told::usual(&primary);
    let permit = machine.permit();
    let account = machine.account(&permit).await.unwrap();
    // No alias among them: BIND without recursion does not follow one into its other zone, and
    // Pebble asks nobody else.
    let host = Host::new(&["a.test", "*.a.test", "www.a.test"]);
    let mut kept = machine.kept(&permit, &host.names);
    let mut solver = Zone { desk: told.desk().await, permit: &permit, placed: Vec::new() };
    let (office, csr) = (&machine.office, Some(host.csr()));
    let mut work = Work { office, account: &account, csr, solver: &mut solver };
    let chain = work.obtain(&mut kept, &mut |_| (), &permit).await.unwrap();
    assert!(chain.contains("BEGIN CERTIFICATE"), "{chain}");
    assert_eq!(ca.issued().len(), 1);

    let owners: Vec<_> = solver.placed.iter().map(|it| it.owner.as_str()).collect();
    assert_eq!(
        owners.iter().filter(|it| **it == "_acme-challenge.a.test").count(),
        2,
        "{owners:?}"
    );
    assert!(owners.contains(&"_acme-challenge.www.a.test"), "{owners:?}");
    for spot in &solver.placed {
        let left = solver.desk.list(spot).await.unwrap();
        assert!(!left.contains(&spot.value), "{left:?}");
        let is_apex = spot.owner == "_acme-challenge.a.test";
        assert_eq!(left.contains(&"foreign".to_owned()), is_apex, "{left:?}");
    }
}
