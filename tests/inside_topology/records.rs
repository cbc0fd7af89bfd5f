//! What is written: JSON, CSV, SVG and node values.

use widedeep::inside::topology::{
    Activation, BlockFlow, Capture, Convention, Curve, Decoder, Dense, FirstPosition, Flow, Gathering, Layer, Matrix,
    Norm, Record, Skip, Stack, Subject, Table, Titles, Topology, Wiring, compare_nodes, csv, curves, heat_map,
    node_values, topology,
};

use crate::oracle::cases;
use crate::toy::{heads, tensors};

fn subject() -> Subject {
    Subject {
        file: "toy.gguf".into(),
        file_sha256: None,
        architecture: Some("llama".into()),
    }
}

fn toy() -> Topology {
    let (_, case) = cases("transformer_toy.json").remove(0);
    let tensors = tensors(&case);
    let decoder = Decoder::find(&tensors, heads(&case), Wiring::Sequential).unwrap();
    topology(&tensors, &decoder, Skip::Left, |_| {}).unwrap()
}

/// A record with rows of every kind.
fn record() -> Record {
    let topology = toy();
    let mut record = Record::of_topology(subject(), &topology);
    let gathering = Gathering {
        flow: Flow::Both,
        first: FirstPosition::Kept,
        norm: Norm::Rms { eps: 1e-5 },
    };
    let mut flow = BlockFlow::new(&topology, 0, gathering);
    let hidden: Vec<f32> = (0..40_u8).map(f32::from).collect();
    let capture = Capture {
        hidden: Some(&hidden[..]),
        ..Capture::default()
    };
    flow.observe(&capture).unwrap();
    record.add_block_flow(&flow);
    record.add_node_differences("toy.gguf", "toy.gguf", &compare_nodes(&topology, &topology, &[(0, 0)]));
    record
}

#[test]
fn json_has_what_the_layout_promises_and_marks_reconstructions() {
    let value = serde_json::to_value(record()).unwrap();
    assert_eq!((&value["version"], &value["convention"]), (&1.into(), &"strict".into()));
    let nodes = value["nodes"].as_array().unwrap();
    let strength = nodes
        .iter()
        .find(|row| row["set"] == "ffn_neuron" && row["side"] == "strength")
        .unwrap();
    assert_eq!(
        (&strength["n"], &strength["mode"], &strength["expert"]),
        (&20.into(), &"raw".into(), &().into())
    );
    assert!(strength["std"].as_f64().unwrap() > 0.0 && strength["quantiles"].as_array().unwrap().len() == 7);
    let links = value["links"].as_array().unwrap();
    assert_eq!(links.len(), 7);
    assert_eq!(links[0]["hist"]["counts"].as_array().unwrap().len(), 64);
    let dynamic = value["dynamic"].as_array().unwrap();
    assert!(
        dynamic
            .iter()
            .all(|row| row["reconstruction"] == true && row["n_inputs"] == 2)
    );
    let metrics: Vec<&str> = dynamic.iter().map(|row| row["metric"].as_str().unwrap()).collect();
    assert_eq!(metrics, ["activation", "out_flow"], "what was not captured is left out");
    assert!(!value["divergences"].as_array().unwrap().is_empty());
}

#[test]
fn csv_rows_read_back_with_every_digit() {
    let record = record();
    let rows = [
        (Table::Links, record.links.len()),
        (Table::Nodes, record.nodes.len()),
        (Table::Dynamic, record.dynamic.len()),
        (Table::Divergences, record.divergences.len()),
    ];
    for (table, expected) in rows {
        let bytes = csv(&record, table).unwrap();
        let mut reader = ::csv::Reader::from_reader(&bytes[..]);
        let width = reader.headers().unwrap().len();
        let found: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(found.len(), expected, "{table:?}");
        assert!(found.iter().all(|row| row.len() == width), "{table:?}");
    }
    let bytes = csv(&record, Table::Nodes).unwrap();
    let mut reader = ::csv::Reader::from_reader(&bytes[..]);
    let at = reader.headers().unwrap().iter().position(|name| name == "std").unwrap();
    for (row, node) in reader.records().zip(&record.nodes) {
        let std: f64 = row.unwrap()[at].parse().unwrap();
        assert_eq!(std.to_bits(), node.summary.std.to_bits());
    }
    let empty = Record {
        divergences: Vec::new(),
        ..record
    };
    assert!(
        csv(&empty, Table::Divergences)
            .unwrap()
            .starts_with(b"a,b,block,block_b,expert,what,measure,value,p")
    );
}

