//! Whole faces: an annotation file through the data path and the network, and one image through `predict`.

use std::sync::Arc;

use burn::{backend::Flex, tensor::Tensor};
use star_data::{CropBox, Layout, Point, TsvFaces, decode::decode_file};
use star_eval::{EvalOptions, EvalSet, predict_set, score};
use star_infer::predict;
use star_model::{PklWeights, StarNetConfig, import_pkl};

use crate::{
    formula,
    support::{Golden, assert_close, golden_file, number},
};

type B = Flex;

#[test]
fn the_small_data_set() {
    let golden = Golden::open("dataset_small");
    let device = Default::default();
    let loaded = import_pkl::<B>(
        golden_file("small_wflw_s4_c16.pkl"),
        PklWeights::Net,
        &device,
    )
    .expect("the golden checkpoint loads");
    let layout = Layout::builtin("wflw98").expect("built in");
    let folder = golden_file("dataset_small");
    let size = golden.data("sample0/image_u8_hwc_bgr_cv480").shape[0];

    // The stored crops: only the network is between them and the stored landmarks, and how noisy it is stands with its own vectors.
    let noise = Golden::open("net_small");
    let noise = number(&noise.json["eval"]["net"]["max_abs_landmark_err_f32"]);
    let expected = golden.data("pred_landmarks");
    let [count, points] = [expected.shape[0], expected.shape[1]];
    let expected: Vec<f64> = expected.iter::<f64>().collect();
    for i in 0..count {
        let key = format!("sample{i}/image_u8_hwc_bgr_cv480");
        let image: Tensor<B, 3> = golden.tensor(&key);
        let image = ((image - 127.5) / 127.5)
            .permute([2, 0, 1])
            .unsqueeze::<4>();
        let found = loaded.net.forward_last(image).landmarks;
        let found: Vec<f64> = found.into_data().iter::<f64>().collect();
        for (f, e) in found.iter().zip(&expected[i * points * 2..]) {
            assert_close(&format!("sample {i}"), *f, *e, 10.0 * noise + 1e-6);
        }
    }

    // From the annotation file. Warps differ by up to two levels, which a network with random weights turns into a few thousandths.
    for list in ["test.tsv", "test_noheader.tsv"] {
        let set = EvalSet {
            title: list.into(),
            faces: Arc::new(
                TsvFaces::open(folder.join(list), &folder, layout.clone()).expect("opens"),
            ),
        };
        let options = EvalOptions {
            input_size: size,
            batch_size: 2,
            workers: 2,
            norm: String::new(),
            threshold: 0.0,
        };
        let predicted = predict_set(
            &loaded.net.prepare(),
            &set,
            &options,
            &device,
            &mut |_, _| (),
        )
        .expect("predicts");
        let scores = score(list, &predicted, &set, &options).expect("scores");
        assert_eq!(scores.faces, count, "{list}: no sample may be lost");
        let published = golden.json["nme_per_sample_last_stack"]
            .as_array()
            .expect("array");
        for (i, expected) in published.iter().enumerate() {
            // The published figure compares clamped labels (REFERENCE C3); ours does not.
            let clamped = number(&golden.json[format!("sample{i}")]["num_clamped_coords"]);
            if clamped == 0.0 {
                let found = scores.per_face[i].nme;
                assert_close(&format!("{list} sample {i}"), found, number(expected), 5e-3);
            }
        }
    }
}

#[test]
fn one_image_end_to_end() {
    let golden = Golden::open("e2e");
    let layout = Layout::builtin("wflw98").expect("built in");
    let config = StarNetConfig::new(layout.points, layout.edge_points());
    let seed = formula_seed();
    let net = formula::net::<B>(&config, seed);
    let image = decode_file(&golden_file("e2e_image0.png")).expect("decodes");
    let cases: Vec<&String> = golden
        .json
        .as_object()
        .expect("object")
        .iter()
        .filter(|(_, v)| v.get("center_w").is_some())
        .map(|(case, _)| case)
        .collect();
    assert!(!cases.is_empty());
    for case in cases {
        let json = &golden.json[case];
        let crop = CropBox {
            scale: number(&json["scale"]),
            center: Point::new(number(&json["center_w"]), number(&json["center_h"])),
        };
        let found =
            predict(&net.prepare(), &image, &[crop], &Default::default()).expect("predicts");
        let off = |warp: &str| {
            let expected = golden.values(&format!("{case}/landmarks_image_{warp}"));
            let points = &found[0].points;
            assert_eq!(expected.len(), 2 * points.len());
            let points = points.iter().zip(expected.chunks_exact(2));
            points.fold(0.0f64, |most, (p, e)| {
                assert!(p.x.is_finite() && p.y.is_finite(), "{case}");
                most.max((p.x - e[0]).abs()).max((p.y - e[1]).abs())
            })
        };
        // REFERENCE C8: a network with random weights turns the differences between two versions' warps into tenths of a pixel. Ours is
        // the exact one, as OpenCV 5's is, but for a level here and there.
        let versions = number(&json["max_px_diff_cv500_vs_cv480"]);
        let (exact, rounded) = (off("cv500"), off("cv480"));
        println!(
            "{case}: {exact:.4} px from OpenCV 5, {rounded:.4} from 4.8, these two {versions:.4}"
        );
        assert_close(&format!("{case}, OpenCV 5"), exact, 0.0, 0.1 * versions);
        assert_close(&format!("{case}, OpenCV 4.8"), rounded, 0.0, 1.1 * versions);

        // The stored crop leaves out the warp.
        let key = format!("{case}/crop_u8_hwc_bgr_cv480");
        if golden.under("").contains(&key) {
            let crop: Tensor<B, 3> = golden.tensor(&key);
            let crop = ((crop - 127.5) / 127.5).permute([2, 0, 1]).unsqueeze::<4>();
            let found = net.forward_last(crop).landmarks;
            let found: Vec<f64> = found.into_data().iter::<f64>().collect();
            let expected = golden.values(&format!("{case}/landmarks_norm_f64"));
            let noise = number(&json["max_norm_diff_f32_vs_f64"]);
            for (f, e) in found.iter().zip(expected) {
                assert_close(case, *f, e, 10.0 * noise + 1e-6);
            }
        }
    }
}

fn formula_seed() -> u64 {
    let text = std::fs::read(golden_file("net_formula.json")).expect("golden file");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("golden JSON");
    json["formula_seed_u64"]
        .as_str()
        .and_then(|s| s.parse().ok())
        .expect("the seed of the formula weights")
}
