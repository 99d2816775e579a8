//! Preparing landmarks of one's own: what is written, and what is said about files that are wrong.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use image::{Rgb, RgbImage};
use star_data::{
    CropRule, Layout, TsvFaces, TsvRow,
    prepare::{CustomConfig, PrepareConfig, PrepareReport, find_points, prepare_custom},
};

/// Three points in a row.
const LAYOUT: &str = r#"
name = "three"
points = 3
threshold = 0.1
flip_offset = 1
mirror = [[0, 2]]
default_norm = "width"
norms = { width = { left = [0], right = [2] } }
"#;
const HEADER: &str = "image,x0,y0,x1,y1,x2,y2";

/// A folder of its own for each test, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    /// With images `0.png` to `9.png` of 80 x 60 pixels.
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "star-custom-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        for n in 0..10 {
            let image = RgbImage::from_fn(80, 60, |x, y| Rgb([x as u8, y as u8, n]));
            image.save(path.join(format!("{n}.png"))).unwrap();
        }
        Self(path)
    }

    fn out(&self) -> PathBuf {
        self.0.join("lists")
    }

    fn config(&self, file: &str, text: &str) -> CustomConfig {
        let points = self.0.join(file);
        fs::write(&points, text).unwrap();
        CustomConfig {
            points,
            layout: layout(),
            test_fraction: None,
            seed: None,
            one_based: false,
            common: PrepareConfig::default(),
        }
    }

    fn prepare(&self, config: &CustomConfig) -> PrepareReport {
        prepare_custom(&self.0, self.out(), config).unwrap()
    }

    /// The message of a file that cannot be read as a whole; nothing is written.
    #[track_caller]
    fn refuses(&self, file: &str, text: &str) -> String {
        let config = self.config(file, text);
        let error = prepare_custom(&self.0, self.out(), &config).unwrap_err();
        assert!(!self.out().exists());
        error.to_string()
    }

    fn rows(&self, list: &str) -> Vec<TsvRow> {
        let list = TsvFaces::open(self.out().join(list), &self.0, layout()).unwrap();
        list.rows().to_vec()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn layout() -> Layout {
    Layout::from_toml_str(LAYOUT, Path::new("layout.toml")).unwrap()
}

/// A usable row for image `n`, without the split.
fn row(n: usize) -> String {
    format!("{n}.png,10,20,30,{},50,20", 30 + n)
}

fn table(header: &str, rows: &[String]) -> String {
    format!("{header}\n{}\n", rows.join("\n"))
}

fn told(report: &PrepareReport) -> Vec<String> {
    report.skipped.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "lacks `{part}`: {message}");
    }
}

#[test]
fn splits_columns_in_any_order_and_boxes() {
    let scratch = Scratch::new();
    let header = "split,box_w,box_h,box_x,box_y,y2,x2,y1,x1,y0,x0,image,by";
    let line = |n: usize, split: &str| format!("{split},30,20,8,12,20,50,35,30,20,10,{n}.png,me");
    let rows = [line(0, "train"), line(1, "Val"), line(2, "train")];
    let config = scratch.config("points.csv", &table(header, &rows));
    let report = scratch.prepare(&config);
    assert_eq!(told(&report), [""; 0]);
    let lists: Vec<(&str, usize)> = (report.splits.iter())
        .map(|s| (s.name.as_str(), s.faces))
        .collect();
    assert_eq!(lists, [("train", 2), ("val", 1)]);
    assert_says(
        &report.notes.join("\n"),
        &["column by", "3 of 3 faces have points outside their crop"],
    );
    let face = &scratch.rows("val.tsv")[0];
    assert_eq!(face.path, "1.png");
    assert_eq!((face.landmarks[2].x, face.landmarks[1].y), (50.0, 35.0));
    // The box, not the landmarks: 30 x 20 at (8, 12).
    assert_eq!(
        (face.crop.center.x, face.crop.center.y, face.crop.scale),
        (23.0, 22.0, 0.18)
    );
}

