//! What is drawn is where it should be.

use image::{Rgb, RgbImage};
use star_data::{Covariance, CropBox, Edge, Point};

use super::*;

const GREY: [u8; 3] = [128, 128, 128];

fn blank(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(GREY))
}

/// On black the dark rims do not show, so that brightness is what was drawn.
fn dark(width: u32, height: u32) -> RgbImage {
    RgbImage::new(width, height)
}

/// How bright each pixel is.
fn changes(image: &RgbImage) -> impl Iterator<Item = (Point, f64)> {
    image.enumerate_pixels().map(|(x, y, p)| {
        let change: f64 = p.0.iter().map(|&c| f64::from(c)).sum();
        (Point::new(f64::from(x), f64::from(y)), change)
    })
}

/// Centre of mass and covariance of what was drawn on black.
fn moments(image: &RgbImage) -> (Point, Covariance) {
    let total: f64 = changes(image).map(|c| c.1).sum();
    assert!(total > 0.0, "nothing was drawn");
    let mean =
        |f: &dyn Fn(Point) -> f64| changes(image).map(|(p, c)| f(p) * c).sum::<f64>() / total;
    let center = Point::new(mean(&|p| p.x), mean(&|p| p.y));
    let spread = Covariance {
        xx: mean(&|p| (p.x - center.x).powi(2)),
        xy: mean(&|p| (p.x - center.x) * (p.y - center.y)),
        yy: mean(&|p| (p.y - center.y).powi(2)),
    };
    (center, spread)
}

fn edge(points: &[usize], closed: bool) -> Edge {
    Edge {
        name: "edge".into(),
        closed,
        points: points.to_vec(),
    }
}

#[test]
fn a_point_is_drawn_where_it_is() {
    for at in [(20.0, 30.0), (20.25, 30.75), (33.5, 12.5), (40.9, 41.1)] {
        let point = [Point::new(at.0, at.1)];
        let (center, _) = moments(&Overlay::new(&point).draw(&dark(64, 64)));
        assert!(
            center.distance(point[0]) < 0.1,
            "{at:?} drawn at {center:?}"
        );
        let (center, _) = moments(&Overlay::new(&[]).reference(&point).draw(&dark(64, 64)));
        assert!(
            center.distance(point[0]) < 0.1,
            "reference {at:?} drawn at {center:?}"
        );
    }
}

#[test]
fn an_edge_is_drawn_between_its_points() {
    let points = [Point::new(10.3, 20.6), Point::new(50.3, 44.6)];
    let edges = [edge(&[0, 1], false)];
    let bare = Overlay::new(&points).draw(&blank(64, 64));
    let with = Overlay::new(&points).edges(&edges).draw(&blank(64, 64));
    let mut changed = 0;
    for (x, y, pixel) in with.enumerate_pixels() {
        let (x, y) = (f64::from(x), f64::from(y));
        let t = (x - 10.3) / 40.0;
        let off = ((y - 20.6) - t * 24.0) * 40.0 / 40f64.hypot(24.0);
        if pixel != bare.get_pixel(x as u32, y as u32) {
            assert!(off.abs() < 2.0, "({x}, {y}) is {off} off the line");
            changed += 1;
        } else {
            assert!(
                off.abs() > 0.5 || !(0.1..0.9).contains(&t),
                "({x}, {y}) is on the line and untouched"
            );
        }
    }
    assert!(changed > 40);
}

#[test]
fn a_closed_edge_comes_back() {
    let points = [
        Point::new(12.0, 12.0),
        Point::new(50.0, 12.0),
        Point::new(31.0, 50.0),
    ];
    let draw = |closed| {
        let edges = [edge(&[0, 1, 2], closed)];
        Overlay::new(&points).edges(&edges).draw(&blank(64, 64))
    };
    // Half way between the last point and the first.
    let touched =
        |image: &RgbImage| image.get_pixel(21, 31).0 != GREY || image.get_pixel(22, 31).0 != GREY;
    assert!(touched(&draw(true)));
    assert!(!touched(&draw(false)));
}

