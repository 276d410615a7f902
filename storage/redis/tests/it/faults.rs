//! Whatever Redis does, it is noticed: no verdict, and no more than a bounded wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rig::{Redis, RedisCluster, RedisOptions, Sentinels};
use storage::guard::{GateEpoch, Guard, GuardError, Verdict};
use storage_redis::{Form, Gate, GateState, Health, Pin, RedisGuard, RedisSettings, Trouble, Why};

use crate::support::*;

struct Case {
    namespace: String,
    redis: Redis,
    gate: Arc<Gate>,
    guard: RedisGuard,
}

/// A gate with 1,000 on a float, of which payment 1 holds 100 and has its record.
fn case(options: RedisOptions) -> Case {
    let redis = Redis::start(options).unwrap();
    let settings = single(&redis);
    let namespace = settings.namespace.clone();
    let gate = open(settings);
    let mut guard = guard(&gate);
    top_up(&mut guard, 1_000, 1);
    assert_eq!(reserve(&mut guard, 1, &hundred(1)), Ok(Verdict::Granted));
    begin(&mut guard, 1, 1, 2);
    Case { namespace, redis, gate, guard }
}

impl Case {
    /// Two asks at most find out: the first may only find the connection broken.
    fn closes(&mut self, expect: Why) {
        for number in 10..12 {
            assert!(reserve(&mut self.guard, number, &hundred(number.into())).is_err());
            if let Some(Trouble { why, .. }) = self.gate.trouble()
                && why == expect
            {
                break;
            }
            self.wait_for_a_retry();
        }
        assert_eq!(self.gate.trouble().unwrap().why, expect);
        assert!(matches!(self.gate.state(), GateState::Closed { .. }), "{:?}", self.gate.state());
        let error = reserve(&mut self.guard, 20, &hundred(20)).unwrap_err();
        let GuardError::Unavailable { detail } = error;
        assert!(!detail.is_empty());
    }

    /// Until a try is made that reaches Redis.
    fn wait_for_a_retry(&mut self) {
        let seen = self.gate.trouble().unwrap().count;
        let began = Instant::now();
        while self.gate.trouble().unwrap().count == seen && began.elapsed() < Duration::from_secs(5)
        {
            assert!(reserve(&mut self.guard, 15, &hundred(15)).is_err());
        }
    }

    fn gate_row(&self) -> String {
        let GateState::Open { .. } = self.gate.state() else { panic!("closed") };
        let keys = self.redis.command(&["KEYS", "*gate"]).unwrap();
        keys.items()[0].text()
    }
}

fn wait_changed(gate: &Gate) {
    rig::eventually("the probe to see a failover", Duration::from_secs(30), || {
        let health = gate.probe();
        let seen = matches!(health, Health::Changed(_)).then_some(());
        seen.ok_or_else(|| rig::Error::from(std::io::Error::other(format!("{health:?}"))))
    })
    .unwrap();
}

#[test]
fn a_flush_is_noticed() {
    let mut case = case(RedisOptions::default());
    case.redis.flush_all().unwrap();
    case.closes(Why::Stale);
    open_from_nothing(&case.gate, GateEpoch(2));
    assert_eq!(reserve(&mut case.guard, 30, &nothing(30)), Ok(Verdict::Granted));
}

#[test]
fn a_missing_gate_value_is_noticed() {
    let mut case = case(RedisOptions::default());
    let row = case.gate_row();
    case.redis.command(&["HDEL", &row, "value"]).unwrap();
    case.closes(Why::Stale);
}

#[test]
fn the_gate_value_of_another_epoch_is_noticed() {
    let mut case = case(RedisOptions::default());
    let row = case.gate_row();
    for value in ["o2", "r1", "r2", "o", ""] {
        case.redis.command(&["HSET", &row, "value", value]).unwrap();
        case.gate.open(GateEpoch(1), case.gate.discover().unwrap());
        case.closes(Why::Stale);
    }
}

#[test]
fn an_empty_restart_is_noticed() {
    let mut case = case(RedisOptions::default());
    case.redis.restart().unwrap();
    case.closes(Why::OtherInstance);
}

