//! Several passes: crops made anew from the landmarks of the pass before.

use star_data::{CropBox, CropRule, Point};

/// Runs `predict` `passes` times (at least once) on as many faces as there are `crops`; each time after the first a face's crop is that
/// of `rule` around the landmarks before. Landmarks without a box (all in one place, or none finite) leave the crop as it was.
///
/// # Errors
/// Those of `predict`.
pub fn in_passes<T, E>(
    crops: &mut [Option<CropBox>],
    rule: &CropRule,
    passes: usize,
    landmarks: impl Fn(&T) -> &[Point],
    mut predict: impl FnMut(&[Option<CropBox>]) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let mut found = predict(crops)?;
    for _ in 1..passes {
        for (crop, face) in crops.iter_mut().zip(&found) {
            if let Ok(again) = rule.crop_of_points(landmarks(face)) {
                *crop = Some(again);
            }
        }
        found = predict(crops)?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_without_a_box_leave_the_crop_as_it_was() {
        let spread = vec![Point::new(10.0, 20.0), Point::new(50.0, 40.0)];
        let collapsed = vec![Point::new(7.0, 7.0); 2];
        let lost = vec![Point::new(f64::NAN, f64::NAN); 2];
        let first = CropBox {
            scale: 0.5,
            center: Point::new(1.0, 2.0),
        };
        let mut crops = [None, Some(first), Some(first), None];
        let seen = [&spread, &spread, &collapsed, &lost];
        let mut passes = 0;
        in_passes(
            &mut crops,
            &CropRule::PUBLISHED,
            3,
            |face: &&Vec<Point>| face,
            |crops| {
                passes += 1;
                assert_eq!((crops[2], crops[3]), (Some(first), None));
                Ok::<_, ()>(seen.to_vec())
            },
        )
        .expect("nothing fails");
        assert_eq!(passes, 3);
        let again = CropRule::PUBLISHED.crop_of_points(&spread).ok();
        assert_eq!(crops, [again, again, Some(first), None]);
    }
}
