//! What is said when something is wrong: where, what, and what to do.

use crate::folder::{Folder, npz};
use crate::support::gguf;

const NET: &str = "weights = \"net.npz\"\ninputs = \"x\"\n\n[[layers]]\nkind = \"dense\"\nweights = \"w\"\n";

fn network(plan: &str) -> Folder {
    let folder = Folder::new();
    folder.write("net.toml", plan);
    let tensors = [("w", vec![2, 3]), ("x", vec![4, 3]), ("odd", vec![4, 5])];
    let tensors = tensors.map(|(name, shape)| (name.to_owned(), shape.clone(), vec![0.5; shape.iter().product()]));
    npz(&folder.path("net.npz"), &tensors.to_vec());
    folder
}

#[test]
fn faults_of_a_networks_file_are_told_with_their_line() {
    for (plan, expected) in [
        (
            NET.replace("\"w\"", "\"v\""),
            "net.toml:6: `net.npz` has no tensor `v`; it has `odd`, `w`, `x`",
        ),
        (NET.replace("dense", "dens"), "net.toml:5: unknown variant `dens`"),
        (NET.replace("net.npz", "gone.npz"), "net.toml:1: cannot read `gone.npz`"),
        (
            format!("{NET}stride = 2\n"),
            "net.toml:7: a `dense` layer does not take this `stride`",
        ),
    ] {
        let told = network(&plan).refused(2, &["measure", "net.toml"]);
        assert!(told.contains(expected), "{told}");
    }
    let told = network(&NET.replace("inputs = \"x\"", "inputs = \"odd\"")).refused(2, &["measure", "net.toml"]);
    assert!(
        told.contains("`net.toml`: the tensor that `inputs` names does not fit")
            && told.contains("5 numbers where the network reads 3"),
        "{told}"
    );
    let told = Folder::new().refused(2, &["measure", "gone.toml"]);
    assert!(told.contains("gone.toml:1: cannot read the file"), "{told}");
}

#[test]
fn flags_of_models_are_refused_for_networks_and_the_other_way_round() {
    let folder = network(NET);
    gguf::llama().write(&folder.path("model.gguf"));
    folder.write("text.txt", "HELLO");
    let told = folder.refused(2, &["measure", "net.toml", "--text", "text.txt"]);
    assert!(
        told.contains("a network's inputs are a tensor that its file names as `inputs`"),
        "{told}"
    );
    let told = folder.refused(2, &["measure", "net.toml", "--skip"]);
    assert!(told.contains("--skip is for models"), "{told}");
    let told = folder.refused(2, &["measure", "./model.gguf", "--strict"]);
    assert!(told.contains("--strict is for networks"), "{told}");
    let told = folder.refused(2, &["compare", "./model.gguf", "net.toml"]);
    assert!(told.contains("compare two of a kind"), "{told}");
}

#[test]
fn models_and_texts_that_cannot_be_read_are_the_inputs_fault() {
    let folder = Folder::new();
    gguf::llama().write(&folder.path("model.gguf"));
    let told = folder.refused(2, &["measure", "./gone.gguf"]);
    assert!(told.contains("there is no model file `./gone.gguf`"), "{told}");
    let told = folder.refused(2, &["measure", "./model.gguf", "--text", "gone.txt"]);
    assert!(told.contains("could not read `gone.txt` as UTF-8 text"), "{told}");
    folder.write("text.txt", "H");
    let told = folder.refused(2, &["measure", "./model.gguf", "--text", "text.txt", "--threads", "1"]);
    assert!(
        told.contains("none is left to count") && told.contains("longer text"),
        "{told}"
    );
    let told = folder.refused(2, &["measure", "./model.gguf", "--text", "text.txt", "--window", "1"]);
    assert!(told.contains("a window of 1 tokens"), "{told}");

    // Experts have no units of which every token says something: their weights are measured all the same.
    gguf::experts().write(&folder.path("experts.gguf"));
    let said = folder.done(&["measure", "./experts.gguf", "--out", "out"]);
    assert!(said.contains("ffn_gate_inp"), "{said}");
    assert!(
        folder
            .csv("out/nodes.csv")
            .iter()
            .any(|row| row["set"] == "ffn_neuron" && row["expert"] == "1")
    );
    folder.write("text.txt", "HELLO,WORLD");
    let told = folder.refused(
        2,
        &["measure", "./experts.gguf", "--text", "text.txt", "--threads", "1"],
    );
    assert!(told.contains("mixture of experts"), "{told}");

    let without = gguf::llama().without(|name| name == "blk.1.ffn_up.weight");
    without.write(&folder.path("broken.gguf"));
    let told = folder.refused(2, &["measure", "./broken.gguf"]);
    assert!(
        told.contains("has `blk.1.ffn_down.weight` but no `blk.1.ffn_up.weight`"),
        "{told}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = network(NET);
    let told = folder.run(&["measure", "net.toml", "--out", "net.toml"]);
    assert_eq!(told.status.code(), Some(1));
    let told = crate::folder::text(&told.stderr);
    assert!(
        told.contains("failed to write `net.toml`") && told.contains("check that the folder is writable"),
        "{told}"
    );
}
