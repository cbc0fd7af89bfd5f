//! Whole models through the `Weights` trait: plans, samples, the full network, paths, reports and series.

use std::collections::BTreeMap;

use widedeep::inside::emergence::{
    Beside, BlockMatrices, BlockShape, Checkpoint, Config, EmergenceError, GatedMlp, Group, Hops, InMemory,
    KeyValueIndices, Matrix, MatrixShape, Nodes, Origin, Plan, Projection, Sample, Scope, Shape, SplitMix64,
    TraceConfig, Weights, beside_figure, companions_csv, dissect, emergence_figure, measure, metrics_figure, parts_csv,
    report, report_json, rms_figure, sample, saturation, spearman, spectra_csv, trace, trace_csv, trace_json,
    trace_spectra_figure,
};

use super::oracle::{self, analysis, close, indices};

/// A small llama-style model with grouped keys and values: width 64, hidden 160.
pub fn llama(seed: u64, sigma: f32) -> InMemory {
    InMemory::new(
        "llama",
        KeyValueIndices::Own,
        (0..3).map(|block| matrices(seed + 100 * block, sigma)).collect(),
    )
    .unwrap()
}

pub fn matrices(seed: u64, sigma: f32) -> BlockMatrices {
    let mut sampler = SplitMix64::new(seed);
    let mut of = |rows, columns| Matrix::from_fn(rows, columns, |_, _| sigma * sampler.gaussian() as f32);
    BTreeMap::from([
        (Projection::Query, of(64, 64)),
        (Projection::Key, of(32, 64)),
        (Projection::Value, of(32, 64)),
        (Projection::Output, of(64, 64)),
        (Projection::Gate(0), of(160, 64)),
        (Projection::Up(0), of(160, 64)),
        (Projection::Down(0), of(64, 160)),
    ])
}

fn bare(size: usize, repetitions: usize) -> Config {
    Config {
        analysis: analysis(),
        ..Config::default().with_sample(size, repetitions)
    }
}

/// File 18 names the first nodes of a model of this shape.
#[test]
fn the_plan_of_the_reference_model_begins_as_the_oracle_says() {
    let oracle = oracle::file("18");
    let map = |rows, columns| MatrixShape {
        rows,
        columns,
        precision: "Q4_K".to_owned(),
    };
    let block = BlockShape {
        key_value_indices: KeyValueIndices::Own,
        head_size: Some(256),
        matrices: BTreeMap::from([
            (Projection::Query, map(1024, 640)),
            (Projection::Key, map(256, 640)),
            (Projection::Value, map(256, 640)),
            (Projection::Output, map(640, 1024)),
            (Projection::Gate(0), map(2048, 640)),
            (Projection::Up(0), map(2048, 640)),
            (Projection::Down(0), map(640, 2048)),
        ]),
    };
    let shape = Shape::new("gemma3", vec![block; 18]).unwrap();
    let plan = Plan::new(&shape, 64, 10);
    assert_eq!((plan.size, plan.repetitions.len()), (64, 10));
    let first = &oracle["first_indices_rep0"];
    let nodes = &plan.repetitions[0].blocks[0];
    for (key, found) in [
        ("X", &nodes.input),
        ("A", &nodes.query),
        ("A", &nodes.output),
        ("B", &nodes.key_value),
        ("M", &nodes.mlp),
        ("F", &nodes.hidden[0]),
    ] {
        assert_eq!(found[..8], indices(&first["block0"][key]), "{key}");
    }
    assert_eq!(plan.repetitions[0].last[..8], indices(&first["final_X"]));
    assert_eq!(nodes.hidden[0].len(), 128);
}

#[test]
fn sampled_matrices_hold_the_weights_between_the_sampled_nodes() {
    let model = llama(1, 0.02);
    let samples = sample(&model, &Plan::new(model.shape(), 20, 3), &bare(20, 3)).unwrap();
    for (repetition, sample) in samples.iter().enumerate() {
        let nodes = Nodes::draw(model.shape(), 20, repetition as u64);
        assert_eq!(sample.matrices.len(), 12);
        let weight = |block: usize, projection: Projection, row: usize, column: usize| {
            let mut found = 0.0;
            model
                .visit_rows(block, projection, &[row], &mut |_, values| {
                    found = f64::from(values[column]);
                })
                .unwrap();
            found
        };
        for block in 0..3 {
            let [input, output, mlp, hidden] = [0, 1, 2, 3].map(|group| &sample.matrices[4 * block + group]);
            let own = &nodes.blocks[block];
            assert_eq!(
                (input.targets(), output.targets(), mlp.targets(), hidden.targets()),
                (60, 20, 80, 20)
            );
            let row = input.sources().nth(7).unwrap();
            assert_eq!(row[3], weight(block, Projection::Query, own.query[3], own.input[7]));
            assert_eq!(row[25], weight(block, Projection::Key, own.key_value[5], own.input[7]));
            assert_eq!(
                row[59],
                weight(block, Projection::Value, own.key_value[19], own.input[7])
            );
            let row = output.sources().nth(4).unwrap();
            assert_eq!(row[6], weight(block, Projection::Output, own.mlp[6], own.output[4]));
            let row = mlp.sources().nth(19).unwrap();
            assert_eq!(
                row[39],
                weight(block, Projection::Gate(0), own.hidden[0][39], own.mlp[19])
            );
            assert_eq!(row[40], weight(block, Projection::Up(0), own.hidden[0][0], own.mlp[19]));
            let next = nodes.blocks.get(block + 1).map_or(&nodes.last, |next| &next.input);
            let row = hidden.sources().nth(33).unwrap();
            assert_eq!(row[2], weight(block, Projection::Down(0), next[2], own.hidden[0][33]));
        }
    }
}

