//! NME, FR and AUC.

use star_data::{Layout, Point};
use star_eval::metrics::{fr_auc_published, nme, published_bins};

use crate::support::{Golden, assert_close, number};

/// The published datasets' names and our layouts'.
fn layout(published: &str) -> Layout {
    let name = match published {
        "WFLW" => "wflw98",
        "300W" => "ibug68",
        "COFW" => "cofw29",
        other => panic!("golden metrics of an unknown dataset {other}"),
    };
    Layout::builtin(name).expect("built in")
}

fn faces(golden: &Golden, key: &str) -> Vec<Vec<Point>> {
    let data = golden.data(key);
    let points = data.shape[1];
    let values: Vec<f64> = data.iter::<f64>().collect();
    values
        .chunks_exact(points * 2)
        .map(|face| {
            face.chunks_exact(2)
                .map(|p| Point::new(p[0], p[1]))
                .collect()
        })
        .collect()
}

#[test]
fn nme_of_every_norm() {
    let golden = Golden::open("metrics");
    let cases = golden.json["nme"].as_object().expect("object");
    let mut checked = 0;
    for (case, expected) in cases {
        let Some((set, norm)) = case.split_once('/') else {
            continue;
        };
        let layout = layout(set);
        let norm = if norm == "default" {
            layout.default_norm.clone()
        } else {
            norm.to_owned()
        };
        let norm = layout.norm(Some(&norm)).expect("a norm of the layout");
        let predicted = faces(&golden, &format!("nme/{set}/pred"));
        let truth = faces(&golden, &format!("nme/{set}/gt"));
        let expected = expected["nme"].as_array().expect("array");
        assert_eq!(predicted.len(), expected.len());
        for (i, value) in expected.iter().enumerate() {
            let found = nme(&predicted[i], &truth[i], norm);
            // The published sum runs in f32.
            assert_close(&format!("{case} face {i}"), found, number(value), 1e-6);
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn failure_rate_and_area() {
    let golden = Golden::open("metrics");
    let cases = golden.json["fr_auc"].as_object().expect("object");
    assert!(!cases.is_empty());
    for (case, expected) in cases {
        let (list, threshold) = match case.strip_prefix("explicit_thres_") {
            Some(threshold) => (
                expected["list"].as_str().expect("name"),
                threshold.parse().expect("number"),
            ),
            None => {
                let (list, set) = case.split_once('/').expect("list/dataset");
                (list, layout(set).threshold)
            }
        };
        let values = if list == "empty" {
            Vec::new()
        } else {
            golden.values(&format!("fr_auc/{list}"))
        };
        let found = fr_auc_published(&values, threshold);
        let (fr, auc, digits) = if let Some(rounded) = expected.as_array() {
            (number(&rounded[0]), number(&rounded[1]), 1e-4)
        } else if expected.get("result_fr_auc").is_some() {
            let rounded = &expected["result_fr_auc"];
            (number(&rounded[0]), number(&rounded[1]), 1e-4)
        } else {
            let bins = expected["n_bins"].as_u64().expect("count") as usize;
            assert_eq!(published_bins(threshold), bins, "{case}");
            (
                number(&expected["fr_unrounded"]),
                number(&expected["auc_unrounded"]),
                1e-12,
            )
        };
        assert_close(&format!("{case} FR"), found.fr, fr, digits);
        assert_close(&format!("{case} AUC"), found.auc, auc, digits);
    }
}
