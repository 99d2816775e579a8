//! Against what the published program computes. The cases are read from the files.

mod common;

use burn::tensor::Tensor;
use common::{Ad, Golden, Inner, number, numbers, object, relative_error, tensor, values};
use serde_json::Value;
use star_loss::{
    AWingLossConfig, Distance, SmoothL1Loss, StarLossConfig, StarVersion, WingLoss, heatmap_stats,
};

/// 10 x the reference's own f32 noise, plus 1e-6.
fn tolerance(noise: f64) -> f64 {
    10.0 * noise + 1e-6
}

/// Counts comparisons and keeps the failed ones, so that one run shows all.
#[derive(Default)]
struct Checks {
    done: usize,
    /// The largest fraction of its tolerance that a passed comparison used, and which.
    closest: (f64, String),
    failed: Vec<String>,
}

impl Checks {
    fn within(&mut self, what: String, off: f64, allowed: f64) {
        self.done += 1;
        if off <= allowed {
            if off / allowed > self.closest.0 {
                self.closest = (off / allowed, what);
            }
        } else {
            self.failed
                .push(format!("{what}: off by {off:.2e}, allowed {allowed:.2e}"));
        }
    }

    fn loss(&mut self, what: &str, ours: f64, truth: f64, f32_value: f64) {
        let allowed = 10.0 * (f32_value - truth).abs() + 1e-6 * truth.abs().max(1.0);
        self.within(
            format!("{what} loss {ours}, should be {truth}"),
            (ours - truth).abs(),
            allowed,
        );
    }

    fn gradient(&mut self, what: &str, ours: &[f64], truth: &[f64], noise: f64) {
        self.within(
            format!("{what} gradient"),
            relative_error(ours, truth),
            tolerance(noise),
        );
    }

    fn finish(self) {
        assert!(self.done > 0, "nothing was compared");
        assert!(
            self.failed.is_empty(),
            "{} of {} failed:\n{}",
            self.failed.len(),
            self.done,
            self.failed.join("\n")
        );
        println!(
            "{} comparisons; the closest to its limit: {:.2} ({})",
            self.done, self.closest.0, self.closest.1
        );
    }
}

/// One group of heatmaps with the losses of every variant.
struct Group<'a> {
    golden: &'a Golden,
    name: &'a str,
    json: &'a Value,
    /// Batch, points, height, width.
    shape: [usize; 4],
    /// Every map is a sample of its own, with its own loss.
    alone: bool,
}

impl<'a> Group<'a> {
    fn all(golden: &'a Golden) -> Vec<Self> {
        let groups: Vec<_> = object(&golden.json["groups"])
            .iter()
            .map(|(name, json)| {
                let (shape, _) = golden.get(&format!("{name}/heatmap"));
                let alone = shape.len() == 3;
                let shape = match shape[..] {
                    [n, h, w] => [n, 1, h, w],
                    [b, n, h, w] => [b, n, h, w],
                    _ => panic!("{name}/heatmap has rank {}", shape.len()),
                };
                Self {
                    golden,
                    name,
                    json,
                    shape,
                    alone,
                }
            })
            .collect();
        assert!(!groups.is_empty());
        groups
    }

    fn heatmaps(&self) -> Vec<f64> {
        self.golden.get(&format!("{}/heatmap", self.name)).1
    }

    fn targets(&self) -> Vec<f64> {
        self.golden.get(&format!("{}/gt", self.name)).1
    }

    /// The name of map `i`, for messages.
    fn label(&self, i: usize) -> String {
        let names = self.json["names"].as_array().expect("names");
        format!(
            "{}/{}",
            self.name,
            names.get(i).and_then(Value::as_str).unwrap_or("?")
        )
    }
}

