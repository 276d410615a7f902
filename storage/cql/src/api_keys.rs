//! API keys, of which only hashes are kept: what one node is told, all know.

use crate::session::{Cql, CqlError, Statement};

/// The table of keys.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    cql: Cql,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// What its holder may do.
    pub role: Box<str>,
    /// Whose it is.
    pub owner: Box<str>,
    /// When it was made, RFC 3339.
    pub created_at: Box<str>,
    /// Seconds after which the servers forget it; none where they never do.
    pub seconds_left: Option<u32>,
}

type Columns = (Vec<u8>, Option<String>, Option<String>, Option<String>, Option<i32>);

static PUT: Statement = Statement::write(
    "api_key_put",
    "INSERT INTO api_key (sha256, role, owner, created_at) VALUES (?, ?, ?, ?)",
);
static PUT_FOR: Statement = Statement::write(
    "api_key_put",
    "INSERT INTO api_key (sha256, role, owner, created_at) VALUES (?, ?, ?, ?) USING TTL ?",
);
static DELETE: Statement =
    Statement::write("api_key_delete", "DELETE FROM api_key WHERE sha256 = ?");
static FIND: Statement = Statement::read(
    "api_key_find",
    "SELECT sha256, role, owner, created_at, TTL(owner) FROM api_key WHERE sha256 = ?",
);
static LIST: Statement = Statement::read(
    "api_key_list",
    "SELECT sha256, role, owner, created_at, TTL(owner) FROM api_key",
);
/// Longest time the servers keep a row that they are to forget: 20 years.
const SECONDS_MAX: i32 = 630_720_000;

impl ApiKeys {
    /// Over a connection.
    pub fn new(cql: &Cql) -> Self {
        Self { cql: cql.clone() }
    }

    /// Keeps a key.
    ///
    /// Errors: it may not be kept; the key is then not to be given to anybody.
    pub fn put(&self, key: &ApiKeyRow) -> Result<(), CqlError> {
        let values = (key.sha256.as_slice(), &*key.role, &*key.owner, &*key.created_at);
        self.cql.block_on(self.cql.execute(&PUT, values)).map(drop)
    }

    /// Keeps a key for so many seconds more, at most 20 years.
    ///
    /// Errors: it may be kept for longer.
    pub fn put_for(&self, key: &ApiKeyRow, seconds: u32) -> Result<(), CqlError> {
        let seconds = i32::try_from(seconds).unwrap_or(SECONDS_MAX).clamp(1, SECONDS_MAX);
        let values = (key.sha256.as_slice(), &*key.role, &*key.owner, &*key.created_at, seconds);
        self.cql.block_on(self.cql.persist(&PUT_FOR, values)).map(drop)
    }

    /// Forgets a key.
    ///
    /// Errors: it may be there still.
    pub fn delete(&self, sha256: &[u8; 32]) -> Result<(), CqlError> {
        self.cql.block_on(self.cql.persist(&DELETE, (sha256.as_slice(),))).map(drop)
    }

    /// The key of a hash.
    pub fn find(&self, sha256: &[u8; 32]) -> Result<Option<ApiKeyRow>, CqlError> {
        let found = self.cql.block_on(self.cql.row::<Columns>(&FIND, (sha256.as_slice(),)))?;
        Ok(found.and_then(row))
    }

    /// All keys, in no order.
    pub fn list(&self) -> Result<Vec<ApiKeyRow>, CqlError> {
        let found = self.cql.block_on(self.cql.rows::<Columns>(&LIST, ()))?;
        Ok(found.into_iter().filter_map(row).collect())
    }
}

/// None where the hash is none, which no version of ours has written.
fn row((sha256, role, owner, created_at, seconds): Columns) -> Option<ApiKeyRow> {
    Some(ApiKeyRow {
        sha256: sha256.try_into().ok()?,
        role: role.unwrap_or_default().into(),
        owner: owner.unwrap_or_default().into(),
        created_at: created_at.unwrap_or_default().into(),
        seconds_left: seconds.and_then(|seconds| u32::try_from(seconds).ok()),
    })
}
