//! Holm's correction: p-values of several comparisons, adjusted so that the chance of *any* false finding keeps its level.

/// Adjusted p-values, in the order given. A comparison is significant at α when its adjusted value is at most α.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut by_size: Vec<usize> = (0..p_values.len()).collect();
    by_size.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in by_size.iter().enumerate() {
        let remaining = (p_values.len() - rank) as f64;
        let scaled = p_values[index] * remaining;
        // At most 1, which also makes a p-value that is not a number the opposite of a finding; and never below a smaller
        // p-value's, for the procedure stops at the first that fails.
        if scaled >= 1.0 || scaled.is_nan() {
            largest = 1.0;
        } else if scaled > largest {
            largest = scaled;
        }
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::oracles::assert_near;

    #[test]
    fn adjusted_values_are_what_statsmodels_says() {
        // statsmodels.stats.multitest.multipletests(p, method="holm"), statsmodels 0.15.0: tests/reference/metrics.py
        for (given, expected) in [
            (&[0.01, 0.04, 0.03, 0.005][..], &[0.03, 0.06, 0.06, 0.02][..]),
            (&[0.5, 0.6, 0.9], &[1.0, 1.0, 1.0]),
            (&[0.02, 0.02, 0.02], &[0.06, 0.06, 0.06]),
            (&[], &[]),
        ] {
            let found = holm(given);
            assert_eq!(found.len(), expected.len());
            for (found, &expected) in found.into_iter().zip(expected) {
                assert_near(found, expected, "adjusted");
            }
        }
    }

    #[test]
    fn a_p_value_that_is_not_a_number_is_no_finding() {
        let found = holm(&[f64::NAN, 0.01]);
        assert_near(found[0], 1.0, "not a number");
        assert_near(found[1], 0.02, "its neighbour");
    }
}
