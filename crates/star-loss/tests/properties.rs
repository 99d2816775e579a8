//! What must hold for any heatmap: finite values and gradients, gradients that are slopes, and the symmetries of the plane.

mod common;

use burn::{
    backend::Autodiff,
    tensor::{DType, Tensor, TensorData},
};
use common::{Ad, Inner, tensor, values};
use star_loss::{
    AWingLossConfig, Distance, SmoothL1Loss, StarLossConfig, StarVersion, WingLoss, heatmap_stats,
};

const VERSIONS: [StarVersion; 2] = [StarVersion::V1, StarVersion::V2];

fn every_config(weight: f64) -> impl Iterator<Item = StarLossConfig> {
    VERSIONS.into_iter().flat_map(move |version| {
        Distance::ALL
            .into_iter()
            .map(move |distance| StarLossConfig {
                version,
                distance,
                weight,
            })
    })
}

/// A small generator, the same on every machine.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f64 / (1u64 << 24) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
}

/// A blob with the given centre, spreads and tilt, in pixels.
fn blob(
    height: usize,
    width: usize,
    centre: (f64, f64),
    spread: (f64, f64),
    tilt: f64,
) -> Vec<f64> {
    let (sin, cos) = tilt.sin_cos();
    let mut map = Vec::with_capacity(height * width);
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x as f64 - centre.0, y as f64 - centre.1);
            let (u, v) = (
                (cos * dx + sin * dy) / spread.0,
                (cos * dy - sin * dx) / spread.1,
            );
            map.push((-0.5 * (u * u + v * v)).exp());
        }
    }
    map
}

fn map_of(height: usize, width: usize, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..height * width)
        .map(|i| value(i / width, i % width))
        .collect()
}

/// Maps on which eigen-decompositions, roots and divisions go wrong.
fn awkward_maps(height: usize, width: usize) -> Vec<(String, Vec<f64>)> {
    let mut random = Random(7);
    let (mid_y, mid_x) = (height / 2, width / 2);
    let mut maps: Vec<(String, Vec<f64>)> = vec![
        ("zeros".into(), vec![0.0; height * width]),
        ("flat".into(), vec![0.3; height * width]),
        (
            "delta".into(),
            map_of(height, width, |y, x| f64::from(y == mid_y && x == mid_x)),
        ),
        (
            "delta in a corner".into(),
            map_of(height, width, |y, x| f64::from(y == 0 && x + 1 == width)),
        ),
        (
            "one row".into(),
            map_of(height, width, |y, _| f64::from(y == mid_y)),
        ),
        (
            "one column".into(),
            map_of(height, width, |_, x| f64::from(x == mid_x)),
        ),
        (
            "diagonal".into(),
            map_of(height, width, |y, x| f64::from(x == y)),
        ),
        (
            "antidiagonal".into(),
            map_of(height, width, |y, x| f64::from(x + y == 9)),
        ),
        (
            "two pixels".into(),
            map_of(height, width, |y, x| {
                f64::from(y == 1 && (x == 2 || x == 3))
            }),
        ),
        (
            "2x2".into(),
            map_of(height, width, |y, x| {
                f64::from((y == 2 || y == 3) && (x == 2 || x == 3))
            }),
        ),
        (
            "plus".into(),
            map_of(height, width, |y, x| {
                f64::from((y == mid_y) != (x == mid_x))
            }),
        ),
        (
            "isotropic".into(),
            blob(height, width, (5.0, 5.0), (1.5, 1.5), 0.0),
        ),
        (
            "nearly isotropic".into(),
            blob(height, width, (5.0, 5.0), (1.5, 1.5 + 1e-6), 0.7),
        ),
        (
            "needle".into(),
            blob(height, width, (5.0, 5.0), (4.0, 0.05), 0.5),
        ),
        (
            "far outside".into(),
            blob(height, width, (-8.0, 30.0), (2.0, 2.0), 0.0),
        ),
        (
            "delta on a floor".into(),
            map_of(
                height,
                width,
                |y, x| if y == 3 && x == 4 { 1.0 } else { 1e-12 },
            ),
        ),
        (
            "delta of half the least sum".into(),
            map_of(height, width, |y, x| 0.5e-6 * f64::from(y == 3 && x == 4)),
        ),
        (
            "flat, half the least sum".into(),
            vec![0.5e-6 / (height * width) as f64; height * width],
        ),
    ];
    for fraction in [0.01, 0.1, 0.4, 0.5, 0.501, 0.6, 0.9, 0.999] {
        let delta = map_of(height, width, |y, x| {
            fraction * 1e-6 * f64::from(y == 3 && x == 4) + 1e-12 * (x + y) as f64
        });
        maps.push((format!("delta of {fraction} of the least sum"), delta));
    }
    for kind in 0..6 {
        let sparse = (0..height * width)
            .map(|_| {
                if random.unit() < 0.02 * f64::from(kind + 1) {
                    random.unit()
                } else {
                    0.0
                }
            })
            .collect();
        maps.push((format!("sparse {kind}"), sparse));
    }
    maps
}

