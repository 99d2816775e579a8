//! Soft-argmax coordinates and their gradient.

use burn::tensor::Tensor;
use star_model::decode;

use crate::support::{Diff, Golden, assert_close, distance, floats};

#[test]
fn decoder() {
    let golden = Golden::open("decoder");
    assert!(!golden.cases().is_empty(), "no case in the golden set");
    for case in golden.cases() {
        let key = |field: &str| format!("{case}/{field}");
        let heatmaps: Tensor<Diff, 4> = golden.tensor::<_, 4>(&key("heatmap")).require_grad();
        let [_, points, height, width] = heatmaps.dims();
        let found = decode(heatmaps.clone());
        let expected = golden.values(&key("coords_f64"));
        let noise = match golden.has(&key("coords_f32")) {
            true => distance(&expected, &golden.values(&key("coords_f32"))),
            false => 0.0,
        };
        // Sums of a negative map are divided by 1e-6: what counts is the error relative to the result.
        let scale = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        let tolerance = 10.0 * noise + 1e-6 * scale;
        let off = assert_close(&case, &floats(found.clone()), &expected, tolerance);
        println!("{case}: coordinates off by {off:.1e}, f32 noise {noise:.1e}");

        if !golden.has(&key("upstream")) {
            continue;
        }
        let grads = (found * golden.tensor(&key("upstream"))).sum().backward();
        let found = floats(heatmaps.grad(&grads).unwrap());
        let expected = golden.values(&key("grad_heatmap"));
        for point in 0..points {
            let map = point * height * width..(point + 1) * height * width;
            let largest = expected[map.clone()]
                .iter()
                .fold(0.0f64, |m, v| m.max(v.abs()));
            let what = format!("{case}: gradient of map {point}");
            assert_close(
                &what,
                &found[map.clone()],
                &expected[map],
                3e-5 * largest + 1e-6,
            );
        }
    }
}
