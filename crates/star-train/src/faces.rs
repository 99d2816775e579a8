//! The faces of a recipe: what it trains on, what selects the best weights, what is tested once at the end.

use std::{path::Path, sync::Arc};

use star_data::{FaceSource, HoldOut, Layout, Subset, TsvFaces, split_held_out};
use star_synth::{SynthConfig, SynthFaces};

use star_eval::evaluate::EvalSet;

use crate::{
    error::TrainError,
    recipe::{DataSource, Recipe, Selection},
};

/// Added to the recipe's seed for the synthetic test set, so that training never draws a test face.
const TEST_SEED: u64 = 0x7e57;

/// The sets of one run.
pub struct Faces {
    /// The faces to train on.
    pub train: Arc<dyn FaceSource>,
    /// Selects the best weights.
    pub selection: EvalSet,
    /// Touched once, after training.
    pub test: Option<EvalSet>,
}

impl Faces {
    /// Opens what a recipe names.
    ///
    /// # Errors
    /// Files that are missing or cannot be read; too few faces to hold any out.
    pub fn open(recipe: &Recipe, layout: &Layout) -> Result<Self, TrainError> {
        let (all, test) = match recipe.data.source {
            DataSource::Tsv => open_tsv(recipe, layout)?,
            DataSource::Synth => open_synth(recipe, layout)?,
        };
        let (train, selection): (Arc<dyn FaceSource>, EvalSet) = match recipe.train.selection {
            Selection::HeldOut => {
                let (train, held_out) = split_held_out(
                    &all.groups()?,
                    HoldOut::Fraction(recipe.data.held_out),
                    recipe.seed,
                )?;
                let selection = EvalSet {
                    title: format!("{} held-out", recipe.name),
                    faces: Arc::new(Subset::new(all.clone(), held_out)?),
                };
                (Arc::new(Subset::new(all, train)?), selection)
            }
            Selection::Test => {
                let selection = test.clone().ok_or_else(|| {
                    TrainError::Recipe("train.selection = \"test\" needs a test set".into())
                })?;
                (all, selection)
            }
        };
        Ok(Self {
            train,
            selection,
            test,
        })
    }
}

type TrainAndTest = (Arc<dyn FaceSource>, Option<EvalSet>);

fn open_tsv(recipe: &Recipe, layout: &Layout) -> Result<TrainAndTest, TrainError> {
    let data = &recipe.data;
    must_exist("data.train", &data.train)?;
    let train = TsvFaces::open(&data.train, &data.images, layout.clone())?;
    let test = if data.test.as_os_str().is_empty() {
        None
    } else {
        must_exist("data.test", &data.test)?;
        let stem = data
            .test
            .file_stem()
            .map_or_else(|| "test".into(), |s| s.to_string_lossy());
        Some(EvalSet {
            title: format!("{} {stem}", recipe.name),
            faces: Arc::new(TsvFaces::open(&data.test, &data.images, layout.clone())?),
        })
    };
    Ok((Arc::new(train), test))
}

/// A built-in recipe names files that somebody has to make first.
fn must_exist(key: &str, path: &Path) -> Result<(), TrainError> {
    if path.exists() {
        return Ok(());
    }
    Err(TrainError::Recipe(format!(
        "{key} = \"{}\": there is no such file. `star prepare --help` says how annotation files are made of a dataset; name one of your \
         own with --set {key}=FILE.",
        path.display()
    )))
}

fn open_synth(recipe: &Recipe, layout: &Layout) -> Result<TrainAndTest, TrainError> {
    let data = &recipe.data;
    let train = SynthFaces::new(data.synth.clone(), layout.clone())?;
    let test = if data.synth_test_faces == 0 {
        None
    } else {
        let config = SynthConfig {
            faces: data.synth_test_faces,
            seed: data.synth.seed.wrapping_add(TEST_SEED),
            ..data.synth.clone()
        };
        Some(EvalSet {
            title: format!("{} test", recipe.name),
            faces: Arc::new(SynthFaces::new(config, layout.clone())?),
        })
    };
    Ok((Arc::new(train), test))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        path::{Path, PathBuf},
    };

    use star_data::{CropBox, Point, TsvRow, tsv::write_tsv};

    use super::*;

    /// Gone at the end.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// An annotation file of faces by image and group; the images are only looked at.
    fn annotate(folder: &Path, faces: &[(usize, Option<usize>)]) -> Recipe {
        let layout = Layout::builtin("cofw29").expect("built in");
        let rows: Vec<TsvRow> = (faces.iter())
            .map(|(image, group)| TsvRow {
                path: format!("{image}.png"),
                landmarks: vec![Point::new(1.0, 2.0); layout.points],
                crop: CropBox {
                    scale: 1.0,
                    center: Point::new(1.0, 2.0),
                },
                tags: None,
                occluded: None,
                group: group.map(|g| format!("group {g}")),
                line: 0,
            })
            .collect();
        for row in &rows {
            std::fs::write(folder.join(&row.path), &row.path).expect("an image");
        }
        write_tsv(&folder.join("train.tsv"), &rows).expect("written");
        let mut recipe = Recipe::default();
        recipe.data.train = folder.join("train.tsv");
        recipe.data.images = folder.to_path_buf();
        recipe.data.held_out = 0.3;
        recipe
    }

    fn names(faces: &dyn FaceSource) -> BTreeSet<String> {
        (0..faces.len()).map(|i| faces.name(i)).collect()
    }

    #[test]
    fn no_image_and_no_group_is_both_trained_on_and_held_out() {
        let folder = std::env::temp_dir().join(format!("star-faces-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let folder = Folder(folder);
        let layout = Layout::builtin("cofw29").expect("built in");
        // 20 images of three faces each; then image i in group i / 5.
        let by_image: Vec<_> = (0..60).map(|i| (i % 20, None)).collect();
        let by_group: Vec<_> = (0..20).map(|i| (i, Some(i / 5))).collect();
        for seed in 0..5 {
            let recipe = Recipe {
                seed,
                ..annotate(&folder.0, &by_image)
            };
            let faces = Faces::open(&recipe, &layout).expect("faces");
            let held_out = names(&*faces.selection.faces);
            assert!(names(&*faces.train).is_disjoint(&held_out), "seed {seed}");
            assert_eq!((held_out.len(), faces.selection.faces.len()), (6, 18));

            let recipe = Recipe {
                seed,
                ..annotate(&folder.0, &by_group)
            };
            let faces = Faces::open(&recipe, &layout).expect("faces");
            let held_out = names(&*faces.selection.faces);
            // One of four groups.
            assert_eq!(held_out.len(), 5);
            let group = |name: &String| {
                name.trim_end_matches(".png")
                    .parse::<usize>()
                    .map(|i| i / 5)
                    .ok()
            };
            assert_eq!(held_out.iter().map(group).collect::<BTreeSet<_>>().len(), 1);
        }
    }
}
