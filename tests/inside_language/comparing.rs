//! Two models set against each other, over units whose languages are chosen by hand.

use widedeep::inside::language::{
    Aligned, Bar, Class, Counts, Identified, Lambda, LanguageCounts, Method, Origin, Overlap, Rate, Shape, Unit,
    compare,
    compare::CompareError,
    identify, jaccard,
    transfer::{Role, TransferError, transfer},
};

const NAMES: [&str; 4] = ["en", "de", "zh", "sw"];

/// A model of two layers of `units.len() / 2` units: each unit is active in exactly the languages of its word, one letter per language. Everything is
/// selected.
fn model(units: &[&str]) -> Identified {
    model_over(&NAMES, units)
}

fn model_over(names: &[&str], units: &[&str]) -> Identified {
    let shape = Shape {
        layers: 2,
        width: units.len() / 2,
    };
    let active = |name: &str| {
        units
            .iter()
            .map(|unit| if unit.contains(&name[..1]) { 800 } else { 100 })
            .collect()
    };
    let languages = names
        .iter()
        .map(|name| LanguageCounts::new(*name, 1000, active(name)).unwrap());
    let counts = Counts::new(shape, languages.collect(), Origin::default()).unwrap();
    let method = Method::Aligned(Aligned {
        top: Rate::new(1.0).unwrap(),
        bar: Bar::Value(0.5),
        lambda: Lambda::Fixed(0.0),
    });
    identify(&counts, method).unwrap()
}

fn unit(position: usize) -> Unit {
    Shape { layers: 2, width: 3 }.unit(position)
}

#[test]
fn units_become_stay_and_cease() {
    // Before and after, unit by unit: specific stays, becomes related, leaves its class; agnostic arises; another language's; nothing.
    let before = model(&["z", "z", "z", "dz", "d", ""]);
    let after = model(&["z", "dz", "", "edzs", "z", ""]);
    let comparison = compare(&before, &after).unwrap();
    let zh = &comparison.languages[2];
    assert_eq!(zh.language, "zh");
    assert_eq!(
        (&zh.specific.stayed, &zh.specific.became, &zh.specific.ceased),
        (&vec![unit(0)], &vec![unit(4)], &vec![unit(1), unit(2)])
    );
    assert_eq!(
        (&zh.related.stayed, &zh.related.became, &zh.related.ceased),
        (&vec![], &vec![unit(1)], &vec![unit(3)])
    );
    assert_eq!(
        (zh.specific.before(), zh.specific.after(), zh.specific.change()),
        (3, 2, -1)
    );
    assert_eq!(zh.specific.kept(), Some(1.0 / 3.0));
    // As a class, unit 4 stays specific although its language changed.
    let specific = &comparison.classes[0];
    assert_eq!(
        (specific.class, &specific.flow.stayed),
        (Class::Specific, &vec![unit(0), unit(4)])
    );
    let agnostic = &comparison.classes[2];
    assert_eq!(
        (agnostic.class, &agnostic.flow.became, agnostic.flow.kept()),
        (Class::Agnostic, &vec![unit(3)], None)
    );
}

#[test]
fn transitions_account_for_every_unit_of_the_model() {
    let before = model(&["z", "z", "z", "dz", "d", ""]);
    let after = model(&["z", "dz", "", "edzs", "z", ""]);
    let comparison = compare(&before, &after).unwrap();
    let classes = [Some(Class::Specific), Some(Class::Related), Some(Class::Agnostic), None];
    let count = |before: Option<Class>, after: Option<Class>| comparison.transitions.count(before, after);
    assert_eq!(count(Some(Class::Specific), Some(Class::Specific)), 2);
    assert_eq!(count(Some(Class::Specific), Some(Class::Related)), 1);
    assert_eq!(count(Some(Class::Specific), None), 1);
    assert_eq!(count(Some(Class::Related), Some(Class::Agnostic)), 1);
    assert_eq!(count(None, None), 1);
    let all: usize = classes
        .iter()
        .flat_map(|&before| classes.iter().map(move |&after| count(before, after)))
        .sum();
    assert_eq!(all, 6);
}

