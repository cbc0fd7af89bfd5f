use std::{fs, path::PathBuf};

use widedeep::inside::bricks::{
    Matrix, UnitSet,
    export::{write_groups, write_json, write_pruning, write_scores, write_sparsity, write_square},
    figure::{coactivation_blocks, pruning_heat_map, specialisation_histogram},
    partition::{Graph, Groups},
    prune::{Kind, PruningTable, Removal},
    record::{Brick, Members, Provenance, RecordError, Scores, VERSION, read_registry},
    sparsity::{LayerSparsity, Settings, measure},
    specialise::FunctionScores,
};

use crate::oracle::{matrix, near, read};

fn functions() -> Vec<String> {
    vec!["code".into(), "prose, English".into()]
}

fn table() -> PruningTable {
    let row = |kind, values: [f64; 2]| {
        (
            Removal {
                kind,
                units: UnitSet::of_layer(0, [1, 2]),
            },
            values.to_vec(),
        )
    };
    let measured = vec![
        row(
            Kind::Brick {
                function: "code".into(),
            },
            [20.0, 10.5],
        ),
        row(
            Kind::Brick {
                function: "prose, English".into(),
            },
            [10.25, 900.0],
        ),
        row(Kind::Random { seed: 4 }, [10.0, 9.5]),
    ];
    PruningTable::new(functions(), vec![10.0, 10.0], measured).unwrap()
}

fn sparsity() -> LayerSparsity {
    let oracle = read("sparsity.json");
    measure(
        &matrix(&oracle["activations_tn"]),
        &matrix(&oracle["W_down_out_in"]),
        &Settings::default(),
    )
    .unwrap()
}

#[test]
fn tables_are_csv_that_reads_back_as_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let text = || fs::read_to_string(&path).unwrap();

    write_pruning(&path, &table()).unwrap();
    let written = text();
    assert!(written.starts_with("removed,kind,units,function,original,perplexity,percent_increase\n"));
    assert!(
        written.contains("\ncode,brick,2,\"prose, English\",10,10.5,5\n"),
        "{written}"
    );
    assert!(written.contains("\nrandom 4,random,2,code,10,10,0\n"), "{written}");

    let third = 1.0 / 3.0;
    write_scores(
        &path,
        &functions(),
        &[(7, FunctionScores(Matrix::new(1, 2, vec![third, 1.0]).unwrap()))],
    )
    .unwrap();
    assert_eq!(text(), format!("layer,unit,code,\"prose, English\"\n7,0,{third},1\n"));

    write_square(&path, &functions(), &[vec![1.0, 0.05], vec![0.05, 1.0]]).unwrap();
    assert_eq!(
        text(),
        "function,code,\"prose, English\"\ncode,1,0.05\n\"prose, English\",0.05,1\n"
    );

    write_groups(&path, &[(3, Groups::new(vec![1, 0]))]).unwrap();
    assert_eq!(text(), "layer,unit,group\n3,0,1\n3,1,0\n");

    write_sparsity(&path, &[(0, sparsity())]).unwrap();
    let written = text();
    // Two indicators with six edges and six masks each, four thresholds, two figures, and the head.
    assert_eq!(written.lines().count(), 2 * (6 + 6) + 4 + 2 + 1);
    assert!(written.contains("\n0,epsilon,magnitude,0.1,0.4453"), "{written}");
}

#[test]
fn everything_that_is_measured_survives_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("figures.json");
    let figures = (table(), sparsity(), Groups::new(vec![0, 1, 1]));
    write_json(&path, &figures).unwrap();
    let read: (PruningTable, LayerSparsity, Groups) = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(read, figures);
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("table.json");
    let failed = write_json(&path, &1).unwrap_err();
    assert!(
        failed
            .to_string()
            .starts_with(&format!("failed to write `{}`: ", path.display()))
    );
    // A map with keys that are no strings is no JSON: writing fails half-way.
    let path = folder.path().join("table.json");
    write_json(&path, &1).unwrap();
    let unwritable = std::collections::BTreeMap::from([(vec![1], 1)]);
    write_json(&path, &unwritable).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file stays behind"
    );
}

