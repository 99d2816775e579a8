//! From labels to `points.csv` and `layout.toml`.

use std::{
    collections::HashMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{
    LabelFormat, Labels, Object,
    images::ImageFolder,
    mirror_names::mirror_pairs,
    points_file::to_csv,
    read_labels,
    skeleton::{Curve, curves},
};
use crate::{
    error::DataError, layout::Layout, point::Point, prepare::custom::image_path,
    prepare::report::Complaint,
};

/// Points that are looked at for a norm: every pair of them is.
const NORM_POINTS: usize = 100;
/// How many names a note has.
const NAMED: usize = 3;

/// Settings of [`convert`].
#[derive(Clone, Debug)]
pub struct ConvertConfig {
    /// What the source is.
    pub format: LabelFormat,
    /// The file, or of some formats the folder.
    pub source: PathBuf,
    /// The folder below which the images lie.
    pub images: PathBuf,
    /// Which kind of object, where the file has several.
    pub category: Option<String>,
    /// Of `.pts` files: pixels are counted from 0, not from 1 as iBUG does.
    pub zero_based: bool,
    /// Writes over a `points.csv` that is there.
    pub replace: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct ConvertReport {
    /// The points file.
    pub points_file: PathBuf,
    /// The layout.
    pub layout_file: PathBuf,
    /// Whether the layout was there, and was left as it is.
    pub layout_kept: bool,
    /// Objects written, and points of each.
    pub objects: usize,
    /// Number of points of each object.
    pub points: usize,
    /// Points with a label, and those of them that are hidden.
    pub labelled: usize,
    /// Those of them that are hidden.
    pub hidden: usize,
    /// Objects that could not be used.
    pub skipped: Vec<Complaint>,
    /// What is worth a look.
    pub notes: Vec<String>,
}

/// Reads labels and writes `points.csv` and, where there is none, `layout.toml` to the folder `out`; `prepare custom` goes on from there.
///
/// A `layout.toml` that is there stays as it is. Where it names its points, the labels are brought to its order by name, so that
/// files that are exported later join those that were exported first.
///
/// # Errors
/// When the labels cannot be read as a whole, no object can be used, the layout that is there is of other points, or `points.csv` is there
/// and is not to be replaced.
pub fn convert(out: &Path, config: &ConvertConfig) -> Result<ConvertReport, DataError> {
    let points_file = out.join("points.csv");
    let layout_file = out.join("layout.toml");
    if points_file.exists() && !config.replace {
        return Err(DataError::Invalid(format!(
            "{} is there already; give --replace to write over it, or another --out",
            points_file.display()
        )));
    }
    let mut images = ImageFolder::open(&config.images)?;
    let mut labels = read_labels(config.format, &config.source, config.category.as_deref())?;
    if config.zero_based {
        for point in labels.objects.iter_mut().flat_map(|o| &mut o.points) {
            *point = Point::new(point.x + 1.0, point.y + 1.0);
        }
    }
    let Labels {
        names,
        bones,
        mirror,
        objects,
        mut skipped,
        unlabelled,
        mut notes,
    } = labels;
    check_names(&names, config)?;

    let mut objects = keep_found(objects, &mut images, config, &mut skipped);
    skipped.sort();
    if objects.is_empty() {
        let first = skipped.first().map_or(String::new(), |c| format!(" {c}"));
        return Err(DataError::Invalid(format!(
            "{}: no labelled object whose image is below {} ({} images there).{first}",
            config.source.display(),
            config.images.display(),
            images.len()
        )));
    }
    for name in &unlabelled {
        // An image that the file knows is not one that it lacks.
        let _ = images.find(name);
    }
    notes.extend(told(
        "images without labels",
        unlabelled.iter().map(String::as_str),
    ));
    notes.extend(told("images that the labels do not name", images.unused()));

    let layout_kept = layout_file.exists();
    let points = if layout_kept {
        let layout = Layout::from_toml_file(&layout_file)?;
        reorder(&mut objects, &names, &layout, &layout_file)?;
        layout.points
    } else {
        let mirror = mirror.unwrap_or_else(|| mirror_pairs(&names));
        let text = layout_text(
            &names,
            &mirror,
            &curves(&bones),
            &objects,
            config,
            &mut notes,
        )?;
        Layout::from_toml_str(&text, &layout_file)?;
        std::fs::create_dir_all(out).map_err(|e| DataError::io(out, e))?;
        star_files::write_atomic(&layout_file, text.as_bytes())
            .map_err(|e| DataError::io(&layout_file, e))?;
        names.len()
    };
    let text = to_csv(&objects, points);
    std::fs::create_dir_all(out).map_err(|e| DataError::io(out, e))?;
    star_files::write_atomic(&points_file, text.as_bytes())
        .map_err(|e| DataError::io(&points_file, e))?;
    let all = objects.iter().flat_map(|o| o.points.iter().zip(&o.hidden));
    let labelled = all.filter(|(p, _)| p.is_labelled());
    Ok(ConvertReport {
        objects: objects.len(),
        points,
        labelled: labelled.clone().count(),
        hidden: labelled.filter(|(_, hidden)| **hidden).count(),
        points_file,
        layout_file,
        layout_kept,
        skipped,
        notes,
    })
}

fn told<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    let more = if names.len() > NAMED { ", ..." } else { "" };
    let first = names.iter().take(NAMED).copied().collect::<Vec<_>>();
    (!names.is_empty()).then(|| format!("{} {what}: {}{more}", names.len(), first.join(", ")))
}

fn check_names(names: &[String], config: &ConvertConfig) -> Result<(), DataError> {
    let bad =
        |message: String| DataError::Invalid(format!("{}: {message}", config.source.display()));
    if names.len() < 2 {
        return Err(bad(format!(
            "{} named points; a layout has at least 2",
            names.len()
        )));
    }
    let mut seen = HashMap::new();
    for (i, name) in names.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(bad(format!("point {i} has an empty name")));
        }
        if let Some(first) = seen.insert(name, i) {
            return Err(bad(format!(
                "points {first} and {i} are both called `{name}`"
            )));
        }
    }
    Ok(())
}

