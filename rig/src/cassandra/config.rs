//! What a node reads at its start: cassandra.yaml, the JVM's options, the log's settings.

use std::fmt::Write as _;
use std::path::Path;

use crate::Result;

/// Which Paxos a conditional update runs; v2 takes fewer rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paxos {
    /// As before Cassandra 4.1.
    V1,
    /// As Cassandra 4.1 and later advise.
    #[default]
    V2,
}

/// How far the JVM compiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jit {
    /// Fast and plain: less to do at the start, which is most of what a test sees.
    #[default]
    Quick,
    /// All the way: for measuring.
    Full,
}

/// How a Cassandra is started.
#[derive(Debug, Clone, Default)]
pub struct CassandraOptions {
    /// Which Paxos it runs.
    pub paxos: Paxos,
    /// How far the JVM compiles.
    pub jit: Jit,
    /// Heap of each node; by default 1,024 MB if there is one, 480 MB each if there are three.
    pub heap_mb: Option<u32>,
    /// More lines for cassandra.yaml, whole and of keys that are not there yet, such as
    /// `write_request_timeout: 500ms`.
    pub yaml: Vec<String>,
}

/// One node among its peers.
pub(super) struct NodeConfig<'a> {
    pub(super) dir: &'a Path,
    pub(super) address: &'a str,
    pub(super) native_port: u16,
    pub(super) storage_port: u16,
    pub(super) node: usize,
    pub(super) nodes: usize,
}

impl NodeConfig<'_> {
    /// Writes `cassandra.yaml`, `jvm.options` and `logback.xml` into the node's folder.
    pub(super) fn write(&self, options: &CassandraOptions) -> Result<()> {
        // The JVM and netty unpack libraries, which a killed process leaves behind.
        std::fs::create_dir_all(self.dir.join("tmp"))?;
        std::fs::write(self.dir.join("cassandra.yaml"), self.yaml(options))?;
        std::fs::write(self.dir.join("jvm.options"), self.jvm(options))?;
        Ok(std::fs::write(self.dir.join("logback.xml"), LOGBACK)?)
    }

    fn yaml(&self, options: &CassandraOptions) -> String {
        let Self { address, native_port, storage_port, .. } = self;
        let dir = self.dir.display();
        let paxos = match options.paxos {
            Paxos::V1 => "v1",
            Paxos::V2 => "v2",
        };
        let mut text = format!(
            "cluster_name: rig\n\
             partitioner: org.apache.cassandra.dht.Murmur3Partitioner\n\
             num_tokens: 1\n\
             initial_token: {}\n\
             auto_bootstrap: false\n\
             endpoint_snitch: SimpleSnitch\n\
             listen_address: {address}\n\
             rpc_address: {address}\n\
             native_transport_port: {native_port}\n\
             storage_port: {storage_port}\n\
             seed_provider:\n\
             - class_name: org.apache.cassandra.locator.SimpleSeedProvider\n  \
               parameters:\n  - seeds: \"127.0.0.1:{storage_port}\"\n\
             data_file_directories: [{dir}/data]\n\
             commitlog_directory: {dir}/commitlog\n\
             hints_directory: {dir}/hints\n\
             saved_caches_directory: {dir}/saved_caches\n\
             cdc_raw_directory: {dir}/cdc_raw\n\
             commitlog_sync: batch\n\
             commitlog_segment_size: 8MiB\n\
             paxos_variant: {paxos}\n\
             auto_snapshot: false\n\
             memtable_heap_space: 128MiB\n\
             memtable_offheap_space: 128MiB\n\
             file_cache_size: 32MiB\n\
             networking_cache_size: 32MiB\n\
             concurrent_reads: 16\n\
             concurrent_writes: 16\n",
            self.token()
        );
        for line in &options.yaml {
            writeln!(text, "{line}").expect("invariant: a string takes all text");
        }
        text
    }

    /// Spaced evenly over the ring, -2^63 to 2^63 - 1.
    fn token(&self) -> i128 {
        let share = |number: usize| i128::try_from(number).expect("invariant: at most three");
        (share(self.node) << 64) / share(self.nodes) - (1 << 63)
    }

    fn jvm(&self, options: &CassandraOptions) -> String {
        let heap = options.heap_mb.unwrap_or(if self.nodes == 1 { 1024 } else { 480 });
        let dir = self.dir.display();
        // One collector thread and no files of counters: two cores are shared with the test. The
        // delays are waits for other nodes that a ring with fixed tokens does not need.
        let mut text = format!(
            "-Xms{heap}m\n-Xmx{heap}m\n-Xss512k\n-XX:+UseSerialGC\n-XX:-UsePerfData\n\
             -XX:MaxDirectMemorySize=256m\n-XX:+ExitOnOutOfMemoryError\n-Xshare:auto\n\
             -Djava.io.tmpdir={dir}/tmp\n-Djna.tmpdir={dir}/tmp\n\
             -Dcassandra.config=file://{dir}/cassandra.yaml\n\
             -Dcassandra.storagedir={dir}\n\
             -Dlogback.configurationFile=file://{dir}/logback.xml\n\
             -Dcassandra.ring_delay_ms=100\n\
             -Dcassandra.skip_wait_for_gossip_to_settle=0\n\
             -Dcassandra.superuser_setup_delay_ms=0\n\
             -Dcassandra.memtable.row_overhead_size=180\n\
             -Djdk.attach.allowAttachSelf=true\n"
        );
        if options.jit == Jit::Quick {
            text.push_str("-XX:TieredStopAtLevel=1\n");
        }
        text.push_str(MODULES);
        text
    }
}

/// The insides of Java 17 that Cassandra reaches into.
const MODULES: &str = "\
--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED
--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED
--add-exports=java.base/sun.nio.ch=ALL-UNNAMED
--add-exports=java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED
--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED
--add-exports=java.rmi/sun.rmi.server=ALL-UNNAMED
--add-exports=java.rmi/sun.rmi.transport.tcp=ALL-UNNAMED
--add-exports=java.sql/java.sql=ALL-UNNAMED
--add-opens=java.base/java.io=ALL-UNNAMED
--add-opens=java.base/java.lang=ALL-UNNAMED
--add-opens=java.base/java.lang.module=ALL-UNNAMED
--add-opens=java.base/java.nio=ALL-UNNAMED
--add-opens=java.base/java.util=ALL-UNNAMED
--add-opens=java.base/java.util.concurrent=ALL-UNNAMED
--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED
--add-opens=java.base/jdk.internal.loader=ALL-UNNAMED
--add-opens=java.base/jdk.internal.math=ALL-UNNAMED
--add-opens=java.base/jdk.internal.module=ALL-UNNAMED
--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED
--add-opens=java.base/jdk.internal.reflect=ALL-UNNAMED
--add-opens=java.base/jdk.internal.util.jar=ALL-UNNAMED
--add-opens=java.base/sun.nio.ch=ALL-UNNAMED
--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED
";

/// Everything of weight to the standard output, which goes to the node's log.
const LOGBACK: &str = r#"<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"#;
