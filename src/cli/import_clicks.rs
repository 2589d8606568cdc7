//! `import-clicks`: the clicks of another system, from a file or from stdin. Lines that are not taken go to stderr, each
//! with its number, and the command ends with 1 when there is any; what was taken stays.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use clap::Args;

use super::opened::{done, open, principal};
use super::{CliProblem, print};
use crate::app::import_clicks::{BadLine, import_clicks};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A CSV file with a header; - reads stdin. Columns: id, offer, publisher, time (RFC 3339, or seconds or
    /// milliseconds since 1970); and, if there are, external_transaction_id, sub_id, sub_id_2 .. sub_id_6.
    file: PathBuf,
}

pub(super) async fn run(config: &Config, arguments: Arguments) -> Result<(), CliProblem> {
    let name = arguments.file.display().to_string();
    let source: Box<dyn Read + Send> = if name == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(&arguments.file).map_err(|error| CliProblem::io(&name, error))?)
    };
    let app = open(config).await?;
    let mut tell = |BadLine { number, reason }| {
        // Nothing is left to be done about a stderr that is gone.
        let _ = writeln!(io::stderr(), "line {number}: {reason}");
    };
    let imported = import_clicks(&app, &principal(), &name, source, &mut tell).await;
    app.database.close().await;
    let imported = done(imported)?;
    print(&format!("added {}, there already {}, not taken {}\n", imported.added, imported.known, imported.bad))?;
    if imported.bad == 0 { Ok(()) } else { Err(CliProblem::BadLines(imported.bad)) }
}
