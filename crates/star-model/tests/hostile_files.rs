//! Damaged and foreign weight files: always an error or a network, never a panic, and no more memory than the file asks for.
//!
//! One test at a time, so that what it allocates is its own.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use star_model::{
    ModelError, PklWeights, StarNetConfig, import_pkl, import_pkl_as, load_weights, pkl_state,
    save_weights,
};
use support::heap::{self, Counting};
use support::published::{
    Entry,
    Op::{self, Bare, Byte, Global},
    Published, Writer, number, only_pickle, text,
};
use support::{Plain, golden_dir};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What reading a file may take: the file and its numbers once or twice, its pickle's values. What any file costs, whatever its
/// size, is a message, the first entries of lists and hash maps, and the reader's own small things.
fn most_memory(size: usize) -> usize {
    8 * size + (64 << 10)
}

/// Tests that measure memory run one after another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    /// The most memory, as a multiple of the file.
    most: f64,
}

impl Checked {
    fn new(name: &str, read: fn(&Path) -> Result<(), ModelError>) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        Self {
            path,
            read,
            errors: 0,
            fine: 0,
            most: 0.0,
        }
    }

    /// Reads `bytes` as a file; gives whether that is an error.
    fn is_error(&mut self, bytes: &[u8]) -> bool {
        std::fs::write(&self.path, bytes).unwrap();
        let (result, peak) = heap::peak(|| (self.read)(&self.path));
        let limit = most_memory(bytes.len());
        assert!(
            peak < limit,
            "{peak} bytes allocated for a file of {}",
            bytes.len()
        );
        self.most = self.most.max(peak as f64 / bytes.len().max(8 << 10) as f64);
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
    let _alone = alone();
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
            "{}: {} errors, {} read, at most {:.2} times its size in memory",
            path.display(),
            checked.errors,
            checked.fine,
            checked.most
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

/// Reads a file that must be refused; gives the message without the file's name, and the memory that it took.
fn refused(name: &str, bytes: &[u8], read: Reader) -> (String, usize) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    let (result, peak) = heap::peak(|| read(&path));
    let message = result.expect_err(name).to_string();
    println!(
        "{name}: {} bytes, {peak} bytes of memory at most: {message}",
        bytes.len()
    );
    let named = format!("{}: ", path.display());
    let message = message
        .strip_prefix(&named)
        .unwrap_or_else(|| panic!("{name} is not named: {message}"));
    (message.to_string(), peak)
}

/// Tensors without numbers, or with one; their shapes are what a network is deduced from.
fn claims(shapes: &[(&str, &[u64])]) -> Vec<u8> {
    let entries = shapes.iter().map(|(name, shape)| Entry {
        name: (*name).into(),
        shape: shape.to_vec(),
        values: Vec::new(),
    });
    Published::of(&entries.collect::<Vec<_>>(), true).legacy()
}

