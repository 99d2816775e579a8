//! `onnx_outputs WEIGHTS BATCH OUT`: what a weights file's network says of made-up images, for `check_onnx.py` and `check_export.py` of `benches/peers`.
//!
//! OUT is safetensors: `images [batch, 3, S, S]`, `landmarks [batch, points, 2]`, `heatmaps [batch, points, S/4, S/4]` and
//! `covariance [batch, points, 2, 2]`. Printed is the time of one batch in milliseconds, the least of a few: images to heatmaps and
//! landmarks, on prepared weights.

use std::error::Error;
use std::time::Instant;

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use star_loss::heatmap_stats;
use star_model::load_weights;

const TURNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, batch, out] = arguments.as_slice() else {
        return Err("usage: onnx_outputs WEIGHTS BATCH OUT".into());
    };
    let batch: usize = batch.parse()?;
    let loaded = load_weights::<Flex>(weights, &Default::default())?;
    let net = loaded.net.prepare();
    let side = loaded.config.input_size;
    // Waves of different lengths: smooth as photographs are, different in every channel and image.
    let images: Vec<f32> = (0..batch * 3 * side * side)
        .map(|i| {
            let (plane, y, x) = (i / (side * side), i / side % side, i % side);
            let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
            let k = 1.0 + plane as f32;
            0.6 * (7.0 * k * u + 3.0 * v).sin() + 0.4 * (11.0 * v - k * u * v * 5.0).cos()
        })
        .collect();
    let input = TensorData::new(images, [batch, 3, side, side]);
    let tensor = Tensor::<Flex, 4>::from_data(input.clone(), &Default::default());
    let output = net.forward(tensor.clone());
    let mut least = f64::INFINITY;
    for _ in 0..TURNS {
        let start = Instant::now();
        net.forward(tensor.clone()).landmarks.into_data();
        least = least.min(1e3 * start.elapsed().as_secs_f64());
    }

    let stats = heatmap_stats(output.heatmaps.clone());
    let parts = [
        stats.cov_xx,
        stats.cov_xy.clone(),
        stats.cov_xy,
        stats.cov_yy,
    ];
    let parts = parts.map(|part| part.unsqueeze_dim::<3>(2)).to_vec();
    let points = loaded.config.points;
    let covariance = Tensor::cat(parts, 2).reshape([batch, points, 2, 2]);
    let outputs = [
        ("images", input),
        ("landmarks", output.landmarks.into_data()),
        ("heatmaps", output.heatmaps.into_data()),
        ("covariance", covariance.into_data()),
    ];
    let views = outputs.iter().map(|(name, data)| {
        let view = TensorView::new(Dtype::F32, data.shape.to_vec(), data.as_bytes())?;
        Ok((*name, view))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    std::fs::write(out, safetensors::serialize(views, None)?)?;
    println!("{least:.2}");
    Ok(())
}