#[test]
fn an_ellipse_has_its_axes() {
    // Only the ellipse: what the point alone changes is subtracted by drawing both over each other.
    let at = [Point::new(60.2, 61.7)];
    let (long, short, tilt) = (18.0_f64, 7.0_f64, 0.6_f64);
    let (sin, cos) = tilt.sin_cos();
    let spread = Covariance {
        xx: (long * cos).powi(2) + (short * sin).powi(2),
        xy: (long.powi(2) - short.powi(2)) * sin * cos,
        yy: (long * sin).powi(2) + (short * cos).powi(2),
    };
    let drawn = Overlay::new(&at)
        .thickness(3.0)
        .spreads(&[spread])
        .draw(&dark(128, 128));
    let bare = Overlay::new(&at).thickness(3.0).draw(&dark(128, 128));
    let mut only = dark(128, 128);
    let mut reach = (0.0_f64, 0.0_f64);
    for (x, y, pixel) in drawn.enumerate_pixels() {
        if pixel == bare.get_pixel(x, y) {
            continue;
        }
        only.put_pixel(x, y, *pixel);
        let (dx, dy) = (f64::from(x) - at[0].x, f64::from(y) - at[0].y);
        let (u, v) = (cos * dx + sin * dy, cos * dy - sin * dx);
        reach = (reach.0.max(u.abs()), reach.1.max(v.abs()));
        let size = (u / (2.0 * long)).hypot(v / (2.0 * short));
        assert!(
            (size - 1.0).abs() < 0.12,
            "({x}, {y}) is {size} of two sigmas out"
        );
    }
    assert!(
        (reach.0 - 2.0 * long).abs() < 1.2 && (reach.1 - 2.0 * short).abs() < 1.2,
        "{reach:?}"
    );
    let (center, found) = moments(&only);
    assert!(center.distance(at[0]) < 0.15, "{center:?}");
    let angle = (2.0 * found.xy).atan2(found.xx - found.yy) / 2.0;
    assert!((angle - tilt).abs() < 0.02, "{angle}");
}

#[test]
fn points_without_a_place_are_left_out() {
    let nan = Point::new(f64::NAN, 3.0);
    let points = [
        nan,
        Point::new(1e300, 0.0),
        Point::new(f64::INFINITY, 2.0),
        Point::new(-1e9, 5.0),
    ];
    let edges = [
        edge(&[0, 1, 2, 3], true),
        edge(&[7, 8], false),
        edge(&[], true),
    ];
    let spreads = [Covariance {
        xx: f64::NAN,
        xy: 0.0,
        yy: 1.0,
    }; 4];
    let drawn = Overlay::new(&points)
        .edges(&edges)
        .spreads(&spreads)
        .reference(&points)
        .draw(&blank(32, 32));
    assert_eq!(drawn, blank(32, 32));
    // The others of an edge with such a point are still joined.
    let points = [Point::new(4.0, 16.0), Point::new(28.0, 16.0), nan];
    let edges = [edge(&[0, 1, 2], true)];
    let drawn = Overlay::new(&points).edges(&edges).draw(&blank(32, 32));
    assert_ne!(drawn.get_pixel(16, 16).0, GREY);
}

#[test]
fn degenerate_spreads_and_images_are_drawn() {
    let at = [Point::new(16.0, 16.0); 3];
    let spreads = [
        Covariance {
            xx: 0.0,
            xy: 0.0,
            yy: 0.0,
        },
        Covariance {
            xx: 9.0,
            xy: 0.0,
            yy: 0.0,
        },
        Covariance {
            xx: -1.0,
            xy: 0.0,
            yy: -1.0,
        },
    ];
    assert_ne!(
        Overlay::new(&at).spreads(&spreads).draw(&blank(32, 32)),
        blank(32, 32)
    );
    assert_eq!(
        Overlay::new(&at).draw(&RgbImage::new(0, 0)).dimensions(),
        (0, 0)
    );
}

