//! Redis, alone, with replicas, under Sentinel and as a cluster.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rig::{Redis, RedisCluster, RedisOptions, RespValue, Sentinels, eventually};

fn get(redis: &Redis) -> RespValue {
    redis.command(&["GET", "a"]).unwrap()
}

fn set(redis: &Redis, value: &str) {
    redis.command(&["SET", "a", value]).unwrap();
}

#[test]
fn a_redis_answers_and_tells_of_its_errors() {
    let redis = Redis::start(RedisOptions::default()).unwrap();
    set(&redis, "1");
    assert_eq!(get(&redis), RespValue::Text("1".into()));
    assert_eq!(redis.command(&["INCR", "a"]).unwrap().integer(), Some(2));
    let error = redis.command(&["LPUSH", "a", "1"]).unwrap_err().to_string();
    assert!(error.contains("WRONGTYPE"), "{error}");
    redis.flush_all().unwrap();
    assert_eq!(get(&redis), RespValue::Nil);
}

#[test]
fn a_restart_keeps_the_port_and_what_was_logged_alone() {
    let forgetful = Redis::start(RedisOptions::default()).unwrap();
    let logging = Redis::start(RedisOptions::default().append_only()).unwrap();
    for redis in [&forgetful, &logging] {
        set(redis, "1");
        let run_id = redis.info("server", "run_id").unwrap();
        redis.kill();
        assert!(!redis.is_alive());
        assert!(redis.command(&["PING"]).is_err());
        redis.restart().unwrap();
        assert_ne!(redis.info("server", "run_id").unwrap(), run_id);
    }
    assert_eq!(get(&forgetful), RespValue::Nil);
    assert_eq!(get(&logging), RespValue::Text("1".into()));
}

#[test]
fn a_paused_redis_goes_on_where_it_stood() {
    let redis = Redis::start(RedisOptions::default()).unwrap();
    set(&redis, "1");
    redis.pause().unwrap();
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| get(&redis));
        assert!(redis.is_alive());
        redis.resume().unwrap();
        asked.join().unwrap()
    });
    assert_eq!(asked, RespValue::Text("1".into()));
}

#[test]
fn a_server_dies_with_its_value_and_not_with_the_thread_that_started_it() {
    let redis = std::thread::spawn(|| Redis::start(RedisOptions::default()).unwrap());
    let redis = redis.join().unwrap();
    set(&redis, "1");
    let process = format!("/proc/{}", redis.pid());
    assert!(Path::new(&process).exists());
    drop(redis);
    assert!(!Path::new(&process).exists());
}

#[test]
fn a_server_dies_with_a_process_that_is_killed() {
    const HOLDING: &str = "RIG_TEST_HOLDING";
    if std::env::var_os(HOLDING).is_some() {
        // This is the process that will be killed.
        let redis = Redis::start(RedisOptions::default()).unwrap();
        println!("\nholding {}", redis.pid());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let name = "redis::a_server_dies_with_a_process_that_is_killed";
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder.args(["--exact", name, "--nocapture"]).env(HOLDING, "yes");
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid = lines.find_map(|line| line.strip_prefix("holding ").map(str::to_owned)).unwrap();
    let process = format!("/proc/{pid}");
    assert!(Path::new(&process).exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let gone = eventually("the server to die", Duration::from_secs(5), || {
        match Path::new(&process).exists() {
            true => Err(std::io::Error::other("it lives").into()),
            false => Ok(()),
        }
    });
    gone.unwrap();
}

#[test]
fn a_server_that_refuses_its_settings_is_quoted() {
    let error = Redis::start(RedisOptions::default().set("no-such-setting", "1"));
    let error = error.err().unwrap().to_string();
    assert!(error.contains("no-such-setting"), "{error}");
}

#[test]
fn a_replica_follows_and_can_be_promoted() {
    let primary = Redis::start(RedisOptions::default()).unwrap();
    let replica = Redis::start(RedisOptions::default().replica_of(&primary)).unwrap();
    set(&primary, "1");
    primary.wait_replica_in_sync(&replica).unwrap();
    assert_eq!(get(&replica), RespValue::Text("1".into()));
    assert!(replica.command(&["SET", "a", "2"]).is_err(), "a replica takes no writes");
    replica.promote().unwrap();
    set(&replica, "2");
    replica.restart().unwrap();
    assert_eq!(replica.info("replication", "role").unwrap(), "master");
    replica.follow(&primary).unwrap();
    assert_eq!(get(&replica), RespValue::Text("1".into()));
}

#[test]
fn sentinels_promote_the_replica_of_a_dead_primary() {
    let primary = Redis::start(RedisOptions::default()).unwrap();
    let replica = Redis::start(RedisOptions::default().replica_of(&primary)).unwrap();
    let sentinels = Sentinels::start(&primary, "gate", 2).unwrap();
    assert_eq!(sentinels.current_primary().unwrap(), primary.port());
    primary.kill();
    assert_eq!(sentinels.wait_failover_from(primary.port()).unwrap(), replica.port());
}

#[test]
fn a_cluster_shares_the_keys_and_survives_the_death_of_a_master() {
    let cluster = RedisCluster::start(3, 1).unwrap();
    let owner = |key: &str| {
        cluster.masters().iter().position(|node| node.command(&["SET", key, "1"]).is_ok())
    };
    let owners = ["a", "b", "c"].map(|key| owner(key).unwrap());
    assert!(owners[0] != owners[1] && owners[1] != owners[2], "{owners:?}");
    let replica = &cluster.replicas_of(owners[0])[0];
    cluster.masters()[owners[0]].wait_replica_in_sync(replica).unwrap();
    cluster.masters()[owners[0]].kill();
    let value = eventually("the replica to be promoted", Duration::from_secs(20), || {
        replica.command(&["GETSET", "a", "2"])
    });
    assert_eq!(value.unwrap(), RespValue::Text("1".into()));
}

#[test]
fn the_settings_of_the_compose_file_are_settings_of_redis() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cluster/redis.conf");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    // Where it listens is the one thing that a test must choose for itself.
    let settings = lines.map(|line| line.split_once(' ').unwrap());
    let settings = settings.filter(|(key, _)| !["port", "bind"].contains(key));
    let options = settings.fold(RedisOptions::default(), |all, (key, value)| all.set(key, value));
    let redis = Redis::start(options).unwrap();
    let policy = redis.command(&["CONFIG", "GET", "maxmemory-policy"]).unwrap();
    assert_eq!(policy.items()[1], RespValue::Text("noeviction".into()));
}