/// Signed maps; the published program has no sensible value for many of them.
fn signed_maps(height: usize, width: usize) -> Vec<(String, Vec<f64>)> {
    let mut random = Random(11);
    let mut maps: Vec<(String, Vec<f64>)> = vec![
        ("negative".into(), vec![-1.0; height * width]),
        (
            "negative delta".into(),
            map_of(height, width, |y, x| -f64::from(y == 2 && x == 5)),
        ),
        (
            "cancelling".into(),
            map_of(
                height,
                width,
                |y, x| if (x + y) % 2 == 0 { 1.0 } else { -1.0 },
            ),
        ),
        (
            "dipole".into(),
            map_of(height, width, |y, x| {
                f64::from(y == 2 && x == 2) - f64::from(y == 9 && x == 9)
            }),
        ),
    ];
    for kind in 0..20 {
        let shift = random.between(-0.6, 0.6) * 0.1_f64.powi(kind % 5);
        let noise = (0..height * width)
            .map(|_| random.between(-1.0, 1.0) + shift)
            .collect();
        maps.push((format!("noise {kind}"), noise));
    }
    maps
}

fn assert_finite(maps: Vec<(String, Vec<f64>)>, height: usize, width: usize, scales: &[f64]) {
    let targets = [(0.0, 0.0), (-0.37, 0.81), (1.0, -1.0)];
    let cases: Vec<(String, Vec<f64>, (f64, f64))> = maps
        .iter()
        .flat_map(|(name, map)| {
            scales.iter().flat_map(move |&scale| {
                targets.map(|target| {
                    let map = map.iter().map(|v| v * scale).collect();
                    (
                        format!("{name} x {scale:e}, target {target:?}"),
                        map,
                        target,
                    )
                })
            })
        })
        .collect();
    let heatmaps: Vec<f64> = cases.iter().flat_map(|(_, map, _)| map.clone()).collect();
    let points: Vec<f64> = cases.iter().flat_map(|(_, _, (x, y))| [*x, *y]).collect();
    for config in every_config(1.0) {
        let heatmaps = tensor::<Ad, 4>(&heatmaps, [cases.len(), 1, height, width]).require_grad();
        let points = tensor::<Ad, 3>(&points, [cases.len(), 1, 2]).require_grad();
        let loss = config.init().per_sample(heatmaps.clone(), points.clone());
        let grads = loss.clone().sum().backward();
        let loss = values(loss);
        let of_map = values(heatmaps.grad(&grads).unwrap());
        let of_point = values(points.grad(&grads).unwrap());
        for (i, (name, ..)) in cases.iter().enumerate() {
            assert!(
                loss[i].is_finite() && loss[i] >= 0.0,
                "{config:?}: {name}: loss {}",
                loss[i]
            );
            let area = height * width;
            let finite = |g: &[f64]| g.iter().all(|g| g.is_finite());
            assert!(
                finite(&of_map[i * area..(i + 1) * area]),
                "{config:?}: {name}: gradient of the map"
            );
            assert!(
                finite(&of_point[i * 2..(i + 1) * 2]),
                "{config:?}: {name}: gradient of the target"
            );
        }
    }
}

