use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::super::database::Database;

const DEFAULT_PORT: u16 = 5432;

impl Database {
    /// Sets the database's name and server from the options of tokio-postgres, with its feature.
    ///
    /// The name is `dbname`, or `user`, which is the server's default. The server is set if the options have exactly
    /// one host and it is not a socket.
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) -> Result<(), tokio_postgres::Error> {
    /// use watchpost::db::DbSystem;
    ///
    /// let config: tokio_postgres::Config = "host=db.internal dbname=shop user=ada".parse()?;
    /// let database = monitor.db(DbSystem::Postgresql).config(&config);
    /// # drop(database);
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(self, config: &Config) -> Self {
        let database = match config.get_dbname().or(config.get_user()) {
            Some(name) => self.namespace(name),
            None => self,
        };
        let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
        let host = match (hosts, addresses) {
            ([Host::Tcp(name)], _) => name.clone(),
            ([], [address]) => address.to_string(),
            _ => return database,
        };
        let port = config.get_ports().first().copied();
        database.server(host, port.unwrap_or(DEFAULT_PORT))
    }
}
