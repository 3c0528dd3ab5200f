//! Least privilege: which user the process is, and what it may open, once it has bound its port.
//!
//! What belongs here: finding a system user, becoming that user, dropping privileges for good. What
//! must not: configuration, and what the server's files are for; [`crate::app`] knows both.
//!
//! Invariant: everything here is called while the process has one thread. The kernel keeps users,
//! capabilities and Landlock rules for each thread, and a new thread inherits them from the one that
//! starts it; a thread started before would keep all privileges. [`become_user`] checks it.
//!
//! Root that stays root keeps the four capabilities over files and drops the others.

mod error;
mod files;
mod landlock;
mod owner;
mod path_walk;
mod privileges;
mod system_user;

pub use error::ConfineError;
pub use files::{RequiredAccess, check_access, make_first_folder, make_folders, may_write};
pub use landlock::{AllowedPaths, restrict};
pub use owner::{as_owner, become_owner, check_named_by, check_roots_own};
pub use path_walk::Purpose;
pub use privileges::{become_user, drop_privileges};
pub use system_user::{Choice, SystemUser, choose};
