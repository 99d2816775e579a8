//! Predictions as labelling programs read them, to be corrected there: COCO, CVAT, Label Studio and labelme.
//!
//! `prepare from` reads all of them back. docs/predict.md says how each is loaded.

use std::fmt::Write as _;

use serde_json::{Value, json};
use star_data::{Layout, Point};

use super::{Args, Format, done::Done, stream::Stream};
use crate::error::CliError;

/// Programs with a canvas count from the image's corner: the centre of the first pixel is at 0.5.
const CANVAS: f64 = 0.5;

/// The files of a call that hold all its images.
pub struct LabelFiles {
    names: Vec<String>,
    bones: Vec<[usize; 2]>,
    layout: String,
    weights: String,
    coco: Stream,
    /// COCO has the images in a list of their own.
    coco_images: Vec<Value>,
    coco_faces: usize,
    cvat: Stream,
    cvat_images: usize,
    label_studio: Stream,
}

impl LabelFiles {
    pub fn new(args: &Args, layout: &Layout, weights: &str) -> Self {
        let stream = |format, name: &str| {
            Stream::new(args.format.contains(&format).then(|| args.out.join(name)))
        };
        let numbers = || (0..layout.points).map(|k| k.to_string()).collect();
        let names = match layout.names.is_empty() {
            true => numbers(),
            false => layout.names.clone(),
        };
        let mut bones = Vec::new();
        for edge in &layout.edges {
            bones.extend(edge.points.windows(2).map(|pair| [pair[0], pair[1]]));
            if let (true, [first, .., last]) = (edge.closed, &edge.points[..]) {
                bones.push([*last, *first]);
            }
        }
        Self {
            names,
            bones,
            layout: layout.name.clone(),
            weights: weights.to_string(),
            coco: stream(Format::Coco, "coco.json"),
            coco_images: Vec::new(),
            coco_faces: 0,
            cvat: stream(Format::Cvat, "cvat.xml"),
            cvat_images: 0,
            label_studio: stream(Format::LabelStudio, "label_studio.json"),
        }
    }

    /// Adds an image.
    pub fn append(&mut self, done: &Done, args: &Args) -> Result<(), CliError> {
        if args.format.contains(&Format::Coco) {
            self.append_coco(done)?;
        }
        let id = self.cvat_images;
        self.cvat_images += 1;
        let header = || cvat_header(&self.layout, &self.names, &self.bones);
        let image = || Ok(cvat_image(id, done, &self.layout, &self.names));
        self.cvat.append(header, image)?;
        if args.format.contains(&Format::LabelStudio) {
            let comma = if self.label_studio.has_begun() {
                ",\n"
            } else {
                ""
            };
            let task = format!("{comma}{}", self.task(done));
            self.label_studio.append(|| "[\n".into(), || Ok(task))?;
        }
        Ok(())
    }

    /// Ends the files.
    pub fn finish(mut self) -> Result<(), CliError> {
        if self.coco.has_begun() {
            let images = Value::Array(std::mem::take(&mut self.coco_images));
            let end = || Ok(format!("\n],\n\"images\": {images}}}\n"));
            self.coco.append(String::new, end)?;
        }
        if self.cvat.has_begun() {
            self.cvat
                .append(String::new, || Ok("</annotations>\n".into()))?;
        }
        if self.label_studio.has_begun() {
            self.label_studio
                .append(String::new, || Ok("\n]\n".into()))?;
        }
        self.coco.finish()?;
        self.cvat.finish()?;
        self.label_studio.finish()
    }

    fn append_coco(&mut self, done: &Done) -> Result<(), CliError> {
        let id = self.coco_images.len() + 1;
        self.coco_images.push(json!({
            "id": id,
            "file_name": image_name(done),
            "width": done.image.width(),
            "height": done.image.height(),
        }));
        let mut text = String::new();
        for face in &done.faces {
            self.coco_faces += 1;
            let points = &face.prediction.points;
            let flat = points
                .iter()
                .flat_map(|p| [json!(tidy(p.x)), json!(tidy(p.y)), json!(2)]);
            let [x, y, w, h] = bounds(points).map(tidy);
            let annotation = json!({
                "id": self.coco_faces,
                "image_id": id,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [x, y, w, h],
                "area": tidy(w * h),
                "num_keypoints": points.len(),
                "keypoints": flat.collect::<Vec<_>>(),
                "score": face.prediction.score,
            });
            let comma = if self.coco_faces > 1 { ",\n" } else { "" };
            let _ = write!(text, "{comma}{annotation}"); // writing to a String cannot fail
        }
        let header = || {
            let skeleton = self.bones.iter().map(|[a, b]| [a + 1, b + 1]);
            let category = json!({
                "id": 1,
                "name": self.layout,
                "supercategory": "",
                "keypoints": self.names,
                "skeleton": skeleton.collect::<Vec<_>>(),
            });
            let info = json!({ "description": self.weights });
            format!("{{\"info\": {info},\n\"categories\": [{category}],\n\"annotations\": [\n")
        };
        self.coco.append(header, || Ok(text))
    }