#[test]
fn a_restart_with_its_data_is_noticed() {
    let mut case = case(RedisOptions::default().append_only());
    case.redis.restart().unwrap();
    case.closes(Why::OtherInstance);
}

#[test]
fn another_instance_behind_the_address_is_noticed() {
    let mut case = case(RedisOptions::default());
    let mut pin = case.gate.discover().unwrap();
    pin.shards[0].run_id = "0".repeat(40);
    case.gate.open(GateEpoch(1), pin);
    case.closes(Why::OtherInstance);
}

#[test]
fn a_demotion_is_noticed() {
    let mut case = case(RedisOptions::default());
    let other = redis();
    case.redis.follow(&other).unwrap();
    assert!(reserve(&mut case.guard, 2, &hundred(2)).is_err());
    case.closes(Why::OtherInstance);
}

/// No call is made meanwhile, the connection stands all the time, and the run id is the same: the
/// data alone are those of another.
#[test]
fn a_demotion_and_promotion_under_a_standing_connection_is_noticed() {
    let mut case = case(RedisOptions::default());
    let other = redis();
    // The same epoch, the same functions, the same session: nothing else could tell.
    let settings = RedisSettings { namespace: case.namespace.clone(), ..single(&other) };
    let twin = open(settings);
    assert_eq!(reserve(&mut guard(&twin), 1, &nothing(1)), Ok(Verdict::Granted));
    case.redis.follow(&other).unwrap();
    case.redis.promote().unwrap();
    assert!(reserve(&mut case.guard, 2, &nothing(2)).is_err());
    assert_eq!(case.gate.trouble().unwrap().why, Why::OtherInstance);
    case.closes(Why::OtherInstance);
}

#[test]
fn a_promoted_replica_is_noticed() {
    let mut case = case(RedisOptions::default());
    let replica = Redis::start(RedisOptions::default().replica_of(&case.redis)).unwrap();
    case.redis.wait_replica_in_sync(&replica).unwrap();
    case.redis.kill();
    replica.promote().unwrap();
    // As if the address of the primary now led to the replica.
    let GateState::Open { epoch, pin } = case.gate.state() else { panic!("closed") };
    let mut pin = Pin::clone(&pin);
    pin.shards[0].address = replica.address();
    case.gate.open(epoch, pin);
    case.closes(Why::OtherInstance);
}

/// Late calls change nothing: what the paused server had not answered is released or refused.
#[test]
fn a_paused_redis_is_given_up_in_time_and_what_it_did_late_is_released() {
    let mut case = case(RedisOptions::default());
    case.redis.pause().unwrap();
    let began = Instant::now();
    assert!(reserve(&mut case.guard, 2, &hundred(2)).is_err());
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(case.gate.trouble().unwrap().why, Why::TimedOut);
    end(&mut case.guard, 1, router::reservation::Settle::Post, &hundred(1), 3);
    assert_eq!(case.guard.owed_len(), 1, "it is kept until Redis is back");
    case.redis.resume().unwrap();
    let verdict = soon(|| reserve(&mut case.guard, 3, &hundred(3)));
    assert_eq!(verdict, Verdict::Granted);
    assert_eq!(standing(&mut case.guard, "float:1"), (900, 100), "payment 2 holds nothing");
    let key = router::message::IdempotencyKey(2);
    assert_eq!(case.guard.find_key(key), Ok(None), "and may be asked again");
    assert_eq!(case.guard.owed_len(), 0);
}

#[test]
fn a_killed_redis_is_noticed_at_once() {
    let mut case = case(RedisOptions::default());
    case.redis.kill();
    for number in 2..5 {
        assert!(reserve(&mut case.guard, number, &hundred(number.into())).is_err());
    }
    assert_eq!(case.gate.trouble().unwrap().why, Why::Lost);
    assert!(matches!(case.gate.probe(), Health::Unreachable(_)));
}

