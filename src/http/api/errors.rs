//! The replies to changes that were not made.

use crate::control::ControlError;
use crate::http::reply::Reply;
use crate::users::UsersError;

/// The reply to a change of what runs that was not made.
pub fn control_error(error: &ControlError) -> Reply {
    let status = match error {
        ControlError::Value(_) | ControlError::Level(_) => 400,
        ControlError::NotOurs(_) | ControlError::NoCamera(_) | ControlError::Camera(_) => 409,
        ControlError::CannotSave | ControlError::NotSaved(..) | ControlError::NoMicrophone(_) => 409,
        ControlError::NoOverride(_) => 404,
        ControlError::NotAllowed => 403,
        ControlError::System(_) => 500,
    };
    Reply::error(status, &error.to_string())
}

/// The reply to an edit of the user file that was not made.
pub fn users_error(error: &UsersError) -> Reply {
    let status = match error {
        UsersError::Name(_) | UsersError::Password(_) | UsersError::Scope(_) => 400,
        UsersError::Unknown(_) | UsersError::UnknownToken(_) => 404,
        UsersError::Taken(_) | UsersError::TokenTaken(_) | UsersError::LastAdmin(_) => 409,
        UsersError::NotAllowed => 403,
        UsersError::Busy => {
            return Reply::error(503, &error.to_string()).with("Retry-After", "2");
        }
        UsersError::Read(..) | UsersError::Write(..) | UsersError::Sync(..) | UsersError::Random(_) => {
            log::error!("{error}");
            return Reply::error(500, "the user file could not be changed; the log says why");
        }
    };
    Reply::error(status, &error.to_string())
}
