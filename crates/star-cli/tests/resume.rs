//! Runs that stop, crash or diverge, and how they go on, as a user types it.

mod support;

use std::path::Path;

use support::{Folder, TINY, assert_says, text};

fn read(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn lines(folder: &Folder, name: &str) -> Vec<serde_json::Value> {
    text(&read(folder, name))
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Weights, steps and epochs of two runs are the same, bit for bit (times aside).
#[track_caller]
fn assert_same_run(folder: &Folder, a: &str, b: &str) {
    for file in [
        "weights/last.safetensors",
        "weights/last_ema.safetensors",
        "weights/best.safetensors",
        "steps.jsonl",
    ] {
        assert!(
            read(folder, &format!("{a}/{file}")) == read(folder, &format!("{b}/{file}")),
            "{file} of {a} and {b} differ"
        );
    }
    let epochs = |run: &str| {
        let mut epochs = lines(folder, &format!("{run}/metrics.jsonl"));
        for record in &mut epochs {
            record["seconds"] = serde_json::Value::Null;
        }
        epochs
    };
    assert_eq!(epochs(a), epochs(b));
}

/// Trains the tiny recipe into `out`.
fn train(folder: &Folder, out: &str, more: &[&str]) -> std::process::Output {
    folder.write("tiny.toml", TINY);
    let args = ["train", "--config", "tiny.toml", "--out", out];
    folder.star(&[&args[..], more].concat())
}

#[track_caller]
fn trained(folder: &Folder, out: &str, more: &[&str]) -> String {
    let output = train(folder, out, more);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn stopped(output: &std::process::Output) -> String {
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// Checkpoints of a run, oldest first.
fn checkpoints(folder: &Folder, run: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(run).join("checkpoints")).expect("checkpoints");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().display().to_string())
        .collect();
    names.sort();
    names
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_it_goes_on() {
    let folder = Folder::new();
    trained(&folder, "whole", &[]);
    let kept = checkpoints(&folder, "whole");
    assert_eq!(kept.len(), 2, "{kept:?}");
    let newest = &kept[1];

    type Harm = fn(Vec<u8>) -> Option<Vec<u8>>;
    let harms: [(&str, &str, Harm); 4] = [
        ("net.mpk", "length", |b| Some(b[..b.len() / 2].to_vec())),
        // One bit of a weight: the file reads, and the run would go on with it.
        ("ema.mpk", "other bytes", |mut b| {
            let place = b.len() * 3 / 4;
            b[place] ^= 1;
            Some(b)
        }),
        ("position.json", "is missing", |_| None),
        ("contents.json", "cannot be understood", |b| {
            Some(b[..b.len() / 2].to_vec())
        }),
    ];
    for (i, (file, says, harm)) in harms.into_iter().enumerate() {
        let run = format!("harmed{i}");
        copy(&folder.join("whole"), &folder.join(&run));
        let path = folder.join(&format!("{run}/checkpoints/{newest}/{file}"));
        match harm(std::fs::read(&path).expect(file)) {
            Some(bytes) => std::fs::write(&path, bytes).expect(file),
            None => std::fs::remove_file(&path).expect(file),
        }
        let said = folder.succeed(&["train", "--resume", &run]);
        assert_says(
            &said,
            &[newest, "damaged", file, says, "the one before it", &kept[0]],
        );
        assert_same_run(&folder, "whole", &run);
        assert_eq!(
            checkpoints(&folder, &run),
            [
                format!("damaged-{newest}"),
                kept[0].clone(),
                kept[1].clone()
            ]
        );
    }

    // None is whole: what is left are the best weights, and they begin a new run as told.
    for name in &kept {
        let path = folder.join(&format!("whole/checkpoints/{name}/net.mpk"));
        std::fs::write(path, "").expect("a file");
    }
    let message = folder.fail(&["train", "--resume", "whole"]);
    let init = "model.init=whole/weights/best.safetensors";
    assert_says(&message, &[newest, "damaged", "net.mpk", "--set", init]);
    trained(&folder, "again", &["--set", init]);
    // Checkpoints that someone removed are no reason to train from the beginning.
    std::fs::remove_dir_all(folder.join("whole/checkpoints")).expect("remove");
    std::fs::create_dir(folder.join("whole/checkpoints")).expect("a folder");
    let message = folder.fail(&["train", "--resume", "whole"]);
    assert_says(&message, &["checkpoints are gone", init]);
}

/// The stop is after an epoch's last step; the crash after the epoch's line is written, before its checkpoint.
#[test]
fn an_epoch_that_is_evaluated_again_has_one_line() {
    let folder = Folder::new();
    trained(&folder, "whole", &[]);
    stopped(&train(&folder, "run", &["--stop-after", "5"]));
    copy(&folder.join("run/checkpoints"), &folder.join("before"));
    stopped(&folder.star(&["train", "--resume", "run", "--stop-after", "6"]));
    std::fs::remove_dir_all(folder.join("run/checkpoints")).expect("remove");
    copy(&folder.join("before"), &folder.join("run/checkpoints"));
    folder.succeed(&["train", "--resume", "run"]);
    assert_same_run(&folder, "whole", "run");
}

#[test]
fn the_best_weights_are_those_of_the_checkpoint() {
    let folder = Folder::new();
    // The best epochs are between two checkpoints, too.
    trained(&folder, "run", &["--set", "train.checkpoint_every=2"]);
    copy(&folder.join("run"), &folder.join("again"));
    let best = folder.join("again/weights/best.safetensors");
    std::fs::copy(folder.join("again/weights/last_ema.safetensors"), &best).expect("a copy");
    std::fs::remove_dir_all(folder.join("again/report")).expect("remove");
    std::fs::create_dir(folder.join("again/report")).expect("a folder");
    folder.succeed(&["train", "--resume", "again"]);
    assert_same_run(&folder, "run", "again");
    for file in ["report/selection.json", "report/test.json"] {
        let of = |run: &str| text(&read(&folder, &format!("{run}/{file}")));
        assert_eq!(of("run"), of("again"));
    }
}

#[test]
fn a_checkpoint_of_another_network_is_refused() {
    let folder = Folder::new();
    stopped(&train(&folder, "run", &["--stop-after", "2"]));
    let config = text(&read(&folder, "run/config.toml"));
    folder.write(
        "run/config.toml",
        config.replace("channels = 8", "channels = 16"),
    );
    let message = folder.fail(&["train", "--resume", "run"]);
    assert_says(
        &message,
        &["config.toml", "model.channels = 16", "began with 8"],
    );
}

/// Whoever edits a stopped run's recipe gets what they meant, or is told why not.
#[test]
fn a_recipe_that_was_edited_is_held_against_the_checkpoint() {
    let folder = Folder::new();
    stopped(&train(&folder, "run", &["--stop-after", "2"]));
    let config = text(&read(&folder, "run/config.toml"));
    let resume = ["train", "--resume", "run", "--stop-after", "3"];
    for (from, to, key) in [
        ("seed = 0", "seed = 7", "seed = 7"),
        ("batch_size = 8", "batch_size = 4", "train.batch_size = 4"),
        ("held_out = 0.2", "held_out = 0.3", "data.held_out = 0.3"),
    ] {
        assert!(config.contains(from), "{config}");
        folder.write("run/config.toml", config.replacen(from, to, 1));
        assert_says(&folder.fail(&resume), &[key, "set it back"]);
    }
    folder.write(
        "run/config.toml",
        config.replacen("epochs = 3", "epochs = 4", 1),
    );
    let said = stopped(&folder.star(&resume));
    assert_says(&said, &["train.epochs is now 4, it was 3"]);
    // What was done cannot be stopped before.
    for step in ["3", "1"] {
        let message = folder.fail(&["train", "--resume", "run", "--stop-after", step]);
        assert_says(&message, &["has done 3 steps"]);
    }
    assert_eq!(lines(&folder, "run/steps.jsonl").len(), 3);
}

/// What could be waited for or read for ever, and what is no file, is damage as a missing file is.
#[cfg(unix)]
#[test]
fn a_checkpoint_whose_files_are_no_files_is_set_aside() {
    let folder = Folder::new();
    stopped(&train(&folder, "run", &["--stop-after", "2"]));
    stopped(&folder.star(&["train", "--resume", "run", "--stop-after", "4"]));
    let newest = checkpoints(&folder, "run").pop().expect("two checkpoints");
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo").success());
    };
    let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).expect("a link");
    let directory = |path: &Path| std::fs::create_dir(path).expect("a folder");
    type Replace<'a> = &'a dyn Fn(&Path);
    let replacements: [(&str, Replace); 5] = [
        ("net.mpk", &pipe),
        ("contents.json", &pipe),
        ("position.json", &device),
        ("contents.json", &device),
        ("adam.mpk", &directory),
    ];
    for (file, replace) in replacements {
        let _ = std::fs::remove_dir_all(folder.join("again"));
        copy(&folder.join("run"), &folder.join("again"));
        let path = folder.join("again/checkpoints").join(&newest).join(file);
        std::fs::remove_file(&path).expect("removed");
        replace(&path);
        let said = stopped(&folder.star(&["train", "--resume", "again", "--stop-after", "3"]));
        assert_says(&said, &["is damaged", file, "is no file any more"]);
    }
    // Something else in the place of the folder itself.
    let text = |path: &Path| std::fs::write(path, "no checkpoint").expect("a file");
    let replacements: [Replace; 2] = [&text, &pipe];
    for replace in replacements {
        let _ = std::fs::remove_dir_all(folder.join("again"));
        copy(&folder.join("run"), &folder.join("again"));
        let path = folder.join("again/checkpoints").join(&newest);
        std::fs::remove_dir_all(&path).expect("removed");
        replace(&path);
        let said = stopped(&folder.star(&["train", "--resume", "again", "--stop-after", "3"]));
        assert_says(&said, &["is damaged", "is no folder"]);
    }
    let run_toml = folder.join("again/run.toml");
    std::fs::remove_file(&run_toml).expect("removed");
    pipe(&run_toml);
    let message = folder.fail(&["train", "--resume", "again"]);
    assert_says(&message, &["run.toml", "is a pipe"]);
}

#[test]
fn what_is_missing_of_a_run_is_named() {
    let folder = Folder::new();
    stopped(&train(&folder, "run", &["--stop-after", "6"]));
    let again = || {
        let _ = std::fs::remove_dir_all(folder.join("again"));
        copy(&folder.join("run"), &folder.join("again"));
    };
    let resume = ["train", "--resume", "again", "--stop-after", "7"];

    again();
    let whole = read(&folder, "run/steps.jsonl");
    folder.write("again/steps.jsonl", &whole[..whole.len() / 2]);
    let said = stopped(&folder.star(&resume));
    assert_says(
        &said,
        &["steps.jsonl lacks", "of 6 steps", "damaged-steps.jsonl"],
    );
    assert!(read(&folder, "again/damaged-steps.jsonl") == whole[..whole.len() / 2]);
    again();
    std::fs::remove_file(folder.join("again/steps.jsonl")).expect("removed");
    assert_says(&stopped(&folder.star(&resume)), &["losses of 6 of 6 steps"]);
    // And nothing is said of a log that is whole.
    again();
    assert!(!stopped(&folder.star(&resume)).contains("lacks"));

    again();
    std::fs::remove_dir_all(folder.join("again/checkpoints")).expect("removed");
    let message = folder.fail(&resume);
    assert_says(
        &message,
        &["checkpoints are gone", "model.init=again/weights"],
    );
    again();
    folder.write("again/config.toml", "");
    assert_says(&folder.fail(&resume), &["again/config.toml: data.source"]);
}

#[test]
fn a_run_that_is_trained_cannot_be_resumed_beside_it() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let args = ["train", "--config", "tiny.toml", "--out", "run"];
    let long = ["--set", "train.epochs=100000"];
    let mut running = folder
        .command(&[&args[..], &long].concat())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("star starts");
    let started = std::time::Instant::now();
    while !folder.join("run/steps.jsonl").exists() {
        assert!(started.elapsed().as_secs() < 120, "it does not train");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = folder.star(&["train", "--resume", "run"]);
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    assert_says(&text(&output.stderr), &["by another process"]);
    assert_eq!(output.status.code(), Some(1));
    // A lock ends with the process, however that ends.
    let output = folder.star(&["train", "--resume", "run", "--stop-after", "1"]);
    let message = text(&output.stderr);
    assert!(
        output.status.code() == Some(130) || message.contains("has done"),
        "{message}"
    );
}

/// 41 faces to train on in batches of 8: the last batch is one face, which batch norm cannot use at 64 pixels.
#[test]
fn losses_before_a_last_batch_of_one_face_are_read() {
    let folder = Folder::new();
    let set = [
        "--set",
        "data.synth.faces=51",
        "--set",
        "train.log_every=10",
    ];
    let said = trained(&folder, "run", &set);
    assert_says(&said, &["41 faces to train on, 10 to select on"]);
    let steps = lines(&folder, "run/steps.jsonl");
    let numbers: Vec<u64> = steps.iter().filter_map(|s| s["step"].as_u64()).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    for (epoch, record) in lines(&folder, "run/metrics.jsonl")
        .iter()
        .enumerate()
        .skip(1)
    {
        let losses = &steps[5 * (epoch - 1)..5 * epoch];
        let losses: Vec<f64> = losses.iter().filter_map(|s| s["loss"].as_f64()).collect();
        let mean = losses.iter().sum::<f64>() / 5.0;
        let said = record["loss"].as_f64().expect("a loss");
        // The same 40 faces, summed in another order.
        assert!((mean - said).abs() <= 1e-12 * mean, "{mean} and {said}");
    }
    // And they are looked at.
    let diverging = [
        "--set",
        "train.epochs=1",
        "--set",
        "train.learning_rate=1e30",
    ];
    let output = train(&folder, "diverged", &[&set[..], &diverging].concat());
    assert_says(&text(&output.stderr), &["diverged"]);
    // A stop before the batch that is left out.
    stopped(&train(
        &folder,
        "parts",
        &[&set[..], &["--stop-after", "5"]].concat(),
    ));
    folder.succeed(&["train", "--resume", "parts"]);
    assert_same_run(&folder, "run", "parts");
}

#[test]
fn what_is_advised_after_a_divergence_works() {
    let folder = Folder::new();
    // Epoch 1 is as it should be; then the rate explodes.
    let explode = ["--set", "train.milestones=[1]", "--set", "train.gamma=1e30"];
    let output = train(&folder, "run", &explode);
    let message = text(&output.stderr);
    assert!(!output.status.success(), "{message}");
    let init = "model.init=run/weights/best.safetensors";
    assert_says(
        &message,
        &[
            "diverged",
            "new run",
            "train.learning_rate than 0.001",
            "--set",
            init,
        ],
    );
    assert!(!message.contains("continue"), "{message}");
    trained(
        &folder,
        "again",
        &["--set", init, "--set", "train.learning_rate=1e-4"],
    );

    // Before there are weights that are any good, none are offered.
    let output = train(&folder, "at-once", &["--set", "train.learning_rate=1e30"]);
    let message = text(&output.stderr);
    assert_says(&message, &["diverged", "new run"]);
    assert!(!message.contains("model.init"), "{message}");
}

#[test]
fn a_resumed_run_does_not_need_the_weights_it_began_with() {
    let folder = Folder::new();
    trained(&folder, "first", &["--set", "train.epochs=1"]);
    let init = folder.join("init.safetensors");
    std::fs::copy(folder.join("first/weights/last.safetensors"), &init).expect("a copy");
    let set = ["--set", "model.init=init.safetensors"];
    trained(&folder, "whole", &set);
    stopped(&train(
        &folder,
        "parts",
        &[&set[..], &["--stop-after", "3"]].concat(),
    ));
    std::fs::remove_file(init).expect("remove");
    folder.succeed(&["train", "--resume", "parts"]);
    assert_same_run(&folder, "whole", "parts");
}

/// One image cannot be read; mended, the run goes on from its beginning.
#[test]
fn a_run_that_failed_before_its_first_checkpoint_starts_again() {
    let folder = Folder::new();
    let mut list = String::new();
    for face in 0..12u32 {
        let image = image::RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([x * 3 + face, y * 3, (x ^ y) + face].map(|v| v as u8))
        });
        image
            .save(folder.join(&format!("{face}.png")))
            .expect("an image");
        let points: Vec<String> = (0..29u32)
            .flat_map(|p| [8 + (p * 7 + face) % 48, 8 + (p * 11 + face * 5) % 48])
            .map(|v| v.to_string())
            .collect();
        let five = ["0"; 10].join(",");
        list += &format!("{face}.png\t{five}\t{}\t0.3\t32\t32\n", points.join(","));
    }
    folder.write("faces.tsv", list);
    folder.write(
        "mine.toml",
        "name = 'mine'\nlayout = 'cofw29'\n[data]\ntrain = 'faces.tsv'\nimages = '.'\nheld_out = 0.25\n\
         [model]\nstacks = 1\nchannels = 8\nstem = 4\ninput_size = 64\n[train]\nepochs = 2\nbatch_size = 3\n",
    );
    let train = ["train", "--config", "mine.toml", "--out"];
    folder.succeed(&[&train[..], &["whole"]].concat());
    // A face that training needs, or one of those held out: either way before the first checkpoint.
    for face in ["0.png", "1.png", "2.png", "3.png", "4.png"] {
        let good = read(&folder, face);
        folder.write(face, "not an image");
        let run = format!("run-{face}");
        let message = folder.fail(&[&train[..], &[&run]].concat());
        assert_says(&message, &[face]);
        assert!(checkpoints(&folder, &run).is_empty());
        folder.write(face, good);
        let said = folder.succeed(&["train", "--resume", &run]);
        assert_says(&said, &["starts from its beginning"]);
        assert_same_run(&folder, "whole", &run);
    }
}