#[test]
fn csv_and_json_of_the_same_faces_give_the_same_lists() {
    let scratch = Scratch::new();
    let rows: Vec<String> = (0..4).map(row).collect();
    let csv = scratch.config("points.csv", &table(HEADER, &rows));
    let items: Vec<String> = (0..4)
        .map(|n| {
            format!(
                "{{\"image\": \"{n}.png\",\n \"points\": [[10, 20], [30, {}], [50, 20]]}}",
                30 + n
            )
        })
        .collect();
    let json = scratch.config("points.json", &format!("[\n{}\n]\n", items.join(",\n")));
    let read = |config: &CustomConfig| {
        let report = scratch.prepare(config);
        assert_eq!(told(&report), [""; 0]);
        ["train.tsv", "test.tsv"].map(|list| fs::read(scratch.out().join(list)).unwrap())
    };
    let lists = read(&csv);
    assert_eq!(lists, read(&json));
    assert_eq!(lists, read(&csv), "a second run");
    let face = &scratch.rows("train.tsv")[0];
    assert_eq!(face.crop.scale, 40.0 * CropRule::default().margin / 200.0);
}

/// What a spreadsheet saves where commas are decimal, and with tabs.
#[test]
fn semicolons_tabs_and_decimal_commas() {
    let scratch = Scratch::new();
    let rows: Vec<String> = (0..4).map(|n| row(n).replace(",20,", ",20.5,")).collect();
    let comma = table(HEADER, &rows);
    let semicolon = comma
        .replace(',', ";")
        .replace('.', ",")
        .replace(",png", ".png");
    assert!(semicolon.contains("0.png;10;20,5;30;30;50;20"));
    let mut lists = Vec::new();
    for text in [
        comma.clone(),
        semicolon.clone(),
        format!("\u{feff}{}", semicolon.replace('\n', "\r\n")),
        comma.replace(',', "\t"),
    ] {
        let report = scratch.prepare(&scratch.config("points.csv", &text));
        assert_eq!(told(&report), [""; 0]);
        lists.push(fs::read(scratch.out().join("train.tsv")).unwrap());
        assert_eq!(scratch.rows("train.tsv")[0].landmarks[0].y, 20.5);
    }
    assert!(lists.iter().all(|list| *list == lists[0]));
    let thousands = semicolon.replacen("20,5", "1,020,5", 1);
    let report = scratch.prepare(&scratch.config("points.csv", &thousands));
    assert_says(&told(&report)[0], &["points.csv:2: y0 is `1,020,5`"]);
}

/// Columns `v0`, ... and the key `visibility`.
#[test]
fn a_point_may_be_hidden() {
    let scratch = Scratch::new();
    let header = format!("{HEADER},v2,v0,v1");
    let flags = |n: usize| ["2,1,0", ",,", "0,,2", "1,1,1"][n];
    let rows: Vec<String> = (0..4).map(|n| format!("{},{}", row(n), flags(n))).collect();
    let csv = scratch.config("points.csv", &table(&header, &rows));
    let flags = |n: usize| ["[1, 0, 2]", "[2, 2, 2]", "[2, 2, 0]", "[1, 1, 1]"][n];
    let items: Vec<String> = (0..4)
        .map(|n| {
            let y = 30 + n;
            format!(
                "{{\"image\": \"{n}.png\", \"points\": [[10, 20], [30, {y}], [50, 20]], \"visibility\": {}}}",
                flags(n)
            )
        })
        .collect();
    let json = scratch.config("points.json", &format!("[\n{}\n]\n", items.join(",\n")));
    let read = |config: &CustomConfig| {
        let config = CustomConfig {
            test_fraction: Some(0.0),
            ..config.clone()
        };
        assert_eq!(told(&scratch.prepare(&config)), [""; 0]);
        fs::read(scratch.out().join("train.tsv")).unwrap()
    };
    assert_eq!(read(&csv), read(&json));
    let faces = scratch.rows("train.tsv");
    let state = |n: usize| -> String {
        let hidden = faces[n].occluded.as_ref().expect("flags");
        let points = faces[n].landmarks.iter().zip(hidden);
        let state = points.map(|(p, &hidden)| match (p.is_labelled(), hidden) {
            (false, _) => '-',
            (true, true) => 'h',
            (true, false) => 'v',
        });
        state.collect()
    };
    assert_eq!([0, 1, 2, 3].map(state), ["h-v", "vvv", "vv-", "hhh"]);

    let wrong = [
        row(0) + ",3,,",
        row(1).replace(",50,20", ",,") + ",2,,",
        row(2) + ",,,",
    ];
    let config = CustomConfig {
        test_fraction: Some(0.0),
        ..scratch.config("points.csv", &table(&header, &wrong))
    };
    let report = scratch.prepare(&config);
    assert_says(&told(&report)[0], &["visibility of point 2 is `3`"]);
    assert_says(&told(&report)[1], &["x2 is empty"]);
}

