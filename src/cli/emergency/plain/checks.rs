//! The step of a guided run that looks at what a CA will look at, before anything is ordered.

use std::time::Duration;

use super::{Guide, Next, say};
use crate::cli::emergency::words;
use crate::cli::{Exit, Failure, survey};
use crate::fleet::Fleet;
use crate::guide::Looked;
use crate::perform::preflight::{Preflight, Progress};
use crate::preflight::Wanted;
use crate::text::SafeText;

impl Guide<'_> {
    /// Looks at what a CA will look at, and says what each check says as it ends.
    pub(super) async fn check(&mut self, about: &str, wanted: Wanted) -> Result<Next, Failure> {
        say("Checking ...\n");
        let mut looked = Looked { about: about.to_owned(), ..Looked::default() };
        let mut look = Preflight::start(self.tools.clone(), self.fleet.clone(), vec![wanted], None);
        let signal = tokio::select! {
            () = follow(&mut look, &mut looked, &mut self.fleet) => None,
            number = self.lines.signals.next() => Some(number),
        };
        if let Some(number) = signal {
            say("Stopped: what was placed is being taken away.\n");
            look.stop();
            // Whatever is left then goes when certdeck starts the next time.
            let end = follow(&mut look, &mut looked, &mut self.fleet);
            tokio::time::timeout(PATIENCE, end).await.ok();
            return Ok(Next::Ends(Exit::Code(128 + number)));
        }
        looked.is_over = true;
        self.looked = Some(looked);
        self.history = survey::history(self.context, &self.tools.inventory, &self.fleet);
        Ok(Next::On)
    }
}

/// Takes in what checks say until all have ended.
async fn follow(look: &mut Preflight, looked: &mut Looked, fleet: &mut Fleet) {
    while let Some(progress) = look.next().await {
        match progress {
            Progress::Checked { kind, verdict, .. } => {
                say(&words::check(kind, &verdict));
                looked.verdicts.push((kind, verdict));
            }
            Progress::Refused { refusal, .. } => {
                let text = format!("{}; {}", refusal.text, refusal.hint);
                looked.refused = Some(SafeText::new(&text));
            }
            Progress::Visited(visit) => fleet.apply(visit),
            Progress::Began { .. } | Progress::Ended { .. } => {}
        }
    }
}

/// For taking away what was placed.
const PATIENCE: Duration = Duration::from_secs(30);
