//! The oracle's files, which stand beside the checkout.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use widedeep::inside::language::{Class, Counts, Identified, Unit, published::Header};

/// A file of the oracle; a test that cannot find it fails.
pub fn path(name: &str) -> PathBuf {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/language_neurons")).join(name);
    assert!(
        path.exists(),
        "`{}` is missing: the oracle's data stand in `shared/data` beside the checkout",
        path.display()
    );
    path
}

pub fn json<T: DeserializeOwned>(name: &str) -> T {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// The bytes of a file compressed with zstd.
pub fn zstd(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = File::open(path(name)).unwrap();
    ruzstd::decoding::StreamingDecoder::new(file)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

/// The published counts of ten languages.
pub fn published() -> Counts {
    let header = Header::read(&path("header.json")).unwrap();
    header.counts(zstd("counts_delta.u32le.bin.zst").as_slice()).unwrap()
}

/// `{language: [layer][nth]}`.
pub type Mask = BTreeMap<String, Vec<Vec<usize>>>;

/// The sets in the form of the published mask.
pub fn mask(identified: &Identified) -> Mask {
    let languages = identified.languages().iter().enumerate();
    languages
        .map(|(k, language)| {
            let mut layers = vec![Vec::new(); identified.shape().layers];
            for unit in identified.set(k) {
                layers[unit.layer].push(unit.index);
            }
            (language.name.clone(), layers)
        })
        .collect()
}

/// What the oracle says of classes.
#[derive(Deserialize)]
pub struct Classified {
    pub specific: BTreeMap<String, Vec<(usize, usize)>>,
    pub related: Vec<(usize, usize, Vec<String>)>,
    pub general_in_mask: Vec<(usize, usize)>,
}

impl Classified {
    /// Fails unless the classes are these, unit for unit.
    pub fn check(&self, identified: &Identified) {
        let plain = |units: Vec<Unit>| {
            units
                .into_iter()
                .map(|unit| (unit.layer, unit.index))
                .collect::<Vec<_>>()
        };
        for (k, language) in identified.languages().iter().enumerate() {
            let specific = plain(identified.of_class(k, Class::Specific));
            assert_eq!(specific, self.specific[&language.name], "specific to {}", language.name);
        }
        let all = identified.languages().len();
        let name = |&k: &usize| identified.languages()[k].name.clone();
        let related = identified
            .selected()
            .iter()
            .filter(|assigned| (2..all).contains(&assigned.languages.len()));
        let related: Vec<_> = related
            .map(|assigned| {
                (
                    assigned.unit.layer,
                    assigned.unit.index,
                    assigned.languages.iter().map(name).collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(related, self.related);
        let general = identified
            .selected()
            .iter()
            .filter(|assigned| assigned.languages.len() == all);
        assert_eq!(
            plain(general.map(|assigned| assigned.unit).collect()),
            self.general_in_mask
        );
    }
}

/// A value that the search tried, as the oracle writes it: `appear[n]` for n = 0..=K, the first always 0.
#[derive(Deserialize, Debug, PartialEq)]
pub struct Evaluation {
    pub lambda: f64,
    pub appear: Vec<usize>,
}

/// The search's steps in the oracle's form.
pub fn evaluations(identified: &Identified) -> Vec<Evaluation> {
    let steps = identified.sweep().iter();
    steps
        .map(|step| Evaluation {
            lambda: step.lambda,
            appear: [0].into_iter().chain(step.appear.iter().copied()).collect(),
        })
        .collect()
}

/// Scores and thresholds: the oracle's were printed from the same arithmetic in double precision, in another order of summation.
pub fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}