/// Empty cells and `null`.
#[test]
fn a_point_may_have_no_label() {
    let scratch = Scratch::new();
    let rows: Vec<String> = (0..4).map(|n| row(n).replace(",50,20", ",,")).collect();
    let csv = scratch.config("points.csv", &table(HEADER, &rows));
    let items: Vec<String> = (0..4)
        .map(|n| {
            let y = 30 + n;
            format!("{{\"image\": \"{n}.png\", \"points\": [[10, 20], [30, {y}], null]}}")
        })
        .collect();
    let json = scratch.config("points.json", &format!("[\n{}\n]\n", items.join(",\n")));
    let mut lists = Vec::new();
    for config in [csv, json] {
        let report = scratch.prepare(&config);
        assert_eq!(told(&report), [""; 0]);
        lists.push(fs::read(scratch.out().join("train.tsv")).unwrap());
        let face = &scratch.rows("train.tsv")[0];
        let labelled: Vec<bool> = face.landmarks.iter().map(|p| p.is_labelled()).collect();
        assert_eq!(labelled, [true, true, false]);
        // The crop is that of the points that are there.
        assert_eq!(face.crop.center.x, 20.0);
    }
    assert_eq!(lists[0], lists[1]);

    let none = row(1).replace("10,20,30,31,50,20", ",,,,,");
    let report =
        scratch.prepare(&scratch.config("points.csv", &table(HEADER, &[row(0), none, row(2)])));
    assert_says(
        &told(&report).join("\n"),
        &["points.csv:3", "no point is labelled"],
    );
}

#[test]
fn pixels_from_one() {
    let scratch = Scratch::new();
    let text = table(&format!("{HEADER},split"), &[row(0) + ",test"]);
    let config = CustomConfig {
        one_based: true,
        ..scratch.config("points.csv", &text)
    };
    scratch.prepare(&config);
    let face = &scratch.rows("test.tsv")[0];
    assert_eq!((face.landmarks[0].x, face.landmarks[0].y), (9.0, 19.0));
}

#[test]
fn the_seeded_share_keeps_images_together() {
    let scratch = Scratch::new();
    // The first image is also there under another name.
    fs::copy(scratch.0.join("0.png"), scratch.0.join("again.png")).unwrap();
    let mut rows: Vec<String> = (0..20).map(|i| row(i % 10)).collect();
    rows.push(row(0).replace("0.png", "again.png"));
    let text = table(HEADER, &rows);
    let mut tests = Vec::new();
    for seed in 0..8 {
        let config = CustomConfig {
            test_fraction: Some(0.3),
            seed: Some(seed),
            ..scratch.config("points.csv", &text)
        };
        let report = scratch.prepare(&config);
        assert_says(
            &report.notes.join("\n"),
            &["3 of 10 images", &format!("seed {seed}")],
        );
        assert_eq!(report.leaks.len(), 0);
        let names = |list: &str| -> Vec<String> {
            let mut names: Vec<String> = scratch.rows(list).into_iter().map(|r| r.path).collect();
            names.dedup();
            names.sort();
            names.dedup();
            names
        };
        let (train, test) = (names("train.tsv"), names("test.tsv"));
        assert!(train.iter().all(|name| !test.contains(name)));
        assert_eq!(train.len() + test.len(), 11);
        tests.push(test);
    }
    tests.sort();
    tests.dedup();
    assert!(tests.len() > 1, "the seed decides nothing");

    let all = CustomConfig {
        test_fraction: Some(0.0),
        ..scratch.config("points.csv", &text)
    };
    let report = scratch.prepare(&all);
    assert_eq!(report.splits.len(), 1);

    let one = CustomConfig {
        test_fraction: Some(0.5),
        ..scratch.config("points.csv", &table(HEADER, &[row(0)]))
    };
    let message = prepare_custom(&scratch.0, scratch.out(), &one).unwrap_err();
    assert_says(&message.to_string(), &["0.5", "--test-fraction"]);
}

