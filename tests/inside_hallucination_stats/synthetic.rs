//! Features with a known signal.

use std::{collections::BTreeMap, path::Path};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use widedeep::inside::{
    hallucination::{
        Aggregation, Example, Features, ModelId, OtherScope, Part, Provenance, Region, RegionRule, Truth, Writer,
    },
    language::{Shape, Unit},
};

pub const SHAPE: Shape = Shape { layers: 4, width: 60 };

/// Units that are larger where the answer is wrong.
pub const PLANTED: [Unit; 3] = [
    Unit { layer: 0, index: 7 },
    Unit { layer: 2, index: 31 },
    Unit { layer: 3, index: 55 },
];

pub fn provenance(sha256: u8) -> Provenance {
    Provenance {
        model: ModelId {
            name: "toy".to_owned(),
            sha256: format!("{sha256:02x}").repeat(32).parse().unwrap(),
            architecture: "llama".to_owned(),
            quantisation: "F32".to_owned(),
        },
        shape: SHAPE,
        rule: RegionRule {
            region: Region::AnswerTokens,
            span: "trim-1".to_owned(),
            other: OtherScope::NoBos,
            aggregation: Aggregation::Mean,
        },
        prompt: "plain-1".to_owned(),
        notes: BTreeMap::from([("sampling".to_owned(), "temperature 1".to_owned())]),
    }
}

pub fn example(id: usize, truth: Truth, part: Part) -> Example {
    Example {
        id: format!("q{id}"),
        dataset: "made".to_owned(),
        question: format!("What is the number of thing {id}?"),
        response: format!("{id}"),
        truth,
        part,
        stratum: if id.is_multiple_of(3) { "hard" } else { "easy" }.to_owned(),
        entity: None,
        tokens: 1 + u32::try_from(id % 5).unwrap(),
        characters: 4,
        log_probability: Some(
            match truth {
                Truth::Faithful => -0.5,
                Truth::Hallucinated => -0.6,
            } - ((id * 37 % 11) as f64) / 10.0,
        ),
        lowest_log_probability: None,
        entropy: Some((id * 53 % 17) as f64 / 10.0),
        first_entropy: None,
        agreement: None,
    }
}

/// How clearly the planted units tell.
#[derive(Clone, Copy, PartialEq)]
pub enum Signal {
    Clear,
    None,
}

/// Features of so many questions, answer and other rows, half of them hallucinated.
pub fn features(path: &Path, questions: usize, signal: Signal, seed: u64) -> Features {
    let made = provenance(0xab);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut writer = Writer::open(path, &made).unwrap();
    for id in 0..questions {
        let truth = if rng.random_bool(0.5) {
            Truth::Hallucinated
        } else {
            Truth::Faithful
        };
        for part in [Part::Answer, Part::Other] {
            let mut row: Vec<f32> = (0..SHAPE.units())
                .map(|_| rng.random_range(0.0_f32..0.2).powi(2) * 10.0)
                .collect();
            if signal == Signal::Clear && truth == Truth::Hallucinated && part == Part::Answer {
                for unit in PLANTED {
                    row[SHAPE.position(unit)] += 0.25;
                }
            }
            writer.push(example(id, truth, part), &row).unwrap();
        }
    }
    Features::open(path).unwrap()
}