#[test]
fn the_up_projection_alone_halves_the_targets_of_the_mlp() {
    let model = llama(1, 0.02);
    let config = Config {
        gated: GatedMlp::UpOnly,
        ..bare(20, 1)
    };
    let samples = sample(&model, &Plan::new(model.shape(), 20, 1), &config).unwrap();
    assert_eq!(samples[0].matrices[2].targets(), 40);
}

#[test]
fn a_sample_larger_than_half_a_population_is_lowered_and_said_so() {
    let model = llama(1, 0.02);
    let plan = Plan::new(model.shape(), 64, 1);
    assert_eq!((plan.asked, plan.size), (64, 32));
}

#[test]
fn the_full_network_is_the_sample_of_everything() {
    let model = llama(2, 0.02);
    for (config, tolerance) in [(Config::compat(), 1e-11), (Config::fixed_grid().with_rms(), 1e-9)] {
        let config = Config {
            scope: Scope::Full,
            analysis: analysis(),
            ..config
        };
        let full = measure(&model, &config).unwrap();
        // A draw of all 64 nodes, and of 128 of the 160 hidden units, is not everything: take them all by hand.
        let all = |count: usize| (0..count).collect::<Vec<usize>>();
        let mut nodes = Nodes::draw(model.shape(), 64, 0);
        nodes.last = all(64);
        for block in &mut nodes.blocks {
            (block.input, block.query, block.output) = (all(64), all(64), all(64));
            (block.key_value, block.mlp, block.hidden) = (all(32), all(64), vec![all(160)]);
        }
        let plan = Plan {
            asked: 64,
            size: 64,
            repetitions: vec![nodes],
        };
        let everything = sample(&model, &plan, &config).unwrap();
        let sampled = dissect(&everything[0], &config).unwrap();
        oracle::all_close(&full.repetitions[0].spectrum.tau, &sampled.whole.tau, tolerance, "τ");
        assert_eq!(full.fate.total, 3 * (64 * 64 * 2 + 2 * 32 * 64 + 3 * 160 * 64));
        assert_eq!(sampled.blocks.len(), 3);
    }
}

#[test]
fn longer_paths_reach_further_and_need_to_know_the_heads() {
    // Keys and values are grouped, so the heads must be known.
    let model = llama(3, 0.06);
    let error = measure(
        &model,
        &Config {
            hops: Hops::Two,
            ..bare(20, 1)
        },
    )
    .unwrap_err();
    assert!(matches!(error, EmergenceError::UnknownHeads { block: 0 }), "{error}");
    let blocks = (0..3).map(|block| {
        let mut maps = matrices(block, 0.06);
        maps.insert(Projection::Key, maps[&Projection::Query].clone());
        maps.insert(Projection::Value, maps[&Projection::Output].clone());
        maps
    });
    let model = InMemory::new("test", KeyValueIndices::Query, blocks.collect()).unwrap();
    let with = |hops| measure(&model, &Config { hops, ..bare(20, 2) }).unwrap();
    let (two, three) = (with(Hops::Two), with(Hops::Three));
    assert!(three.fate.kept > two.fate.kept, "three hops reach more nodes");
    assert!(two.alpha0.mean > 0.0 && three.alpha0.mean > 0.0);
}

