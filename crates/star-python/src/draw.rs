//! Faces drawn over their image, as `star predict` draws them.

use pyo3::{PyResult, Python, pyfunction};
use star_draw::{AnnotatedImage, Overlay};
use star_infer::{Covariance, Point};

use crate::pixels::{Given, Taken, image, taken};

/// A face to draw: its points, its covariances (xx, xy, yy), and the layout's edges (name, closed, indices).
type Drawn = (
    Vec<[f64; 2]>,
    Vec<[f64; 3]>,
    Vec<(String, bool, Vec<usize>)>,
);

/// Points, edges, ellipses and numbers are drawn where the face has them and `parts` says so, in this order.
#[pyfunction]
#[pyo3(signature = (photo, faces, parts, sigma, legend))]
pub fn draw(
    py: Python<'_>,
    photo: Given,
    faces: Vec<Drawn>,
    parts: [bool; 4],
    sigma: f64,
    legend: bool,
) -> PyResult<Taken> {
    let [points, edges, ellipses, numbers] = parts;
    py.detach(|| {
        let photo = image(&photo)?;
        let faces: Vec<_> = faces.into_iter().map(Shape::from).collect();
        let overlays: Vec<Overlay> = (faces.iter())
            .map(|face| {
                Overlay::new(&face.points)
                    .dots(points)
                    .edges(if edges { &face.edges } else { &[] })
                    .spreads(if ellipses { &face.spreads } else { &[] })
                    .numbers(numbers)
                    .sigmas(sigma)
                    .by_anisotropy()
            })
            .collect();
        let explained = legend && ellipses && !faces.is_empty();
        let drawn = AnnotatedImage {
            image: &photo,
            title: "",
            overlays: &overlays,
            legend: explained.then_some(sigma),
        };
        Ok(taken(drawn.to_image()))
    })
}

/// A face in the drawing crate's types.
struct Shape {
    points: Vec<Point>,
    spreads: Vec<Covariance>,
    edges: Vec<star_data::Edge>,
}

impl From<Drawn> for Shape {
    fn from((points, spreads, edges): Drawn) -> Self {
        let points = points.into_iter();
        let spreads = spreads.into_iter();
        let edges = edges.into_iter();
        Self {
            points: points.map(|[x, y]| Point::new(x, y)).collect(),
            spreads: spreads
                .map(|[xx, xy, yy]| Covariance { xx, xy, yy })
                .collect(),
            edges: edges
                .map(|(name, closed, points)| star_data::Edge {
                    name,
                    closed,
                    points,
                })
                .collect(),
        }
    }
}