/// `v2/smoothl1/w1` -> its configuration.
fn config(variant: &str) -> StarLossConfig {
    let parts: Vec<&str> = variant.split('/').collect();
    let [version, distance, weight] = parts[..] else {
        panic!("variant {variant}")
    };
    let read = |s: &str| Value::String(s.into());
    StarLossConfig {
        version: serde_json::from_value::<StarVersion>(read(version)).expect("version"),
        distance: serde_json::from_value::<Distance>(read(distance)).expect("distance"),
        weight: weight
            .strip_prefix('w')
            .and_then(|w| w.parse().ok())
            .expect("weight"),
    }
}

#[test]
fn star_losses_and_gradients() {
    let golden = Golden::load("losses_star");
    let mut checks = Checks::default();
    for group in Group::all(&golden) {
        let [batch, points, height, width] = group.shape;
        for (variant, expected) in object(&group.json["variants"]) {
            let heatmaps = tensor::<Ad, 4>(&group.heatmaps(), group.shape).require_grad();
            let targets = tensor::<Ad, 3>(&group.targets(), [batch, points, 2]).require_grad();
            let loss = config(variant).init();
            let per_sample = loss.per_sample(heatmaps.clone(), targets.clone());
            let ours = values(per_sample.clone());
            assert!(
                ours.iter().all(|l| l.is_finite()),
                "{}/{variant}",
                group.name
            );

            let total = if group.alone {
                per_sample.sum()
            } else {
                let mean = loss.forward(heatmaps.clone(), targets.clone());
                let value = values(mean.clone())[0];
                checks.loss(
                    &format!("{}/{variant}", group.name),
                    value,
                    number(&expected["loss_f64"]),
                    number(&expected["loss_f32"]),
                );
                mean
            };
            let grads = total.backward();
            let of_map = values(heatmaps.grad(&grads).expect("gradient"));
            let of_target = values(targets.grad(&grads).expect("gradient"));
            assert!(
                of_map.iter().chain(&of_target).all(|g| g.is_finite()),
                "{}/{variant}",
                group.name
            );
            let golden_map = golden.find(&format!("{}/grad_heatmap/{variant}", group.name));
            let golden_target = golden.find(&format!("{}/grad_gt/{variant}", group.name));

            if group.alone {
                let flags = |key: &str| expected[key].as_array().expect("flags").clone();
                let (compare_loss, compare_grad) = (flags("compare_loss"), flags("compare_grad"));
                let noise = numbers(&expected["f32_rel_err_grad_heatmap"]);
                let (f64s, f32s) = (
                    numbers(&expected["loss_f64"]),
                    numbers(&expected["loss_f32"]),
                );
                for i in 0..batch {
                    let what = format!("{} {variant}", group.label(i));
                    if compare_loss[i] == Value::Bool(true) {
                        checks.loss(&what, ours[i], f64s[i], f32s[i]);
                    }
                    if let (Value::Bool(true), Some((_, golden_map))) =
                        (&compare_grad[i], &golden_map)
                    {
                        let range = i * height * width..(i + 1) * height * width;
                        checks.gradient(
                            &what,
                            &of_map[range.clone()],
                            &golden_map[range],
                            noise[i],
                        );
                    }
                }
            } else {
                let what = format!("{}/{variant}", group.name);
                if let Some((_, golden_map)) = golden_map {
                    checks.gradient(
                        &what,
                        &of_map,
                        &golden_map,
                        number(&expected["f32_rel_err_grad_heatmap"]),
                    );
                }
                if let Some((_, golden_target)) = golden_target {
                    checks.gradient(
                        &what,
                        &of_target,
                        &golden_target,
                        number(&expected["f32_rel_err_grad_gt"]),
                    );
                }
            }
        }
    }
    checks.finish();
}

