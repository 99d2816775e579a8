//! Where the ticks of an axis go, and what they are called.

/// A place on an axis with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where it is on the axis.
    pub value: f64,
    /// None for a minor tick.
    pub label: Option<String>,
}

/// Multiples of 1, 2 or 5 times a power of ten within `low..=high`, about `count` of them, at least `least` apart.
pub fn linear(low: f64, high: f64, count: usize, least: f64) -> Vec<Tick> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![];
    }
    let rough = (span / count.max(1) as f64).max(least);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|&s| s >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let slack = step * 1e-6;
    let first = ((low - slack) / step).ceil() as i64;
    let last = ((high + slack) / step).floor() as i64;
    (first..=last)
        .map(|i| {
            let value = i as f64 * step;
            Tick {
                value,
                label: Some(number(value, step)),
            }
        })
        .collect()
}

/// Powers of ten within `low..=high` (both positive). Over few decades there are ticks between them, some with labels.
pub fn logarithmic(low: f64, high: f64) -> Vec<Tick> {
    if !(low > 0.0 && high > low && high.is_finite()) {
        return vec![];
    }
    let decades = (high / low).log10();
    let few = decades < 2.2;
    // Every n-th decade has a label, so that they do not crowd.
    let stride = ((decades / 6.0).ceil() as i32).max(1);
    // 0.001 beside 10⁻⁴ looks like a mistake.
    let as_powers = low < 1e-3 || high >= 1e5;
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let mut ticks = vec![];
    for exponent in first..=last {
        for digit in if few { 1..10 } else { 1..2 } {
            let value = f64::from(digit) * 10f64.powi(exponent);
            if value < low * (1.0 - 1e-9) || value > high * (1.0 + 1e-9) {
                continue;
            }
            let named = match digit {
                1 => exponent.rem_euclid(stride) == 0,
                2 | 5 => true,
                3 | 4 | 6 | 7 | 8 => decades < 0.7,
                _ => false,
            };
            let label = || {
                if as_powers {
                    power(f64::from(digit), exponent)
                } else {
                    compact(value)
                }
            };
            ticks.push(Tick {
                value,
                label: named.then(label),
            });
        }
    }
    ticks
}

/// `value` with as many decimals as steps of `step` need.
fn number(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value.abs() >= 1e6 || step < 1e-5 {
        return compact(value);
    }
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    minus(format!("{value:.decimals$}"))
}

/// A number as short as it can be said: 250, 0.05, 1e-4 as 10⁻⁴.
pub fn compact(value: f64) -> String {
    // Below this, powers of ten are no longer exact.
    if value.abs() < 1e-300 {
        return "0".into();
    }
    let exponent = (value.abs().log10() + 1e-9).floor() as i32;
    if (-3..5).contains(&exponent) {
        let decimals = (2 - exponent).max(0) as usize;
        let text = format!("{value:.decimals$}");
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        return minus(text.to_string());
    }
    power(value / 10f64.powi(exponent), exponent)
}

/// mantissa·10ⁿ, or 10ⁿ alone.
fn power(mantissa: f64, exponent: i32) -> String {
    let power: String = exponent.to_string().chars().map(superscript).collect();
    if (mantissa - 1.0).abs() < 1e-6 {
        return format!("10{power}");
    }
    let mantissa = format!("{mantissa:.2}");
    minus(format!(
        "{}·10{power}",
        mantissa.trim_end_matches('0').trim_end_matches('.')
    ))
}

/// The typographic minus.
fn minus(text: String) -> String {
    text.replace('-', "\u{2212}")
}

fn superscript(c: char) -> char {
    match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '0' | '4'..='9' => char::from_u32(0x2070 + (c as u32 - '0' as u32)).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().filter_map(|t| t.label.as_deref()).collect()
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(
            labels(&linear(0.0, 500.0, 5, 0.0)),
            ["0", "100", "200", "300", "400", "500"]
        );
        assert_eq!(
            labels(&linear(-0.31, 0.2, 5, 0.0)),
            ["\u{2212}0.2", "0", "0.2"]
        );
        assert_eq!(
            labels(&linear(3.91, 4.06, 4, 0.0)),
            ["3.95", "4.00", "4.05"]
        );
        assert_eq!(labels(&linear(1.0, 3.0, 8, 1.0)), ["1", "2", "3"]);
        assert!(linear(1.0, 1.0, 5, 0.0).is_empty());
        assert!(linear(f64::NAN, 1.0, 5, 0.0).is_empty());
    }

    #[test]
    fn logarithmic_ticks_are_decades() {
        assert_eq!(
            labels(&logarithmic(1e-6, 1e-3)),
            ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³"]
        );
        assert_eq!(labels(&logarithmic(3.0, 60.0)), ["5", "10", "20", "50"]);
        assert_eq!(
            labels(&logarithmic(1.5e-4, 1.2e-3)),
            ["2·10⁻⁴", "5·10⁻⁴", "10⁻³"]
        );
        assert!(logarithmic(0.0, 1.0).is_empty());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(compact(0.25), "0.25");
        assert_eq!(compact(12345.0), "12345");
        assert_eq!(compact(3.456), "3.46");
        assert_eq!(compact(1e-10), "10⁻¹⁰");
        assert_eq!(compact(2.5e7), "2.5·10⁷");
    }
}
