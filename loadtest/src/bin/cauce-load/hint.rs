//! What to look at when a load could not begin.

use loadtest::drive::DriveError;
use loadtest::drive::api::ApiError;
use loadtest::drive::ready::NotReady;
use loadtest::drive::sign_on::SignOnError;

/// What to look at after an error; none where the error says it all.
pub fn of(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref::<NotReady>()? {
        NotReady::Switch(DriveError::Line { source, .. }) => of_line(source),
        NotReady::Switch(DriveError::Api { source, .. }) => of_api(source),
        NotReady::NoLineToBank { .. } => Some(
            "Its log says why it does not connect. Where it tries again after a long pause, raise \
             --wait."
                .to_owned(),
        ),
        NotReady::Switch(
            DriveError::NotLoopback(_)
            | DriveError::TooManyOpen { .. }
            | DriveError::Template(_)
            | DriveError::Pacer(_),
        )
        | NotReady::Stopped => None,
    }
}

fn of_line(error: &SignOnError) -> Option<String> {
    match error {
        SignOnError::Connect(_) => Some(
            "Is the switch running, and is this its `iso8583.listen`? See --target and --wait."
                .to_owned(),
        ),
        SignOnError::Refused { acquirer_id, .. } => Some(format!(
            "The switch needs a participant with `acquirer_id = \"{acquirer_id}\"` that may call at \
             this address; --acquirer-id signs on as another."
        )),
        SignOnError::Unreadable { shown } if shown.contains("HTTP/") => Some(
            "That is an HTTP address. --target takes the `iso8583.listen` of the switch; --http pays \
             over the JSON API."
                .to_owned(),
        ),
        SignOnError::Unreadable { .. } | SignOnError::Closed | SignOnError::Silent => Some(
            "Is --target the `iso8583.listen` of the switch, with the framing `binary2`, no header \
             and no TLS?"
                .to_owned(),
        ),
    }
}

fn of_api(error: &ApiError) -> Option<String> {
    match error {
        ApiError::Connect(_) => {
            Some("Is the switch running, and is this its `http.listen`? See --wait.".to_owned())
        }
        ApiError::Reset(_) | ApiError::Closed | ApiError::Silent => Some(
            "Is this the `http.listen` of the switch? One that starts answers once it has read its \
             journal; raise --wait."
                .to_owned(),
        ),
        ApiError::NotHttp | ApiError::TooLong => {
            Some("Is this the `http.listen` of the switch, without TLS?".to_owned())
        }
        ApiError::Refused { status: 401 | 403, .. } => Some(
            "The load needs the key of a biller: `cauce key create --role biller --owner ID` makes \
             one."
                .to_owned(),
        ),
        ApiError::Refused { .. } => None,
    }
}
