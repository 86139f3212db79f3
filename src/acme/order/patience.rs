//! How long a CA is borne with that does not do what it is asked for.

use std::time::Duration;

use tokio::time::sleep;

use super::{Failure, Tell, say};
use crate::acme::{Error, Office, Stage};
use crate::text::SafeText;

/// How often, and how long, a CA is borne with.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    waits: u32,
}

impl Patience {
    /// Waits where waiting may help; gives the failure back where it does not.
    pub(super) async fn bear(
        &mut self,
        failure: Failure,
        office: &Office,
        stage: Stage,
        tell: &mut Tell<'_>,
    ) -> Result<(), Failure> {
        match &failure {
            Failure::Ca(Error::Busy { ca, until, .. }) => {
                let seconds = until.since(office.clock.now()).max(0);
                self.waits += 1;
                if seconds > LONGEST_WAIT || self.waits > MAX_WAITS {
                    return Err(failure);
                }
                say(
                    tell,
                    stage,
                    &format!("{ca} asks to be left alone until {until}: nothing is asked before"),
                );
                sleep(Duration::from_secs(seconds.unsigned_abs() + 1)).await;
                Ok(())
            }
            Failure::Ca(Error::Unreached { ca, why }) => {
                self.again(ca.clone(), why.clone(), failure, stage, tell).await
            }
            Failure::Ca(Error::Answer { ca, why, status }) if *status >= 500 => {
                self.again(ca.clone(), why.clone(), failure, stage, tell).await
            }
            Failure::Ca(Error::Problem { ca, problem }) if problem.status >= 500 => {
                let why = SafeText::new(&problem.to_string());
                self.again(ca.clone(), why, failure, stage, tell).await
            }
            _ => Err(failure),
        }
    }

    async fn again(
        &mut self,
        ca: SafeText,
        why: SafeText,
        failure: Failure,
        stage: Stage,
        tell: &mut Tell<'_>,
    ) -> Result<(), Failure> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES {
            return Err(failure);
        }
        let pause = Duration::from_secs(1 << self.failures.min(5));
        say(
            tell,
            stage,
            &format!("{ca}: {why}; the order is looked at again in {} s", pause.as_secs()),
        );
        sleep(pause).await;
        Ok(())
    }
}

/// What is waited for on the spot, in seconds; whoever is told to come back later comes back later.
const LONGEST_WAIT: i64 = 120;
const MAX_WAITS: u32 = 5;

/// So often an order is taken up again after a request that may have come through or not.
const MAX_FAILURES: u32 = 5;
