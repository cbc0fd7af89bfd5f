//! Weights of GGUF files: the names of every family, models in several files, the default model, and Gemma 3 against file 18.

use std::path::Path;

use widedeep::inside::emergence::{
    BlockMatrices, Config, Gguf, Hops, InMemory, KeyValueIndices, Matrix, NameError, OpenError, Projection, Scope,
    SplitMix64, Weights, measure, open,
};

use super::models::matrices;
use super::oracle::{self, analysis, close, number};
use super::support::{self, gguf};

const BLOCKS: usize = 3;
const SIGMA: f32 = 0.02;

/// What a file calls the maps that it keeps apart.
const APART: [(&str, Projection); 7] = [
    ("attn_q", Projection::Query),
    ("attn_k", Projection::Key),
    ("attn_v", Projection::Value),
    ("attn_output", Projection::Output),
    ("ffn_gate", Projection::Gate(0)),
    ("ffn_up", Projection::Up(0)),
    ("ffn_down", Projection::Down(0)),
];

/// A file of blocks whose maps are stored as `names` says: a tensor's rows are those of its maps, one after the other.
fn stored(architecture: &str, blocks: &[BlockMatrices], names: &[(&str, &[Projection])]) -> gguf::Gguf {
    let text = gguf::Field::Text(architecture.to_owned());
    let mut file = gguf::Gguf::default()
        .field("general.architecture", text)
        .field(
            &format!("{architecture}.block_count"),
            gguf::Field::U32(blocks.len() as u32),
        )
        .field(&format!("{architecture}.embedding_length"), gguf::Field::U32(64))
        .field(&format!("{architecture}.attention.head_count"), gguf::Field::U32(4))
        .floats("token_embd.weight", &[64, 2], &[0.5; 128]);
    for (number, block) in blocks.iter().enumerate() {
        for (name, maps) in names {
            let values: Vec<f32> = maps.iter().flat_map(|map| rows(&block[map]).concat()).collect();
            let columns = block[&maps[0]].row(0).len();
            let name = format!("blk.{number}.{name}.weight");
            file = file.floats(&name, &[columns, values.len() / columns], &values);
        }
        // What every family has beside its maps, and nobody looks at.
        for other in [
            "attn_norm.weight",
            "attn_q_norm.weight",
            "post_ffw_norm.weight",
            "attn_q.bias",
        ] {
            file = file.floats(&format!("blk.{number}.{other}"), &[64], &[9.0; 64]);
        }
    }
    file
}

fn rows(matrix: &Matrix) -> Vec<Vec<f32>> {
    (0..matrix.rows()).map(|row| matrix.row(row).to_vec()).collect()
}

fn blocks() -> Vec<BlockMatrices> {
    (0..BLOCKS as u64).map(|block| matrices(7 + block, SIGMA)).collect()
}

fn sampled() -> Config {
    Config {
        analysis: analysis(),
        ..Config::default().with_sample(24, 3)
    }
}

#[track_caller]
fn same(found: &dyn Weights, expected: &InMemory, config: &Config) {
    let (found, expected) = (measure(found, config).unwrap(), measure(expected, config).unwrap());
    assert_eq!(found.repetitions.len(), expected.repetitions.len());
    for (found, expected) in found.repetitions.iter().zip(&expected.repetitions) {
        assert_eq!(found.spectrum.tau, expected.spectrum.tau);
        assert_eq!(found.fate, expected.fate);
    }
}

#[test]
fn llama_gemma_and_qwen_files_hold_what_is_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let names: Vec<(&str, &[Projection])> = APART
        .iter()
        .map(|(name, map)| (*name, std::slice::from_ref(map)))
        .collect();
    for architecture in ["llama", "gemma3", "qwen2"] {
        stored(architecture, &blocks(), &names).write(&path);
        let file = Gguf::open(&path).unwrap();
        let memory = InMemory::new(architecture, KeyValueIndices::Own, blocks()).unwrap();
        assert_eq!(file.shape().architecture(), architecture);
        assert_eq!(file.shape().blocks()[0].head_size, Some(16));
        assert_eq!(file.shape().blocks()[2].matrices[&Projection::Key].precision, "f32");
        same(&file, &memory, &sampled());
        let full = Config {
            scope: Scope::Full,
            ..sampled()
        };
        same(&file, &memory, &full);
        // Two query heads share a value head, and the file says how wide heads are.
        let two = Config {
            hops: Hops::Two,
            ..sampled()
        };
        assert!(measure(&file, &two).is_ok());
    }
}

