//! One training step of the small published checkpoint: losses, gradients, Adam's step.

use std::collections::HashMap;

use burn::{
    backend::{Autodiff, Flex},
    module::AutodiffModule,
    optim::{AdamConfig, GradientsParams, Optimizer},
    tensor::Tensor,
};
use star_data::Batch;
use star_model::{DEPTH, PklWeights, StarNet, import_pkl, named_tensors};
use star_train::{criterion::Criterion, recipe::LossRecipe};

use crate::support::{Golden, assert_close, golden_file, input, number};

type B = Autodiff<Flex>;

fn batch(golden: &Golden) -> Batch<B> {
    let images = input::<B>(golden, "train/image_u8_bhwc_bgr");
    let [count, ..] = images.dims();
    Batch {
        labelled: None,
        images,
        landmarks: golden.tensor("train/label_landmarks"),
        truth: None,
        point_maps: Some(golden.tensor::<B, 4>("train/label_pointmaps_x255_u8") / 255.0),
        edge_maps: Some(golden.tensor::<B, 4>("train/label_edgemaps_x64_u8") / 64.0),
        indices: (0..count).collect(),
        names: (0..count).map(|i| i.to_string()).collect(),
        matrices: Vec::new(),
        flipped: vec![false; count],
    }
}

/// Every loss of the published order: landmarks, points, edges by stack.
#[test]
fn first_step() {
    let golden = Golden::open("net_small");
    let train = &golden.json["train"];
    let device = Default::default();
    let loaded = import_pkl::<B>(
        golden_file("small_wflw_s4_c16.pkl"),
        PklWeights::Net,
        &device,
    )
    .expect("the golden checkpoint loads");
    let net: StarNet<B> = loaded.net;
    let criterion = Criterion::new(&LossRecipe::default());
    let terms = criterion.terms(loaded.config.stacks, loaded.config.aam);
    let weights = train["loss_weights"].as_array().expect("array");
    assert_eq!(terms.len(), weights.len());
    for ((name, found), expected) in terms.iter().zip(weights) {
        assert_close(name, *found, number(expected), 1e-12);
    }

    let batch = batch(&golden);
    let outputs = net.forward(batch.images.clone());
    let landmarks: Vec<f64> = outputs
        .iter()
        .flat_map(|o| {
            o.landmarks
                .clone()
                .into_data()
                .iter::<f64>()
                .collect::<Vec<_>>()
        })
        .collect();
    let noise = number(&train["f32_vs_f64"]["max_abs_landmark_diff_train_forward"]);
    for (found, expected) in landmarks.iter().zip(golden.values("train/landmarks")) {
        assert_close("landmark", *found, expected, 10.0 * noise + 1e-6);
    }

    let (total, table) = criterion.forward(&outputs, &batch, &terms);
    let means: Vec<f64> = table.values.mean_dim(1).into_data().iter::<f64>().collect();
    let (exact, single) = (&train["losses_f64"][0], &train["losses_f32"][0]);
    let pairs = || (0..terms.len()).map(|i| (number(&exact[i]), number(&single[i])));
    // The noise of one f32 run is a sample, not a bound: the largest relative one of all losses is added to each one's own.
    let relative = pairs().map(|(exact, single)| (exact - single).abs() / exact.abs());
    let relative = relative.fold(0.0, f64::max);
    for (i, ((name, _), (exact, single))) in terms.iter().zip(pairs()).enumerate() {
        let tolerance = 10.0 * (exact - single).abs() + relative * exact.abs() + 1e-6;
        assert_close(name, means[i], exact, tolerance);
    }
    let sum = number(&train["sum_loss_f64"][0]);
    assert_close(
        "weighted sum",
        f64::from(total.clone().into_scalar()),
        sum,
        10.0 * (sum - number(&train["sum_loss_f32"][0])).abs() + 1e-6,
    );

    gradients_and_step(&golden, net, total);
}

fn gradients_and_step(golden: &Golden, net: StarNet<B>, total: Tensor<B, 1>) {
    let train = &golden.json["train"];
    let names: Vec<String> = names(&golden.json["name_lists"]["aam"]["param_names"]);
    let noisy = names_set(&train["noise_only_params"]);
    let before = named_tensors(&net.valid());

    let gradients = total.backward();
    let by_name = gradients_by_name(&net, &gradients);
    let exact = golden.values("train/grad_l2_f64");
    let limit = 10.0 * number(&train["f32_vs_f64"]["max_rel_grad_l2_err_excl_noise"]);
    let mut compared = 0;
    for (name, expected) in names.iter().zip(&exact) {
        if expected.is_nan() {
            assert!(!by_name.contains_key(name), "{name} must have no gradient");
        } else if !noisy.contains(name) {
            let found = by_name
                .get(name)
                .unwrap_or_else(|| panic!("{name} has no gradient"));
            assert_close(name, *found, *expected, limit * expected + 1e-6);
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} gradients compared");

    let mut adam = AdamConfig::new().with_epsilon(1e-8).init();
    let rate = number(&train["adam_lr"]);
    let net = adam.step(
        rate,
        net.clone(),
        GradientsParams::from_grads(gradients, &net),
    );
    let after: HashMap<String, Vec<f64>> = named_tensors(&net.valid())
        .into_iter()
        .map(|(name, data)| (name, data.iter::<f64>().collect()))
        .collect();
    let steps = golden.values("train/delta_l2_f64");
    let limit = 10.0 * number(&train["f32_vs_f64"]["max_rel_delta_l2_err_excl_noise_per_step"][0]);
    let mut compared = 0;
    for (name, data) in before {
        let Some(place) = names.iter().position(|n| *n == name) else {
            continue;
        };
        if noisy.contains(&name) {
            continue;
        }
        let found = data
            .iter::<f64>()
            .zip(&after[&name])
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>()
            .sqrt();
        let expected = steps[place];
        assert_close(
            &format!("step of {name}"),
            found,
            expected,
            limit * expected + 1e-6,
        );
        compared += 1;
    }
    assert!(compared > 100, "only {compared} steps compared");
}

fn names(value: &serde_json::Value) -> Vec<String> {
    value
        .as_array()
        .expect("array")
        .iter()
        .map(|n| n.as_str().expect("name").to_owned())
        .collect()
}

fn names_set(value: &serde_json::Value) -> std::collections::HashSet<String> {
    names(value).into_iter().collect()
}

/// The norm of each parameter's gradient.
fn gradients_by_name(
    net: &StarNet<B>,
    gradients: &<B as burn::tensor::backend::AutodiffBackend>::Gradients,
) -> HashMap<String, f64> {
    use burn::module::{Module, ModuleVisitor, Param};
    struct Norms<'a> {
        gradients: &'a <B as burn::tensor::backend::AutodiffBackend>::Gradients,
        found: Vec<Option<f64>>,
    }
    impl ModuleVisitor<B> for Norms<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let norm = param.val().grad(self.gradients).map(|g| {
                let values: Vec<f64> = g.into_data().iter::<f64>().collect();
                values.iter().map(|v| v * v).sum::<f64>().sqrt()
            });
            self.found.push(norm);
        }
    }
    let mut norms = Norms {
        gradients,
        found: Vec::new(),
    };
    net.visit(&mut norms);
    // Visiting has the order of the names.
    let names = star_model::weights::named_tensors_of(net, DEPTH);
    assert_eq!(names.len(), norms.found.len());
    names
        .into_iter()
        .zip(norms.found)
        .filter_map(|((name, _), norm)| Some((name, norm?)))
        .collect()
}
