//! `dump_outputs WEIGHTS OUT`: what a weights file's network says of made-up images, for `benches/peers/check_export.py`.
//!
//! OUT is safetensors: `images [2, 3, S, S]` and `landmarks [2, N, 2]` of the last stack.

use std::error::Error;

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use star_model::load_weights;

const FACES: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, out] = arguments.as_slice() else {
        return Err("usage: dump_outputs WEIGHTS OUT".into());
    };
    let loaded = load_weights::<Flex>(weights, &Default::default())?;
    let side = loaded.config.input_size;
    // Waves of different lengths: smooth as photographs are, different in every channel.
    let images: Vec<f32> = (0..FACES * 3 * side * side)
        .map(|i| {
            let (plane, y, x) = (i / (side * side), i / side % side, i % side);
            let (u, v) = (x as f32 / side as f32, y as f32 / side as f32);
            let k = 1.0 + plane as f32;
            0.6 * (7.0 * k * u + 3.0 * v).sin() + 0.4 * (11.0 * v - k * u * v * 5.0).cos()
        })
        .collect();
    let shape = [FACES, 3, side, side];
    let input =
        Tensor::<Flex, 4>::from_data(TensorData::new(images.clone(), shape), &Default::default());
    let landmarks = loaded.net.forward_last(input).landmarks.into_data();

    let bytes =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let values: Vec<f32> = landmarks.iter::<f32>().collect();
    let (images, values) = (bytes(&images), bytes(&values));
    let views = [
        (
            "images",
            TensorView::new(Dtype::F32, shape.to_vec(), &images)?,
        ),
        (
            "landmarks",
            TensorView::new(Dtype::F32, landmarks.shape.to_vec(), &values)?,
        ),
    ];
    std::fs::write(out, safetensors::serialize(views, None)?)?;
    println!(
        "{out}: {FACES} images of {side} x {side}, {} points",
        loaded.config.points
    );
    Ok(())
}