#[test]
fn stacked_maps_are_taken_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    // Phi-3: keys and values are grouped, the gate's rows come first.
    let phi: &[(&str, &[Projection])] = &[
        ("attn_qkv", &[Projection::Query, Projection::Key, Projection::Value]),
        ("attn_output", &[Projection::Output]),
        ("ffn_up", &[Projection::Gate(0), Projection::Up(0)]),
        ("ffn_down", &[Projection::Down(0)]),
    ];
    stored("phi3", &blocks(), phi).write(&path);
    let memory = InMemory::new("phi3", KeyValueIndices::Own, blocks()).unwrap();
    same(&Gguf::open(&path).unwrap(), &memory, &sampled());
    // GPT-NeoX: three equal thirds that one draw serves, and no gate.
    let mut neox = blocks();
    for block in &mut neox {
        block.insert(Projection::Key, block[&Projection::Output].clone());
        block.insert(Projection::Value, block[&Projection::Query].clone());
        block.remove(&Projection::Gate(0));
    }
    let names: &[(&str, &[Projection])] = &[
        ("attn_qkv", &[Projection::Query, Projection::Key, Projection::Value]),
        ("attn_output", &[Projection::Output]),
        ("ffn_up", &[Projection::Up(0)]),
        ("ffn_down", &[Projection::Down(0)]),
    ];
    stored("gptneox", &neox, names).write(&path);
    let memory = InMemory::new("gptneox", KeyValueIndices::Query, neox).unwrap();
    let file = Gguf::open(&path).unwrap();
    assert!(!file.shape().blocks()[0].is_gated());
    same(&file, &memory, &sampled());
}

#[test]
fn experts_are_slices_of_one_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let mut sampler = SplitMix64::new(3);
    let mut block = matrices(5, SIGMA);
    for map in [Projection::Gate(0), Projection::Up(0), Projection::Down(0)] {
        block.remove(&map);
    }
    let attention: Vec<(&str, &[Projection])> = APART[..4]
        .iter()
        .map(|(name, map)| (*name, std::slice::from_ref(map)))
        .collect();
    let mut file = stored("qwen3moe", std::slice::from_ref(&block), &attention);
    for (name, map, height, width) in [
        ("ffn_gate_exps", Projection::Gate as fn(usize) -> Projection, 48, 64),
        ("ffn_up_exps", Projection::Up, 48, 64),
        ("ffn_down_exps", Projection::Down, 64, 48),
    ] {
        let mut all = Vec::new();
        for expert in 0..4 {
            let matrix = Matrix::from_fn(height, width, |_, _| SIGMA * sampler.gaussian() as f32);
            all.extend(rows(&matrix).concat());
            block.insert(map(expert), matrix);
        }
        file = file.floats(&format!("blk.0.{name}.weight"), &[width, height, 4], &all);
    }
    file.write(&path);
    let memory = InMemory::new("qwen3moe", KeyValueIndices::Own, vec![block]).unwrap();
    same(&Gguf::open(&path).unwrap(), &memory, &sampled());
}