#[test]
fn groups_stay_together_and_reach_the_lists() {
    let scratch = Scratch::new();
    // Images 0 to 9: three of patient a, three of b, two of c; 8 is of nobody; 9 shows a and b.
    let patient = |n: usize| ["a", "a", "a", "b", "b", "b", "c", "c", "", "a"][n];
    let mut rows: Vec<String> = (0..10)
        .map(|n| format!("{},{}", row(n), patient(n)))
        .collect();
    let items: Vec<String> = (0..10)
        .map(|n| {
            format!(
                "{{\"image\": \"{n}.png\", \"points\": [[10, 20], [30, {}], [50, 20]], \"group\": \"{}\"}}",
                30 + n,
                patient(n)
            )
        })
        .collect();
    let header = format!("{HEADER},group");
    let csv = table(&header, &rows);
    let json = format!("[{}]", items.join(","));
    rows.push(format!("{},b", row(9)));
    let linked = table(&header, &rows);
    let prepare = |file: &str, text: &str, seed: u64| {
        let config = CustomConfig {
            test_fraction: Some(0.4),
            seed: Some(seed),
            ..scratch.config(file, text)
        };
        let report = scratch.prepare(&config);
        assert_eq!(told(&report), [""; 0]);
        (
            report.notes.join("\n"),
            scratch.rows("train.tsv"),
            scratch.rows("test.tsv"),
        )
    };
    let patients = |rows: &[TsvRow]| -> BTreeSet<Option<String>> {
        rows.iter().map(|r| r.group.clone()).collect()
    };
    for seed in 0..8 {
        let (notes, train, test) = prepare("points.csv", &csv, seed);
        // 0.4 of a, b, c and image 8.
        assert_says(&notes, &["2 of 4 groups", &format!("seed {seed}")]);
        assert!(patients(&train).is_disjoint(&patients(&test)));
        assert_eq!(train.len() + test.len(), 10);
        let of = |name: &str| {
            (train.iter().chain(&test))
                .find(|r| r.path == name)
                .expect("there")
                .group
                .clone()
        };
        assert_eq!((of("4.png").as_deref(), of("8.png")), (Some("b"), None));
        let (_, from_json, _) = prepare("points.json", &json, seed);
        assert_eq!(from_json, train);
        // An image of two groups makes one of them.
        let (notes, train, test) = prepare("points.csv", &linked, seed);
        assert_says(&notes, &["1 of 3 groups"]);
        assert!(patients(&train).is_disjoint(&patients(&test)));
    }
}

#[test]
fn a_group_belongs_to_one_split() {
    let scratch = Scratch::new();
    let rows = [
        row(0) + ",a,train",
        row(1) + ",b,test",
        row(2) + ",a,test",
        row(3) + ",,test",
        row(4) + ",a,train",
    ];
    let text = table(&format!("{HEADER},group,split"), &rows);
    let report = scratch.prepare(&scratch.config("points.csv", &text));
    assert_eq!(report.faces, 4);
    let told = told(&report);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_says(
        &told[0],
        &[
            "points.csv:4: ",
            "group a",
            "split test",
            "split train on line 2",
        ],
    );
}