#[test]
fn lines_grow_with_the_face() {
    let width_of = |scale: f64| {
        let points = [(20.0, 30.0), (40.0, 30.0), (30.0, 50.0)]
            .map(|(x, y)| Point::new(x * scale, y * scale));
        let side = (64.0 * scale) as u32;
        let edges = [edge(&[0, 1], false)];
        let drawn = Overlay::new(&points).edges(&edges).draw(&blank(side, side));
        // A column through the middle of the horizontal edge.
        (0..side)
            .filter(|&y| drawn.get_pixel((30.0 * scale) as u32, y).0 != GREY)
            .count()
    };
    let (small, large) = (width_of(8.0), width_of(24.0));
    assert!(
        large > 2 * small && large < 4 * small,
        "{small} and {large}"
    );
}

#[test]
fn several_faces_share_a_image() {
    let (a, b) = ([Point::new(10.0, 10.0)], [Point::new(50.0, 40.0)]);
    let drawn = draw_overlays(&blank(64, 64), &[Overlay::new(&a), Overlay::new(&b)]);
    assert_eq!(drawn.get_pixel(10, 10).0, [255; 3]);
    assert_eq!(drawn.get_pixel(50, 40).0, [255; 3]);
}

fn crop(center: (f64, f64), width: f64) -> CropBox {
    CropBox {
        scale: width / 200.0,
        center: Point::new(center.0, center.1),
    }
}

#[test]
fn a_sheet_has_its_size() {
    let image = blank(40, 40);
    for (tiles, columns, expected) in [
        (7, 3, (3 * 60 + 4 * 5, 3 * 60 + 4 * 5)),
        (6, 3, (3 * 60 + 4 * 5, 2 * 60 + 3 * 5)),
        (2, 5, (2 * 60 + 3 * 5, 60 + 2 * 5)),
        (0, 4, (5, 5)),
        (1, 0, (70, 70)),
    ] {
        let mut sheet = ContactSheet::new(SheetOptions {
            columns,
            tile: 60,
            gutter: 5,
            ..SheetOptions::default()
        });
        for _ in 0..tiles {
            sheet.push(&Tile::new(&image, crop((20.0, 20.0), 40.0), &[]));
        }
        assert_eq!(sheet.len(), tiles);
        assert_eq!(
            sheet.render().dimensions(),
            expected,
            "{tiles} tiles, {columns} columns"
        );
    }
}

#[test]
fn a_tile_shows_its_crop_and_points() {
    // Large enough to be reduced four times.
    let image = dark(900, 700);
    let points = [Point::new(500.0, 300.0)];
    for width in [100.0, 350.0, 500.0] {
        let mut sheet = ContactSheet::new(SheetOptions {
            columns: 1,
            tile: 120,
            gutter: 0,
            border: 6,
            ..SheetOptions::default()
        });
        let tile = Tile {
            border: Some([200, 30, 40]),
            ..Tile::new(&image, crop((480.0, 290.0), width), &points)
        };
        sheet.push(&tile);
        let sheet = sheet.render();
        assert_eq!(sheet.dimensions(), (120, 120));
        for (x, y) in [(0, 0), (5, 60), (119, 119), (60, 114)] {
            assert_eq!(sheet.get_pixel(x, y).0, [200, 30, 40], "border at {x}, {y}");
        }
        let inner = image::imageops::crop_imm(&sheet, 6, 6, 108, 108).to_image();
        assert_eq!(inner.get_pixel(3, 3).0, [0; 3]);
        let (center, _) = moments(&inner);
        // The crop's centre lands on the middle of the pixels; its width on their number.
        let expected = Point::new(53.5 + 20.0 * 108.0 / width, 53.5 + 10.0 * 108.0 / width);
        // Half a pixel of the oversampled image is the convention of the crop.
        assert!(
            center.distance(expected) < 0.5,
            "{width}: {center:?} instead of {expected:?}"
        );
    }
}