/// The objects whose images are there, under the names they have there.
fn keep_found(
    objects: Vec<Object>,
    images: &mut ImageFolder,
    config: &ConvertConfig,
    skipped: &mut Vec<Complaint>,
) -> Vec<Object> {
    let mut kept = Vec::with_capacity(objects.len());
    for mut object in objects {
        let found = images.find(&object.image);
        match found.and_then(|image| image_path(&image)) {
            Ok(image) => {
                object.image = image;
                kept.push(object);
            }
            Err(reason) => skipped.push(Complaint {
                file: config.source.display().to_string(),
                line: None,
                reason,
            }),
        }
    }
    kept
}

/// Brings the points to the order of a layout.
fn reorder(
    objects: &mut [Object],
    names: &[String],
    layout: &Layout,
    file: &Path,
) -> Result<(), DataError> {
    let bad = |message: String| DataError::Invalid(format!("{}: {message}", file.display()));
    if layout.names.is_empty() {
        if layout.points == names.len() {
            return Ok(());
        }
        return Err(bad(format!(
            "the layout that is there has {} points, and the labels {}; give it the labels' `names`, or another --out",
            layout.points,
            names.len()
        )));
    }
    let places: HashMap<&str, usize> = (layout.names.iter().enumerate())
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let mut order = Vec::with_capacity(names.len());
    for name in names {
        order.push(*places.get(name.as_str()).ok_or_else(|| {
            bad(format!(
                "the layout that is there has no point `{name}`, which the labels have"
            ))
        })?);
    }
    for object in objects {
        let mut whole = Object::new(&object.image, layout.points);
        for (from, &to) in order.iter().enumerate() {
            whole.points[to] = object.points[from];
            whole.hidden[to] = object.hidden[from];
        }
        (object.points, object.hidden) = (whole.points, whole.hidden);
    }
    Ok(())
}

