//! The two kinds of number that analyses read.

/// A real number of a model (f32) or of a reference computation (f64). Arithmetic is in f64, results are narrowed once.
pub trait Element: Copy + PartialOrd + Into<f64> + Send + Sync + sealed::Sealed + 'static {
    /// The nearest number of this kind.
    fn narrow(value: f64) -> Self;
}

impl Element for f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to the nearest f32 is the purpose"
    )]
    fn narrow(value: f64) -> Self {
        value as Self
    }
}

impl Element for f64 {
    fn narrow(value: f64) -> Self {
        value
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
