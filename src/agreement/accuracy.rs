//! Accuracy: the share of exact matches. No half credit for ties.

use super::Confusion;

/// Exact matches / rows; `None` over no rows.
pub fn accuracy(confusion: &Confusion) -> Option<f64> {
    let n = confusion.n();
    (n > 0).then(|| confusion.agreed() as f64 / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::oracles::{assert_near, table};

    #[test]
    fn accuracy_is_what_scikit_learn_says() {
        for oracle in table() {
            assert_near(accuracy(&oracle.confusion), oracle.accuracy, oracle.id);
        }
        assert_near(accuracy(&Confusion::default()), None, "no rows");
    }
}