/// Numbers in a shape decide how much is made; a file of some hundred bytes can claim any.
#[test]
fn shapes_that_claim_more_than_the_file_holds_are_refused() {
    let _alone = alone();
    const HUGE: u64 = 1 << 61;
    let net = |points: u64, channels: u64, stem: u64, edges: u64, e2h: &[u64]| {
        claims(&[
            ("out_heatmaps.0.conv.weight", &[points, channels, 1, 1]),
            ("pre.0.conv.weight", &[stem, 3, 7, 7]),
            ("out_edgemaps.0.conv.weight", &[edges, channels, 1, 1]),
            ("e2h_transform.weight", e2h),
        ])
    };
    let far = "out_heatmaps.63.conv.weight";
    let last = format!("out_heatmaps.{}.conv.weight", usize::MAX);
    let base = |name| {
        claims(&[
            ("out_heatmaps.0.conv.weight", &[3, 8, 1, 1]),
            ("pre.0.conv.weight", &[8, 3, 7, 7]),
            (name, &[3, 8, 1, 1]),
        ])
    };
    let cases: [(&str, Vec<u8>, &[&str]); 13] = [
        (
            "no-points-of-many-edges",
            net(98, 256, 64, 15, &[0, HUGE, 1, 1]),
            &["`e2h_transform.weight` is of 2305843009213693952 edges; a network has 1 to 16384"],
        ),
        (
            "other-points",
            net(98, 256, 64, 15, &[97, 15, 1, 1]),
            &[
                "`e2h_transform.weight` is of 97 points and 15 edges",
                "the heatmaps are of 98 points",
            ],
        ),
        (
            "no-points-at-all",
            net(0, 256, 64, HUGE, &[0, HUGE, 1, 1]),
            &["its tensors make no network", "points is 0"],
        ),
        (
            "edges-of-no-size",
            net(1, 256, 64, 1 << 40, &[1, 1 << 40, 0, 0]),
            &["1099511627776 edges", "a network has 1 to 16384"],
        ),
        (
            "many-edges",
            net(1, 256, 64, 1 << 40, &[1, 1 << 40, 1, 1]),
            &["1099511627776 edges", "a network has 1 to 16384"],
        ),
        (
            "more-edges-than-numbers",
            net(1, 256, 64, 16_000, &[1, 16_000, 1, 1]),
            &["`e2h_transform.weight`: it asks for far more memory"],
        ),
        (
            "many-edges-of-no-size",
            net(1, 256, 64, 16_000, &[1, 16_000, 0, 1]),
            &["`e2h_transform.weight` is of shape [1, 16000, 0, 1] instead of [1, 16000, 1, 1]"],
        ),
        (
            "many-points",
            net(HUGE, 256, 64, 15, &[HUGE, 15, 1, 1]),
            &["points is 2305843009213693952, more than 16384"],
        ),
        (
            "many-channels",
            net(98, 1 << 40, 64, 15, &[98, 15, 1, 1]),
            &["channels is 1099511627776, more than 16384"],
        ),
        (
            "wide-stem",
            net(98, 256, 1 << 62, 15, &[98, 15, 1, 1]),
            &["stem is 4611686018427387904, more than 16384"],
        ),
        (
            "many-stacks",
            base(far),
            &[
                "holds another network than it describes",
                "missing",
                "`pre.0.conv.bias`",
            ],
        ),
        (
            "too-many-stacks",
            base(&last),
            &["stacks is 18446744073709551615, more than 64"],
        ),
        (
            "negative",
            net(98, 256, 64, 15, &[98, u64::MAX, 1, 1]),
            &["`net` holds `e2h_transform.weight`, which is no tensor"],
        ),
    ];
    for (name, bytes, parts) in cases {
        for (which, read) in [("", read_pkl as Reader), ("state-", read_state)] {
            let (message, peak) = refused(&format!("{which}{name}.pkl"), &bytes, read);
            for part in parts {
                assert!(message.contains(part), "{name}: {message} lacks {part}");
            }
            assert!(peak < most_memory(bytes.len()), "{name}: {peak} bytes");
        }
    }
}

fn read_state(path: &Path) -> Result<(), ModelError> {
    pkl_state(path, PklWeights::Net).map(|_| ())
}

/// Pickles that use one large value again and again: what was copied at every use took the square of the file.
#[test]
fn values_that_are_used_often_are_not_copied() {
    let _alone = alone();
    const HALF: usize = 56_000;
    let long = "k".repeat(HALF);
    let storage = |w: &mut Writer, key: Op| {
        w.op(Bare(b'(')).op(text("storage"));
        w.op(Global("torch", "FloatStorage".into())).op(key);
        w.op(text("cpu")).op(number(0)).op(Bare(b't'));
    };
    // Some instructions around a value in slot 0, as often as fits the other half.
    let again = |first: &dyn Fn(&mut Writer), ops: &[Op]| {
        let mut w = Writer::new();
        first(&mut w);
        w.keep();
        w.op(Bare(b'0'));
        let size = {
            let mut bytes = Vec::new();
            support::published::write(ops, &mut bytes);
            bytes.len()
        };
        for _ in 0..HALF / size {
            w.ops(ops.iter().cloned());
        }
        only_pickle(w.op(Bare(b'}')).end())
    };
    let recall = || Byte(b'h', 0);
    let list_of_pairs = |w: &mut Writer| {
        w.op(Bare(b']')).op(Bare(b'('));
        for _ in 0..HALF / 3 {
            w.op(Bare(b'N')).op(Bare(b'N')).op(Bare(0x86));
        }
        w.op(Bare(b'e')).op(Bare(0x85));
    };
    let shape = |w: &mut Writer| {
        w.op(Bare(b'('));
        w.ops((0..HALF / 2).map(|_| number(1)));
        w.op(Bare(b't'));
    };
    let rebuild = Global("torch._utils", "_rebuild_tensor_v2".into());
    let empty = {
        let mut w = Writer::default();
        storage(&mut w, text(""));
        w.op(Bare(b'Q'));
        w.ops
    };
    let with_shape: Vec<Op> = [
        vec![rebuild, Bare(b'(')],
        empty,
        vec![number(0), recall(), recall(), Bare(b't'), Bare(b'R')],
    ]
    .concat();
    let cases: [(&str, Vec<u8>); 7] = [
        (
            "storages-of-one-key",
            again(
                &|w| storage(w, text(&long)),
                &[recall(), Bare(b'Q'), Bare(b'0')],
            ),
        ),
        (
            "storages-kept",
            again(&|w| storage(w, text(&long)), &[recall(), Bare(b'Q')]),
        ),
        (
            "globals-of-one-name",
            again(
                &|w| w.ops.push(text(&long)),
                &[recall(), recall(), Bare(0x93), Bare(b'0')],
            ),
        ),
        ("shapes-of-one-tuple", again(&shape, &with_shape)),
        (
            "dictionaries-of-one-list",
            again(
                &list_of_pairs,
                &[
                    Global("collections", "OrderedDict".into()),
                    recall(),
                    Bare(b'R'),
                    Bare(b'0'),
                ],
            ),
        ),
        ("nothing-often", {
            let mut w = Writer::new();
            w.ops((0..2 * HALF).map(|_| Bare(b'N')));
            only_pickle(w.end())
        }),
        ("memo-of-any-slot", {
            let mut w = Writer::new();
            w.op(Bare(b'N')).op(Op::Word(b'r', u32::MAX));
            only_pickle(w.end())
        }),
    ];
    for (name, bytes) in cases {
        let (message, peak) = refused(&format!("{name}.pkl"), &bytes, read_pkl);
        assert!(
            peak < most_memory(bytes.len()),
            "{name}: {peak} bytes of memory for {} of the file",
            bytes.len()
        );
        let expected = match name {
            "memo-of-any-slot" => "its pickle is damaged",
            "globals-of-one-name" => "it holds no `net`, only []",
            _ => "it asks for far more memory than a checkpoint of its size can need",
        };
        assert!(
            message.starts_with("not a published checkpoint: ") && message.contains(expected),
            "{name}: {message}"
        );
    }
}

