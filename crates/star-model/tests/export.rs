//! Weights that leave: what the published program stores comes back out bit for bit.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use burn::tensor::{DType, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use star_model::weights::{CONFIG_KEY, replace_entry};
use star_model::{
    LoadedWeights, ModelError, PklWeights, Precision, PublishedState, import_pkl, load_weights,
    named_tensors, pkl_state, save_weights, save_weights_as, write_npz,
};
use support::{Plain, golden_file};

const PKL: &str = "small_wflw_s4_c16.pkl";

fn temporary(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("star-export-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn imported() -> LoadedWeights<Plain> {
    import_pkl(golden_file(PKL), PklWeights::Net, &Default::default()).unwrap()
}

/// The bytes of every tensor of a written state.
fn written(state: &PublishedState, name: &str) -> BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> {
    let path = temporary(name);
    state.write_safetensors(&path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, t)| (name, (t.dtype(), t.shape().to_vec(), t.data().to_vec())))
        .collect()
}

/// Reading the checkpoint in Burn's own way, another program than ours, would be the better witness; `benches/peers/check_export.py` has
/// PyTorch compare. Here: both file formats say the same, and it is what the network computes with.
#[test]
fn a_checkpoint_comes_back_out_bit_for_bit() {
    for which in [PklWeights::Net, PklWeights::NetEma] {
        let state = pkl_state(golden_file(PKL), which).unwrap();
        let out = written(&state, "whole.safetensors");
        assert_eq!(out.len(), state.tensors().len());
        for (name, data) in state.tensors() {
            let (_, shape, bytes) = &out[name];
            assert_eq!(shape.as_slice(), data.shape.as_slice(), "{name}");
            assert!(bytes == data.as_bytes(), "{name}");
        }
        let net: LoadedWeights<Plain> =
            import_pkl(golden_file(PKL), which, &Default::default()).unwrap();
        for (name, data) in named_tensors(&net.net) {
            assert!(out[&name].2 == data.as_bytes(), "{name}");
        }
        // Unused ones are there as trained programs leave them: drawn, not zero.
        let unused = &out["hgs.0.up1.skip_layer.conv.weight"];
        assert_eq!(unused.1, [16, 16, 1, 1]);
        assert!(unused.2.iter().any(|&b| b != 0));
        assert_eq!(out["pre.0.bn.num_batches_tracked"].0, Dtype::I64);
    }
    let net = pkl_state(golden_file(PKL), PklWeights::Net).unwrap();
    let legacy = pkl_state(golden_file("small_wflw_legacy_nonzip.pkl"), PklWeights::Net).unwrap();
    assert_eq!(
        net.tensors().keys().collect::<Vec<_>>(),
        legacy.tensors().keys().collect::<Vec<_>>()
    );
}

#[test]
fn a_network_of_ours_has_the_published_keys_and_shapes() {
    let published = written(
        &pkl_state(golden_file(PKL), PklWeights::Net).unwrap(),
        "published.safetensors",
    );
    let ours = written(&PublishedState::of(&imported().net), "ours.safetensors");
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        published.keys().collect::<Vec<_>>()
    );
    let mut zeros = 0;
    for (name, (dtype, shape, bytes)) in &ours {
        let (kind, wanted, values) = &published[name];
        assert_eq!((dtype, shape), (kind, wanted), "{name}");
        if bytes != values {
            assert!(bytes.iter().all(|&b| b == 0), "{name}");
            zeros += usize::from(*dtype == Dtype::F32);
        }
    }
    // REFERENCE N5: of weight and bias each.
    assert_eq!(zeros, 114);
}

