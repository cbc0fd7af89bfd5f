//! How figures are written.

use crate::agreement::Interval;

/// What stands for a figure that is undefined.
pub(super) const UNDEFINED: &str = "–";

/// Three decimals; `–` for none.
pub(super) fn figure(value: impl Into<Option<f64>>) -> String {
    decimals(value, 3)
}

/// So many decimals; `–` for none.
pub(super) fn decimals(value: impl Into<Option<f64>>, digits: usize) -> String {
    let Some(value) = value.into() else {
        return UNDEFINED.to_owned();
    };
    let text = format!("{value:.digits$}");
    // A figure that rounds to zero has no sign.
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

/// `[0.412, 0.588]`; `–` for none.
pub(super) fn interval(interval: impl Into<Option<Interval>>) -> String {
    match interval.into() {
        Some(interval) => format!("[{}, {}]", figure(interval.low), figure(interval.high)),
        None => UNDEFINED.to_owned(),
    }
}

/// A whole percentage; `–` for none.
pub(super) fn percent(share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{:.0} %", 100.0 * share),
        None => UNDEFINED.to_owned(),
    }
}

/// `p = 0.625`, `p < 0.001`: no p-value is zero.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p = {}", figure(p))
    }
}

/// `1 pair`, `2 pairs`.
pub(super) fn pairs(n: usize) -> String {
    format!("{n} {}", if n == 1 { "pair" } else { "pairs" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_decimals_and_zero_has_no_sign() {
        assert_eq!(figure(0.450_842), "0.451");
        assert_eq!(figure(-0.053_1), "-0.053");
        assert_eq!(figure(-0.000_4), "0.000");
        assert_eq!(figure(None), "–");
        assert_eq!(percent(Some(0.376)), "38 %");
        assert_eq!(percent(None), "–");
        assert_eq!(
            (p_value(0.000_2), p_value(0.625)),
            ("p < 0.001".into(), "p = 0.625".into())
        );
    }
}
