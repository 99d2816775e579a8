//! The data side against what the published program computed; see the README of the golden vectors.

mod support;

use star_data::{
    Affine, AugmentConfig, CropBox, Draws, FaceSource, GeometryDraws, Layout, Point, SampleMaker,
    TsvFaces,
    augment::FacePlan,
    crop::{crop_matrix, denormalise, normalise},
    network_input,
    photometric::{
        NoiseDraws, PhotometricDraws, blur, blur_size, gamma, gamma_from_draws, gamma_table, gray,
        noise, occlude, occlusion_rectangle,
    },
    targets::{EdgeCanvas, curve, edge_maps, expand_point_maps, point_profiles, profiles_with},
    warp::warp,
};
use support::*;

/// The golden files' names of the benchmarks, and our names of their layouts.
const LAYOUTS: [(&str, &str); 3] = [("WFLW", "wflw98"), ("300W", "ibug68"), ("COFW", "cofw29")];

fn layout_of(benchmark: &str) -> Layout {
    let (_, name) = LAYOUTS
        .iter()
        .find(|(theirs, _)| theirs.eq_ignore_ascii_case(benchmark))
        .unwrap_or_else(|| panic!("no layout for {benchmark}"));
    Layout::builtin(name).expect("built-in layout")
}

/// f32 rounding of the published matrices and points.
const F32: f64 = 2e-6;

#[test]
fn point_maps() {
    let golden = Golden::load("pointmap");
    let patch = golden.numbers("gauss_patch_10x10");
    for (case, facts) in object(&golden.json) {
        let size = number(&facts["image_size"]) as usize;
        let cells = number(&facts["out_size"]) as usize;
        let points = match facts.get("points").and_then(|p| p.as_str()) {
            // Written as `key[:count]`.
            Some(reference) => {
                let (key, count) = reference.split_once("[:").expect("slice");
                let count: usize = count.trim_end_matches(']').parse().expect("slice end");
                golden.points(key)[..count].to_vec()
            }
            None => golden.points(&format!("{case}/points")),
        };
        let sigma = number(&facts["sigma"]);
        let factor = (1.0 / number(&facts["scale"])).round() as usize;
        assert_eq!(size / factor, cells);
        let expected = golden.numbers(&format!("{case}/pointmap"));
        let profiles = profiles_with(&points, size, factor, sigma);
        let ours: Vec<f64> = expand_point_maps(&profiles, cells)
            .into_iter()
            .map(f64::from)
            .collect();
        assert_close(&format!("{case} maps"), &ours, &expected, 1e-6);
        if factor == 4 && sigma == 1.5 {
            assert_eq!(
                profiles,
                point_profiles(&points, size),
                "{case}: the defaults"
            );
            // The patch is a product, so its middle row and column say all of it.
            let middle = &patch[5 * 10..6 * 10];
            for (i, value) in patch.iter().enumerate() {
                assert!((middle[i / 10] * middle[i % 10] - value).abs() < 1e-6);
            }
        }
        if let Some(maxima) = facts.get("max_per_point") {
            let of_maps: Vec<f64> = ours
                .chunks_exact(cells * cells)
                .map(|map| map.iter().copied().fold(0.0, f64::max))
                .collect();
            assert_close(&format!("{case} peaks"), &of_maps, &numbers(maxima), 1e-6);
        }
    }
}

#[test]
fn splines() {
    let golden = Golden::load("spline");
    for (case, facts) in object(&golden.json) {
        let points = golden.points(&format!("{case}/points"));
        let closed = facts["closed"].as_bool().expect("closed");
        let ours = curve(&points, closed);
        let expected = golden.points(&format!("{case}/curve"));
        assert_eq!(ours.len() as f64, number(&facts["len"]), "{case}: length");
        let fallback = facts["fallback"].as_bool().expect("fallback");
        assert_eq!(
            ours == points,
            fallback,
            "{case}: whether the points come back"
        );
        assert_points_close(case, &ours, &expected, 1e-6);
    }
}