#[test]
fn a_full_redis_refuses_and_still_takes_back() {
    let mut case = case(RedisOptions::default());
    case.redis.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let GuardError::Unavailable { detail } = reserve(&mut case.guard, 2, &hundred(2)).unwrap_err();
    assert!(detail.contains("OOM"), "{detail}");
    assert!(matches!(case.gate.state(), GateState::Open { .. }), "nothing was forgotten");
    assert_eq!(case.gate.trouble(), None, "a new epoch would change nothing");
    end(&mut case.guard, 1, router::reservation::Settle::Release, &hundred(1), 3);
    assert_eq!(case.guard.owed_len(), 0);
    assert_eq!(standing(&mut case.guard, "float:1"), (1_000, 0));
    case.redis.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    assert_eq!(soon(|| reserve(&mut case.guard, 3, &hundred(3))), Verdict::Granted);
}

#[test]
fn functions_that_are_gone_are_loaded_again() {
    let mut case = case(RedisOptions::default());
    case.redis.command(&["FUNCTION", "FLUSH", "SYNC"]).unwrap();
    assert!(reserve(&mut case.guard, 2, &hundred(2)).is_err());
    assert_eq!(case.gate.trouble().unwrap().why, Why::NoFunction);
    assert_eq!(soon(|| reserve(&mut case.guard, 3, &hundred(3))), Verdict::Granted);
}

#[test]
fn a_redis_that_evicts_is_not_used() {
    let options = RedisOptions::default().set("maxmemory", "100mb");
    let redis = Redis::start(options.set("maxmemory-policy", "allkeys-lru")).unwrap();
    let error = Gate::new(single(&redis)).unwrap().discover().unwrap_err();
    assert!(error.to_string().contains("noeviction"), "{error}");
}

#[test]
fn the_later_of_two_writers_of_a_lane_is_obeyed() {
    let mut case = case(RedisOptions::default());
    let mut later = guard(&case.gate);
    assert_eq!(reserve(&mut later, 2, &hundred(2)), Ok(Verdict::Granted));
    assert!(reserve(&mut case.guard, 3, &hundred(3)).is_err());
    assert_eq!(case.gate.trouble().unwrap().why, Why::Superseded);
    assert_eq!(standing(&mut later, "float:1"), (1_000, 200));
}

#[test]
fn trouble_wakes_who_waits_for_it() {
    let case = case(RedisOptions::default());
    let Case { redis, gate, mut guard, .. } = case;
    assert_eq!(gate.wait_trouble(0, Duration::from_millis(1)), None);
    let waiter = {
        let gate = Arc::clone(&gate);
        std::thread::spawn(move || gate.wait_trouble(0, Duration::from_secs(20)))
    };
    redis.flush_all().unwrap();
    assert!(reserve(&mut guard, 2, &hundred(2)).is_err());
    assert_eq!(waiter.join().unwrap().unwrap().why, Why::Stale);
}

#[test]
fn a_probe_tells_a_flush_from_a_healthy_gate() {
    let case = case(RedisOptions::default());
    assert_eq!(case.gate.probe(), Health::Well);
    case.redis.flush_all().unwrap();
    // In the same run: nobody else can be served by it.
    assert!(matches!(case.gate.probe(), Health::Forgotten(_)), "{:?}", case.gate.probe());
    case.redis.restart().unwrap();
    assert!(matches!(case.gate.probe(), Health::Changed(_)), "{:?}", case.gate.probe());
}

#[test]
fn what_waits_for_redis_has_a_ceiling() {
    let redis = redis();
    let gate = open(RedisSettings { owed_max: 3, ..single(&redis) });
    let mut guard = guard(&gate);
    top_up(&mut guard, 1_000, 1);
    redis.kill();
    for sequence in 2..5 {
        top_up(&mut guard, 1, sequence);
    }
    let credits = &[storage::guard::Credit { entry: &moved("float:1", 1), sequence: 5 }];
    let group = storage::guard::GiveBack { begun: &[], endings: &[], credits, through: 5 };
    assert!(guard.give_back(&group).is_err());
}