/// Thousands of names, in files that say they hold the largest network: what is missing is not listed at many times the file's size.
#[test]
fn names_that_do_not_fit_take_no_more_than_the_file() {
    let _alone = alone();
    let last = "out_heatmaps.63.conv.weight".to_string();
    let names = (0..20_000).map(|i| format!("hgs.0.low3.bn1.weight.{i:040x}"));
    let names = names.chain([last]);
    let mut entries: Vec<Entry> = names
        .map(|name| Entry {
            name,
            shape: vec![],
            values: vec![0.0],
        })
        .collect();
    for (name, shape) in [
        ("out_heatmaps.0.conv.weight", vec![3, 8, 1, 1]),
        ("pre.0.conv.weight", vec![8, 3, 7, 7]),
    ] {
        entries.push(Entry {
            name: name.into(),
            shape,
            values: Vec::new(),
        });
    }
    let bytes = Published::of(&entries, true).legacy();
    let (message, peak) = refused("many-names.pkl", &bytes, read_pkl);
    assert!(peak < most_memory(bytes.len()), "{peak} bytes");
    assert!(
        message.starts_with("holds another network than it describes: of "),
        "{message}"
    );
}

/// Numbers that no network computes with are refused at every door, by the tensor's name.
#[test]
fn numbers_that_are_not_finite_are_refused_by_name() {
    let _alone = alone();
    let config = tiny();
    for (number, kind) in [(f32::NAN, "nan"), (f32::INFINITY, "inf")] {
        for legacy in [false, true] {
            let mut published = Published::of_net(&config, legacy);
            let (_, bytes) = published.storages.last_mut().unwrap();
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            let file = if legacy {
                published.legacy()
            } else {
                published.archive().bytes()
            };
            for (door, read) in [("import", read_pkl as Reader), ("state", read_state)] {
                let (message, _) = refused(&format!("{kind}-{legacy}-{door}.pkl"), &file, read);
                let name = published.names.last().unwrap();
                assert!(
                    message.starts_with(&format!("`{name}` holds numbers that are not finite"))
                        && message.contains("take a copy that is whole"),
                    "{message}"
                );
            }
        }
    }
}

fn tiny() -> StarNetConfig {
    StarNetConfig::new(3, vec![vec![0, 1], vec![1, 2]])
        .with_stacks(1)
        .with_channels(2)
        .with_stem(2)
}

/// The smallest network there is, in the tightest of the formats: the limit of memory is never in the way of a good file.
#[test]
fn the_smallest_checkpoint_is_read() {
    let _alone = alone();
    let config = tiny();
    for legacy in [false, true] {
        let published = Published::of_net(&config, legacy);
        let bytes = if legacy {
            published.legacy()
        } else {
            published.archive().bytes()
        };
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("smallest-{legacy}.pkl"));
        std::fs::write(&path, &bytes).unwrap();
        let (loaded, peak) =
            heap::peak(|| import_pkl::<Plain>(&path, PklWeights::Net, &Default::default()));
        let loaded = loaded.unwrap();
        assert_eq!(loaded.config, config);
        println!("{} bytes, {peak} bytes of memory at most", bytes.len());
        assert!(peak < most_memory(bytes.len()), "{peak} bytes");
    }
}

