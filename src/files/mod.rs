//! Files in a directory of the data directory, and the format of files that consist of records. The spool and other
//! stores keep theirs with it.

mod directory;
mod disk;
mod operations;
mod segment;

#[cfg(feature = "history")]
pub(crate) use self::directory::check_is_at_path;
pub(crate) use self::directory::list_directory;
#[cfg(any(feature = "elasticsearch", feature = "history"))]
pub(crate) use self::directory::refuse_link;
pub(crate) use self::disk::Disk;
pub(crate) use self::operations::Files;
pub(crate) use self::segment::{HEAD, HEADER, MAX_BODY, header, put, records};
