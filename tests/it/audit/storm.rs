//! Many writers at once, and somebody who kills them.

use std::time::Duration;

use certdeck::audit::{read, verify};
use tempfile::TempDir;

use super::writer::Writer;
use super::{body, log, recover, second_opinion};

const WRITERS: usize = 8;
const APPENDS: usize = 250;

#[test]
fn killed_writers_lose_nothing_that_was_acknowledged() {
    let state = TempDir::new().unwrap();
    log(state.path()).change(&body("first")).unwrap();
    let (mut acknowledged, mut kills) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let writers = (0..WRITERS).map(|number| {
            let folder = state.path();
            scope.spawn(move || {
                let (mut seqs, mut kills) = (Vec::new(), 0);
                while seqs.len() < APPENDS {
                    let mut writer = Writer::start(folder, APPENDS - seqs.len());
                    writer.go();
                    if kills < 5 {
                        // A different moment each time, with no other randomness than the
                        // machine's own.
                        std::thread::sleep(Duration::from_millis(
                            7 + 31 * number as u64 % 90 + 13 * kills,
                        ));
                        writer.kill();
                        kills += 1;
                    }
                    let (more, refused) = writer.finish();
                    // On a busy machine somebody may have to wait too long; that is no loss.
                    let is_patient = |it: &String| it.starts_with("another process has held");
                    assert!(refused.iter().all(is_patient), "{refused:?}");
                    seqs.extend(more);
                }
                (seqs, kills)
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            let (seqs, killed) = writer.join().unwrap();
            acknowledged.extend(seqs);
            kills += killed;
        }
    });
    let count = acknowledged.len();
    acknowledged.sort_unstable();
    acknowledged.dedup();
    assert_eq!(acknowledged.len(), count, "two writers were given the same number");
    let verified = verify::verify(state.path());
    assert!(verified.state.is_sound(), "{verified:?}");
    if let Some(second) = second_opinion(&[state.path().to_owned()]) {
        assert_eq!(second[0]["code"], verified.state.code(), "{second:?}");
    }
    let records = read::records(state.path()).unwrap();
    for (record, seq) in records.iter().zip(1..) {
        assert_eq!(record.seq, seq);
    }
    recover(state.path(), &acknowledged, "storm");
    eprintln!(
        "audit: {WRITERS} writers, {kills} kills, {count} records acknowledged, {} on record, 0 lost",
        records.len()
    );
}