#[test]
fn numbers_of_languages_and_layers_are_compared() {
    let before = model(&["z", "z", "z", "dz", "d", ""]);
    let after = model(&["z", "dz", "", "edzs", "z", ""]);
    let comparison = compare(&before, &after).unwrap();
    let numbers: Vec<_> = comparison
        .numbers
        .iter()
        .map(|change| (change.languages, change.before, change.after))
        .collect();
    assert_eq!(numbers, [(1, 4, 2), (2, 1, 1), (3, 0, 0), (4, 0, 1)]);
    let layer = comparison.layers[1];
    assert_eq!(
        (layer.before.specific, layer.before.related, layer.before.agnostic),
        (1, 1, 0)
    );
    assert_eq!(
        (layer.after.specific, layer.after.related, layer.after.agnostic),
        (1, 0, 1)
    );
}

#[test]
fn a_model_compared_with_itself_stays_as_it_is() {
    let model = model(&["z", "dz", "", "edzs", "z", "s"]);
    let comparison = compare(&model, &model).unwrap();
    for language in &comparison.languages {
        assert!(language.set.became.is_empty() && language.set.ceased.is_empty());
    }
    assert!(comparison.numbers.iter().all(|change| change.before == change.after));
    assert_eq!(jaccard(&model, &model), Some(1.0));
}

#[test]
fn overlap_counts_shared_units_and_shares_them_by_row() {
    let model = model(&["z", "dz", "dz", "d", "", "s"]);
    let overlap = Overlap::within(&model);
    assert_eq!(overlap.sizes, [0, 3, 3, 1]);
    assert_eq!(overlap.shared[1], [0, 3, 2, 0]);
    assert_eq!(overlap.share(1, 2), Some(2.0 / 3.0));
    assert_eq!(overlap.share(0, 1), None);
}

#[test]
fn halves_that_share_half_of_their_pairs_have_a_jaccard_index_of_a_third() {
    let (one, other) = (model(&["z", "d", "", "", "", ""]), model(&["z", "", "s", "", "", ""]));
    assert_eq!(jaccard(&one, &other), Some(1.0 / 3.0));
    let none = model(&["", "", "", "", "", ""]);
    assert_eq!(jaccard(&none, &none), None);
}

#[test]
fn untrained_languages_are_credited_with_units_that_they_newly_share_with_trained_ones() {
    // zh is trained, en the pivot. sw newly shares unit 1 with zh, and unit 4 with de, which does not count; it shared unit 5 before.
    let before = model(&["z", "z", "s", "d", "d", "zs"]);
    let after = model(&["z", "zs", "s", "dz", "ds", "zs"]);
    let transfer = transfer(&before, &after, &["zh"], Some("en")).unwrap();
    let roles: Vec<_> = transfer.languages.iter().map(|language| language.role).collect();
    assert_eq!(roles, [Role::Pivot, Role::Untrained, Role::Trained, Role::Untrained]);
    let sw = &transfer.languages[3];
    assert_eq!((sw.specific, sw.related, sw.newly_shared), (0, 2, 1));
    let de = &transfer.languages[1];
    assert_eq!((de.specific, de.related, de.newly_shared), (-2, 2, 1));
    assert_eq!((transfer.trained.specific, transfer.trained.related), (-1.0, 2.0));
    let untrained = transfer.untrained.unwrap();
    assert_eq!(
        (
            untrained.languages,
            untrained.specific,
            untrained.related,
            untrained.newly_shared
        ),
        (2, -1.0, 2.0, 1.0)
    );
}

#[test]
fn transfer_names_languages_that_it_does_not_know() {
    let model = model(&["z", "", "", "", "", ""]);
    let refused = |trained: &[&str], pivot| transfer(&model, &model, trained, pivot).unwrap_err();
    assert_eq!(refused(&[], None), TransferError::NoneTrained);
    assert!(matches!(refused(&["fr"], None), TransferError::Unknown { language, .. } if language == "fr"));
    assert!(matches!(refused(&["zh"], Some("xx")), TransferError::Unknown { language, .. } if language == "xx"));
    assert!(matches!(refused(&["zh"], Some("zh")), TransferError::Both { .. }));
    assert!(transfer(&model, &model, &NAMES, None).unwrap().untrained.is_none());
}

#[test]
fn other_languages_and_other_shapes_do_not_compare() {
    let model = model(&["z", "", "", "", "", ""]);
    let wide = super::comparing::model(&["z", "", "", "", "", "", "", ""]);
    assert!(matches!(compare(&model, &wide), Err(CompareError::Shape { .. })));
    let order = model_over(&["de", "en", "zh", "sw"], &["z", "", "", "", "", ""]);
    let error = compare(&model, &order).unwrap_err();
    assert!(error.to_string().contains("en, de, zh, sw"), "{error}");
}