#[test]
fn heatmap_statistics() {
    let mut checks = Checks::default();
    let golden = Golden::load("losses_star");
    for group in Group::all(&golden) {
        let mid = |precision: &str, field: &str| {
            golden
                .get(&format!("{}/mid_{precision}/{field}", group.name))
                .1
        };
        let heatmaps = group.heatmaps();
        let area = group.shape[2] * group.shape[3];
        let stats = heatmap_stats(tensor::<Inner, 4>(&heatmaps, group.shape));
        let mean = values(stats.mean);
        let (xx, xy, yy) = (
            values(stats.cov_xx),
            values(stats.cov_xy),
            values(stats.cov_yy),
        );
        let (small, large, axis) = (values(stats.small), values(stats.large), values(stats.axis));
        let pick = |field: &str, size: usize, i: usize, k: usize| {
            (
                mid("f64", field)[i * size + k],
                mid("f32", field)[i * size + k],
            )
        };
        for i in 0..xx.len() {
            let what = group.label(i);
            let map = &heatmaps[i * area..(i + 1) * area];
            let peak = map.iter().copied().fold(0.0, f64::max) / map.iter().sum::<f64>();
            // More than 99 % of the mass in one pixel: 1e-3 relative noise (REFERENCE S3).
            let ill = if peak > 0.99 { 1e-3 } else { 0.0 };
            let mut close = |field: &str, ours: f64, (truth, noisy): (f64, f64)| {
                let allowed = tolerance((noisy - truth).abs()) + ill * truth.abs();
                checks.within(
                    format!("{what} {field} {ours}, should be {truth}"),
                    (ours - truth).abs(),
                    allowed,
                );
            };
            close("mean x", mean[2 * i], pick("mean", 2, i, 0));
            close("mean y", mean[2 * i + 1], pick("mean", 2, i, 1));
            close("cov xx", xx[i], pick("cov", 4, i, 0));
            close("cov xy", xy[i], pick("cov", 4, i, 1));
            close("cov yy", yy[i], pick("cov", 4, i, 3));
            close("small eigenvalue", small[i], pick("evalues", 2, i, 0));
            close("large eigenvalue", large[i], pick("evalues", 2, i, 1));
            let (l1, l2) = (pick("evalues", 2, i, 0).0, pick("evalues", 2, i, 1).0);
            assert!(
                (axis[2 * i].hypot(axis[2 * i + 1]) - 1.0).abs() < 1e-6,
                "{what}: axis is no unit vector"
            );
            if (l2 - l1) / l2 > 1e-3 && ill == 0.0 {
                // Column 1 is the large one's vector, up to sign.
                let (x, y) = (pick("evectors", 4, i, 1), pick("evectors", 4, i, 3));
                let noise = (x.0 * y.1 - y.0 * x.1).abs();
                let off = (axis[2 * i] * y.0 - axis[2 * i + 1] * x.0).abs();
                checks.within(
                    format!("{what} axis, in radians"),
                    off,
                    10.0 * noise + 1e-6 * l2 / (l2 - l1),
                );
            }
        }
    }
    checks.finish();
}

fn parameters<'a>(case: &'a Value) -> impl Fn(&str, f64) -> f64 + 'a {
    |name, default| case["params"].get(name).map_or(default, number)
}

#[test]
fn awing() {
    let mut checks = Checks::default();
    let golden = Golden::load("losses_misc");
    for (name, case) in object(&golden.json["awing"]) {
        let get = |field: &str| golden.get(&format!("awing/{name}/{field}"));
        let (shape, output) = get("output");
        let shape: [usize; 4] = shape.try_into().expect("rank 4");
        let parameter = parameters(case);
        let default = AWingLossConfig::default();
        let known = ["omega", "theta", "epsilon", "alpha", "use_weight_map"];
        assert!(
            object(&case["params"])
                .keys()
                .all(|k| known.contains(&k.as_str()))
        );
        let config = AWingLossConfig {
            omega: parameter("omega", default.omega),
            theta: parameter("theta", default.theta),
            epsilon: parameter("epsilon", default.epsilon),
            alpha: parameter("alpha", default.alpha),
            use_weight_map: case["params"]["use_weight_map"]
                .as_bool()
                .unwrap_or(default.use_weight_map),
        };
        let output = tensor::<Ad, 4>(&output, shape).require_grad();
        let loss = config
            .init()
            .forward(output.clone(), tensor(&get("target").1, shape));
        checks.loss(
            &format!("awing/{name}"),
            values(loss.clone())[0],
            number(&case["loss_f64"]),
            number(&case["loss_f32"]),
        );
        let gradient = values(output.grad(&loss.backward()).expect("gradient"));
        checks.gradient(
            &format!("awing/{name}"),
            &gradient,
            &get("grad_output").1,
            number(&case["f32_rel_err_grad"]),
        );
    }
    checks.finish();
}

