//! `model.init` of another network: what fits is taken, the rest begins anew.
//!
//! The stem and the hourglasses do not know of landmarks. The heads have a channel for each point or edge: those of points and edges that
//! both layouts have are taken, by their names or by `model.init_points`.

use std::collections::HashMap;

use burn::tensor::{TensorData, backend::Backend};
use star_data::Layout;
use star_infer::weights_file::TrainedNet;
use star_model::{StarNet, load_named, named_tensors};

use crate::{error::TrainError, recipe::ModelRecipe};

/// What each channel of a tensor's first or second dimension stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channels {
    /// Features: the same number in both networks, or the tensor is new.
    Features,
    Points,
    Edges,
}

/// Output and input channels of a tensor; None for those that are constants of the layout.
fn channels(name: &str) -> Option<[Channels; 2]> {
    use Channels::{Edges, Features, Points};
    Some(match name.split('.').next().unwrap_or_default() {
        "out_heatmaps" | "out_pointmaps" => [Points, Features],
        "out_edgemaps" => [Edges, Features],
        // The bias of a projection is one of features.
        "merge_heatmaps" | "merge_pointmaps" => [Features, Points],
        "merge_edgemaps" => [Features, Edges],
        "e2h_transform" => return None,
        _ => [Features, Features],
    })
}

/// Puts the weights of `old` into a fresh network; returns with it what was taken, in words.
///
/// # Errors
/// A backbone of another width, which leaves nothing to take; `model.init_points` that names points that are not there.
pub(crate) fn transfer<B: Backend>(
    fresh: StarNet<B>,
    layout: &Layout,
    old: &TrainedNet<B>,
    recipe: &ModelRecipe,
) -> Result<(StarNet<B>, String), TrainError> {
    let file = recipe.init.display();
    let (new, was) = (fresh.config(), &old.config);
    for (key, here, there) in [
        (
            "channels",
            new.channels.to_string(),
            was.channels.to_string(),
        ),
        ("stem", new.stem.to_string(), was.stem.to_string()),
        ("coord", new.coord.to_string(), was.coord.to_string()),
    ] {
        if here != there {
            return Err(TrainError::Recipe(format!(
                "model.init: the network of {file} has model.{key} = {there}, not {here}, so that nothing of it fits; set it to {there}"
            )));
        }
    }
    let points = point_map(layout, &old.layout, &recipe.init_points)?;
    let edges = edge_map(layout, &old.layout);
    let old_tensors: HashMap<String, TensorData> = named_tensors(&old.net).into_iter().collect();
    let (mut taken, mut all) = (0, 0);
    let mut anew: Vec<String> = Vec::new();
    let mut tensors = HashMap::new();
    for (name, data) in named_tensors(&fresh) {
        let Some(kind) = channels(&name) else {
            tensors.insert(name, data);
            continue;
        };
        all += data.num_elements();
        let maps = kind.map(|kind| match kind {
            Channels::Features => None,
            Channels::Points => Some(&points[..]),
            Channels::Edges => Some(&edges[..]),
        });
        let (data, count) = match old_tensors.get(&name) {
            Some(from) => filled(data, from, maps),
            None => (data, 0),
        };
        taken += count;
        let block = name.split('.').take(2).collect::<Vec<_>>().join(".");
        if count == 0 && !anew.contains(&block) {
            anew.push(block);
        }
        tensors.insert(name, data);
    }
    let known = points.iter().flatten().count();
    let mut text = format!(
        "model.init: {taken} of {all} numbers of {file} taken; {known} of {} points",
        layout.points
    );
    if !layout.edges.is_empty() {
        text += &format!(
            " and {} of {} edges",
            edges.iter().flatten().count(),
            layout.edges.len()
        );
    }
    text += " are known there";
    if !anew.is_empty() {
        text += &format!("; new: {}", anew.join(", "));
    }
    Ok((load_named(fresh, tensors)?, text))
}

