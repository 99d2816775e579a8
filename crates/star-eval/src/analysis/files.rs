//! An analysis as a table for a terminal and as CSV.

use super::{Analysis, Figures};

const HEADING: &str = "heatmap %         aniso-   error % (rms)    error";
const COLUMNS: &str = "major   minor     tropy    along  across    ratio";

fn row(f: &Figures) -> String {
    format!(
        "{:>5.2}   {:>5.2}   {:>7.2}   {:>6.2}  {:>6.2}   {:>6.2}",
        f.major * 100.0,
        f.minor * 100.0,
        f.anisotropy,
        f.error_major * 100.0,
        f.error_minor * 100.0,
        f.error_ratio
    )
}

impl Analysis {
    /// The table: by role, then by NME. The points are in the CSV.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} faces, {}; lengths in per cent of the norm `{}`, along and across each heatmap's major axis\n\n",
            self.faces, self.layout, self.norm
        );
        text += &format!("{:<26}{HEADING}\n{:<26}{COLUMNS}\n", "", "points");
        text += &format!("{:<26}{}\n", "all", row(&self.all));
        for role in &self.roles {
            let name = format!("{} ({})", role.role, role.points);
            text += &format!("{name:<26}{}\n", row(&role.figures));
        }
        text += "\nfaces by NME, easiest first\n";
        for part in &self.parts {
            let [low, high] = part.nme.map(|nme| nme * 100.0);
            let name = format!("{low:.2} to {high:.2} %");
            text += &format!("{name:<26}{}\n", row(&part.all));
            for role in &part.roles {
                text += &format!("  {:<24}{}\n", role.role, row(&role.figures));
            }
        }
        let size = &self.rank_size;
        text += &format!(
            "\nrank correlation of anisotropy and error ratio, over the points: {:.2}\n\
             rank correlation of heatmap size and error, within each point over the faces: mean {:.2}, median {:.2}, from {:.2} to {:.2}; \
             above 0 at {} of {} points\n",
            self.rank_anisotropy,
            size.mean,
            size.median,
            size.least,
            size.most,
            size.positive,
            size.points
        );
        if self.without_ellipse > 0 {
            text += &format!(
                "{} heatmaps have no ellipse and are left out\n",
                self.without_ellipse
            );
        }
        if !self.excluded.is_empty() {
            text += &format!(
                "{} faces left out because their normaliser is zero or not labelled: {}\n",
                self.excluded.len(),
                self.excluded.join(", ")
            );
        }
        if !self.non_finite.is_empty() {
            text += &format!(
                "{} faces left out because their landmarks are not finite: {}\n",
                self.non_finite.len(),
                self.non_finite.join(", ")
            );
        }
        text
    }

    /// One line a point; lengths are fractions of the norm.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "point,edge,role,heatmaps,major,minor,anisotropy,error_major,error_minor,error_ratio,x,y,heatmap_xx,heatmap_xy,heatmap_yy,error_xx,error_xy,error_yy,rank_size\n",
        );
        for p in &self.points {
            let edge = p.edge.as_deref().unwrap_or_default();
            // A layout may call its edges anything.
            let edge = if edge.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", edge.replace('"', "\"\""))
            } else {
                edge.to_owned()
            };
            text += &format!("{},{edge},{},{}", p.point, p.role, p.figures.count);
            let f = &p.figures;
            for value in [
                f.major,
                f.minor,
                f.anisotropy,
                f.error_major,
                f.error_minor,
                f.error_ratio,
                p.place.x,
                p.place.y,
                p.heatmap.xx,
                p.heatmap.xy,
                p.heatmap.yy,
                p.error.xx,
                p.error.xy,
                p.error.yy,
                p.rank_size,
            ] {
                text += &format!(",{value:.6e}");
            }
            text.push('\n');
        }
        text
    }
}