#[test]
fn finite_for_every_non_negative_map() {
    let scales = [
        1.0, 1e-3, 1e3, 1e-6, 1e-8, 1e-20, 1e-30, 1e-38, 1e-44, 1e20, 1e30, 3e38,
    ];
    assert_finite(awkward_maps(16, 16), 16, 16, &scales);
    assert_finite(awkward_maps(12, 20), 12, 20, &scales);
}

#[test]
fn finite_for_every_signed_map() {
    assert_finite(
        signed_maps(16, 16),
        16,
        16,
        &[1.0, 1e-7, 1e-30, 1e3, 1e30, 2e38],
    );
}

#[test]
fn finite_for_one_pixel_rows_and_columns() {
    for (height, width) in [(1, 1), (1, 7), (7, 1), (2, 2)] {
        let maps = vec![
            ("flat".into(), vec![1.0; height * width]),
            ("ramp".into(), map_of(height, width, |y, x| (x + y) as f64)),
        ];
        assert_finite(maps, height, width, &[1.0, 1e30, 1e-30]);
    }
}

#[test]
fn a_nan_shows_in_its_own_sample_only() {
    let mut maps: Vec<f64> = (0..3)
        .flat_map(|_| blob(8, 8, (3.0, 4.0), (1.0, 2.0), 0.3))
        .collect();
    maps[64 + 5] = f64::NAN;
    let loss = values(StarLossConfig::default().init().per_sample(
        tensor::<Inner, 4>(&maps, [3, 1, 8, 8]),
        tensor(&[0.0; 6], [3, 1, 2]),
    ));
    assert!(
        loss[0].is_finite() && loss[1].is_nan() && loss[2].is_finite(),
        "{loss:?}"
    );
}

#[test]
fn mean_of_samples_is_the_loss() {
    let mut random = Random(3);
    let maps: Vec<f64> = (0..4 * 5 * 12 * 10).map(|_| random.unit()).collect();
    let points: Vec<f64> = (0..4 * 5 * 2).map(|_| random.between(-1.0, 1.0)).collect();
    for config in every_config(0.7) {
        let maps = tensor::<Inner, 4>(&maps, [4, 5, 12, 10]);
        let points = tensor::<Inner, 3>(&points, [4, 5, 2]);
        let each = values(config.init().per_sample(maps.clone(), points.clone()));
        let all = values(config.init().forward(maps, points))[0];
        assert_eq!(each.len(), 4);
        assert!((each.iter().sum::<f64>() / 4.0 - all).abs() < 1e-5 * all);
    }
}

/// f64 tensors on the same backend: slopes can be measured to 1e-6.
fn tensor64<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<Ad, D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Default::default(), DType::F64))
}

fn assert_slopes(
    what: &str,
    start: &[f64],
    step: f64,
    gradient: &[f64],
    loss: impl Fn(&[f64]) -> f64,
) {
    let size = gradient.iter().fold(0.0_f64, |a, g| a.max(g.abs()));
    assert!(size > 0.0, "{what}: no gradient");
    let mut moved = start.to_vec();
    for (i, &g) in gradient.iter().enumerate() {
        moved[i] = start[i] + step;
        let up = loss(&moved);
        moved[i] = start[i] - step;
        let down = loss(&moved);
        moved[i] = start[i];
        let slope = (up - down) / (2.0 * step);
        assert!(
            (g - slope).abs() < 2e-6 * size,
            "{what}: element {i}: gradient {g}, slope {slope}, largest {size}"
        );
    }
}

