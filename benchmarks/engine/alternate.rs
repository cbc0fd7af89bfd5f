//! Turns: whoever went first goes last the next time, so that a drift of the machine's speed falls on all alike.

/// The order of `n` contestants in a round.
pub fn order(n: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.rotate_left(round / 2 % n.max(1));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}
