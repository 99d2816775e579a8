//! The same tensors in every wrapping that people's programs put around them.
//!
//! What PyTorch itself writes is held against the program by `benches/peers/check_wrappings.py`.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::DType;
use safetensors::tensor::{Dtype, TensorView};
use star_model::{
    LoadedWeights, ModelError, PklWeights, import_pkl, named_tensors, pkl_state, save_weights,
};
use support::published::{Entry, Op::Bare, Published, Stored, Tree, Writer, only_pickle};
use support::{Golden, Plain, floats, golden_file};

const PKL: &str = "small_wflw_s4_c16.pkl";

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wrapping-{name}"))
}

fn import(path: &Path, which: PklWeights) -> Result<LoadedWeights<Plain>, ModelError> {
    import_pkl(path, which, &Default::default())
}

/// The floats of the golden checkpoint, unused ones too, with `prefix` in front of their names.
fn entries(which: PklWeights, prefix: &str) -> Vec<Entry> {
    let state = pkl_state(golden_file(PKL), which).unwrap();
    let tensors = state.tensors().iter();
    let floats = tensors.filter(|(_, data)| data.dtype == DType::F32);
    floats
        .map(|(name, data)| Entry {
            name: format!("{prefix}{name}"),
            shape: data.shape.iter().map(|&side| side as u64).collect(),
            values: data.iter::<f32>().collect(),
        })
        .collect()
}

fn under<'a>(keys: &[&'a str], state: Tree<'a>) -> Tree<'a> {
    let wrap = |tree, key: &&'a str| Tree::Dict(vec![("epoch", Tree::Number(3)), (*key, tree)]);
    keys.iter().rev().fold(state, wrap)
}

fn write_tree(name: &str, tree: &Tree) -> PathBuf {
    let path = temporary(name);
    std::fs::write(&path, Published::of_tree(tree, false).archive().bytes()).unwrap();
    path
}

