//! Every seed of the fuzzer and some thousand mutations of it, the same ones each time, through
//! the parser that it is for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use certdeck::fuzz;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(name)
}

/// Numbers that look random and are the same in every run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end.max(1) as u64).unwrap()
    }
}

/// Changes some bytes, and cuts, doubles or moves some part.
pub(crate) fn mutate(seed: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        let end = (at + 1 + numbers.below(64)).min(bytes.len());
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, part);
            }
            3 => bytes.insert(at.min(bytes.len()), b"\n\0 =\x80\xff-/"[numbers.below(8)]),
            _ if at < bytes.len() => bytes[at] = u8::try_from(numbers.below(256)).unwrap(),
            _ => {}
        }
    }
    bytes
}

#[test]
fn seeds_and_their_mutations_do_no_harm() {
    for (name, parser) in fuzz::all() {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut numbers = Numbers(1);
        for path in files(&folder("seeds").join(name)) {
            let seed = std::fs::read(&path).unwrap();
            parser(&seed);
            for _ in 0..1000 {
                parser(&mutate(&seed, &mut numbers));
                if Instant::now() > deadline {
                    break;
                }
            }
        }
    }
}

#[test]
fn every_parser_has_a_target_and_seeds() {
    let parsers: BTreeSet<_> = fuzz::all().into_iter().map(|it| it.0.to_owned()).collect();
    let names = |it: &str| -> BTreeSet<_> {
        let files = files(&folder(it)).into_iter();
        files.map(|it| it.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("targets"), parsers);
    assert_eq!(names("seeds"), parsers);
    for name in parsers {
        assert!(!files(&folder("seeds").join(name)).is_empty());
    }
}
