//! Where Java and Cassandra's jars are.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::{Error, Result, dirs};

const SCRIPT: &str = ".ci/cassandra";
const MAIN_CLASS: &str = "org.apache.cassandra.service.CassandraDaemon";

/// A Java 17 and Cassandra's jars.
#[derive(Clone)]
pub(super) struct Java {
    program: String,
    class_path: String,
    /// Changes whenever one of the jars or Java does.
    fingerprint: u64,
    /// Classes as Java has loaded and checked them before; a start takes half as long with them.
    archive: Option<PathBuf>,
}

impl Java {
    /// Looks in the folder that the environment names as `CASSANDRA_JARS`, or else where the
    /// script puts them by default.
    pub(super) fn find() -> Result<Self> {
        let default = dirs::target().join("ci/cassandra");
        let folder = std::env::var_os("CASSANDRA_JARS").map_or(default, PathBuf::from);
        let jars = jars_in(&folder).unwrap_or_default();
        if !jars.iter().any(|jar| jar.contains("/cassandra-all-")) {
            let folder = folder.display();
            let told = format!("no Cassandra in {folder}: `{SCRIPT} {folder}` fetches it");
            return Err(Error::new(told));
        }
        let program = java_17();
        let fingerprint = fingerprint(jars.iter().chain([&program]))?;
        Ok(Self { program, class_path: jars.join(":"), fingerprint, archive: None })
    }

    pub(super) fn with_archive(self, archive: Option<PathBuf>) -> Self {
        Self { archive, ..self }
    }

    pub(super) fn program(&self) -> &str {
        &self.program
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// For the node whose configuration is in `dir`; `more` are options of the JVM.
    pub(super) fn arguments(&self, dir: &Path, more: &[String]) -> Vec<String> {
        let mut arguments = more.to_vec();
        if let Some(archive) = &self.archive {
            arguments.push(format!("-XX:SharedArchiveFile={}", archive.display()));
        }
        arguments.push(format!("@{}", dir.join("jvm.options").display()));
        arguments.extend(["-cp".to_owned(), self.class_path.clone(), MAIN_CLASS.to_owned()]);
        arguments
    }
}

/// All jars of a folder, in an order of their own: the archive holds for this order alone.
fn jars_in(folder: &Path) -> Result<Vec<String>> {
    let mut jars = Vec::new();
    for entry in folder.canonicalize()?.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jar") {
            jars.push(path.display().to_string());
        }
    }
    jars.sort();
    Ok(jars)
}

fn fingerprint<'a>(files: impl Iterator<Item = &'a String>) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        // What is found through PATH is Java, and has no place to look at.
        if let Ok(metadata) = Path::new(file).metadata() {
            (metadata.len(), metadata.modified()?).hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Debian's Java 17, even where a newer one, which Cassandra 5.0 does not know, is the default.
fn java_17() -> String {
    let homes = Path::new("/usr/lib/jvm").read_dir().into_iter().flatten().flatten();
    let named = homes.filter(|home| home.file_name().to_string_lossy().starts_with("java-17-"));
    let mut programs = named.map(|home| home.path().join("bin/java"));
    let found = programs.find(|program| program.is_file());
    found.map_or_else(|| "java".to_owned(), |program| program.display().to_string())
}
