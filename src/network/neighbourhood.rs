//! Which neurons of the layer before a neuron hears (spec 5.2, 5.3).

use std::ops::Range;

use super::spec::Neighbourhood;

/// The widest layer for which `auto` means `all`.
const AUTO_ALL: usize = 4;
/// The window that `auto` uses beyond.
const AUTO_WINDOW: usize = 2;

impl Neighbourhood {
    /// Participants for neuron `i` of `n`, itself included: window w means `max(i−w+1, 0) … min(n, i+w) − 1`.
    pub fn participants(self, i: usize, n: usize) -> Range<usize> {
        match self {
            Neighbourhood::All => 0..n,
            Neighbourhood::Window(window) => windowed(i, n, window.get()),
            Neighbourhood::Auto if n <= AUTO_ALL => 0..n,
            Neighbourhood::Auto => windowed(i, n, AUTO_WINDOW),
        }
    }
}

fn windowed(i: usize, n: usize, window: usize) -> Range<usize> {
    (i + 1).saturating_sub(window)..n.min(i + window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn window(n: usize) -> Vec<Vec<usize>> {
        let two = Neighbourhood::Window(NonZeroUsize::MIN.saturating_add(1));
        (0..n).map(|i| two.participants(i, n).collect()).collect()
    }

    /// Spec 14.3, first row.
    #[test]
    fn a_window_of_two_is_oneself_and_one_neighbour_on_each_side() {
        assert_eq!(window(1), [vec![0]]);
        assert_eq!(window(2), [vec![0, 1], vec![0, 1]]);
        assert_eq!(window(3), [vec![0, 1], vec![0, 1, 2], vec![1, 2]]);
        assert_eq!(
            window(5),
            [vec![0, 1], vec![0, 1, 2], vec![1, 2, 3], vec![2, 3, 4], vec![3, 4]]
        );
    }

    #[test]
    fn auto_hears_everybody_up_to_four() {
        assert_eq!(Neighbourhood::Auto.participants(0, 4), 0..4);
        assert_eq!(Neighbourhood::Auto.participants(0, 5), 0..2);
        assert_eq!(Neighbourhood::All.participants(3, 9), 0..9);
    }
}
