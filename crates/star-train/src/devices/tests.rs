use std::sync::Arc;

use burn::{
    backend::{Autodiff, Flex},
    module::{AutodiffModule, Module, ModuleVisitor, Param},
    tensor::backend::Backend,
};
use star_data::{AugmentConfig, FaceSource, SampleMaker};
use star_model::named_tensors;
use star_synth::{SynthConfig, SynthFaces};

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

/// Of the faces with these numbers.
fn setting(faces: Range<usize>) -> Setting {
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
    let samples = faces
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

/// What parts of a batch give one by one, by the criterion alone, and the mean of it by their faces.
struct Mean {
    gradients: Vec<f64>,
    /// By name.
    statistics: Vec<(String, Vec<f64>)>,
    /// Each part's, `[losses, faces]`.
    tables: Vec<Vec<f32>>,
}

fn mean_of_parts(parts: &[Range<usize>]) -> Mean {
    let faces: usize = parts.iter().map(Range::len).sum();
    let mut mean = Mean {
        gradients: Vec::new(),
        statistics: Vec::new(),
        tables: Vec::new(),
    };
    for part in parts {
        let fraction = part.len() as f64 / faces as f64;
        let add = |sum: &mut Vec<f64>, fraction: f64, values: Vec<f32>| {
            sum.resize(values.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += fraction * f64::from(value);
            }
        };
        let Setting {
            net,
            criterion,
            terms,
            batch,
        } = setting(part.clone());
        let batch = batch.into_device::<B>(&Default::default());
        let outputs = net.forward(batch.images.clone());
        let (loss, table) = criterion.forward(&outputs, &batch, &terms);
        // Weighed in front, so that all that follows is rounded alike.
        let gradients = loss.mul_scalar(fraction).backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        add(&mut mean.gradients, 1.0, numbers(&net, &gradients));
        for (i, (name, values)) in statistics(&net).into_iter().enumerate() {
            if mean.statistics.len() == i {
                mean.statistics.push((name, Vec::new()));
            }
            add(&mut mean.statistics[i].1, fraction, values);
        }
        mean.tables.push(values(&table));
    }
    mean
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
fn apart<T: Copy + Into<f64>>(a: &[f32], b: &[T]) -> f64 {
    assert!(!a.is_empty() && a.len() == b.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let b = || b.iter().map(|b| (*b).into());
    length(&mut a.iter().zip(b()).map(|(a, b)| f64::from(*a) - b)) / length(&mut b())
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

/// Fails unless two devices give, by weight, what the parts give by themselves.
fn assert_mean_of_parts(net: &StarNet<B>, both: &Gradients<B>, parts: &[Range<usize>]) {
    let expected = mean_of_parts(parts);
    let off = apart(&numbers(net, &both.params), &expected.gradients);
    assert!(off < 1e-7, "gradients: {off:e}");
    let found = statistics(net);
    assert_eq!(found.len(), expected.statistics.len());
    for ((name, found), (_, expected)) in found.iter().zip(&expected.statistics) {
        let off = apart(found, expected);
        assert!(off < 1e-6, "{name}: {off:e}");
    }
    // The table's rows are losses, its columns faces in the batch's order.
    let tables = expected.tables.iter().zip(parts);
    let mut rows: Vec<_> = tables
        .map(|(table, part)| table.chunks(part.len()))
        .collect();
    let table: Vec<f32> = (0..both.table.values.dims()[0])
        .flat_map(|_| {
            (rows.iter_mut())
                .flat_map(|part| part.next().expect("a row").to_vec())
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(apart(&values(&both.table), &table) < 1e-6);
}

/// What two devices give is, by weight, what each part alone gives: losses, gradients and running statistics.
#[test]
fn two_devices_are_the_mean_of_their_parts() {
    let whole = setting(0..5);
    let (net, both) = whole.gradients(2);
    assert_mean_of_parts(&net, &both, &[0..3, 3..5]);
    assert_eq!(both.faces, whole.batch.names);
}

/// The documented difference: batch norms that see a part of the batch. Losses stay near; gradients need not, here where four faces and
/// maps of one pixel leave a norm four values. But for the norms nothing differs: with the parts' own they are the parts' mean.
#[test]
fn two_devices_differ_from_one_by_their_batch_norms() {
    let setting = setting(0..8);
    let (net, one) = setting.gradients(1);
    let (moved, two) = setting.gradients(2);
    let off = apart(&values(&two.table), &values(&one.table));
    assert!(off > 1e-6 && off < 0.2, "losses: {off}");
    let off = apart(&numbers(&net, &two.params), &numbers(&net, &one.params));
    assert!(off > 1e-3, "gradients: {off}");
    assert_mean_of_parts(&moved, &two, &[0..4, 4..8]);
    // And one device is all of them at once.
    let whole = 0..8;
    assert_mean_of_parts(&net, &one, std::slice::from_ref(&whole));
}

#[test]
fn a_batch_too_small_for_all_devices_goes_to_fewer() {
    let setting = setting(0..3);
    // Its innermost map is one pixel, so batch norms need two faces.
    assert!(setting.net.check_batch(1).is_err());
    let (net, three) = setting.gradients(3);
    let (_, one) = setting.gradients(1);
    let off = apart(&numbers(&net, &three.params), &numbers(&net, &one.params));
    assert!(off < 1e-6, "{off}");
}
