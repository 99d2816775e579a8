//! `exp` and `ln` without branches, so that loops over them become vectors. Their series are those of the Cephes library.

const SQRT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
// ln 2 in two parts, so that a whole number times the first is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `e^x` within two units of the last place between -87 and 88; 0 below, and as at 88 above. What is not a number stays so.
///
/// `2^n e^r` with r at most half of ln 2.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // Adding it leaves the nearest whole number in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let bounded = if x > 88.0 { 88.0 } else { x };
    let bounded = if bounded < -87.0 { -87.0 } else { bounded };
    let shifted = bounded * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * LN_2_HIGH - n * LN_2_LOW;
    let series = 1.987_569_1e-4;
    let series = series * r + 1.398_199_9e-3;
    let series = series * r + 8.333_452e-3;
    let series = series * r + 4.166_579_6e-2;
    let series = series * r + 1.666_666_5e-1;
    let series = series * r + 0.5;
    let series = series * r * r + r + 1.0;
    let power = f32::from_bits(
        shifted
            .to_bits()
            .wrapping_sub(ROUND.to_bits())
            .wrapping_add(127)
            << 23,
    );
    // Of what is not a number the power is anything.
    let value = series * power;
    if x < -87.0 { 0.0 } else { value }
}

/// `ln x` within two units of the last place, or 1e-7 near 1, for numbers that are positive and not denormal. Others give anything.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    // x = m 2^e with m from 0.5 to 1, then from the root of a half to that of two.
    let m = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    let e = (bits >> 23) as i32 as f32 - 126.0;
    let small = m < SQRT_HALF;
    let e = if small { e - 1.0 } else { e };
    let m = if small { m + m - 1.0 } else { m - 1.0 };
    let series = 7.037_683_6e-2;
    let series = series * m - 1.151_461e-1;
    let series = series * m + 1.167_699_9e-1;
    let series = series * m - 1.242_014_1e-1;
    let series = series * m + 1.424_932_3e-1;
    let series = series * m - 1.666_805_8e-1;
    let series = series * m + 2.000_071_5e-1;
    let series = series * m - 2.499_999_4e-1;
    let series = series * m + 3.333_333e-1;
    let square = m * m;
    let rest = series * m * square + e * LN_2_LOW - 0.5 * square;
    m + rest + e * LN_2_HIGH
}

/// `ln(1 + x)` to a relative 3e-7 for x from 0 on, 0 itself included.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    // What rounding left out of the sum is made up for by the ratio (Kahan).
    let rounded = sum - 1.0;
    if rounded == 0.0 {
        x
    } else {
        ln(sum) * (x / rounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_library() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0 + 1e-3;
            let (fast, exact) = (f64::from(exp(x)), f64::from(x.min(88.0)).exp());
            assert!((fast / exact - 1.0).abs() < 3e-7, "{x}: {fast} {exact}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY).is_finite());
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn logarithms_are_those_of_the_library() {
        let mut x = 1e-37f32;
        while x < 1e38 {
            let (fast, exact) = (f64::from(ln(x)), f64::from(x).ln());
            let off = (fast - exact).abs();
            assert!(
                off < 1e-7 || off < 2.5e-7 * exact.abs(),
                "{x}: {fast} {exact}"
            );
            x *= 1.000_37;
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn logarithms_of_one_and_a_little_are_those_of_the_library() {
        assert_eq!(ln_1p(0.0), 0.0);
        let mut x = 1e-37f32;
        while x < 1e6 {
            let (fast, exact) = (f64::from(ln_1p(x)), f64::from(x).ln_1p());
            assert!((fast / exact - 1.0).abs() < 3e-7, "{x}: {fast} {exact}");
            x *= 1.001;
        }
    }
}
