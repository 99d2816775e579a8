use std::sync::Arc;

use burn::{
    backend::{Autodiff, Flex},
    module::{AutodiffModule, Module, ModuleVisitor, Param},
    tensor::backend::Backend,
};
use star_data::{AugmentConfig, FaceSource, SampleMaker, SynthConfig, SynthFaces};
use star_model::named_tensors;

use super::*;
use crate::{Recipe, init::init_weights};

type B = Autodiff<Flex>;

/// A small network, its losses and a batch of `faces`.
struct Setting {
    net: StarNet<B>,
    criterion: Criterion,
    terms: Vec<(String, f64)>,
    batch: HostBatch,
}

fn setting(faces: usize) -> Setting {
    let mut recipe = Recipe {
        layout: "cofw29".into(),
        ..Recipe::default()
    };
    recipe.model.stacks = 2;
    recipe.model.channels = 16;
    recipe.model.stem = 8;
    recipe.model.input_size = 64;
    let layout = recipe.layout().expect("built in");
    let config = recipe.net_config(&layout);
    let net = config.init::<B>(&Default::default());
    let source: Arc<dyn FaceSource> =
        Arc::new(SynthFaces::new(SynthConfig::default(), layout.clone()).expect("valid"));
    let maker = SampleMaker::new(layout, 64, AugmentConfig::off(), true).expect("valid");
    let samples = (0..faces)
        .map(|i| {
            maker
                .sample(&source.face(i).expect("drawn"), i, 0, 0)
                .expect("made")
        })
        .collect();
    let criterion = Criterion::new(&recipe.loss);
    Setting {
        net: init_weights(net, 3).expect("drawn"),
        terms: criterion.terms(config.stacks, config.aam),
        criterion,
        batch: HostBatch::from_samples(samples),
    }
}

impl Setting {
    /// On so many devices, which are all the same one: there is one CPU.
    fn gradients(&self, devices: usize) -> (StarNet<B>, Gradients<B>) {
        let all = vec![Default::default(); devices];
        let devices =
            Devices::<B>::new(&all, self.criterion.clone(), self.terms.clone()).expect("devices");
        let net = self.net.unshared();
        let gradients = devices.gradients(&net, self.batch.clone()).expect("works");
        (net, gradients)
    }
}

/// All gradients, one after another.
fn numbers(net: &StarNet<B>, gradients: &GradientsParams) -> Vec<f32> {
    struct Collect<'a>(&'a GradientsParams, Vec<f32>);
    impl ModuleVisitor<B> for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = self.0.get::<Flex, D>(param.id) {
                self.1.extend(gradient.into_data().iter::<f32>());
            }
        }
    }
    let mut collect = Collect(gradients, Vec::new());
    net.visit(&mut collect);
    collect.1
}

/// The length of the difference over the length.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    length(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)))
        / length(&mut b.iter().map(|b| f64::from(*b)))
}

fn values<B: Backend>(table: &LossTable<B>) -> Vec<f32> {
    table.values.clone().into_data().iter::<f32>().collect()
}

fn statistics(net: &StarNet<B>) -> Vec<(String, Vec<f32>)> {
    named_tensors(&net.valid())
        .into_iter()
        .filter(|(name, _)| name.contains(".running_"))
        .map(|(name, data)| (name, data.iter::<f32>().collect()))
        .collect()
}

#[test]
fn parts_are_even() {
    assert_eq!(split(7, 3), [0..3, 3..5, 5..7]);
    assert_eq!(split(4, 2), [0..2, 2..4]);
    assert_eq!(split(5, 0), vec![0..5; 1]);
}

/// What two devices give is, by weight, what each part alone gives on one: losses, gradients and running statistics.
#[test]
fn two_devices_are_the_mean_of_their_parts() {
    let whole = setting(5);
    let (net, both) = whole.gradients(2);
    let parts = [0..3, 3..5].map(|range| {
        let part = Setting {
            net: whole.net.unshared(),
            criterion: whole.criterion.clone(),
            terms: whole.terms.clone(),
            batch: whole.batch.part(range.clone()),
        };
        let (net, gradients) = part.gradients(1);
        (range.len() as f32 / 5.0, net, gradients)
    });

    let mut expected = vec![0.0; numbers(&net, &both.params).len()];
    let mut moved: Vec<Vec<f32>> = Vec::new();
    for (share, net, gradients) in &parts {
        for (sum, value) in expected.iter_mut().zip(numbers(net, &gradients.params)) {
            *sum += share * value;
        }
        for (i, (_, values)) in statistics(net).into_iter().enumerate() {
            if moved.len() <= i {
                moved.push(vec![0.0; values.len()]);
            }
            for (sum, value) in moved[i].iter_mut().zip(values) {
                *sum += share * value;
            }
        }
    }
    let off = apart(&numbers(&net, &both.params), &expected);
    assert!(off < 1e-5, "gradients: {off}");
    for ((name, found), expected) in statistics(&net).iter().zip(&moved) {
        let off = apart(found, expected);
        assert!(off < 1e-5, "{name}: {off}");
    }
    // The table's rows are losses, its columns faces in the batch's order.
    let [first, second] = parts
        .each_ref()
        .map(|(_, _, gradients)| values(&gradients.table));
    let expected: Vec<f32> = (first.chunks(3).zip(second.chunks(2)))
        .flat_map(|(a, b)| a.iter().chain(b).copied())
        .collect();
    assert!(apart(&values(&both.table), &expected) < 1e-6);
    assert_eq!(both.faces, whole.batch.names);
}

/// The documented difference: batch norms that see a part of the batch. Losses stay near; gradients need not, here where four faces and
/// maps of one pixel leave a norm four values.
#[test]
fn two_devices_differ_from_one_by_their_batch_norms() {
    let setting = setting(8);
    let (net, one) = setting.gradients(1);
    let (_, two) = setting.gradients(2);
    let off = apart(&values(&two.table), &values(&one.table));
    assert!(off > 1e-6 && off < 0.2, "losses: {off}");
    let off = apart(&numbers(&net, &two.params), &numbers(&net, &one.params));
    assert!(off > 1e-6 && off.is_finite(), "gradients: {off}");
}

#[test]
fn a_batch_too_small_for_all_devices_goes_to_fewer() {
    let setting = setting(3);
    // Its innermost map is one pixel, so batch norms need two faces.
    assert!(setting.net.check_batch(1).is_err());
    let (net, three) = setting.gradients(3);
    let (_, one) = setting.gradients(1);
    let off = apart(&numbers(&net, &three.params), &numbers(&net, &one.params));
    assert!(off < 1e-6, "{off}");
}
