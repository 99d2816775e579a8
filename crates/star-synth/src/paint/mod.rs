//! Drawing a head, back to front.

pub(crate) mod canvas;
mod eyes;
mod faults;
mod front;
mod hair;
mod mouth;
mod nose;
mod scene;
mod skin;

use self::canvas::Canvas;
use super::{dice::Dice, head::Head, look::Look};
use star_data::Point;

/// What every part of the drawing needs.
struct Subject<'a> {
    head: &'a Head,
    look: &'a Look,
    /// Pixels per head unit.
    unit: f64,
}

impl Subject<'_> {
    /// The whole face: jaw and forehead.
    fn face(&self) -> Vec<Point> {
        let mut points = self.head.jaw.points().to_vec();
        points.extend(self.head.forehead.iter().rev());
        points
    }

    /// The skin at (x, y) of the head, or the silhouette where the head hides it.
    fn at(&self, x: f64, y: f64) -> Point {
        let camera = &self.head.camera;
        camera.project(self.head.shape.skin_in_sight(x, y, camera.yaw))
    }

    /// As [`Self::at`], below the mouth moving with the jaw.
    fn at_jaw(&self, x: f64, y: f64) -> Point {
        let shape = &self.head.shape;
        self.head.camera.project(shape.dropped(shape.skin(x, y)))
    }
}

/// Draws the head. `dice` decides only what does not matter: clutter, strands, noise.
pub(super) fn draw(head: &Head, look: &Look, size: u32, dice: &mut Dice) -> image::RgbImage {
    let Some(mut canvas) = Canvas::new(size, size) else {
        return image::RgbImage::new(size, size);
    };
    let subject = Subject {
        head,
        look,
        unit: head.camera.zoom,
    };
    scene::backdrop(&mut canvas, look, dice);
    hair::behind(&mut canvas, &subject, dice);
    scene::body(&mut canvas, &subject);
    skin::head_behind(&mut canvas, &subject);
    let clip = skin::face(&mut canvas, &subject, dice);
    let clip = clip.as_ref();
    nose::draw(&mut canvas, &subject, clip);
    mouth::draw(&mut canvas, &subject, clip);
    for side in [0, 1] {
        eyes::draw(&mut canvas, &subject, side, dice);
    }
    hair::before(&mut canvas, &subject, dice);
    front::draw(&mut canvas, &subject, dice);
    faults::apply(&mut canvas, look, dice);
    canvas.into_rgb()
}