/// The layout's file, with what a user should look over.
fn layout_text(
    names: &[String],
    mirror: &[[usize; 2]],
    curves: &[Curve],
    objects: &[Object],
    config: &ConvertConfig,
    notes: &mut Vec<String>,
) -> Result<String, DataError> {
    let ([left, right], far) = norm(objects, mirror, names.len()).ok_or_else(|| {
        DataError::Invalid(format!(
            "{}: no object has two labelled points at different places",
            config.source.display()
        ))
    })?;
    let quoted = |text: &str| toml::Value::String(text.to_string()).to_string();
    let stem = config.source.file_stem().and_then(|s| s.to_str());
    let name = stem.filter(|s| !s.trim().is_empty()).unwrap_or("mine");
    let mut text = format!(
        "name = {}\npoints = {}\nnames = [\n",
        quoted(name),
        names.len()
    );
    for (i, name) in names.iter().enumerate() {
        let _ = writeln!(text, "  {}, # {i}", quoted(name));
    }
    text += "]\nthreshold = 0.1\nflip_offset = 1\n\n";
    text += "# Which points trade places when an image is mirrored. `data check` says which pairs do not fit the labels.\nmirror = [";
    for [a, b] in mirror {
        let _ = write!(
            text,
            "\n  [{a}, {b}], # {} and {}",
            plain(&names[*a]),
            plain(&names[*b])
        );
    }
    text += if mirror.is_empty() {
        "]\n\n"
    } else {
        "\n]\n\n"
    };
    let _ = write!(
        text,
        "# What errors are divided by: choose what is called the size of such an object.\ndefault_norm = \"size\"\n\n\
         [norms.size] # {} to {}\nleft = [{left}]\nright = [{right}]\n",
        plain(&names[left]),
        plain(&names[right])
    );
    for (i, curve) in curves.iter().enumerate() {
        let _ = write!(
            text,
            "\n[[edges]]\nname = {}\nclosed = {}\npoints = {:?}\n",
            quoted(&format!("curve {}", i + 1)),
            curve.closed,
            curve.points
        );
    }
    if mirror.is_empty() {
        notes.push("no mirror pairs are known: write them to `mirror` of the layout, or train with augment.flip = 0".into());
    }
    if curves.is_empty() {
        notes.push("no lines between points are known: write them to `[[edges]]` of the layout, or train with model.aam = false".into());
    }
    notes.push(format!(
        "errors are divided by the distance of `{}` and `{}` ({far}); `norms` of the layout says so",
        names[left], names[right]
    ));
    Ok(text)
}

/// For a comment.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The two points whose distance is the size of an object: of the mirror pairs, or else of all, those that lie furthest apart on average,
/// and are labelled.
fn norm(
    objects: &[Object],
    mirror: &[[usize; 2]],
    points: usize,
) -> Option<([usize; 2], &'static str)> {
    let score = |&[a, b]: &[usize; 2]| -> f64 {
        let both = objects.iter().map(|o| [o.points[a], o.points[b]]);
        let both = both.filter(|[p, q]| p.is_labelled() && q.is_labelled());
        both.map(|[p, q]| p.distance(q)).sum()
    };
    let best = |pairs: &mut dyn Iterator<Item = [usize; 2]>| {
        let scored = pairs.map(|pair| (score(&pair), pair));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 > 0.0).then_some(best.1)
    };
    if let Some(pair) = best(&mut mirror.iter().copied()) {
        return Some((pair, "the mirror pair that lies furthest apart"));
    }
    let n = points.min(NORM_POINTS);
    let mut all = (0..n).flat_map(|a| (a + 1..n).map(move |b| [a, b]));
    best(&mut all).map(|pair| (pair, "the points that lie furthest apart"))
}
