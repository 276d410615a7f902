//! API keys managed by requests.

use http::Method;
use serde_json::{Value, json};
use switch::keys::{self, Role};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{House, start_app};

/// A switch with an admin's key.
struct Keeping {
    house: House,
    admin: Api,
}

impl Keeping {
    async fn start() -> Self {
        let house = House::start().await;
        let admin = Api::with_role(&house, Role::Admin, "officer");
        Self { house, admin }
    }

    /// Makes a key by a request; gives its id, and an API that uses it.
    async fn made(&self, body: &Value) -> (String, Api) {
        let made = self.admin.post("/v1/keys", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert!(made.text("/key").starts_with("ck_"), "{}", made.body);
        (made.text("/id").to_owned(), Api::with_key(&self.house, made.text("/key")))
    }

    async fn listed(&self, api: &Api) -> Vec<Value> {
        let page = api.get("/v1/keys").await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.body["data"].as_array().expect("keys").clone()
    }
}

fn status(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.text("/field"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_makes_a_key_that_pays_and_ends_it_again() {
    let keeping = Keeping::start().await;
    let (id, shop) = keeping.made(&json!({"role": "biller", "owner": "isp-ve"})).await;
    let paid = shop.pay("order-1", &card_payment(15_000, "B-1")).await;
    assert_eq!(paid.status, 201, "{}", paid.body);
    let listed = keeping.listed(&keeping.admin).await;
    let key = listed.iter().find(|key| key["id"] == *id).expect("the key");
    assert_eq!((&key["role"], &key["owner"]), (&json!("biller"), &json!("isp-ve")));
    assert!(key["created_at"].is_string() && key["last_used_at"].is_string(), "{key}");
    assert!(key.get("key").is_none(), "it is told once");

    let ended = keeping.admin.post(&format!("/v1/keys/{id}/revoke"), &json!({})).await;
    assert_eq!((ended.status, ended.text("/id")), (200, id.as_str()), "{}", ended.body);
    assert_eq!(shop.get("/v1/payments").await.status, 401);
    let again = keeping.admin.post(&format!("/v1/keys/{id}/revoke"), &json!({})).await;
    assert_eq!(again.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_for_an_owner_that_is_served_with_an_end_that_is_to_come() {
    let keeping = Keeping::start().await;
    let make = async |body: Value| keeping.admin.post("/v1/keys", &body).await;
    let wrong = make(json!({"role": "biller", "owner": "shop-9"})).await;
    assert_eq!(status(&wrong), (400, "owner"));
    let wrong = make(json!({"role": "operator", "owner": " "})).await;
    assert_eq!(status(&wrong), (400, "owner"));
    let wrong = make(json!({"role": "admin", "owner": "friend"})).await;
    assert_eq!(status(&wrong), (400, "role"), "an admin is made at the machine");
    for end in ["tomorrow", "2001-01-01T00:00:00Z"] {
        let wrong = make(json!({"role": "operator", "owner": "desk", "expires_at": end})).await;
        assert_eq!(status(&wrong), (400, "expires_at"), "{end}");
    }
    let end = "2999-01-01T00:00:00Z";
    let body = json!({"role": "operator", "owner": "Mesa de día", "expires_at": end});
    let (id, desk) = keeping.made(&body).await;
    assert_eq!(desk.get("/v1/payments?biller=isp-ve").await.status, 200);
    let listed = keeping.listed(&desk).await;
    let key = listed.iter().find(|key| key["id"] == *id).expect("the key");
    assert!(key["expires_at"].as_str().is_some_and(|at| at.starts_with("2999-01-01")), "{key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_manages_the_keys_of_its_scope_and_no_other() {
    let keeping = Keeping::start().await;
    let (house, admin) = (&keeping.house, &keeping.admin);
    let (shop_id, shop) = keeping.made(&json!({"role": "biller", "owner": "isp-ve"})).await;
    let (other_id, _) = keeping.made(&json!({"role": "biller", "owner": "lender-mx"})).await;
    let desk = Api::with_role(house, Role::Operator, "desk");
    let body = json!({"role": "operator", "owner": "friend"});
    for api in [&shop, &desk] {
        assert_eq!(api.post("/v1/keys", &body).await.status, 403);
    }
    // A biller sees and changes its own.
    let seen: Vec<Value> = keeping.listed(&shop).await;
    assert_eq!(seen.iter().map(|key| &key["id"]).collect::<Vec<_>>(), [&json!(shop_id)]);
    for verb in ["revoke", "rotate"] {
        let foreign = format!("/v1/keys/{other_id}/{verb}");
        assert_eq!(shop.post(&foreign, &json!({})).await.status, 404, "{verb}");
        assert_eq!(desk.post(&foreign, &json!({})).await.status, 403, "{verb}");
        let missing = format!("/v1/keys/key_0000000000000000/{verb}");
        assert_eq!(admin.post(&missing, &json!({})).await.status, 404, "{verb}");
    }
    // An admin moves no money and sees no payment.
    for path in ["/v1/payments?biller=isp-ve", "/v1/endpoints?biller=isp-ve", "/v1/events"] {
        assert_eq!(admin.get(path).await.status, 403, "{path}");
    }
    assert_eq!(admin.pay("order-1", &card_payment(15_000, "B-1")).await.status, 403);
    // Another admin's key is ended, not replaced.
    let second = keys::create(house.dir.path(), Role::Admin, "deputy").expect("a key");
    let second_id = keys::id_of_key(&second);
    let rotate = format!("/v1/keys/{second_id}/rotate");
    assert_eq!(admin.post(&rotate, &json!({})).await.status, 403);
    let own = Api::with_key(house, &second).post(&rotate, &json!({})).await;
    assert_eq!(own.status, 201, "{}", own.body);
    assert_eq!(admin.post(&format!("/v1/keys/{second_id}/revoke"), &json!({})).await.status, 200);
    // A key itself names none in an address.
    let itself = format!("/v1/keys/{second}/revoke");
    assert_eq!(admin.post(&itself, &json!({})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_count_while_one_takes_the_place_of_the_other() {
    let keeping = Keeping::start().await;
    let (id, shop) = keeping.made(&json!({"role": "biller", "owner": "isp-ve"})).await;
    let path = format!("/v1/keys/{id}/rotate");
    let wrong = shop.post(&path, &json!({"grace_hours": 8761})).await;
    assert_eq!(status(&wrong), (400, "grace_hours"));
    let rotated = shop.send(Method::POST, &path, &[], b"").await;
    assert_eq!((rotated.status, rotated.text("/replaces/id")), (201, id.as_str()));
    assert!(!rotated.text("/replaces/expires_at").is_empty(), "{}", rotated.body);
    let next = Api::with_key(&keeping.house, rotated.text("/key"));
    assert_eq!(shop.get("/v1/payments").await.status, 200);
    assert_eq!(next.get("/v1/payments").await.status, 200);
    let path = format!("/v1/keys/{}/rotate", rotated.text("/id"));
    let last = next.post(&path, &json!({"grace_hours": 0})).await;
    assert_eq!(last.status, 201, "{}", last.body);
    assert_eq!(next.get("/v1/payments").await.status, 401, "it has ended at once");
    assert_eq!(
        Api::with_key(&keeping.house, last.text("/key")).get("/v1/payments").await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_keys_stand_in_the_journal_and_their_last_use_outlives_a_restart() {
    let keeping = Keeping::start().await;
    let (id, shop) = keeping.made(&json!({"role": "biller", "owner": "isp-ve"})).await;
    let shop_key = format!("/v1/keys/{id}/rotate");
    let rotated = shop.post(&shop_key, &json!({})).await;
    let new_id = rotated.text("/id").to_owned();
    let revoked = keeping.admin.post(&format!("/v1/keys/{id}/revoke"), &json!({})).await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let Keeping { house, .. } = keeping;
    let (dir, issuer) = house.stop().await;
    let mut journal = std::process::Command::new(env!("CARGO_BIN_EXE_cauce"));
    journal.args(["journal", "export", "--data"]).arg(dir.path());
    let exported = journal.output().expect("an end");
    assert!(exported.status.success(), "{exported:?}");
    let text = String::from_utf8(exported.stdout).expect("text");
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row"));
    let events = rows.filter(|row| row["kind"] == json!("event"));
    let told: Vec<Value> =
        events.map(|row| json!([row["subject"]["id"], row["event"], row["version"]])).collect();
    let expected = [
        json!([id, "created", 1]),
        json!([id, "changed", 2]),
        json!([new_id, "created", 1]),
        json!([id, "deleted", 3]),
    ];
    assert_eq!(told, expected);

    let app = start_app(dir.path(), &issuer, "").await;
    let house = House { app, issuer, dir };
    let desk = Api::with_role(&house, Role::Operator, "desk");
    let page = desk.get("/v1/keys").await.body;
    let of = |owner: &str| {
        let keys = page["data"].as_array().expect("keys").iter();
        keys.clone().find(|key| key["owner"] == owner).expect("a key").clone()
    };
    assert!(of("officer")["last_used_at"].is_string(), "{page}");
    assert!(of("isp-ve").get("last_used_at").is_none(), "the new key was never used: {page}");
}