/// `fresh` with the channels that both tensors have taken from `from`, and how many numbers these are.
fn filled(
    fresh: TensorData,
    from: &TensorData,
    maps: [Option<&[Option<usize>]>; 2],
) -> (TensorData, usize) {
    let (to, of) = (fresh.shape.clone(), from.shape.clone());
    let dim = |shape: &[usize], i: usize| shape.get(i).copied().unwrap_or(1);
    let rest = |shape: &[usize]| shape.iter().skip(2).copied().collect::<Vec<_>>();
    let fits = |i: usize| maps[i].is_some() || dim(&to, i) == dim(&of, i);
    let same_kind = to.len() == of.len() && rest(&to) == rest(&of);
    // A bias has no input channels to be mapped.
    let has_inputs = to.len() > 1;
    if !same_kind || !fits(0) || (has_inputs && !fits(1)) {
        return (fresh, 0);
    }
    let (Ok(mut values), Ok(old)) = (fresh.to_vec::<f32>(), from.to_vec::<f32>()) else {
        return (fresh, 0);
    };
    let place = |i: usize, k: usize| match maps[i] {
        Some(map) => map.get(k).copied().flatten(),
        None => Some(k),
    };
    let (inputs, old_inputs) = (dim(&to, 1), dim(&of, 1));
    let pixels: usize = rest(&to).iter().product();
    let mut count = 0;
    for row in 0..dim(&to, 0) {
        let Some(old_row) = place(0, row) else {
            continue;
        };
        for column in 0..inputs {
            let old_column = if has_inputs {
                place(1, column)
            } else {
                Some(0)
            };
            let Some(old_column) = old_column else {
                continue;
            };
            let here = (row * inputs + column) * pixels;
            let there = (old_row * old_inputs + old_column) * pixels;
            let source = old.get(there..there + pixels);
            if let (Some(target), Some(source)) = (values.get_mut(here..here + pixels), source) {
                target.copy_from_slice(source);
                count += pixels;
            }
        }
    }
    (TensorData::new(values, to), count)
}

/// For each point of `layout` the one of `old` that it is.
fn point_map(
    layout: &Layout,
    old: &Layout,
    pairs: &[Vec<usize>],
) -> Result<Vec<Option<usize>>, TrainError> {
    let mut map = vec![None; layout.points];
    if pairs.is_empty() {
        if layout.names.is_empty() && layout.name == old.name && layout.points == old.points {
            return Ok((0..layout.points).map(Some).collect());
        }
        for (place, name) in map.iter_mut().zip(&layout.names) {
            *place = old.names.iter().position(|n| n == name);
        }
        return Ok(map);
    }
    let refuse = |message: String| Err(TrainError::Recipe(format!("model.init_points: {message}")));
    for pair in pairs {
        let [own, theirs] = pair[..] else {
            return refuse(format!(
                "{pair:?} is no pair; each has a point of the recipe's layout and one of the file's, such as [0, 36]"
            ));
        };
        if own >= layout.points || theirs >= old.points {
            return refuse(format!(
                "[{own}, {theirs}]: layout {} has points 0 to {}, and {} of model.init 0 to {}",
                layout.name,
                layout.points - 1,
                old.name,
                old.points - 1
            ));
        }
        if map[own].is_some() {
            return refuse(format!("point {own} is in two pairs"));
        }
        map[own] = Some(theirs);
    }
    Ok(map)
}

