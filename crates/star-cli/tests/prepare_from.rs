//! Labels of other programs, from their export to a trained network.

mod support;

use std::fmt::Write as _;

use support::{Folder, TINY, assert_says};

/// Beetles with names, as COCO has them; every fifth point of theirs is not labelled, and every seventh hidden.
fn coco(folder: &Folder) -> usize {
    let draw = "prepare synth --faces 30 --seed 5 --layout cofw29 --out drawn";
    folder.succeed(&draw.split(' ').collect::<Vec<_>>());
    let faces = std::fs::read_to_string(folder.join("drawn/faces.tsv")).expect("faces");
    let names: Vec<String> = (0..29).map(|k| format!("\"p{k}\"")).collect();
    let (mut images, mut annotations) = (Vec::new(), Vec::new());
    let mut labelled = 0;
    for (i, line) in faces.lines().skip(1).enumerate() {
        let columns: Vec<&str> = line.split('\t').collect();
        images.push(format!(
            "{{\"id\": {i}, \"file_name\": \"{}\"}}",
            columns[0]
        ));
        let numbers: Vec<f64> = columns[2]
            .split(',')
            .map(|n| n.parse().expect("a number"))
            .collect();
        let mut keypoints = String::new();
        for (k, p) in numbers.chunks(2).enumerate() {
            let flag = match ((i + k) % 5, (i + k) % 7) {
                _ if [16, 17].contains(&k) => 2,
                (0, _) => 0,
                (_, 0) => 1,
                _ => 2,
            };
            labelled += usize::from(flag > 0);
            // cofw29 counts pixels from 1.
            write!(
                keypoints,
                "{}{},{},{flag}",
                if k > 0 { "," } else { "" },
                p[0] - 1.0,
                p[1] - 1.0
            )
            .expect("a string");
        }
        annotations.push(format!(
            "{{\"id\": {i}, \"image_id\": {i}, \"category_id\": 4, \"keypoints\": [{keypoints}]}}"
        ));
    }
    folder.write(
        "labels.json",
        format!(
            "{{\"images\": [{}], \"categories\": [{{\"id\": 4, \"name\": \"face\", \"keypoints\": [{}], \"skeleton\": [[1, 2], [2, 3]]}}], \"annotations\": [{}]}}",
            images.join(","),
            names.join(","),
            annotations.join(",\n")
        ),
    );
    labelled
}

#[test]
fn coco_trains() {
    let folder = Folder::new();
    let labelled = coco(&folder);
    let from = "prepare from coco labels.json --images drawn --out mine";
    let said = folder.succeed(&from.split(' ').collect::<Vec<_>>());
    assert_says(
        &said,
        &[
            "30 objects of 29 points",
            &format!("points: {labelled} labelled"),
            "no mirror pairs are known",
            "left out: none",
        ],
    );
    // The last line is the next command.
    let next = said.lines().last().expect("a line").trim().to_string();
    let said = folder.succeed(&next.split(' ').skip(1).collect::<Vec<_>>());
    assert_says(&said, &["30 faces", "left out: none"]);
    folder.write(
        "tiny.toml",
        TINY.replace("\"cofw29\"", "\"mine/layout.toml\""),
    );
    let train = "train --config tiny.toml --set data.source=tsv --set data.train=mine/train.tsv --set data.test=mine/test.tsv \
                 --set data.images=drawn --set augment.flip=0 --out run";
    let said = folder.succeed(&train.split_whitespace().collect::<Vec<_>>());
    assert!(!said.contains("NaN"), "{said}");
    let refused = folder.fail(&from.split(' ').collect::<Vec<_>>());
    assert_says(&refused, &["points.csv is there already", "--replace"]);
}

