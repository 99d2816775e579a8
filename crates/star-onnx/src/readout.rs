//! What is read off heatmaps, f32: centres of mass and covariances, as `star_model::decode` and `star_loss::heatmap_stats` define
//! them.

use crate::error::OnnxError;
use crate::graph::{Attribute, Float, Graph};

/// A map is divided by its sum, but by no less than this.
const MIN_SUM: f32 = 1e-6;
/// The published constant in the covariance's denominator (REFERENCE S3).
const EPS: f32 = 1e-5;
/// The denominator is kept this far from 0, where it comes for maps of a sum below `MIN_SUM` only.
const MIN_DIVISOR: f32 = 1e-6;
/// And what is divided by it within this: of other maps it is at most 2.
const MAX_COVARIANCE: f32 = 1e6;

/// Appends the outputs `landmarks` and `covariance` of `heatmaps [batch, points, side, side]`.
pub fn read_out(
    graph: &mut Graph,
    heatmaps: &str,
    [points, side]: [usize; 2],
    landmarks: &str,
    covariance: &str,
) -> Result<(), OnnxError> {
    let mut maps = Moments {
        graph,
        heatmaps,
        side,
    };
    let across = maps.along("x", 2)?;
    let down = maps.along("y", 3)?;
    let last = [Attribute::Int("axis", 2)];
    let xy = [across.mean.as_str(), &down.mean];
    maps.graph.node("Concat", &xy, landmarks, &last);

    let denominator = maps.denominator(&across)?;
    let weighed = maps.weighed(&across, "xx");
    let xx = maps.covariance(&weighed, &across, &denominator, "xx")?;
    let weighed = maps.weighed(&down, "yy");
    let yy = maps.covariance(&weighed, &down, &denominator, "yy")?;
    // Every row's sum over its pixels, each times its place, is a product of the map with a column.
    let axis = maps.graph.integers(&[3]);
    let from = &[across.from_mean.as_str(), &axis];
    let column = maps.graph.node("Unsqueeze", from, "readout.x.column", &[]);
    let rows = maps
        .graph
        .node("MatMul", &[heatmaps, &column], "readout.xy.column", &[]);
    let weighed = maps
        .graph
        .node("Squeeze", &[&rows, &axis], "readout.xy.weighed", &[]);
    let xy = maps.covariance(&weighed, &down, &denominator, "xy")?;
    let all = [xx.as_str(), &xy, &xy, &yy];
    let flat = maps.graph.node("Concat", &all, "readout.covariance", &last);
    // -1: the batch.
    let shape = maps.graph.integers(&[-1, points as i64, 2, 2]);
    maps.graph
        .node("Reshape", &[&flat, &shape], covariance, &[]);
    Ok(())
}

struct Moments<'a> {
    graph: &'a mut Graph,
    heatmaps: &'a str,
    side: usize,
}

/// Heatmaps along one axis.
struct Axis {
    /// Sums over the other axis, `[batch, points, side]`.
    sums: String,
    /// The sum of the map and what it is divided by, `[batch, points, 1]`.
    total: String,
    divisor: String,
    /// `[batch, points, 1]`
    mean: String,
    /// Each pixel's place minus the mean, `[batch, points, side]`.
    from_mean: String,
}

