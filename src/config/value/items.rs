use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};

use crate::dashboard::DashboardLine;
use crate::http::Cidr;
use crate::model::grpc::is_method;
use crate::record::MAX_METHOD;
use crate::redact::{PathPattern, is_sensitive_key};

use super::list::ItemParser;
use super::{TomlType, quoted};

/// Headers whose values are credentials.
const NEVER_SHOWN: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE];

/// The network of a proxy.
pub(in crate::config) struct NetworkItem;

impl ItemParser for NetworkItem {
    type Value = Cidr;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"10.0.0.0/8\"]";
    const DESCRIPTION: &'static str = "networks such as `10.0.0.0/8`";

    fn parse(text: &str) -> Result<Cidr, String> {
        text.parse()
            .map_err(|error: crate::http::CidrError| error.to_string())
    }

    fn check(network: &Cidr) -> Result<(), String> {
        if network.prefix() == 0 {
            return Err("everybody, so that any client could name any address; write the proxies' own networks".to_owned());
        }
        Ok(())
    }

    fn print(value: &Cidr) -> String {
        quoted(&value.to_string())
    }
}

/// The name of a header.
pub(in crate::config) struct HeaderNameItem;

impl ItemParser for HeaderNameItem {
    type Value = HeaderName;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"user-agent\"]";
    const DESCRIPTION: &'static str = "header names such as `user-agent`";

    fn parse(text: &str) -> Result<HeaderName, String> {
        HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| "not a header's name; write one such as `user-agent`".to_owned())
    }

    fn check(name: &HeaderName) -> Result<(), String> {
        if NEVER_SHOWN.contains(name) {
            return Err(format!(
                "a header of credentials, which is never shown; remove `{name}`"
            ));
        }
        Ok(())
    }

    fn print(value: &HeaderName) -> String {
        quoted(value.as_str())
    }
}

/// A key whose value is a secret.
pub(in crate::config) struct SecretKeyItem;

impl ItemParser for SecretKeyItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"ticket\"]";
    const DESCRIPTION: &'static str = "keys such as `ticket`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        let is_key = |c: char| c.is_alphanumeric() || "-_. []".contains(c);
        if letters < 3 || text.len() > 64 || !text.chars().all(is_key) {
            return Err(
                "not a key of 3 to 64 letters and digits; write one such as `ticket`".to_owned(),
            );
        }
        Ok(())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// A path pattern that contains a secret.
pub(in crate::config) struct SecretPathItem;

impl ItemParser for SecretPathItem {
    type Value = PathPattern;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"/invites/{token}\"]";
    const DESCRIPTION: &'static str = "paths such as `/invites/{token}`";

    fn parse(text: &str) -> Result<PathPattern, String> {
        text.parse()
            .map_err(|what| format!("{what}; write one such as `/invites/{{token}}`"))
    }

    fn check(_: &PathPattern) -> Result<(), String> {
        // A pattern can only be created by parsing, so it is valid.
        Ok(())
    }

    fn print(value: &PathPattern) -> String {
        quoted(&value.to_string())
    }
}

/// The URL of a receiver of notifications.
pub(in crate::config) struct ReceiverUrlItem;

impl ItemParser for ReceiverUrlItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"http://alertmanager:9093\"]";
    const DESCRIPTION: &'static str = "URLs such as `http://alertmanager:9093`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        if is_base_url(text) {
            return Ok(());
        }
        Err("not a URL; write one such as `http://alertmanager:9093`".to_owned())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// The recipient of e-mails.
pub(in crate::config) struct EmailItem;

impl ItemParser for EmailItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"ops@example.com\"]";
    const DESCRIPTION: &'static str = "addresses such as `ops@example.com`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        let is_plain = text.len() <= 320 && !text.chars().any(char::is_control);
        let names_a_host = text.split_once('@');
        let names_a_host = names_a_host.is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !host.contains([',', '@'])
        });
        if is_plain && names_a_host {
            return Ok(());
        }
        Err("not an address; write one such as `ops@example.com`".to_owned())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// The URL of a node of a search server.
pub(in crate::config) struct SearchUrlItem;