#[test]
fn experts_are_groups_of_their_own() {
    let mut sampler = SplitMix64::new(8);
    let mut maps = matrices(5, 0.02);
    for expert in 0..4 {
        let mut of = |rows, columns| Matrix::from_fn(rows, columns, |_, _| 0.02 * sampler.gaussian() as f32);
        maps.insert(Projection::Gate(expert), of(48, 64));
        maps.insert(Projection::Up(expert), of(48, 64));
        maps.insert(Projection::Down(expert), of(64, 48));
    }
    let model = InMemory::new("moe", KeyValueIndices::Own, vec![maps]).unwrap();
    let samples = sample(&model, &Plan::new(model.shape(), 20, 1), &bare(20, 1)).unwrap();
    let hidden = samples[0]
        .matrices
        .iter()
        .filter(|matrix| matrix.group() == Group::MlpHidden);
    // 2 · 20 / 4 = 10 would leave no node with more than ten lengths.
    assert_eq!(
        hidden.map(|matrix| matrix.sources().len()).collect::<Vec<_>>(),
        [11, 11, 11, 11]
    );
    assert_eq!(samples[0].matrices[2].targets(), 4 * 2 * 11);
}

#[test]
fn a_report_holds_parts_surrogates_and_plain_statistics() {
    let model = llama(4, 0.02);
    let report = report(&model, &bare(24, 3)).unwrap();
    assert_eq!((report.size, report.blocks, report.parts.len()), (Some(24), 3, 4 + 3));
    assert_eq!(report.surrogates.len(), 2);
    for control in &report.surrogates {
        close(
            control.e_surrogate.unwrap(),
            0.0,
            0.15,
            "Gaussian weights are their own surrogates",
        );
    }
    assert_eq!(report.companions.len(), 12);
    for one in &report.companions {
        close(one.rms, 0.02, 0.002, "rms");
        close(one.kurtosis, 3.0, 0.6, "kurtosis");
        assert!(one.stable_rank > 3.0 && one.strength_gini < 0.1 && one.dimension.min >= 0.0);
    }
    let origin = Origin {
        label: "x".to_owned(),
        files: Vec::new(),
    };
    let mut text = Vec::new();
    report_json(&report, &origin, &mut text).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(json["format"], 1);
    assert!(json["measurement"]["alpha0"]["se"].as_f64().unwrap() > 0.0);
    text.clear();
    parts_csv(&report, &mut text).unwrap();
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 1 + 7);
}

/// Checkpoints whose weights grow and do nothing else.
fn growing() -> Vec<InMemory> {
    [0.02, 0.025, 0.03, 0.04].map(|sigma| llama(6, sigma)).into()
}

#[test]
fn growth_alone_makes_e_rise_and_every_control_says_so() {
    let models = growing();
    let labels = ["start", "early", "later", "last"];
    let checkpoints: Vec<Checkpoint<'_>> = models
        .iter()
        .zip(labels)
        .zip([0.0, 10.0, 100.0, 1000.0])
        .map(|((weights, label), step)| Checkpoint { label, step, weights })
        .collect();
    let config = TraceConfig {
        config: bare(24, 4),
        ..TraceConfig::default()
    };
    let found = trace(&checkpoints, &config).unwrap();
    let of = |nth: usize| found.rows[nth].emergence.unwrap();
    assert_eq!(of(0).degree.e.to_bits(), 0.0_f64.to_bits());
    assert!(of(3).degree.e > 0.1 && of(3).degree.e > of(2).degree.e && of(2).degree.e > of(1).degree.e);
    let last = &found.rows[3];
    let controls = last.controls;
    close(
        controls.growth.unwrap(),
        of(3).degree.e,
        0.01,
        "growth explains all of it",
    );
    close(controls.one_scale.unwrap(), 0.0, 0.02, "nothing is left at one scale");
    close(controls.grid_one_scale.unwrap(), 0.0, 1e-3, "nor on the grid");
    close(controls.excess.unwrap(), 0.0, 0.15, "nor beyond the shuffle");
    assert!(of(3).interval.0 <= of(3).degree.e && of(3).degree.e <= of(3).interval.1);
    assert!(found.noise_floor().unwrap() > 0.0 && found.warnings.is_empty());
    close(last.rms.mean, 2.0 * found.rows[0].rms.mean, 1e-6, "rms");

    let loss = Beside {
        name: "loss in $".to_owned(),
        values: vec![(0.0, 5.0), (10.0, 4.0), (100.0, 3.0), (1000.0, 2.0)],
    };
    let relation = &found.relations(std::slice::from_ref(&loss))[0];
    let correlation = relation.correlation.unwrap();
    assert!((correlation.rho + 1.0).abs() < 1e-12 && correlation.n == 4 && correlation.p.is_none());

    let mut text = Vec::new();
    trace_csv(&found, std::slice::from_ref(&loss), &mut text).unwrap();
    let table = String::from_utf8(text).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 5 && rows[0].starts_with("label,step,alpha0,") && rows[0].ends_with(",refused,loss in $"));
    assert!(rows[4].starts_with("last,1000,") && rows[4].ends_with(",2"));
    let mut text = Vec::new();
    trace_json(&found, std::slice::from_ref(&loss), &[], &mut text).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert!(json["rows"][3]["controls"]["excess"].is_number() && json["relations"].as_array().unwrap().len() == 7);
    let mut text = Vec::new();
    let measured = found
        .rows
        .iter()
        .filter_map(|row| Some((row.label.as_str(), row.measurement.as_ref()?)));
    spectra_csv(measured, &mut text).unwrap();
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 1 + 4 * 61);
    let mut text = Vec::new();
    companions_csv(
        found
            .rows
            .iter()
            .map(|row| (row.label.as_str(), row.companions.as_slice())),
        &mut text,
    )
    .unwrap();
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 1 + 4 * 12);

    for (name, figure, words) in [
        ("spectra", trace_spectra_figure(&found), vec!["start", "last"]),
        (
            "metrics",
            metrics_figure(&found),
            vec!["irregularity", "heterogeneity", "log10(1 + step)"],
        ),
        (
            "emergence",
            emergence_figure(&found),
            vec!["shuffled", "growth alone", "one root mean square", "3 sd"],
        ),
        ("beside", beside_figure(&found, &loss), vec!["loss in", "E (left)"]),
        ("rms", rms_figure(&found), vec!["root mean square"]),
    ] {
        let svg = figure.unwrap_or_else(|| panic!("no figure of {name}"));
        assert!(svg.starts_with("<svg") || svg.contains("<svg"), "{name}");
        for word in words {
            assert!(svg.contains(word), "the figure of {name} does not say `{word}`");
        }
    }
}

