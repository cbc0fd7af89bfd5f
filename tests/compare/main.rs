//! Several stored runs side by side. Runs are built by hand with known verdicts; tests/reference/compare.py prints what SciPy, scikit-learn and
//! statsmodels say of them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cost;
mod files;
mod grid;
mod hand_over;
#[path = "../report/runs.rs"]
#[expect(dead_code, reason = "shared with the tests of reports, which use all of it")]
mod runs;
mod seeds;
mod stored;
