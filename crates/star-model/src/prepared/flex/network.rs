//! The whole network, one face at a time.

use burn::{backend::Flex, tensor::Tensor};
use rayon::prelude::*;

use super::{
    block::Block,
    heads::{Face, Heads, Merge},
    hourglass::{CoordConv, Hourglass, Level, Lit},
    memory::{Buffer, Memory},
    pointwise::Pointwise,
    product::{Add, Panels},
    stem::{Stem, StemConv},
    weights::{Folded, block, numbers, pointwise},
};
use crate::{
    conv_block::ConvBlock, coord::COORD_CHANNELS, heads::Aam,
    hourglass::Hourglass as HourglassModule, net::StarNet, stem::Stem as StemModule,
};

/// A network whose weights are laid out for its products.
#[derive(Debug)]
pub struct Network {
    stem: Stem,
    stacks: Vec<Stack>,
    /// From edge maps to what each point's heatmap is multiplied by.
    edges: Option<Panels>,
    memory: Memory,
}

#[derive(Debug)]
struct Stack {
    hourglass: Hourglass,
    block: Block,
    heads: Heads,
}

impl Network {
    /// `None` where the numbers are not `f32`. An hourglass's weights are let go when they are laid out, so that memory need not hold all of
    /// them twice.
    pub fn of(mut net: StarNet<Flex>) -> Option<Self> {
        let side = net.config().heatmap_size();
        let mut stacks = Vec::new();
        for i in (0..net.hgs.len()).rev() {
            stacks.push(stack(&net, i, side)?);
            net.hgs.truncate(i);
        }
        stacks.reverse();
        Some(Self {
            stem: stem(&net.stem, side)?,
            stacks,
            edges: match &net.aam {
                Some(aam) => Some(edges(aam)?),
                None => None,
            },
            memory: Memory::default(),
        })
    }

    /// Images `[faces, 3, height, width]`, each by itself, so that a face is computed alike in any batch.
    pub fn run(&self, images: &[f32], size: [usize; 2]) -> Vec<Face> {
        let faces = images.par_chunks_exact(3 * size[0] * size[1]);
        faces.map(|image| self.face(image, size)).collect()
    }

    fn face(&self, image: &[f32], size: [usize; 2]) -> Face {
        let memory = &self.memory;
        let (mut x, size) = self.stem.run(image, size, memory);
        let mut previous = None;
        for Stack {
            hourglass,
            block,
            heads,
        } in &self.stacks
        {
            let lit = previous.as_ref().map(|maps: &Buffer| Lit {
                maps,
                stride: heads.maps.outputs,
                last: heads.points - 1,
            });
            let y = hourglass.run(&x, size, lit, memory);
            let mut features = memory.take(y.len());
            block.run(&y, size, &mut features, memory);
            let mut y = y;
            heads.features.run(&features, &mut y, Add::Nothing, memory);
            let maps = heads.maps(&y, memory);
            heads.merge(&y, &maps, &mut x);
            previous = Some(maps);
        }
        match (previous, self.stacks.last()) {
            (Some(maps), Some(last)) => last.heads.face(&maps, size, self.edges.as_ref(), memory),
            _ => Face::default(),
        }
    }
}

fn stem(stem: &StemModule<Flex>, side: usize) -> Option<Stem> {
    Some(Stem {
        conv: StemConv::new(&Folded::of_block(&stem.conv)?, 4 * side),
        block1: block(&stem.block1, 4 * side * side)?,
        block2: block(&stem.block2, side * side)?,
        block3: block(&stem.block3, side * side)?,
    })
}