/// What `predict` writes for labelling programs comes back as the points that it predicted.
#[test]
fn predictions_come_back_from_every_format() {
    let folder = Folder::new();
    let draw = "prepare synth --faces 4 --seed 5 --layout cofw29 --out drawn";
    folder.succeed(&draw.split(' ').collect::<Vec<_>>());
    folder.write("tiny.toml", TINY);
    folder.succeed(&["train", "--config", "tiny.toml", "--out", "run"]);
    let predict = |format: &str, out: &str| {
        let command = format!(
            "predict --weights run/weights/best.safetensors --annotations drawn/faces.tsv --images drawn --overlay none --format {format} --out {out}"
        );
        folder.succeed(&command.split(' ').collect::<Vec<_>>())
    };
    predict("jsonl,coco,cvat,label-studio", "p");
    predict("labelme", "lm");
    let lines = std::fs::read_to_string(folder.join("p/predictions.jsonl")).expect("predictions");
    let expected: Vec<Vec<f64>> = lines
        .lines()
        .map(|line| {
            let document: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let points = document["faces"][0]["points"]
                .as_array()
                .expect("points")
                .clone();
            let numbers = points.iter().flat_map(|p| {
                let [x, y] = ["x", "y"].map(|key| p[key].as_f64().expect("a number"));
                [x, y]
            });
            numbers.collect()
        })
        .collect();
    assert_eq!(expected.len(), 4);
    // Corrected tasks come back as annotations.
    let tasks = std::fs::read_to_string(folder.join("p/label_studio.json")).expect("tasks");
    folder.write(
        "p/label_studio.json",
        tasks.replace("\"predictions\"", "\"annotations\""),
    );
    for (format, source) in [
        ("coco", "p/coco.json"),
        ("cvat", "p/cvat.xml"),
        ("label-studio", "p/label_studio.json"),
        ("labelme", "lm"),
    ] {
        let command = format!("prepare from {format} {source} --images drawn --out {format}");
        let said = folder.succeed(&command.split(' ').collect::<Vec<_>>());
        assert_says(&said, &["4 objects of 29 points", "left out: none"]);
        let table =
            std::fs::read_to_string(folder.join(&format!("{format}/points.csv"))).expect("points");
        assert_eq!(table.lines().count(), 5);
        for (row, expected) in table.lines().skip(1).zip(&expected) {
            let cells = row
                .split(',')
                .skip(1)
                .map(|cell| cell.parse::<f64>().expect("a number"));
            for (found, expected) in cells.zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-3,
                    "{format}: {found} {expected}"
                );
            }
        }
        let layout = std::fs::read_to_string(folder.join(&format!("{format}/layout.toml")))
            .expect("a layout");
        let has_edges = matches!(format, "coco" | "cvat");
        assert_eq!(
            layout.contains("[[edges]]"),
            has_edges,
            "{format}: {layout}"
        );
    }
    let refused = folder.fail(&["predict", "x.jpg", "--format", "json,labelme"]);
    assert_says(&refused, &["both write NAME.json"]);
    let refused = folder.fail(&["predict", "--raw-video", "8x8", "--format", "coco"]);
    assert_says(&refused, &["frames of --raw-video are none"]);
}

#[test]
fn flags_that_would_do_nothing_are_refused() {
    let folder = Folder::new();
    folder.write("a.xml", "<dataset><images/></dataset>");
    std::fs::create_dir(folder.join("i")).expect("a folder");
    let refuse = |command: &str, part: &str| {
        let said = folder.fail(&command.split(' ').collect::<Vec<_>>());
        assert_says(&said, &[part]);
    };
    refuse(
        "prepare from dlib a.xml --images i --out o --category x",
        "--category only",
    );
    refuse(
        "prepare from dlib a.xml --images i --out o --zero-based",
        "--zero-based only",
    );
    refuse(
        "prepare from dlib b.xml --images i --out o",
        "b.xml: there is no such file",
    );
    refuse(
        "prepare from labelme a.xml --images i --out o",
        "a.xml: there is no such folder",
    );
    refuse(
        "prepare from dlib a.xml --images j --out o",
        "--images is the folder",
    );
    refuse(
        "prepare from dlib a.xml --images i --out o",
        "a.xml: 0 named points",
    );
    assert!(!folder.join("o").exists());
}
