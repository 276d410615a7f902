//! One Cassandra node. Three of them are for the tests that need them.

use rig::{Cassandra, fresh_keyspace, shared_cassandra};

#[test]
fn one_node_answers_dies_and_keeps_what_it_acknowledged() {
    let cassandra = Cassandra::start(1).unwrap();
    let keyspace = fresh_keyspace();
    let options = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
    let create = format!("CREATE KEYSPACE {keyspace} WITH replication = {options}");
    cassandra.execute(0, &create).unwrap();
    cassandra.execute(0, &format!("CREATE TABLE {keyspace}.a (a int PRIMARY KEY)")).unwrap();
    cassandra.pause(0).unwrap();
    cassandra.resume(0).unwrap();
    let insert = format!("INSERT INTO {keyspace}.a (a) VALUES (1) IF NOT EXISTS");
    cassandra.execute(0, &insert).unwrap();
    cassandra.kill(0);
    assert!(!cassandra.is_alive(0));
    assert!(cassandra.execute(0, &insert).is_err());
    cassandra.restart(0).unwrap();
    cassandra.execute(0, &insert).unwrap();
    let again = cassandra.execute(0, &create).unwrap_err().to_string();
    assert!(again.contains("existing keyspace"), "{again}");
}

#[test]
fn tests_share_one_node_and_have_keyspaces_of_their_own() {
    let (mine, yours) = (shared_cassandra(), shared_cassandra());
    assert_eq!(mine.pid(0), yours.pid(0));
    for cassandra in [mine, yours] {
        let options = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
        let create = format!("CREATE KEYSPACE {} WITH replication = {options}", fresh_keyspace());
        cassandra.execute(0, &create).unwrap();
    }
}
