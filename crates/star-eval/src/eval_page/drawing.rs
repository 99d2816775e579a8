//! A finished plot, and the colours of all plots: light and dark on the page, white paper in a file of its own.

use star_draw::svg::{escape, length};

/// Name, on light ground and on paper, on dark ground. The series are Okabe and Ito's colours, brighter on dark ground.
const COLORS: [(&str, &str, &str); 12] = [
    ("ground", "#ffffff", "#12151a"),
    ("card", "#f5f6f8", "#1b2027"),
    ("ink", "#1b1e23", "#e9ebee"),
    ("soft", "#565e69", "#a4adb9"),
    ("rule", "#dfe3e8", "#303741"),
    ("face", "#9aa3ae", "#6c7683"),
    ("s0", "#0072b2", "#5cb8ee"),
    ("s1", "#d55e00", "#ff9a52"),
    ("s2", "#00815e", "#35c79b"),
    ("s3", "#b0508c", "#ea97c8"),
    ("s4", "#7f6a00", "#dcc14a"),
    ("s5", "#5b5fc7", "#a9acff"),
];

/// How many colours there are for series.
pub(super) const SERIES: usize = 6;

/// Rules of every plot. Classes carry a `p-`, because on the page they share one namespace with the text.
const RULES: &str = "\
.plot text{font-family:Inter,system-ui,'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;font-size:13px;fill:var(--ink)}\
.plot .p-soft{fill:var(--soft)}.plot .p-bold{font-weight:600}.plot .p-halo{paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}\
.p-grid{stroke:var(--rule);stroke-width:1}.p-axis{stroke:var(--soft);stroke-width:1}.p-mark{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:4 4}\
.p-face{fill:none;stroke:var(--face);stroke-width:1.4;stroke-linejoin:round;stroke-linecap:round}\
.p-line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.p-dashed{stroke-dasharray:7 5}\
.p-dot{fill-opacity:.55;stroke:none}.p-area{fill-opacity:.28;stroke:none}.p-disc{fill-opacity:.85;stroke:var(--ink);stroke-width:.8;stroke-opacity:.7}\
.p-ellipse{fill-opacity:.22;stroke-width:1.5}.p-centre{fill:var(--ink)}";

/// The custom properties of the page, for its style sheet.
pub(super) fn variables() -> String {
    let block =
        |pick: fn(&(&str, &str, &str)) -> String| COLORS.iter().map(pick).collect::<String>();
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        block(|(name, light, _)| format!("--{name}:{light};")),
        block(|(name, _, dark)| format!("--{name}:{dark};")),
    )
}

/// The rules of every plot, for the page's style sheet.
pub(super) fn rules() -> String {
    let mut rules = RULES.to_owned();
    for i in 0..SERIES {
        rules += &format!(".p-fill{i}{{fill:var(--s{i})}}.p-stroke{i}{{stroke:var(--s{i})}}");
    }
    rules
}

/// One plot.
pub(super) struct Drawing {
    /// Of its file, without the ending, and of its place on the page.
    pub name: String,
    /// What it is: for the file, and for who cannot see it.
    pub title: String,
    /// What it shows, in a sentence, for who cannot see it.
    pub description: String,
    pub width: f64,
    pub height: f64,
    pub body: String,
}

impl Drawing {
    /// For the page, whose style sheet has the colours.
    pub fn inline(&self) -> String {
        self.element("", "")
    }

    /// The file: on white, every colour written out, so that programs that know little of CSS show it too.
    pub fn file(&self) -> String {
        let mut rules = rules();
        for (name, light, _) in COLORS {
            rules = rules.replace(&format!("var(--{name})"), light);
        }
        let (w, h) = (length(self.width), length(self.height));
        self.element(
            &format!(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\""),
            &format!(
                "<style>{rules}</style>\n<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n"
            ),
        )
    }

    fn element(&self, attributes: &str, head: &str) -> String {
        format!(
            "<svg{attributes} class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{name}-title {name}-text\">\n\
             <title id=\"{name}-title\">{}</title>\n<desc id=\"{name}-text\">{}</desc>\n{head}{}</svg>\n",
            length(self.width),
            length(self.height),
            escape(&self.title),
            escape(&self.description),
            self.body,
            name = self.name,
        )
    }
}

/// From dark blue over magenta to yellow: grows with `fraction` (0 to 1) in both light and dark surroundings, also without colour.
pub(super) fn heat(fraction: f64) -> String {
    const STOPS: [[f64; 3]; 5] = [
        [58.0, 20.0, 150.0],
        [138.0, 20.0, 160.0],
        [204.0, 71.0, 120.0],
        [242.0, 132.0, 75.0],
        [252.0, 206.0, 60.0],
    ];
    let at = fraction.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let low = (at.floor() as usize).min(STOPS.len() - 2);
    let t = at - low as f64;
    let [r, g, b]: [u8; 3] = std::array::from_fn(|i| {
        (STOPS[low][i] + (STOPS[low + 1][i] - STOPS[low][i]) * t).round() as u8
    });
    format!("#{r:02x}{g:02x}{b:02x}")
}
