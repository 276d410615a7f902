//! On what the figures were taken, and what it cost.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// The machine a run was made on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processor, as the kernel names it.
    pub cpu: String,
    /// Logical processors this process may use.
    pub cores: u64,
    /// Kernel release.
    pub kernel: String,
    /// What a write to disk costs in the data folder; none where no folder was named.
    pub fdatasync: Option<SyncProbe>,
}

/// Cost of making 4 KiB durable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncProbe {
    /// How often it was tried.
    pub count: u64,
    /// Median, µs.
    pub p50_us: u64,
    /// 99th percentile, µs.
    pub p99_us: u64,
}

/// Resources one process has used so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Its command name.
    pub name: String,
    /// Its id.
    pub pid: u32,
    /// Processor time, user and system, milliseconds.
    pub cpu_ms: u64,
    /// Highest resident set, KiB.
    pub peak_rss_kib: u64,
}

impl Machine {
    /// Looks at this machine; probes the folder where one is given.
    ///
    /// Blocks for as long as the probe's 200 writes take.
    pub fn look(data: Option<&Path>) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            cpu: cpu.map_or_else(String::new, |(_, name)| name.to_owned()),
            cores: u64::try_from(cores).unwrap_or(u64::MAX),
            kernel: kernel.trim().to_owned(),
            fdatasync: data.and_then(|folder| SyncProbe::of(folder).ok()),
        }
    }
}

impl SyncProbe {
    /// Writes 4 KiB and waits for the disk, 200 times, in a file that is removed afterwards.
    ///
    /// Errors: what the system says of the file.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!(".fdatasync-probe-{}", std::process::id()));
        let times = probe(&path);
        fs::remove_file(&path)?;
        let mut times = times?;
        times.sort_unstable();
        let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
        let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
        Ok(Self { count, p50_us: at(50), p99_us: at(99) })
    }
}

fn probe(path: &Path) -> io::Result<Vec<u64>> {
    let mut file = File::create(path)?;
    let block = [0x5A_u8; 4096];
    (0..200)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            Ok(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
        })
        .collect()
}

impl ProcessUse {
    /// Looks at a process; none when there is no such process.
    ///
    /// Units: the kernel counts in ticks of 10 ms on every Linux this runs on (`USER_HZ`).
    /// Source: proc_pid_stat(5), fields 14 and 15; proc_pid_status(5), `VmHWM`.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, fields) = stat.rsplit_once(')')?;
        let mut ticks = fields.split_whitespace().skip(11).map_while(|text| text.parse().ok());
        let (user, system): (u64, u64) = (ticks.next()?, ticks.next()?);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.split_whitespace().next()?.parse().ok());
        Some(Self {
            name: head.split_once('(').map_or_else(String::new, |(_, name)| name.to_owned()),
            pid,
            cpu_ms: (user + system) * 10,
            peak_rss_kib: peak.unwrap_or(0),
        })
    }

    /// What was used since an earlier look.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        self.cpu_ms = self.cpu_ms.saturating_sub(earlier.cpu_ms);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_has_a_name_and_uses_memory() {
        let own = ProcessUse::of(std::process::id()).unwrap();
        assert!(!own.name.is_empty() && own.peak_rss_kib > 0, "{own:?}");
        assert_eq!(ProcessUse::of(u32::MAX), None);
    }

    #[test]
    fn the_probe_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::look(Some(folder.path()));
        assert_eq!(machine.fdatasync.map(|probe| probe.count), Some(200));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
