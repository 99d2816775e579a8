//! Blocks one by one: outputs, all gradients, and the buffers afterwards.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData, activation};
use star_model::conv::ConvConfig;
use star_model::conv_block::ConvBlock;
use star_model::coord::{BOUNDARY_CHANNELS, COORD_CHANNELS, append_coords};
use star_model::heads::{E2h, instance_norm_relu};
use star_model::hourglass::{Coords, Hourglass, max_pool, upsample};
use star_model::residual::ResBlock;
use star_model::weights::{load_named_into, named_shapes, named_tensors_of};
use star_model::{Compute, Mode};

use crate::support::{Diff, Golden, assert_close, floats, relative};

/// Sums of a few hundred products in f32, several in a row.
const ULPS: f64 = 60.0;

#[test]
fn modules() {
    let golden = Golden::open("modules");
    let mut checked = 0;
    for case in golden.cases() {
        checked += check(&golden, &case);
    }
    assert!(checked > 0, "no case in the golden set");
    println!("{checked} arrays compared");
}

/// Which block a case is about is read off its weights.
fn check(golden: &Golden, case: &str) -> usize {
    let key = |field: &str| format!("{case}/{field}");
    let state_shape = |name: &str| {
        let key = key(&format!("state/{name}"));
        golden.has(&key).then(|| golden.shape(&key))
    };
    if let Some(weight) = state_shape("conv.weight") {
        let input = golden.shape(&key("in0"));
        let output = golden.shape(&key("upstream"));
        let config = ConvConfig::new(weight[1], weight[0], weight[2])
            .with_stride(input[2].div_ceil(output[2]));
        let block = match state_shape("bn.weight") {
            Some(_) => ConvBlock::normalised(config, &Default::default()),
            None => ConvBlock::plain(config, &Default::default()),
        };
        let coords = weight[1] == input[1] + COORD_CHANNELS;
        check_block(golden, case, 0, block, |block, x, mode| {
            block.forward(if coords { append_coords(x, None) } else { x }, mode)
        })
    } else if let Some(weight) = state_shape("conv1.conv.weight") {
        let output = golden.shape(&key("upstream"))[1];
        let block = ResBlock::new(weight[1], output, &Default::default());
        check_block(golden, case, 0, block, ResBlock::forward)
    } else if golden.has(&key("state/low1.bn1.weight")) {
        let depth = golden
            .under(&key("state"))
            .iter()
            .map(|name| name.matches("low2").count())
            .max();
        let depth = depth.unwrap();
        let channels = golden.shape(&key("in0"))[1];
        let coords = match state_shape("coordconv.conv.weight").map(|shape| shape[1] - channels) {
            None => Coords::None,
            Some(COORD_CHANNELS) => Coords::Plain,
            Some(extra) => {
                assert_eq!(extra, COORD_CHANNELS + BOUNDARY_CHANNELS);
                Coords::Boundary
            }
        };
        let previous = || golden.has(&key("in1")).then(|| golden.tensor(&key("in1")));
        let block = Hourglass::new(depth, channels, coords, &Default::default());
        check_block(golden, case, depth, block, |block, x, mode| {
            block.forward(x, previous(), mode)
        })
    } else if golden.has(&key("weight")) {
        check_e2h(golden, case)
    } else {
        check_function(golden, case)
    }
}

fn check_block<M: Module<Diff>>(
    golden: &Golden,
    case: &str,
    depth: usize,
    block: M,
    forward: impl Fn(&M, Tensor<Diff, 4>, Mode) -> Tensor<Diff, 4>,
) -> usize {
    let mut checked = 0;
    let mut worst = 0.0f64;
    let mut close_within = |what: String, found: Vec<f64>, scale: f64| {
        let expected = golden.values(&what);
        let tolerance = relative(&expected, ULPS).max(relative(&[scale], ULPS));
        let off = assert_close(&what, &found, &expected, tolerance);
        worst = worst.max(off / tolerance);
        checked += 1;
    };
    let shapes = named_shapes::<Diff, _>(&block, depth);
    let state = golden.under(&format!("{case}/state")).into_iter();
    let state: HashMap<String, TensorData> = state
        .filter(|name| !is_ignored(name, shapes.contains_key(name)))
        .map(|name| {
            let data = golden.data(&format!("{case}/state/{name}"));
            (name, data)
        })
        .collect();
    let mut block = block;
    for (mode, label) in [(Mode::Eval, "eval"), (Mode::Train(Compute::F32), "train")] {
        block = load_named_into(block, depth, state.clone()).unwrap();
        let x: Tensor<Diff, 4> = golden.tensor::<_, 4>(&format!("{case}/in0")).require_grad();
        let y = forward(&block, x.clone(), mode);
        close_within(format!("{case}/{label}/out"), floats(y.clone()), 0.0);

        let grads = (y * golden.tensor(&format!("{case}/upstream")))
            .sum()
            .backward();
        close_within(
            format!("{case}/{label}/grad_in0"),
            floats(x.grad(&grads).unwrap()),
            0.0,
        );
        let mut collected = ParamGrads::new(&grads);
        block.visit(&mut collected);
        let names = named_shapes::<Diff, _>(&block, depth);
        // Visits and names come in the same order.
        let order: Vec<String> = named_tensors_of(&block, depth)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(order.len(), names.len());
        let mut grads: HashMap<String, Option<Vec<f64>>> =
            order.into_iter().zip(collected.found).collect();
        // Gradients that cancel out to 0 (of biases before a norm) are as noisy as the others.
        let prefix = format!("{case}/{label}/grad");
        let all = golden.under(&prefix).into_iter();
        let all = all.flat_map(|name| golden.values(&format!("{prefix}/{name}")));
        let largest = all.fold(0.0f64, |m, v| m.max(v.abs()));
        for name in golden.under(&prefix) {
            // A missing gradient is one of exactly zero.
            let what = format!("{case}/{label}/grad/{name}");
            let found = grads
                .remove(&name)
                .unwrap_or_else(|| panic!("{what}: no such parameter"));
            let found = found.unwrap_or_else(|| vec![0.0; golden.values(&what).len()]);
            close_within(what, found, largest);
        }
        let rest: Vec<_> = grads
            .iter()
            .filter(|(_, grad)| grad.is_some())
            .map(|(name, _)| name)
            .collect();
        assert!(
            rest.is_empty(),
            "{case}/{label}: gradients the published program does not have: {rest:?}"
        );

        let after: HashMap<_, _> = named_tensors_of(&block, depth).into_iter().collect();
        for name in golden.under(&format!("{case}/{label}/buffer_after")) {
            if let Some(data) = after.get(&name) {
                close_within(
                    format!("{case}/{label}/buffer_after/{name}"),
                    data.iter::<f64>().collect(),
                    0.0,
                );
            } else {
                assert!(is_ignored(&name, false), "{case}: unknown buffer {name}");
            }
        }
    }
    println!(
        "{case}: {checked} arrays, at worst {:.0} % of the tolerance",
        100.0 * worst
    );
    checked
}

