//! An analysis as drawings.

use star_data::{Layout, Point};

use super::{Analysis, Part, Role};
use star_data::Covariance;
use star_draw::{
    Figure, Panel, Scale, Series,
    plots::{EllipseFace, Group, Stem, ellipses, lollipops, scatter},
};

impl Analysis {
    /// SVG drawings, by file name.
    pub fn plots(&self, layout: &Layout) -> Vec<(&'static str, String)> {
        vec![
            ("anisotropy.svg", self.lollipops(layout)),
            ("ellipses.svg", self.ellipses(layout)),
            ("anisotropy_error.svg", self.scatter()),
            ("hard_faces.svg", self.hard_faces()),
        ]
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.roles.iter().map(|role| role.role.name()).collect()
    }

    fn kind(&self, role: Role) -> usize {
        self.roles.iter().position(|r| r.role == role).unwrap_or(0)
    }

    fn lollipops(&self, layout: &Layout) -> String {
        let mut groups: Vec<Group> = Vec::new();
        let names = layout.edges.iter().map(|edge| Some(edge.name.as_str()));
        for name in names.chain([None]) {
            let of_edge = self.points.iter().filter(|p| p.edge.as_deref() == name);
            let stems: Vec<Stem> = of_edge
                .map(|p| Stem {
                    name: p.point.to_string(),
                    value: p.figures.anisotropy,
                    kind: self.kind(p.role),
                })
                .collect();
            if !stems.is_empty() {
                let name = name.unwrap_or("no edge").replace('_', " ");
                groups.push(Group { name, stems });
            }
        }
        lollipops(
            &format!(
                "Anisotropy of the heatmaps: {}, {} faces",
                self.layout, self.faces
            ),
            "median ratio of standard deviations, major over minor axis",
            &groups,
            &self.kinds(),
        )
    }

    fn ellipses(&self, layout: &Layout) -> String {
        let points: Vec<Point> = self.points.iter().map(|p| p.place).collect();
        let kinds: Vec<usize> = self.points.iter().map(|p| self.kind(p.role)).collect();
        let face = |name: &str, spread: &dyn Fn(usize) -> Covariance| EllipseFace {
            name: name.to_owned(),
            spreads: (0..points.len()).map(spread).collect(),
        };
        ellipses(
            &format!(
                "Mean face with ellipses of two standard deviations: {}, {} faces",
                self.layout, self.faces
            ),
            &points,
            &layout.edges,
            &[
                face("covariance of the heatmaps", &|i| self.points[i].heatmap),
                face("covariance of the errors", &|i| self.points[i].error),
            ],
            &kinds,
            &self.kinds(),
        )
    }

    fn scatter(&self) -> String {
        let dots: Vec<(f64, f64, usize)> = self
            .points
            .iter()
            .map(|p| {
                (
                    p.figures.anisotropy,
                    p.figures.error_ratio,
                    self.kind(p.role),
                )
            })
            .collect();
        // Points that are all alike have no order to compare.
        let rank = match self.rank_anisotropy {
            rank if rank.is_finite() => format!("rank correlation {rank:.2}"),
            _ => "no rank correlation".into(),
        };
        scatter(
            &format!("Anisotropy of errors against that of heatmaps, one dot a landmark; {rank}"),
            "anisotropy of the heatmap (median, major over minor)",
            "error along over error across the major axis (medians)",
            &dots,
            &self.kinds(),
        )
    }

    fn hard_faces(&self) -> String {
        let series = |name: &str, value: &dyn Fn(&Part) -> f64| {
            let points = self.parts.iter().enumerate();
            let points = points.map(|(i, part)| (i as f64 + 1.0, value(part)));
            Series::new(name, points.collect())
        };
        let of_roles = |value: fn(&super::Figures) -> f64| -> Vec<Series> {
            let roles = self.roles.iter().map(|r| r.role);
            roles
                .map(|role| {
                    series(role.name(), &|part: &Part| {
                        let found = part.roles.iter().find(|r| r.role == role);
                        found.map_or(f64::NAN, |r| value(&r.figures))
                    })
                })
                .collect()
        };
        let percent = |f: f64| f * 100.0;
        Figure {
            title: format!(
                "From easy to hard faces: {}, {} faces",
                self.layout, self.faces
            ),
            x_name: "quarter of the faces by NME, 1 the easiest".into(),
            panels: vec![
                Panel::new(
                    "all points, % of the norm",
                    Scale::Linear,
                    vec![
                        series("error along", &|p| percent(p.all.error_major)),
                        series("error across", &|p| percent(p.all.error_minor)),
                        series("heatmap, major axis", &|p| percent(p.all.major)).dashed(),
                        series("heatmap, minor axis", &|p| percent(p.all.minor)).dashed(),
                    ],
                )
                .height(1.2),
                Panel::new(
                    "anisotropy of heatmaps",
                    Scale::Linear,
                    of_roles(|f| f.anisotropy),
                ),
                Panel::new(
                    "error along over error across",
                    Scale::Linear,
                    of_roles(|f| f.error_ratio),
                ),
            ],
            marks: vec![],
        }
        .to_svg()
    }
}