#[test]
fn rows_that_cannot_be_used_are_named_with_line_and_reason() {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("text.png"), "not an image").unwrap();
    let good = |n: usize| row(n) + ",train";
    let rows = [
        good(0),                                     // line 2
        String::new(),                               // a blank line does not shift the count
        good(1).replace(",10,", ",1o,"),             // 4
        good(1).replace(",20,30,", ",20,,"),         // 5
        row(1),                                      // 6
        good(1).replace(",10,", ",nan,"),            // 7
        good(1).replace(",10,", ",1e9,"),            // 8
        "absent.png,10,20,30,30,50,20,train".into(), // 9
        "text.png,10,20,30,30,50,20,train".into(),   // 10
        row(0) + ",test",                            // 11
        row(1) + ",",                                // 12
        row(1) + ",../x",                            // 13
        "1.png,.1,.2,.3,.4,.5,.2,train".into(),      // 14
        "1.png,100,20,130,30,150,20,train".into(),   // 15
        "1.png,10,20,30,30,10,20,train".into(),      // 16
        ",10,20,30,30,50,20,train".into(),           // 17
        ",,,,,,,".into(),                            // a spreadsheet's empty row
        good(2),
    ];
    let expected: [(usize, &[&str]); 14] = [
        (4, &["x0", "`1o`"]),
        (5, &["x1 is empty"]),
        (6, &["7 values", "8 columns"]),
        (7, &["x0 is NaN"]),
        (8, &["x0"]),
        (9, &["absent.png"]),
        (10, &["text.png", "image"]),
        (11, &["0.png", "split test", "split train on line 2"]),
        (12, &["split is empty"]),
        (13, &["../x"]),
        (14, &["between 0 and 1"]),
        (15, &["outside", "80 x 60"]),
        (16, &["norm `width`"]),
        (17, &["image is empty"]),
    ];
    // Windows' line ends too.
    for ends in ["\n", "\r\n"] {
        let text = table(&format!("{HEADER},split"), &rows).replace('\n', ends);
        let report = scratch.prepare(&scratch.config("points.csv", &text));
        assert_eq!(report.faces, 2);
        let skipped = &report.skipped;
        assert_eq!(skipped.len(), expected.len(), "{:#?}", told(&report));
        for (complaint, (line, parts)) in skipped.iter().zip(expected) {
            let text = complaint.to_string();
            assert!(text.starts_with(&format!("points.csv:{line}: ")), "{text}");
            assert_says(&text, parts);
        }
    }
}

#[test]
fn a_box_has_a_width_and_a_height() {
    let scratch = Scratch::new();
    let header = format!("{HEADER},box_x,box_y,box_w,box_h");
    let rows = [
        row(0) + ",5,5,0,20",
        row(1) + ",5,5,50,50",
        row(2) + ",5,5,50,50",
    ];
    let report = scratch.prepare(&scratch.config("points.csv", &table(&header, &rows)));
    assert_eq!(report.faces, 2);
    assert_says(&told(&report)[0], &["points.csv:2: ", "0 x 20"]);
}

#[test]
fn headers() {
    let scratch = Scratch::new();
    let refuses = |header: &str| {
        let message = scratch.refuses("points.csv", &table(header, &[row(0)]));
        assert_says(&message, &["points.csv:1: "]);
        message
    };
    let missing = "image,x0,y0,x1,y1,x2";
    assert_says(
        &refuses(missing),
        &["`y2` is missing", "three has 3 points"],
    );
    assert_says(
        &refuses(&format!("{HEADER},x0")),
        &["`x0`", "column 2", "column 8"],
    );
    assert_says(&refuses(&format!("{HEADER},x3,y3")), &["`x3`", "3 points"]);
    assert_says(
        &refuses(&format!("{HEADER},box_x")),
        &["`box_y`", "`box_h`"],
    );
    assert_says(&refuses("image,x1,y1,x2,y2,x3,y3"), &["`x0`", "from 0"]);
    assert_says(&refuses(&row(0)), &["first line must name the columns"]);
}