#[test]
fn an_archive_holds_every_array() {
    let state = pkl_state(golden_file(PKL), PklWeights::Net).unwrap();
    let path = temporary("whole.npz");
    write_npz(&state, &path).unwrap();
    let file = std::fs::read(&path).unwrap();
    // The end of the directory counts the entries; each array's bytes end its own entry.
    let count = u16::from_le_bytes([file[file.len() - 12], file[file.len() - 11]]);
    assert_eq!(usize::from(count), state.tensors().len());
    let mut at = 0;
    for (name, data) in state.tensors() {
        let u32_at = |i: usize| u32::from_le_bytes(file[i..i + 4].try_into().unwrap()) as usize;
        assert_eq!(&file[at..at + 4], b"PK\x03\x04");
        let size = u32_at(at + 18);
        let name_end = at + 30 + name.len() + 4;
        assert_eq!(&file[at + 30..name_end], format!("{name}.npy").as_bytes());
        let content = &file[name_end..name_end + size];
        assert!(content.ends_with(data.as_bytes()), "{name}");
        at = name_end + size;
    }
    write_npz(&state, temporary("again.npz")).unwrap();
    assert!(file == std::fs::read(temporary("again.npz")).unwrap());
}

#[test]
fn half_precision_is_half_the_size_and_nearly_the_same_network() {
    let LoadedWeights { config, net, .. } = imported();
    let none = BTreeMap::new();
    let (full, half) = (temporary("full.safetensors"), temporary("half.safetensors"));
    save_weights(&net, &config, &none, &full).unwrap();
    save_weights_as(&net, &config, &none, Precision::Half, &half).unwrap();
    let size = |path: &PathBuf| std::fs::metadata(path).unwrap().len() as f64;
    assert!(size(&half) < 0.65 * size(&full));

    let loaded = load_weights::<Plain>(&half, &Default::default()).unwrap();
    for ((name, a), (_, b)) in named_tensors(&net).iter().zip(named_tensors(&loaded.net)) {
        assert_eq!(b.dtype, DType::F32);
        for (a, b) in a.iter::<f32>().zip(b.iter::<f32>()) {
            // Half a unit in the eleventh bit, or of the smallest number.
            assert!(
                (a - b).abs() <= a.abs() * 2f32.powi(-11) + 2f32.powi(-25),
                "{name}: {a} {b}"
            );
        }
    }
}

/// What a file says of its network can be added and taken away; a file that was written with it has the same bytes.
#[test]
fn an_entry_is_replaced_and_the_tensors_keep_their_bits() {
    let LoadedWeights { config, net, .. } = imported();
    for precision in [Precision::Full, Precision::Half] {
        let write = |entries: &[(&str, &str)]| {
            let path = temporary(&format!("entries-{precision:?}.safetensors"));
            let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
            let extra = entries.iter().map(own).collect();
            save_weights_as(&net, &config, &extra, precision, &path).unwrap();
            std::fs::read(path).unwrap()
        };
        let replace = |file: &[u8], key: &str, text: Option<&str>| {
            replace_entry(file, "w".as_ref(), key, text.map(String::from))
        };
        let (none, one) = (write(&[]), write(&[("a", "1")]));
        let two = write(&[("a", "1"), ("b", "\"")]);
        assert!(replace(&none, "a", Some("1")).unwrap() == one);
        assert!(replace(&one, "b", Some("\"")).unwrap() == two);
        assert!(replace(&two, "b", None).unwrap() == one);
        assert!(replace(&one, "c", None).unwrap() == one);
        assert!(matches!(
            replace(&one, CONFIG_KEY, None),
            Err(ModelError::Config(_))
        ));
        let cut = replace(&one[..one.len() - 1], "a", None);
        assert!(matches!(cut, Err(ModelError::Format { .. })));
    }
}

#[test]
fn numbers_beyond_half_precision_are_refused() {
    let LoadedWeights { config, net, .. } = imported();
    let mut tensors: HashMap<String, TensorData> = named_tensors(&net).into_iter().collect();
    let name = "pre.0.bn.running_var".to_owned();
    let shape = tensors[&name].shape.to_vec();
    let large = Tensor::<Plain, 1>::full(shape, 1e5, &Default::default());
    tensors.insert(name.clone(), large.into_data());
    let net = star_model::load_named(net, tensors).unwrap();
    let path = temporary("beyond.safetensors");
    let error = save_weights_as(&net, &config, &BTreeMap::new(), Precision::Half, &path)
        .unwrap_err()
        .to_string();
    assert!(error.contains(&name) && error.contains("100000"), "{error}");
    assert!(!path.exists());
}