/// A weights file with this JSON as the network's configuration, and no tensors.
fn described(config: &str) -> Vec<u8> {
    let entries = BTreeMap::from([("star.config", config)]);
    let contents = serde_json::to_string(&entries).unwrap();
    let header = serde_json::json!({"__metadata__": {"star": contents}}).to_string();
    with_header(header.as_bytes(), &[])
}

fn with_header(header: &[u8], numbers: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, numbers].concat()
}

/// What a weights file says of its network is held against the file before anything is made of it.
#[test]
fn weights_files_that_claim_too_much_are_refused() {
    let _alone = alone();
    let config = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = serde_json::to_value(tiny()).unwrap();
        change(&mut json);
        described(&json.to_string())
    };
    let set = |key: &'static str, value: serde_json::Value| {
        config(&move |json| json[key] = value.clone())
    };
    let many = |what: &str, count: usize| vec![what; count].join(",");
    let listed = (0..2_000)
        .map(|i| format!("\"{i:x}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"));
    let listed = format!("{{{}}}", listed.collect::<Vec<_>>().join(","));
    let dimensions = format!(
        "{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,0]}}}}",
        many("0", 100_000)
    );
    let one = |shape: &str, offsets: &str| {
        let header =
            format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}");
        with_header(header.as_bytes(), &[0; 8])
    };
    let cases: [(&str, Vec<u8>, &str); 19] = [
        (
            "channels",
            set("channels", (1u64 << 40).into()),
            "channels is 1099511627776, more than 16384",
        ),
        (
            "stem",
            set("stem", u64::MAX.into()),
            "stem is 18446744073709551615, more than 16384",
        ),
        (
            "points",
            set("points", (1u64 << 40).into()),
            "points is 1099511627776, more than 16384",
        ),
        (
            "stacks",
            set("stacks", (1u64 << 40).into()),
            "stacks is 1099511627776, more than 64",
        ),
        (
            "most-stacks",
            set("stacks", 64.into()),
            "holds another network than it describes: of 17594 tensors 17594 are missing",
        ),
        (
            "most-channels",
            set("channels", 16_384.into()),
            "holds another network than it describes: of ",
        ),
        (
            // 7 GB for one face: the numbers in the file are no measure of it.
            "large",
            set("input_size", 16_384.into()),
            "input_size is 16384, more than 1024",
        ),
        (
            "size",
            set("input_size", (1u64 << 40).into()),
            "input_size is 1099511627776, more than 1024",
        ),
        (
            "negative",
            set("points", (-1).into()),
            "its network configuration cannot be read: invalid value: integer `-1`",
        ),
        (
            "edges",
            described(&format!(
                "{{\"points\":3,\"edges\":[{}]}}",
                many("[]", 40_000)
            )),
            "its 40000 edges of 0 points are more than a network in 1200",
        ),
        (
            "edge",
            described(&format!(
                "{{\"points\":3,\"edges\":[[{}]]}}",
                many("0", 40_000)
            )),
            "its 1 edges of 40000 points are more than a network in 80",
        ),
        (
            "edge-of-text",
            set("edges", "all".into()),
            "its network configuration cannot be read: invalid type: string \"all\"",
        ),
        (
            "listed",
            with_header(listed.as_bytes(), &[]),
            "was not written by this program",
        ),
        (
            "dimensions",
            with_header(dimensions.as_bytes(), &[]),
            "a shape of at most 4 dimensions",
        ),
        (
            "overflow",
            one("[4294967296,4294967296,4]", "[0,8]"),
            "`a` is [4294967296, 4294967296, 4] of F32, which is not the 8 bytes that it has",
        ),
        (
            "shape",
            one("[3]", "[0,8]"),
            "`a` is [3] of F32, which is not the 8 bytes that it has",
        ),
        (
            "beyond",
            one("[2]", "[0,18446744073709551615]"),
            "its header is of 18446744073709551615 bytes of numbers, and there are 8",
        ),
        (
            "gap",
            one("[1]", "[4,8]"),
            "its tensors do not lie one after another",
        ),
        (
            "long-header",
            [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(),
            "not a safetensors file (its header is longer than the file)",
        ),
    ];
    for (name, bytes, part) in cases {
        let (message, peak) = refused(&format!("{name}.safetensors"), &bytes, read_safetensors);
        assert!(message.contains(part), "{name}: {message} lacks {part}");
        assert!(
            peak < most_memory(bytes.len()),
            "{name}: {peak} bytes for {}",
            bytes.len()
        );
    }
}
