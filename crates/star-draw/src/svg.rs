//! Writing SVG: elements, attributes, escapes.

use std::fmt::Write;

/// An SVG document under construction.
#[derive(Debug, Default)]
pub struct Svg {
    body: String,
}

/// A length without superfluous digits.
pub fn length(v: f64) -> String {
    let text = format!("{v:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Text that is safe between tags and in attributes. Characters that XML does not allow are dropped.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c < ' ' || c == '\u{FFFE}' || c == '\u{FFFF}' => {}
            c => out.push(c),
        }
    }
    out
}

impl Svg {
    /// An empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// An element without content. Attribute values are written as they are: they come from this module's callers, not from users.
    pub fn element(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open_tag(name, attributes);
        self.body.push_str("/>\n");
    }

    /// A text element at (x, y). `text` may be anything.
    pub fn text(&mut self, x: f64, y: f64, class: &str, attributes: &[(&str, &str)], text: &str) {
        let (x, y) = (length(x), length(y));
        let mut all = vec![("x", x.as_str()), ("y", y.as_str()), ("class", class)];
        all.extend_from_slice(attributes);
        self.open_tag("text", &all);
        let _ = writeln!(self.body, ">{}</text>", escape(text)); // writing to a String cannot fail
    }

    /// An element with a name that viewers show when the pointer rests on it. `title` may be anything.
    pub fn titled(&mut self, name: &str, attributes: &[(&str, &str)], title: &str) {
        self.open_tag(name, attributes);
        let _ = writeln!(self.body, "><title>{}</title></{name}>", escape(title));
    }

    /// What was drawn so far, without a document around it.
    pub fn into_body(self) -> String {
        self.body
    }

    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(length);
        self.element(
            "line",
            &[
                ("x1", &x1),
                ("y1", &y1),
                ("x2", &x2),
                ("y2", &y2),
                ("class", class),
            ],
        );
    }

    /// A text element with any attributes. `text` may be anything; attribute values are written as they are.
    pub fn label(&mut self, attributes: &[(&str, &str)], text: &str) {
        self.open_tag("text", attributes);
        let _ = writeln!(self.body, ">{}</text>", escape(text)); // writing to a String cannot fail
    }

    fn open_tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let _ = write!(self.body, "<{name}");
        for (key, value) in attributes {
            let _ = write!(self.body, " {key}=\"{value}\"");
        }
    }

    /// The whole document.
    pub fn finish(self, width: f64, height: f64, title: &str, style: &str) -> String {
        let (w, h) = (length(width), length(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\">\n\
             <title>{}</title>\n<style>{style}</style>\n{}</svg>\n",
            escape(title),
            self.body
        )
    }
}