#[test]
fn a_model_in_several_files_is_read_through_its_first() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<(&str, &[Projection])> = APART
        .iter()
        .map(|(name, map)| (*name, std::slice::from_ref(map)))
        .collect();
    let whole = stored("llama", &blocks(), &names);
    let count = whole.count();
    let shard = |number: u16| folder.path().join(format!("tiny-{number:05}-of-00002.gguf"));
    for number in 0..2_u16 {
        let part = whole
            .clone()
            .field("split.no", gguf::Field::U16(number))
            .field("split.count", gguf::Field::U16(2))
            .field("split.tensors.count", gguf::Field::I32(i32::try_from(count).unwrap()));
        part.write_part(&shard(number + 1), |tensor| (tensor < count / 2) == (number == 0));
    }
    let opened = open(&shard(1)).unwrap();
    assert_eq!(opened.files, [shard(1), shard(2)]);
    let memory = InMemory::new("llama", KeyValueIndices::Own, blocks()).unwrap();
    same(opened.weights.as_ref(), &memory, &sampled());
    std::fs::remove_file(shard(2)).unwrap();
    let error = open(&shard(1)).err().unwrap().to_string();
    assert!(error.contains("tiny-00002-of-00002.gguf"), "{error}");
}

#[test]
fn files_that_hold_no_such_model_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let refused = |path: &Path| open(path).err().unwrap();
    stored("bert", &[], &[]).write(&path);
    let error = refused(&path);
    assert!(
        matches!(
            error,
            OpenError::Names {
                cause: NameError::NoBlocks,
                ..
            }
        ),
        "{error}"
    );
    // A state-space block.
    stored("mamba", &blocks()[..1], &[("ssm_in", &[Projection::Query])]).write(&path);
    let error = refused(&path);
    assert!(error.to_string().contains("`blk.0.attn_output.weight`"), "{error}");
    std::fs::write(&path, "no model").unwrap();
    assert!(matches!(refused(&path), OpenError::Neither { .. }));
    assert!(matches!(
        refused(&folder.path().join("absent.gguf")),
        OpenError::Io { .. }
    ));
}

/// File 21 holds α0 and width of this very file as another program found them, to three or four digits.
#[test]
fn the_default_model_has_the_values_that_another_program_found() {
    let model = Gguf::open(&support::default_model()).unwrap();
    let expected = oracle::file("21")["shuffles_and_surrogates"]["smollm2_135m_q4_1"].clone();
    let config = Config {
        analysis: analysis(),
        ..Config::default().with_sample(64, 5)
    };
    for (key, config, digit) in [
        ("compat", config.clone(), 5e-4),
        ("compat_rms", config.with_rms(), 1e-3),
    ] {
        let found = measure(&model, &config).unwrap();
        close(found.alpha0.mean, number(&expected[key][0]), digit, key);
        close(found.width.mean, number(&expected[key][1]), 1e-3, key);
        close(found.rms.mean, number(&expected["rms"]), 5e-4, "rms");
    }
}

#[cfg(feature = "model-tests")]
mod gemma {
    use serde_json::Value;
    use widedeep::inside::emergence::Plan;
    use widedeep::inside::emergence::{Group, Measurement, dissect, measure_samples, sample};

    use super::*;
    use crate::oracle::{all_close, list, numbers};

    fn gemma(oracle: &Value) -> Gguf {
        let home = std::env::var_os("WIDEDEEP_HOME").expect("WIDEDEEP_HOME names the folder of the models");
        let name = oracle["file"]["name"].as_str().unwrap();
        let folder = Path::new(&home).join("models/gemma3-270m");
        let found = std::fs::read_dir(&folder).ok().and_then(|mut files| {
            files.find_map(|file| {
                let path = file.ok()?.path();
                path.file_name()?.to_str()?.eq_ignore_ascii_case(name).then_some(path)
            })
        });
        let path = found.unwrap_or_else(|| {
            panic!(
                "no `{name}` in `{}`: run `widedeep models pull gemma3-270m`",
                folder.display()
            )
        });
        Gguf::open(&path).unwrap()
    }

