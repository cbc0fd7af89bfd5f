//! From the published counts to the published sets, by the command.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use widedeep::inside::language::Identified;

use crate::folder::Folder;
use crate::support::shared;

/// The published counts, decompressed, with their header.
fn published() -> Folder {
    let folder = Folder::new();
    let file = std::fs::File::open(shared("language_neurons/counts_delta.u32le.bin.zst")).unwrap();
    let mut bytes = Vec::new();
    ruzstd::decoding::StreamingDecoder::new(file)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    folder.write("counts.bin", bytes);
    std::fs::copy(shared("language_neurons/header.json"), folder.path("header.json")).unwrap();
    folder
}

#[test]
fn the_published_sets_come_out_of_the_published_counts_pair_for_pair() {
    let folder = published();
    let ended = folder.good("identify counts.bin --header header.json --out units");
    assert!(
        ended
            .stdout
            .contains("lambda 0.109375, bar 0.56443631: 4588 of 458752 units selected, 6307 pairs"),
        "{}",
        ended.stdout
    );
    assert!(
        ended
            .stdout
            .contains("0: 1369  1: 1866  2: 617  3: 310  4: 153  5: 127  6: 59  7: 40  8: 27  9: 20  10: 0"),
        "{}",
        ended.stdout
    );
    let expected = std::fs::read_to_string(shared("language_neurons/expected_mask.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    let mask: BTreeMap<String, Vec<Vec<usize>>> = serde_json::from_value(expected["mask"].clone()).unwrap();
    let expected: BTreeSet<(String, usize, usize)> = mask
        .iter()
        .flat_map(|(language, layers)| {
            layers
                .iter()
                .enumerate()
                .flat_map(move |(layer, units)| units.iter().map(move |&index| (language.clone(), layer, index)))
        })
        .collect();
    assert_eq!(expected.len(), 6307);
    let found = Identified::read(&folder.path("units/units.json")).unwrap();
    let found: BTreeSet<(String, usize, usize)> = found
        .languages()
        .iter()
        .enumerate()
        .flat_map(|(k, language)| {
            let units = found.set(k).into_iter();
            units.map(|unit| (language.name.clone(), unit.layer, unit.index))
        })
        .collect();
    assert_eq!(found.symmetric_difference(&expected).count(), 0);

    let parts = folder.good("parts units/units.json --out parts");
    let told = "understanding: layers 0 to 4; shared semantic space: layers 5 to 17; output transformation: layers 18 to 30; \
                vocabulary output: layer 31";
    assert!(parts.stdout.ends_with(&format!("{told}\n")), "{}", parts.stdout);
    assert_eq!(folder.json("parts/parts.json")["shared"]["start"], 5);
    for figure in [
        "units/layers.svg",
        "units/layers-by-language.svg",
        "units/overlap.svg",
        "parts/layers.svg",
    ] {
        assert!(folder.read(figure).starts_with("<svg"), "{figure}");
    }
    let rows = folder.read("units/units.csv");
    assert!(rows.starts_with("layer,index,class,number,languages\n"));
    assert_eq!(rows.lines().filter(|row| row.contains(",specific,")).count(), 1866);
}

#[test]
fn every_threshold_is_a_flag_and_lape_fills_one_in_a_hundred() {
    let folder = published();
    let at = |flags: &str| {
        folder
            .good(&format!("identify counts.bin --header header.json --out units {flags}"))
            .stdout
    };
    // Specification, section 4.4.
    assert!(at("--lambda 0.1").contains("5450 pairs"));
    assert!(at("--lambda 0").contains("709 pairs"));
    let lape = at("--method lape");
    assert!(
        lape.contains("0: 0  1: ") && lape.contains("4588 of 458752 units selected"),
        "{lape}"
    );
    assert!(at("--method lape --top 0.001 --filter 0.99 --bar 0.9").contains("459 of 458752 units selected"));
    let few = folder
        .good("identify counts.bin --header header.json --out units --lambda 0.1 --languages sw,en")
        .stdout;
    assert!(
        few.contains("selected units by number of languages  0: ") && !few.contains("  3: "),
        "{few}"
    );
}

#[test]
fn compressed_or_foreign_counts_are_refused_with_what_to_do() {
    let folder = published();
    std::fs::copy(
        shared("language_neurons/counts_delta.u32le.bin.zst"),
        folder.path("counts.zst"),
    )
    .unwrap();
    let message = folder.wrong("identify counts.zst --header header.json --out units");
    assert!(
        message.contains("`counts.zst`") && message.contains("zstd -d"),
        "{message}"
    );
    let message = folder.wrong("identify counts.bin --out units");
    assert!(
        message.contains("`counts.json`") && message.contains("two files"),
        "{message}"
    );
    let message = folder.wrong("identify counts.bin --header header.json --languages en,xx --out units");
    assert!(message.contains("holds counts of en, ru"), "{message}");
    let message = folder.wrong("identify counts.bin --header header.json --lambda-high 0 --out units");
    assert!(message.contains("lambda cannot be searched"), "{message}");
}
