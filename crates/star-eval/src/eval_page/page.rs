//! One HTML page that needs nothing but itself.

use super::drawing::{Drawing, rules, variables};
use star_draw::svg::escape;

/// A page under construction.
pub(super) struct Page {
    /// The kind of page, above the heading.
    kind: String,
    title: String,
    lead: String,
    /// Identifier and heading of each section.
    contents: Vec<(String, String)>,
    body: String,
}

/// A column of a table.
pub(super) struct Column {
    pub name: String,
    /// Numbers end at the right.
    pub number: bool,
}

impl Column {
    pub fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            number: false,
        }
    }

    pub fn number(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            number: true,
        }
    }
}

/// A field of a table.
pub(super) struct Cell {
    text: String,
    /// A bar behind the text, 0 to 1 of the field's width.
    bar: Option<f64>,
    strong: bool,
}

impl Cell {
    /// Any text.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            bar: None,
            strong: false,
        }
    }

    /// A fraction in per cent with two decimals, a dash for what is no number.
    pub fn percent(fraction: f64) -> Self {
        Self::new(percent(fraction))
    }

    /// No bar for a fraction that is not finite.
    pub fn bar(mut self, fraction: f64) -> Self {
        self.bar = fraction.is_finite().then(|| fraction.clamp(0.0, 1.0));
        self
    }

    pub fn strong(mut self, strong: bool) -> Self {
        self.strong = strong;
        self
    }
}

/// A fraction in per cent with two decimals, without the sign; a dash for what is no number.
pub(super) fn percent(fraction: f64) -> String {
    decimals(fraction * 100.0, 2)
}

/// A number with a typographic minus; a dash for what is none.
pub(super) fn decimals(value: f64, digits: usize) -> String {
    if value.is_finite() {
        format!("{value:.digits$}").replace('-', "\u{2212}")
    } else {
        "–".into()
    }
}

/// A figure in large letters.
pub(super) struct TileText {
    pub name: String,
    pub value: String,
    pub unit: &'static str,
    pub note: String,
}

impl Page {
    pub fn new(kind: &str, title: &str, lead: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            title: title.to_owned(),
            lead: lead.to_owned(),
            contents: Vec::new(),
            body: String::new(),
        }
    }

    /// A section. `id` is a word of ours, `html` is finished; `intro` may be anything, and empty.
    pub fn section(&mut self, id: &str, heading: &str, intro: &str, html: &str) {
        self.contents.push((id.to_owned(), heading.to_owned()));
        self.body += &format!("<section id=\"{id}\">\n<h2>{}</h2>\n", escape(heading));
        if !intro.is_empty() {
            self.body += &format!("<p class=\"intro\">{}</p>\n", escape(intro));
        }
        self.body += html;
        self.body += "</section>\n";
    }

    /// The whole document.
    pub fn finish(self) -> String {
        let title = escape(&self.title);
        let contents: String = self
            .contents
            .iter()
            .map(|(id, heading)| format!("<li><a href=\"#{id}\">{}</a></li>\n", escape(heading)))
            .collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n\
             <title>{kind}: {title}</title>\n<style>\n{}{}\n{}</style>\n</head>\n<body>\n<main>\n\
             <header>\n<p class=\"eyebrow\">{kind}</p>\n<h1>{title}</h1>\n<p class=\"lead\">{}</p>\n\
             <nav aria-label=\"Sections\"><ul>\n{contents}</ul></nav>\n</header>\n{}</main>\n</body>\n</html>\n",
            variables(),
            rules(),
            include_str!("style.css"),
            escape(&self.lead),
            self.body,
            kind = escape(&self.kind),
        )
    }
}

/// A plot with its caption, which may be any text.
pub(super) fn figure(drawing: &Drawing, caption: &str) -> String {
    format!(
        "<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
        drawing.inline(),
        escape(caption)
    )
}

/// Figures beside each other where there is room.
pub(super) fn beside(figures: &[String]) -> String {
    let class = if figures.len() > 1 { "pair" } else { "plots" };
    format!("<div class=\"{class}\">\n{}</div>\n", figures.concat())
}

/// Figures in large letters.
pub(super) fn tiles(tiles: &[TileText]) -> String {
    let each = |t: &TileText| {
        format!(
            "<div><dt>{}</dt><dd><div class=\"value\">{} <small>{}</small></div><div class=\"note\">{}</div></dd></div>\n",
            escape(&t.name),
            escape(&t.value),
            escape(t.unit),
            escape(&t.note)
        )
    };
    format!(
        "<dl class=\"tiles\">\n{}</dl>\n",
        tiles.iter().map(each).collect::<String>()
    )
}

/// Names and what they mean.
pub(super) fn facts(facts: &[(String, String)]) -> String {
    let each = |(name, value): &(String, String)| {
        format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value))
    };
    format!(
        "<dl class=\"facts\">\n{}</dl>\n",
        facts.iter().map(each).collect::<String>()
    )
}

/// A table whose first column names the rows. `tall` ones scroll within a box (not in print).
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<Cell>], tall: bool) -> String {
    let class = |i: usize| match columns.get(i) {
        Some(c) if c.number => "n",
        _ => "",
    };
    let head: String = columns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            format!(
                "<th scope=\"col\" class=\"{}\">{}</th>",
                class(i),
                escape(&c.name)
            )
        })
        .collect();
    let field = |(i, cell): (usize, &Cell)| {
        let mut classes = class(i).to_owned();
        let mut style = String::new();
        if let Some(fraction) = cell.bar {
            classes += " bar";
            style = format!(" style=\"--v:{:.1}%\"", fraction * 100.0);
        }
        if cell.strong {
            classes += " better";
        }
        let text = escape(&cell.text);
        if i == 0 {
            format!("<th scope=\"row\" class=\"{classes}\">{text}</th>")
        } else {
            format!("<td class=\"{classes}\"{style}>{text}</td>")
        }
    };
    let body: String = rows
        .iter()
        .map(|row| {
            format!(
                "<tr>{}</tr>\n",
                row.iter().enumerate().map(field).collect::<String>()
            )
        })
        .collect();
    let (boxed, caption) = (if tall { " tall" } else { "" }, escape(caption));
    // A box that scrolls can be reached with the keyboard.
    format!(
        "<div class=\"scroll{boxed}\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n<caption>{caption}</caption>\n\
         <thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )
}

/// Links to the files beside the page.
pub(super) fn file_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let each = |name: &str| format!("<li><a href=\"{0}\">{0}</a></li>\n", escape(name));
    format!(
        "<ul class=\"files\">\n{}</ul>\n",
        names.map(each).collect::<String>()
    )
}