    fn task(&self, done: &Done) -> Value {
        let (width, height) = (
            f64::from(done.image.width()),
            f64::from(done.image.height()),
        );
        let region = |id: String, parent: Option<&str>, kind: &str, name: &str, value: Value| {
            let mut region = json!({
                "id": id,
                "type": kind,
                "from_name": name,
                "to_name": "image",
                "original_width": done.image.width(),
                "original_height": done.image.height(),
                "image_rotation": 0,
                "value": value,
            });
            if let Some(parent) = parent {
                region["parentID"] = json!(parent);
            }
            region
        };
        let percent = |v: f64, of: f64| 100.0 * v / of;
        let mut result = Vec::new();
        for (f, face) in done.faces.iter().enumerate() {
            let [x, y, w, h] = bounds(&face.prediction.points);
            let id = format!("face{f}");
            let value = json!({
                "x": percent(x + CANVAS, width),
                "y": percent(y + CANVAS, height),
                "width": percent(w, width),
                "height": percent(h, height),
                "rotation": 0,
                "rectanglelabels": [self.layout],
            });
            result.push(region(id.clone(), None, "rectanglelabels", "box", value));
            for (k, p) in face.prediction.points.iter().enumerate() {
                let value = json!({
                    "x": percent(p.x + CANVAS, width),
                    "y": percent(p.y + CANVAS, height),
                    "width": 0.5,
                    "keypointlabels": [self.names.get(k)],
                });
                let point = format!("{id}-{k}");
                result.push(region(point, Some(&id), "keypointlabels", "points", value));
            }
        }
        let scores = done.faces.iter().map(|f| f.prediction.score);
        json!({
            "data": { "image": image_name(done) },
            "predictions": [{
                "model_version": self.weights,
                "score": scores.reduce(f64::min),
                "result": result,
            }],
        })
    }

    /// labelme's file of one image, which lies beside the image or names where it is.
    pub fn labelme(&self, done: &Done) -> Result<String, CliError> {
        let path = std::path::absolute(&done.path).unwrap_or_else(|_| done.path.clone());
        let mut shapes = Vec::new();
        let mut shape = |face: usize, label: &str, kind: &str, points: Vec<[f64; 2]>| {
            shapes.push(json!({
                "label": label,
                "points": points,
                "group_id": face,
                "description": "",
                "shape_type": kind,
                "flags": {},
            }));
        };
        for (f, face) in done.faces.iter().enumerate() {
            for (name, p) in self.names.iter().zip(&face.prediction.points) {
                shape(
                    f,
                    name,
                    "point",
                    vec![[tidy(p.x + CANVAS), tidy(p.y + CANVAS)]],
                );
            }
        }
        let document = json!({
            // Of the form; labelme warns of newer ones than its own.
            "version": "5.0.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": path.display().to_string(),
            "imageData": null,
            "imageHeight": done.image.height(),
            "imageWidth": done.image.width(),
        });
        serde_json::to_string_pretty(&document)
            .map(|text| text + "\n")
            .map_err(|e| CliError::Usage(e.to_string()))
    }
}

/// The path as it was given, with `/`.
fn image_name(done: &Done) -> String {
    done.path.display().to_string().replace('\\', "/")
}

/// A thousandth of a pixel is finer than anyone clicks.
fn tidy(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// x, y, width and height of the box around points.
fn bounds(points: &[Point]) -> [f64; 4] {
    let fold = |of: fn(&Point) -> f64| {
        let values = points.iter().map(of);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let ((left, right), (top, bottom)) = (fold(|p| p.x), fold(|p| p.y));
    [left, top, right - left, bottom - top]
}

fn cvat_header(layout: &str, names: &[String], bones: &[[usize; 2]]) -> String {
    let mut drawing = String::new();
    for [a, b] in bones {
        let _ = write!(
            drawing,
            "<line data-type=\"edge\" data-node-from=\"{}\" data-node-to=\"{}\"></line>",
            a + 1,
            b + 1
        );
    }
    for (k, name) in names.iter().enumerate() {
        let _ = write!(
            drawing,
            "<circle data-type=\"element node\" data-element-id=\"{0}\" data-node-id=\"{0}\" data-label-name=\"{1}\"></circle>",
            k + 1,
            escaped(name)
        );
    }
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations>\n<version>1.1</version>\n<meta><task><labels>\n\
         <label><name>{}</name><type>skeleton</type><attributes></attributes><svg>{}</svg></label>\n",
        escaped(layout),
        escaped(&drawing)
    );
    for name in names {
        let _ = writeln!(
            text,
            "<label><name>{}</name><type>points</type><attributes></attributes><parent>{}</parent></label>",
            escaped(name),
            escaped(layout)
        );
    }
    text + "</labels></task></meta>\n"
}

fn cvat_image(id: usize, done: &Done, layout: &str, names: &[String]) -> String {
    let mut text = format!(
        "<image id=\"{id}\" name=\"{}\" width=\"{}\" height=\"{}\">\n",
        escaped(&image_name(done)),
        done.image.width(),
        done.image.height()
    );
    for face in &done.faces {
        let _ = writeln!(
            text,
            "<skeleton label=\"{}\" source=\"auto\" z_order=\"0\">",
            escaped(layout)
        );
        for (name, p) in names.iter().zip(&face.prediction.points) {
            let _ = writeln!(
                text,
                "<points label=\"{}\" source=\"auto\" outside=\"0\" occluded=\"0\" points=\"{:.3},{:.3}\"></points>",
                escaped(name),
                p.x + CANVAS,
                p.y + CANVAS
            );
        }
        text += "</skeleton>\n";
    }
    text + "</image>\n"
}

/// As text of XML and as an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            // Not allowed in XML at all.
            c if c.is_control() && c != '\t' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
