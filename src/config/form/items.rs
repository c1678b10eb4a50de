use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};

use crate::http::Cidr;
use crate::model::grpc::is_method;
use crate::redact::{PathPattern, is_sensitive_key};
use crate::request::MAX_METHOD;

use super::list::Item;
use super::{Type, quoted};

/// Headers that are credentials.
const NEVER_SHOWN: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE];

/// A network of proxies.
pub(in crate::config) struct Network;

impl Item for Network {
    type Value = Cidr;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"10.0.0.0/8\"]";
    const NAME: &'static str = "networks such as `10.0.0.0/8`";

    fn read(text: &str) -> Result<Cidr, String> {
        let network: Cidr = text
            .parse()
            .map_err(|error: crate::http::CidrError| error.to_string())?;
        if network.prefix() == 0 {
            return Err("everybody, so that any client could name any address; write the proxies' own networks".to_owned());
        }
        Ok(network)
    }

    fn print(value: &Cidr) -> String {
        quoted(&value.to_string())
    }
}

/// A header's name.
pub(in crate::config) struct Header;

impl Item for Header {
    type Value = HeaderName;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"user-agent\"]";
    const NAME: &'static str = "header names such as `user-agent`";

    fn read(text: &str) -> Result<HeaderName, String> {
        let name = HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| "not a header's name; write one such as `user-agent`")?;
        if NEVER_SHOWN.contains(&name) {
            return Err(format!(
                "a header of credentials, which is never shown; remove `{name}`"
            ));
        }
        Ok(name)
    }

    fn print(value: &HeaderName) -> String {
        quoted(value.as_str())
    }
}

/// A key whose value is a secret.
pub(in crate::config) struct SecretKey;

impl Item for SecretKey {
    type Value = String;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"ticket\"]";
    const NAME: &'static str = "keys such as `ticket`";

    fn read(text: &str) -> Result<String, String> {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        let is_key = |c: char| c.is_alphanumeric() || "-_. []".contains(c);
        if letters < 3 || text.len() > 64 || !text.chars().all(is_key) {
            return Err(
                "not a key of 3 to 64 letters and digits; write one such as `ticket`".to_owned(),
            );
        }
        Ok(text.to_owned())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// A path with a secret in it.
pub(in crate::config) struct SecretPath;

impl Item for SecretPath {
    type Value = PathPattern;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"/invites/{token}\"]";
    const NAME: &'static str = "paths such as `/invites/{token}`";

    fn read(text: &str) -> Result<PathPattern, String> {
        text.parse()
            .map_err(|what| format!("{what}; write one such as `/invites/{{token}}`"))
    }

    fn print(value: &PathPattern) -> String {
        quoted(&value.to_string())
    }
}

/// The name of a query parameter whose value is shown.
pub(in crate::config) struct QueryName;

impl Item for QueryName {
    type Value = String;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"page\"]";
    const NAME: &'static str = "names of query parameters such as `page`";

    fn read(text: &str) -> Result<String, String> {
        let is_name = |c: char| !c.is_whitespace() && !c.is_control() && !"&=?#;".contains(c);
        if text.is_empty() || text.len() > 128 || !text.chars().all(is_name) {
            return Err("not the name of a query parameter; write one such as `page`".to_owned());
        }
        if is_sensitive_key(text) {
            return Err(format!(
                "a name of secrets, whose value is never shown; remove `{text}`"
            ));
        }
        Ok(text.to_owned())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// A status of an error.
pub(in crate::config) struct Status;

impl Item for Status {
    type Value = u16;
    const TYPE: Type = Type::Integer;
    const EXAMPLE: &'static str = "[504]";
    const NAME: &'static str = "statuses from 400 to 599";

    fn read(text: &str) -> Result<u16, String> {
        text.parse()
            .ok()
            .filter(|status| text.len() == 3 && (400..600).contains(status))
            .ok_or_else(|| "not a status of an error; write a number from 400 to 599".to_owned())
    }

    fn print(value: &u16) -> String {
        value.to_string()
    }
}

/// A request method that can be a label.
pub(in crate::config) struct RequestMethod;

impl Item for RequestMethod {
    type Value = String;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"GET\", \"POST\", \"PROPFIND\"]";
    const NAME: &'static str = "request methods such as `GET` or `PROPFIND`";

    fn read(text: &str) -> Result<String, String> {
        let method = http::Method::from_bytes(text.as_bytes());
        if method.is_err() || text.len() > MAX_METHOD {
            return Err("not a request method; write one such as `PROPFIND`".to_owned());
        }
        Ok(text.to_owned())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}

/// The path of a gRPC method.
pub(in crate::config) struct GrpcMethod;

impl Item for GrpcMethod {
    type Value = String;
    const TYPE: Type = Type::String;
    const EXAMPLE: &'static str = "[\"/grpc.health.v1.Health/Check\"]";
    const NAME: &'static str = "paths such as `/grpc.health.v1.Health/Check`";

    fn read(text: &str) -> Result<String, String> {
        if !is_method(text) {
            return Err(
                "not the path of a gRPC method; write one such as `/grpc.health.v1.Health/Check`"
                    .to_owned(),
            );
        }
        Ok(text.to_owned())
    }

    fn print(value: &String) -> String {
        quoted(value)
    }
}