#[test]
fn smooth_l1() {
    let mut checks = Checks::default();
    let golden = Golden::load("losses_misc");
    let (shape, output) = golden.get("smoothl1/output");
    let shape: [usize; 3] = shape.try_into().expect("rank 3");
    let (_, target) = golden.get("smoothl1/target");
    for (name, case) in object(&golden.json["smoothl1"]) {
        let what = format!("smoothl1/{name}");
        if let Some((shape4, output)) = golden.find(&format!("{what}/output")) {
            // Several observations a point; the target broadcasts over them.
            let shape4: [usize; 4] = shape4.try_into().expect("rank 4");
            let (shape3, target) = golden.get(&format!("{what}/target"));
            let target = tensor::<Inner, 4>(&target, [shape3[0], shape3[1], 1, shape3[2]]);
            let ours = values(
                SmoothL1Loss::default().forward(tensor::<Inner, 4>(&output, shape4), target),
            )[0];
            let truth = number(&case["loss_f64"]);
            checks.loss(&what, ours, truth, truth);
            continue;
        }
        let loss = SmoothL1Loss {
            scale: number(&case["scale"]),
        };
        let output = tensor::<Ad, 3>(&output, shape).require_grad();
        let target = tensor::<Ad, 3>(&target, shape);
        let each = loss.pointwise(output.clone(), target.clone());
        let total = match case["reduction"].as_str().expect("reduction") {
            "mean" => loss.forward(output.clone(), target),
            "sum" => each.sum(),
            "none" => {
                let (_, f64s) = golden.get(&format!("{what}_f64"));
                let (_, f32s) = golden.get(&format!("{what}_f32"));
                for (ours, (f64s, f32s)) in values(each.clone()).iter().zip(f64s.iter().zip(&f32s))
                {
                    checks.loss(&what, *ours, *f64s, *f32s);
                }
                each.sum()
            }
            other => panic!("{what}: reduction {other}"),
        };
        if let Some(truth) = case.get("loss_f64") {
            checks.loss(
                &what,
                values(total.clone())[0],
                number(truth),
                number(&case["loss_f32"]),
            );
        }
        check_point_gradient(&mut checks, &golden, &what, output, total);
    }
    checks.finish();
}

#[test]
fn wing() {
    let mut checks = Checks::default();
    let golden = Golden::load("losses_misc");
    let (shape, output) = golden.get("smoothl1/output");
    let shape: [usize; 3] = shape.try_into().expect("rank 3");
    let (_, target) = golden.get("smoothl1/target");
    for (name, case) in object(&golden.json["wing"]) {
        let what = format!("wing/{name}");
        let parameter = parameters(case);
        let default = WingLoss::default();
        let loss = WingLoss {
            omega: parameter("omega", default.omega),
            epsilon: parameter("epsilon", default.epsilon),
        };
        let output = tensor::<Ad, 3>(&output, shape).require_grad();
        let total = loss.forward(output.clone(), tensor(&target, shape));
        checks.loss(
            &what,
            values(total.clone())[0],
            number(&case["loss_f64"]),
            number(&case["loss_f32"]),
        );
        check_point_gradient(&mut checks, &golden, &what, output, total);
    }
    checks.finish();
}

fn check_point_gradient(
    checks: &mut Checks,
    golden: &Golden,
    what: &str,
    output: Tensor<Ad, 3>,
    loss: Tensor<Ad, 1>,
) {
    let gradient = values(output.grad(&loss.backward()).expect("gradient"));
    let (_, f64s) = golden.get(&format!("{what}/grad_f64"));
    let (_, f32s) = golden.get(&format!("{what}/grad_f32"));
    checks.gradient(what, &gradient, &f64s, relative_error(&f32s, &f64s));
}