fn stack(net: &StarNet<Flex>, i: usize, side: usize) -> Option<Stack> {
    let features = &net.features[i];
    let blocks: Vec<&ConvBlock<Flex>> = match &net.aam {
        None => vec![&net.out_heatmaps[i]],
        Some(aam) => vec![
            &net.out_heatmaps[i],
            &aam.out_pointmaps[i],
            &aam.out_edgemaps[i],
        ],
    };
    let maps = blocks.into_iter().map(Folded::of_block);
    let merge = match net.merge_features.get(i) {
        None => None,
        Some(features) => {
            let mut maps = vec![&net.merge_heatmaps[i]];
            if let Some(aam) = &net.aam {
                maps.extend([&aam.merge_pointmaps[i], &aam.merge_edgemaps[i]]);
            }
            let maps = maps.into_iter().map(Folded::of_block);
            Some(Merge {
                features: Folded::of_block(features)?.panels(),
                maps: side_by_side(&maps.collect::<Option<Vec<_>>>()?),
            })
        }
    };
    Some(Stack {
        hourglass: hourglass(&net.hgs[i], side)?,
        block: block(&features.block, side * side)?,
        heads: Heads {
            features: pointwise(&features.conv)?,
            maps: on_top(&maps.collect::<Option<Vec<_>>>()?),
            points: net.config().points,
            merge,
        },
    })
}

fn hourglass(hourglass: &HourglassModule<Flex>, side: usize) -> Option<Hourglass> {
    let levels = (hourglass.levels.iter().enumerate()).map(|(i, level)| {
        let (large, small) = (side >> i, side >> (i + 1));
        Some(Level {
            up1: block(&level.up1, large * large)?,
            low1: block(&level.low1, small * small)?,
            low3: block(&level.low3, small * small)?,
        })
    });
    let smallest = side >> hourglass.levels.len();
    Some(Hourglass {
        coords: match &hourglass.coordconv {
            Some(conv) => Some(coord_conv(conv)?),
            None => None,
        },
        levels: levels.collect::<Option<_>>()?,
        innermost: block(&hourglass.innermost, smallest * smallest)?,
    })
}

fn coord_conv(conv: &ConvBlock<Flex>) -> Option<CoordConv> {
    let folded = Folded::of_block(conv)?;
    // As many features out as in; the rest are coordinates.
    let features = folded.outputs;
    let coords = folded.inputs - features;
    debug_assert!(coords >= COORD_CHANNELS);
    Some(CoordConv {
        features: Pointwise {
            norm_relu: None,
            panels: Panels::new(
                [features, features],
                |m, k| folded.weight(m, k, 0),
                |m| folded.bias[m],
            ),
            relu: false,
        },
        coords: Panels::new(
            [features, coords],
            |m, k| folded.weight(m, features + k, 0),
            |_| 0.0,
        ),
    })
}

/// Convolutions of the same input as one.
fn on_top(all: &[Folded]) -> Panels {
    let of: Vec<(&Folded, usize)> = all
        .iter()
        .flat_map(|f| (0..f.outputs).map(move |m| (f, m)))
        .collect();
    let inputs = all.first().map_or(0, |f| f.inputs);
    Panels::new(
        [of.len(), inputs],
        |m, k| of[m].0.weight(of[m].1, k, 0),
        |m| of[m].0.bias[of[m].1],
    )
}

/// Convolutions whose outputs are added as one.
fn side_by_side(all: &[Folded]) -> Panels {
    let of: Vec<(&Folded, usize)> = all
        .iter()
        .flat_map(|f| (0..f.inputs).map(move |k| (f, k)))
        .collect();
    let outputs = all.first().map_or(0, |f| f.outputs);
    Panels::new(
        [outputs, of.len()],
        |m, k| of[k].0.weight(m, of[k].1, 0),
        |m| all.iter().map(|f| f.bias[m]).sum(),
    )
}

fn edges(aam: &Aam<Flex>) -> Option<Panels> {
    let weight: Tensor<Flex, 4> = aam.e2h_transform.weight.value();
    let [points, edges, ..] = weight.dims();
    let (weight, bias) = (numbers(&weight)?, numbers(&aam.e2h_transform.bias.value())?);
    Some(Panels::new(
        [points, edges],
        |m, k| weight[m * edges + k],
        |m| bias[m],
    ))
}