#[test]
fn checkpoints_of_another_shape_are_refused() {
    let (one, mut blocks) = (llama(1, 0.02), Vec::new());
    blocks.push(matrices(3, 0.02));
    let other = InMemory::new("llama", KeyValueIndices::Own, blocks).unwrap();
    let checkpoint = |label, weights| Checkpoint {
        label,
        step: 0.0,
        weights,
    };
    let error = trace(
        &[checkpoint("a", &one), checkpoint("b", &other)],
        &TraceConfig::default(),
    )
    .unwrap_err();
    assert!(matches!(error, EmergenceError::InconsistentSeries { .. }));
    assert!(error.to_string().contains("3 blocks against 1"), "{error}");
    let nothing = trace(&[], &TraceConfig::default()).unwrap_err();
    assert!(matches!(nothing, EmergenceError::NoBaseline { .. }));
}

#[test]
fn a_checkpoint_that_does_not_scale_has_a_reason_and_no_e() {
    let models = [llama(7, 0.02), llama(7, 0.4)];
    let checkpoints = [0.0, 1.0].map(|step| Checkpoint {
        label: "x",
        step,
        weights: &models[usize::from(step > 0.0)],
    });
    let config = TraceConfig {
        config: Config::default().with_sample(24, 2),
        ..TraceConfig::default()
    };
    let found = trace(&checkpoints, &config).unwrap();
    let row = &found.rows[1];
    assert!(row.measurement.is_none() && row.emergence.is_none());
    assert!(
        row.refused.as_ref().unwrap().contains("do not scale"),
        "{:?}",
        row.refused
    );
    // Brought to one root mean square, the same weights do scale.
    assert!(row.controls.one_scale.is_some());
    let error = trace(&[checkpoints[1]], &config).unwrap_err();
    assert!(matches!(error, EmergenceError::Baseline { .. }), "{error}");
}

#[test]
fn ranks_and_ceilings_are_found() {
    let up: Vec<(f64, f64)> = (0..10).map(|k| (f64::from(k), f64::from(k * k))).collect();
    let found = spearman(&up).unwrap();
    assert!((found.rho - 1.0).abs() < 1e-12 && found.p.unwrap() < 1e-6);
    // 1 2 3 4 against 1 3 3 2: ranks 1, 3.5, 3.5, 2.
    let tied = spearman(&[(1.0, 1.0), (2.0, 3.0), (3.0, 3.0), (4.0, 2.0)]).unwrap();
    close(tied.rho, 0.316_227_766_016_837_94, 1e-12, "ρ with ties");
    assert!(spearman(&[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]).is_none());
    let curve: Vec<(f64, f64)> = [0.0, 10.0, 50.0, 100.0, 300.0, 900.0]
        .map(|t: f64| (t, 0.8 * (1.0 - (-t / 120.0).exp())))
        .into();
    let found = saturation(&curve).unwrap();
    close(found.limit, 0.8, 1e-3, "ceiling");
    close(found.time, 120.0, 1.0, "time");
    assert!(saturation(&curve[..5]).is_none());
}

#[test]
fn one_sample_is_read_the_same_for_any_number_of_repetitions() {
    let model = llama(9, 0.02);
    let of = |repetitions: usize| -> Sample {
        sample(
            &model,
            &Plan::new(model.shape(), 20, repetitions),
            &bare(20, repetitions),
        )
        .unwrap()
        .swap_remove(0)
    };
    assert_eq!(of(1), of(5));
}
