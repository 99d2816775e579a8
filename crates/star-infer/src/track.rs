//! Faces from frame to frame: where a face was tells where to look next; the detector helps where that is not enough.

use star_data::{CropBox, CropRule, Point, crop::CROP_UNIT};

use crate::{
    detect::{FaceBox, Turn},
    error::InferError,
    one_euro::{OneEuro, OneEuroConfig},
    predict::{Prediction, Refined},
};

/// Two crops that overlap this much (intersection over union) show the same face.
const SAME_FACE: f64 = 0.3;

/// A face of a lower score is looked for again, unless the caller says otherwise.
pub const LEAST_SCORE: f64 = 0.5;

/// How to follow faces.
#[derive(Clone, Copy, Debug)]
pub struct TrackConfig {
    /// From the points of one frame to the crop of the next.
    pub rule: CropRule,
    /// A face whose score falls below this is looked for with the detector.
    pub least_score: f64,
    /// Smoothing; None for the points as the network gives them.
    pub smooth: Option<OneEuroConfig>,
    /// Frames in a second; only smoothing needs it.
    pub frames_per_second: f64,
}

impl Default for TrackConfig {
    fn default() -> Self {
        Self {
            rule: CropRule::default(),
            least_score: LEAST_SCORE,
            smooth: Some(OneEuroConfig::default()),
            frames_per_second: 25.0,
        }
    }
}

/// A face of a frame.
#[derive(Clone, Debug)]
pub struct TrackedFace {
    /// The same for the same face in all frames, from 1.
    pub id: usize,
    /// What the network saw.
    pub crop: CropBox,
    /// The detector's box, if this frame needed it.
    pub detected: Option<FaceBox>,
    /// Its points are smoothed if that was asked for.
    pub prediction: Prediction,
}

/// Follows the faces of one video.
pub struct Tracker {
    config: TrackConfig,
    tracks: Vec<Track>,
    last_id: usize,
}

struct Track {
    id: usize,
    /// Where to look in the next frame: made of the points before smoothing, which lag.
    next: CropBox,
    /// Whether the network was sure enough to go on without the detector.
    steady: bool,
    filter: Option<OneEuro>,
}

impl Tracker {
    /// A tracker without faces.
    pub fn new(config: TrackConfig) -> Self {
        Self {
            config,
            tracks: Vec::new(),
            last_id: 0,
        }
    }

    /// Forgets all faces: another video begins. Their numbers are not used again.
    pub fn reset(&mut self) {
        self.tracks.clear();
    }

    /// The faces of the next frame, in the order in which they appeared.
    ///
    /// `predict` gives the network's answer for each crop. `detect` is only asked when there is no face to follow or one was lost.
    ///
    /// # Errors
    /// Those of the two functions.
    pub fn frame(
        &mut self,
        mut predict: impl FnMut(&[CropBox]) -> Result<Vec<Refined>, InferError>,
        detect: impl FnOnce() -> Result<Vec<(FaceBox, CropBox)>, InferError>,
    ) -> Result<Vec<TrackedFace>, InferError> {
        let (steady, mut lost): (Vec<Track>, Vec<Track>) = std::mem::take(&mut self.tracks)
            .into_iter()
            .partition(|t| t.steady);
        let crops: Vec<CropBox> = steady.iter().map(|t| t.next).collect();
        let mut found: Vec<(Track, Refined, Option<FaceBox>)> = Vec::new();
        let answers = if crops.is_empty() {
            Vec::new()
        } else {
            predict(&crops)?
        };
        for (track, answer) in steady.into_iter().zip(answers) {
            if answer.prediction.score >= self.config.least_score {
                found.push((track, answer, None));
            } else {
                lost.push(track);
            }
        }

        if found.is_empty() || !lost.is_empty() {
            let mut detected = detect()?;
            detected.retain(|(_, crop)| {
                !found.iter().any(|(_, answer, _)| {
                    let followed = self.config.rule.crop_of_points(&answer.prediction.points);
                    followed.is_ok_and(|followed| overlap(&followed, crop) > SAME_FACE)
                })
            });
            let crops: Vec<CropBox> = detected.iter().map(|(_, crop)| *crop).collect();
            let answers = if crops.is_empty() {
                Vec::new()
            } else {
                predict(&crops)?
            };
            for ((face, crop), answer) in detected.into_iter().zip(answers) {
                let track = self.track_for(&crop, &mut lost);
                found.push((track, answer, Some(face)));
            }
        }

        found.sort_by_key(|(track, _, _)| track.id);
        Ok(found
            .into_iter()
            .map(|(track, answer, detected)| self.take(track, answer, detected))
            .collect())
    }

    /// A detected face is a lost one if it is where that was, otherwise a new one.
    fn track_for(&mut self, crop: &CropBox, lost: &mut Vec<Track>) -> Track {
        let nearest = lost
            .iter()
            .enumerate()
            .map(|(i, track)| (i, overlap(&track.next, crop)))
            .filter(|(_, overlap)| *overlap > SAME_FACE)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        match nearest {
            Some((i, _)) => lost.swap_remove(i),
            None => {
                self.last_id += 1;
                Track {
                    id: self.last_id,
                    next: *crop,
                    steady: false,
                    filter: self.config.smooth.map(OneEuro::new),
                }
            }
        }
    }