#[test]
fn star_gradients_are_slopes() {
    let mut random = Random(5);
    let shape = [1, 3, 6, 7];
    let mut maps = blob(6, 7, (2.2, 3.1), (2.0, 1.0), 0.4);
    maps.extend(
        blob(6, 7, (4.0, 1.0), (0.8, 2.0), 1.2)
            .iter()
            .map(|v| v * 50.0),
    );
    maps.extend((0..42).map(|_| random.unit()));
    let points = [0.3, -0.4, -0.2, 0.2, 0.9, 0.6];
    for config in every_config(1.0) {
        let loss = config.init();
        let heatmaps = tensor64(&maps, shape).require_grad();
        let targets = tensor64(&points, [1, 3, 2]).require_grad();
        let value = loss.forward(heatmaps.clone(), targets.clone());
        assert_eq!(value.dtype(), DType::F64);
        let grads = value.backward();
        let of_map = values(heatmaps.grad(&grads).unwrap());
        let of_point = values(targets.grad(&grads).unwrap());
        let at = |maps: &[f64], points: &[f64]| {
            values(loss.forward(tensor64(maps, shape), tensor64(points, [1, 3, 2])))[0]
        };
        assert_slopes(&format!("{config:?}, maps"), &maps, 1e-5, &of_map, |maps| {
            at(maps, &points)
        });
        assert_slopes(
            &format!("{config:?}, targets"),
            &points,
            1e-6,
            &of_point,
            |points| at(&maps, points),
        );
    }
}

#[test]
fn statistics_gradients_are_slopes() {
    let shape = [1, 1, 6, 7];
    let map = blob(6, 7, (2.2, 3.1), (2.0, 1.0), 0.4);
    let sum = |maps: Tensor<Ad, 4>| {
        let s = heatmap_stats(maps);
        // The axis up to sign: its products.
        let (x, y) = (s.axis.clone().narrow(2, 0, 1), s.axis.narrow(2, 1, 1));
        s.mean.sum()
            + s.small.sum() * 2.0
            + s.large.sum() * 3.0
            + s.cov_xy.sum() * 5.0
            + (x * y).sum() * 7.0
    };
    let heatmaps = tensor64(&map, shape).require_grad();
    let gradient = values(heatmaps.grad(&sum(heatmaps.clone()).backward()).unwrap());
    assert_slopes("statistics", &map, 1e-5, &gradient, |m| {
        values(sum(tensor64(m, shape)))[0]
    });
}

#[test]
fn awing_gradient_is_a_slope() {
    let mut random = Random(9);
    let shape = [1, 2, 5, 6];
    // A quarter of the targets is exactly 0, an eighth exactly 1; predictions on both sides of them and of the threshold.
    let target: Vec<f64> = (0..60)
        .map(|i| match i % 8 {
            0 | 1 => 0.0,
            2 => 1.0,
            _ => random.unit(),
        })
        .collect();
    let prediction: Vec<f64> = target
        .iter()
        .map(|t| t + random.between(-1.2, 1.2))
        .collect();
    for use_weight_map in [true, false] {
        let loss = AWingLossConfig {
            use_weight_map,
            ..Default::default()
        }
        .init();
        let output = tensor64(&prediction, shape).require_grad();
        let value = loss.forward(output.clone(), tensor64(&target, shape));
        let gradient = values(output.grad(&value.backward()).unwrap());
        assert_slopes("awing", &prediction, 1e-6, &gradient, |p| {
            values(loss.forward(tensor64(p, shape), tensor64(&target, shape)))[0]
        });
    }
}

#[test]
fn awing_is_finite_for_extreme_predictions() {
    let predictions = [
        0.0, -0.0, 1.0, 0.5, -1.0, 1e-30, 1e-45, 1e30, -1e30, 0.50000006, -7.0, 2.0,
    ];
    let targets = [0.0, 1.0, 0.5, 0.2];
    let pairs: Vec<(f64, f64)> = targets
        .iter()
        .flat_map(|&t| predictions.map(|p| (p, t)))
        .collect();
    let shape = [1, 1, targets.len(), predictions.len()];
    let prediction: Vec<f64> = pairs.iter().map(|p| p.0).collect();
    let target: Vec<f64> = pairs.iter().map(|p| p.1).collect();
    let output = tensor::<Ad, 4>(&prediction, shape).require_grad();
    let loss = AWingLossConfig::default()
        .init()
        .forward(output.clone(), tensor(&target, shape));
    assert!(values(loss.clone())[0].is_finite());
    let gradient = values(output.grad(&loss.backward()).unwrap());
    for ((p, t), g) in pairs.iter().zip(&gradient) {
        let (p, t) = (*p as f32, *t as f32);
        assert!(g.is_finite(), "prediction {p}, target {t}: gradient {g}");
        // Downhill is towards the target.
        assert!(
            g * f64::from(p - t) >= 0.0,
            "prediction {p}, target {t}: gradient {g}"
        );
    }
}

