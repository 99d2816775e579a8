//! Quantiles of a list of numbers.

/// The value below which `fraction` of the values lie, in proportion between its two neighbours; sorts them. NaN for none.
pub fn quantile(values: &mut [f64], fraction: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = fraction.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    // The difference of equal infinities is no number.
    if low == high {
        return low;
    }
    low + (high - low) * at.fract()
}

/// The lower quartile, the median and the upper quartile, interpolated between neighbours; None of nothing.
pub fn quartiles(values: impl IntoIterator<Item = f64>) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = values.into_iter().collect();
    (!values.is_empty()).then(|| [0.25, 0.5, 0.75].map(|fraction| quantile(&mut values, fraction)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&mut values, 0.5), 2.5);
        assert_eq!(quantile(&mut values, 1.0), 4.0);
        assert_eq!(quantile(&mut [7.0], 0.3), 7.0);
        let far = f64::INFINITY;
        assert_eq!(quantile(&mut [1.0, far, far], 0.5), far);
        assert_eq!(quantile(&mut [1.0, 2.0, far], 0.5), 2.0);
        assert!(quantile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn quartiles_of_known_lists() {
        assert_eq!(quartiles([]), None);
        assert_eq!(quartiles([7.0]), Some([7.0; 3]));
        assert_eq!(quartiles([5.0, 1.0, 3.0, 2.0, 4.0]), Some([2.0, 3.0, 4.0]));
    }
}