fn edge_maps_of(file: &str, benchmark: &str) {
    let golden = Golden::load(file);
    let layout = layout_of(benchmark);
    let theirs = golden.json["edge_info"].as_array().expect("edge_info");
    assert_eq!(layout.edges.len(), theirs.len());
    for (edge, info) in layout.edges.iter().zip(theirs) {
        assert_eq!(Some(edge.closed), info[0].as_bool(), "{}", edge.name);
        let points: Vec<f64> = edge.points.iter().map(|&i| i as f64).collect();
        assert_eq!(points, numbers(&info[1]), "{}", edge.name);
    }
    for (case, facts) in object(&golden.json["cases"]) {
        let landmarks = golden.points(&format!("{case}/landmarks"));
        let size = number(&facts["image_size"]) as usize;
        for (k, edge) in layout.edges.iter().enumerate() {
            let points: Vec<Point> = edge.points.iter().map(|&i| landmarks[i]).collect();
            let ours = curve(&points, edge.closed);
            let length = number(&facts["curve_len"][k]) as usize;
            assert_eq!(ours.len(), length, "{case} {}: curve length", edge.name);
            let fallback = facts["fallback"][k].as_bool().expect("fallback");
            assert_eq!(ours == points, fallback, "{case} {}: fallback", edge.name);
            let key = format!("{case}/curve_{k}");
            if golden.has(&key) {
                assert_points_close(&key, &ours, &golden.points(&key), 1e-6);
            }
        }
        let ours = edge_maps(&landmarks, &layout.edges, size);
        let expected: Vec<f64> = golden
            .numbers(&format!("{case}/edgemap_x64_u8"))
            .iter()
            .map(|v| v / 64.0)
            .collect();
        let ours: Vec<f64> = ours.into_iter().map(f64::from).collect();
        assert!(
            ours.iter().all(|v| (v * 64.0).fract() == 0.0),
            "{case}: whole 64ths"
        );
        assert!(ours == expected, "{file} {case}");
    }
}

#[test]
fn edge_maps_wflw() {
    edge_maps_of("edgemap_wflw", "WFLW");
}

#[test]
fn edge_maps_300w() {
    edge_maps_of("edgemap_300w", "300W");
}

#[test]
fn edge_maps_cofw() {
    edge_maps_of("edgemap_cofw", "COFW");
}

#[test]
fn stored_polylines_rasterise_alone() {
    // The curve left out: the integer polylines that OpenCV drew, through our lines.
    for (file, benchmark) in [
        ("edgemap_wflw", "WFLW"),
        ("edgemap_300w", "300W"),
        ("edgemap_cofw", "COFW"),
    ] {
        let golden = Golden::load(file);
        let layout = layout_of(benchmark);
        for case in golden.cases("", "/edgemap_x64_u8") {
            let size = number(&golden.json["cases"][&case]["image_size"]) as usize;
            let all = golden.numbers(&format!("{case}/edgemap_x64_u8"));
            let cells = (size / 4) * (size / 4);
            for (k, edge) in layout.edges.iter().enumerate() {
                let key = format!("{case}/polyline_x4_{k}");
                if !golden.has(&key) {
                    continue;
                }
                let line: Vec<Point> = golden
                    .points(&key)
                    .iter()
                    .map(|p| Point::new(p.x / 4.0, p.y / 4.0))
                    .collect();
                let mut canvas = EdgeCanvas::new(size);
                let mut map = Vec::new();
                canvas.draw(&line, edge.closed);
                canvas.take(&mut map);
                let ours: Vec<f64> = map.into_iter().map(|v| f64::from(v) * 64.0).collect();
                assert!(ours == all[k * cells..(k + 1) * cells], "{key}");
            }
        }
    }
}

#[test]
fn layouts_mirror() {
    let golden = Golden::load("geometry");
    for (benchmark, name) in LAYOUTS {
        let layout = layout_of(benchmark);
        let mut mirror: Vec<usize> = (0..layout.points).collect();
        let pairs = golden.json[format!("flip_mapping_{benchmark}")]
            .as_array()
            .expect("pairs");
        for pair in pairs {
            let pair = numbers(pair);
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            (mirror[a], mirror[b]) = (b, a);
        }
        assert_eq!(layout.mirror, mirror, "{name}");
    }
}

