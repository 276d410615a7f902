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
}

type Columns = (Vec<u8>, Option<String>, Option<String>, Option<String>);

static PUT: Statement = Statement::write(
    "api_key_put",
    "INSERT INTO api_key (sha256, role, owner, created_at) VALUES (?, ?, ?, ?)",
);
static FIND: Statement = Statement::read(
    "api_key_find",
    "SELECT sha256, role, owner, created_at FROM api_key WHERE sha256 = ?",
);

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

    /// The key of a hash.
    pub fn find(&self, sha256: &[u8; 32]) -> Result<Option<ApiKeyRow>, CqlError> {
        let found = self.cql.block_on(self.cql.row::<Columns>(&FIND, (sha256.as_slice(),)))?;
        Ok(found.map(|(_, role, owner, created_at)| ApiKeyRow {
            sha256: *sha256,
            role: role.unwrap_or_default().into(),
            owner: owner.unwrap_or_default().into(),
            created_at: created_at.unwrap_or_default().into(),
        }))
    }
}
