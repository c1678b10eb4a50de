mod answer;
mod base64;
mod batch;
mod books;
mod cursor;
mod dead_letters;
mod document;
mod line_queue;
mod nodes;
mod server;
mod shipper;
mod shipping;
mod source;
mod target;

pub(crate) use self::shipping::Shipping;
