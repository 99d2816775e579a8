//! Whole networks.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use star_model::{
    LoadedWeights, PklWeights, StackOutput, StarNetConfig, import_pkl, info, named_tensors,
};

use super::modules::edges_of;
use crate::support::formula::{self, fnv1a64};
use crate::support::{
    Diff, Golden, Plain, assert_close, floats, golden_dir, golden_file, map_stats, relative,
};

/// Who is how noisy, from the JSON file.
struct Noise {
    landmarks: f64,
    fusion: f64,
    points: f64,
}

impl Noise {
    fn read(golden: &Golden, path: &[&str]) -> Self {
        let number = |name: &str| {
            let path: Vec<&str> = path.iter().copied().chain([name]).collect();
            golden.number(&path)
        };
        let fusion = number("max_abs_fusion_err_f32");
        let points = path.iter().fold(&golden.json, |value, key| &value[key]);
        Self {
            landmarks: number("max_abs_landmark_err_f32"),
            fusion,
            // Networks without point maps have no such figure.
            points: points["max_abs_pointmap_err_f32"]
                .as_f64()
                .unwrap_or(fusion),
        }
    }
}

fn tolerance(noise: f64) -> f64 {
    10.0 * noise + 1e-6
}

/// Compares all that a case holds; gives the landmarks' largest error.
fn compare<B: Backend>(
    golden: &Golden,
    case: &str,
    outputs: Vec<StackOutput<B>>,
    noise: &Noise,
) -> f64 {
    let key = |field: &str| format!("{case}/{field}");
    assert_eq!(
        outputs.len(),
        golden.shape(&key("landmarks"))[0],
        "{case}: stacks"
    );
    let stacked = |each: &dyn Fn(&StackOutput<B>) -> Vec<f64>| -> Vec<f64> {
        outputs.iter().flat_map(each).collect()
    };
    let found = stacked(&|output| floats(output.landmarks.clone()));
    let expected = golden.values(&key("landmarks"));
    let off = assert_close(
        &key("landmarks"),
        &found,
        &expected,
        tolerance(noise.landmarks),
    );

    for (field, noise) in [
        ("fusion", noise.fusion),
        ("pointmaps", noise.points),
        ("edgemaps", noise.points),
    ] {
        let stats = key(&format!("{field}_stats"));
        if golden.has(&stats) {
            let found = stacked(&|output| map_stats(maps(output, field)));
            assert_close(&stats, &found, &golden.values(&stats), tolerance(noise));
        }
        let last = || maps(outputs.last().expect("at least one stack"), field).narrow(0, 0, 1);
        for (name, pick) in [
            ("last_b0", Box::new(last) as Box<dyn Fn() -> Tensor<B, 4>>),
            ("last_b0_first3", Box::new(|| last().narrow(1, 0, 3))),
            (
                "last_b0_channels",
                Box::new(|| {
                    let channels = golden.values(&key("channels"));
                    let maps = channels.iter().map(|&c| last().narrow(1, c as usize, 1));
                    Tensor::cat(maps.collect(), 1)
                }),
            ),
            (
                "all_b0",
                Box::new(|| {
                    Tensor::cat(
                        outputs
                            .iter()
                            .map(|o| maps(o, field).narrow(0, 0, 1))
                            .collect(),
                        0,
                    )
                }),
            ),
        ] {
            let key = key(&format!("{field}_{name}"));
            if golden.has(&key) {
                assert_close(
                    &key,
                    &floats(pick()),
                    &golden.values(&key),
                    tolerance(noise),
                );
            }
        }
    }
    off
}

fn maps<B: Backend>(output: &StackOutput<B>, field: &str) -> Tensor<B, 4> {
    match field {
        "fusion" => output.heatmaps.clone(),
        "pointmaps" => output.point_maps.clone().expect("point maps"),
        _ => output.edge_maps.clone().expect("edge maps"),
    }
}

/// A layout's edges, from the edge-to-landmark weights of the `modules` set.
fn edges(layout: &str) -> (usize, Vec<Vec<usize>>) {
    let modules = Golden::open("modules");
    let key = format!("e2h_{layout}/weight");
    let shape = modules.shape(&key);
    (
        shape[0],
        edges_of(&modules.values(&key), shape[0], shape[1]),
    )
}

