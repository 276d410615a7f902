//! The options of a load over the JSON API.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use loadtest::drive::api::ApiKey;

use crate::usage;

const API: &str = "Over the JSON API";

/// Options of a load over the JSON API.
#[derive(Debug, Args)]
pub(super) struct HttpArgs {
    /// Pay over the JSON API of the switch, at this address
    /// [without one: http://127.0.0.1:8080].
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "127.0.0.1:8080",
        value_parser = usage::http_target, help_heading = API,
        conflicts_with_all = ["target", "acquirer_id", "in_flight"])]
    pub(super) http: Option<SocketAddr>,
    /// File with the API key of a biller, as `cauce key create` prints it; the
    /// key may be in the variable LOAD_API_KEY instead.
    #[arg(long, value_name = "FILE", help_heading = API, requires = "http")]
    api_key_file: Option<PathBuf>,
    /// The API key itself; other users of this machine may see it.
    #[arg(long, value_name = "KEY", env = "LOAD_API_KEY", hide_env_values = true,
        help_heading = API, conflicts_with = "api_key_file")]
    api_key: Option<String>,
}

impl HttpArgs {
    /// The API key.
    ///
    /// Errors: a wrong command line.
    pub(super) fn api_key(&self) -> anyhow::Result<ApiKey> {
        let text = match (&self.api_key_file, &self.api_key) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|error| usage::wrong(format!("{}: {error}", path.display())))?,
            (None, Some(key)) => key.clone(),
            (None, None) => {
                return Err(usage::wrong(
                    "--http needs an API key: --api-key-file, or LOAD_API_KEY; \
                     `cauce key create --role biller --owner ID` makes one",
                ));
            }
        };
        ApiKey::new(&text)
            .ok_or_else(|| usage::wrong("the API key is empty or not one line of text"))
    }
}