#[test]
fn crop_matrices() {
    let golden = Golden::load("geometry");
    let params = golden.numbers("crop/params_scale_cx_cy_size_tfs_align");
    let expected = golden.matrices("crop/matrix");
    assert_eq!(params.len(), 6 * expected.len());
    for (p, expected) in params.chunks_exact(6).zip(&expected) {
        // A target face scale is one more factor of the box; without aligned corners the centre is half a pixel on.
        let crop = CropBox {
            scale: p[0] * p[4],
            center: Point::new(p[1], p[2]),
        };
        let mut ours = crop_matrix(&crop, p[3] as u32);
        if p[5] == 0.0 {
            ours = ours.then(&Affine::translation(0.5, 0.5));
        }
        assert_matrix_close(&format!("crop {p:?}"), &ours, expected, F32);
    }
}

#[test]
fn geometry_matrices() {
    let golden = Golden::load("geometry");
    let params = golden.numbers("geoaug/params_size_align_shiftx_shifty_angle_scale");
    let expected = golden.matrices("geoaug/matrix");
    assert_eq!(params.len(), 6 * expected.len());
    let mut all = Vec::new();
    for (p, expected) in params.chunks_exact(6).zip(&expected) {
        let draws = GeometryDraws {
            shift: [p[2], p[3]],
            angle: p[4],
            scale: p[5],
        };
        // Without aligned corners the last pixel is `size` rather than `size - 1`.
        let size = p[0] as u32 + u32::from(p[1] == 0.0);
        let ours = draws.matrix(size);
        assert_matrix_close(&format!("geometry {p:?}"), &ours, expected, F32);
        all.push(ours);
    }
    // "geoaug.matrix[8] @ crop.matrix[3]; geoaug.matrix[12] @ crop.matrix[8] (..)"
    let recipe = golden.json["compose"].as_str().expect("compose");
    let indices: Vec<usize> = recipe
        .split("matrix[")
        .skip(1)
        .filter_map(|rest| rest.split(']').next()?.parse().ok())
        .collect();
    let crops = golden.matrices("crop/matrix");
    let composed = golden.matrices("compose/matrix");
    assert_eq!(indices.len(), 2 * composed.len(), "{recipe}");
    for (pair, expected) in indices.chunks_exact(2).zip(&composed) {
        let ours = all[pair[0]].compose(&crops[pair[1]]);
        assert_matrix_close(&format!("compose {pair:?}"), &ours, expected, F32);
    }
}

#[test]
fn points_through_matrices() {
    let golden = Golden::load("geometry");
    let source = golden.points("points/src");
    let expected = golden.points("points/dst");
    let matrices = golden.matrices_if_affine("points/matrices");
    assert!(matrices.iter().any(Option::is_some));
    for (matrix, expected) in matrices.iter().zip(expected.chunks_exact(source.len())) {
        // One is a projection, which the published transform can do and nothing ever asks for.
        let Some(matrix) = matrix else { continue };
        let size = expected
            .iter()
            .fold(1.0_f64, |m, p| m.max(p.x.abs()).max(p.y.abs()));
        assert_points_close("points", &matrix.apply_all(&source), expected, F32 * size);
    }
    // Back to the image, as after a prediction; the published program inverts in f32 (REFERENCE M8).
    let predicted = golden.points("postprocess/src");
    let expected = golden.points("postprocess/dst");
    let inverses = golden.matrices("postprocess/inv_matrix");
    assert_eq!(inverses.len() * predicted.len(), expected.len());
    for (inverse, expected) in inverses.iter().zip(expected.chunks_exact(predicted.len())) {
        let size = expected
            .iter()
            .fold(1.0_f64, |m, p| m.max(p.x.abs()).max(p.y.abs()));
        assert_points_close(
            "postprocess",
            &inverse.apply_all(&predicted),
            expected,
            F32 * size,
        );
        let forth = inverse.invert().expect("invertible");
        assert_matrix_close(
            "inverse",
            &forth.invert().expect("invertible"),
            inverse,
            1e-9,
        );
    }
}

