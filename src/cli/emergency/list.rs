//! `certdeck emergency --list`: the runs that are open, and who is at them.

use crate::cli::{Context, Exit, Failure, print};
use crate::fleet::human;
use crate::guide::Run;
use crate::store::{Kept, Runs};
use crate::text::SafeText;

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let all = Runs::new(&context.paths.state).all();
    let open: Vec<&Kept<Run>> = all.iter().filter(|it| it.run.ended.is_none()).collect();
    print(|out| {
        for it in &open {
            let age = human(context.clock.now().since(it.run.opened).max(0));
            let about = SafeText::new(&it.run.about);
            writeln!(out, "{about}  begun {} ({age} ago) by {}", it.run.opened, it.run.by)?;
            match &it.holder {
                Some(who) if who.is_there => {
                    writeln!(out, "  {} is at it, since {}", who.who, who.since)?;
                }
                Some(who) => writeln!(out, "  nobody is at it; the last was {}", who.who)?,
                None => {}
            }
            writeln!(out, "  {}", it.run.resume())?;
        }
        if open.is_empty() { writeln!(out, "no guided run is open") } else { Ok(()) }
    })?;
    Ok(Exit::Done)
}