#[test]
fn awing_is_nothing_and_still_at_the_target() {
    let target = [0.0, 0.1, 0.3, 1.0];
    let output = tensor::<Ad, 4>(&target, [1, 1, 2, 2]).require_grad();
    let loss = AWingLossConfig::default()
        .init()
        .forward(output.clone(), tensor(&target, [1, 1, 2, 2]));
    assert!(values(loss.clone())[0] < 1e-30);
    assert_eq!(values(output.grad(&loss.backward()).unwrap()), [0.0; 4]);
}

#[test]
fn awing_leaves_the_target_alone() {
    let shape = [1, 1, 2, 3];
    let output = tensor::<Ad, 4>(&[0.3, 0.9, 0.1, 0.0, 0.6, 0.5], shape).require_grad();
    let target = tensor::<Ad, 4>(&[0.0, 0.1, 0.3, 1.0, 0.7, 0.2], shape).require_grad();
    let loss = AWingLossConfig::default().init();
    let gradients = loss.forward(output.clone(), target.clone()).backward();
    assert!(
        values(output.grad(&gradients).unwrap())
            .iter()
            .all(|g| *g != 0.0)
    );
    let of_target = target.grad(&gradients).map(values);
    assert!(of_target.is_none_or(|g| g == [0.0; 6]));
}

/// Distances below 1e-3 count as 1e-3, along each axis as in the plane.
#[test]
fn wing_is_still_near_the_mean() {
    let shape = [1, 1, 12, 12];
    let heatmaps = tensor64(&blob(12, 12, (5.2, 6.1), (2.0, 1.0), 0.4), shape);
    let mean = values(heatmap_stats(heatmaps.clone()).mean);
    let loss = StarLossConfig {
        distance: Distance::Wing,
        ..Default::default()
    }
    .init();
    for (off, still) in [(5e-4, true), (5e-3, false)] {
        let target = [mean[0] + off, mean[1] - 0.5 * off];
        let target = tensor64(&target, [1, 1, 2]).require_grad();
        let value = loss.forward(heatmaps.clone(), target.clone());
        let gradient = values(target.grad(&value.backward()).unwrap());
        assert_eq!(gradient == [0.0; 2], still, "{off}: {gradient:?}");
    }
}

#[test]
fn point_losses_are_finite_and_still_at_the_target() {
    let at = [0.2, -0.3, 0.0, 0.0];
    let run = |loss: &dyn Fn(Tensor<Ad, 3>, Tensor<Ad, 3>) -> Tensor<Ad, 1>| {
        let output = tensor::<Ad, 3>(&at, [1, 2, 2]).require_grad();
        let value = loss(output.clone(), tensor(&at, [1, 2, 2]));
        assert!(values(value.clone())[0].is_finite());
        assert_eq!(values(output.grad(&value.backward()).unwrap()), [0.0; 4]);
    };
    run(&|a, b| SmoothL1Loss::default().forward(a, b));
    run(&|a, b| WingLoss::default().forward(a, b));
}

