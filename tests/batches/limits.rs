//! A run in batches keeps within its limits.

use widedeep::cost::{Prices, Tariff};
use widedeep::run::{JudgeError, Limit, Store};

use super::{Run, honest, interactively, repeated, settings, timeless, widedeep};

/// A dollar for a thousand prompt tokens, two for a thousand of the reply; half in batches.
fn tariff(run: &Run) -> Tariff {
    let path = run.path().with_extension("prices");
    let name = run.endpoint.name();
    let name = name.strip_prefix("openai:").unwrap();
    let entry = format!(
        "[[model]]\nname = \"{name}\"\nprompt = 1000.0\ncompletion = 2000.0\nbatch = 0.5\ndate = \"2026-11-24\"\nsource = \"test\"\n"
    );
    std::fs::write(&path, entry).unwrap();
    let prices = Prices::with_overrides(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    Tariff {
        prices,
        machine_usd_per_hour: None,
    }
}

fn cost(store: &Store, tariff: &Tariff) -> f64 {
    tariff.bill(&store.ledger().unwrap(), 0.0).usd.unwrap()
}

#[tokio::test]
async fn requests_in_batches_cost_what_the_price_list_says_of_batches() {
    let server = honest();
    let run = Run::new(&server, 4);
    run.process(Some(settings())).await.unwrap();
    let tariff = tariff(&run);
    let single = Run::new(&server, 4);
    single.process(None).await.unwrap();
    let (batched, ordinary) = (cost(&run.store(), &tariff), cost(&single.store(), &tariff));
    assert!((batched - ordinary / 2.0).abs() < 1e-9, "{batched} {ordinary}");
}

#[tokio::test]
async fn a_budget_that_holds_only_a_part_of_a_wave_is_used_in_parts_and_never_passed() {
    let server = honest();
    let mut run = Run::new(&server, 8);
    let tariff = tariff(&run);
    // What the whole run costs, and a little more than the most that two requests can cost.
    let whole = {
        let run = Run::new(&server, 8);
        run.process(Some(settings())).await.unwrap();
        cost(&run.store(), &tariff)
    };
    let batches = server.batches().len();
    run.limit = Some(Limit {
        usd: Some(whole + 8.0),
        calls: None,
        tariff: tariff.clone(),
    });
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 8).await);
    assert!((cost(&run.store(), &tariff) - whole).abs() < 1e-9);
    assert!(
        server.batches().len() > 2 * batches,
        "the waves were handed over in parts"
    );
}

#[tokio::test]
async fn a_run_that_may_cost_no_more_ends_where_it_can_go_on() {
    let server = honest();
    let mut run = Run::new(&server, 8);
    let tariff = tariff(&run);
    for usd in [10.0, 20.0] {
        run.limit = Some(Limit {
            usd: Some(usd),
            calls: None,
            tariff: tariff.clone(),
        });
        let ended = run.process(Some(settings())).await;
        assert!(
            matches!(&ended, Err(JudgeError::OverBudget { reason }) if reason.contains("--budget-usd")),
            "{ended:?}"
        );
        assert!(cost(&run.store(), &tariff) <= usd);
    }
    run.limit = Some(Limit {
        usd: None,
        calls: Some(server.custom_ids().len() as u64 + 3),
        tariff: tariff.clone(),
    });
    let before = server.custom_ids().len();
    let ended = run.process(Some(settings())).await;
    assert!(matches!(ended, Err(JudgeError::OverBudget { .. })), "{ended:?}");
    assert_eq!(server.custom_ids().len(), before + 3, "not one more than may be made");
    run.limit = None;
    let judged = run.process(Some(settings())).await.unwrap();
    assert_eq!(timeless(&judged), interactively(&widedeep(), 8).await);
    assert_eq!(repeated(&server.custom_ids()), 0);
}
