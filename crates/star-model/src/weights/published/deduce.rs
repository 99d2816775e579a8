//! What network a state dictionary is of: the shapes of its tensors say it all but the input size.

use std::collections::HashMap;

use super::Source;
use crate::config::{MAX_COUNT, StarNetConfig};
use crate::stem::image_channels;
use crate::weights::budget::Budget;
use crate::weights::malformed::Malformed;

/// The configuration of the network that has these tensors, checked: every number is one that a network can have, and the edges
/// are no more than the file's numbers.
pub(super) fn deduce<'a, S: Source<'a>>(
    source: &S,
    tensors: &HashMap<&str, S::Tensor>,
    budget: &mut Budget,
) -> Result<StarNetConfig, Malformed> {
    let shape = |name: &str| match tensors.get(name) {
        Some(&tensor) => match source.describe(tensor).shape[..] {
            [output, input, _, _] => Ok((output, input)),
            _ => Err(Malformed(format!("`{name}` is no convolution's weight"))),
        },
        None => Err(Malformed(format!(
            "it has no `{name}`, so it is another network's"
        ))),
    };
    let (points, channels) = shape("out_heatmaps.0.conv.weight")?;
    let (stem, image) = shape("pre.0.conv.weight")?;
    let coord = match image {
        with if with == image_channels(true) => true,
        without if without == image_channels(false) => false,
        other => {
            return Err(Malformed(format!(
                "its first convolution sees {other} channels"
            )));
        }
    };
    let stack = |name: &&str| {
        name.strip_prefix("out_heatmaps.")?
            .split('.')
            .next()?
            .parse::<usize>()
            .ok()
    };
    let last = tensors.keys().filter_map(stack).max().unwrap_or(0);
    let aam = tensors.contains_key(E2H);
    let config = StarNetConfig::new(points, Vec::new())
        .with_stacks(last.saturating_add(1))
        .with_channels(channels)
        .with_stem(stem)
        .with_coord(coord)
        .with_aam(false);
    let sensible = |config: &StarNetConfig| {
        config
            .validate()
            .map_err(|error| Malformed(format!("its tensors make no network ({error})")))
    };
    sensible(&config)?;
    if !aam {
        return Ok(config);
    }

    const MAPS: &str = "out_edgemaps.0.conv.weight";
    let (e2h_points, edges) = shape(E2H)?;
    let (maps, _) = shape(MAPS)?;
    if !(1..=MAX_COUNT).contains(&edges) {
        return Err(Malformed(format!(
            "`{E2H}` is of {edges} edges; a network has 1 to {MAX_COUNT}"
        )));
    }
    if e2h_points != points || edges != maps {
        return Err(Malformed(format!(
            "`{E2H}` is of {e2h_points} points and {edges} edges, `{MAPS}` of {maps} edges, and the heatmaps are of {points} points"
        )));
    }
    let e2h = [points, edges, 1, 1];
    if let Some(found) = tensors
        .get(E2H)
        .map(|&weight| source.describe(weight).shape)
        && found != e2h
    {
        return Err(Malformed(format!(
            "`{E2H}` is of shape {found:?} instead of {e2h:?}"
        )));
    }
    let edges = edges_of(source, tensors, edges, budget)?;
    let config = StarNetConfig { edges, ..config }.with_aam(true);
    sensible(&config)?;
    Ok(config)
}

const E2H: &str = "e2h_transform.weight";

/// The points on each edge, from the weight `[points, edges, 1, 1]`.
fn edges_of<'a, S: Source<'a>>(
    source: &S,
    tensors: &HashMap<&str, S::Tensor>,
    edges: usize,
    budget: &mut Budget,
) -> Result<Vec<Vec<usize>>, Malformed> {
    let Some(&weight) = tensors.get(E2H) else {
        return Ok(Vec::new());
    };
    let weight = source.numbers(E2H, weight, budget)?;
    let nonzero = || {
        let numbers = weight.iter::<f32>().enumerate();
        let numbers = numbers.filter(|(_, value)| *value != 0.0);
        numbers.map(|(at, _)| (at / edges, at % edges))
    };
    budget.charge(edges, size_of::<Vec<usize>>() + size_of::<usize>())?;
    let mut counts = vec![0; edges];
    for (_, edge) in nonzero() {
        counts[edge] += 1;
    }
    budget.charge(counts.iter().sum(), size_of::<usize>())?;
    let mut points: Vec<Vec<usize>> = counts.into_iter().map(Vec::with_capacity).collect();
    for (point, edge) in nonzero() {
        points[edge].push(point);
    }
    Ok(points)
}