/// Tensors of the published program that do nothing: counters, and skip convolutions that are never used.
fn is_ignored(name: &str, known: bool) -> bool {
    name.ends_with("num_batches_tracked") || (!known && name.contains("skip_layer"))
}

struct ParamGrads<'a> {
    grads: &'a <Diff as AutodiffBackend>::Gradients,
    found: Vec<Option<Vec<f64>>>,
}

impl<'a> ParamGrads<'a> {
    fn new(grads: &'a <Diff as AutodiffBackend>::Gradients) -> Self {
        Self {
            grads,
            found: Vec::new(),
        }
    }
}

impl ModuleVisitor<Diff> for ParamGrads<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        self.found.push(param.val().grad(self.grads).map(floats));
    }
}

fn check_e2h(golden: &Golden, case: &str) -> usize {
    let weight = golden.values(&format!("{case}/weight"));
    let shape = golden.shape(&format!("{case}/weight"));
    let edges = edges_of(&weight, shape[0], shape[1]);
    let e2h = E2h::<Diff>::new(shape[0], &edges, &Default::default());
    assert_eq!(floats(e2h.weight.value()), weight, "{case}: weight");
    assert_eq!(
        floats(e2h.bias.value()),
        golden.values(&format!("{case}/bias")),
        "{case}: bias"
    );
    let expected = golden.values(&format!("{case}/out"));
    let found = floats(e2h.forward(golden.tensor(&format!("{case}/in0"))));
    assert_close(case, &found, &expected, relative(&expected, ULPS));
    3
}

/// The points on each edge, from the edge-to-landmark weights `[points, edges]`.
pub fn edges_of(weight: &[f64], points: usize, edges: usize) -> Vec<Vec<usize>> {
    (0..edges)
        .map(|e| {
            (0..points)
                .filter(|p| weight[p * edges + e] != 0.0)
                .collect()
        })
        .collect()
}

/// Cases without weights, by the start of their names.
fn check_function(golden: &Golden, case: &str) -> usize {
    let input = || golden.tensor::<Diff, 4>(&format!("{case}/in0"));
    let compare = |field: &str, found: Tensor<Diff, 4>| {
        let what = format!("{case}/{field}");
        let expected = golden.values(&what);
        assert_close(&what, &floats(found), &expected, relative(&expected, ULPS));
    };
    let function: fn(Tensor<Diff, 4>) -> Tensor<Diff, 4> =
        match case.split(|c: char| !c.is_alphabetic()).next() {
            Some("addcoords") => {
                let heatmaps = golden.tensor(&format!("{case}/in1"));
                compare("out", append_coords(input(), Some(heatmaps)));
                compare("out_no_heatmap", append_coords(input(), None));
                return 2;
            }
            Some("in") => instance_norm_relu,
            Some("sigmoid") => activation::sigmoid,
            Some("upsample") => upsample,
            Some("maxpool") => max_pool,
            _ => panic!("unknown case {case}"),
        };
    if !golden.has(&format!("{case}/upstream")) {
        compare("out", function(input()));
        return 1;
    }
    for label in ["eval", "train"] {
        let x = input().require_grad();
        let y = function(x.clone());
        compare(&format!("{label}/out"), y.clone());
        let grads = (y * golden.tensor(&format!("{case}/upstream")))
            .sum()
            .backward();
        let grad = Tensor::<Diff, 4>::from_inner(x.grad(&grads).unwrap());
        compare(&format!("{label}/grad_in0"), grad);
    }
    4
}
