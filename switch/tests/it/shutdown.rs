//! A drain takes nothing new and finishes what is under way.

use switch::app::Ended;

use crate::harness::{House, card_order};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_the_payment_under_way() {
    let house = House::start().await;
    let bank = house.bank().await;
    let request = bank.payment(&card_order(15_069));
    let engine = house.engine().clone();
    // …69 takes the whole time limit; the drain begins while it is under way.
    let (answer, ended) = tokio::join!(bank.request("0200", &request), async {
        crate::harness::eventually("the payment to be under way", async || {
            (0 < engine.tasks.payments_under_way()).then_some(())
        })
        .await;
        house.app.run_until(std::future::ready(())).await
    });
    assert_eq!(answer.expect("an answer").response_code(), "68");
    assert_eq!(ended, Ended::Drained);
}