#[test]
fn small_networks_have_records_with_layers_from_links_to_nodes() {
    let matrix = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, -1.0, -2.0, -3.0]).unwrap();
    let dense = Dense::new(matrix, Some(vec![0.5, 0.5]), Activation::Relu).unwrap();
    let stack = Stack::new(vec![Layer::Dense(dense)]).unwrap();
    let mut record = Record::of_stack(subject(), &stack, Convention::Authors);
    let flows = stack.flows([&[1.0, 0.0, 0.0][..]], Flow::Both).unwrap();
    for (layer, flows) in flows.iter().enumerate() {
        record.add_flows(layer, "layer", flows);
    }
    let strengths: Vec<_> = record.nodes.iter().filter(|row| row.side == "strength").collect();
    assert_eq!(strengths.iter().map(|row| row.block).collect::<Vec<_>>(), [0, 1]);
    // Out-strengths are 0, so that the authors' unit input link is all there is.
    assert!((strengths[0].summary.mean - 1.0).abs() < 1e-12);
    // Rows sum to 6 and -6, bias 0.5, unit output link 1.
    assert!((strengths[1].summary.mean - 1.5).abs() < 1e-12 && (strengths[1].summary.std - 6.0).abs() < 1e-12);
    assert_eq!((strengths[1].argmin, strengths[1].argmax), (1, 0));
    assert_eq!(
        record.links.iter().map(|row| row.block).collect::<Vec<_>>(),
        [Some(1), Some(1)]
    );
    assert_eq!(record.dynamic.len(), 8);
}

#[test]
fn node_values_lie_where_their_header_says() {
    let topology = toy();
    let (header, bytes) = node_values(&topology);
    let entries = header["entries"].as_array().unwrap();
    assert_eq!(entries.len(), topology.nodes.len());
    for (entry, nodes) in entries.iter().zip(&topology.nodes) {
        let offset = usize::try_from(entry["offset"].as_u64().unwrap()).unwrap();
        let last = offset + 4 * (nodes.values.len() - 1);
        let value = f32::from_le_bytes(bytes[last..last + 4].try_into().unwrap());
        let stored = nodes.values.last().unwrap();
        assert!((f64::from(value) - stored).abs() <= 1e-6 * (1.0 + stored.abs()));
    }
}

#[test]
fn figures_show_every_curve_and_empty_ones_are_none() {
    let titles = Titles {
        title: "Fluctuation, $5",
        x: "block",
        y: "F",
    };
    let named = |name: &str| Curve::over_depth(name, [1.0, 2.0, f64::NAN, 4.0]);
    let density = Curve::of_sample("density", &[1.0, 2.0, 2.5, 4.0]).unwrap();
    let histogram = Curve::of_histogram("histogram", &toy().links[0].histogram);
    let svg = curves(titles, &[named("folded"), named("raw"), density, histogram]).unwrap();
    for part in ["<svg", "folded", "raw", "density", "histogram", "$5"] {
        assert!(svg.contains(part), "{part}");
    }
    assert!(!svg.contains("NaN"));
    let names = ["0".to_owned(), "1".to_owned()];
    let svg = heat_map(titles, &names, &[vec![0.0, 0.25], vec![0.25, f64::NAN]]).unwrap();
    assert!(svg.contains("<svg") && !svg.contains("NaN"));
    assert_eq!((curves(titles, &[]), heat_map(titles, &[], &[])), (None, None));
}