#[test]
fn sentinels_name_the_primary_and_a_failover_is_noticed() {
    let primary = redis();
    let replica = Redis::start(RedisOptions::default().replica_of(&primary)).unwrap();
    let sentinels = Sentinels::start(&primary, "gate", 2).unwrap();
    let form = Form::Sentinel { urls: sentinels.urls(), master: "gate".into(), servers: None };
    let gate = open(RedisSettings::new(form, &namespace()));
    let mut guard = guard(&gate);
    top_up(&mut guard, 1_000, 1);
    assert_eq!(reserve(&mut guard, 1, &hundred(1)), Ok(Verdict::Granted));
    begin(&mut guard, 1, 1, 2);
    assert_eq!(gate.probe(), Health::Well);
    primary.wait_replica_in_sync(&replica).unwrap();
    primary.kill();
    sentinels.wait_failover_from(primary.port()).unwrap();
    assert!(reserve(&mut guard, 2, &hundred(2)).is_err());
    assert!(is_changed(&gate));
    let pin = gate.discover().unwrap();
    assert_eq!(pin.shards[0].address, replica.address());
    let mut rebuild = gate.rebuild(GateEpoch(2), &pin).unwrap();
    assert_eq!(rebuild.marks().unwrap(), Some([(LANE, at_position(2))].into_iter().collect()));
    rebuild.publish().unwrap();
    gate.open(GateEpoch(2), pin);
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 100));
}

#[test]
fn a_cluster_whose_primary_fails_over_is_rebuilt_from_its_marks() {
    let cluster = RedisCluster::start(3, 1).unwrap();
    let gate = open(RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
    let mut guard = guard(&gate);
    top_up(&mut guard, 1_000, 1);
    for number in 1..8 {
        let verdict = reserve(&mut guard, number, &hundred(number.into()));
        assert_eq!(verdict, Ok(Verdict::Granted));
        begin(&mut guard, number, number.into(), number + 1);
    }
    assert_eq!(gate.probe(), Health::Well);
    let lost = &cluster.masters()[0];
    lost.wait_replica_in_sync(&cluster.replicas_of(0)[0]).unwrap();
    lost.kill();
    assert!((8..40).any(|number| reserve(&mut guard, number, &hundred(number.into())).is_err()));
    wait_changed(&gate);
    cluster.wait_ok().unwrap();
    let pin = gate.discover().unwrap();
    let mut rebuild = gate.rebuild(GateEpoch(2), &pin).unwrap();
    let marks = rebuild.marks().unwrap().unwrap();
    assert!(marks[&LANE] >= 1, "{marks:?}");
    let claims = rebuild.claims(LANE).unwrap();
    assert!(claims.iter().all(|(_, key)| key.0 >= 8), "no record: {claims:?}");
    rebuild.release_claims(LANE, &claims).unwrap();
    rebuild.publish().unwrap();
    gate.open(GateEpoch(2), pin);
    assert_eq!(standing(&mut guard, "float:1"), (1_000, 700));
    assert_eq!(reserve(&mut guard, 50, &hundred(50)), Ok(Verdict::Granted));
}

/// The groups of a cluster that is shared out anew are elsewhere: nothing is decided meanwhile.
#[test]
fn a_slot_that_moves_is_noticed() {
    let cluster = RedisCluster::start(2, 0).unwrap();
    let gate = open(RedisSettings::new(Form::Cluster { urls: cluster.urls() }, &namespace()));
    let mut guard = guard(&gate);
    let [from, to] = cluster.masters() else { panic!("two were started") };
    let id = to.command(&["CLUSTER", "MYID"]).unwrap().text();
    assert!(reserve(&mut guard, 1, &hundred(1)).is_ok());
    for slot in 0..8_192 {
        let slot = slot.to_string();
        // Emptied, since a slot with keys does not change hands this way.
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]).unwrap();
        for key in keys.items() {
            from.command(&["DEL", &key.text()]).unwrap();
        }
        if !keys.items().is_empty() {
            to.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).unwrap();
            from.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]).unwrap();
        }
    }
    let refused =
        (2..40).find_map(|number| reserve(&mut guard, number, &hundred(number.into())).err());
    let GuardError::Unavailable { detail } = refused.unwrap();
    assert!(detail.contains("MOVED"), "{detail}");
    assert_eq!(gate.trouble().unwrap().why, Why::NotServing);
    assert!(is_changed(&gate), "{:?}", gate.probe());
}