    /// Remembers a face for the next frame and smooths its points for this one.
    fn take(
        &mut self,
        mut track: Track,
        Refined {
            mut prediction,
            crop,
        }: Refined,
        detected: Option<FaceBox>,
    ) -> TrackedFace {
        let next = self.config.rule.crop_of_points(&prediction.points).ok();
        track.steady = next.is_some() && prediction.score >= self.config.least_score;
        track.next = next.unwrap_or(crop);
        if let Some(filter) = &mut track.filter {
            let size = track.next.scale * CROP_UNIT / self.config.rule.margin;
            let seconds = 1.0 / self.config.frames_per_second;
            prediction.points = filter.step(&prediction.points, size, seconds);
        }
        let face = TrackedFace {
            id: track.id,
            crop,
            detected,
            prediction,
        };
        self.tracks.push(track);
        face
    }
}

fn overlap(a: &CropBox, b: &CropBox) -> f64 {
    let square = |crop: &CropBox| {
        let side = crop.scale * CROP_UNIT;
        let Point { x, y } = crop.center;
        FaceBox {
            x: x - side / 2.0,
            y: y - side / 2.0,
            w: side,
            h: side,
            score: 0.0,
            turn: Turn::Upright,
        }
    };
    square(a).overlap(&square(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use star_data::Covariance;

    /// Faces of 100 pixels at these places; a score each.
    type Scene<'a> = &'a [(f64, f64)];

    fn crop_at(x: f64) -> CropBox {
        CropBox {
            scale: 0.6,
            center: Point::new(x, 100.0),
        }
    }

    /// A network that finds the scene's face nearest to the crop, and a detector that finds all; counts the detector's calls.
    fn run(tracker: &mut Tracker, scene: Scene, detections: &mut usize) -> Vec<(usize, f64)> {
        let faces = tracker
            .frame(
                |crops| {
                    let answer = |crop: &CropBox| {
                        let nearest = scene.iter().min_by(|a, b| {
                            (a.0 - crop.center.x)
                                .abs()
                                .total_cmp(&(b.0 - crop.center.x).abs())
                        });
                        let (x, score) = nearest.copied().unwrap_or((crop.center.x, 0.0));
                        let missed = (x - crop.center.x).abs() > 60.0;
                        Refined {
                            crop: *crop,
                            prediction: Prediction {
                                points: vec![
                                    Point::new(x - 50.0, 50.0),
                                    Point::new(x + 50.0, 150.0),
                                ],
                                covariance: vec![
                                    Covariance {
                                        xx: 1.0,
                                        xy: 0.0,
                                        yy: 1.0
                                    };
                                    2
                                ],
                                scores: vec![score; 2],
                                score: if missed { 0.0 } else { score },
                            },
                        }
                    };
                    Ok(crops.iter().map(answer).collect())
                },
                || {
                    *detections += 1;
                    let face = FaceBox {
                        x: 0.0,
                        y: 0.0,
                        w: 1.0,
                        h: 1.0,
                        score: 1.0,
                        turn: Turn::Upright,
                    };
                    Ok(scene.iter().map(|(x, _)| (face, crop_at(*x))).collect())
                },
            )
            .expect("nothing fails");
        let middle = |f: &TrackedFace| (f.prediction.points[0].x + f.prediction.points[1].x) / 2.0;
        faces.iter().map(|f| (f.id, middle(f))).collect()
    }

    fn tracker(smooth: Option<OneEuroConfig>) -> Tracker {
        Tracker::new(TrackConfig {
            rule: CropRule::default(),
            least_score: 0.5,
            smooth,
            frames_per_second: 25.0,
        })
    }

    #[test]
    fn a_face_is_followed_without_the_detector() {
        let (mut tracker, mut calls) = (tracker(None), 0);
        for i in 0..10 {
            let x = 200.0 + 20.0 * f64::from(i);
            assert_eq!(run(&mut tracker, &[(x, 0.9)], &mut calls), [(1, x)]);
        }
        assert_eq!(calls, 1);
    }

    #[test]
    fn a_lost_face_is_looked_for_and_keeps_its_number() {
        let (mut tracker, mut calls) = (tracker(None), 0);
        run(&mut tracker, &[(200.0, 0.9), (900.0, 0.9)], &mut calls);
        // The second face grows doubtful: the detector is asked, and finds it where it was.
        let faces = run(&mut tracker, &[(200.0, 0.9), (900.0, 0.2)], &mut calls);
        assert_eq!(faces, [(1, 200.0), (2, 900.0)]);
        assert_eq!(calls, 2);
        // It comes back far away: a new face, and the first one goes on.
        let faces = run(&mut tracker, &[(200.0, 0.9), (2000.0, 0.9)], &mut calls);
        assert_eq!(faces, [(1, 200.0), (3, 2000.0)]);
    }

    #[test]
    fn an_empty_scene_is_an_answer() {
        let (mut tracker, mut calls) = (tracker(None), 0);
        assert!(run(&mut tracker, &[], &mut calls).is_empty());
        run(&mut tracker, &[(200.0, 0.9)], &mut calls);
        assert!(run(&mut tracker, &[], &mut calls).is_empty());
        assert_eq!(calls, 3);
    }

    #[test]
    fn smoothing_is_for_the_answer_not_for_the_next_crop() {
        let (mut tracker, mut calls) = (tracker(Some(OneEuroConfig::default())), 0);
        run(&mut tracker, &[(200.0, 0.9)], &mut calls);
        let faces = run(&mut tracker, &[(210.0, 0.9)], &mut calls);
        assert!(faces[0].1 > 200.0 && faces[0].1 < 210.0, "{faces:?}");
        assert_eq!(tracker.tracks[0].next.center.x, 210.0);
    }
}