impl ItemParser for SearchUrlItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"https://search-1:9200\"]";
    const DESCRIPTION: &'static str = "URLs such as `https://search-1:9200`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        if is_base_url(text) {
            return Ok(());
        }
        Err(
            "not a URL; write one such as `https://search-1:9200`, without a user and a password"
                .to_owned(),
        )
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// Whether a text is a URL to which a path is appended.
fn is_base_url(text: &str) -> bool {
    let is_plain = |it: http::Uri| {
        let authority = it.authority().map_or("", http::uri::Authority::as_str);
        matches!(it.scheme_str(), Some("http" | "https"))
            && !authority.is_empty()
            && !authority.contains('@')
            && it.query().is_none()
    };
    text.len() <= 2048 && text.parse().is_ok_and(is_plain)
}

/// The lines of a card of the dashboard.
pub(in crate::config) struct DashboardLineItem;

impl ItemParser for DashboardLineItem {
    type Value = DashboardLine;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"error_rate=0.01/0.05\"]";
    const DESCRIPTION: &'static str = "lines such as `error_rate=0.01/0.05`";

    fn parse(text: &str) -> Result<DashboardLine, String> {
        text.parse()
    }

    fn check(line: &DashboardLine) -> Result<(), String> {
        line.problem().map_or(Ok(()), |what| Err(what.to_owned()))
    }

    fn print(value: &DashboardLine) -> String {
        quoted(&value.to_string())
    }
}

/// The name of a query parameter whose value is not redacted.
pub(in crate::config) struct QueryNameItem;

impl ItemParser for QueryNameItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"page\"]";
    const DESCRIPTION: &'static str = "names of query parameters such as `page`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        let is_name = |c: char| !c.is_whitespace() && !c.is_control() && !"&=?#;".contains(c);
        if text.is_empty() || text.len() > 128 || !text.chars().all(is_name) {
            return Err("not the name of a query parameter; write one such as `page`".to_owned());
        }
        if is_sensitive_key(text) {
            return Err(format!(
                "a name of secrets, whose value is never shown; remove `{text}`"
            ));
        }
        Ok(())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

const NOT_A_STATUS: &str = "not a status of an error; write a number from 400 to 599";

/// An error status.
pub(in crate::config) struct StatusItem;

impl ItemParser for StatusItem {
    type Value = u16;
    const TYPE: TomlType = TomlType::Integer;
    const EXAMPLE: &'static str = "[504]";
    const DESCRIPTION: &'static str = "statuses from 400 to 599";

    fn parse(text: &str) -> Result<u16, String> {
        text.parse()
            .ok()
            .filter(|_| text.len() == 3)
            .ok_or_else(|| NOT_A_STATUS.to_owned())
    }

    fn check(status: &u16) -> Result<(), String> {
        if !(400..600).contains(status) {
            return Err(NOT_A_STATUS.to_owned());
        }
        Ok(())
    }

    fn print(value: &u16) -> String {
        value.to_string()
    }
}

/// A request method that can be a label.
pub(in crate::config) struct RequestMethodItem;

impl ItemParser for RequestMethodItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"GET\", \"POST\", \"PROPFIND\"]";
    const DESCRIPTION: &'static str = "request methods such as `GET` or `PROPFIND`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        let method = http::Method::from_bytes(text.as_bytes());
        if method.is_err() || text.len() > MAX_METHOD {
            return Err("not a request method; write one such as `PROPFIND`".to_owned());
        }
        Ok(())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// The path of a gRPC method.
pub(in crate::config) struct GrpcMethodItem;

impl ItemParser for GrpcMethodItem {
    type Value = String;
    const TYPE: TomlType = TomlType::String;
    const EXAMPLE: &'static str = "[\"/grpc.health.v1.Health/Check\"]";
    const DESCRIPTION: &'static str = "paths such as `/grpc.health.v1.Health/Check`";

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn check(text: &String) -> Result<(), String> {
        if !is_method(text) {
            return Err(
                "not the path of a gRPC method; write one such as `/grpc.health.v1.Health/Check`"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}