#[test]
fn a_quote_that_is_never_closed_is_told() {
    let scratch = Scratch::new();
    let rows: Vec<String> = (0..5).map(row).collect();
    let text = table(HEADER, &rows).replacen(&rows[1], &format!("\"{}", rows[1]), 1);
    assert_says(
        &scratch.refuses("points.csv", &text),
        &["points.csv:3: ", "a quote", "the 3 lines below it"],
    );
}

#[test]
fn whole_files() {
    let scratch = Scratch::new();
    assert_says(
        &scratch.refuses("points.csv", " \n"),
        &["points.csv:1", "empty"],
    );
    assert_says(&scratch.refuses("points.csv", HEADER), &["no faces"]);
    assert_says(&scratch.refuses("points.json", "[]"), &["no faces"]);
    assert_says(&scratch.refuses("points.txt", "x"), &[".csv and .json"]);
    let message = scratch.refuses("points.json", "[\n{\"image\": \"a\"},\n]");
    assert_says(&message, &["points.json:3: column 1", "trailing comma"]);
    assert_says(
        &scratch.refuses("points.json", "{}"),
        &["points.json:1", "list"],
    );
    let message = scratch.refuses(
        "points.csv",
        &table(HEADER, &["9999.png,1,2,3,4,5,6".into()]),
    );
    assert_says(&message, &["three", "1 rows were left out", "9999.png"]);

    let both = scratch.config(
        "points.csv",
        &table(&format!("{HEADER},split"), &[row(0) + ",train"]),
    );
    let seeded = CustomConfig {
        seed: Some(3),
        ..both
    };
    let message = prepare_custom(&scratch.0, scratch.out(), &seeded).unwrap_err();
    assert_says(&message.to_string(), &["splits", "--seed"]);

    let message = find_points(&scratch.0).unwrap_err().to_string();
    assert_says(&message, &["both points.csv and points.json", "--points"]);
    fs::remove_file(scratch.0.join("points.csv")).unwrap();
    assert_eq!(
        find_points(&scratch.0).unwrap(),
        scratch.0.join("points.json")
    );
    fs::remove_file(scratch.0.join("points.json")).unwrap();
    let message = find_points(&scratch.0).unwrap_err().to_string();
    assert_says(&message, &["neither points.csv nor points.json"]);
}

#[test]
fn json_items_are_named_with_their_lines() {
    let scratch = Scratch::new();
    let text = r#"[
  {"image": "0.png", "points": [[10, 20], [30, 30], [50, 20]], "split": "train", "id": 7},
  {"image": "1.png",
   "points": [[10, 20], ["30", 30], [50, 20]], "split": "train"},
  {"image": "1.png", "points": [[10, 20], [30, 30]], "split": "train"},
  {"points": [[10, 20], [30, 30], [50, 20]], "split": "train"},
  7,
  {"image": "1.png", "points": [[10, 20], [30, 30], [50, 20]]},
  {"image": "0.png", "points": [[10, 20], [30, 30], [50, 20]], "split": "test"},
  {"image": "2.png", "points": [[10, 20], [30, 30], [50, 20]], "split": "train", "box": [5, 5, 60]},
  {"image": "2.png", "points": [[10, 20], [30, 30], [50, 20]], "split": "train", "box": [5, 5, 60, 40]}
]"#;
    let report = scratch.prepare(&scratch.config("points.json", text));
    assert_eq!(report.faces, 2);
    assert_says(&report.notes.join("\n"), &["not used: key id"]);
    let expected: [(usize, &[&str]); 7] = [
        (4, &["string", "30"]),
        (5, &["2 points", "three has 3"]),
        (6, &["missing key `image`"]),
        (7, &["7"]),
        (8, &["split is empty"]),
        (9, &["0.png", "line 2"]),
        (10, &["length 3"]),
    ];
    assert_eq!(report.skipped.len(), expected.len(), "{:#?}", told(&report));
    for (complaint, (line, parts)) in report.skipped.iter().zip(expected) {
        let text = complaint.to_string();
        assert!(text.starts_with(&format!("points.json:{line}: ")), "{text}");
        assert_says(&text, parts);
    }
    assert_eq!(scratch.rows("train.tsv")[1].crop.center.x, 35.0);
}
