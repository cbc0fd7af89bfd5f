//! Log-probabilities, entropy and perplexity.

use widedeep::llama::{Block, NextTokens, Predicted, Reads, Reducer, Tap};

use super::{TEXT, config, default_model, tap};

/// Log-probability of the next token and entropy, computed the long way.
#[derive(Default)]
struct Again(Vec<(Option<f64>, f64)>);

impl Reducer for Again {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {
        unreachable!("no blocks were asked for");
    }

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        assert_eq!(predicted.position, self.0.len());
        // Logits of this model stay below 50: their exponentials fit.
        let weights: Vec<f64> = predicted.logits.iter().map(|&logit| f64::from(logit).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let entropy = weights.iter().map(|weight| weight / sum).map(|p| -p * p.ln()).sum();
        self.0
            .push((predicted.next.map(|next| (weights[next] / sum).ln()), entropy));
    }
}

#[test]
fn log_probabilities_and_entropies_are_those_of_the_logits() {
    let model = default_model();
    let tokens = model.tokens(TEXT);
    let mut reducers = (NextTokens::default(), Again::default());
    let mut tap = tap(&model);
    // All positions are predicted, wherever blocks begin.
    tap.read(&tokens, 1, &mut reducers).unwrap();
    let (next, again) = reducers;
    assert_eq!((next.tokens().len(), again.0.len()), (tokens.len(), tokens.len()));
    let mut sum = 0.0;
    for (position, (token, (log_probability, entropy))) in next.tokens().iter().zip(&again.0).enumerate() {
        assert_eq!(token.position, position);
        assert!((token.entropy - entropy).abs() < 1e-9, "{token:?} {entropy}");
        match (token.log_probability, log_probability) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-9, "{token:?} {expected}"),
            (found, expected) => assert!(found.is_none() && expected.is_none() && position + 1 == tokens.len()),
        }
        sum += log_probability.unwrap_or(0.0);
    }
    let perplexity = tap.perplexity(&tokens).unwrap();
    assert_eq!(perplexity.tokens, tokens.len() - 1);
    let expected = (-sum / (tokens.len() - 1) as f64).exp();
    assert!(
        (perplexity.value() / expected - 1.0).abs() < 1e-9,
        "{perplexity:?} {expected}"
    );
}

#[test]
fn perplexity_is_the_same_in_chunks_and_higher_for_a_text_read_backwards() {
    let model = default_model();
    let tokens = model.tokens(TEXT);
    let whole = tap(&model).perplexity(&tokens).unwrap();
    let pieces = Tap::new(&model, &config(9)).unwrap().perplexity(&tokens).unwrap();
    // Rounding to 8 bits in each product, averaged over the text.
    assert!((whole.nats - pieces.nats).abs() < 0.02, "{whole:?} {pieces:?}");
    let backwards: Vec<_> = tokens.iter().rev().copied().collect();
    let nonsense = tap(&model).perplexity(&backwards).unwrap();
    assert!(
        nonsense.value() > 5.0 * whole.value(),
        "{} {}",
        nonsense.value(),
        whole.value()
    );
}
