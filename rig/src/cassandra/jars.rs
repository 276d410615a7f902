//! Where Java and Cassandra's jars are.

use std::path::{Path, PathBuf};

use crate::{Error, Result, dirs};

const SCRIPT: &str = ".ci/cassandra";
const MAIN_CLASS: &str = "org.apache.cassandra.service.CassandraDaemon";

/// A Java 17 and a folder of jars.
#[derive(Clone)]
pub(super) struct Java {
    program: String,
    jars: PathBuf,
}

impl Java {
    /// Looks in the folder that the environment names as `CASSANDRA_JARS`, or else where the
    /// script puts them by default.
    pub(super) fn find() -> Result<Self> {
        let default = dirs::target().join("ci/cassandra");
        let jars = std::env::var_os("CASSANDRA_JARS").map_or(default, PathBuf::from);
        let is_there = jars.read_dir().is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| is_jar(&entry.path(), "cassandra-all-")))
        });
        match is_there {
            true => Ok(Self { program: java_17(), jars: jars.canonicalize()? }),
            false => Err(Error::new(format!(
                "no Cassandra in {}: `{SCRIPT} {0}` fetches it",
                jars.display()
            ))),
        }
    }

    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// For the node whose configuration is in `dir`.
    pub(super) fn arguments(&self, dir: &Path) -> Result<Vec<String>> {
        let options = format!("@{}", dir.join("jvm.options").display());
        let jars = format!("{}/*", self.jars.display());
        Ok(vec![options, "-cp".into(), jars, MAIN_CLASS.into()])
    }
}

fn is_jar(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(prefix) && name.ends_with(".jar"))
}

/// Debian's Java 17, even where a newer one, which Cassandra 5.0 does not know, is the default.
fn java_17() -> String {
    let homes = Path::new("/usr/lib/jvm").read_dir().into_iter().flatten().flatten();
    let named = homes.filter(|home| home.file_name().to_string_lossy().starts_with("java-17-"));
    let mut programs = named.map(|home| home.path().join("bin/java"));
    let found = programs.find(|program| program.is_file());
    found.map_or_else(|| "java".to_owned(), |program| program.display().to_string())
}
