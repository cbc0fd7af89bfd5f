//! The one source of chance: SplitMix64, and draws without replacement from it (spec 3.4).
//!
//! The draws are part of the method's definition here: the same repetition picks the same nodes at every checkpoint, on every machine.

/// The SplitMix64 generator. Two generators with the same state give the same numbers.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator whose state is `seed`; a repetition's seed is its index.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`: the high half of the 128-bit product of the next 64 bits and `bound`. Zero for a bound of zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let product = u128::from(self.next_u64()) * (bound as u128);
        usize::try_from(product >> 64).unwrap_or(usize::MAX)
    }

    /// A number in [0, 1) with 53 random bits.
    pub fn unit_interval(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A standard Gaussian number (Box and Muller; one of the pair is thrown away).
    pub fn gaussian(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit_interval()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit_interval()).cos()
    }

    /// `count` of the numbers below `population`, without replacement, in the order drawn: the first steps of a Fisher–Yates shuffle. A
    /// population smaller than `count` is drawn whole.
    pub fn draw(&mut self, population: usize, count: usize) -> Vec<usize> {
        let mut pool: Vec<usize> = (0..population).collect();
        let count = count.min(population);
        for place in 0..count {
            let other = place + self.below(population - place);
            pool.swap(place, other);
        }
        pool.truncate(count);
        pool
    }

    /// Brings `items` into a random order by the same steps as [`draw`](Self::draw).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for place in 0..items.len() {
            let other = place + self.below(items.len() - place);
            items.swap(place, other);
        }
    }
}