#[test]
fn blobs_are_measured_as_drawn() {
    // Far from the border a sampled Gaussian has the moments it was drawn with.
    let (side, spread, tilt) = (64usize, (5.0, 2.0), 0.6_f64);
    let stats = heatmap_stats(tensor::<Inner, 4>(
        &blob(side, side, (30.2, 33.7), spread, tilt),
        [1, 1, side, side],
    ));
    let pixel = 2.0 / (side as f64 - 1.0);
    let mean = values(stats.mean);
    assert!(
        (mean[0] - (30.2 * pixel - 1.0)).abs() < 1e-4
            && (mean[1] - (33.7 * pixel - 1.0)).abs() < 1e-4
    );
    // The published denominator (1 - sum h h) makes it larger by 1 / (1 - 1 / (4 pi 5 2)).
    let unbiased = 1.0 / (1.0 - 1.0 / (4.0 * std::f64::consts::PI * spread.0 * spread.1));
    let close = |a: f64, b: f64| (a - b).abs() < 2e-3 * b;
    assert!(close(
        values(stats.large)[0],
        (spread.0 * pixel).powi(2) * unbiased
    ));
    assert!(close(
        values(stats.small)[0],
        (spread.1 * pixel).powi(2) * unbiased
    ));
    let axis = values(stats.axis);
    assert!(
        (axis[0] * tilt.sin() - axis[1] * tilt.cos()).abs() < 1e-3,
        "{axis:?}"
    );
}

/// The loss and its map gradient, for one map and one target.
fn loss_of(
    config: StarLossConfig,
    map: &[f64],
    side: usize,
    target: (f64, f64),
) -> (f64, Vec<f64>) {
    let heatmap = tensor::<Ad, 4>(map, [1, 1, side, side]).require_grad();
    let loss = config
        .init()
        .forward(heatmap.clone(), tensor(&[target.0, target.1], [1, 1, 2]));
    let gradient = values(heatmap.grad(&loss.backward()).unwrap());
    (values(loss)[0], gradient)
}

#[test]
fn flips_and_quarter_turns_change_nothing() {
    let side = 16;
    let map = blob(side, side, (6.3, 8.9), (3.0, 1.2), 0.4);
    let (x, y) = (0.25, -0.15);
    type Move = (
        &'static str,
        fn(usize, usize) -> (usize, usize),
        fn(f64, f64) -> (f64, f64),
    );
    let moves: [Move; 4] = [
        ("mirror", |y, x| (y, 15 - x), |x, y| (-x, y)),
        ("upside down", |y, x| (15 - y, x), |x, y| (x, -y)),
        ("transpose", |y, x| (x, y), |x, y| (y, x)),
        ("quarter turn", |y, x| (x, 15 - y), |x, y| (-y, x)),
    ];
    for config in every_config(1.0) {
        let (loss, gradient) = loss_of(config, &map, side, (x, y));
        for (name, pixel, point) in moves {
            let turn = |values: &[f64]| {
                let mut turned = vec![0.0; values.len()];
                for from_y in 0..side {
                    for from_x in 0..side {
                        let (to_y, to_x) = pixel(from_y, from_x);
                        turned[to_y * side + to_x] = values[from_y * side + from_x];
                    }
                }
                turned
            };
            let (turned_loss, turned_gradient) = loss_of(config, &turn(&map), side, point(x, y));
            assert!(
                (turned_loss - loss).abs() < 1e-5 * loss.max(1.0),
                "{config:?} {name}: {turned_loss} {loss}"
            );
            let off = common::relative_error(&turned_gradient, &turn(&gradient));
            assert!(off < 2e-5, "{config:?} {name}: gradient off by {off:e}");
        }
    }
}

#[test]
fn turning_map_and_target_together_changes_nothing() {
    // A blob well inside the map, turned by any angle about the map's centre, with its target.
    let side = 64;
    for config in every_config(1.0) {
        let turned = |angle: f64| {
            let (sin, cos) = angle.sin_cos();
            let turn = |x: f64, y: f64| (cos * x - sin * y, sin * x + cos * y);
            let (cx, cy) = turn(4.0, -3.0);
            let map = blob(side, side, (31.5 + cx, 31.5 + cy), (4.0, 2.0), 0.2 + angle);
            loss_of(config, &map, side, turn(0.2, 0.1)).0
        };
        let upright = turned(0.0);
        for angle in [0.1, 0.7, 1.3, 2.0, 3.0, 4.4] {
            // v1 with L1 adds |z1| and |z2|: fixed to the axes, which turn along.
            assert!(
                (turned(angle) - upright).abs() < 2e-4 * upright,
                "{config:?} by {angle}"
            );
        }
    }
}