fn config(golden: &Golden, case: &str) -> StarNetConfig {
    let case = &golden.json[case];
    let number = |name: &str| {
        case[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {}", case[name])) as usize
    };
    let (points, edges) = edges(case["data_definition"].as_str().unwrap());
    StarNetConfig::new(points, edges)
        .with_stacks(number("nstack"))
        .with_channels(number("in_channel"))
        .with_input_size(number("width"))
        .with_coord(case["add_coord"].as_bool().unwrap())
        .with_aam(case["use_AAM"].as_bool().unwrap())
}

fn formula_seed(golden: &Golden) -> u64 {
    golden.json["formula_seed_u64"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn formula_weights() {
    let golden = Golden::open("net_formula");
    let seed = formula_seed(&golden);
    let example = &golden.json["formula_raw_u_example"];
    let name = example["name"].as_str().unwrap();
    assert_eq!(
        fnv1a64(name).to_string(),
        example["fnv1a64"].as_str().unwrap()
    );
    for (i, u) in example["u"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            formula::uniform(name, seed, i as u64),
            u.as_f64().unwrap(),
            "{name} {i}"
        );
    }
}

#[test]
fn formula_networks() {
    let golden = Golden::open("net_formula");
    let seed = formula_seed(&golden);
    let mut checked = 0;
    for case in golden.cases() {
        // Training cases are the training crate's to check.
        if case.starts_with("train") {
            continue;
        }
        let net = formula::net::<Plain>(&config(&golden, &case), seed);
        let outputs = net.forward(golden.images(&case));
        let noise = Noise::read(&golden, &[&case, "err"]);
        let off = compare(&golden, &case, outputs, &noise);
        println!(
            "{case}: landmarks off by {off:.1e}, f32 noise {:.1e}",
            noise.landmarks
        );
        checked += 1;
    }
    assert!(checked > 0, "no case in the golden set");
}

/// The golden folder's checkpoint of a small network.
fn small_checkpoint(golden: &Golden) -> std::path::PathBuf {
    golden_file(golden.json["config"]["checkpoint"].as_str().unwrap())
}

#[test]
fn published_checkpoint() {
    let golden = Golden::open("net_small");
    let checkpoint = small_checkpoint(&golden);
    let mut checked = 0;
    for (case, which, key) in [
        ("eval", PklWeights::Net, "net"),
        ("eval_ema", PklWeights::NetEma, "net_ema"),
    ] {
        let LoadedWeights { config, net, .. } =
            import_pkl::<Plain>(&checkpoint, which, &Default::default()).unwrap();
        let stated = &golden.json["config"];
        assert_eq!(config.stacks as u64, stated["nstack"].as_u64().unwrap());
        assert_eq!(
            config.channels as u64,
            stated["in_channel"].as_u64().unwrap()
        );
        assert_eq!(Some(config.coord), stated["add_coord"].as_bool());
        assert_eq!(
            (config.points, config.edges.clone()),
            edges(stated["data_definition"].as_str().unwrap())
        );

        let outputs = net.forward(golden.images("eval"));
        let noise = Noise::read(&golden, &["eval", key]);
        let off = compare(&golden, case, outputs, &noise);
        println!(
            "{case}: landmarks off by {off:.1e}, f32 noise {:.1e}",
            noise.landmarks
        );
        checked += 1;
    }
    assert_eq!(checked, 2);
}

/// The same weights in the file format of PyTorch before 1.6.
#[test]
fn older_file_format() {
    let golden = Golden::open("net_small");
    let weights = |path: &Path| {
        let LoadedWeights { net, .. } =
            import_pkl::<Plain>(path, PklWeights::Net, &Default::default()).unwrap();
        named_tensors(&net)
    };
    let checkpoint = weights(&small_checkpoint(&golden));
    let older = std::fs::read_dir(golden_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let older: Vec<_> = older
        .filter(|path| path.extension().is_some_and(|e| e == "pkl"))
        .filter(|path| {
            path.file_stem()
                .is_some_and(|stem| stem.to_string_lossy().contains("legacy"))
        })
        .collect();
    assert!(
        !older.is_empty(),
        "no file of the older format in the golden set"
    );
    for path in older {
        assert_eq!(weights(&path), checkpoint, "{}", path.display());
    }
}

/// The forward pass of the first training step, and the running statistics after it.
#[test]
fn training_forward() {
    let golden = Golden::open("net_small");
    let LoadedWeights { net, .. } = import_pkl::<Diff>(
        small_checkpoint(&golden),
        PklWeights::Net,
        &Default::default(),
    )
    .unwrap();
    let outputs = net.forward(golden.images("train"));
    let noise = golden.number(&["train", "f32_vs_f64", "max_abs_landmark_diff_train_forward"]);
    // Maps are as noisy as the landmarks read off them.
    let noise = Noise {
        landmarks: noise,
        fusion: noise,
        points: noise,
    };
    let off = compare(&golden, "train", outputs, &noise);
    println!(
        "train: landmarks off by {off:.1e}, f32 noise {:.1e}",
        noise.landmarks
    );

    let after: HashMap<_, _> = named_tensors(&net).into_iter().collect();
    let names = golden.under("train/bn_after_forward");
    assert!(!names.is_empty());
    for name in names {
        let expected = golden.values(&format!("train/bn_after_forward/{name}"));
        let found: Vec<f64> = after[&name].iter::<f64>().collect();
        assert_close(&name, &found, &expected, relative(&expected, 200.0));
    }
}

/// The numbers of parameters that the published program counts.
#[test]
fn parameter_counts() {
    let golden = Golden::open("net_formula");
    let mut checked = 0;
    for case in golden.cases() {
        if let Some(count) = golden.json[&case]["n_params"].as_u64() {
            let info = info(&config(&golden, &case));
            assert_eq!(info.stored_parameters as u64, count, "{case}");
            checked += 1;
        }
    }
    assert!(checked > 0);
}