#[test]
fn labels() {
    let golden = Golden::load("geometry");
    let source = golden.points("points/src");
    // The other convention, align1, is the decoder's grid, which is not part of this crate.
    for case in golden.cases("norm/", "_align0") {
        let (height, width) = case.split_once('x').expect("HxW");
        let (h, w): (f64, f64) = (height.parse().expect("H"), width.parse().expect("W"));
        let key = format!("norm/{case}_align0");
        let ours: Vec<f64> = (source.iter())
            .flat_map(|p| [normalise(p.x, w), normalise(p.y, h)])
            .map(|v| v.clamp(-1.0, 1.0))
            .collect();
        assert_close(&key, &ours, &golden.numbers(&key), F32);
        let back: Vec<f64> = (golden.points(&key).iter())
            .flat_map(|p| [denormalise(p.x, w), denormalise(p.y, h)])
            .collect();
        let key = format!("denorm/{case}_align0");
        assert_close(&key, &back, &golden.numbers(&key), F32 * w.max(h) * 10.0);
    }
}

#[test]
fn flips() {
    let golden = Golden::load("geometry");
    for case in golden.cases("flip/", "/out_landmarks") {
        let layout = layout_of(&case);
        let image = golden.image(&format!("flip/{case}/image"));
        let width = image.width();
        let landmarks = golden.points(&format!("flip/{case}/landmarks"));
        let expected = golden.points(&format!("flip/{case}/out_landmarks"));
        let ours = layout.mirrored(&landmarks, width);
        assert_points_close(&format!("{case} landmarks"), &ours, &expected, 1e-5);

        let mirror = Affine::mirror(f64::from(width) - 1.0);
        let ours = warp(&image, &mirror, width, image.height()).expect("mirror");
        assert_eq!(
            ours,
            golden.image(&format!("flip/{case}/out_image")),
            "{case} image"
        );

        let center = golden.points(&format!("flip/{case}/center"))[0];
        let expected = golden.points(&format!("flip/{case}/out_center"))[0];
        let ours = Affine::mirror(f64::from(width) - layout.flip_offset).apply(center);
        assert_points_close(&format!("{case} centre"), &[ours], &[expected], 1e-9);
    }
}

#[test]
fn warps() {
    let golden = Golden::load("geometry");
    for case in golden.cases("warp/", "/cv480") {
        let facts = &golden.json["warp"][&case];
        let source = facts["src"].as_str().expect("src");
        let image = golden.image(&format!("warp/{source}"));
        let matrix = golden.matrix(&format!("warp/{case}/matrix"));
        let key = format!("warp/{case}/cv480");
        let shape = golden.shape(&key);
        let ours = warp(&image, &matrix, shape[1] as u32, shape[0] as u32).expect("warp");
        let (max, mean) = difference(&levels(&ours), &levels(&golden.image(&key)));
        // REFERENCE C8: OpenCV 4.8 rounds places to 1/32 pixel. How far it is from OpenCV 5 stands in the file; we are within a level of
        // the latter.
        let max_limit = number(&facts["cv500_vs_cv480_max"]) + 1.0;
        let mean_limit = if source.contains("checker") {
            1.5
        } else {
            0.35
        };
        println!("{case}: cv480 max {max} mean {mean:.3}");
        assert!(
            max <= max_limit && mean <= mean_limit,
            "{case}: max {max}, mean {mean}"
        );
        // OpenCV 5 is exact; where it is stored we are within one level of it, and its sum of levels is known everywhere.
        let key = format!("warp/{case}/cv500");
        if golden.has(&key) {
            let (max, _) = difference(&levels(&ours), &levels(&golden.image(&key)));
            assert!(max <= 1.0, "{case}: {max} off OpenCV 5");
        }
        let sum: f64 = levels(&ours).iter().sum();
        let expected = number(&facts["cv500_checksum_sum"]);
        let per_level = (sum - expected).abs() / levels(&ours).len() as f64;
        assert!(per_level <= 0.01, "{case}: sum {sum} against {expected}");
        let key = format!("warp/{case}/ideal_f32");
        if golden.has(&key) {
            // Stored as BGR.
            let ideal = golden.numbers(&key);
            let ideal: Vec<f64> = ideal
                .chunks_exact(3)
                .flat_map(|p| [p[2], p[1], p[0]])
                .collect();
            let (max, _) = difference(&levels(&ours), &ideal);
            assert!(max <= 0.52, "{case}: {max} off the exact value");
        }
    }
}

