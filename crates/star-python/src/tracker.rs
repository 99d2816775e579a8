//! Faces from frame to frame.

use std::sync::{Mutex, PoisonError};

use pyo3::{PyRef, PyResult, Python, exceptions::PyValueError, pyclass, pymethods};
use star_infer::{
    one_euro::OneEuroConfig,
    track::{TrackConfig, Tracker as Follower},
};

use crate::{
    failure::raised,
    found::Found,
    landmarker::{Landmarker, Shared},
    pixels::{Given, image},
};

#[pyclass(frozen, module = "star_landmarks._native")]
pub struct Tracker {
    shared: Shared,
    follower: Mutex<Follower>,
}

#[pymethods]
impl Tracker {
    #[new]
    #[pyo3(signature = (landmarker, fps, smooth, least_score, min_cutoff, beta))]
    fn new(
        py: Python<'_>,
        landmarker: PyRef<'_, Landmarker>,
        fps: f64,
        smooth: bool,
        least_score: f64,
        min_cutoff: Option<f64>,
        beta: Option<f64>,
    ) -> PyResult<Self> {
        if let Some(why) = &landmarker.no_faces {
            return Err(PyValueError::new_err(why.clone()));
        }
        let shared = landmarker.shared.clone();
        let of_network = py.detach(|| shared.lock().track_config());
        let usual = OneEuroConfig::default();
        let config = TrackConfig {
            frames_per_second: fps,
            least_score,
            smooth: smooth.then(|| OneEuroConfig {
                min_cutoff: min_cutoff.unwrap_or(usual.min_cutoff),
                beta: beta.unwrap_or(usual.beta),
                ..usual
            }),
            ..of_network
        };
        Ok(Self {
            shared,
            follower: Mutex::new(Follower::new(config)),
        })
    }

    /// The faces of the next frame.
    fn next(&self, py: Python<'_>, frame: Given) -> PyResult<Vec<Found>> {
        py.detach(|| {
            let frame = image(&frame)?;
            let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
            let faces = self.shared.lock().follow(&mut follower, &frame);
            let faces = faces.map_err(raised)?;
            (faces.iter())
                .map(|(number, face)| Found::new(face, Some(*number)))
                .collect()
        })
    }

    /// Another video begins.
    fn reset(&self, py: Python<'_>) {
        py.detach(|| {
            let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
            follower.reset();
        });
    }
}
