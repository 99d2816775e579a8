//! The images a run leaves behind.

use std::path::Path;

use star_data::Layout;

use star_draw::{ContactSheet, Figure, Panel, Scale, Series, SheetOptions, Tile, error_color};
use star_eval::{
    evaluate::{EvalSet, PredictedFace},
    metrics::nme,
};

use crate::{disk, epoch_record::EpochRecord, error::TrainError, recipe::Recipe};

/// Faces on a contact sheet.
const SHEET_FACES: usize = 24;
/// An error of this NME and above has the border of a failure.
const FAILURE: f64 = 0.1;

/// Error on the selection set, losses and learning rate by epoch, as an SVG.
///
/// # Errors
/// When the file cannot be written.
pub fn curves(recipe: &Recipe, history: &[EpochRecord], path: &Path) -> Result<(), TrainError> {
    let by_epoch = |value: &dyn Fn(&EpochRecord) -> Option<f64>| -> Vec<(f64, f64)> {
        history
            .iter()
            .filter_map(|r| Some((r.epoch as f64, value(r)?)))
            .collect()
    };
    let percent = |v: Option<f64>| v.map(|v| v * 100.0);
    let trained = |r: &EpochRecord, v: f64| (r.epoch > 0).then_some(v);

    let mut errors = vec![
        Series::new("raw weights", by_epoch(&|r| percent(r.nme))).faint(),
        Series::new("EMA weights", by_epoch(&|r| percent(r.nme_ema))).mark_lowest(),
    ];
    if history.iter().any(|r| r.nme_truth.is_some()) {
        errors.push(
            Series::new(
                "EMA, against the true landmarks",
                by_epoch(&|r| percent(r.nme_truth_ema)),
            )
            .dashed(),
        );
    }
    let figure = Figure {
        title: recipe.name.clone(),
        x_name: "epoch".into(),
        panels: vec![
            Panel::new(
                format!("NME on {}, %", recipe.selection_name()),
                Scale::Log,
                errors,
            ),
            Panel::new(
                "training loss (weighted sum)",
                Scale::Log,
                vec![Series::new("loss", by_epoch(&|r| trained(r, r.loss)))],
            ),
            Panel::new(
                "learning rate",
                Scale::Log,
                vec![Series::new("rate", by_epoch(&|r| trained(r, r.learning_rate))).steps()],
            ),
        ],
        marks: Vec::new(),
    };
    disk::write(path, figure.to_svg().as_bytes())
}

/// Faces spread evenly over a set, with their predicted points and, in the second colour, the true (or annotated) ones.
///
/// # Errors
/// A face that cannot be read again, or a file that cannot be written.
pub fn contact_sheet(
    set: &EvalSet,
    predicted: &[PredictedFace],
    path: &Path,
) -> Result<(), TrainError> {
    let layout: &Layout = set.faces.layout();
    let norm = layout.norm(None)?;
    let mut sheet = ContactSheet::new(SheetOptions::default());
    let count = predicted.len().min(SHEET_FACES);
    for i in 0..count {
        let face = &predicted[i * predicted.len() / count];
        let source = set.faces.face(face.index)?;
        let reference = face.truth.as_ref().unwrap_or(&face.annotated);
        sheet.push(&Tile {
            reference,
            edges: &layout.edges,
            border: Some(error_color(nme(&face.predicted, reference, norm), FAILURE)),
            ..Tile::new(&source.image, source.crop, &face.predicted)
        });
    }
    let image = sheet.render();
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| TrainError::Invalid(format!("{}: {e}", path.display())))?;
    disk::write(path, bytes.get_ref())
}
