//! The faces of an annotation file and the folder with its images.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{read::read_tsv, row::TsvRow};
use crate::{
    crop::CropRule,
    decode::decode_file,
    error::DataError,
    face::{Face, FaceSource},
    layout::Layout,
    published_subsets::published_subsets,
    together::together,
};

/// How many missing images a message names.
const NAMED: usize = 5;

/// What faces that belong together have in common.
#[derive(PartialEq, Eq, Hash)]
enum Shared<'a> {
    Path(&'a str),
    Content(u64),
    Group(&'a str),
}

/// The faces of an annotation file and the folder with its images.
#[derive(Clone, Debug)]
pub struct TsvFaces {
    layout: Layout,
    folder: PathBuf,
    rows: Vec<TsvRow>,
}

impl TsvFaces {
    /// Opens an annotation file and checks that every image is there.
    ///
    /// # Errors
    /// As [`read_tsv`](super::read_tsv); also when images are missing: the message counts them and names the first few.
    pub fn open(
        tsv: impl AsRef<Path>,
        image_dir: impl AsRef<Path>,
        layout: Layout,
    ) -> Result<Self, DataError> {
        let (tsv, folder) = (tsv.as_ref(), image_dir.as_ref());
        let rows = read_tsv(tsv, &layout)?;
        let missing: Vec<&TsvRow> = (rows.iter())
            .filter(|row| !folder.join(&row.path).is_file())
            .collect();
        if let Some(first) = missing.first() {
            let named: Vec<_> = missing
                .iter()
                .take(NAMED)
                .map(|row| row.path.as_str())
                .collect();
            let more = if missing.len() > NAMED { ", ..." } else { "" };
            return Err(DataError::Parse {
                path: tsv.to_path_buf(),
                line: first.line,
                message: format!(
                    "{} of {} images are not in {}: {}{more}; is this the folder that the annotation file's paths start from?",
                    missing.len(),
                    rows.len(),
                    folder.display(),
                    named.join(", ")
                ),
            });
        }
        Ok(Self {
            layout,
            folder: folder.to_path_buf(),
            rows,
        })
    }

    /// The lines of the annotation file.
    pub fn rows(&self) -> &[TsvRow] {
        &self.rows
    }

    /// The content of images that could be there under two names, as a hash by path: of those whose files are of one size. The other
    /// files are not read.
    fn contents(&self) -> Result<HashMap<&str, u64>, DataError> {
        let mut by_size: HashMap<u64, Vec<&str>> = HashMap::new();
        let mut seen = HashSet::new();
        for row in self.rows.iter().filter(|row| seen.insert(&row.path)) {
            let file = self.folder.join(&row.path);
            let size = file.metadata().map_err(|e| DataError::io(&file, e))?.len();
            by_size.entry(size).or_default().push(&row.path);
        }
        let same_size: Vec<&str> = (by_size.into_values())
            .filter(|paths| paths.len() > 1)
            .flatten()
            .collect();
        (same_size.into_par_iter())
            .map(|path| {
                let file = self.folder.join(path);
                let bytes = star_files::read_file(&file, star_files::IMAGE)
                    .map_err(|e| DataError::io(&file, e))?;
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                Ok((path, hasher.finish()))
            })
            .collect()
    }

    fn row(&self, index: usize) -> Result<&TsvRow, DataError> {
        self.rows.get(index).ok_or_else(|| {
            DataError::Invalid(format!(
                "there is no face {index} in a list of {}",
                self.rows.len()
            ))
        })
    }
}

impl FaceSource for TsvFaces {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn name(&self, index: usize) -> String {
        self.rows
            .get(index)
            .map_or_else(|| format!("face {index}"), |row| row.path.clone())
    }

    fn hidden(&self, index: usize) -> Option<Vec<bool>> {
        self.rows.get(index)?.occluded.clone()
    }

    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        published_subsets(&self.rows, &self.layout)
    }

    /// By image, also where it is there under two names, and by the annotation file's groups.
    fn groups(&self) -> Result<Vec<usize>, DataError> {
        let contents = self.contents()?;
        Ok(together(self.rows.iter().map(|row| {
            let content = contents.get(row.path.as_str()).copied();
            let group = row.group.as_deref();
            [
                Some(Shared::Path(&row.path)),
                content.map(Shared::Content),
                group.map(Shared::Group),
            ]
            .into_iter()
            .flatten()
        })))
    }

    /// The longer side, and the median of the crops' widths over it.
    fn crop_rule(&self) -> CropRule {
        let side = CropRule::PUBLISHED;
        let mut margins: Vec<f64> = (self.rows.iter())
            .filter_map(|row| {
                Some(row.crop.scale / side.crop_of_points(&row.landmarks).ok()?.scale)
            })
            .collect();
        margins.sort_by(f64::total_cmp);
        match margins.get(margins.len() / 2) {
            // Three digits: annotation files are rounded, and the rule is for people too.
            Some(margin) => CropRule {
                margin: (margin * 1000.0).round() / 1000.0,
                ..side
            },
            None => CropRule::default(),
        }
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        let row = self.row(index)?;
        Ok(Face {
            name: row.path.clone(),
            image: decode_file(&self.folder.join(&row.path))?,
            landmarks: row.landmarks.clone(),
            truth: None,
            crop: row.crop,
        })
    }
}
