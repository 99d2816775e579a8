//! `star eval --report` and `star compare`, as a user types them.

mod support;

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use support::{Folder, TINY, text};

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text(&bytes)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).expect("JSON")
}

/// A CSV's header and rows; fields in quotes may hold commas.
fn csv(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let parse = |line: &str| {
        let mut fields = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match (c, quoted, fields.last_mut()) {
                ('"', ..) => quoted = !quoted,
                (',', false, _) => fields.push(String::new()),
                (c, _, Some(field)) => field.push(c),
                _ => {}
            }
        }
        fields
    };
    let text = read(path);
    let mut rows = text.lines().map(parse);
    let head = rows.next().expect("a header");
    let rows: Vec<Vec<String>> = rows.collect();
    for row in &rows {
        assert_eq!(row.len(), head.len(), "{}: {row:?}", path.display());
    }
    (head, rows)
}

/// The numbers of a column.
#[track_caller]
fn column(path: &Path, name: &str) -> Vec<f64> {
    let (head, rows) = csv(path);
    let at = head.iter().position(|h| h == name).expect("the column");
    let number = |row: &Vec<String>| row[at].parse().expect("a number");
    rows.iter().map(number).collect()
}

/// The page holds these sections, has a text for every image, and asks nobody for anything.
#[track_caller]
fn assert_whole(dir: &Path, sections: &[&str]) {
    let page = read(&dir.join("index.html"));
    for id in sections {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "no {id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "no link to {id}");
    }
    assert!(!page.contains("http"), "the page names an address");
    for forbidden in ["<script", "@import", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert_eq!(
        page.matches("<img ").count(),
        page.matches(" alt=\"").count()
    );
    assert_eq!(
        page.matches("src=\"").count(),
        page.matches("src=\"data:image/jpeg;base64,").count()
    );
    assert_eq!(page.matches("<svg").count(), page.matches("<desc").count());
    // Every identifier once, and every element closed.
    let ids: Vec<&str> = page
        .split(" id=\"")
        .skip(1)
        .filter_map(|s| s.split('"').next())
        .collect();
    let distinct: BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "{ids:?}");
    for tag in [
        "section", "figure", "svg", "table", "tr", "ul", "li", "div", "dl",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // The plots' own files know no custom properties and name one address only, which is SVG's name.
    for entry in std::fs::read_dir(dir).expect("the folder") {
        let path = entry.expect("a file").path();
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        assert_ne!(extension, "partial");
        if extension == "svg" {
            let svg = read(&path);
            assert_eq!(svg.matches("http").count(), 1, "{}", path.display());
            assert!(svg.contains("xmlns=\"http://www.w3.org/2000/svg\""));
            assert!(!svg.contains("var("), "{}", path.display());
        }
        if extension == "csv" {
            csv(&path);
        }
    }
}

/// A run of a network that has hardly learnt anything, and an annotation file of faces whose images are its contact sheet's.
fn folder_with_run() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY.replace("epochs = 3", "epochs = 1"));
    folder.succeed(&["train", "--config", "tiny.toml", "--out", "run"]);
    let mut list = String::new();
    for face in 0..3 {
        // Points on a ring, in the tile of the sheet.
        let center = 118.0 + 230.0 * f64::from(face);
        let points: Vec<String> = (0..29)
            .flat_map(|i| {
                let angle = f64::from(i) * 0.7;
                [
                    center + 60.0 * angle.cos(),
                    118.0 + (50.0 + f64::from(face)) * angle.sin(),
                ]
            })
            .map(|v| format!("{v:.3}"))
            .collect();
        list += &format!(
            "run/report/test_faces.png\t{}\t{}\t1.0\t{center}\t118\t\n",
            ["0"; 10].join(","),
            points.join(",")
        );
    }
    folder.write("faces, \"three\".tsv", list);
    folder
}