    fn agrees(found: &Measurement, expected: &Value, tolerance: &Value) {
        let within = |key: &str, value: f64| number(&tolerance[key]) * value;
        for (own, one) in found.repetitions.iter().zip(list(&expected["per_repetition"])) {
            let (alpha0, width) = (number(&one["alpha0"]), number(&one["width"]));
            let what = format!("repetition {}", own.nth);
            close(
                own.spectrum.alpha0,
                alpha0,
                within("per_repetition_alpha0_rel", alpha0),
                &what,
            );
            close(
                own.spectrum.width,
                width,
                within("per_repetition_width_rel", width),
                &what,
            );
            let nodes = one["n_nodes_used"].as_u64().unwrap() as usize;
            assert!(own.spectrum.scaling.nodes.abs_diff(nodes) <= 2, "{what}");
        }
        let [alpha0, width] = ["alpha0_mean", "width_mean"].map(|key| number(&expected[key]));
        close(found.alpha0.mean, alpha0, 1e-3 * alpha0, "mean α0");
        close(found.width.mean, width, 1e-2 * width, "mean width");
    }

    /// Every mode, the parts of the first repetition, and other sizes of sample.
    #[test]
    fn gemma3_agrees_with_file_18() {
        let oracle = oracle::file("18");
        let (expected, tolerance) = (&oracle["expected"], &oracle["tolerance"]);
        let model = gemma(&oracle);
        let judged = |config: Config| Config {
            analysis: analysis(),
            ..config
        };
        let config = judged(Config::compat());
        let samples = sample(&model, &Plan::new(model.shape(), 64, 10), &config).unwrap();
        for (key, config) in [
            ("absolute", Config::compat()),
            ("rms_normalised_0_02", Config::compat().with_rms()),
            ("fixed_grid_absolute", Config::fixed_grid()),
            ("fixed_grid_rms_0_02", Config::fixed_grid().with_rms()),
        ] {
            agrees(
                &measure_samples(&samples, &judged(config)).unwrap(),
                &expected[key],
                tolerance,
            );
        }
        let first = dissect(&samples[0], &config).unwrap();
        all_close(&first.whole.tau, &numbers(&expected["rep0_full_tau"]), 3e-3, "τ");
        for (group, key) in [
            (Group::BlockInput, "X"),
            (Group::AttentionOutput, "O"),
            (Group::MlpInput, "M"),
            (Group::MlpHidden, "F"),
        ] {
            let expected = &expected["rep0_per_group"][key];
            let (_, found) = first.groups.iter().find(|(one, _)| *one == group).unwrap();
            let found = found.as_ref().unwrap();
            close(found.alpha0, number(&expected["alpha0"]), 2e-3, key);
            close(found.width, number(&expected["width"]), 1e-2, key);
        }
        for (block, expected) in list(&expected["rep0_per_block_alpha0_width_n"]).iter().enumerate() {
            let found = first.blocks[block].as_ref().unwrap();
            close(found.alpha0, number(&expected[0]), 4e-3, &format!("block {block}"));
            close(found.width, number(&expected[1]), 2e-2, &format!("block {block}"));
        }
        for size in [16, 32, 128] {
            let of = &expected["sample_size_dependence"][size.to_string()];
            let repetitions = of["repetitions"].as_u64().unwrap() as usize;
            let found = measure(&model, &config.clone().with_sample(size, repetitions)).unwrap();
            close(
                found.alpha0.mean,
                number(&of["alpha0_mean"]),
                2e-3,
                &format!("{size} nodes"),
            );
            close(
                found.width.mean,
                number(&of["width_mean"]),
                1e-2,
                &format!("{size} nodes"),
            );
        }
    }

    #[test]
    fn the_full_network_of_gemma3_agrees_with_file_18() {
        let oracle = oracle::file("18");
        let expected = &oracle["expected"]["full_network_one_hop"];
        let config = Config {
            analysis: analysis(),
            scope: Scope::Full,
            ..Config::compat()
        };
        let found = measure(&gemma(&oracle), &config).unwrap();
        let spectrum = &found.repetitions[0].spectrum;
        close(spectrum.alpha0, number(&expected["alpha0"]), 1e-3, "α0");
        close(spectrum.width, number(&expected["width"]), 1e-2, "width");
        assert!(
            spectrum
                .scaling
                .nodes
                .abs_diff(expected["n_nodes_used"].as_u64().unwrap() as usize)
                <= 2
        );
    }
}
