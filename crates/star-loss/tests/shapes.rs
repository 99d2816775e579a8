//! Shapes that do not fit stop every loss, with all of them in the message.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Tensor;
use common::Inner;
use star_loss::{AWingLossConfig, SmoothL1Loss, StarLossConfig, WingLoss, heatmap_stats};

fn zeros<const D: usize>(shape: [usize; D]) -> Tensor<Inner, D> {
    Tensor::zeros(shape, &Default::default())
}

#[test]
fn what_does_not_fit_is_named() {
    let star = StarLossConfig::default().init();
    let awing = AWingLossConfig::default().init();
    let (smooth_l1, wing) = (SmoothL1Loss::default(), WingLoss::default());
    type Wrong<'a> = (&'a str, Box<dyn Fn() + 'a>, &'a [&'a str]);
    let wrong: Vec<Wrong> = vec![
        (
            // As many numbers, each beside another one's.
            "points and batch exchanged",
            Box::new(|| drop(star.forward(zeros([2, 3, 8, 8]), zeros([3, 2, 2])))),
            &["[2, 3, 8, 8]", "[3, 2, 2]"],
        ),
        (
            "half the targets",
            Box::new(|| drop(star.per_sample(zeros([2, 3, 8, 8]), zeros([1, 3, 2])))),
            &["[2, 3, 8, 8]", "[1, 3, 2]"],
        ),
        (
            "targets with three coordinates",
            Box::new(|| drop(star.pointwise(zeros([2, 3, 8, 8]), zeros([2, 3, 3])))),
            &["[2, 3, 8, 8]", "[2, 3, 3]"],
        ),
        (
            "no pixels",
            Box::new(|| drop(star.forward(zeros([2, 3, 0, 8]), zeros([2, 3, 2])))),
            &["[2, 3, 0, 8]", "[2, 3, 2]"],
        ),
        (
            "statistics of no pixels",
            Box::new(|| drop(heatmap_stats(zeros([2, 3, 8, 0])))),
            &["[2, 3, 8, 0]"],
        ),
        (
            "maps turned on their side",
            Box::new(|| drop(awing.forward(zeros([2, 3, 4, 8]), zeros([2, 3, 8, 4])))),
            &["[2, 3, 4, 8]", "[2, 3, 8, 4]"],
        ),
        (
            "one target for all",
            Box::new(|| drop(awing.per_sample(zeros([2, 3, 8, 8]), zeros([1, 3, 8, 8])))),
            &["[2, 3, 8, 8]", "[1, 3, 8, 8]"],
        ),
        (
            "more points",
            Box::new(|| drop(smooth_l1.forward(zeros([2, 3, 2]), zeros([2, 4, 2])))),
            &["[2, 3, 2]", "[2, 4, 2]"],
        ),
        (
            "points of one coordinate",
            Box::new(|| drop(smooth_l1.pointwise(zeros([2, 3, 2]), zeros([2, 3, 1])))),
            &["[2, 3, 2]", "[2, 3, 1]"],
        ),
        (
            "points of three coordinates",
            Box::new(|| drop(wing.forward(zeros([2, 3, 3]), zeros([2, 3, 3])))),
            &["[2, 3, 3]"],
        ),
        (
            "another batch",
            Box::new(|| drop(wing.pointwise(zeros([3, 3, 2]), zeros([2, 3, 2])))),
            &["[3, 3, 2]", "[2, 3, 2]"],
        ),
    ];
    for (call, run, parts) in wrong {
        let panic = catch_unwind(AssertUnwindSafe(run))
            .err()
            .unwrap_or_else(|| panic!("{call}: was not stopped"));
        let text = panic.downcast_ref::<String>().expect("a message");
        for part in parts {
            assert!(text.contains(part), "{call}: no {part} in: {text}");
        }
    }
}