#[test]
fn points_move_with_the_image_they_are_drawn_on() {
    // A dot painted into the image, and a point on it, meet in the tile at any reduction.
    for (width, dot) in [(100.0, 2), (420.0, 6)] {
        let mut image = dark(900, 700);
        for y in 300 - dot..=300 + dot {
            for x in 500 - dot..=500 + dot {
                image.put_pixel(x, y, Rgb([255; 3]));
            }
        }
        let options = SheetOptions {
            tile: 128,
            gutter: 0,
            ..SheetOptions::default()
        };
        let center = |image: &RgbImage, points: &[Point]| {
            let mut sheet = ContactSheet::new(options);
            sheet.push(&Tile::new(image, crop((480.0, 290.0), width), points));
            moments(&sheet.render()).0
        };
        let painted = center(&image, &[]);
        let drawn = center(&dark(900, 700), &[Point::new(500.0, 300.0)]);
        assert!(
            painted.distance(drawn) < 0.1,
            "{width}: {painted:?} and {drawn:?}"
        );
    }
}

#[test]
fn crops_without_a_size_are_black() {
    let image = blank(40, 40);
    let mut sheet = ContactSheet::new(SheetOptions {
        tile: 30,
        gutter: 1,
        ..SheetOptions::default()
    });
    for width in [0.0, -3.0, f64::NAN, f64::INFINITY] {
        sheet.push(&Tile::new(
            &image,
            crop((20.0, 20.0), width),
            &[Point::new(20.0, 20.0)],
        ));
    }
    let sheet = sheet.render();
    assert_eq!(sheet.get_pixel(15, 15).0, [0; 3]);
}

#[test]
fn errors_have_colors() {
    assert_eq!(error_color(0.0, 0.1), [44, 123, 182]);
    assert_eq!(error_color(0.1, 0.1), [215, 25, 28]);
    assert_eq!(error_color(7.0, 0.1), [215, 25, 28]);
    assert_eq!(error_color(f64::NAN, 0.1), [128; 3]);
    assert_eq!(error_color(0.0, 0.0), [128; 3]);
}

/// The document, if every tag is closed and every attribute and reference is well-formed.
fn check_xml(text: &str) -> Vec<&str> {
    let mut open = vec![];
    let mut tags = vec![];
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let content = &rest[..start];
        assert!(!content.contains('>'), "stray > in {content:?}");
        for (i, _) in content.match_indices('&') {
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
            assert!(
                known.iter().any(|k| content[i..].starts_with(k)),
                "stray & in {content:?}"
            );
        }
        let end = start + rest[start..].find('>').expect("a tag that is never closed");
        let tag = &rest[start + 1..end];
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            let name = tag.split([' ', '/']).next().expect("a name");
            if !tag.ends_with('/') {
                open.push(name);
            }
            tags.push(tag);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?} never closed");
    for line in text.lines() {
        assert!(
            !line.contains("NaN") && !line.contains("inf"),
            "a number that is none: {line}"
        );
    }
    tags
}

fn figure(series: Vec<Series>, scale: Scale) -> String {
    Figure {
        title: "a < b & \"c\" \u{1}".into(),
        x_name: "epoch".into(),
        panels: vec![Panel::new("loss <x>", scale, series)],
        marks: vec![2.0, 1e9, f64::NAN],
    }
    .to_svg()
}

