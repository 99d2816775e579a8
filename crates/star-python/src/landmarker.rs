//! `star_infer::Landmarker` behind a lock, so that threads of Python may share one.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use image::RgbImage;
use pyo3::{PyErr, PyResult, Python, exceptions::PyValueError, pyclass, pymethods};
use star_infer::{Flex, Pretrained};

use crate::{
    failure::raised,
    found::Found,
    layout::Layout,
    pixels::{Given, image},
};

type Engine = star_infer::Landmarker<Flex>;

/// One for a landmarker and the trackers that were made of it. Callers wait for each other: one prediction keeps all cores busy anyway.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Engine>>);

impl Shared {
    /// To be asked without the interpreter only, or two threads wait for each other.
    pub fn lock(&self) -> MutexGuard<'_, Engine> {
        // Predicting changes nothing in it that a panic could leave half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pyclass(frozen, module = "star_landmarks._native")]
pub struct Landmarker {
    pub shared: Shared,
    /// What is wrong with looking for faces: the landmarks are of something else.
    pub no_faces: Option<String>,
}

#[pymethods]
impl Landmarker {
    #[new]
    #[allow(clippy::too_many_arguments)] // Keywords in Python.
    #[pyo3(signature = (weights, passes, margin, max_faces, find_faces, raw_covariance, upright_only))]
    fn new(
        py: Python<'_>,
        weights: Option<PathBuf>,
        passes: usize,
        margin: Option<f64>,
        max_faces: Option<usize>,
        find_faces: bool,
        raw_covariance: bool,
        upright_only: bool,
    ) -> PyResult<Self> {
        let device = Default::default();
        let engine = py.detach(|| match &weights {
            None => Engine::pretrained(Pretrained::Ibug68Small, &device),
            Some(path) => Engine::open(path, &device),
        });
        let mut engine = engine.map_err(raised)?.passes(passes);
        if let Some(margin) = margin {
            engine = engine.margin(margin);
        }
        if let Some(most) = max_faces {
            engine = engine.most_faces(most);
        }
        if upright_only {
            engine = engine.upright_only();
        }
        if raw_covariance {
            engine = engine.raw_covariance();
        }
        let layout = &engine.layout().name;
        let faces = find_faces || star_infer::Layout::builtin_names().any(|name| name == layout);
        let no_faces = (!faces).then(|| {
            format!(
                "the landmarks of {} are those of the layout `{layout}`, and only faces are found here. Say where they are with boxes; if they \
                 are of faces after all, say find_faces=True.",
                weights.unwrap_or_default().display(),
            )
        });
        Ok(Self {
            shared: Shared(Arc::new(Mutex::new(engine))),
            no_faces,
        })
    }

    fn layout(&self, py: Python<'_>) -> Layout {
        py.detach(|| Layout::from(self.shared.lock().layout()))
    }

    fn margin(&self, py: Python<'_>) -> f64 {
        py.detach(|| self.shared.lock().crop_rule().margin)
    }

    fn calibrated(&self, py: Python<'_>) -> bool {
        py.detach(|| self.shared.lock().covariance_scales().is_some())
    }

    fn provenance(&self, py: Python<'_>) -> String {
        py.detach(|| self.shared.lock().provenance().to_owned())
    }

    /// The faces of each image: found, or in the boxes of each.
    #[pyo3(signature = (images, boxes))]
    fn predict(
        &self,
        py: Python<'_>,
        images: Vec<Given>,
        boxes: Option<Vec<Vec<[f64; 4]>>>,
    ) -> PyResult<Vec<Vec<Found>>> {
        if let (None, Some(why)) = (&boxes, &self.no_faces) {
            return Err(PyValueError::new_err(why.clone()));
        }
        py.detach(|| {
            let images = images.iter().map(image).collect::<PyResult<Vec<_>>>()?;
            let engine = self.shared.lock();
            let found = match boxes {
                None => engine
                    .batch(&images.iter().collect::<Vec<_>>())
                    .map_err(raised)?,
                Some(boxes) => (images.iter().zip(&boxes))
                    .map(|(image, boxes)| in_boxes(&engine, image, boxes))
                    .collect::<PyResult<_>>()?,
            };
            let faces = |faces: Vec<_>| faces.iter().map(|f| Found::new(f, None)).collect();
            found.into_iter().map(faces).collect()
        })
    }
}

fn in_boxes(
    engine: &Engine,
    image: &RgbImage,
    boxes: &[[f64; 4]],
) -> PyResult<Vec<star_infer::LandmarkedFace>> {
    let (width, height) = image.dimensions();
    let outside = |&&[x, y, w, h]: &&[f64; 4]| {
        x >= f64::from(width) || y >= f64::from(height) || x + w <= 0.0 || y + h <= 0.0
    };
    if let Some([x, y, w, h]) = boxes.iter().find(outside) {
        return Err(error(format!(
            "the box {x},{y},{w},{h} lies outside the image, which is {width} x {height} pixels. Write boxes as x, y, w, h with x and y the \
             top left corner."
        )));
    }
    engine.faces_in_boxes(image, boxes).map_err(raised)
}

fn error(said: String) -> PyErr {
    PyValueError::new_err(said)
}
