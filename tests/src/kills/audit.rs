//! What the database itself saw: triggers record every end of a trial, and every change of one that had ended.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::postgres::Server;

const SQLITE: &str = "
    CREATE TABLE audit_ends (number INTEGER, state TEXT, measured TEXT);
    CREATE TABLE audit_changes (number INTEGER);
    CREATE TRIGGER audit_end AFTER UPDATE ON trials WHEN OLD.state = 'running' AND NEW.state <> 'running'
        BEGIN INSERT INTO audit_ends VALUES (NEW.number, NEW.state, NEW.measured); END;
    CREATE TRIGGER audit_change AFTER UPDATE ON trials WHEN OLD.state <> 'running'
        BEGIN INSERT INTO audit_changes VALUES (OLD.number); END;
    CREATE TRIGGER audit_loss AFTER DELETE ON trials BEGIN INSERT INTO audit_changes VALUES (OLD.number); END;";

const POSTGRES: &str = "
    CREATE TABLE audit_ends (number BIGINT, state TEXT, measured TEXT);
    CREATE TABLE audit_changes (number BIGINT);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' OR OLD.state <> 'running' THEN INSERT INTO audit_changes VALUES (OLD.number);
        ELSIF NEW.state <> 'running' THEN INSERT INTO audit_ends VALUES (NEW.number, NEW.state, NEW.measured);
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER audit AFTER UPDATE OR DELETE ON bomp_trials FOR EACH ROW EXECUTE FUNCTION audit();";

/// Records of a study that begins.
pub(super) struct Audit {
    folder: PathBuf,
}

/// What was recorded.
pub(super) struct Records {
    /// Number, state and figures of each end, in any order.
    pub(super) ends: Vec<(u64, String, String)>,
    /// Changes of trials that had ended.
    pub(super) changes: u64,
    /// Claims of trials that another worker had lost.
    pub(super) taken_over: u64,
}

impl Audit {
    /// Of the study on `server`, else of the one in `folder`.
    pub(super) fn start(server: Option<&Server>, folder: &Path) -> Self {
        match server {
            Some(server) => {
                let client = server.client();
                client.and_then(|mut client| client.batch_execute(POSTGRES)).expect("tables and triggers");
            }
            None => connection(folder).execute_batch(SQLITE).expect("tables and triggers"),
        }
        Self { folder: folder.to_owned() }
    }

    /// Everything so far.
    pub(super) fn records(&self, server: Option<&Server>) -> Records {
        let ends = "SELECT number, state, measured FROM audit_ends";
        let changes = "SELECT COUNT(*) FROM audit_changes";
        if let Some(server) = server {
            let mut client = server.client().expect("the server answers");
            let taken_over = "SELECT SUM(take_overs)::BIGINT FROM bomp_trials";
            let mut count = |query| client.query_one(query, &[]).expect("a count").get::<_, i64>(0) as u64;
            let (changes, taken_over) = (count(changes), count(taken_over));
            let rows = client.query(ends, &[]).expect("the records");
            let ends = rows.iter().map(|row| (row.get::<_, i64>(0) as u64, row.get(1), row.get(2))).collect();
            return Records { ends, changes, taken_over };
        }
        let connection = connection(&self.folder);
        let count =
            |query| connection.query_row(query, [], |row| row.get::<_, i64>(0)).expect("a count") as u64;
        let (changes, taken_over) = (count(changes), count("SELECT SUM(take_overs) FROM trials"));
        let mut statement = connection.prepare(ends).expect("the records");
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?)));
        let ends = rows.and_then(Iterator::collect).expect("the records");
        Records { ends, changes, taken_over }
    }
}

fn connection(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("study.sqlite")).expect("the study's file");
    connection.busy_timeout(Duration::from_secs(60)).expect("a time");
    connection
}
