//! Features on disk.

use std::{fs, io::Cursor};

use ndarray::Array3;
use ndarray_npy::ReadNpyExt;
use widedeep::inside::hallucination::{Features, FeaturesError, Part, Truth, Writer};

use super::synthetic::{SHAPE, example, provenance};

fn row(start: f32) -> Vec<f32> {
    (0..SHAPE.units()).map(|unit| start + unit as f32 / 1000.0).collect()
}

#[test]
fn rows_come_back_and_the_array_is_numpys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toy.v1");
    let mut writer = Writer::open(&path, &provenance(1)).unwrap();
    for id in 0..70 {
        writer
            .push(example(id, Truth::Faithful, Part::Answer), &row(id as f32))
            .unwrap();
    }
    assert!(writer.has("made", "q3", Part::Answer) && !writer.has("made", "q3", Part::Other));

    // An independent reader of the format.
    let bytes = fs::read(path.with_extension("npy")).unwrap();
    let array = Array3::<f32>::read_npy(Cursor::new(bytes)).unwrap();
    assert_eq!(array.shape(), [70, SHAPE.layers, SHAPE.width]);
    assert_eq!(array[[69, 1, 3]], row(69.0)[SHAPE.width + 3]);

    let features = Features::open(&path).unwrap();
    assert_eq!(features.provenance(), &provenance(1));
    assert_eq!(features.examples().len(), 70);
    let columns = features.columns(&[5, 69, 0]).unwrap();
    assert_eq!((columns.rows(), columns.columns()), (3, SHAPE.units()));
    assert_eq!(columns.column(61), [row(5.0)[61], row(69.0)[61], row(0.0)[61]]);
    let few = features.columns_of(&[5, 69, 0], &[61, 2]).unwrap();
    assert_eq!(few, columns.select(&[61, 2]));
    let mut weights = vec![0.0; SHAPE.units()];
    weights[61] = 2.0;
    let products = features.times(&[69], &weights, 0.5).unwrap();
    assert!((products[0] - (2.0 * f64::from(row(69.0)[61]) + 0.5)).abs() < 1e-12);
}

#[test]
fn a_writer_that_was_killed_anywhere_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let mut writer = Writer::open(&whole, &provenance(1)).unwrap();
    for id in 0..3 {
        writer
            .push(example(id, Truth::Faithful, Part::Answer), &row(id as f32))
            .unwrap();
    }
    drop(writer);
    let (array, lines) = (
        fs::read(whole.with_extension("npy")).unwrap(),
        fs::read(whole.with_extension("jsonl")).unwrap(),
    );
    let bytes = SHAPE.units() * 4;
    let two_lines = lines
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(1)
        .unwrap()
        .0
        + 1;
    // Within the third row; within its line; with both but the header behind. Also before anything was written.
    let cuts = [
        (array.len() - bytes / 2, two_lines, 2),
        (array.len(), two_lines + 10, 2),
        (array.len(), lines.len(), 3),
        (0, 0, 0),
        (50, 0, 0),
    ];
    for (kept_array, kept_lines, rows) in cuts {
        let path = folder.path().join(format!("cut-{kept_array}-{kept_lines}"));
        fs::copy(whole.with_extension("json"), path.with_extension("json")).unwrap();
        fs::write(path.with_extension("npy"), &array[..kept_array]).unwrap();
        fs::write(path.with_extension("jsonl"), &lines[..kept_lines]).unwrap();
        let mut writer = Writer::open(&path, &provenance(1)).unwrap();
        assert_eq!(writer.examples().len(), rows, "cut at {kept_array} and {kept_lines}");
        for id in rows..3 {
            writer
                .push(example(id, Truth::Faithful, Part::Answer), &row(id as f32))
                .unwrap();
        }
        assert_eq!(fs::read(path.with_extension("npy")).unwrap(), array);
        assert_eq!(fs::read(path.with_extension("jsonl")).unwrap(), lines);
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toy");
    let mut writer = Writer::open(&path, &provenance(1)).unwrap();
    writer
        .push(example(0, Truth::Faithful, Part::Answer), &row(0.0))
        .unwrap();
    assert!(matches!(
        writer.push(example(1, Truth::Faithful, Part::Answer), &[1.0]),
        Err(FeaturesError::Row { found: 1, .. })
    ));
    let mut damaged = row(1.0);
    damaged[SHAPE.width + 2] = f32::NAN;
    let refused = writer
        .push(example(1, Truth::Faithful, Part::Answer), &damaged)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("layer 1, unit 2"), "{refused}");
    drop(writer);

    let other = Writer::open(&path, &provenance(2)).unwrap_err();
    assert!(matches!(other, FeaturesError::OtherProvenance { .. }));

    let lines = path.with_extension("jsonl");
    let text = fs::read_to_string(&lines).unwrap();
    fs::write(&lines, "{\"id\": 3}\n").unwrap();
    let malformed = Features::open(&path).unwrap_err().to_string();
    assert!(malformed.contains(&format!("{}:1", lines.display())), "{malformed}");
    fs::write(&lines, text.repeat(3)).unwrap();
    let mismatch = Features::open(&path).unwrap_err().to_string();
    assert!(mismatch.contains("there are 3 examples"), "{mismatch}");
    fs::write(&lines, text).unwrap();

    let description = path.with_extension("json");
    let text = fs::read_to_string(&description).unwrap();
    fs::write(&description, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(matches!(
        Features::open(&path),
        Err(FeaturesError::Newer { found: 2, .. })
    ));
}
