//! Landmarks from nothing but the photo: NME with detected boxes beside NME with the annotated ones.
//!
//! cargo run --release -p star-train --example detector_nme -- WEIGHTS TSV IMAGES

use std::sync::Arc;

use burn::backend::Flex;
use star_data::{CropRule, FaceSource, TsvFaces};
use star_train::{
    EvalOptions, EvalSet, Silent,
    detect::{Recropped, SeetaFace, crops_for_faces, crops_of_predictions},
    predict_set, read_weights, score,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [weights, tsv, images] = &args[..] else {
        return Err(
            "give the weights, the TSV of the faces and the folder of their pictures".into(),
        );
    };
    let device = Default::default();
    let trained = read_weights::<Flex>(weights.as_ref(), &device)?;
    let all: Arc<dyn FaceSource> = Arc::new(TsvFaces::open(tsv, images, trained.layout.clone())?);
    let options = EvalOptions {
        input_size: trained.config.input_size,
        batch_size: 16,
        workers: 2,
        norm: String::new(),
        threshold: 0.0,
    };
    let rule = CropRule::default();

    let crops = crops_for_faces(&SeetaFace::new()?, all.as_ref(), &rule)?;
    let found = Recropped::new(all.clone(), &crops);
    let share = 100.0 * found.len() as f64 / all.len() as f64;
    println!(
        "{} of {} faces found ({share:.1} %)\n",
        found.len(),
        all.len()
    );
    println!("| boxes | passes | faces | NME | FR | AUC |\n|---|---|---|---|---|---|");
    let own = found.with_own_crops()?;
    let cases: [(&str, Arc<dyn FaceSource>); 3] = [
        ("annotated, all faces", all),
        ("annotated, faces found", Arc::new(own)),
        ("detected", Arc::new(found)),
    ];
    for (name, source) in cases {
        let mut faces = source.clone();
        for pass in 1..=3 {
            let set = EvalSet {
                title: name.into(),
                faces: faces.clone(),
            };
            let predicted = predict_set(&trained.net, &set, &options, &device, &mut Silent)?;
            let figures = score(name, &predicted, &set, &options)?;
            println!(
                "| {name} | {pass} | {} | {:.2} % | {:.1} % | {:.3} |",
                figures.faces,
                100.0 * figures.nme,
                100.0 * figures.fr,
                figures.auc
            );
            let again = crops_of_predictions(&predicted, source.len(), &rule);
            faces = Arc::new(Recropped::new(source.clone(), &again));
        }
    }
    Ok(())
}