fn write_safetensors(name: &str, entries: &[&[Entry]], stored: Stored) -> PathBuf {
    let entries = || entries.iter().copied().flatten();
    let bytes: Vec<Vec<u8>> = entries().map(|e| stored.bytes(&e.values)).collect();
    let dtype = match stored {
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::Bf16 => Dtype::BF16,
    };
    let views = entries().zip(&bytes).map(|(entry, bytes)| {
        let shape = entry.shape.iter().map(|&side| side as usize).collect();
        (
            entry.name.clone(),
            TensorView::new(dtype, shape, bytes).unwrap(),
        )
    });
    let path = temporary(name);
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

/// The plain checkpoint's network with its numbers rounded, tensor for tensor in its bits.
#[track_caller]
fn assert_same(found: &LoadedWeights<Plain>, plain: &LoadedWeights<Plain>, stored: Stored) {
    assert_eq!(found.config, plain.config);
    let (found, plain) = (named_tensors(&found.net), named_tensors(&plain.net));
    assert_eq!(found.len(), plain.len());
    for ((name, found), (other, plain)) in found.iter().zip(&plain) {
        assert_eq!(name, other);
        let rounded = plain
            .iter::<f32>()
            .map(|value| stored.round(value).to_bits());
        assert!(found.iter::<f32>().map(f32::to_bits).eq(rounded), "{name}");
    }
}

#[test]
fn every_wrapping_holds_the_same_network() {
    let plain = import(&golden_file(PKL), PklWeights::Net).unwrap();
    assert!(plain.wrapping.is_published());
    let images = || Golden::open("net_small").images::<Plain>("eval");
    let landmarks = floats(plain.net.forward_last(images()).landmarks);
    let cases: [(&[&str], &str, Stored, &str); 10] = [
        (&["net"], "", Stored::F32, "`net`"),
        (&[], "", Stored::F32, "the top level"),
        (&[], "module.", Stored::F32, "the names in `module.`"),
        (
            &["net"],
            "module.",
            Stored::F32,
            "`net`, the names in `module.`",
        ),
        (
            &["state_dict"],
            "model.",
            Stored::F32,
            "`state_dict`, the names in `model.`",
        ),
        (&["model", "net"], "", Stored::F32, "`model` / `net`"),
        (
            &["a", "b", "c"],
            "net.module.",
            Stored::F32,
            "`a` / `b` / `c`, the names in `net.module.`",
        ),
        (&["weights"], "", Stored::F16, "`weights`"),
        (&[], "module.", Stored::Bf16, "the names in `module.`"),
        (&["net"], "", Stored::Bf16, "`net`"),
    ];
    for (i, (keys, prefix, stored, from)) in cases.into_iter().enumerate() {
        let entries = entries(PklWeights::Net, prefix);
        let tree = under(keys, Tree::State(&entries, stored));
        let found = import(&write_tree(&format!("{i}.pth"), &tree), PklWeights::Net).unwrap();
        assert_same(&found, &plain, stored);
        assert_eq!(found.wrapping.to_string(), from);
        assert_eq!(found.wrapping.keys, keys);
        assert_eq!(found.wrapping.prefix, prefix);
        if stored == Stored::F32 {
            assert_eq!(
                floats(found.net.forward_last(images()).landmarks),
                landmarks
            );
            let path = temporary(&format!("{i}-legacy.pth"));
            std::fs::write(&path, Published::of_tree(&tree, true).legacy()).unwrap();
            assert_same(&import(&path, PklWeights::Net).unwrap(), &plain, stored);
        }
    }
    // Safetensors have no keys around their tensors.
    for (i, (prefix, stored)) in [
        ("", Stored::F32),
        ("module.", Stored::F32),
        ("net.module.", Stored::F16),
        ("", Stored::Bf16),
    ]
    .into_iter()
    .enumerate()
    {
        let entries = entries(PklWeights::Net, prefix);
        let path = write_safetensors(&format!("{i}.safetensors"), &[&entries], stored);
        let found = import(&path, PklWeights::Net).unwrap();
        assert_same(&found, &plain, stored);
        assert_eq!(found.wrapping.prefix, prefix);
        assert!(found.wrapping.keys.is_empty());
    }
}

/// What export writes for PyTorch comes back, with the tensors that no network uses.
#[test]
fn an_exported_state_is_imported() {
    let state = pkl_state(golden_file(PKL), PklWeights::Net).unwrap();
    let path = temporary("exported.safetensors");
    state.write_safetensors(&path).unwrap();
    let plain = import(&golden_file(PKL), PklWeights::Net).unwrap();
    assert_same(
        &import(&path, PklWeights::Net).unwrap(),
        &plain,
        Stored::F32,
    );
    let again = pkl_state(&path, PklWeights::Net).unwrap();
    assert_eq!(again.tensors(), state.tensors());
}

#[test]
fn names_tell_two_networks_apart() {
    let [net, ema] = [PklWeights::Net, PklWeights::NetEma];
    let plain = [net, ema].map(|which| import(&golden_file(PKL), which).unwrap());
    let (a, b) = (entries(net, "module."), entries(ema, "module."));
    let inner = || {
        let state = |entries| Tree::State(entries, Stored::F32);
        Tree::Dict(vec![("net_ema", state(&b)), ("net", state(&a))])
    };
    let twice = write_tree("twice.pth", &under(&["model"], inner()));
    let in_net = write_tree("in-net.pth", &under(&["net"], inner()));
    let (a, b) = (entries(net, "net."), entries(ema, "net_ema."));
    let flat: Vec<Entry> = a.iter().chain(&b).cloned().collect();
    let flat_pkl = write_tree("flat.pth", &Tree::State(&flat, Stored::F32));
    let flat = write_safetensors("flat.safetensors", &[&a, &b], Stored::F32);
    // The average's names begin as the network's own do.
    let bare = entries(net, "");
    let beside: Vec<Entry> = bare.iter().chain(&b).cloned().collect();
    let beside = write_tree("beside.pth", &Tree::State(&beside, Stored::F32));
    for path in [twice, flat_pkl, flat, beside] {
        for (which, plain) in [net, ema].into_iter().zip(&plain) {
            let found = import(&path, which).unwrap_or_else(|e| panic!("{e}"));
            assert_same(&found, plain, Stored::F32);
        }
    }
    assert_same(&import(&in_net, net).unwrap(), &plain[0], Stored::F32);

    // A published checkpoint stays one, whatever lies beside.
    let other = entries(ema, "");
    let tree = Tree::Dict(vec![
        ("backup", Tree::State(&other, Stored::F32)),
        ("net", Tree::State(&bare, Stored::F32)),
    ]);
    let found = import(&write_tree("backup.pth", &tree), net).unwrap();
    assert_same(&found, &plain[0], Stored::F32);
    assert!(found.wrapping.is_published());
}

#[test]
fn doubt_is_refused_with_what_is_there() {
    let bare = entries(PklWeights::Net, "");
    let state = || Tree::State(&bare, Stored::F32);
    let two = Tree::Dict(vec![("student", state()), ("teacher", state())]);
    let average = Tree::Dict(vec![("net_ema", state())]);
    let half: Vec<Entry> = bare
        .iter()
        .cloned()
        .enumerate()
        .map(|(i, mut entry)| {
            if i % 2 == 0 || entry.name.starts_with("out_heatmaps.0") {
                entry.name = format!("module.{}", entry.name);
            }
            entry
        })
        .collect();
    let deep = under(&["a", "b", "c", "d"], state());
    let lone: Vec<Entry> = bare
        .iter()
        .filter(|e| e.name.starts_with("pre."))
        .cloned()
        .collect();
    let whole = {
        let mut w = Writer::new();
        only_pickle(w.op(Bare(b'N')).op(Bare(b'.')).ops.clone())
    };
    let own = temporary("own.safetensors");
    let plain = import(&golden_file(PKL), PklWeights::Net).unwrap();
    save_weights(&plain.net, &plain.config, &BTreeMap::new(), &own).unwrap();
    let whole_path = temporary("whole.pth");
    std::fs::write(&whole_path, whole).unwrap();

    let [net, ema] = [PklWeights::Net, PklWeights::NetEma];
    let cases: [(PathBuf, PklWeights, &[&str]); 9] = [
        (
            write_tree("two.pth", &two),
            net,
            &[
                "2 whole state dictionaries (`student`; `teacher`)",
                "torch.save",
            ],
        ),
        (
            write_tree("average.pth", &average),
            net,
            &["it holds no `net`, only `net_ema`"],
        ),
        (
            write_tree("bare.pth", &state()),
            ema,
            &["it holds no `net_ema`, only the top level"],
        ),
        (
            write_tree("half.pth", &Tree::State(&half, Stored::F32)),
            net,
            &["beside the names in `module.`", "no prefix in common"],
        ),
        (
            write_tree("deep.pth", &deep),
            net,
            &["it holds no `net`, only [\"epoch\", \"a\"]"],
        ),
        (
            write_tree(
                "lone.pth",
                &under(&["model"], Tree::State(&lone, Stored::F32)),
            ),
            net,
            &["only [\"epoch\", \"model\"], and no state dictionary of this network"],
        ),
        (whole_path, net, &["it holds no dictionary", "state_dict()"]),
        (own, net, &["needs no import"]),
        (
            write_safetensors("lone.safetensors", &[&lone], Stored::F32),
            net,
            &["its tensors are not this network's"],
        ),
    ];
    for (path, which, parts) in cases {
        let message = import(&path, which).expect_err(parts[0]).to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
        for part in parts {
            assert!(message.contains(part), "{message} lacks {part}");
        }
    }
}