#[test]
fn svg_is_well_formed_for_any_values() {
    let nan = f64::NAN;
    let cases: Vec<(&str, Vec<(f64, f64)>)> = vec![
        (
            "plain",
            (0..50)
                .map(|i| (f64::from(i), 1.0 / f64::from(i + 1)))
                .collect(),
        ),
        ("empty", vec![]),
        ("one", vec![(3.0, 4.0)]),
        ("one nan", vec![(3.0, nan)]),
        (
            "gaps",
            vec![
                (0.0, 1.0),
                (1.0, nan),
                (2.0, 3.0),
                (3.0, f64::INFINITY),
                (4.0, 2.0),
                (5.0, 2.5),
            ],
        ),
        ("nan x", vec![(nan, 1.0), (f64::NEG_INFINITY, 2.0)]),
        ("flat", vec![(0.0, 7.0), (9.0, 7.0)]),
        ("zeros", vec![(0.0, 0.0), (9.0, 0.0)]),
        ("negative", vec![(0.0, -3.0), (1.0, -1e-9), (2.0, 5.0)]),
        ("vertical", vec![(1.0, 1.0), (1.0, 2.0)]),
        ("huge", vec![(0.0, 1e300), (1.0, -1e300), (2.0, 1e-300)]),
        ("tiny", vec![(0.0, 1e-300), (1.0, 5e-324)]),
        (
            "long",
            (0..100_000)
                .map(|i| (f64::from(i), f64::from(i % 97)))
                .collect(),
        ),
    ];
    for (name, points) in cases {
        for scale in [Scale::Linear, Scale::Log] {
            for style in [|s: Series| s, Series::steps, |s: Series| s.faint().dashed()] {
                let series = style(Series::new("a&b", points.clone()).mark_lowest());
                let svg = figure(vec![series.clone(), series], scale);
                assert!(check_xml(&svg)[0].starts_with("svg "), "{name}");
                assert!(svg.len() < 400_000, "{name}: {} bytes", svg.len());
            }
        }
    }
    check_xml(&Figure::default().to_svg());
}

/// The numbers of the only curve's path.
fn path(svg: &str) -> Vec<f64> {
    let curve = check_xml(svg)
        .into_iter()
        .rfind(|t| {
            t.starts_with("path") && t.contains("d=\"M") && !t.contains(&format!("d=\"M{}", "716"))
        })
        .expect("a curve");
    let d = curve.split('"').nth(1).expect("its path");
    d.split(['M', 'L', ' ', 'H', 'V'])
        .filter(|t| !t.is_empty())
        .map(|t| t.parse().expect("a number"))
        .collect()
}

#[test]
fn curves_go_through_their_points() {
    let series = |values: [f64; 3]| {
        vec![Series::new(
            "",
            vec![(0.0, values[0]), (5.0, values[1]), (10.0, values[2])],
        )]
    };
    let linear = path(&figure(series([10.0, 15.0, 20.0]), Scale::Linear));
    let log = path(&figure(series([1.0, 10.0, 100.0]), Scale::Log));
    for path in [linear, log] {
        let [x0, y0, x1, y1, x2, y2] = path[..] else {
            panic!("{path:?}")
        };
        assert!(
            (x1 - (x0 + x2) / 2.0).abs() < 0.02 && (y1 - (y0 + y2) / 2.0).abs() < 0.02,
            "{path:?}"
        );
        assert!(x0 < x2 && y0 > y2, "{path:?}");
    }
}

#[test]
fn single_values_and_empty_panels_say_so() {
    let circles = |svg: &str| {
        check_xml(svg)
            .iter()
            .filter(|t| t.starts_with("circle"))
            .count()
    };
    assert_eq!(
        circles(&figure(
            vec![Series::new("", vec![(1.0, 2.0)])],
            Scale::Linear
        )),
        1
    );
    let gaps = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0), (3.0, f64::NAN)];
    assert_eq!(
        circles(&figure(vec![Series::new("", gaps)], Scale::Linear)),
        2
    );
    assert!(figure(vec![], Scale::Linear).contains("no values"));
    assert!(figure(vec![Series::new("", vec![(0.0, -1.0)])], Scale::Log).contains("no values"));
}

#[test]
fn long_curves_keep_their_extremes() {
    let mut points: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), 1.0)).collect();
    points[77_777].1 = 5.0;
    points[123_456].1 = 0.2;
    let svg = figure(vec![Series::new("", points)], Scale::Linear);
    let ys: Vec<f64> = path(&svg).chunks(2).map(|p| p[1]).collect();
    let (low, high) = ys
        .iter()
        .fold((f64::MAX, f64::MIN), |(l, h), &y| (l.min(y), h.max(y)));
    assert!(
        ys.len() < 10_000 && high - low > 140.0,
        "{} points, {low} to {high}",
        ys.len()
    );
}