/// For each edge of `layout` the one of `old` of the same name.
fn edge_map(layout: &Layout, old: &Layout) -> Vec<Option<usize>> {
    let place = |name: &str| old.edges.iter().position(|edge| edge.name == name);
    layout.edges.iter().map(|edge| place(&edge.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn data(values: &[f32], shape: &[usize]) -> TensorData {
        TensorData::new(values.to_vec(), shape.to_vec())
    }

    fn layout(names: &str, points: usize) -> Layout {
        let text = format!(
            "name = \"l{points}\"\npoints = {points}\n{names}\nthreshold = 0.1\nflip_offset = 1\nmirror = []\ndefault_norm = \"n\"\n\
             norms = {{ n = {{ left = [0], right = [1] }} }}"
        );
        Layout::from_toml_str(&text, Path::new("l")).unwrap()
    }

    #[test]
    fn channels_are_taken_by_their_map() {
        let old = data(&[1., 2., 3., 4., 5., 6.], &[3, 2, 1, 1]);
        let rows = [Some(2), None];
        let (found, count) = filled(data(&[0.; 4], &[2, 2, 1, 1]), &old, [Some(&rows), None]);
        assert_eq!(found.to_vec::<f32>().unwrap(), [5., 6., 0., 0.]);
        assert_eq!(count, 2);
        let columns = [None, Some(1), Some(0)];
        let (found, count) = filled(data(&[0.; 9], &[3, 3, 1, 1]), &old, [None, Some(&columns)]);
        assert_eq!(
            found.to_vec::<f32>().unwrap(),
            [0., 2., 1., 0., 4., 3., 0., 6., 5.]
        );
        assert_eq!(count, 6);
        // Biases; other kernels; other features.
        let (found, _) = filled(
            data(&[0.; 2], &[2]),
            &data(&[7., 8., 9.], &[3]),
            [Some(&rows), None],
        );
        assert_eq!(found.to_vec::<f32>().unwrap(), [9., 0.]);
        let kernel = data(&[0.; 9], &[1, 1, 3, 3]);
        assert_eq!(
            filled(kernel.clone(), &data(&[1.], &[1, 1, 1, 1]), [None, None]),
            (kernel.clone(), 0)
        );
        assert_eq!(
            filled(
                kernel.clone(),
                &data(&[1.; 18], &[2, 1, 3, 3]),
                [None, None]
            ),
            (kernel, 0)
        );
        let bias = data(&[0., 0.], &[2]);
        assert_eq!(
            filled(bias, &data(&[1., 2.], &[2]), [None, Some(&columns)]).1,
            2
        );
    }

    #[test]
    fn points_are_known_by_name_or_by_pairs() {
        let named = |names: &str, n| layout(&format!("names = [{names}]"), n);
        let old = named("\"a\", \"b\", \"c\"", 3);
        let new = named("\"c\", \"x\", \"a\", \"y\"", 4);
        let map = |pairs: &[Vec<usize>]| point_map(&new, &old, pairs);
        assert_eq!(map(&[]).unwrap(), [Some(2), None, Some(0), None]);
        assert_eq!(map(&[vec![3, 1]]).unwrap(), [None, None, None, Some(1)]);
        for (pairs, part) in [
            (vec![vec![1]], "is no pair"),
            (vec![vec![4, 0]], "has points 0 to 3"),
            (vec![vec![0, 3]], "0 to 2"),
            (vec![vec![0, 1], vec![0, 2]], "in two pairs"),
        ] {
            let message = map(&pairs).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let plain = layout("", 3);
        assert_eq!(
            point_map(&plain, &plain, &[]).unwrap(),
            [Some(0), Some(1), Some(2)]
        );
        let other = layout("", 4);
        assert_eq!(point_map(&other, &old, &[]).unwrap(), [None; 4]);
    }

    /// A network of two stacks from one of one stack: the backbone, the points that both have and the edge of the same name.
    #[test]
    fn a_network_is_taken_as_far_as_it_fits() {
        type Flex = burn::backend::Flex;
        let edges = |layout: &mut Layout, names: &[&str]| {
            layout.edges = names
                .iter()
                .map(|name| star_data::Edge {
                    name: name.to_string(),
                    closed: false,
                    points: vec![0, 1],
                })
                .collect();
        };
        let mut old_layout = layout("names = [\"a\", \"b\", \"c\"]", 3);
        edges(&mut old_layout, &["jaw", "brow"]);
        let mut new_layout = layout("names = [\"c\", \"x\"]", 2);
        edges(&mut new_layout, &["nose", "brow", "mouth"]);
        let config = |layout: &Layout, stacks| star_model::StarNetConfig {
            points: layout.points,
            edges: layout.edge_points(),
            stacks,
            channels: 8,
            stem: 4,
            input_size: 64,
            coord: true,
            aam: true,
        };
        let device = Default::default();
        let net = |layout: &Layout, stacks, seed| {
            let net = config(layout, stacks).init::<Flex>(&device);
            crate::init::init_weights(net, seed).unwrap()
        };
        let old = TrainedNet {
            net: net(&old_layout, 1, 1),
            config: config(&old_layout, 1),
            layout: old_layout.clone(),
            crop: star_data::CropRule::default(),
            provenance: String::new(),
            covariance_scales: None,
        };
        let fresh = net(&new_layout, 2, 2);
        let before: HashMap<_, _> = named_tensors(&fresh).into_iter().collect();
        let recipe = ModelRecipe::default();
        let (found, told) = transfer(fresh.clone(), &new_layout, &old, &recipe).unwrap();
        assert!(told.contains("1 of 2 points and 1 of 3 edges"), "{told}");
        assert!(told.contains("merge_features.0"), "{told}");
        let after: HashMap<_, _> = named_tensors(&found).into_iter().collect();
        let theirs: HashMap<_, _> = named_tensors(&old.net).into_iter().collect();
        let values =
            |of: &HashMap<String, TensorData>, name: &str| of[name].to_vec::<f32>().unwrap();
        for (name, data) in &theirs {
            if channels(name) == Some([Channels::Features; 2]) {
                assert_eq!(&after[name], data, "{name}");
            }
        }
        for name in ["out_heatmaps.0.conv.weight", "out_pointmaps.0.conv.weight"] {
            let (new, own, old) = (
                values(&after, name),
                values(&before, name),
                values(&theirs, name),
            );
            assert_eq!(new[..8], old[16..], "c is there");
            assert_eq!(new[8..], own[8..], "x is not");
        }
        let name = "out_edgemaps.0.conv.bias";
        let brow = values(&theirs, name)[1];
        let own = values(&before, name);
        assert_eq!(values(&after, name), [own[0], brow, own[2]]);
        for name in ["e2h_transform.weight", "out_heatmaps.1.conv.weight"] {
            assert_eq!(after[name], before[name], "{name}");
        }

        let narrow = star_model::StarNetConfig {
            channels: 16,
            ..config(&new_layout, 1)
        };
        let refused = transfer(narrow.init::<Flex>(&device), &new_layout, &old, &recipe);
        let message = refused.err().unwrap().to_string();
        assert!(message.contains("model.channels = 8, not 16"), "{message}");
    }
}
