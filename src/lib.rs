//! widedeep: LLMs as evaluators, and what is inside them.
//!
//! A *pair* is a query with two responses and, where known, the label that humans gave. A *network* of LLM neurons, each with a role of its
//! own, judges it in layers: the first layer judges alone, deeper ones read the layer before. The verdicts of a *run* over many
//! pairs are compared with the humans'. Everything that the `widedeep` command does is a call into this crate:
//!
//! ```
//! use widedeep::network::{Network, shipped};
//! use widedeep::pair::{self, Label, baseline};
//!
//! // A network is a TOML file; overrides go through the same checks as the file.
//! let text = shipped("widedeep").expect("shipped");
//! let network = Network::parse(text, "widedeep", &["layers=3".into()])?;
//! assert_eq!(network.layers.len(), 3);
//!
//! // Pairs come from the published benchmarks, from CSV and JSONL, or from the program itself.
//! let pairs = pair::demo().pairs;
//! let agreed = pairs.iter().filter(|pair| pair.label == Some(baseline::longer(pair))).count();
//! println!("the longer response is the preferred one in {agreed} of {} pairs", pairs.len());
//! # Ok::<(), widedeep::network::NetworkError>(())
//! ```
//!
//! # Map
//!
//! | module | holds |
//! | --- | --- |
//! | [`pair`] | pairs, labels, readers of the published formats, sampling, the dataset taxonomy |
//! | [`prompt`] | prompt families and layouts, rendering, reading scores and roles out of replies |
//! | [`llama`] | the local engine: llama.cpp behind an async handle, scaffolded replies, shared prefixes |
//! | [`chat`] | the trait between judging and the models, and its adapters |
//! | [`network`] | network files, roles, layers, opinions, aggregation |
//! | [`run`] | many pairs on disk: frozen configuration, committed calls, resuming |
//! | [`agreement`] | accuracy, macro-F1, kappa, intervals, paired tests, position bias |
//! | [`cost`] | tokens and prices per stage |
//! | [`report`] | figures and files of a stored run |
//! | [`fetch`] | models and benchmarks: registry, download, verification |
//! | [`inside`] | analyses of the model itself, from its activations and weights |
//!
//! Dependencies point downwards only: `run` and `report` use `network`, `cost` and `agreement`; these use `prompt`, `pair` and `chat`; `chat` uses
//! `llama`, which knows nothing of judging.

pub mod agreement;
pub mod chat;
pub mod cost;
pub mod fetch;
pub mod inside;
pub mod llama;
pub mod network;
pub mod pair;
pub mod prompt;
pub mod report;
pub mod run;