/// The hint is a command: it can be pasted, and goes on where the run was.
#[cfg(all(unix, feature = "flex", feature = "ndarray"))]
#[test]
fn a_run_goes_on_on_the_backend_it_was_started_on() {
    let folder = Folder::new();
    let args = ["--backend", "ndarray", "--devices", "0", "--stop-after"];
    let said = stopped(&train(&folder, "my run", &[&args[..], &["2"]].concat()));
    let hint = "star train --resume 'my run' --backend ndarray --devices 0";
    assert_says(&said, &[hint]);

    let resume = ["train", "--resume", "my run", "--stop-after"];
    let said = stopped(&folder.star(&[&resume[..], &["4"]].concat()));
    assert_says(&said, &["tiny on ndarray", hint]);

    // Typed through `cargo xtask`, it is said so.
    let mut command = folder.command(&[&resume[..], &["6"]].concat());
    let said = stopped(
        &command
            .env("STAR_PROGRAM", "cargo xtask")
            .output()
            .expect("star"),
    );
    assert_says(
        &said,
        &["cargo xtask train --resume 'my run' --backend ndarray"],
    );

    // The command line has the last word, and the run keeps it.
    let on_flex = [&resume[..], &["8", "--backend", "flex"]].concat();
    assert_says(&stopped(&folder.star(&on_flex)), &["tiny on flex"]);
    let said = stopped(&folder.star(&[&resume[..], &["10"]].concat()));
    assert_says(&said, &["tiny on flex", "--resume 'my run' --backend flex"]);

    let star = env!("CARGO_BIN_EXE_star");
    let command = format!("{}{}", star, hint.strip_prefix("star").expect("star"));
    let pasted = std::process::Command::new("sh")
        .args(["-c", &command])
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert!(pasted.status.success(), "{}", text(&pasted.stderr));
    assert_says(&text(&pasted.stdout), &["tiny on ndarray"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_run_of_a_backend_that_is_not_built_in() {
    let folder = Folder::new();
    stopped(&train(&folder, "run", &["--stop-after", "2"]));
    folder.write("run/run.toml", "backend = \"cuda\"\ndevices = [0, 1, 2]\n");
    let message = folder.fail(&["train", "--resume", "run"]);
    assert_says(
        &message,
        &[
            "run was last started on cuda",
            "built without",
            "cargo xtask",
            "--backend flex",
        ],
    );
    // Three GPUs are nothing to a CPU.
    folder.succeed(&["train", "--resume", "run", "--backend", "flex"]);

    folder.write("run/run.toml", "backend = \"abacus\"\n");
    let message = folder.fail(&["train", "--resume", "run"]);
    assert_says(&message, &["run.toml", "abacus", "--backend"]);
    folder.write("run/run.toml", "backend = \n");
    assert_says(&folder.fail(&["train", "--resume", "run"]), &["run.toml"]);
}

#[test]
fn figures_say_which_faces_selected_the_weights() {
    let folder = Folder::new();
    let shown = |run: &str, selection: &str| {
        let set = format!("train.selection={selection}");
        let mut said = trained(&folder, run, &["--set", &set]);
        said += &text(&read(&folder, &format!("{run}/report/curves.svg")));
        for file in ["selection", "test"] {
            let json = read(&folder, &format!("{run}/report/{file}.json"));
            let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
            said += json["title"].as_str().expect("a title");
            assert!(!read(&folder, &format!("{run}/report/{file}_faces.png")).is_empty());
        }
        let best = format!("{run}/weights/best.safetensors");
        said + &folder.succeed(&["model", "info", "--weights", &best])
    };
    let said = shown("held-out", "held-out");
    for part in [
        "held-out NME",
        "held-out, before training",
        "held-out, mean shape",
        "held-out, best weights",
        "test (6 faces), the same weights",
        "the held-out error fell",
        "tiny test, ",
        "NME on held-out",
        "% on held-out",
    ] {
        assert_says(&said, &[part]);
    }
    let said = shown("tested", "test");
    for part in [
        "test NME",
        "test, before training",
        "test, mean shape",
        "test, best weights",
        "the test error fell",
        "selected on the test faces",
        "NME on the test set",
        "% on the test set",
    ] {
        assert_says(&said, &[part]);
    }
    let said = said.replace("runs/held-out", "");
    assert!(!said.contains("held-out"), "{said}");
    assert!(!said.contains("the same weights"), "{said}");
}

#[test]
fn help_names_the_program_that_was_typed() {
    let folder = Folder::new();
    let help = |args: &[&str]| {
        let mut command = folder.command(args);
        let output = command.env("STAR_PROGRAM", "cargo xtask").output();
        text(&output.expect("star starts").stdout)
    };
    let said = help(&["train", "--help"]);
    assert_says(
        &said,
        &["Usage: cargo xtask train", "  cargo xtask train --resume"],
    );
    let said = help(&["prepare", "300w", "--help"]);
    assert_says(&said, &["Usage: cargo xtask prepare 300w"]);
    let said = folder.succeed(&["train", "--help"]);
    assert_says(&said, &["Usage: star train", "  star train --resume"]);
}