fn brick(id: &str) -> Brick {
    Brick {
        version: VERSION,
        id: id.into(),
        model_fingerprint: "ab12".into(),
        architecture: "llama".into(),
        members: Members::UnitSet {
            units: UnitSet::of_layer(3, [7, 1]),
        },
        provenance: Provenance {
            function: Some("code".into()),
            seed: Some(1),
            ..Provenance::default()
        },
        scores: Scores {
            coverage: Some(0.5),
            ..Scores::default()
        },
        created_by: "widedeep".into(),
        parents: vec!["older".into()],
    }
}

#[test]
fn a_registry_holds_what_was_written_in_order_of_ids() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["prose", "code"] {
        brick(id).write(folder.path()).unwrap();
    }
    let lora = Brick {
        members: Members::Lora {
            file: PathBuf::from("edit.gguf"),
        },
        ..brick("edit")
    };
    lora.write(folder.path()).unwrap();
    let read = read_registry(folder.path()).unwrap();
    let ids: Vec<&str> = read.iter().map(|(_, brick)| brick.id.as_str()).collect();
    assert_eq!(ids, ["code", "edit", "prose"]);
    assert_eq!(read[1].1, lora);
    assert_eq!(read[2].1, brick("prose"));
}

#[test]
fn records_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = brick("code").write(folder.path()).unwrap();
    let twin = folder.path().join("twin.json");
    fs::copy(&path, &twin).unwrap();
    assert!(matches!(
        read_registry(folder.path()),
        Err(RecordError::Repeated { .. })
    ));
    fs::write(&twin, r#"{"version": 2, "later": "field"}"#).unwrap();
    let failed = read_registry(folder.path()).unwrap_err().to_string();
    assert!(
        failed.contains("has version 2, and this program reads up to 1"),
        "{failed}"
    );
    fs::write(&twin, "{\n\"version\": 1,\n\"id\": 3}").unwrap();
    let failed = read_registry(folder.path()).unwrap_err().to_string();
    assert!(failed.contains("twin.json:3` is no brick record"), "{failed}");
}

#[test]
fn figures_are_svg_of_a_size_that_a_page_can_hold() {
    let scores: Vec<f64> = (0..500).map(|unit| f64::from(unit % 90) / 100.0).collect();
    let named = [("code".to_string(), scores.clone()), ("a $ b".to_string(), scores)];
    let histogram = specialisation_histogram("Scores", &named, Some(0.2)).unwrap();
    let groups = Groups::new((0..300).map(|unit| unit % 3).collect());
    let graph = Graph::<f32>::symmetric(300, |left, right| if left % 3 == right % 3 { 5.0 } else { 1.0 });
    let blocks = coactivation_blocks("Blocks", &graph, &groups).unwrap();
    let map = pruning_heat_map("Pruning", &table()).unwrap();
    for (name, svg) in [("histogram", &histogram), ("blocks", &blocks), ("map", &map)] {
        assert!(svg.trim_start().starts_with("<svg"), "{name}");
        assert!(svg.len() < 1_000_000, "{name} has {} bytes", svg.len());
        if let Some(folder) = std::env::var_os("BRICK_FIGURES") {
            fs::write(PathBuf::from(folder).join(format!("{name}.svg")), svg).unwrap();
        }
    }
    // The first removal is on top, and its figures are beside its name.
    let height = |text: &str| {
        let before = map.split(&format!(">{text}<")).next().unwrap();
        let y = before.rsplit(" y=\"").next().unwrap();
        y.split('"').next().unwrap().parse::<f64>().unwrap()
    };
    for (name, figure) in [("code", "100"), ("prose, English", "8900"), ("random 4", "-5")] {
        near(height(figure) / height(name), 1.0, 0.1);
    }
    assert!(height("100") < height("8900"));
    assert!(histogram.contains("code") && map.contains("prose, English") && map.contains("random 4"));
}

#[test]
fn there_is_no_figure_of_nothing() {
    assert_eq!(specialisation_histogram("Scores", &[], None), None);
    assert_eq!(
        coactivation_blocks("Blocks", &Graph::<f32>::symmetric(0, |_, _| 0.0), &Groups::new(vec![])),
        None
    );
    let empty = PruningTable::new(vec![], vec![], vec![]).unwrap();
    assert_eq!(pruning_heat_map("Pruning", &empty), None);
}