impl Moments<'_> {
    /// Along `name`, summed over the axis `over`.
    fn along(&mut self, name: &str, over: i64) -> Result<Axis, OnnxError> {
        let side = self.side;
        let places: Vec<f32> = (0..side)
            .map(|i| 2.0 * i as f32 / (side.max(2) - 1) as f32 - 1.0)
            .collect();
        let places = self
            .graph
            .floats("readout.places", &[side], &places, Float::F32)?;
        let named = |what: &str| format!("readout.{name}.{what}");
        let axes = self.graph.integers(&[over]);
        let inputs = [self.heatmaps, &axes];
        let drop = [Attribute::Int("keepdims", 0)];
        let sums = self.graph.node("ReduceSum", &inputs, &named("sums"), &drop);
        let total = self.graph.sum(&sums, 2, &named("total"));
        let least = self.graph.number(MIN_SUM)?;
        let divisor = self
            .graph
            .node("Max", &[&total, &least], &named("divisor"), &[]);
        let weighed = self
            .graph
            .node("Mul", &[&sums, &places], &named("weighed"), &[]);
        let moment = self.graph.sum(&weighed, 2, &named("moment"));
        let mean = self
            .graph
            .node("Div", &[&moment, &divisor], &named("mean"), &[]);
        let from_mean = self
            .graph
            .node("Sub", &[&places, &mean], &named("from_mean"), &[]);
        Ok(Axis {
            sums,
            total,
            divisor,
            mean,
            from_mean,
        })
    }

    /// `V1 - V2 / V1` with `V1 = m + EPS` and `V2 = s + EPS`, m and s the sums of the normalised map and of its squares; expanded as in
    /// `star_loss`, so that a map of one pixel keeps its digits: `(m m - s + (2 m + EPS - 1) EPS) / V1`.
    fn denominator(&mut self, map: &Axis) -> Result<String, OnnxError> {
        let Axis { total, divisor, .. } = map;
        let graph = &mut *self.graph;
        let [eps, two, eps_less_one] = [EPS, 2.0, EPS - 1.0].map(|value| graph.number(value));
        let (eps, two, eps_less_one) = (eps?, two?, eps_less_one?);
        let squares = graph.node(
            "Mul",
            &[self.heatmaps, self.heatmaps],
            "readout.squares",
            &[],
        );
        let axes = graph.integers(&[3]);
        let drop = [Attribute::Int("keepdims", 0)];
        let rows = graph.node(
            "ReduceSum",
            &[&squares, &axes],
            "readout.squares.rows",
            &drop,
        );
        let squares = graph.sum(&rows, 2, "readout.squares.sum");
        let mut step = |operator: &str, x: &str, y: &str, name: &str| {
            let name = format!("readout.denominator.{name}");
            graph.node(operator, &[x, y], &name, &[])
        };
        let mass = step("Div", total, divisor, "mass");
        let divisor_squared = step("Mul", divisor, divisor, "divisor_squared");
        let squares = step("Div", &squares, &divisor_squared, "squares");
        let mass_squared = step("Mul", &mass, &mass, "mass_squared");
        let difference = step("Sub", &mass_squared, &squares, "difference");
        let rest = step("Mul", &mass, &two, "twice");
        let rest = step("Add", &rest, &eps_less_one, "rest");
        let rest = step("Mul", &rest, &eps, "rest_eps");
        let numerator = step("Add", &difference, &rest, "numerator");
        let v1 = step("Add", &mass, &eps, "v1");
        let value = step("Div", &numerator, &v1, "value");
        let floor = self.graph.number(MIN_DIVISOR)?;
        let size = self
            .graph
            .node("Abs", &[&value], "readout.denominator.size", &[]);
        let near = self
            .graph
            .node("Less", &[&size, &floor], "readout.denominator.near", &[]);
        let inputs = [near.as_str(), &floor, &value];
        Ok(self
            .graph
            .node("Where", &inputs, "readout.denominator", &[]))
    }

    /// Sums along an axis, each times its place from the mean.
    fn weighed(&mut self, axis: &Axis, name: &str) -> String {
        let inputs = [axis.sums.as_str(), &axis.from_mean];
        self.graph
            .node("Mul", &inputs, &format!("readout.{name}.weighed"), &[])
    }

    /// Of sums along an axis that are weighed once, each times its place from the mean: their sum over the denominator.
    fn covariance(
        &mut self,
        weighed: &str,
        along: &Axis,
        denominator: &str,
        name: &str,
    ) -> Result<String, OnnxError> {
        let named = |what: &str| format!("readout.{name}.{what}");
        let inputs = [weighed, &along.from_mean];
        let terms = self.graph.node("Mul", &inputs, &named("terms"), &[]);
        let sum = self.graph.sum(&terms, 2, &named("sum"));
        let moment = self
            .graph
            .node("Div", &[&sum, &along.divisor], &named("moment"), &[]);
        let value = self
            .graph
            .node("Div", &[&moment, denominator], &named("value"), &[]);
        let low = self.graph.number(-MAX_COVARIANCE)?;
        let high = self.graph.number(MAX_COVARIANCE)?;
        Ok(self
            .graph
            .node("Clip", &[&value, &low, &high], &named("within"), &[]))
    }
}
