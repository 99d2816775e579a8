//! The seed decides the weights. A program of its own: Burn has one generator a process, which tests beside this one would draw from.

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor, TensorData};
use star_model::{StarNetConfig, named_tensors};

#[test]
fn the_seed_decides_the_weights() {
    let config = StarNetConfig::new(7, vec![vec![0, 1, 2], vec![2, 3, 4], vec![5]])
        .with_stacks(2)
        .with_channels(8)
        .with_stem(8)
        .with_input_size(64);
    let device = Default::default();
    let draw = |seed| -> Vec<(String, TensorData)> {
        Flex::seed(&device, seed);
        let net = config.init::<Flex>(&device);
        // What is drawn afterwards must not matter: weights are drawn when the network is made, not when they are first used.
        let _: Tensor<Flex, 1> = Tensor::random([9], Distribution::Default, &device);
        named_tensors(&net)
    };
    let (first, other, again) = (draw(1), draw(2), draw(1));
    assert_eq!(first, again);
    let mut compared = 0;
    for ((name, first), (_, other)) in first.iter().zip(&other) {
        if name.contains(".conv") && !name.contains(".bn") {
            assert_ne!(first, other, "{name} is the same with another seed");
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} tensors are drawn");
}