#[test]
fn the_page_about_an_evaluation_is_whole_and_its_tables_are_the_figures() {
    let folder = folder_with_run();
    let eval = |report: &str| {
        let args = [
            "eval",
            "--weights",
            "run/weights/best.safetensors",
            "--annotations",
            "faces, \"three\".tsv",
            "--images",
            ".",
            "--json",
            "figures.json",
            "--report",
            report,
        ];
        assert!(folder.succeed(&args).contains("index.html"));
    };
    eval("report");
    let dir = folder.join("report");
    assert_whole(
        &dir,
        &[
            "figures",
            "ced",
            "points",
            "ambiguity",
            "size",
            "worst",
            "best",
            "table",
            "files",
        ],
    );
    let page = read(&dir.join("index.html"));
    assert!(page.contains("faces, &quot;three&quot;") && page.contains("held-out"));
    assert_eq!(page.matches("<img ").count(), 3, "no face twice");

    let figures = json(&folder.join("figures.json"));
    assert_eq!(figures, json(&dir.join("scores.json")));
    let nme = figures["nme"].as_f64().expect("NME");
    assert_eq!(column(&dir.join("figures.csv"), "nme"), [nme]);
    assert_eq!(
        column(&dir.join("figures.csv"), "fr_published"),
        [figures["fr"].as_f64().expect("FR")]
    );
    assert_eq!(
        column(&dir.join("figures.csv"), "auc"),
        [figures["plain"]["auc"].as_f64().expect("AUC")]
    );
    let faces: Vec<f64> = figures["per_face"]
        .as_array()
        .expect("faces")
        .iter()
        .filter_map(|f| f["nme"].as_f64())
        .collect();
    assert_eq!(column(&dir.join("faces.csv"), "nme"), faces);
    // The mean of the points' errors is the mean of the faces'.
    let points = column(&dir.join("points.csv"), "error_mean");
    assert_eq!(points.len(), 29);
    assert!((points.iter().sum::<f64>() / 29.0 - nme).abs() < 1e-12);
    for variance in ["predicted_xx", "predicted_yy", "observed_xx", "observed_yy"] {
        let values = column(&dir.join("points.csv"), variance);
        assert!(
            values.iter().all(|v| *v >= 0.0 && v.is_finite()),
            "{variance}"
        );
    }
    let fractions = column(&dir.join("ced.csv"), "all");
    assert!(fractions.is_sorted() && fractions.iter().all(|s| (0.0..=1.0).contains(s)));

    // The same faces and weights give the same bytes.
    eval("again");
    for entry in std::fs::read_dir(&dir).expect("the folder") {
        let name = entry.expect("a file").file_name();
        let same = read(&dir.join(&name)) == read(&folder.join("again").join(&name));
        assert!(same, "{}", name.display());
    }

    // And the folder can be compared, here with a file of its own figures.
    let out = folder.succeed(&["compare", "report", "figures.json", "run/../again"]);
    assert!(
        out.contains("3 faces") && out.contains("+0.00 to +0.00"),
        "{out}"
    );
    let message = folder.fail(&["compare", "report", "run"]);
    assert!(message.contains("cannot be compared"), "{message}");
}

/// Scores of `nmes` as `star eval --json` writes them.
fn scores(title: &str, nmes: &[f64]) -> String {
    let faces: Vec<Value> = nmes
        .iter()
        .enumerate()
        .map(|(i, nme)| serde_json::json!({"image": format!("a,<b>/{i}.jpg"), "nme": nme}))
        .collect();
    let both = serde_json::json!({"plain": 0.1, "published": 0.1});
    serde_json::json!({
        "title": title, "nme": 0.0, "fr": 0.0, "auc": 0.0, "plain": {"fr": 0.0, "auc": 0.0},
        "thresholds": both, "norm": "ocular", "faces": nmes.len(), "excluded": [], "per_face": faces,
    })
    .to_string()
}

