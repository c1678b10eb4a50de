mod address;
mod channel;
mod configured;
mod html;
mod limited_stream;
mod message;
mod page;
mod part_deliveries;
mod server;
mod session;
mod smtp_config;
mod stream;
#[cfg(test)]
mod tests;
mod text_part;

pub use self::channel::EmailChannel;
pub use self::server::SmtpServer;

pub(in super::super) use self::configured::add_email;