#[test]
fn the_scale_of_a_map_changes_nothing() {
    let map = blob(16, 16, (6.3, 8.9), (3.0, 1.2), 0.4);
    for config in every_config(1.0) {
        let (loss, gradient) = loss_of(config, &map, 16, (0.25, -0.15));
        for scale in [1e-3, 1e3, 1e30, 1e-5] {
            let scaled: Vec<f64> = map.iter().map(|v| v * scale).collect();
            let (scaled_loss, scaled_gradient) = loss_of(config, &scaled, 16, (0.25, -0.15));
            assert!(
                (scaled_loss - loss).abs() < 1e-5 * loss,
                "{config:?} x {scale:e}"
            );
            let back: Vec<f64> = scaled_gradient.iter().map(|g| g * scale).collect();
            let off = common::relative_error(&back, &gradient);
            assert!(
                off < 2e-5,
                "{config:?} x {scale:e}: gradient off by {off:e}"
            );
        }
    }
}

#[test]
fn isotropic_maps_have_no_rotation_gradient() {
    // All four neighbours of a pixel: equal eigenvalues. Making it longer along either diagonal is the same by symmetry.
    let map = map_of(16, 16, |y, x| {
        f64::from((y == 7 && (x == 6 || x == 8)) || (x == 7 && (y == 6 || y == 8)))
    });
    let config = StarLossConfig {
        weight: 0.0,
        ..Default::default()
    };
    let (loss, gradient) = loss_of(config, &map, 16, (-1.0 / 15.0, -1.0 / 15.0));
    assert!(loss < 1e-6, "{loss}");
    assert!(gradient.iter().all(|g| g.abs() < 1e-3), "{gradient:?}");
}

#[test]
fn a_slightly_longer_map_has_a_direction() {
    // All four neighbours of a pixel, those above and below a little heavier; the rounding of f32 is a thousand times less.
    let map = map_of(16, 16, |y, x| match (y, x) {
        (6 | 8, 7) => 1.0005,
        (7, 6 | 8) => 1.0,
        _ => 0.0,
    });
    let found = heatmap_stats(tensor::<Inner, 4>(&map, [1, 1, 16, 16]));
    let (axis, large, small) = (
        values(found.axis),
        values(found.large)[0],
        values(found.small)[0],
    );
    assert!(axis[0].abs() < 0.01 && axis[1].abs() > 0.999, "{axis:?}");
    assert!((large / small - 1.0005).abs() < 1e-5, "{large} / {small}");
}

#[test]
fn works_without_autodiff_and_on_inner_tensors_alike() {
    let map = blob(16, 16, (6.3, 8.9), (3.0, 1.2), 0.4);
    let target = [0.25, -0.15];
    let loss = StarLossConfig::default().init();
    let plain = values(loss.forward(
        tensor::<Inner, 4>(&map, [1, 1, 16, 16]),
        tensor(&target, [1, 1, 2]),
    ))[0];
    let tracked = values(loss.forward(
        tensor::<Autodiff<Inner>, 4>(&map, [1, 1, 16, 16]).require_grad(),
        tensor(&target, [1, 1, 2]),
    ))[0];
    assert_eq!(plain, tracked);
}

#[test]
fn configurations_read_as_they_are_written() {
    let read: StarLossConfig =
        serde_json::from_str(r#"{"version": "v1", "distance": "smoothl1"}"#).unwrap();
    let expected = StarLossConfig {
        version: StarVersion::V1,
        ..Default::default()
    };
    assert_eq!(read, expected);
    let default: StarLossConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(
        (default.version, default.distance, default.weight),
        (StarVersion::V2, Distance::SmoothL1, 1.0)
    );
    for distance in Distance::ALL {
        let text = serde_json::to_string(&distance).unwrap();
        assert_eq!(
            text,
            format!("\"{}\"", format!("{distance:?}").to_lowercase())
        );
    }
    assert!(serde_json::from_str::<StarLossConfig>(r#"{"wieght": 1}"#).is_err());
}
