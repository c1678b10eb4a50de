//! The compact encodings of requests and captured errors, as they travel from the thread that makes them to the worker.

mod attributes;
mod error_record;
mod method;
mod request_record;

pub(crate) use self::attributes::{
    AttributeRef, attributes_of, put_attributes, put_attributes_within,
};
pub(crate) use self::error_record::{
    ErrorKind, ErrorRecord, MAX_TAGS, TextPairs, put_user_and_attributes,
};
pub(crate) use self::method::{KnownMethods, MAX_METHOD, Method};
pub(crate) use self::request_record::{
    MAX_TEXT, MAX_USER, RequestRecord, Scheme, VERSIONS, note_left_out, put_fixed, put_text,
};