#[test]
fn photometric_occlusion() {
    let golden = Golden::load("textures");
    let cases = golden.json["occ"].as_array().expect("occ");
    assert!(!cases.is_empty());
    for case in cases {
        let (h, w) = (number(&case["h"]) as u32, number(&case["w"]) as u32);
        let draws: [f64; 4] = numbers(&case["draws"]).try_into().expect("four draws");
        let ours = occlusion_rectangle(w, h, draws);
        if case["empty"].as_bool().expect("empty") {
            assert_eq!(ours, None, "{case}");
        } else {
            let ours = ours.unwrap_or_else(|| panic!("no rectangle for {case}"));
            let bounds = [ours.top, ours.bottom, ours.left, ours.right].map(f64::from);
            assert_eq!(
                bounds.to_vec(),
                numbers(&case["zero_rect_y0_y1_x0_x1_inclusive"]),
                "{case}"
            );
            let mut image = image::RgbImage::from_pixel(w, h, image::Rgb([9; 3]));
            occlude(&mut image, draws);
            let black = image.pixels().filter(|p| p.0 == [0; 3]).count() as u32;
            assert_eq!(
                black,
                (ours.bottom - ours.top + 1) * (ours.right - ours.left + 1)
            );
        }
    }
}

#[test]
fn photometric_blur() {
    let golden = Golden::load("textures");
    for row in golden.json["blur"]["ksize_from_draw_[size,draw,ksize]"]
        .as_array()
        .expect("sizes")
    {
        let row = numbers(row);
        assert_eq!(
            f64::from(blur_size(row[0] as u32, row[1])),
            row[2],
            "{row:?}"
        );
    }
    let mut compared = 0;
    for case in golden.cases("blur/", "") {
        let (stem, k) = case.rsplit_once('k').unwrap_or((&case, ""));
        let Ok(k) = k.parse::<u32>() else { continue };
        let mut ours = golden.image(&format!("blur/{stem}src"));
        blur(&mut ours, k);
        assert_eq!(ours, golden.image(&format!("blur/{case}")), "{case}");
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn photometric_gamma() {
    let golden = Golden::load("textures");
    for row in golden.json["gamma"]["draw1_draw2_gamma"]
        .as_array()
        .expect("draws")
    {
        let row = numbers(row);
        let ours = gamma_from_draws([row[0], row[1]]);
        assert!((ours - row[2]).abs() < 1e-9, "{row:?}: {ours}");
    }
    let exponents = golden.numbers("gamma/gammas");
    let tables = golden.bytes("gamma/lut");
    assert_eq!(tables.len(), 256 * exponents.len());
    for (&exponent, expected) in exponents.iter().zip(tables.chunks_exact(256)) {
        for (v, (&ours, &theirs)) in gamma_table(exponent).iter().zip(expected).enumerate() {
            let exact = (v as f64 / 255.0).powf(exponent) * 255.0;
            let on_the_edge = (exact - exact.round()).abs() < 1e-9;
            let allowed = u8::from(on_the_edge);
            assert!(
                ours.abs_diff(theirs) <= allowed,
                "gamma {exponent} of {v}: {ours}, not {theirs}"
            );
        }
    }
    let mut image = image::RgbImage::from_pixel(2, 1, image::Rgb([10, 100, 200]));
    gamma(&mut image, exponents[0]);
    let table = gamma_table(exponents[0]);
    assert_eq!(image.get_pixel(1, 0).0, [table[10], table[100], table[200]]);
}

#[test]
fn photometric_noise_and_gray() {
    let golden = Golden::load("textures");
    let source = golden.image("nose/src");
    let bytes = swap_red_blue(&golden.bytes("nose/nose"));
    let strengths = numbers(&golden.json["nose"]["alpha"]);
    let all = golden.bytes("nose/out");
    let (w, h) = (source.width() as usize, source.height() as usize);
    assert_eq!(all.len(), strengths.len() * w * h * 3);
    for (&strength, expected) in strengths.iter().zip(all.chunks_exact(w * h * 3)) {
        let mut ours = source.clone();
        noise(&mut ours, strength, &bytes);
        assert_eq!(ours, image_from_bgr(expected, w, h), "noise {strength}");
    }
    let mut ours = golden.image("gray/src");
    gray(&mut ours);
    assert_eq!(ours, golden.image("gray/out"));
}

/// The published program's stream of draws, in its order: a gate before each change, its numbers only if the gate opens.
fn photometric_from_stream(
    draws: &mut impl Iterator<Item = f64>,
    noise_bytes: Option<Vec<u8>>,
) -> PhotometricDraws {
    let rates = AugmentConfig::default();
    let mut next = || draws.next().expect("another draw");
    let mut photometric = PhotometricDraws::default();
    if next() < rates.occlusion {
        photometric.occlusion = Some(std::array::from_fn(|_| next()));
    }
    if next() < rates.blur {
        photometric.blur = Some(next());
    }
    if next() < rates.gamma {
        photometric.gamma = Some(std::array::from_fn(|_| next()));
    }
    if next() < rates.noise {
        photometric.noise = Some(NoiseDraws {
            strength: next(),
            bytes: noise_bytes.expect("recorded noise"),
        });
    }
    photometric.gray = next() < rates.gray;
    assert!(draws.next().is_none(), "draws are left over");
    photometric
}

#[test]
fn photometric_pipelines() {
    let golden = Golden::load("textures");
    for (case, facts) in object(&golden.json["pipeline"]) {
        let key = format!("pipeline/{case}/nose");
        let bytes = golden.has(&key).then(|| swap_red_blue(&golden.bytes(&key)));
        let draws = photometric_from_stream(&mut numbers(&facts["draws"]).into_iter(), bytes);
        let mut ours = golden.image(&format!("pipeline/{case}/src"));
        draws.apply(&mut ours);
        let (max, _) = difference(
            &levels(&ours),
            &levels(&golden.image(&format!("pipeline/{case}/out"))),
        );
        // A gamma table may be one lower at exact integers (REFERENCE A4); everything else is exact.
        let allowed = f64::from(u8::from(draws.gamma.is_some()));
        assert!(max <= allowed, "{case}: off by {max}");
    }
}

#[test]
fn augmentation_end_to_end() {
    let golden = Golden::load("augment");
    for (case, facts) in object(&golden.json) {
        let (benchmark, _) = case.split_once('_').expect("BENCHMARK_kind");
        let layout = layout_of(benchmark);
        let image = golden.image(&format!("{case}/src"));
        let crop = CropBox {
            scale: number(&facts["scale"]),
            center: Point::new(number(&facts["center_w"]), number(&facts["center_h"])),
        };
        let mut draws = Draws::default();
        if facts["is_train"].as_bool().expect("is_train") {
            let rates = AugmentConfig::default();
            let mut stream = numbers(&facts["random_draws"]).into_iter();
            let gate = stream.next().expect("gate");
            assert!(
                gate < rates.probability,
                "{case}: an untouched training sample"
            );
            draws.flip = stream.next().expect("flip") < rates.flip;
            let normal = &facts["normal_draws"];
            draws.geometry = Some(GeometryDraws {
                shift: numbers(&normal["shift_xy"]).try_into().expect("two shifts"),
                angle: number(&normal["angle"]),
                scale: number(&normal["scale"]),
            });
            draws.photometric = photometric_from_stream(&mut stream, None);
        }
        let key = format!("{case}/out_image_cv480");
        let size = golden.shape(&key)[0] as u32;
        let plan = FacePlan::new(&crop, image.width(), &layout, size, &draws);

        // The published matrix starts from the mirrored image; ours starts from the original.
        let mut expected = golden.matrix(&format!("{case}/out_matrix"));
        if draws.flip {
            let mirror = Affine::mirror(f64::from(image.width()) - layout.flip_offset);
            expected = mirror.then(&expected);
        }
        // f32 entries times the image's width.
        assert_matrix_close(case, &plan.points, &expected, 1e-5);

        let landmarks = golden.points(&format!("{case}/landmarks"));
        let theirs = golden.points(&format!("{case}/out_landmarks"));
        assert_points_close(case, &plan.apply(&landmarks, &layout), &theirs, 1e-4);

        let mut ours = warp(&image, &plan.image, size, size).expect("warp");
        draws.photometric.apply(&mut ours);
        let (max, mean) = difference(&levels(&ours), &levels(&golden.image(&key)));
        println!("{case}: max {max} mean {mean:.3}");
        let max_limit = number(&facts["cv500_vs_cv480_max_diff"]) + 1.0;
        assert!(
            max <= max_limit && mean <= 0.35,
            "{case}: max {max}, mean {mean}"
        );
    }
}

#[test]
fn data_set_end_to_end() {
    let golden = Golden::load("dataset_small");
    let folder = golden_dir().join("dataset_small");
    let layout = layout_of("WFLW");
    let open = |list: &str| TsvFaces::open(folder.join(list), &folder, layout.clone()).expect(list);
    let faces = open("test.tsv");
    assert_eq!(faces.len() as f64, number(&golden.json["len_with_header"]));
    // The published reader loses the first face of an annotation file without a header; ours does not (REFERENCE D1).
    let bare = open("test_noheader.tsv");
    assert_eq!(
        bare.len() as f64,
        number(&golden.json["len_without_header"]) + 1.0
    );
    for (a, b) in faces.rows().iter().zip(bare.rows()) {
        assert_eq!(
            (&a.path, &a.landmarks, a.crop, a.tags),
            (&b.path, &b.landmarks, b.crop, b.tags)
        );
    }

    let size = golden.shape("sample0/data")[2] as u32;
    let maker = SampleMaker::new(layout, size, AugmentConfig::off(), true).expect("maker");
    for index in 0..faces.len() {
        let key = |field: &str| format!("sample{index}/{field}");
        let face = faces.face(index).expect("face");
        let sample = maker.sample(&face, index, 0, 0).expect("sample");
        let tags: Vec<f64> = faces.rows()[index]
            .tags
            .expect("tags")
            .iter()
            .map(|&t| f64::from(u8::from(t)))
            .collect();
        assert_eq!(tags, golden.numbers(&key("tags")));
        assert_matrix_close(
            &key("matrix"),
            &sample.matrix,
            &golden.matrix(&key("matrix")),
            1e-5,
        );
        let labels: Vec<f64> = sample
            .landmarks
            .iter()
            .flatten()
            .map(|&v| f64::from(v))
            .collect();
        assert_close(
            &key("landmarks"),
            &labels,
            &golden.numbers(&key("landmarks")),
            1e-5,
        );
        let clamped = labels.iter().filter(|v| v.abs() == 1.0).count();
        assert_eq!(
            clamped as f64,
            number(&golden.json[format!("sample{index}")]["num_clamped_coords"])
        );

        let crop = golden.image(&key("image_u8_hwc_bgr_cv480"));
        let ours = maker.crop(&face, &Draws::default()).expect("crop");
        let (max, mean) = difference(&levels(&ours), &levels(&crop));
        println!("sample{index}: max {max} mean {mean:.3}");
        assert!(
            max <= 4.0 && mean <= 0.35,
            "sample{index} crop: max {max}, mean {mean}"
        );
        assert_eq!(sample.input(), network_input(&ours));
        if golden.shape(&key("data")).len() == 3 {
            let input: Vec<f64> = network_input(&crop).into_iter().map(f64::from).collect();
            assert_close(&key("data"), &input, &golden.numbers(&key("data")), 1e-6);
        }
        if golden.has(&key("pointmap")) {
            let maps: Vec<f64> = sample.point_maps().into_iter().map(f64::from).collect();
            assert_close(
                &key("pointmap"),
                &maps,
                &golden.numbers(&key("pointmap")),
                1e-6,
            );
        }
        let edges: Vec<f64> = sample.edge_maps.iter().map(|&v| f64::from(v)).collect();
        let theirs: Vec<f64> = golden
            .numbers(&key("edgemap_x64_u8"))
            .iter()
            .map(|v| v / 64.0)
            .collect();
        assert!(edges == theirs, "sample{index}: edges");
    }
}