#[test]
fn a_comparison_finds_the_better_one_and_its_page_is_whole() {
    let folder = Folder::new();
    let good: Vec<f64> = (0..60).map(|i| 0.03 + 0.001 * f64::from(i % 17)).collect();
    let worse: Vec<f64> = good
        .iter()
        .enumerate()
        .map(|(i, e)| e + if i % 3 == 0 { -0.001 } else { 0.004 })
        .collect();
    folder.write("good.json", scores("A & <B>", &good));
    folder.write("worse.json", scores("second", &worse));
    // A face without a norm is null in JSON.
    folder.write(
        "gap.json",
        scores("third", &good)
            .replacen("\"nme\":0.03,", "\"nme\":null,", 1)
            .replacen("\"nme\":0.03}", "\"nme\":null}", 1),
    );

    let args = ["compare", "good.json", "worse.json", "--out", "page"];
    let out = folder.succeed(&args);
    assert!(
        out.contains("60 faces") && out.contains("good  worse  -0.23"),
        "{out}"
    );
    for words in ["percentage points", "significant at 95 %", "good better"] {
        assert!(out.contains(words), "no `{words}` in\n{out}");
    }
    let dir = folder.join("page");
    assert_whole(&dir, &["figures", "pairs", "ced", "faces", "files"]);
    let pairs = dir.join("pairs.csv");
    let only = |name| column(&pairs, name)[0];
    let expected: f64 = good.iter().zip(&worse).map(|(a, b)| a - b).sum::<f64>() / 60.0;
    assert!((only("difference") - expected).abs() < 1e-15);
    assert!(only("low") < expected && expected < only("high") && only("high") < 0.0);
    assert!(
        (only("a_better") - 2.0 / 3.0).abs() < 1e-12
            && (only("b_better") - 1.0 / 3.0).abs() < 1e-12
    );
    assert_eq!(column(&dir.join("faces.csv"), "worse"), worse);

    assert_eq!(out, folder.succeed(&args), "seeded");
    assert_ne!(
        out,
        folder.succeed(&[
            "compare",
            "good.json",
            "worse.json",
            "--seed",
            "5",
            "--resamples",
            "200"
        ])
    );

    let out = folder.succeed(&["compare", "good.json", "gap.json"]);
    assert!(
        out.contains("59 faces") && out.contains("left out"),
        "{out}"
    );
}

/// A face without finite landmarks is null too, but a failure of that network, and in sight.
#[test]
fn a_comparison_counts_faces_without_finite_landmarks_as_failures() {
    let folder = Folder::new();
    let nmes = [0.03, 0.04, 0.05, 0.06];
    folder.write("good.json", scores("good", &nmes));
    let mut broken: Value = serde_json::from_str(&scores("broken", &nmes)).expect("JSON");
    broken["non_finite"] = serde_json::json!(["a,<b>/1.jpg"]);
    broken["per_face"][1]["nme"] = Value::Null;
    broken["per_face"][2] =
        serde_json::json!({"image": "a,<b>/2.jpg", "nme": null, "excluded": true});
    folder.write("broken.json", broken.to_string());
    let out = folder.succeed(&["compare", "good.json", "broken.json", "--out", "page"]);
    assert!(out.contains("3 faces"), "{out}");
    assert!(out.contains("not labelled: a,<b>/2.jpg"), "{out}");
    assert!(out.contains("A - B: a,<b>/1.jpg"), "{out}");
    let figures = folder.join("page/figures.csv");
    assert_eq!(column(&figures, "fr"), [0.0, 1.0 - 2.0 / 3.0]);
    assert_eq!(column(&figures, "non_finite"), [0.0, 1.0]);
    assert_eq!(column(&figures, "nme"), [0.045, 0.045]);
    assert_eq!(column(&folder.join("page/pairs.csv"), "difference"), [0.0]);
    assert_whole(
        &folder.join("page"),
        &["figures", "pairs", "ced", "faces", "files"],
    );
}

#[test]
fn what_cannot_be_compared_is_refused_with_a_way_out() {
    let folder = Folder::new();
    folder.write("a.json", scores("a", &[0.1, 0.2]));
    folder.write("short.json", scores("b", &[0.1]));
    folder.write("broken.json", "{\"title\": 1}");
    folder.write("empty.json", scores("none", &[]));
    std::fs::create_dir(folder.join("folder")).expect("a folder");
    for (other, words) in [
        ("short.json", "2 faces, the other 1"),
        ("broken.json", "line 1"),
        ("empty.json", "there must be faces"),
        ("missing.json", "there is no missing.json"),
        ("folder", "neither report/test.json"),
    ] {
        let message = folder.fail(&["compare", "a.json", other]);
        assert!(message.contains(words), "{message}");
    }
    let alone = folder.star(&["compare", "a.json"]);
    assert!(!alone.status.success());
}
