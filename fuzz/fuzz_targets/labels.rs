//! Labels of other programs; the first byte says which.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::prepare::{LabelFormat, parse_labels};

fuzz_target!(|bytes: &[u8]| {
    let formats = [
        LabelFormat::Coco,
        LabelFormat::Cvat,
        LabelFormat::LabelStudio,
        LabelFormat::Labelme,
        LabelFormat::Dlib,
        LabelFormat::DeepLabCut,
        LabelFormat::Pts,
    ];
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let format = formats[usize::from(*first) % formats.len()];
    if let Ok(labels) = parse_labels(format, bytes, Path::new("fuzz"), None) {
        for object in &labels.objects {
            assert_eq!(object.points.len(), labels.names.len());
        }
    }
});
