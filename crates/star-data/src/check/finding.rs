//! What a check can find.

use serde::Serialize;

/// Whether an annotation file may be used as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training would stop here, or its figures would be wrong.
    Error,
    /// Worth a look.
    Warning,
}

/// The kinds of findings; errors first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A line that is no face.
    BadLine,
    /// Lines with another number of landmarks than the layout has.
    OtherLayout,
    /// An image that is not there.
    MissingImage,
    /// An image that cannot be decoded.
    UnreadableImage,
    /// An image that ends too early; it is used as far as it goes.
    TruncatedImage,
    /// Most landmarks outside the image: another image, or another resolution.
    PointsElsewhere,
    /// A crop that holds few of the landmarks.
    CropMisses,
    /// A face that is in two of the annotation files.
    SharedFace,
    /// Left and right seem to be swapped.
    Swapped,
    /// An image that is in two of the annotation files, with other faces.
    SharedImage,
    /// The same face twice in one annotation file.
    Duplicate,
    /// Some landmarks outside the image.
    PointsOutside,
    /// A crop that cuts landmarks off.
    CropTight,
    /// A crop in which the face is small.
    CropLoose,
    /// Landmarks that make no face: all in one place, or without the distance that errors are divided by.
    NoSize,
    /// A face shape far from all others.
    OddShape,
    /// Mirror pairs of the layout that do not fit the faces.
    MirrorPair,
}

impl Kind {
    /// All kinds, the gravest first.
    pub const ALL: [Self; 17] = [
        Self::BadLine,
        Self::OtherLayout,
        Self::MissingImage,
        Self::UnreadableImage,
        Self::TruncatedImage,
        Self::PointsElsewhere,
        Self::CropMisses,
        Self::SharedFace,
        Self::Swapped,
        Self::SharedImage,
        Self::Duplicate,
        Self::PointsOutside,
        Self::CropTight,
        Self::CropLoose,
        Self::NoSize,
        Self::OddShape,
        Self::MirrorPair,
    ];

    /// What was found, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::BadLine => "lines that are no face",
            Self::OtherLayout => "points that are not the layout's",
            Self::MissingImage => "images that are not there",
            Self::UnreadableImage => "images that cannot be read",
            Self::TruncatedImage => "images that are cut off",
            Self::PointsElsewhere => "faces mostly outside their image",
            Self::CropMisses => "crops that miss most of their face",
            Self::SharedFace => "faces that are in two annotation files",
            Self::Swapped => "left and right swapped",
            Self::SharedImage => "images in two annotation files, other faces",
            Self::Duplicate => "the same face twice in an annotation file",
            Self::PointsOutside => "points outside their image",
            Self::CropTight => "crops that cut off points",
            Self::CropLoose => "crops much larger than the face",
            Self::NoSize => "faces without a size",
            Self::OddShape => "unusual shapes",
            Self::MirrorPair => "mirror pairs that do not fit",
        }
    }

    /// Whether the annotation file may be used with it.
    pub fn severity(self) -> Severity {
        match self {
            Self::BadLine
            | Self::OtherLayout
            | Self::MissingImage
            | Self::UnreadableImage
            | Self::TruncatedImage
            | Self::PointsElsewhere
            | Self::CropMisses
            | Self::SharedFace
            | Self::Swapped => Severity::Error,
            Self::SharedImage
            | Self::Duplicate
            | Self::PointsOutside
            | Self::CropTight
            | Self::CropLoose
            | Self::NoSize
            | Self::OddShape
            | Self::MirrorPair => Severity::Warning,
        }
    }
}

/// One thing that is wrong with one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What kind of finding it is.
    pub kind: Kind,
    /// The annotation file.
    pub file: String,
    /// 1-based; 0 where it is not about a line.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

/// An annotation file that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileSummary {
    /// Its path as it was given.
    pub file: String,
    /// Lines that are faces.
    pub faces: usize,
    /// Lines that are none.
    pub bad_lines: usize,
}

/// All that a check found, ordered by kind, list and line.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// The annotation files, in the order given.
    pub files: Vec<FileSummary>,
    /// Different image files that the annotation files name.
    pub images: usize,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What could not be checked, and why.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// The findings of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| f.kind == kind)
    }

    /// How many findings are this severe.
    pub fn count(&self, severity: Severity) -> usize {
        (self.findings.iter())
            .filter(|f| f.kind.severity() == severity)
            .count()
    }
}
