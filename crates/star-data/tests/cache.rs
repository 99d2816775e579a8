//! Samples from kept faces are samples from files.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use image::RgbImage;
use rand::Rng;
use star_data::{
    AugmentConfig, CropBox, DataError, Face, FaceSource, HostBatch, Layout, Loader, LoaderConfig,
    Point, SampleMaker, rng::sample_rng,
};

const FACES: usize = 40;
const SIDE: u32 = 120;

/// Random images with crops anywhere in them, some across their borders.
struct Images {
    layout: Layout,
    decoded: AtomicUsize,
}

impl FaceSource for Images {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn len(&self) -> usize {
        FACES
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        self.decoded.fetch_add(1, Ordering::Relaxed);
        let mut rng = sample_rng(5, 0, index as u64);
        let mut image = RgbImage::new(SIDE, SIDE - 7);
        rng.fill_bytes(&mut image);
        let place = (index * 3) as f64;
        let center = Point::new(place, f64::from(SIDE) - place);
        Ok(Face {
            name: self.name(index),
            image,
            landmarks: vec![center; self.layout.points],
            truth: None,
            crop: CropBox {
                scale: 0.1 + 0.004 * index as f64,
                center,
            },
        })
    }
}

fn epochs(cache_bytes: usize) -> (Vec<HostBatch>, usize) {
    let source = Arc::new(Images {
        layout: Layout::builtin("cofw29").expect("built in"),
        decoded: AtomicUsize::new(0),
    });
    let maker = SampleMaker::new(source.layout.clone(), 32, AugmentConfig::default(), false);
    let config = LoaderConfig {
        batch_size: 8,
        workers: 2,
        cache_bytes,
        ..LoaderConfig::default()
    };
    let loader = Loader::new(source.clone(), maker.expect("a maker"), config).expect("a loader");
    let batches = (0..6).flat_map(|epoch| loader.epoch(epoch));
    let batches = batches.collect::<Result<_, _>>().expect("batches");
    (batches, source.decoded.load(Ordering::Relaxed))
}

#[test]
fn kept_faces_change_nothing_but_the_work() {
    let (plain, all) = epochs(0);
    assert_eq!(all, 6 * FACES);
    let (kept, some) = epochs(1 << 30);
    // Every face once, and now and then one whose crop looks beyond what was kept.
    assert!((FACES..2 * FACES).contains(&some), "{some} decoded");
    // Room for a part of them.
    let (partly, more) = epochs(100_000);
    assert!((some + 1..all).contains(&more), "{more} decoded");
    for (a, (b, c)) in plain.iter().zip(kept.iter().zip(&partly)) {
        for other in [b, c] {
            assert_eq!(a.indices, other.indices);
            assert!(a.images == other.images, "pixels differ");
            assert_eq!(a.matrices, other.matrices);
        }
    }
}
