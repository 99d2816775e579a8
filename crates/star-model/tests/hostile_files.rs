//! Damaged and foreign weight files: always an error or a network, never a panic, and no more memory than the file asks for.
//!
//! One test only, so that what it allocates is its own.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use star_model::{
    ModelError, PklWeights, StarNetConfig, import_pkl, import_pkl_as, load_weights, save_weights,
};
use support::heap::{self, Counting};
use support::{Plain, golden_dir};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Small and fast: xorshift.
struct Random(u64);

/// Reads a file and forgets what it held.
type Reader = fn(&Path) -> Result<(), ModelError>;

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

struct Checked {
    path: PathBuf,
    read: fn(&Path) -> Result<(), ModelError>,
    errors: usize,
    fine: usize,
}

impl Checked {
    fn new(name: &str, read: fn(&Path) -> Result<(), ModelError>) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        Self {
            path,
            read,
            errors: 0,
            fine: 0,
        }
    }

    /// Reads `bytes` as a file; gives whether that is an error.
    fn is_error(&mut self, bytes: &[u8]) -> bool {
        std::fs::write(&self.path, bytes).unwrap();
        let (result, peak) = heap::peak(|| (self.read)(&self.path));
        // The file itself, its tensors once or twice, its pickle's values (some tens of bytes for one in the file).
        let limit = 40 * bytes.len() + (4 << 20);
        assert!(
            peak < limit,
            "{peak} bytes allocated for a file of {}",
            bytes.len()
        );
        match result {
            Ok(()) => {
                self.fine += 1;
                false
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.errors += 1;
                true
            }
        }
    }
}

fn read_pkl(path: &Path) -> Result<(), ModelError> {
    import_pkl::<Plain>(path, PklWeights::Net, &Default::default()).map(|_| ())
}

fn read_safetensors(path: &Path) -> Result<(), ModelError> {
    load_weights::<Plain>(path, &Default::default()).map(|_| ())
}

#[test]
fn hostile_files() {
    let device = Default::default();
    let mut files: Vec<(PathBuf, Reader)> = std::fs::read_dir(golden_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "pkl"))
        .map(|path| (path, read_pkl as _))
        .collect();
    assert!(!files.is_empty());
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own.safetensors");
    let config = StarNetConfig::new(5, vec![vec![0, 1], vec![2, 3]])
        .with_stacks(2)
        .with_channels(8)
        .with_stem(8);
    save_weights(
        &config.init::<Plain>(&device),
        &config,
        &BTreeMap::new(),
        &own,
    )
    .unwrap();
    files.push((own, read_safetensors));

    let mut random = Random(0x5EED);
    for (path, read) in &files {
        let whole = std::fs::read(path).unwrap();
        let mut checked = Checked::new("hostile", *read);
        assert!(!checked.is_error(&whole), "{} itself", path.display());

        // Cut off anywhere, and near both ends in particular.
        let cuts = (0..100).map(|_| random.below(whole.len()));
        let near = (1..40).flat_map(|i| [i, whole.len() - i]);
        for cut in cuts.chain(near).collect::<Vec<_>>() {
            assert!(
                checked.is_error(&whole[..cut]),
                "{} cut off at {cut}",
                path.display()
            );
        }
        // Some bytes wrong: the numbers themselves may change unseen, all else must be noticed.
        for round in 0..150 {
            let mut bytes = whole.clone();
            // Every second time where the structure is: at the start or at the end.
            let region = if round % 2 == 0 {
                bytes.len()
            } else {
                bytes.len().min(20_000)
            };
            for _ in 0..1 + random.below(8) {
                let at = random.below(region);
                let at = if round % 4 == 3 {
                    bytes.len() - 1 - at
                } else {
                    at
                };
                bytes[at] = random.below(256) as u8;
            }
            checked.is_error(&bytes);
        }
        println!(
            "{}: {} errors, {} read",
            path.display(),
            checked.errors,
            checked.fine
        );
    }

    for (read, reader) in [
        (read_pkl as fn(&Path) -> _, "pkl"),
        (read_safetensors, "safetensors"),
    ] {
        let mut checked = Checked::new("foreign", read);
        let noise: Vec<u8> = (0..10_000).map(|_| random.below(256) as u8).collect();
        // Nested deeply enough to exhaust the stack of a recursive reader.
        let nested = [
            b"\x80\x02".as_slice(),
            &b"]".repeat(500_000),
            &b"a".repeat(400_000),
            b".",
        ]
        .concat();
        let tuples = [b"\x80\x02N".as_slice(), &b"\x85".repeat(500_000), b"."].concat();
        // A zip archive with one empty file, `a`.
        let zip = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0aPK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0aPK\x05\x06\0\0\0\0\x01\0\x01\0/\0\0\0\x1f\0\0\0\0\0";
        for bytes in [
            b"".as_slice(),
            b"\n",
            b"a text\nof two lines\n",
            &noise,
            &nested,
            &tuples,
            zip,
        ] {
            assert!(
                checked.is_error(bytes),
                "{reader}: {:?}...",
                &bytes[..bytes.len().min(8)]
            );
        }
        assert!(read(Path::new("/no/such/file")).is_err());
        assert!(
            read(Path::new(env!("CARGO_TARGET_TMPDIR"))).is_err(),
            "a folder"
        );
        for (path, own) in &files {
            if !std::ptr::fn_addr_eq(*own, read) {
                assert!(
                    checked.is_error(&std::fs::read(path).unwrap()),
                    "{reader}: {}",
                    path.display()
                );
            }
        }
    }

    // A checkpoint of another layout than wanted: all that differs is named.
    let path = files
        .iter()
        .map(|(path, _)| path)
        .find(|path| path.extension().is_some_and(|e| e == "pkl"));
    let path = path.unwrap();
    let found = import_pkl::<Plain>(path, PklWeights::Net, &device).unwrap();
    let wanted = StarNetConfig::new(found.config.points + 1, found.config.edges.clone())
        .with_stacks(found.config.stacks + 1)
        .with_channels(found.config.channels);
    match import_pkl_as::<Plain>(&wanted, path, PklWeights::Net, &device) {
        Err(ModelError::Mismatch(mismatch)) => {
            assert!(
                mismatch
                    .missing
                    .iter()
                    .any(|name| name.starts_with(&format!("hgs.{}.", found.config.stacks)))
            );
            assert!(
                mismatch
                    .misshapen
                    .iter()
                    .any(|name| name.starts_with("out_heatmaps.0.conv.weight"))
            );
            assert!(mismatch.unknown.is_empty(), "{:?}", mismatch.unknown);
            println!("{}", ModelError::Mismatch(mismatch));
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
    let fewer = found.config.clone().with_stacks(found.config.stacks - 1);
    match import_pkl_as::<Plain>(&fewer, path, PklWeights::Net, &device) {
        Err(ModelError::Mismatch(mismatch)) => assert!(!mismatch.unknown.is_empty()),
        other => panic!("{:?}", other.map(|_| ())),
    }
}
